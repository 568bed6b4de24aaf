use super::*;
use crate::expression::condition::tests::{item, placeholders};

const ITEM: &str = r#"{
    "n":{"N":"1"}, "o":{"N":"10"}, "s":{"S":"x"}, "l":{"L":[{"S":"a"},{"S":"b"}]},
    "m":{"M":{"x":{"N":"1"}}}, "ss":{"SS":["a","b"]}
}"#;
const NAMES: &str = r##"{"#c":"c","#i":"[3]","#1":"1"}"##;
const VALUES: &str = r#"{
    ":2":{"N":"2"}, ":list":{"L":[{"S":"z"}]}, ":set":{"SS":["b","c"]}, ":all":{"SS":["a","b"]},
    ":ns":{"NS":["1"]}, ":s":{"S":"a"}, ":null":{"NULL":true}, ":m":{"M":{}}, ":b":{"B":"YQ=="}
}"#;

/// What is different after the update, or the fault.
fn check(text: &str, wanted: &str) {
    let mut placeholders = placeholders(NAMES, VALUES);
    let old = item(ITEM);
    let got = match Update::parse(text, &mut placeholders) {
        Ok(update) => match update.apply(&old) {
            Ok(new) => {
                let gone = old.keys().filter(|name| !new.contains_key(*name));
                let gone: String = gone.map(|name| format!("-{name}")).collect();
                let changed: Item =
                    new.into_iter().filter(|(name, value)| old.get(name) != Some(value)).collect();
                format!("{}{gone}", serde_json::to_string(&changed).unwrap())
            }
            Err(fault) => fault.to_string(),
        },
        Err(error) => error.to_string(),
    };
    assert_eq!(got, wanted, "{text}");
}

#[test]
fn updates_change_items() {
    for (text, wanted) in [
        ("SET n = n + :2", r#"{"n":{"N":"3"}}"#),
        ("set n = :2 - n", "{}"),
        ("SET n = ((n) + (:2))", r#"{"n":{"N":"3"}}"#),
        ("SET f = if_not_exists(f, :2), n = if_not_exists(n, :2)", r#"{"f":{"N":"2"}}"#),
        ("SET f = if_not_exists(f, if_not_exists(g, o)) + n", r#"{"f":{"N":"11"}}"#),
        ("SET l = list_append(l, :list)", r#"{"l":{"L":[{"S":"a"},{"S":"b"},{"S":"z"}]}}"#),
        ("SET l = list_append(:list, l)", r#"{"l":{"L":[{"S":"z"},{"S":"a"},{"S":"b"}]}}"#),
        ("SET l[0] = :2", r#"{"l":{"L":[{"N":"2"},{"S":"b"}]}}"#),
        ("SET l[9] = :2, l[7] = :s", r#"{"l":{"L":[{"S":"a"},{"S":"b"},{"S":"a"},{"N":"2"}]}}"#),
        ("SET l[1] = :2 REMOVE l[0]", r#"{"l":{"L":[{"N":"2"}]}}"#),
        ("SET m.x = :2, m.y = :s", r#"{"m":{"M":{"x":{"N":"2"},"y":{"S":"a"}}}}"#),
        ("SET n = o, o = n", r#"{"n":{"N":"10"},"o":{"N":"1"}}"#),
        ("REMOVE n", "{}-n"),
        ("REMOVE l[0], l[1], l[5]", r#"{"l":{"L":[]}}"#),
        ("REMOVE m.x, o, absent, m.absent", r#"{"m":{"M":{}}}-o"#),
        ("ADD n :2, f :2, m.x :2", r#"{"f":{"N":"2"},"m":{"M":{"x":{"N":"3"}}},"n":{"N":"3"}}"#),
        ("ADD ss :set, fresh :set", r#"{"fresh":{"SS":["b","c"]},"ss":{"SS":["a","b","c"]}}"#),
        ("DELETE ss :set, absent :set", r#"{"ss":{"SS":["a"]}}"#),
        ("DELETE ss :all", "{}-ss"),
        (
            "SET n = :2 REMOVE l ADD o :2 DELETE ss :set",
            r#"{"n":{"N":"2"},"o":{"N":"12"},"ss":{"SS":["a"]}}-l"#,
        ),
    ] {
        check(text, wanted);
    }
}

#[test]
fn items_can_make_it_fail() {
    for text in ["set c = absent", "set c = list_append(l, absent)", "set c = m.absent + n"] {
        check(
            text,
            "The provided expression refers to an attribute that does not exist in the item",
        );
    }
    for text in [
        "set s.a = :s",
        "set s[1] = :s",
        "set absent.a = :s",
        "set m[1] = :s",
        "set l.#1 = :s",
        "remove s.a set #1 = :s",
        "remove absent[1] set #1 = :s",
        "remove l.#1",
        "delete s.a :set",
        "add l.#1 :set",
    ] {
        check(text, "The document path provided in the update expression is invalid for update");
    }
    for text in [
        "delete ss :ns",
        "delete n :ns",
        "add m :ns",
        "add ss :2",
        "set c = s + :2",
        "set c = list_append(n, :list)",
    ] {
        check(text, "An operand in the update expression has an incorrect data type");
    }
}

fn invalid(why: &str) -> String {
    format!("Invalid UpdateExpression: {why}")
}

#[test]
fn syntax_errors_are_found() {
    for text in [
        "whatever",
        "set a",
        "add a",
        "set a=set",
        "remove a = b",
        "delete a b",
        "add abort b",
        "set :a = b",
        "remove :a",
        "set a = b / c",
        "set a[1] = \"eight\"",
        "SET a = if_not_exist(a, 100)",
        "SET if_not_exist(a, b) = a",
        "set (a = (b + c))",
        "set a = (b.c).d + e",
        "set a = b + c + d",
        "set a = b,",
    ] {
        let mut placeholders = placeholders(NAMES, VALUES);
        let error = Update::parse(text, &mut placeholders).unwrap_err().to_string();
        assert!(error.starts_with(&invalid("Syntax error; ")), "{text}: {error}");
    }
    check("", &invalid("The expression can not be empty;"));
}

#[test]
fn names_and_sections_are_checked() {
    let reserved = "Attribute name is a reserved keyword; reserved keyword: ";
    check(" set #x = :x set abOrt = true ", &invalid(&format!("{reserved}abOrt")));
    check(
        "set #x = if_not_exist(:x) set c = d",
        &invalid("Invalid function name; function: if_not_exist"),
    );
    for (text, section) in
        [("set a = #x set c = :x", "SET"), ("remove #x add a :x remove e", "REMOVE")]
    {
        let why =
            format!("The \"{section}\" section can only be used once in an update expression;");
        check(text, &invalid(&why));
    }
    for (text, what, one, two) in [
        (
            "set d[1] = a, d.b = a, c[1].a = a, #c = if_not_exists(a)",
            "overlap",
            "[c, [1], a]",
            "[c]",
        ),
        ("set #c[3].#i = a, #c[3] = a", "overlap", "[c, [3], [3]]", "[c, [3]]"),
        (
            "set #c[3].#i = a, #c.#i[3] = if_not_exists(a)",
            "conflict",
            "[c, [3], [3]]",
            "[c, [3], [3]]",
        ),
        ("remove a.#c set a[1] = #i", "conflict", "[a, c]", "[a, [1]]"),
    ] {
        let why = format!(
            "Two document paths {what} with each other; must remove or rewrite one of these \
             paths; path one: {one}, path two: {two}"
        );
        check(text, &invalid(&why));
    }
}

#[test]
fn operands_are_checked() {
    let kinds = "Incorrect operand type for operator or function; operator";
    for (text, clause, kind) in [
        ("set b = list_append(:s, a), c = if_not_exists(a) add a.b :s", "ADD", "STRING"),
        ("delete a.b :null", "DELETE", "NULL"),
        ("add a.b :m", "ADD", "MAP"),
        ("delete a.b :2", "DELETE", "NUMBER"),
    ] {
        check(text, &invalid(&format!("{kinds}: {clause}, operand type: {kind}")));
    }
    for (text, function, kind) in [
        ("set a = list_append(:s, a)", "list_append", "S"),
        ("set a = list_append(a, :2)", "list_append", "N"),
        ("set a = a + :s", "+", "S"),
        ("set a = :b - a", "-", "B"),
    ] {
        check(text, &invalid(&format!("{kinds} or function: {function}, operand type: {kind}")));
    }
    check(
        "set a = if_not_exists(c)",
        &invalid(
            "Incorrect number of operands for operator or function; operator or function: \
             if_not_exists, number of operands: 1",
        ),
    );
    check(
        "set a = if_not_exists(if_not_exists(a, b), c)",
        &invalid(
            "Operator or function requires a document path; operator or function: if_not_exists",
        ),
    );
}

#[test]
fn an_item_cannot_grow_without_bound() {
    let big = "x".repeat(100 * 1024);
    let old = item(&format!(r#"{{"l":{{"L":[{{"S":"{big}"}}]}}}}"#));
    let text = "SET a = list_append(l, list_append(l, list_append(l, list_append(l, l))))";
    let update = Update::parse(text, &mut Placeholders::default()).unwrap();
    assert_eq!(update.apply(&old), Err(UpdateFault::Size));
}
