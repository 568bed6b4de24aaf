use proptest::prelude::*;
use serde_json::{Value, json};

use crate::Machine;

/// Executes a statement and compares: with the items, or with the text of an error.
async fn check(machine: &Machine, statement: &str, parameters: Value, wanted: Value) {
    let mut input = json!({ "Statement": statement });
    if parameters != json!([]) {
        input["Parameters"] = parameters;
    }
    let got = match machine.call("ExecuteStatement", input).await {
        Ok(reply) => reply["Items"].clone(),
        Err(error) => Value::String(error),
    };
    assert_eq!(got, wanted, "{statement}");
}

async fn run(machine: &Machine, statement: &str) -> Value {
    let input = json!({ "Statement": statement });
    machine.call("ExecuteStatement", input).await.unwrap()["Items"].clone()
}

fn s(text: &str) -> Value {
    json!({ "S": text })
}

fn n(number: i64) -> Value {
    json!({ "N": number.to_string() })
}

fn invalid(why: &str) -> Value {
    json!(format!("ValidationException: {why}"))
}

const FAILED: &str = "ConditionalCheckFailedException: The conditional request failed";

#[tokio::test]
async fn items_are_made_changed_and_removed() {
    let machine = Machine::with_tables("N").await;
    let none = json!([]);
    let make = "INSERT INTO \"hash\" VALUE {'a': 'x', 'n': 1, 'l': [1, 2], 'm': {'k': 'v'}}";
    check(&machine, make, json!([]), none.clone()).await;
    let twice = json!("DuplicateItemException: Duplicate primary key exists in table");
    check(&machine, make, json!([]), twice).await;
    for (statement, wanted) in [
        ("UPDATE hash SET n = n + 1 SET z = 1 WHERE a = 'x'", none.clone()),
        (
            "UPDATE hash SET l[0] = 5, m.k = 'w' REMOVE z WHERE a = 'x' RETURNING MODIFIED NEW *",
            json!([{ "l": { "L": [n(5)] }, "m": { "M": { "k": s("w") } } }]),
        ),
        ("UPDATE hash REMOVE nope WHERE a = 'x' RETURNING MODIFIED OLD *", none.clone()),
        (
            "UPDATE hash SET l = list_append(l, [3]) WHERE a = 'x' AND n = 2 RETURNING ALL OLD *",
            json!([{ "a": s("x"), "n": n(2), "l": { "L": [n(5), n(2)] },
                "m": { "M": { "k": s("w") } } }]),
        ),
        ("FROM hash WHERE a = 'x' SET s = set_add(s, <<'p', 'q'>>)", none.clone()),
        ("UPDATE hash SET s = set_delete(s, <<'p'>>) REMOVE l, m WHERE a = 'x'", none.clone()),
        (
            "SELECT * FROM hash WHERE a = 'x'",
            json!([{ "a": s("x"), "n": n(2), "s": { "SS": ["q"] } }]),
        ),
        ("UPDATE hash SET n = 9 WHERE a = 'x' AND n = 1", json!(FAILED)),
        // An UPDATE makes no item, and a DELETE of none looks at no condition.
        ("UPDATE hash SET n = 9 WHERE a = 'y'", json!(FAILED)),
        ("UPDATE hash SET n = 9 WHERE a = 'y' AND attribute_not_exists(a)", json!(FAILED)),
        ("DELETE FROM hash WHERE a = 'y' AND n = 1 RETURNING ALL OLD *", none.clone()),
        ("DELETE FROM hash WHERE a = 'x' AND n = 1", json!(FAILED)),
        (
            "DELETE FROM hash WHERE a = 'x' AND NOT n = 1 RETURNING ALL OLD *",
            json!([{ "a": s("x"), "n": n(2), "s": { "SS": ["q"] } }]),
        ),
        ("SELECT * FROM hash", none.clone()),
        ("UPDATE hash SET q[0] = 1 WHERE a = 'x'", json!(FAILED)),
    ] {
        check(&machine, statement, json!([]), wanted).await;
    }
    let make = "INSERT INTO \"range\" VALUE {'a': ?, 'b': ?, 'c': ?}";
    check(&machine, make, json!([s("x"), n(1), { "B": "AQ==" }]), none.clone()).await;
    let mut input =
        json!({ "Statement": "UPDATE range SET c = 1 WHERE a = 'x' AND b = 1 AND c = 2" });
    input["ReturnValuesOnConditionCheckFailure"] = json!("ALL_OLD");
    let item = json!({ "Item": { "a": s("x"), "b": n(1), "c": { "B": "AQ==" } } });
    machine.check("ExecuteStatement", input, json!(format!("{FAILED} {item}"))).await;
}

#[tokio::test]
async fn what_cannot_be_done_is_refused() {
    let machine = Machine::with_tables("N").await;
    machine.put("range", json!({ "a": s("x"), "b": n(1) })).await;
    let keys = "Where clause does not contain a mandatory equality on all key attributes";
    for (statement, wanted) in [
        ("DELETE FROM \"range\" WHERE a = 'x'", invalid(keys)),
        ("UPDATE \"range\" SET c = 1", invalid(keys)),
        ("UPDATE \"range\" SET c = 1 WHERE a = 'x' OR b = 1", invalid(keys)),
        ("FROM \"range\" SET c = 1", invalid(keys)),
        (
            "UPDATE \"range\" SET b = 2 WHERE a = 'x' AND b = 1",
            invalid(
                "One or more parameter values were invalid: Cannot update attribute b. This \
                 attribute is part of the key",
            ),
        ),
        (
            "UPDATE \"range\" SET c[0] = 2 WHERE a = 'x' AND b = 1",
            invalid("The document path provided in the update expression is invalid for update"),
        ),
        (
            "INSERT INTO \"range\" VALUE {'a': 'x'}",
            invalid("One or more parameter values were invalid: Missing the key b in the item"),
        ),
        (
            "DELETE FROM \"range\" WHERE a = 1 AND b = 1",
            invalid("The provided key element does not match the schema"),
        ),
        ("SELECT * FROM nope", json!("ResourceNotFoundException: Requested resource not found")),
        (
            "SELECT * FROM \"range\".\"idx\"",
            invalid("The table does not have the specified index: idx"),
        ),
        (
            "EXISTS(SELECT * FROM \"range\" WHERE a = 'x' AND b = 1 AND c = 1)",
            invalid("EXISTS can only be used in ExecuteTransaction write requests."),
        ),
        (
            "SELECT * FROM \"range\" ORDER BY b",
            invalid("Must have WHERE clause in the statement when using ORDER BY clause."),
        ),
        (
            "SELECT * FROM \"range\" WHERE b > 1 ORDER BY b",
            invalid(
                "Must have at least one non-optional hash key condition in WHERE clause when \
                 using ORDER BY clause.",
            ),
        ),
        (
            "SELECT * FROM \"range\" WHERE a = 'x' ORDER BY c",
            invalid("Variable reference c in ORDER BY clause must be part of the primary key"),
        ),
    ] {
        check(&machine, statement, json!([]), wanted).await;
    }
}

#[tokio::test]
async fn requests_are_as_the_model_has_them() {
    let machine = Machine::with_tables("N").await;
    for (input, at, value, must) in [
        (
            json!({ "Statement": "SELECT * FROM hash", "Parameters": [] }),
            "parameters",
            "'[]'",
            "have length greater than or equal to 1",
        ),
        (json!({ "Statement": "" }), "statement", "''", "have length greater than or equal to 1"),
        (json!({}), "statement", "null", "not be null"),
        (
            json!({ "Statement": "SELECT * FROM hash", "Limit": 0 }),
            "limit",
            "'0'",
            "have value greater than or equal to 1",
        ),
    ] {
        let wanted = format!(
            "1 validation error detected: Value {value} at '{at}' failed to satisfy constraint: \
             Member must {must}"
        );
        machine.check_invalid("ExecuteStatement", input, &wanted).await;
    }
}

/// Items with the keys x1 to x3, y1 to y3.
async fn six(machine: &Machine) {
    for (a, b) in [("x", 1), ("x", 2), ("x", 3), ("y", 1), ("y", 2), ("y", 3)] {
        let item = json!({ "a": s(a), "b": n(b), "c": n(b * 10), "t": s(&format!("{a}{b}")),
            "m": { "M": { "l": { "L": [n(b), { "M": { "d": s("deep") } }] } } } });
        machine.put("range", item).await;
    }
}

async fn found(machine: &Machine, condition: &str) -> String {
    let items = run(machine, &format!("SELECT t FROM \"range\" WHERE {condition}")).await;
    let names = items.as_array().unwrap().iter().map(|item| item["t"]["S"].as_str().unwrap());
    names.collect::<Vec<_>>().join(" ")
}

#[tokio::test]
async fn conditions_find_items() {
    let machine = Machine::with_tables("N").await;
    six(&machine).await;
    for (condition, wanted) in [
        ("a = 'x'", "x1 x2 x3"),
        ("a = 'x' AND b > 1", "x2 x3"),
        ("a = 'x' AND b BETWEEN 1 AND 2", "x1 x2"),
        ("a = 'x' AND NOT b = 1 AND c < 30", "x2"),
        ("a = 'x' AND b <> 2", "x1 x3"),
        ("a = 'x' ORDER BY b DESC", "x3 x2 x1"),
        ("a IN ['y', 'x'] AND b = 2", "y2 x2"),
        ("a IN ('y', 'x') ORDER BY a, b DESC", "x3 x2 x1 y3 y2 y1"),
        ("a = 'x' AND b = 1 OR a = 'y' AND b = 3", "x1 y3"),
        ("a = 'y' AND (b = 1 OR b = 3)", "y1 y3"),
        ("a = 'y' AND c IN [10, 30]", "y1 y3"),
        ("a = 'y' AND c NOT IN [10, 30]", "y2"),
        ("a = 'y' AND begins_with(t, 'y1')", "y1"),
        ("a = 'y' AND Contains(t, '2')", "y2"),
        ("a = 'y' AND size(t) = 2 AND attribute_type(c, 'N') AND b = 1", "y1"),
        ("a = 'y' AND attribute_exists(c) = true AND b = 1", "y1"),
        ("a = 'y' AND q IS MISSING AND c IS NOT MISSING AND c IS NUMERIC AND b = 1", "y1"),
        ("a = 'y' AND c IS NULL", ""),
        ("a = 'y' AND m.l[0] = 2 AND m['l'][1].d = 'deep'", "y2"),
        ("a = 'y' AND 2 = b", "y2"),
    ] {
        assert_eq!(found(&machine, condition).await, wanted, "{condition}");
    }
    // A scan's order is that of digests.
    let mut all =
        found(&machine, "c = 10 OR c = 30").await.split(' ').map(str::to_owned).collect::<Vec<_>>();
    all.sort();
    assert_eq!(all, ["x1", "x3", "y1", "y3"]);
    let items =
        run(&machine, "SELECT m.l[0], m.l[1].d, a FROM \"range\" WHERE a = 'x' AND b = 3").await;
    assert_eq!(items, json!([{ "l[0]": n(3), "d": s("deep"), "a": s("x") }]));
}

#[tokio::test]
async fn pages_go_on_where_they_ended() {
    let machine = Machine::with_tables("N").await;
    six(&machine).await;
    for statement in [
        "SELECT t FROM \"range\"",
        "SELECT t FROM \"range\" WHERE a IN ['x', 'y']",
        "SELECT t FROM \"range\" WHERE a IN ['x', 'y'] ORDER BY a DESC, b DESC",
    ] {
        let all = run(&machine, statement).await;
        assert_eq!(all.as_array().unwrap().len(), 6);
        for limit in 1..7 {
            let mut input = json!({ "Statement": statement, "Limit": limit });
            let mut paged = Vec::new();
            loop {
                let page = machine.call("ExecuteStatement", input.clone()).await.unwrap();
                let items = page["Items"].as_array().unwrap();
                assert!(items.len() <= limit && paged.len() <= 6, "{statement} {limit}");
                paged.extend(items.clone());
                match page.get("NextToken") {
                    Some(token) => input["NextToken"] = token.clone(),
                    None => break,
                }
            }
            assert_eq!(Value::Array(paged), all, "{statement} {limit}");
        }
    }
    let input = json!({ "Statement": "SELECT * FROM \"range\"", "Limit": 1 });
    let token = machine.call("ExecuteStatement", input).await.unwrap()["NextToken"].clone();
    for (statement, token) in
        [("SELECT a FROM \"range\"", token), ("SELECT * FROM \"range\"", json!("AAAA"))]
    {
        let input = json!({ "Statement": statement, "NextToken": token });
        machine.check_invalid("ExecuteStatement", input, "The NextToken provided is invalid").await;
    }
}

#[tokio::test]
async fn statements_cost_capacity() {
    let machine = Machine::with_tables("N").await;
    let used = |statement: &str, consistent: bool| {
        json!({ "Statement": statement, "ReturnConsumedCapacity": "TOTAL",
            "ConsistentRead": consistent })
    };
    for (statement, consistent, units) in [
        ("INSERT INTO hash VALUE {'a': 'x'}", false, 1.0),
        ("SELECT * FROM hash WHERE a = 'x'", false, 0.5),
        ("SELECT * FROM hash WHERE a = 'x'", true, 1.0),
        ("SELECT * FROM hash WHERE a IN ['x', 'y']", true, 2.0),
        ("DELETE FROM hash WHERE a = 'x'", false, 1.0),
    ] {
        let reply = machine.call("ExecuteStatement", used(statement, consistent)).await.unwrap();
        let wanted = json!({ "TableName": "hash", "CapacityUnits": units });
        assert_eq!(reply["ConsumedCapacity"], wanted, "{statement}");
    }
}

#[tokio::test]
async fn batches_answer_statement_by_statement() {
    let machine = Machine::with_tables("N").await;
    let batch = |all: &[&str]| {
        let all = all.iter().map(|each| json!({ "Statement": each })).collect::<Vec<_>>();
        json!({ "Statements": all, "ReturnConsumedCapacity": "TOTAL" })
    };
    let error =
        |code: &str, message: &str| json!({ "Error": { "Code": code, "Message": message } });
    let table = json!({ "TableName": "hash" });
    let input = batch(&[
        "INSERT INTO hash VALUE {'a': 'x', 'n': 1}",
        "INSERT INTO hash VALUE {'a': 'x'}",
        "UPDATE hash SET n = 2 WHERE a = 'x' RETURNING ALL NEW *",
        "UPDATE hash SET n = 2 WHERE a = 'y'",
        "UPDATE nope SET n = 2 WHERE a = 'x'",
        "DELETE hash",
        "UPDATE hash SET n = ? WHERE a = 'x'",
    ]);
    let reply = machine.call("BatchExecuteStatement", input).await.unwrap();
    let item = json!({ "a": s("x"), "n": n(2) });
    let wanted = json!([
        table,
        error("DuplicateItem", "Duplicate primary key exists in table"),
        { "TableName": "hash", "Item": item },
        error("ConditionalCheckFailed", "The conditional request failed"),
        error("ResourceNotFound", "Requested resource not found"),
        error(
            "ValidationError",
            "Statement wasn't well formed, can't be processed: Unexpected term"
        ),
        error("ValidationError", "Number of parameters in request and statement don't match."),
    ]);
    assert_eq!(reply["Responses"], wanted);
    assert_eq!(reply["ConsumedCapacity"].as_array().unwrap().len(), 2);

    let key = "Select statements within BatchExecuteStatement must specify the primary key in the \
               where clause.";
    let input = batch(&[
        "SELECT n FROM hash WHERE a = 'x'",
        "SELECT * FROM hash WHERE a = 'y'",
        "SELECT * FROM hash WHERE n = 2",
        "SELECT * FROM hash WHERE a = 'x' AND n = 2",
    ]);
    let reply = machine.call("BatchExecuteStatement", input).await.unwrap();
    let wanted = json!([
        { "TableName": "hash", "Item": { "n": n(2) } },
        table,
        error("ValidationError", key),
        error("ValidationError", key),
    ]);
    assert_eq!(reply["Responses"], wanted);
    let mixed = batch(&["SELECT * FROM hash WHERE a = 'x'", "DELETE FROM hash WHERE a = 'x'"]);
    let wanted = "BatchExecuteStatement API does not support both read and write operations in the \
                  same request.";
    machine.check_invalid("BatchExecuteStatement", mixed, wanted).await;
    let many = batch(&["SELECT * FROM hash WHERE a = 'x'"; 26]);
    let wanted = "1 validation error detected: Value '[...]' at 'statements' failed to satisfy \
                  constraint: Member must have length less than or equal to 25";
    machine.check_invalid("BatchExecuteStatement", many, wanted).await;
}

fn all(statements: &[&str]) -> Value {
    let all = statements.iter().map(|each| json!({ "Statement": each })).collect::<Vec<_>>();
    json!({ "TransactStatements": all })
}

#[tokio::test]
async fn transactions_of_statements() {
    let machine = Machine::with_tables("N").await;
    let nothing = json!({ "Responses": [] });
    let mut input = all(&[
        "INSERT INTO hash VALUE {'a': 'x', 'n': 1}",
        "INSERT INTO \"range\" VALUE {'a': 'x', 'b': 1}",
    ]);
    input["ClientRequestToken"] = json!("token");
    machine.check("ExecuteTransaction", input.clone(), nothing.clone()).await;
    machine.check("ExecuteTransaction", input.clone(), nothing.clone()).await;
    input["TransactStatements"][0]["Statement"] = json!("DELETE FROM hash WHERE a = 'x'");
    let mismatch = json!(
        "IdempotentParameterMismatchException: The request token was used before with other \
         parameters"
    );
    machine.check("ExecuteTransaction", input, mismatch).await;

    let input = all(&[
        "EXISTS(SELECT * FROM hash WHERE a = 'x' AND n = 2)",
        "INSERT INTO hash VALUE {'a': 'new'}",
        "INSERT INTO \"range\" VALUE {'a': 'x', 'b': 1}",
    ]);
    let reasons = json!({ "CancellationReasons": [
        { "Code": "ConditionalCheckFailed", "Message": "The conditional request failed" },
        { "Code": "None" },
        { "Code": "DuplicateItem", "Message": "Duplicate primary key exists in table" },
    ]});
    let wanted = json!(format!(
        "TransactionCanceledException: Transaction cancelled, please refer cancellation reasons \
         for specific reasons [ConditionalCheckFailed, None, DuplicateItem] {reasons}"
    ));
    machine.check("ExecuteTransaction", input, wanted).await;

    let input = all(&[
        "EXISTS(SELECT * FROM hash WHERE a = 'x' AND n = 1)",
        "UPDATE \"range\" SET c = 1 WHERE a = 'x' AND b = 1",
    ]);
    machine.check("ExecuteTransaction", input, nothing).await;
    let input = all(&[
        "SELECT c FROM \"range\" WHERE a = 'x' AND b = 1",
        "SELECT * FROM hash WHERE a = 'new'",
    ]);
    let wanted = json!({ "Responses": [{ "Item": { "c": n(1) } }, {}] });
    machine.check("ExecuteTransaction", input, wanted).await;
}

#[tokio::test]
async fn what_is_no_part_of_a_transaction_is_refused() {
    let machine = Machine::with_tables("N").await;
    let first = |why: &str| format!("Validation failed in TransactStatements[0]: {why}");
    let key = "Select statements within ExecuteTransaction must specify the primary key in the \
               where clause.";
    for (statements, wanted) in [
        (
            &["SELECT * FROM hash WHERE"][..],
            first("Statement wasn't well formed, can't be processed: Unexpected term"),
        ),
        (&["SELECT * FROM hash"], first(key)),
        (
            &["DELETE FROM hash WHERE a = 'x' RETURNING ALL OLD *"],
            first("RETURNING clause is not supported in ExecuteTransaction."),
        ),
        (
            &["EXISTS(SELECT * FROM hash WHERE a = 'x')"],
            first("EXISTS() must contain a single item read with additional condition"),
        ),
        (
            &["SELECT * FROM hash WHERE a = 'x'", "DELETE FROM hash WHERE a = 'y'"],
            "ExecuteTransaction API does not support both read and write operations in the same \
             request."
                .into(),
        ),
        (
            &["DELETE FROM hash WHERE a = 'x'", "UPDATE hash SET n = 1 WHERE a = 'x'"],
            "Transaction request cannot include multiple operations on one item".into(),
        ),
    ] {
        machine.check_invalid("ExecuteTransaction", all(statements), &wanted).await;
    }
}

/// Conditions on the keys `a` and `b` and on `c`.
fn condition() -> impl Strategy<Value = String> {
    let letter = || prop_oneof![Just("'x'"), Just("'y'"), Just("'z'")];
    let comparator = prop_oneof![Just("="), Just("<>"), Just("<"), Just(">="), Just(">")];
    let number = (prop_oneof![Just("b"), Just("c")], comparator, 0..40);
    let leaf = prop_oneof![
        letter().prop_map(|letter| format!("a = {letter}")),
        (letter(), letter()).prop_map(|(one, two)| format!("a IN [{one}, {two}]")),
        number.prop_map(|(name, comparator, number)| format!("{name} {comparator} {number}")),
        (0..4, 0..4).prop_map(|(low, high)| format!("b BETWEEN {low} AND {high}")),
        (1..4).prop_map(|number| format!("{number} = b")),
    ];
    leaf.prop_recursive(4, 16, 3, |inner| {
        let all = || proptest::collection::vec(inner.clone(), 2..4);
        prop_oneof![
            all().prop_map(|all| format!("({})", all.join(" AND "))),
            all().prop_map(|all| format!("({})", all.join(" OR "))),
            inner.clone().prop_map(|one| format!("NOT ({one})")),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    /// What a condition says of keys saves work and changes nothing: with an alternative that says
    /// nothing of them, and that no item has, all items are looked at.
    #[test]
    fn keys_change_no_result(condition in condition()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let machine = Machine::with_tables("N").await;
            six(&machine).await;
            let sorted = |found: String| {
                let mut names: Vec<String> = found.split(' ').map(str::to_owned).collect();
                names.sort();
                names
            };
            let by_keys = sorted(found(&machine, &condition).await);
            let by_scan = sorted(found(&machine, &format!("{condition} OR nope = 1")).await);
            assert_eq!(by_keys, by_scan, "{condition}");
        });
    }
}
