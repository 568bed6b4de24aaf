//! The parameters that are older than expressions.

use serde_json::{Value, json};

use crate::Machine;

const INVALID: &str = "One or more parameter values were invalid: ";
const FAILED: &str = "ConditionalCheckFailedException: The conditional request failed";

fn key() -> Value {
    json!({ "a": { "S": "k" } })
}

fn item() -> Value {
    json!({
        "a": { "S": "k" }, "s": { "S": "text" }, "n": { "N": "5" },
        "set": { "SS": ["x", "y"] }, "list": { "L": [{ "N": "1" }] }, "odd.name[0]": { "BOOL": true },
    })
}

fn compared(operator: &str, values: Value) -> Value {
    json!({ "ComparisonOperator": operator, "AttributeValueList": values })
}

/// What each operator says about the item: as `Expected` and as a filter, which must agree.
async fn check_condition(machine: &Machine, condition: Value, operator: Option<&str>, holds: bool) {
    let put = json!({
        "TableName": "hash", "Item": item(), "Expected": condition,
        "ConditionalOperator": operator,
    });
    let wanted = if holds { json!({}) } else { json!(FAILED) };
    machine.check("PutItem", put, wanted).await;
    let takes_filter = condition
        .as_object()
        .unwrap()
        .values()
        .all(|each| each.get("ComparisonOperator").is_some() && each.get("Value").is_none());
    if takes_filter {
        let scan = json!({
            "TableName": "hash", "ScanFilter": condition, "ConditionalOperator": operator,
            "Select": "COUNT",
        });
        let wanted = json!({ "Count": usize::from(holds), "ScannedCount": 1 });
        machine.check("Scan", scan, wanted).await;
    }
}

#[tokio::test]
async fn comparisons_say_what_conditions_say() {
    let machine = Machine::with_tables("S").await;
    machine.put("hash", item()).await;
    for (condition, holds) in [
        (json!({ "s": { "Value": { "S": "text" } } }), true),
        (json!({ "s": { "Exists": true, "Value": { "S": "other" } } }), false),
        (json!({ "s": { "Exists": false } }), false),
        (json!({ "absent": { "Exists": false } }), true),
        (json!({ "s": { "ComparisonOperator": "NE", "Value": { "S": "x" } } }), true),
        (json!({ "n": compared("EQ", json!([{ "N": "5.0" }])) }), true),
        (json!({ "list": compared("EQ", json!([{ "L": [{ "N": "1" }] }])) }), true),
        (json!({ "set": compared("EQ", json!([{ "SS": ["y", "x"] }])) }), true),
        (json!({ "absent": compared("NE", json!([{ "N": "1" }])) }), true),
        (json!({ "n": compared("LT", json!([{ "N": "5" }])) }), false),
        (json!({ "n": compared("LE", json!([{ "N": "5" }])) }), true),
        (json!({ "n": compared("GT", json!([{ "N": "4.9" }])) }), true),
        (json!({ "n": compared("GE", json!([{ "S": "5" }])) }), false),
        (json!({ "n": compared("BETWEEN", json!([{ "N": "5" }, { "N": "6" }])) }), true),
        (json!({ "n": compared("IN", json!([{ "N": "1" }, { "N": "5" }])) }), true),
        (json!({ "s": compared("BEGINS_WITH", json!([{ "S": "te" }])) }), true),
        (json!({ "s": compared("CONTAINS", json!([{ "S": "ex" }])) }), true),
        (json!({ "set": compared("CONTAINS", json!([{ "S": "x" }])) }), true),
        (json!({ "list": compared("NOT_CONTAINS", json!([{ "N": "1" }])) }), false),
        (json!({ "odd.name[0]": compared("NOT_NULL", json!([])) }), true),
        (json!({ "absent": { "ComparisonOperator": "NULL" } }), true),
        (json!({ "n": compared("NULL", json!([])) }), false),
    ] {
        check_condition(&machine, condition, None, holds).await;
    }
    let two =
        json!({ "n": compared("LT", json!([{ "N": "1" }])), "s": compared("NOT_NULL", json!([])) });
    check_condition(&machine, two.clone(), None, false).await;
    check_condition(&machine, two.clone(), Some("AND"), false).await;
    check_condition(&machine, two, Some("OR"), true).await;
}

#[tokio::test]
async fn comparisons_must_be_whole() {
    let machine = Machine::with_tables("S").await;
    let invalid = |why: &str| format!("{INVALID}{why}");
    let one = json!({ "S": "x" });
    for (condition, wanted) in [
        (
            json!({ "Value": one, "AttributeValueList": [one] }),
            invalid("Value and AttributeValueList cannot be used together for Attribute: a"),
        ),
        (
            json!({ "Exists": true, "ComparisonOperator": "EQ" }),
            invalid("Exists and ComparisonOperator cannot be used together for Attribute: a"),
        ),
        (
            json!({ "ComparisonOperator": "LE" }),
            invalid(
                "Value or AttributeValueList must be used with ComparisonOperator: LE for \
                 Attribute: a",
            ),
        ),
        (
            json!({ "AttributeValueList": [one] }),
            invalid(
                "AttributeValueList can only be used with a ComparisonOperator for Attribute: a",
            ),
        ),
        (json!({}), invalid("Value must be provided when Exists is null for Attribute: a")),
        (
            json!({ "Exists": true }),
            invalid("Value must be provided when Exists is true for Attribute: a"),
        ),
        (
            json!({ "Exists": false, "Value": one }),
            invalid("Value cannot be used when Exists is false for Attribute: a"),
        ),
        (
            compared("BETWEEN", json!([one])),
            invalid("Invalid number of argument(s) for the BETWEEN ComparisonOperator"),
        ),
        (
            compared("IN", json!([one, { "N": "1" }])),
            invalid("AttributeValues inside AttributeValueList must be of same type"),
        ),
        (
            compared("GT", json!([{ "SS": ["x"] }])),
            invalid("ComparisonOperator GT is not valid for SS AttributeValue type"),
        ),
        (
            compared("BETWEEN", json!([{ "N": "2" }, { "N": "1" }])),
            "The BETWEEN condition was provided a range where the lower bound is greater than the \
             upper bound"
                .to_owned(),
        ),
    ] {
        let input = json!({ "TableName": "hash", "Item": item(), "Expected": { "a": condition } });
        machine.check_invalid("PutItem", input, &wanted).await;
    }
    let operators =
        json!({ "TableName": "hash", "ScanFilter": { "a": {}, "b": compared("XX", json!([])) } });
    let wanted = "2 validation errors detected: Value null at \
         'scanFilter.a.member.comparisonOperator' failed to satisfy constraint: Member must not be \
         null; Value 'XX' at 'scanFilter.b.member.comparisonOperator' failed to satisfy \
         constraint: Member must satisfy enum value set: [IN, NULL, BETWEEN, LT, NOT_CONTAINS, EQ, \
         GT, NOT_NULL, NE, LE, BEGINS_WITH, GE, CONTAINS]";
    machine.check_invalid("Scan", operators, wanted).await;
}

#[tokio::test]
async fn the_two_languages_do_not_mix() {
    let machine = Machine::with_tables("S").await;
    let mixed = |old: &str, new: &str| {
        format!(
            "Can not use both expression and non-expression parameters in the same request: \
             Non-expression parameters: {{{old}}} Expression parameters: {{{new}}}"
        )
    };
    for (operation, input, wanted) in [
        (
            "UpdateItem",
            json!({
                "Key": key(), "AttributeUpdates": {}, "Expected": {}, "UpdateExpression": "",
                "ConditionExpression": "",
            }),
            mixed("AttributeUpdates, Expected", "UpdateExpression, ConditionExpression"),
        ),
        (
            "DeleteItem",
            json!({ "Key": key(), "Expected": {}, "ConditionExpression": "" }),
            mixed("Expected", "ConditionExpression"),
        ),
        (
            "GetItem",
            json!({ "Key": key(), "AttributesToGet": ["a"], "ProjectionExpression": "" }),
            mixed("AttributesToGet", "ProjectionExpression"),
        ),
        (
            "Query",
            json!({ "QueryFilter": {}, "KeyConditions": {}, "KeyConditionExpression": "" }),
            mixed("QueryFilter, KeyConditions", "KeyConditionExpression"),
        ),
        (
            "Scan",
            json!({ "ScanFilter": {}, "ConditionalOperator": "OR", "ProjectionExpression": "" }),
            mixed("ScanFilter, ConditionalOperator", "ProjectionExpression"),
        ),
        (
            "Scan",
            json!({ "ConditionalOperator": "OR" }),
            "ConditionalOperator cannot be used without Filter or Expected".to_owned(),
        ),
        (
            "DeleteItem",
            json!({
                "Key": key(), "Expected": { "a": { "Exists": false } }, "ConditionalOperator": "OR",
            }),
            "ConditionalOperator can only be used when Filter or Expected has two or more elements"
                .to_owned(),
        ),
        (
            "GetItem",
            json!({ "Key": key(), "AttributesToGet": ["b", "a", "b"] }),
            format!("{INVALID}Duplicate value in attribute name: b"),
        ),
        (
            "Scan",
            json!({ "Select": "COUNT", "AttributesToGet": ["a"] }),
            "Cannot specify the AttributesToGet when choosing to get only the Count".to_owned(),
        ),
    ] {
        let mut input = input;
        input["TableName"] = json!("hash");
        machine.check_invalid(operation, input, &wanted).await;
    }
}

#[tokio::test]
async fn updates_of_attributes_do_what_expressions_do() {
    let machine = Machine::with_tables("S").await;
    let update = |updates: Value| {
        json!({
            "TableName": "hash", "Key": key(), "AttributeUpdates": updates,
            "ReturnValues": "UPDATED_NEW",
        })
    };
    let delete = json!({ "s": { "Action": "DELETE" } });
    machine.check("UpdateItem", update(delete), json!({})).await;
    assert!(machine.get("hash", key()).await.is_null());
    machine.put("hash", item()).await;
    let updates = json!({
        "s": { "Action": "DELETE" },
        "set": { "Action": "DELETE", "Value": { "SS": ["x", "z"] } },
        "n": { "Action": "ADD", "Value": { "N": "-7" } },
        "list": { "Action": "ADD", "Value": { "L": [{ "N": "2" }] } },
        "more": { "Action": "ADD", "Value": { "L": [{ "S": "new" }] } },
        "odd.name[0]": { "Value": { "NULL": true } },
    });
    let attributes = json!({
        "set": { "SS": ["y"] }, "n": { "N": "-2" }, "list": { "L": [{ "N": "1" }, { "N": "2" }] },
        "more": { "L": [{ "S": "new" }] }, "odd.name[0]": { "NULL": true },
    });
    machine.check("UpdateItem", update(updates), json!({ "Attributes": attributes })).await;
    for updates in [
        json!({ "list": { "Action": "ADD", "Value": { "N": "1" } } }),
        json!({ "n": { "Action": "ADD", "Value": { "L": [] } } }),
        json!({ "n": { "Action": "DELETE", "Value": { "SS": ["x"] } } }),
    ] {
        let wanted = "Type mismatch for attribute to update";
        machine.check_invalid("UpdateItem", update(updates), wanted).await;
    }
    for (updates, why) in [
        (json!({ "n": {} }), "Only DELETE action is allowed when no attribute value is specified"),
        (
            json!({ "n": { "Action": "DELETE", "Value": { "N": "1" } } }),
            "DELETE action with value is not supported for the type N",
        ),
        (
            json!({ "n": { "Action": "ADD", "Value": { "S": "1" } } }),
            "ADD action is not supported for the type S",
        ),
        (
            json!({ "a": { "Value": { "S": "1" } } }),
            "Cannot update attribute a. This attribute is part of the key",
        ),
    ] {
        machine.check_invalid("UpdateItem", update(updates), &format!("{INVALID}{why}")).await;
    }
}

#[tokio::test]
async fn queries_take_key_conditions() {
    let machine = Machine::with_tables("N").await;
    for number in ["1", "2", "3", "4"] {
        let item = json!({ "a": { "S": "p" }, "b": { "N": number }, "x": { "S": number } });
        machine.put("range", item).await;
    }
    let partition = compared("EQ", json!([{ "S": "p" }]));
    let query = |conditions: Value| json!({ "TableName": "range", "KeyConditions": conditions });
    let mut page = query(json!({
        "a": partition, "b": compared("BETWEEN", json!([{ "N": "2" }, { "N": "4" }])),
    }));
    page["QueryFilter"] = json!({ "x": compared("NE", json!([{ "S": "3" }])) });
    page["AttributesToGet"] = json!(["b"]);
    let items = json!([{ "b": { "N": "2" } }, { "b": { "N": "4" } }]);
    let wanted = json!({ "Items": items, "Count": 2, "ScannedCount": 3 });
    machine.check("Query", page.clone(), wanted).await;
    page["QueryFilter"] = json!({ "b": compared("NE", json!([{ "N": "3" }])) });
    let wanted =
        "QueryFilter can only contain non-primary key attributes: Primary key attribute: b";
    machine.check_invalid("Query", page, wanted).await;
    for (conditions, wanted) in [
        (json!({}), "Conditions can be of length 1 or 2 only"),
        (json!({ "b": partition }), "Query condition missed key schema element: a"),
        (
            json!({ "a": compared("GT", json!([{ "S": "p" }])) }),
            "Query key condition not supported",
        ),
        (
            json!({ "a": partition, "b": compared("NE", json!([{ "N": "1" }])) }),
            "Attempted conditional constraint is not an indexable operation",
        ),
        (
            json!({ "a": partition, "b": compared("IN", json!([{ "N": "1" }])) }),
            "Attempted conditional constraint is not an indexable operation",
        ),
    ] {
        machine.check_invalid("Query", query(conditions), wanted).await;
    }
}

#[tokio::test]
async fn a_batch_gives_back_what_it_was_asked() {
    let machine = Machine::with_tables("S").await;
    let text = "x".repeat(400_000);
    let keys: Vec<Value> = (0..60).map(|n| json!({ "a": { "S": n.to_string() } })).collect();
    for key in &keys {
        let mut item = key.clone();
        item["x"] = json!({ "S": text });
        machine.put("hash", item).await;
    }
    let asked = json!({ "Keys": keys, "AttributesToGet": ["a"], "ConsistentRead": true });
    let input = json!({ "RequestItems": { "hash": asked } });
    let reply = machine.call("BatchGetItem", input).await.unwrap();
    let found = reply["Responses"]["hash"].as_array().unwrap();
    assert!(found.iter().all(|item| item.as_object().unwrap().len() == 1));
    let left = &reply["UnprocessedKeys"]["hash"];
    assert_eq!(left["AttributesToGet"], json!(["a"]));
    assert_eq!(left["ConsistentRead"], true);
    assert_eq!(left["Keys"].as_array().unwrap().len() + found.len(), 60);
}

#[tokio::test]
async fn no_more_than_ten_violations_are_told() {
    let machine = Machine::with_tables("S").await;
    let names: Vec<String> = (10..22).map(|n| format!("n{n}")).collect();
    let filter: serde_json::Map<String, Value> =
        names.into_iter().map(|name| (name, json!({}))).collect();
    let error = machine.call("Scan", json!({ "TableName": "hash", "ScanFilter": filter })).await;
    let error = error.unwrap_err();
    assert!(error.starts_with("ValidationException: 10 validation errors detected: "), "{error}");
    assert!(error.contains("scanFilter.n19.") && !error.contains("scanFilter.n20."), "{error}");
}

#[tokio::test]
async fn types_are_told_in_the_words_of_aws() {
    let machine = Machine::with_tables("S").await;
    let check = async |operation: &str, input: Value, wanted: &str| {
        let wanted = json!(format!("SerializationException: {wanted}"));
        machine.check(operation, input, wanted).await;
    };
    let item = |value: Value| json!({ "TableName": "hash", "Item": { "a": value } });
    for (value, wanted) in [
        (json!("x"), "Unexpected value type in payload"),
        (
            json!([]),
            "Unrecognized collection type class com.amazonaws.dynamodb.v20120810.AttributeValue",
        ),
        (json!({ "N": 1 }), "NUMBER_VALUE cannot be converted to String"),
        (json!({ "B": 1 }), "only base-64-encoded strings are convertible to bytes"),
        (
            json!({ "B": "abcde" }),
            "Base64 encoded length is expected a multiple of 4 bytes but found: 5",
        ),
        (json!({ "BS": ["=+/="] }), "Invalid last non-pad Base64 character dectected"),
        (json!({ "M": { "x": 1.5 } }), "Unexpected value type in payload"),
        (
            json!({ "M": [] }),
            "Unrecognized collection type java.util.Map<java.lang.String, \
             com.amazonaws.dynamodb.v20120810.AttributeValue>",
        ),
    ] {
        check("PutItem", item(value), wanted).await;
    }
    let expected = json!({ "TableName": "hash", "Item": {}, "Expected": [] });
    let wanted = "Unrecognized collection type java.util.Map<java.lang.String, \
         com.amazonaws.dynamodb.v20120810.ExpectedAttributeValue>";
    check("PutItem", expected, wanted).await;
    let written = json!({ "RequestItems": [] });
    let wanted = "Unrecognized collection type java.util.Map<java.lang.String, \
         java.util.List<com.amazonaws.dynamodb.v20120810.WriteRequest>>";
    check("BatchWriteItem", written, wanted).await;
    let same = json!({ "BOOL": "YES" });
    machine
        .check(
            "PutItem",
            json!({ "TableName": "hash", "Item": { "a": { "S": "k" }, "x": same } }),
            json!({}),
        )
        .await;
    assert_eq!(machine.get("hash", key()).await["x"], json!({ "BOOL": true }));
}
