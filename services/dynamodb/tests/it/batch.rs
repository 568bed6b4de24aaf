use serde_json::{Value, json};

use crate::Machine;

fn put(n: usize) -> Value {
    json!({ "PutRequest": { "Item": { "a": { "S": n.to_string() }, "n": { "N": "1" } } } })
}

fn key(n: usize) -> Value {
    json!({ "a": { "S": n.to_string() } })
}

#[tokio::test]
async fn a_batch_is_written_and_read() {
    let machine = Machine::with_tables("S").await;
    let writes = (0..25).map(put).collect::<Vec<_>>();
    let done = json!({ "UnprocessedItems": {} });
    machine.check("BatchWriteItem", json!({ "RequestItems": { "hash": writes } }), done).await;
    let mixed = json!({
        "hash": [{ "DeleteRequest": { "Key": key(0) } }],
        "range": [{ "PutRequest": { "Item": { "a": { "S": "x" }, "b": { "S": "y" } } } }],
    });
    let input = json!({ "RequestItems": mixed, "ReturnConsumedCapacity": "TOTAL" });
    let capacity = |table: &str| json!({ "TableName": table, "CapacityUnits": 1.0 });
    let wanted = json!({
        "UnprocessedItems": {}, "ConsumedCapacity": [capacity("hash"), capacity("range")],
    });
    machine.check("BatchWriteItem", input, wanted).await;
    let input = json!({ "RequestItems": {
        "hash": { "Keys": [key(0), key(1)], "ProjectionExpression": "n" },
        "arn:aws:dynamodb:us-east-1:000000000000:table/range":
            { "Keys": [{ "a": { "S": "x" }, "b": { "S": "y" } }] },
    }});
    let wanted = json!({
        "Responses": {
            "hash": [{ "n": { "N": "1" } }],
            "arn:aws:dynamodb:us-east-1:000000000000:table/range":
                [{ "a": { "S": "x" }, "b": { "S": "y" } }],
        },
        "UnprocessedKeys": {},
    });
    machine.check("BatchGetItem", input, wanted).await;
}

#[tokio::test]
async fn a_provisioned_table_gives_a_megabyte_and_an_item() {
    let machine = Machine::with_tables("S").await;
    let throughput = json!({ "ReadCapacityUnits": 10, "WriteCapacityUnits": 5 });
    let provisioned = json!({
        "TableName": "hash", "BillingMode": "PROVISIONED", "ProvisionedThroughput": throughput,
    });
    machine.call("UpdateTable", provisioned).await.unwrap();
    let sizes = [409_597, 409_597, 409_597, 229_382, 4];
    let key = |n: usize| json!({ "a": { "S": n.to_string() } });
    for (n, bytes) in sizes.into_iter().enumerate() {
        let mut item = key(n);
        item["b"] = json!({ "S": "b".repeat(bytes - 3) });
        machine.put("hash", item).await;
    }
    let get = |keys: &[usize]| {
        let keys: Vec<_> = keys.iter().map(|n| key(*n)).collect();
        json!({
            "RequestItems": { "hash": { "Keys": keys, "ConsistentRead": true } },
            "ReturnConsumedCapacity": "TOTAL",
        })
    };
    for (keys, left, units) in [
        (&[0, 1, 2, 3][..], &[][..], 357.0),
        (&[0, 1, 2, 3, 4][..], &[4][..], 358.0),
        (&[4, 0, 1, 2, 3][..], &[3][..], 302.0),
    ] {
        let reply = machine.call("BatchGetItem", get(keys)).await.unwrap();
        let found = reply["Responses"]["hash"].as_array().unwrap().len();
        assert_eq!(found, keys.len() - left.len());
        assert_eq!(reply["ConsumedCapacity"][0]["CapacityUnits"], units, "{keys:?}");
        let wanted: Vec<_> = left.iter().map(|n| key(*n)).collect();
        match left {
            [] => assert_eq!(reply["UnprocessedKeys"], json!({})),
            _ => assert_eq!(reply["UnprocessedKeys"]["hash"]["Keys"], json!(wanted)),
        }
    }
}

#[tokio::test]
async fn a_reply_has_at_most_16_megabytes() {
    let machine = Machine::with_tables("S").await;
    for n in 0..60 {
        let item = json!({ "a": { "S": n.to_string() }, "x": { "S": "x".repeat(400_000) } });
        machine.put("hash", item).await;
    }
    let keys = (0..60).map(key).collect::<Vec<_>>();
    let table = json!({ "Keys": keys, "ConsistentRead": true });
    let input = json!({ "RequestItems": { "hash": table } });
    let reply = machine.call("BatchGetItem", input).await.unwrap();
    let found = reply["Responses"]["hash"].as_array().unwrap().len();
    assert_eq!(found, 42);
    let left = &reply["UnprocessedKeys"]["hash"];
    assert_eq!(left["Keys"].as_array().unwrap().len(), 18);
    assert_eq!(left["ConsistentRead"], true);
}

#[tokio::test]
async fn batches_have_limits() {
    let machine = Machine::with_tables("S").await;
    let duplicates = "Provided list of item keys contains duplicates";
    let twice = json!([put(1), { "DeleteRequest": { "Key": key(1) } }]);
    let neither = json!([{}]);
    let mismatch = json!([{ "PutRequest": { "Item": { "b": { "S": "x" } } } }]);
    for (requests, wanted) in [
        (
            (0..26).map(put).collect::<Value>(),
            "1 validation error detected: Value '{hash=...}' at 'requestItems' failed to satisfy \
             constraint: Map value must satisfy constraint: [Member must have length less than \
             or equal to 25, Member must have length greater than or equal to 1]",
        ),
        (twice, duplicates),
        (
            neither,
            "Supplied AttributeValue has more than one datatypes set, must contain exactly one \
             of the supported datatypes",
        ),
        (mismatch, "The provided key element does not match the schema"),
    ] {
        let input = json!({ "RequestItems": { "hash": requests } });
        machine.check_invalid("BatchWriteItem", input, wanted).await;
    }
    let get = |tables: Value| json!({ "RequestItems": tables });
    let keys = |range: std::ops::Range<usize>| range.map(key).collect::<Value>();
    for (tables, wanted) in [
        (
            json!({}),
            "1 validation error detected: Value '{}' at 'requestItems' failed to satisfy \
             constraint: Member must have length greater than or equal to 1",
        ),
        (
            json!({ "hash": { "Keys": keys(0..60) }, "range": { "Keys": keys(0..60) } }),
            "Too many items requested for the BatchGetItem call",
        ),
        (json!({ "hash": { "Keys": [key(1), key(1)] } }), duplicates),
    ] {
        machine.check_invalid("BatchGetItem", get(tables), wanted).await;
    }
    let missing = json!({ "RequestItems": { "nope": { "Keys": [key(1)] } } });
    let wanted = json!("ResourceNotFoundException: Requested resource not found");
    machine.check("BatchGetItem", missing, wanted).await;
}
