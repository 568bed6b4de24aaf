use proptest::prelude::*;

use super::*;
use crate::value::Value;

fn check(text: &str, wanted: &str) {
    let got = match Statement::parse(text, &[]) {
        Ok(statement) => format!("{statement:?}"),
        Err(fault) => fault.to_string(),
    };
    assert_eq!(got, wanted, "{text}");
}

const FORM: &str = "Statement wasn't well formed, can't be processed: ";

#[test]
fn what_cannot_be_read() {
    for (texts, why) in [
        (
            &[
                "SELECT * FROM t WHERE pk = 1 foo",
                "SELECT * FROM t WHERE pk = 1 e5",
                "INSERT INTO t VALUE {'pk': 1} foo",
                "INSERT INTO t s VALUE {'pk': 1}",
                "UPDATE t SET a = 9 WHERE pk = 1 foo",
                "DELETE FROM t WHERE pk = 1 foo",
                "DELETE FROM t WHERE pk = 1 ORDER BY pk",
                "SELECT * FROM t WHERE pk = 1)",
                "SELECT * FROM t ORDER BY pk WHERE pk = 1",
                "FROM t SET c = 1 WHERE pk = 'x'",
            ][..],
            "Unexpected token after expression",
        ),
        (
            &[
                "SELECT * FROM t WHERE pk = 1e2147483648",
                "SELECT * FROM t WHERE pk = 1.5e-2147483647",
                "SELECT * FROM t WHERE pk = 1 # note",
                "SELECT * FROM t WHERE pk = 1 /* note",
                "SELECT * FROM t WHERE pk = 'x",
            ],
            "",
        ),
        (
            &[
                "SELECT * FROM t WHERE",
                "SELECT * FROM t WHERE;",
                "UPDATE t SET a = 1 WHERE",
                "DELETE FROM t WHERE",
                "SELECT * FROM t WHERE NOT",
                "SELECT * FROM t WHERE (",
                "SELECT * FROM",
            ],
            "Unexpected term",
        ),
        (
            &["SELECT * FROM t WHERE pk = 'p' AND", "SELECT * FROM t WHERE pk = 'p' OR"],
            "Missing right-hand side expression of infix operator",
        ),
        (&["SELECT * FROM t WHERE ORDER BY pk"], "Unexpected keyword"),
        (
            &["SELECT * FROM t WHERE IS NULL", "SELECT * FROM t WHERE pk = LIKE"],
            "Unexpected operator",
        ),
        (&["SELECT * FROM t WHERE x IS FOO"], "Expected type name"),
        (
            &["DELETE FROM", "DELETE FROM;", "DELETE FROM WHERE pk = 'a'"],
            "Expected identifier for simple path",
        ),
        (&["SLECT * FROM t", "", "NOT A STATEMENT"], "Expected data manipulation"),
    ] {
        for text in texts {
            check(text, &format!("{FORM}{why}"));
        }
    }
}

#[test]
fn what_is_refused() {
    let path = "requires a document path; operator or function: attribute_exists";
    let count = "Incorrect number of operands for operator or function; operator or function";
    let kind = "Incorrect operand type for operator or function; operator or function";
    for (text, why) in [
        ("SELECT * FROM \"t\" t WHERE pk = 'x'", "Aliasing is not supported".to_owned()),
        ("SELECT * FROM t AS s", "Aliasing is not supported".into()),
        ("UPDATE t s SET a = 3 WHERE pk = 'x'", "Aliasing is not supported".into()),
        ("SELECT * FROM t WHERE attribute_exists('ss')", format!("Operator or function {path}")),
        ("SELECT * FROM t WHERE size()", format!("{count}: size, number of operands: 0")),
        (
            "SELECT * FROM t WHERE attribute_exists(a, b)",
            format!("{count}: attribute_exists, number of operands: 2"),
        ),
        ("SELECT size(a) FROM t", "Unexpected path component at 1:8:4".into()),
        ("SELECT * FROM t\n WHERE Foo(a)", "Unrecognized function: foo at 2:8:3".into()),
        ("SELECT * FROM t WHERE a < true", format!("{kind}: <, operand type: BOOL")),
        ("SELECT * FROM t WHERE a BETWEEN [1] AND 2", format!("{kind}: BETWEEN, operand type: L")),
        (
            "UPDATE t SET b = set_add(a, <<1>>) WHERE pk = 1",
            "The first argument to SET_ADD must equal the assignment value at 1:18:7".into(),
        ),
        (
            "UPDATE t SET a = set_add(a, 1) WHERE pk = 1",
            "The second argument to SET_ADD must be a value with type SET at 1:26:1".into(),
        ),
        (
            "UPDATE t SET a = SET_DELETE(a) WHERE pk = 1",
            "SET_DELETE must have exactly two arguments at 1:18:10".into(),
        ),
        ("UPDATE t SET a = <<>> WHERE pk = 1", "Empty bags are not supported".into()),
        (
            "UPDATE t SET a = <<'x', 'x'>> WHERE pk = 1",
            "One or more parameter values were invalid: Input collection [x, x] contains \
             duplicates."
                .into(),
        ),
        (
            "UPDATE t SET a = 1, a.b = 2 WHERE pk = 1",
            "Two document paths overlap with each other; must remove or rewrite one of these \
             paths; path one: [a], path two: [a, b]"
                .into(),
        ),
        (
            "INSERT INTO t VALUE {'pk': 1, 'm': {'x': 1e126}}",
            "Number overflow. Attempting to store a number with magnitude larger than supported \
             range under root.x"
                .into(),
        ),
        (
            "INSERT INTO t VALUE {'l': [1, 1e-131]}",
            "Number underflow. Attempting to store a number with magnitude smaller than supported \
             range under root[1]"
                .into(),
        ),
        (
            "DELETE FROM t WHERE pk = 1 RETURNING MODIFIED OLD *",
            "Invalid returning clause: RETURNING MODIFIED OLD *. Only RETURNING ALL OLD * is \
             allowed in DELETE statements."
                .into(),
        ),
        ("UPDATE t.i SET a = 1 WHERE pk = 1", "This operation is not supported on an index".into()),
        (
            "SELECT * FROM t WHERE pk = ?",
            "Number of parameters in request and statement don't match.".into(),
        ),
    ] {
        check(text, &why);
    }
}

#[test]
fn literals_of_all_types() {
    let text = "INSERT INTO \"a\"\"b\" VALUE {'s': 'it''s', 'n': -.5e1, 'b': ?, 'yes': TRUE, \
        'no': false, 'null': NULL, 'm': {'x': []}, 'l': [1, {}], 'ss': <<'a', 'b'>>, \
        'ns': <<1, 2>>, 'bs': <<?>>} -- a note";
    let bytes = Value::B(vec![1]);
    let statement = Statement::parse(text, &[bytes.clone(), bytes]).unwrap();
    let Statement::Insert { table, item } = statement else { panic!("{statement:?}") };
    assert_eq!(table, "a\"b");
    let json = serde_json::to_string(&item).unwrap();
    let wanted = r#"{"b":{"B":"AQ=="},"bs":{"BS":["AQ=="]},"l":{"L":[{"N":"1"},{"M":{}}]},"#
        .to_owned()
        + r#""m":{"M":{"x":{"L":[]}}},"n":{"N":"-5"},"no":{"BOOL":false},"ns":{"NS":["1","2"]},"#
        + r#""null":{"NULL":true},"s":{"S":"it's"},"ss":{"SS":["a","b"]},"yes":{"BOOL":true}}"#;
    assert_eq!(json, wanted);
}

#[test]
fn the_table_is_found_before_the_statement_is_read() {
    for (text, wanted) in [
        ("SELECT \"from\", b FROM \"orders\".\"by\" WHERE 1", Some("orders")),
        ("insert into orders value {", Some("orders")),
        ("UPDATE orders SET", Some("orders")),
        ("DELETE FROM orders", Some("orders")),
        ("FROM orders WHERE", Some("orders")),
        ("EXISTS(SELECT * FROM orders WHERE a = 'FROM x')", Some("orders")),
        ("SELECT", None),
    ] {
        assert_eq!(table(text).as_deref(), wanted, "{text}");
    }
}

#[test]
fn nesting_is_bounded() {
    for (open, close) in [("(", ")"), ("[", "]"), ("{'a':", "}"), ("size(", ")"), ("NOT ", "")] {
        let text =
            format!("SELECT * FROM t WHERE a = {}1{}", open.repeat(2_000), close.repeat(2_000));
        assert!(Statement::parse(&text, &[]).is_err());
    }
    let text = format!("UPDATE t SET a = {}1{} WHERE b = 1", "(".repeat(2_000), ")".repeat(2_000));
    assert!(Statement::parse(&text, &[]).is_err());
}

const PIECES: [&str; 44] = [
    "SELECT",
    "*",
    "FROM",
    "t",
    "\"t\"",
    ".",
    "WHERE",
    "pk",
    "=",
    "'x'",
    "?",
    "AND",
    "OR",
    "NOT",
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    "<<",
    ">>",
    ",",
    ":",
    "IS",
    "MISSING",
    "IN",
    "BETWEEN",
    "size(",
    "set_add(",
    "INSERT INTO",
    "VALUE",
    "UPDATE",
    "SET",
    "REMOVE",
    "DELETE",
    "RETURNING",
    "ALL OLD *",
    "EXISTS(",
    "-",
    "1.5e3",
    "'k':",
    "ORDER BY",
    "é",
];

proptest! {
    #[test]
    fn no_text_makes_it_panic(text in "\\PC{0,60}") {
        let _ = (Statement::parse(&text, &[Value::Null]), table(&text));
    }

    #[test]
    fn no_pieces_make_it_panic(pieces in proptest::collection::vec(0..PIECES.len(), 0..30)) {
        let text: Vec<&str> = pieces.into_iter().map(|piece| PIECES[piece]).collect();
        for joined in [text.join(" "), text.concat()] {
            let _ = (Statement::parse(&joined, &[Value::Null, Value::Bool(true)]), table(&joined));
        }
    }
}
