use serde_json::{Value, json};

use crate::Machine;

/// A machine with the table `abc` (keys `a` and `b`) and a stream of it.
pub(crate) async fn machine(view: &str) -> (Machine, Value) {
    machine_of(view, json!({ "BillingMode": "PAY_PER_REQUEST" })).await
}

async fn machine_of(view: &str, capacity: Value) -> (Machine, Value) {
    let machine = Machine::new().await;
    let attribute = |name: &str| json!({ "AttributeName": name, "AttributeType": "S" });
    let key = |name: &str, kind: &str| json!({ "AttributeName": name, "KeyType": kind });
    let mut input = json!({
        "TableName": "abc",
        "AttributeDefinitions": [attribute("a"), attribute("b")],
        "KeySchema": [key("a", "HASH"), key("b", "RANGE")],
        "StreamSpecification": { "StreamEnabled": true, "StreamViewType": view },
    });
    input.as_object_mut().unwrap().extend(capacity.as_object().unwrap().clone());
    let created = machine.call("CreateTable", input).await.unwrap();
    let arn = created["TableDescription"]["LatestStreamArn"].clone();
    (machine, arn)
}

pub(crate) fn key(a: &str) -> Value {
    json!({ "a": { "S": a }, "b": { "S": "b" } })
}

pub(crate) fn item(a: &str, n: i32) -> Value {
    let mut item = key(a);
    item["n"] = json!({ "N": n.to_string() });
    item
}

async fn shards(machine: &Machine, arn: &Value) -> Vec<Value> {
    let input = json!({ "StreamArn": arn });
    let reply = machine.stream("DescribeStream", input).await.unwrap();
    reply["StreamDescription"]["Shards"].as_array().unwrap().clone()
}

/// An iterator for each shard.
pub(crate) async fn iterators(machine: &Machine, arn: &Value, kind: &str) -> Vec<Value> {
    let mut found = Vec::new();
    for shard in shards(machine, arn).await {
        let input = json!({ "StreamArn": arn, "ShardId": shard["ShardId"],
            "ShardIteratorType": kind });
        let reply = machine.stream("GetShardIterator", input).await.unwrap();
        found.push(reply["ShardIterator"].clone());
    }
    found
}

/// All records from some iterators on, and the iterators behind them.
async fn read(machine: &Machine, iterators: &[Value]) -> (Vec<Value>, Vec<Value>) {
    let (mut records, mut next) = (Vec::new(), Vec::new());
    for iterator in iterators {
        let reply = machine.stream("GetRecords", json!({ "ShardIterator": iterator })).await;
        let reply = reply.unwrap();
        records.extend(reply["Records"].as_array().unwrap().clone());
        next.extend(reply.get("NextShardIterator").cloned());
    }
    (records, next)
}

/// All records of a stream.
pub(crate) async fn all(machine: &Machine, arn: &Value) -> Vec<Value> {
    let iterators = iterators(machine, arn, "TRIM_HORIZON").await;
    read(machine, &iterators).await.0
}

#[tokio::test]
async fn every_change_is_told_once_and_in_order() {
    let (machine, arn) = machine("NEW_AND_OLD_IMAGES").await;
    let latest = iterators(&machine, &arn, "LATEST").await;
    machine.put("abc", item("p", 1)).await;
    // Writes that change nothing.
    machine.put("abc", item("p", 1)).await;
    machine.call("DeleteItem", json!({ "TableName": "abc", "Key": key("q") })).await.unwrap();
    let update = json!({ "TableName": "abc", "Key": key("p"), "UpdateExpression": "ADD n :n",
        "ExpressionAttributeValues": { ":n": { "N": "1" } } });
    machine.call("UpdateItem", update).await.unwrap();
    let batch = json!({ "RequestItems": { "abc": [{ "DeleteRequest": { "Key": key("p") } }] } });
    machine.call("BatchWriteItem", batch).await.unwrap();
    let (records, next) = read(&machine, &latest).await;
    let told: Vec<Value> = records
        .iter()
        .map(|record| {
            let about = &record["dynamodb"];
            assert_eq!(about["Keys"], key("p"));
            json!([record["eventName"], about["OldImage"], about["NewImage"]])
        })
        .collect();
    assert_eq!(
        json!(told),
        json!([
            ["INSERT", null, item("p", 1)],
            ["MODIFY", item("p", 1), item("p", 2)],
            ["REMOVE", item("p", 2), null],
        ])
    );
    let record = &records[0];
    assert_eq!(record["eventSource"], "aws:dynamodb");
    assert_eq!(record["awsRegion"], "us-east-1");
    assert_eq!(record["dynamodb"]["StreamViewType"], "NEW_AND_OLD_IMAGES");
    assert_eq!(record["dynamodb"]["SequenceNumber"].as_str().unwrap().len(), 21);
    assert!(records.is_sorted_by_key(|r| r["dynamodb"]["SequenceNumber"].to_string()));
    // What was read is not read again; what comes is.
    assert_eq!(read(&machine, &next).await.0, [] as [Value; 0]);
    machine.put("abc", item("r", 1)).await;
    assert_eq!(read(&machine, &next).await.0.len(), 1);
    assert_eq!(all(&machine, &arn).await.len(), 4);
}

#[tokio::test]
async fn a_view_says_what_a_change_has() {
    for (view, old, new) in [
        ("KEYS_ONLY", false, false),
        ("NEW_IMAGE", false, true),
        ("OLD_IMAGE", true, false),
        ("NEW_AND_OLD_IMAGES", true, true),
    ] {
        let (machine, arn) = machine(view).await;
        machine.put("abc", item("p", 1)).await;
        machine.put("abc", item("p", 2)).await;
        let records = all(&machine, &arn).await;
        let about = &records[1]["dynamodb"];
        assert_eq!(about.get("OldImage").is_some(), old, "{view}");
        assert_eq!(about.get("NewImage").is_some(), new, "{view}");
    }
}

#[tokio::test]
async fn a_shard_is_read_from_any_place() {
    let (machine, arn) = machine("KEYS_ONLY").await;
    for n in 0..10 {
        machine.put("abc", item("p", n)).await;
    }
    let records = all(&machine, &arn).await;
    let number = |n: usize| records[n]["dynamodb"]["SequenceNumber"].clone();
    for (kind, left) in [("AT_SEQUENCE_NUMBER", 6), ("AFTER_SEQUENCE_NUMBER", 5)] {
        let mut found = 0;
        for shard in shards(&machine, &arn).await {
            let input = json!({ "StreamArn": arn, "ShardId": shard["ShardId"],
                "ShardIteratorType": kind, "SequenceNumber": number(4) });
            let reply = machine.stream("GetShardIterator", input).await.unwrap();
            found += read(&machine, &[reply["ShardIterator"].clone()]).await.0.len();
        }
        assert_eq!(found, left, "{kind}");
    }
    // Page by page.
    let mut found = 0;
    for mut iterator in iterators(&machine, &arn, "TRIM_HORIZON").await {
        for _ in 0..5 {
            let input = json!({ "ShardIterator": iterator, "Limit": 3 });
            let reply = machine.stream("GetRecords", input).await.unwrap();
            assert!(reply["Records"].as_array().unwrap().len() <= 3);
            found += reply["Records"].as_array().unwrap().len();
            iterator = reply["NextShardIterator"].clone();
        }
    }
    assert_eq!(found, 10);
    let bad = json!({ "ShardIterator": "nonsense" });
    let wanted = "ValidationException: Invalid ShardIterator";
    assert_eq!(machine.stream("GetRecords", bad).await, Err(wanted.into()));
}

#[tokio::test]
async fn changes_are_kept_for_a_day() {
    let (machine, arn) = machine("NEW_IMAGE").await;
    let mut large = item("p", 1);
    large["x"] = json!({ "S": "x".repeat(70_000) });
    machine.put("abc", large).await;
    let first = all(&machine, &arn).await;
    let old = iterators(&machine, &arn, "TRIM_HORIZON").await;
    machine.advance(16 * 60);
    let expired = machine.stream("GetRecords", json!({ "ShardIterator": old[0] })).await;
    assert!(expired.unwrap_err().starts_with("ExpiredIteratorException"));
    machine.advance(24 * 60 * 60);
    machine.put("abc", item("p", 2)).await;
    assert_eq!(all(&machine, &arn).await.len(), 1);
    let shard = &shards(&machine, &arn).await[0]["ShardId"];
    let input = json!({ "StreamArn": arn, "ShardId": shard,
        "ShardIteratorType": "AT_SEQUENCE_NUMBER",
        "SequenceNumber": first[0]["dynamodb"]["SequenceNumber"] });
    let trimmed = "TrimmedDataAccessException: The operation attempted to read past the oldest \
                   stream record in a shard.";
    assert_eq!(machine.stream("GetShardIterator", input).await, Err(trimmed.into()));
    let before = machine.changes().await;
    assert_eq!(machine.blobs_held().await, 1);
    machine.tick_of("dynamodbstreams", "trim").await;
    assert_eq!(machine.changes().await, before - 1);
    assert_eq!(machine.blobs_held().await, 0);
}

#[tokio::test]
async fn a_stream_ends_and_is_read_for_a_day_more() {
    let (machine, arn) = machine("KEYS_ONLY").await;
    machine.put("abc", item("p", 1)).await;
    let again = json!({ "TableName": "abc",
        "StreamSpecification": { "StreamEnabled": true, "StreamViewType": "NEW_IMAGE" } });
    let enabled = "Table already has an enabled stream: TableName: abc";
    machine.check_invalid("UpdateTable", again.clone(), enabled).await;
    let end = json!({ "TableName": "abc", "StreamSpecification": { "StreamEnabled": false } });
    let table = machine.call("UpdateTable", end.clone()).await.unwrap();
    assert_eq!(table["TableDescription"]["LatestStreamArn"], arn);
    assert!(table["TableDescription"].get("StreamSpecification").is_none());
    let none = "Table has no stream to disable: TableName: abc";
    machine.check_invalid("UpdateTable", end, none).await;
    machine.put("abc", item("p", 2)).await;
    let ended = machine.stream("DescribeStream", json!({ "StreamArn": arn })).await.unwrap();
    let ended = &ended["StreamDescription"];
    assert_eq!(ended["StreamStatus"], "DISABLED");
    assert!(ended["Shards"][0]["SequenceNumberRange"].get("EndingSequenceNumber").is_some());
    let from = iterators(&machine, &arn, "TRIM_HORIZON").await;
    let (records, next) = read(&machine, &from).await;
    assert_eq!((records.len(), next.len()), (1, 0));

    // Another stream of the same table; both go on when the table is gone.
    let table = machine.call("UpdateTable", again).await.unwrap();
    let second = table["TableDescription"]["LatestStreamArn"].clone();
    assert_ne!(second, arn);
    machine.put("abc", item("p", 3)).await;
    machine.call("DeleteTable", json!({ "TableName": "abc" })).await.unwrap();
    let listed = machine.stream("ListStreams", json!({ "TableName": "abc" })).await.unwrap();
    assert_eq!(listed["Streams"].as_array().unwrap().len(), 2);
    assert_eq!(listed["Streams"][1]["StreamArn"], second);
    assert_eq!(all(&machine, &second).await.len(), 1);
    machine.advance(24 * 60 * 60 + 1);
    machine.tick_of("dynamodbstreams", "trim").await;
    let listed = machine.stream("ListStreams", json!({})).await.unwrap();
    assert_eq!(listed["Streams"], json!([]));
    assert_eq!(machine.changes().await, 0);
    let gone = format!(
        "ResourceNotFoundException: Requested resource not found: Stream: {} not found",
        second.as_str().unwrap()
    );
    let input = json!({ "StreamArn": second });
    assert_eq!(machine.stream("DescribeStream", input).await, Err(gone));
}

#[tokio::test]
async fn a_reader_misses_nothing_of_many_writers() {
    let (machine, arn) = machine("NEW_IMAGE").await;
    let mut next = iterators(&machine, &arn, "TRIM_HORIZON").await;
    let write = async {
        for n in 0..30 {
            let writers = (0..8).map(|a| machine.put_owned("abc", item(&a.to_string(), n)));
            let writers: Vec<_> = writers.map(|put| base::task::spawn("writer", put)).collect();
            for writer in writers {
                writer.await.unwrap();
            }
        }
    };
    let mut seen: Vec<Value> = Vec::new();
    let mut write = std::pin::pin!(write);
    let mut done = false;
    while !done || seen.len() < 240 {
        tokio::select! {
            biased;
            () = tokio::task::yield_now() => {}
            () = &mut write, if !done => done = true,
        }
        let (records, behind) = read(&machine, &next).await;
        assert!(!done || !records.is_empty() || seen.len() == 240, "{} are seen", seen.len());
        seen.extend(records);
        next = behind;
    }
    for a in (0..8).map(|a| a.to_string()) {
        let of = |record: &&Value| record["dynamodb"]["Keys"]["a"]["S"] == a;
        let values = seen.iter().filter(of).map(|r| r["dynamodb"]["NewImage"]["n"]["N"].clone());
        let wanted: Vec<Value> = (0..30).map(|n| json!(n.to_string())).collect();
        assert_eq!(values.collect::<Vec<_>>(), wanted);
    }
}

#[tokio::test]
async fn a_stream_has_a_shard_for_each_partition_of_its_table() {
    for (reads, writes, wanted) in
        [(5, 5, 1), (2997, 1, 1), (2998, 1, 2), (1, 2999, 3), (1, 40_000, 4)]
    {
        let units = json!({ "ReadCapacityUnits": reads, "WriteCapacityUnits": writes });
        let (machine, arn) =
            machine_of("KEYS_ONLY", json!({ "ProvisionedThroughput": units })).await;
        let iterators = iterators(&machine, &arn, "TRIM_HORIZON").await;
        assert_eq!(iterators.len(), wanted, "{reads} reads, {writes} writes");
        for n in 0..8 {
            let input = json!({ "TableName": "abc", "Item": item(&n.to_string(), n) });
            machine.call("PutItem", input).await.unwrap();
        }
        // It stays as it was made, whatever becomes of the table.
        let input = json!({ "TableName": "abc", "BillingMode": "PAY_PER_REQUEST" });
        machine.call("UpdateTable", input).await.unwrap();
        let input = json!({ "TableName": "abc", "Item": item("late", 1) });
        machine.call("PutItem", input).await.unwrap();
        assert_eq!(shards(&machine, &arn).await.len(), wanted);
        assert_eq!(read(&machine, &iterators).await.0.len(), 9);
    }
    let (machine, arn) = machine("KEYS_ONLY").await;
    assert_eq!(shards(&machine, &arn).await.len(), 4, "on demand");
}
