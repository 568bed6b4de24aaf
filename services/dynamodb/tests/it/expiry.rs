//! Time to live.

use serde_json::{Value, json};

use crate::Machine;

fn spec(table: &str, enabled: bool, attribute: &str) -> Value {
    json!({
        "TableName": table,
        "TimeToLiveSpecification": { "Enabled": enabled, "AttributeName": attribute },
    })
}

async fn status(machine: &Machine) -> Value {
    let reply = machine.call("DescribeTimeToLive", json!({ "TableName": "hash" })).await.unwrap();
    reply["TimeToLiveDescription"].clone()
}

async fn count(machine: &Machine) -> u64 {
    let reply = machine.call("Scan", json!({ "TableName": "hash", "Select": "COUNT" })).await;
    reply.unwrap()["Count"].as_u64().unwrap()
}

/// A machine whose table `hash` has time to live on `ttl`, all items entered.
async fn with_expiry() -> Machine {
    let machine = Machine::with_tables("S").await;
    machine.call("UpdateTimeToLive", spec("hash", true, "ttl")).await.unwrap();
    machine.work_while(async || status(&machine).await["TimeToLiveStatus"] != "ENABLED").await;
    machine
}

async fn put(machine: &Machine, name: &str, ttl: u64) {
    let item = json!({ "a": { "S": name }, "ttl": { "N": ttl.to_string() } });
    machine.put("hash", item).await;
}

#[tokio::test]
async fn items_go_once_they_have_expired() {
    let machine = with_expiry().await;
    let entries = machine.entries().await;
    let now = machine.now();
    put(&machine, "soon", now + 60).await;
    put(&machine, "later", now + 7_200).await;
    machine.put("hash", json!({ "a": { "S": "text" }, "ttl": { "S": "5" } })).await;
    put(&machine, "ancient", 5).await;
    put(&machine, "past", now - 10).await;
    // What has expired and is still there can be read, as on AWS.
    assert!(!machine.get("hash", json!({ "a": { "S": "past" } })).await.is_null());
    machine.work_while(async || count(&machine).await != 4).await;
    assert!(machine.get("hash", json!({ "a": { "S": "past" } })).await.is_null());
    machine.advance(120);
    machine.work_while(async || count(&machine).await != 3).await;
    assert!(machine.get("hash", json!({ "a": { "S": "soon" } })).await.is_null());
    machine.advance(7_200);
    machine.work_while(async || count(&machine).await != 2).await;
    for name in ["text", "ancient"] {
        assert!(!machine.get("hash", json!({ "a": { "S": name } })).await.is_null(), "{name}");
    }
    // Nothing is left of those that went, nor in the index.
    assert_eq!(machine.entries().await, entries + 2);
}

#[tokio::test]
async fn an_item_written_again_expires_when_it_says_now() {
    let machine = with_expiry().await;
    let entries = machine.entries().await;
    let now = machine.now();
    let update = |value: u64| {
        json!({
            "TableName": "hash",
            "Key": { "a": { "S": "updated" } },
            "UpdateExpression": "SET #t = :t",
            "ExpressionAttributeNames": { "#t": "ttl" },
            "ExpressionAttributeValues": { ":t": { "N": value.to_string() } },
        })
    };
    for name in ["put", "updated", "batch", "deleted", "batch-deleted", "removed"] {
        put(&machine, name, now + 60).await;
    }
    put(&machine, "put", now + 9_000).await;
    machine.call("UpdateItem", update(now + 9_000)).await.unwrap();
    let requests = json!([
        { "PutRequest": { "Item": { "a": { "S": "batch" }, "ttl": { "N": (now + 9_000).to_string() } } } },
        { "DeleteRequest": { "Key": { "a": { "S": "batch-deleted" } } } },
    ]);
    machine.call("BatchWriteItem", json!({ "RequestItems": { "hash": requests } })).await.unwrap();
    let deleted = json!({ "TableName": "hash", "Key": { "a": { "S": "deleted" } } });
    machine.call("DeleteItem", deleted).await.unwrap();
    machine.put("hash", json!({ "a": { "S": "removed" } })).await;
    // Four items, of which three have one entry each: no entry of an earlier time is left.
    assert_eq!(machine.entries().await, entries + 4 + 3);
    put(&machine, "mark", now).await;
    machine.advance(300);
    machine.work_while(async || count(&machine).await != 4).await;
    for name in ["put", "updated", "batch", "removed"] {
        assert!(!machine.get("hash", json!({ "a": { "S": name } })).await.is_null(), "{name}");
    }
}

#[tokio::test]
async fn items_from_before_time_to_live_expire_too() {
    let machine = Machine::with_tables("S").await;
    let now = machine.now();
    for n in 0..180 {
        put(&machine, &n.to_string(), now - n).await;
    }
    put(&machine, "stays", now + 100_000).await;
    machine.call("UpdateTimeToLive", spec("hash", true, "ttl")).await.unwrap();
    let enabling = json!({ "TimeToLiveStatus": "ENABLING", "AttributeName": "ttl" });
    assert_eq!(status(&machine).await, enabling);
    machine.work_while(async || count(&machine).await != 1).await;
    let enabled = json!({ "TimeToLiveStatus": "ENABLED", "AttributeName": "ttl" });
    assert_eq!(status(&machine).await, enabled);
}

#[tokio::test]
async fn a_large_item_expires_with_its_blob() {
    let machine = with_expiry().await;
    let entries = machine.entries().await;
    let text = "x".repeat(200_000);
    let ttl = json!({ "N": (machine.now() - 1).to_string() });
    machine.put("hash", json!({ "a": { "S": "big" }, "t": { "S": text }, "ttl": ttl })).await;
    assert_eq!(machine.blobs_held().await, 1);
    machine.work_until(entries).await;
    assert_eq!(machine.blobs_held().await, 0);
}

#[tokio::test]
async fn time_to_live_is_switched_once_an_hour() {
    let machine = with_expiry().await;
    put(&machine, "soon", machine.now() + 60).await;
    for (enabled, attribute, wanted) in [
        (true, "ttl", "TimeToLive is already enabled"),
        (
            true,
            "other",
            "TimeToLive is active on a different AttributeName: current AttributeName is ttl",
        ),
        (false, "ttl", "Time to live has been modified multiple times within a fixed interval"),
    ] {
        machine.check_invalid("UpdateTimeToLive", spec("hash", enabled, attribute), wanted).await;
    }
    machine.advance(3_600);
    let off = json!({
        "TimeToLiveSpecification": { "Enabled": false, "AttributeName": "ttl" },
    });
    machine.check("UpdateTimeToLive", spec("hash", false, "ttl"), off).await;
    assert_eq!(status(&machine).await, json!({ "TimeToLiveStatus": "DISABLED" }));
    let already = "TimeToLive is already disabled";
    machine.check_invalid("UpdateTimeToLive", spec("hash", false, "ttl"), already).await;
    // Two tables and the item, which stays although it has expired; the index goes.
    machine.work_until(3).await;
    assert_eq!(count(&machine).await, 1);
}

#[tokio::test]
async fn an_index_goes_with_its_table() {
    let machine = with_expiry().await;
    for n in 0..120 {
        put(&machine, &n.to_string(), machine.now() + 1_000_000).await;
    }
    machine.call("DeleteTable", json!({ "TableName": "hash" })).await.unwrap();
    machine.work_until(1).await;
}

#[tokio::test]
async fn what_is_no_time_to_live_is_refused() {
    let machine = Machine::with_tables("S").await;
    for (input, wanted) in [
        (
            json!({ "TableName": "hash" }),
            "1 validation error detected: Value null at 'timeToLiveSpecification' failed to \
             satisfy constraint: Member must not be null",
        ),
        (
            json!({ "TableName": "hash", "TimeToLiveSpecification": { "AttributeName": "" } }),
            "2 validation errors detected: Value null at 'timeToLiveSpecification.enabled' failed \
             to satisfy constraint: Member must not be null; Value '' at \
             'timeToLiveSpecification.attributeName' failed to satisfy constraint: Member must \
             have length greater than or equal to 1",
        ),
        (json!({}), "The parameter 'TableName' is required but was not present in the request"),
    ] {
        machine.check_invalid("UpdateTimeToLive", input, wanted).await;
    }
    let gone = "ResourceNotFoundException: Requested resource not found: Table: none not found";
    machine.check("UpdateTimeToLive", spec("none", true, "ttl"), json!(gone)).await;
    machine.check("DescribeTimeToLive", json!({ "TableName": "none" }), json!(gone)).await;
}
