use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use crate::Machine;

fn key(id: &str) -> Value {
    json!({ "a": { "S": id } })
}

fn put(id: &str, n: i64) -> Value {
    let item = json!({ "a": { "S": id }, "n": { "N": n.to_string() } });
    json!({ "Put": { "TableName": "hash", "Item": item } })
}

fn add(id: &str, n: i64) -> Value {
    json!({ "Update": {
        "TableName": "hash",
        "Key": key(id),
        "UpdateExpression": "ADD n :n",
        "ExpressionAttributeValues": { ":n": { "N": n.to_string() } },
    }})
}

fn check(id: &str, condition: &str) -> Value {
    json!({ "ConditionCheck":
        { "TableName": "hash", "Key": key(id), "ConditionExpression": condition } })
}

fn get(id: &str) -> Value {
    json!({ "Get": { "TableName": "hash", "Key": key(id) } })
}

/// A transaction of these items.
pub(crate) fn all(items: Value) -> Value {
    json!({ "TransactItems": items })
}

fn canceled(codes: &str, reasons: Value) -> Value {
    let reasons = json!({ "CancellationReasons": reasons });
    json!(format!(
        "TransactionCanceledException: Transaction cancelled, please refer cancellation reasons \
         for specific reasons [{codes}] {reasons}"
    ))
}

async fn n(machine: &Machine, id: &str) -> Value {
    machine.get("hash", key(id)).await["n"]["N"].clone()
}

#[tokio::test]
async fn all_kinds_of_actions_are_done_together() {
    let machine = Machine::with_tables("S").await;
    for id in ["updated", "deleted", "checked"] {
        machine.put("hash", json!({ "a": { "S": id }, "n": { "N": "1" } })).await;
    }
    let sorted = json!({ "Put": {
        "TableName": "arn:aws:dynamodb:us-east-1:000000000000:table/range",
        "Item": { "a": { "S": "x" }, "b": { "S": "y" } },
    }});
    let delete = json!({ "Delete": { "TableName": "hash", "Key": key("deleted") } });
    let mut input = all(json!([
        put("new", 7),
        add("updated", 2),
        delete,
        check("checked", "attribute_exists(n)"),
        sorted,
    ]));
    input["ReturnConsumedCapacity"] = json!("TOTAL");
    let capacity = |table: &str, units: f64| json!({ "TableName": table, "CapacityUnits": units, "WriteCapacityUnits": units });
    let wanted = json!({ "ConsumedCapacity": [capacity("hash", 8.0), capacity("range", 2.0)] });
    machine.check("TransactWriteItems", input, wanted).await;
    assert_eq!(n(&machine, "new").await, "7");
    assert_eq!(n(&machine, "updated").await, "3");
    assert_eq!(n(&machine, "checked").await, "1");
    assert_eq!(machine.get("hash", key("deleted")).await, Value::Null);
    let item = machine.get("range", json!({ "a": { "S": "x" }, "b": { "S": "y" } })).await;
    assert_eq!(item["b"]["S"], "y");
}

#[tokio::test]
async fn one_failure_undoes_all_and_each_says_why() {
    let machine = Machine::with_tables("S").await;
    machine.put("hash", json!({ "a": { "S": "old" }, "n": { "S": "text" } })).await;
    let failed = json!({
        "Code": "ConditionalCheckFailed", "Message": "The conditional request failed",
    });
    let mut told = failed.clone();
    told["Item"] = json!({ "a": { "S": "old" }, "n": { "S": "text" } });
    let none = json!({ "Code": "None" });
    let invalid = |why: &str| json!({ "Code": "ValidationError", "Message": why });

    let mut tells = check("old", "attribute_not_exists(a)");
    tells["ConditionCheck"]["ReturnValuesOnConditionCheckFailure"] = json!("ALL_OLD");
    let items = json!([put("new", 1), tells, check("absent", "attribute_exists(a)")]);
    let wanted = canceled(
        "None, ConditionalCheckFailed, ConditionalCheckFailed",
        json!([none, told, failed]),
    );
    machine.check("TransactWriteItems", all(items), wanted).await;
    assert_eq!(machine.get("hash", key("new")).await, Value::Null);

    let operand = invalid("An operand in the update expression has an incorrect data type");
    let wanted = canceled("ValidationError, None", json!([operand, none]));
    let items = json!([add("old", 1), put("new", 1)]);
    machine.check("TransactWriteItems", all(items), wanted).await;

    // What only the table can tell cancels the transaction, too.
    let mismatch = invalid("The provided key element does not match the schema");
    let kind = invalid(
        "One or more parameter values were invalid: Type mismatch for key a expected: S actual: N",
    );
    let part_of_key = invalid(
        "One or more parameter values were invalid: Cannot update attribute a. This attribute is \
         part of the key",
    );
    let numbered = json!({ "a": { "N": "1" } });
    let update = json!({ "Update": { "TableName": "hash", "Key": key("old"),
        "UpdateExpression": "REMOVE a" } });
    let items = json!([
        put("new", 1),
        { "Delete": { "TableName": "hash", "Key": numbered } },
        { "Put": { "TableName": "hash", "Item": numbered } },
        update,
    ]);
    let wanted = canceled(
        "None, ValidationError, ValidationError, ValidationError",
        json!([none, mismatch, kind, part_of_key]),
    );
    machine.check("TransactWriteItems", all(items), wanted).await;
    assert_eq!(machine.get("hash", key("new")).await, Value::Null);

    let items = json!([get("old"), { "Get": { "TableName": "hash", "Key": {} } }]);
    let wanted = canceled("None, ValidationError", json!([none, mismatch]));
    machine.check("TransactGetItems", all(items), wanted).await;
}

#[tokio::test]
async fn requests_are_as_the_model_has_them() {
    let machine = Machine::with_tables("S").await;
    let many = (0..101).map(|id| put(&id.to_string(), 1)).collect::<Value>();
    let unnamed = json!({ "Put": { "Item": key("x") } });
    let constant = json!({ "Update": { "TableName": "hash", "Key": key("x") } });
    for (items, value, at, must) in [
        (json!([]), "'[]'", "", "have length greater than or equal to 1"),
        (many, "'[...]'", "", "have length less than or equal to 100"),
        (json!([put("y", 1), unnamed]), "null", ".2.member.put.tableName", "not be null"),
        (
            json!([{ "Delete": { "TableName": "bad!name", "Key": key("x") } }]),
            "'bad!name'",
            ".1.member.delete.tableName",
            "satisfy regular expression pattern: [a-zA-Z0-9_.-]+",
        ),
        (json!([constant]), "null", ".1.member.update.updateExpression", "not be null"),
    ] {
        let wanted = format!(
            "1 validation error detected: Value {value} at 'transactItems{at}' failed to satisfy \
             constraint: Member must {must}"
        );
        machine.check_invalid("TransactWriteItems", all(items), &wanted).await;
    }
    let mut input = all(json!([put("x", 1)]));
    input["ClientRequestToken"] = json!("x".repeat(37));
    input["ReturnConsumedCapacity"] = json!("BOGUS");
    let wanted = format!(
        "2 validation errors detected: Value '{}' at 'clientRequestToken' failed to satisfy \
         constraint: Member must have length less than or equal to 36; Value 'BOGUS' at \
         'returnConsumedCapacity' failed to satisfy constraint: Member must satisfy enum value \
         set: [INDEXES, TOTAL, NONE]",
        "x".repeat(37)
    );
    machine.check_invalid("TransactWriteItems", input, &wanted).await;
    assert_eq!(machine.get("hash", key("x")).await, Value::Null);
}

#[tokio::test]
async fn faults_of_a_request_come_before_its_transaction() {
    let machine = Machine::with_tables("S").await;
    let sized = |id: &str, bytes: usize| {
        let item = json!({ "a": { "S": id }, "x": { "S": "x".repeat(bytes) } });
        json!({ "Put": { "TableName": "hash", "Item": item } })
    };
    let large = (0..11).map(|id| sized(&id.to_string(), 400_000)).collect::<Value>();
    let both =
        json!({ "Put": put("x", 1)["Put"], "Delete": { "TableName": "hash", "Key": key("x") } });
    let mut unused = check("x", "attribute_exists(a)");
    unused["ConditionCheck"]["ExpressionAttributeValues"] = json!({ ":v": { "S": "x" } });
    let elsewhere = json!({ "Put": { "TableName": "nope", "Item": key("x") } });
    for (items, wanted) in [
        (
            json!([{}]),
            "Invalid Request: TransactWriteRequest should contain Delete or Put or Update request",
        ),
        (json!([both]), "TransactItems can only contain one of Check, Put, Update or Delete"),
        (
            json!([put("x", 1), check("x", "attribute_exists(n)")]),
            "Transaction request cannot include multiple operations on one item",
        ),
        (
            json!([elsewhere, unused]),
            "Value provided in ExpressionAttributeValues unused in expressions: keys: {:v}",
        ),
        (
            json!([elsewhere, check("x", "attribute_exists(")]),
            "Invalid ConditionExpression: Syntax error; token: \"<EOF>\", near: \"(\"",
        ),
        (
            json!([check("", "attribute_exists(n)")]),
            "One or more parameter values are not valid. The AttributeValue for a key attribute \
             cannot contain an empty string value. Key: a",
        ),
        (json!([sized("x", 410_000)]), "Item size has exceeded the maximum allowed size"),
        (large, "The aggregate size of the items in the transaction exceeds 4 MB"),
    ] {
        machine.check_invalid("TransactWriteItems", all(items), wanted).await;
    }
    let missing = json!("ResourceNotFoundException: Requested resource not found");
    let items = json!([put("x", 1), elsewhere]);
    machine.check("TransactWriteItems", all(items), missing).await;
    assert_eq!(machine.get("hash", key("x")).await, Value::Null);
}

#[tokio::test]
async fn reads_answer_in_order() {
    let machine = Machine::with_tables("S").await;
    let write = all(json!([put("one", 1), put("two", 2)]));
    machine.check("TransactWriteItems", write, json!({})).await;
    let mut projected = get("one");
    projected["Get"]["ProjectionExpression"] = json!("n");
    let mut input = all(json!([get("two"), get("absent"), projected]));
    input["ReturnConsumedCapacity"] = json!("INDEXES");
    let wanted = json!({
        "Responses": [
            { "Item": { "a": { "S": "two" }, "n": { "N": "2" } } },
            {},
            { "Item": { "n": { "N": "1" } } },
        ],
        "ConsumedCapacity": [{
            "TableName": "hash", "CapacityUnits": 6.0, "ReadCapacityUnits": 6.0,
            "Table": { "CapacityUnits": 6.0, "ReadCapacityUnits": 6.0 },
        }],
    });
    machine.check("TransactGetItems", input, wanted).await;
    let twice = all(json!([get("one"), get("one")]));
    let wanted = "Transaction request cannot include multiple operations on one item";
    machine.check_invalid("TransactGetItems", twice, wanted).await;
    let wanted = "1 validation error detected: Value null at 'transactItems.1.member.get' failed \
                  to satisfy constraint: Member must not be null";
    machine.check_invalid("TransactGetItems", all(json!([{}])), wanted).await;
    for id in 0..11 {
        let item = json!({ "a": { "S": id.to_string() }, "x": { "S": "x".repeat(400_000) } });
        machine.put("hash", item).await;
    }
    let large = (0..11).map(|id| get(&id.to_string())).collect::<Value>();
    let wanted = "The aggregate size of the items in the transaction exceeds 4 MB";
    machine.check_invalid("TransactGetItems", all(large), wanted).await;
}

#[tokio::test]
async fn a_token_is_good_for_one_transaction() {
    let machine = Machine::with_tables("S").await;
    let with_token = |n: i64| {
        let mut input = all(json!([add("x", n)]));
        input["ClientRequestToken"] = json!("token");
        input["ReturnConsumedCapacity"] = json!("TOTAL");
        input
    };
    let capacity = |of: &str| {
        let mut units = json!({ "TableName": "hash", "CapacityUnits": 2.0 });
        units[of] = json!(2.0);
        json!({ "ConsumedCapacity": [units] })
    };
    // One that is canceled leaves its token free.
    let mut input = all(json!([check("x", "attribute_exists(a)")]));
    input["ClientRequestToken"] = json!("token");
    machine.call("TransactWriteItems", input).await.unwrap_err();
    let empty = machine.entries().await;
    let written = capacity("WriteCapacityUnits");
    machine.check("TransactWriteItems", with_token(1), written.clone()).await;
    let read = capacity("ReadCapacityUnits");
    machine.check("TransactWriteItems", with_token(1), read).await;
    assert_eq!(n(&machine, "x").await, "1");
    let mismatch = json!(
        "IdempotentParameterMismatchException: The request token was used before with other \
         parameters"
    );
    machine.check("TransactWriteItems", with_token(2), mismatch.clone()).await;
    machine.clock.advance(Duration::from_secs(599));
    machine.check("TransactWriteItems", with_token(2), mismatch).await;
    machine.clock.advance(Duration::from_secs(1));
    machine.check("TransactWriteItems", with_token(2), written).await;
    assert_eq!(n(&machine, "x").await, "3");
    machine.clock.advance(Duration::from_secs(601));
    machine.work_until(empty + 1).await;
}

#[tokio::test]
async fn a_token_asked_for_at_once_is_used_once() {
    let machine = Arc::new(Machine::with_tables("S").await);
    let tasks = (0..20).map(|_| {
        let machine = Arc::clone(&machine);
        base::task::spawn("client", async move {
            let mut input = all(json!([add("x", 1)]));
            input["ClientRequestToken"] = json!("token");
            machine.call("TransactWriteItems", input).await.unwrap();
        })
    });
    for task in tasks.collect::<Vec<_>>() {
        task.await.unwrap();
    }
    assert_eq!(n(&machine, "x").await, "1");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn money_is_neither_made_nor_lost() {
    const ACCOUNTS: i64 = 5;
    let machine = Arc::new(Machine::with_tables("S").await);
    let open = (0..ACCOUNTS).map(|id| put(&id.to_string(), 100)).collect::<Value>();
    machine.check("TransactWriteItems", all(open), json!({})).await;
    let tasks = (0..8).map(|client: i64| {
        let machine = Arc::clone(&machine);
        base::task::spawn("client", async move {
            for round in 0..30 {
                let (from, to) = ((client + round) % ACCOUNTS, (client + 2 * round + 1) % ACCOUNTS);
                if from != to {
                    let items = json!([add(&from.to_string(), -1), add(&to.to_string(), 1)]);
                    machine.check("TransactWriteItems", all(items), json!({})).await;
                }
                let items = (0..ACCOUNTS).map(|id| get(&id.to_string())).collect::<Value>();
                let reply = machine.call("TransactGetItems", all(items)).await.unwrap();
                let balances = reply["Responses"].as_array().unwrap().iter();
                let balance =
                    |r: &Value| r["Item"]["n"]["N"].as_str().unwrap().parse::<i64>().unwrap();
                assert_eq!(balances.map(balance).sum::<i64>(), 100 * ACCOUNTS);
            }
        })
    });
    for task in tasks.collect::<Vec<_>>() {
        task.await.unwrap();
    }
}
