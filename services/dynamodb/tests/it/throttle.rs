//! What tables are held to where the server was asked to.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::Machine;

const TABLE: &str = "ProvisionedThroughputExceededException: The level of configured provisioned \
     throughput for the table was exceeded. Consider increasing your provisioning level with the \
     UpdateTable API.";
const INDEX: &str = "ProvisionedThroughputExceededException: The level of configured provisioned \
     throughput for one or more global secondary indexes of the table was exceeded. Consider \
     increasing your provisioning level for the under-provisioned global secondary indexes with \
     the UpdateTable API";
const MAXIMUM: &str = "ThrottlingException: Throughput exceeds the maximum OnDemandThroughput \
     configured on table or index";

fn units(read: u64, write: u64) -> Value {
    json!({ "ReadCapacityUnits": read, "WriteCapacityUnits": write })
}

/// A throttled machine, and a table with an index by `g` that has less to write than the table.
async fn machine() -> Machine {
    let machine = Machine::with(Arc::new(engine_memory::Memory::new()), true).await;
    let attribute = |name: &str| json!({ "AttributeName": name, "AttributeType": "S" });
    let key = |name: &str| json!([{ "AttributeName": name, "KeyType": "HASH" }]);
    let input = json!({
        "TableName": "abc",
        "AttributeDefinitions": [attribute("a"), attribute("g")],
        "KeySchema": key("a"),
        "ProvisionedThroughput": units(2, 4),
        "GlobalSecondaryIndexes": [{ "IndexName": "by-g", "KeySchema": key("g"),
            "Projection": { "ProjectionType": "KEYS_ONLY" },
            "ProvisionedThroughput": units(1, 1) }],
    });
    machine.call("CreateTable", input).await.unwrap();
    machine
}

fn item(a: &str) -> Value {
    json!({ "a": { "S": a } })
}

async fn put(machine: &Machine, item: Value) -> Result<Value, String> {
    machine.call("PutItem", json!({ "TableName": "abc", "Item": item })).await
}

async fn get(machine: &Machine) -> Result<Value, String> {
    let input = json!({ "TableName": "abc", "Key": item("p"), "ConsistentRead": true });
    machine.call("GetItem", input).await
}

#[tokio::test]
async fn a_table_is_held_to_its_capacity() {
    let machine = machine().await;
    for _ in 0..4 {
        put(&machine, item("p")).await.unwrap();
    }
    assert_eq!(put(&machine, item("q")).await, Err(TABLE.into()));
    assert_eq!(machine.get("abc", item("q")).await, Value::Null);
    // A half unit was for that. Reading has capacity of its own.
    get(&machine).await.unwrap();
    get(&machine).await.unwrap();
    assert_eq!(get(&machine).await, Err(TABLE.into()));
    machine.advance(1);
    get(&machine).await.unwrap();
    for _ in 0..4 {
        put(&machine, item("q")).await.unwrap();
    }
    assert_eq!(put(&machine, item("q")).await, Err(TABLE.into()));
}

#[tokio::test]
async fn what_was_not_used_is_kept_for_five_minutes() {
    let machine = machine().await;
    put(&machine, item("p")).await.unwrap();
    machine.advance(3_600);
    for _ in 0..300 * 4 {
        put(&machine, item("p")).await.unwrap();
    }
    assert_eq!(put(&machine, item("p")).await, Err(TABLE.into()));
}

/// How much a request uses is known once it is done: what is too much is missing afterwards.
#[tokio::test]
async fn a_large_item_is_paid_for_later() {
    let machine = machine().await;
    let mut large = item("p");
    large["x"] = json!({ "S": "x".repeat(12 * 1024 - 4) });
    put(&machine, large).await.unwrap();
    machine.advance(1);
    assert_eq!(put(&machine, item("q")).await, Err(TABLE.into()));
    machine.advance(2);
    put(&machine, item("q")).await.unwrap();
}

#[tokio::test]
async fn an_index_holds_its_table_back() {
    let machine = machine().await;
    let with = |a: &str| json!({ "a": { "S": a }, "g": { "S": "g" } });
    put(&machine, with("p")).await.unwrap();
    assert_eq!(put(&machine, with("q")).await, Err(INDEX.into()));
    assert_eq!(machine.get("abc", item("q")).await, Value::Null);
    // What has no entry in it is not held back.
    put(&machine, item("q")).await.unwrap();
    let query = json!({ "TableName": "abc", "IndexName": "by-g",
        "KeyConditionExpression": "g = :g",
        "ExpressionAttributeValues": { ":g": { "S": "g" } } });
    for _ in 0..2 {
        machine.call("Query", query.clone()).await.unwrap();
    }
    assert_eq!(machine.call("Query", query).await, Err(INDEX.into()));
}

#[tokio::test]
async fn batches_and_transactions_say_so_in_their_way() {
    let machine = machine().await;
    for _ in 0..4 {
        put(&machine, item("p")).await.unwrap();
    }
    let batch = json!({ "RequestItems": { "abc": [
        { "PutRequest": { "Item": item("r") } }, { "PutRequest": { "Item": item("s") } } ] } });
    assert_eq!(machine.call("BatchWriteItem", batch.clone()).await, Err(TABLE.into()));
    let transact = json!({ "TransactItems": [
        { "Put": { "TableName": "abc", "Item": item("r") } } ] });
    let canceled = machine.call("TransactWriteItems", transact.clone()).await.unwrap_err();
    assert!(canceled.contains("[ProvisionedThroughputExceeded]"), "{canceled}");
    assert_eq!(machine.get("abc", item("r")).await, Value::Null);
    machine.advance(1);
    // A transaction uses twice as much.
    for _ in 0..2 {
        machine.call("TransactWriteItems", transact.clone()).await.unwrap();
    }
    assert!(machine.call("TransactWriteItems", transact).await.is_err());
    machine.advance(2);
    machine.call("BatchWriteItem", batch).await.unwrap();

    while get(&machine).await.is_ok() {}
    let keys = json!({ "RequestItems": { "abc": { "Keys": [item("p"), item("q")] } } });
    assert_eq!(machine.call("BatchGetItem", keys.clone()).await, Err(TABLE.into()));
    let read = json!({ "TransactItems": [{ "Get": { "TableName": "abc", "Key": item("p") } }] });
    let canceled = machine.call("TransactGetItems", read).await.unwrap_err();
    assert!(canceled.contains("[ProvisionedThroughputExceeded]"), "{canceled}");
    // Another table of the batch is read all the same.
    let mut other = json!({ "TableName": "other", "BillingMode": "PAY_PER_REQUEST" });
    other["AttributeDefinitions"] = json!([{ "AttributeName": "a", "AttributeType": "S" }]);
    other["KeySchema"] = json!([{ "AttributeName": "a", "KeyType": "HASH" }]);
    machine.call("CreateTable", other).await.unwrap();
    let mut both = keys.clone();
    both["RequestItems"]["other"] = json!({ "Keys": [item("p")] });
    let reply = machine.call("BatchGetItem", both).await.unwrap();
    assert_eq!(reply["UnprocessedKeys"], keys["RequestItems"]);
}

#[tokio::test]
async fn a_table_on_demand_is_held_to_its_maximum() {
    let machine = machine().await;
    let input = json!({ "TableName": "abc", "BillingMode": "PAY_PER_REQUEST",
        "OnDemandThroughput": { "MaxWriteRequestUnits": 1 } });
    machine.call("UpdateTable", input).await.unwrap();
    put(&machine, item("p")).await.unwrap();
    assert_eq!(put(&machine, item("p")).await, Err(MAXIMUM.into()));
    // Nothing limits reading.
    for _ in 0..10 {
        get(&machine).await.unwrap();
    }
}
