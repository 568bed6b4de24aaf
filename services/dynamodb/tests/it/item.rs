use serde_json::{Value, json};

use crate::Machine;

fn key() -> Value {
    json!({ "a": { "S": "k" } })
}

#[tokio::test]
async fn an_item_is_put_read_and_deleted() {
    let machine = Machine::with_tables("S").await;
    let m = json!({ "M": { "x": { "L": [] } } });
    let item = json!({ "a": { "S": "k" }, "n": { "N": "1.50" }, "m": m });
    let kept = json!({ "a": { "S": "k" }, "n": { "N": "1.5" }, "m": m });
    let get = |more: Value| merged(json!({ "TableName": "hash", "Key": key() }), more);
    machine.check("GetItem", get(json!({})), json!({})).await;
    machine.check("PutItem", json!({ "TableName": "hash", "Item": item }), json!({})).await;
    machine.check("GetItem", get(json!({})), json!({ "Item": kept })).await;
    let projected = json!({
        "ProjectionExpression": "#m.x, absent",
        "ExpressionAttributeNames": { "#m": "m" },
        "ConsistentRead": true,
        "ReturnConsumedCapacity": "INDEXES",
    });
    let capacity = json!({
        "TableName": "hash", "CapacityUnits": 1.0, "Table": { "CapacityUnits": 1.0 },
    });
    let wanted = json!({ "Item": { "m": m }, "ConsumedCapacity": capacity });
    machine.check("GetItem", get(projected), wanted).await;
    let delete = get(json!({ "ReturnValues": "ALL_OLD" }));
    machine.check("DeleteItem", delete.clone(), json!({ "Attributes": kept })).await;
    machine.check("DeleteItem", delete, json!({})).await;
}

fn merged(mut a: Value, b: Value) -> Value {
    a.as_object_mut().unwrap().extend(b.as_object().unwrap().clone());
    a
}

#[tokio::test]
async fn conditions_guard_writes() {
    let machine = Machine::with_tables("S").await;
    let put = |version: &str, condition: &str| {
        json!({
            "TableName": "hash",
            "Item": { "a": { "S": "k" }, "v": { "N": version } },
            "ConditionExpression": condition,
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        })
    };
    let failed = "ConditionalCheckFailedException: The conditional request failed";
    machine.check("PutItem", put("1", "attribute_exists(a)"), json!(failed)).await;
    machine.check("PutItem", put("1", "attribute_not_exists(a)"), json!({})).await;
    let with_item = format!(r#"{failed} {{"Item":{{"a":{{"S":"k"}},"v":{{"N":"1"}}}}}}"#);
    machine.check("PutItem", put("2", "attribute_not_exists(a)"), json!(with_item)).await;
    let update = json!({
        "TableName": "hash",
        "Key": key(),
        "UpdateExpression": "SET v = :new",
        "ConditionExpression": "v = :old",
        "ExpressionAttributeValues": { ":old": { "N": "1.0" }, ":new": { "N": "2" } },
    });
    machine.check("UpdateItem", update.clone(), json!({})).await;
    machine.check("UpdateItem", update, json!(failed)).await;
    let delete = json!({
        "TableName": "hash", "Key": key(), "ConditionExpression": "attribute_exists(x)",
    });
    machine.check("DeleteItem", delete, json!(failed)).await;
    assert_eq!(machine.get("hash", key()).await["v"], json!({ "N": "2" }));
}

#[tokio::test]
async fn updates_return_what_is_asked_for() {
    let machine = Machine::with_tables("S").await;
    let update = |expression: &str, returns: &str| {
        json!({
            "TableName": "hash",
            "Key": key(),
            "UpdateExpression": expression,
            "ExpressionAttributeValues":
                { ":1": { "N": "1" }, ":m": { "M": { "x": { "N": "1" }, "y": { "N": "2" } } } },
            "ReturnValues": returns,
        })
    };
    for (expression, returns, wanted) in [
        ("ADD n :1 SET m = :m", "ALL_OLD", json!({})),
        (
            "ADD n :1, m.x :1 SET f = :m",
            "UPDATED_OLD",
            json!({
                "n": { "N": "1" }, "m": { "M": { "x": { "N": "1" } } },
            }),
        ),
        (
            "ADD n :1, m.x :1 SET f = :m",
            "UPDATED_NEW",
            json!({
                "n": { "N": "3" }, "m": { "M": { "x": { "N": "3" } } },
                "f": { "M": { "x": { "N": "1" }, "y": { "N": "2" } } },
            }),
        ),
        (
            "REMOVE m, f ADD o :1 SET p = :m",
            "ALL_NEW",
            json!({
                "a": { "S": "k" }, "n": { "N": "3" }, "o": { "N": "1" },
                "p": { "M": { "x": { "N": "1" }, "y": { "N": "2" } } },
            }),
        ),
        ("REMOVE p ADD q :1 SET r = :m", "NONE", json!({})),
    ] {
        let wanted = match wanted {
            Value::Object(empty) if empty.is_empty() => json!({}),
            attributes => json!({ "Attributes": attributes }),
        };
        machine.check("UpdateItem", update(expression, returns), wanted).await;
    }
}

#[tokio::test]
async fn an_update_makes_an_item_unless_it_only_takes_away() {
    let machine = Machine::with_tables("S").await;
    let update =
        |text: &str| json!({ "TableName": "hash", "Key": key(), "UpdateExpression": text });
    machine.check("UpdateItem", update("REMOVE x"), json!({})).await;
    assert!(machine.get("hash", key()).await.is_null());
    machine.check("UpdateItem", update("SET c = a"), json!({})).await;
    let wanted = json!({ "a": { "S": "k" }, "c": { "S": "k" } });
    assert_eq!(machine.get("hash", key()).await, wanted);
    let other = json!({ "TableName": "hash", "Key": { "a": { "S": "l" } } });
    machine.check("UpdateItem", other, json!({})).await;
    assert!(!machine.get("hash", json!({ "a": { "S": "l" } })).await.is_null());
}

#[tokio::test]
async fn large_items_leave_nothing_behind() {
    let machine = Machine::with_tables("S").await;
    let entries = machine.entries().await;
    let item = |bytes: usize| json!({ "a": { "S": "k" }, "x": { "S": "x".repeat(bytes) } });
    let most = 400 * 1024 - 3;
    for bytes in [10, most, 100_000, 70_000, 10] {
        machine.put("hash", item(bytes)).await;
        let found = machine.get("hash", key()).await;
        assert_eq!(found["x"]["S"].as_str().unwrap().len(), bytes);
        assert_eq!(machine.entries().await, entries + 1);
    }
    let double = json!({
        "TableName": "hash", "Key": key(), "UpdateExpression": "SET y = :y",
        "ExpressionAttributeValues": { ":y": { "S": "y".repeat(100_000) } },
    });
    machine.check("UpdateItem", double, json!({})).await;
    machine
        .check_invalid(
            "PutItem",
            json!({ "TableName": "hash", "Item": item(most + 1) }),
            "Item size has exceeded the maximum allowed size",
        )
        .await;
    machine
        .check_invalid(
            "UpdateItem",
            json!({
                "TableName": "hash", "Key": key(), "UpdateExpression": "SET z = :z",
                "ExpressionAttributeValues": { ":z": { "S": "z".repeat(350_000) } },
            }),
            "Item size to update has exceeded the maximum allowed size",
        )
        .await;
    machine.check("DeleteItem", json!({ "TableName": "hash", "Key": key() }), json!({})).await;
    assert_eq!(machine.entries().await, entries);
    machine.kit.store.close().await.unwrap();
}

#[tokio::test]
async fn counters_lose_nothing() {
    let machine = std::sync::Arc::new(Machine::with_tables("S").await);
    let tasks: Vec<_> = (0..32)
        .map(|_| {
            let machine = std::sync::Arc::clone(&machine);
            base::task::spawn("count", async move {
                for _ in 0..10 {
                    let input = json!({
                        "TableName": "hash", "Key": key(), "UpdateExpression": "ADD n :1",
                        "ExpressionAttributeValues": { ":1": { "N": "1" } },
                    });
                    machine.call("UpdateItem", input).await.unwrap();
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(machine.get("hash", key()).await["n"], json!({ "N": "320" }));
}

#[tokio::test]
async fn a_request_is_judged_before_the_table_is_looked_for() {
    let machine = Machine::with_tables("N").await;
    let must = "failed to satisfy constraint: Member must";
    let null = format!("{must} not be null");
    for (input, wanted) in [
        (
            json!({}),
            format!(
                "2 validation errors detected: Value null at 'tableName' {null}; Value null at \
                 'item' {null}"
            ),
        ),
        (
            json!({ "TableName": "abc", "Item": {}, "ReturnValues": "hi" }),
            format!(
                "1 validation error detected: Value 'hi' at 'returnValues' {must} satisfy enum \
                 value set: [ALL_NEW, UPDATED_OLD, ALL_OLD, NONE, UPDATED_NEW]"
            ),
        ),
        (
            json!({ "TableName": "abc", "Item": { "a": {} }, "ExpressionAttributeNames": {} }),
            "ExpressionAttributeNames can only be specified when using expressions".to_owned(),
        ),
        (
            json!({ "TableName": "abc", "Item": { "a": {} }, "ConditionExpression": "" }),
            "Supplied AttributeValue is empty, must contain exactly one of the supported \
             datatypes"
                .to_owned(),
        ),
        (
            json!({ "TableName": "abc", "Item": {}, "ReturnValues": "ALL_NEW" }),
            "ReturnValues can only be ALL_OLD or NONE".to_owned(),
        ),
        (
            json!({ "TableName": "abc", "Item": {}, "ConditionExpression": "" }),
            "Invalid ConditionExpression: The expression can not be empty;".to_owned(),
        ),
        (
            json!({
                "TableName": "abc", "Item": {}, "ConditionExpression": "a = b",
                "ExpressionAttributeNames": { "#b": "b", "#a": "a" },
            }),
            "Value provided in ExpressionAttributeNames unused in expressions: keys: {#a, #b}"
                .to_owned(),
        ),
    ] {
        machine.check_invalid("PutItem", input, &wanted).await;
    }
    let no_table = json!("ResourceNotFoundException: Requested resource not found");
    for name in ["nope", "arn:aws:dynamodb:us-east-1:999999999999:table/hash"] {
        let input = json!({ "TableName": name, "Item": {} });
        machine.check("PutItem", input, no_table.clone()).await;
    }
}

#[tokio::test]
async fn keys_must_fit_the_table() {
    let machine = Machine::with_tables("N").await;
    let item = |item: Value| json!({ "TableName": "hash", "Item": item });
    let invalid = "One or more parameter values were invalid: ";
    for (input, wanted) in [
        (item(json!({})), format!("{invalid}Missing the key a in the item")),
        (
            item(json!({ "a": { "N": "1" } })),
            format!("{invalid}Type mismatch for key a expected: S actual: N"),
        ),
        (
            item(json!({ "a": { "S": "" } })),
            "One or more parameter values are not valid. The AttributeValue for a key attribute \
             cannot contain an empty string value. Key: a"
                .to_owned(),
        ),
        (
            item(json!({ "a": { "S": "x".repeat(2_049) } })),
            format!("{invalid}Size of hashkey has exceeded the maximum size limit of2048 bytes"),
        ),
    ] {
        machine.check_invalid("PutItem", input, &wanted).await;
    }
    let schema = "The provided key element does not match the schema";
    for key in [json!({}), json!({ "b": { "S": "x" } }), json!({ "a": { "N": "1" } })] {
        let input = json!({ "TableName": "hash", "Key": key });
        machine.check_invalid("GetItem", input.clone(), schema).await;
        machine.check_invalid("DeleteItem", input.clone(), schema).await;
        machine.check_invalid("UpdateItem", input, schema).await;
    }
    let wanted = "Cannot update attribute a. This attribute is part of the key";
    let input = json!({ "TableName": "hash", "Key": key(), "UpdateExpression": "REMOVE a" });
    machine.check_invalid("UpdateItem", input, &format!("{invalid}{wanted}")).await;
}
