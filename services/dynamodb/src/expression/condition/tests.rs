use proptest::prelude::*;

use super::*;
use crate::expression::{KeyCondition, Placeholders, Projection, Update};
use crate::value::{Given, Item};

const ITEM: &str = r#"{
    "a":{"N":"1"}, "b":{"N":"3"}, "t":{"S":"hello"}, "bin":{"B":"AQID"}, "yes":{"BOOL":true},
    "l":{"L":[{"N":"1"},{"N":"2"}]}, "ss":{"SS":["he","ho"]}, "ns":{"NS":["1","2"]},
    "m":{"M":{"x":{"M":{"y":{"N":"0"}}},"z":{"L":[{"M":{"w":{"S":"deep"}}}]}}}
}"#;
const NAMES: &str = r##"{"#a":"a","#A":"a","#s":"status"}"##;
const VALUES: &str = r#"{
    ":1":{"N":"1"}, ":2":{"N":"2"}, ":3":{"N":"3"}, ":5":{"N":"5"}, ":he":{"S":"he"},
    ":l":{"S":"L"}, ":12":{"L":[{"N":"1"},{"N":"2"}]}, ":b":{"B":"AQI="}, ":yes":{"BOOL":true},
    ":null":{"NULL":true}, ":m":{"M":{}}, ":set":{"SS":["x"]}, ":bad":{"S":"X"}
}"#;

pub(in crate::expression) fn item(json: &str) -> Item {
    serde_json::from_str::<Given<Item>>(json).unwrap().checked().unwrap()
}

pub(in crate::expression) fn placeholders(names: &str, values: &str) -> Placeholders {
    let (names, values) =
        (serde_json::from_str(names).unwrap(), serde_json::from_str(values).unwrap());
    Placeholders::new(Some(names), Some(values), &[(Kind::Filter, true)]).unwrap()
}

fn check(text: &str, wanted: &str) {
    let mut placeholders = placeholders(NAMES, VALUES);
    let got = match Condition::parse(Kind::Filter, text, &mut placeholders) {
        Ok(condition) => condition.holds(&item(ITEM)).to_string(),
        Err(error) => error.to_string().replace("Invalid FilterExpression: ", ""),
    };
    assert_eq!(got, wanted, "{text}");
}

#[test]
fn conditions_hold_or_not() {
    for (text, wanted) in [
        ("a = :1", true),
        ("a <> :1", false),
        ("#a < :2 AND b > :2", true),
        ("a >= :2 or not b <= :2", true),
        ("NOT (a = :1 AND b = :3)", false),
        ("a = :2 OR a = :1 AND b = :3", true),
        ("(a = :1 OR a = :2) AND b = :2", false),
        ("NOT a = :2 AND b = :3", true),
        ("not not a = :1", true),
        ("a between :1 and :2", true),
        ("b BETWEEN a AND :2", false),
        ("(a)between(:1)and(:2)", true),
        ("a IN (:2, :3)", false),
        ("a in (:2, b, :1)", true),
        ("attribute_exists(m.x.y)", true),
        ("attribute_exists(m.z[0].w)", true),
        ("attribute_exists(m.x.z)", false),
        ("attribute_not_exists(l[2])", true),
        ("attribute_not_exists ( l[1] )", false),
        ("attribute_type(l, :l)", true),
        ("attribute_type(a, :l)", false),
        ("begins_with(t, :he)", true),
        ("begins_with(bin, :b)", true),
        ("begins_with(a, :he)", false),
        ("contains(t, :he)", true),
        ("contains(bin, :b)", true),
        ("contains(l, :2)", true),
        ("contains(l, :3)", false),
        ("contains(ss, :he)", true),
        ("contains(ns, :2)", true),
        ("contains(ns, :he)", false),
        ("size(t) = :5", true),
        ("size(l) = :2", true),
        ("size(a) = :1", false),
        ("size(bin) > size(l)", true),
        ("l = :12", true),
        ("yes = :yes", true),
        ("a = t", false),
        ("a <> t", true),
        ("a < t", false),
        ("absent = :1", false),
        ("absent <> :1", true),
        ("absent < :1", false),
        ("NOT absent < :1", true),
        (":1 = a", true),
        (":1 = :1", true),
        ("((a=:1) OR (a=:2))", true),
        ("(m.x).y = :1", false),
    ] {
        check(text, &wanted.to_string());
    }
}

#[test]
fn syntax_errors_show_the_place() {
    for (text, token, near) in [
        ("things are not gonna be ok", "are", "things are not"),
        ("a > 4", "4", "> 4"),
        ("a", "<EOF>", "a"),
        ("attribute_exists(Pictures-RearView)", "-", "Pictures-RearView"),
        ("attribute_exists(\"Pictures\")", "\"", "(\"Pictures"),
        ("attribute_exists(asdf[a])", "a", "[a]"),
        ("a in b, c", "b", "in b,"),
        ("a in (b,c,)", ")", ",)"),
        ("a > between", "between", "> between"),
        ("(a)between(b.(c.d))and(c)", "(", ".(c"),
        ("(a)between(b.c.d)and((c)", "<EOF>", ")"),
        ("#$.b > a", "#", "#$"),
        ("a > :things.stuff", ".", ":things.stuff"),
        ("b[:a] > a", ":a", "[:a]"),
        ("ü > a", "ü", "ü >"),
        ("b.c[4.5] > a", ".", "4.5"),
        ("size(a).b > a", ".", ").b"),
        ("(size(a))[0] > a", "[", ")[0"),
        ("(a = b) = c", "=", ") = c"),
        ("a = b AND", "<EOF>", "AND"),
        ("a = b c", "c", "b c"),
        ("(a = b", "<EOF>", "b"),
    ] {
        check(text, &format!("Syntax error; token: \"{token}\", near: \"{near}\""));
    }
    check("", "The expression can not be empty;");
    check(" \n", "The expression can not be empty;");
    check("l[4294967296] = a", "List index is not within the allowable range; index: [4294967296]");
}

#[test]
fn faults_are_reported_by_rank() {
    for text in [
        "a=a and a > ((views))",
        "(a)between(((b.c)).d)and(c)",
        "a > whatever((:things), ((a)))",
        "a=a AND ((a=a AND a=a)) AND a=a",
        "a=a OR ((a=a OR (a=a OR a=a)))",
    ] {
        check(text, "The expression has redundant parentheses;");
    }
    check("a=a and whatever((:things)) > a", "Invalid function name; function: whatever");
    check("attRIbute_exIsts((views), #x)", "Invalid function name; function: attRIbute_exIsts");
    for (text, function) in [
        ("a=a and attribute_exists((views), (#x)) > b", "attribute_exists"),
        ("begins_with(things, a) > b", "begins_with"),
        ("size(contains(a, b)) > a", "contains"),
        ("size(things)", "size"),
        ("a between b and attribute_exists(things)", "attribute_exists"),
        ("a in (b, attribute_exists(things))", "attribute_exists"),
    ] {
        let why = "The function is not allowed to be used this way in an expression; function: ";
        check(text, &format!("{why}{function}"));
    }
    let reserved = "Attribute name is a reserved keyword; reserved keyword: ";
    check("attribute_exists(views, #x)", &format!("{reserved}views"));
    check(":x < m.abOrT", &format!("{reserved}abOrT"));
    let name = "An expression attribute name used in the document path is not defined; attribute \
                name: ";
    check("attribute_exists(#Pic.RearView, :x) and a=a", &format!("{name}#Pic"));
    check("begins_with(Pictures.#RearView)", &format!("{name}#RearView"));
    let value = "An expression attribute value used in expression is not defined; attribute \
                 value: ";
    check("begins_with(:hello, #x, #y)", &format!("{value}:hello"));
    check(":_ > a", &format!("{value}:_"));
}

#[test]
fn operands_are_checked() {
    let count = |function: &str, count: usize| {
        format!(
            "Incorrect number of operands for operator or function; operator or function: \
             {function}, number of operands: {count}"
        )
    };
    check("attribute_exists(things, a) and a=a", &count("attribute_exists", 2));
    check("begins_with(things, size(a), b)", &count("begins_with", 3));
    check("size(things, a) > b", &count("size", 2));
    let kind = |function: &str, kind: &str| {
        format!(
            "Incorrect operand type for operator or function; operator or function: {function}, \
             operand type: {kind}"
        )
    };
    check("attribute_type(a, size(a)) and a=a", &kind("attribute_type", "N"));
    check("attribute_type(a, :b)", &kind("attribute_type", "B"));
    check("attribute_type(a, b)", &kind("attribute_type", "{NS,SS,L,BS,N,M,B,BOOL,NULL,S}"));
    check("begins_with(a, size(a)) and a=:1", &kind("begins_with", "N"));
    check("begins_with(:m, a)", &kind("begins_with", "M"));
    check("size(size(a)) > :1", &kind("size", "N"));
    check("attribute_not_exists(size(:1))", &kind("size", "N"));
    check("size(:null) > a", &kind("size", "NULL"));
    check("a < :yes", &kind("<", "BOOL"));
    check("a between :set and :set", &kind("BETWEEN", "SS"));
    let path = "Operator or function requires a document path; operator or function: ";
    check("attribute_exists(:1) and a=a", &format!("{path}attribute_exists"));
    check("attribute_not_exists(size(:l))", &format!("{path}attribute_not_exists"));
    check(
        "attribute_type(a, :bad)",
        "Invalid attribute type name found; type: X, valid types: \
         {B,NULL,SS,BOOL,L,BS,N,NS,S,M}",
    );
    let distinct = |operator: &str, operand: &str| {
        format!(
            "The first operand must be distinct from the remaining operands for this operator or \
             function; operator: {operator}, first operand: {operand}"
        )
    };
    check("a = a AND #a = b AND :views > a", &distinct("=", "[a]"));
    check("a > #A", &distinct(">", "[a]"));
    check("contains(ab.bc[1].a, ab.bc[1].#a)", &distinct("contains", "[ab, bc, [1], a]"));
    check("a IN (b, a)", &distinct("IN", "[a]"));
    let bounds = "lower bound operand: AttributeValue";
    check(
        "a between :1 and :he",
        &format!(
            "The BETWEEN operator requires same data type for lower and upper bounds; {bounds}: \
             {{N:1}}, upper bound operand: AttributeValue: {{S:he}}"
        ),
    );
    check(
        "a between :2 and :1",
        &format!(
            "The BETWEEN operator requires upper bound to be greater than or equal to lower \
             bound; {bounds}: {{N:2}}, upper bound operand: AttributeValue: {{N:1}}"
        ),
    );
}

#[test]
fn expressions_are_bounded() {
    let long = format!("a = :1 AND b = {}", "x".repeat(4_096));
    check(&long, "Expression size has exceeded the maximum allowed size; expression size: 4111");
    let many = vec!["a<b"; 301].join(" or ");
    check(&many, "The expression contains too many operators; operator count: 301");
    check(&vec!["a<b"; 300].join(" or "), "true");
    let deep = format!("{}a=b{}", "(a=b and ".repeat(101), ")".repeat(101));
    check(&deep, "The expression is nested too deeply; maximum depth: 100");
    check(&"(".repeat(4_000), "The expression is nested too deeply; maximum depth: 100");
    check(&format!("{}a = :1", "not ".repeat(1_000)), "true");
    let wide = format!("a in ({})", vec![":1"; 101].join(","));
    check(&wide, "The IN operator is provided with too many operands; number of operands: 101");
}

#[test]
fn unused_placeholders_are_named() {
    let mut placeholders = placeholders(r##"{"#a":"a"}"##, r#"{":b":{"S":""},":c":{"S":""}}"#);
    Condition::parse(Kind::Filter, "#a = b", &mut placeholders).unwrap();
    assert_eq!(
        placeholders.all_used().unwrap_err().to_string(),
        "Value provided in ExpressionAttributeValues unused in expressions: keys: {:b, :c}"
    );
}

#[test]
fn placeholders_are_checked() {
    let check = |names: &str, values: &str, given: bool, wanted: &str| {
        let (names, values) =
            (serde_json::from_str(names).unwrap(), serde_json::from_str(values).unwrap());
        let found = Placeholders::new(names, values, &[(Kind::Condition, given)]);
        assert_eq!(found.unwrap_err().to_string(), wanted);
    };
    let null = "null";
    let only = "can only be specified when using expressions";
    check("{}", null, false, &format!("ExpressionAttributeNames {only}"));
    let is_null = "ConditionExpression is null";
    check(null, "{}", false, &format!("ExpressionAttributeValues {only}: {is_null}"));
    check("{}", "{}", true, "ExpressionAttributeNames must not be empty");
    let syntax = "contains invalid key: Syntax error; key: \"a\"";
    check(r#"{"a":"a"}"#, "{}", true, &format!("ExpressionAttributeNames {syntax}"));
    check(null, "{}", true, "ExpressionAttributeValues must not be empty");
    let values = r#"{":b":{"x":""},"a":{"S":"a"}}"#;
    check(null, values, true, &format!("ExpressionAttributeValues {syntax}"));
    check(
        null,
        r#"{":b":{}}"#,
        true,
        "ExpressionAttributeValues contains invalid value: Supplied AttributeValue is empty, must \
         contain exactly one of the supported datatypes for key :b",
    );
}

#[test]
fn key_conditions() {
    let check = |text: &str, wanted: &str| {
        let mut placeholders = placeholders(NAMES, VALUES);
        let condition = Condition::parse(Kind::KeyCondition, text, &mut placeholders);
        let got = match condition.and_then(|condition| KeyCondition::of(&condition)) {
            Ok(condition) => format!("{:?}", condition.test("a").map(|test| test.values().count())),
            Err(error) => error.to_string().replace("Invalid KeyConditionExpression: ", ""),
        };
        assert_eq!(got, wanted, "{text}");
    };
    check("a = :1", "Some(1)");
    check(":1 >= b AND (a between :1 and :2)", "Some(2)");
    check("begins_with(a, :he)", "Some(1)");
    for (text, operator) in [
        ("a > b and size(b) > c or a > c", "OR"),
        ("a in (b, size(c), d)", "IN"),
        ("attribute_exists(a)", "attribute_exists"),
        ("attribute_type(a, :l)", "attribute_type"),
        ("contains(a.d, b)", "contains"),
        ("not a > b", "NOT"),
        ("a <> b", "<>"),
    ] {
        check(text, &format!("Invalid operator used in KeyConditionExpression: {operator}"));
    }
    let condition = "Invalid condition in KeyConditionExpression";
    for (text, operator) in [
        (":1 between size(b) and size(a) and b > :1", "BETWEEN"),
        ("begins_with(:he, b) and a > :1", "begins_with"),
    ] {
        let why = "operator must have the key attribute as its first operand";
        check(text, &format!("{condition}: {operator} {why}"));
    }
    for text in ["size(b) > a AND a.b > b AND b > c", "a > size(b.d)", "a between size(b) and b"] {
        check(text, "KeyConditionExpressions cannot contain nested operations");
    }
    for text in ["b > a.b", "b between c[1] and d", "a between b and size(a)", "begins_with(a, b)"]
    {
        check(text, &format!("{condition}: Multiple attribute names used in one condition"));
    }
    for text in ["b.d > a AND c.d > e.f", "a.d > c", "b[0] > a"] {
        check(text, "KeyConditionExpressions cannot have conditions on nested attributes");
    }
    check(":1 > :2", &format!("{condition}: No key attribute specified"));
    let twice = "KeyConditionExpressions must only contain one condition per key";
    check("b > :1 AND b < :1 and c = :1 and d = :1", twice);
    check("(a > :1 and b > :1) and (b > :1 and c > :1)", twice);
    check(":1 = a and b = :1 and :1 = c", "Conditions can be of length 1 or 2 only");
}

/// Pieces of expressions, so that random texts get past the lexer.
const PIECES: &str = "(a|b\\[0\\]|\\.c|#a|#x|:1|:x| |,|\\(|\\)|=|<|<>| AND | OR |NOT | BETWEEN \
    | IN |size|begins_with|attribute_exists|contains|SET |REMOVE |ADD |DELETE |\\+|-\
    |if_not_exists|list_append|[0-9]|ü|#|:|status){0,24}";

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn no_text_makes_it_panic(text in prop_oneof![PIECES, "\\PC{0,40}"]) {
        let parse = || placeholders(NAMES, VALUES);
        if let Ok(condition) = Condition::parse(Kind::Filter, &text, &mut parse()) {
            condition.holds(&item(ITEM));
            let _either = KeyCondition::of(&condition);
        }
        if let Ok(update) = Update::parse(&text, &mut parse()) {
            let _either = update.apply(&item(ITEM));
        }
        if let Ok(projection) = Projection::parse(&text, &mut parse()) {
            projection.of(&item(ITEM));
        }
    }
}
