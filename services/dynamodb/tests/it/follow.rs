//! What follows from transactions and statements: index entries, stream records, expiry.

use serde_json::{Value, json};

use crate::Machine;
use crate::index::{definition, item, machine as indexed, query};
use crate::stream::all as records;
use crate::transact::all as transaction;

fn key(b: &str) -> Value {
    json!({ "a": { "S": "p" }, "b": { "S": b } })
}

fn put(item: Value) -> Value {
    json!({ "Put": { "TableName": "abc", "Item": item } })
}

fn set(b: &str, n: i32) -> Value {
    json!({ "Update": {
        "TableName": "abc",
        "Key": key(b),
        "UpdateExpression": "SET n = :n",
        "ExpressionAttributeValues": { ":n": { "N": n.to_string() } },
    }})
}

fn check(b: &str, condition: &str) -> Value {
    json!({ "ConditionCheck":
        { "TableName": "abc", "Key": key(b), "ConditionExpression": condition } })
}

/// A machine with the table of [`definition`] and a stream of it, and the stream.
async fn told() -> (Machine, Value) {
    let machine = Machine::new().await;
    let mut definition = definition();
    definition["StreamSpecification"] =
        json!({ "StreamEnabled": true, "StreamViewType": "NEW_AND_OLD_IMAGES" });
    let created = machine.call("CreateTable", definition).await.unwrap();
    (machine, created["TableDescription"]["LatestStreamArn"].clone())
}

/// The items of an index with `c` = u, in its order.
async fn entries(machine: &Machine) -> String {
    let input = query("rangeCN", "c = :c", json!({ ":c": { "S": "u" } }));
    let reply = machine.call("Query", input).await.unwrap();
    let items = reply["Items"].as_array().unwrap().iter();
    items.map(|item| item["b"]["S"].as_str().unwrap()).collect::<Vec<_>>().join(" ")
}

#[tokio::test]
async fn a_transaction_is_followed_as_its_writes_are() {
    let (machine, stream) = told().await;
    for (b, n) in [("2", 2), ("3", 3), ("4", 4)] {
        machine.put("abc", item("p", b, "u", n)).await;
    }
    let before = machine.entries().await;
    let checked = transaction(json!([check("4", "attribute_exists(n)")]));
    machine.call("TransactWriteItems", checked).await.unwrap();
    assert_eq!(machine.entries().await, before);
    assert_eq!(records(&machine, &stream).await.len(), 3);

    let delete = json!({ "Delete": { "TableName": "abc", "Key": key("3") } });
    let items = json!([
        put(item("p", "1", "u", 10)),
        set("2", 20),
        delete,
        check("4", "attribute_exists(n)")
    ]);
    machine.call("TransactWriteItems", transaction(items)).await.unwrap();
    assert_eq!(entries(&machine).await, "4 1 2");
    let all = records(&machine, &stream).await;
    let events: Vec<&str> = all[3..].iter().map(|r| r["eventName"].as_str().unwrap()).collect();
    assert_eq!(events, ["INSERT", "MODIFY", "REMOVE"]);
    assert_eq!(all[4]["dynamodb"]["OldImage"]["n"]["N"], "2");
    assert_eq!(all[4]["dynamodb"]["NewImage"]["n"]["N"], "20");

    let items = json!([put(item("p", "5", "u", 5)), check("4", "n = b")]);
    machine.call("TransactWriteItems", transaction(items)).await.unwrap_err();
    let mistaken = json!({ "a": { "S": "p" }, "b": { "S": "6" }, "c": { "N": "1" } });
    let items = json!([put(item("p", "5", "u", 5)), put(mistaken)]);
    let error = machine.call("TransactWriteItems", transaction(items)).await.unwrap_err();
    assert!(error.contains("[None, ValidationError]"), "{error}");
    assert!(error.contains("Type mismatch for Index Key c"), "{error}");
    assert_eq!(entries(&machine).await, "4 1 2");
    assert_eq!(records(&machine, &stream).await.len(), 6);
}

#[tokio::test]
async fn a_transaction_counts_what_it_does_to_indexes() {
    let machine = indexed().await;
    let mut input =
        transaction(json!([put(item("p", "1", "u", 1)), check("2", "attribute_not_exists(a)")]));
    input["ReturnConsumedCapacity"] = json!("INDEXES");
    input["ReturnItemCollectionMetrics"] = json!("SIZE");
    let units = |units: f64| json!({ "CapacityUnits": units, "WriteCapacityUnits": units });
    let mut capacity = units(12.0);
    capacity["TableName"] = json!("abc");
    capacity["Table"] = units(4.0);
    capacity["LocalSecondaryIndexes"] = json!({ "byC": units(2.0), "byN": units(2.0) });
    capacity["GlobalSecondaryIndexes"] = json!({ "hashC": units(2.0), "rangeCN": units(2.0) });
    let collection =
        json!({ "ItemCollectionKey": { "a": { "S": "p" } }, "SizeEstimateRangeGB": [0.0, 1.0] });
    let wanted = json!({
        "ConsumedCapacity": [capacity],
        "ItemCollectionMetrics": { "abc": [collection] },
    });
    machine.check("TransactWriteItems", input, wanted).await;
}

#[tokio::test]
async fn a_transaction_with_too_much_to_follow_is_refused() {
    let (machine, stream) = told().await;
    let large = |b: usize| {
        let mut item = item("p", &b.to_string(), "u", 1);
        item["y"] = json!({ "S": "y".repeat(46_000) });
        put(item)
    };
    let items = |count: usize| transaction((0..count).map(large).collect());
    let why = "The items of the transaction, with their index entries, stream records and \
               history, exceed 8 MB";
    machine.check_invalid("TransactWriteItems", items(90), why).await;
    assert!(records(&machine, &stream).await.is_empty());
    machine.check("TransactWriteItems", items(20), json!({})).await;
    assert_eq!(records(&machine, &stream).await.len(), 20);
}

/// The values of `b` of what a statement finds, page by page.
async fn found(machine: &Machine, statement: &str, limit: usize) -> String {
    let mut input = json!({ "Statement": statement, "Limit": limit });
    let mut found = Vec::new();
    loop {
        let page = machine.call("ExecuteStatement", input.clone()).await.unwrap();
        let items = page["Items"].as_array().unwrap();
        found.extend(items.iter().map(|item| item["b"]["S"].as_str().unwrap().to_owned()));
        match page.get("NextToken") {
            Some(token) => input["NextToken"] = token.clone(),
            None => return found.join(" "),
        }
    }
}

#[tokio::test]
async fn statements_read_indexes() {
    let machine = indexed().await;
    for (a, b, c, n) in
        [("p", "1", "u", 3), ("p", "2", "u", -1), ("q", "3", "u", 20), ("p", "4", "v", 2)]
    {
        machine.put("abc", item(a, b, c, n)).await;
    }
    for (statement, wanted) in [
        ("SELECT b FROM \"abc\".\"rangeCN\" WHERE c = 'u' ORDER BY n DESC", "3 1 2"),
        ("SELECT b FROM \"abc\".\"rangeCN\" WHERE c = 'u' AND n > 0", "1 3"),
        ("SELECT b FROM abc.rangeCN WHERE c IN ['u', 'v'] ORDER BY c DESC, n", "4 2 1 3"),
        ("SELECT b, y FROM \"abc\".\"byN\" WHERE a = 'p'", "2 4 1"),
    ] {
        for limit in 1..5 {
            assert_eq!(found(&machine, statement, limit).await, wanted, "{statement}");
        }
    }
    for limit in 1..5 {
        let all = found(&machine, "SELECT b FROM \"abc\".\"hashC\"", limit).await;
        assert_eq!(all.split(' ').count(), 4);
    }
    // A local index fetches what it lacks, a global one does not.
    let input = json!({ "Statement": "SELECT y FROM abc.byN WHERE a = 'q'" });
    machine.check("ExecuteStatement", input, json!({ "Items": [{ "y": { "S": "y" } }] })).await;
    let input = json!({ "Statement": "SELECT y FROM abc.rangeCN WHERE c = 'u'" });
    let why = "One or more parameter values were invalid: Global secondary index rangeCN does not \
               project [y]";
    machine.check_invalid("ExecuteStatement", input, why).await;
    let input = json!({ "Statement": "SELECT b FROM abc.rangeCN", "ConsistentRead": true });
    let why = "Consistent reads are not supported on global secondary indexes";
    machine.check_invalid("ExecuteStatement", input, why).await;
    let input = json!({
        "Statement": "SELECT b FROM abc.rangeCN WHERE c IN ['v', 'w']",
        "ReturnConsumedCapacity": "INDEXES",
    });
    let reply = machine.call("ExecuteStatement", input).await.unwrap();
    let wanted = json!({
        "TableName": "abc",
        "CapacityUnits": 1.0,
        "Table": { "CapacityUnits": 0.0 },
        "GlobalSecondaryIndexes": { "rangeCN": { "CapacityUnits": 1.0 } },
    });
    assert_eq!(reply["ConsumedCapacity"], wanted);
}

#[tokio::test]
async fn what_transactions_and_statements_write_expires_and_is_told() {
    let (machine, stream) = told().await;
    let spec = json!({ "Enabled": true, "AttributeName": "ttl" });
    let input = json!({ "TableName": "abc", "TimeToLiveSpecification": spec });
    machine.call("UpdateTimeToLive", input).await.unwrap();
    let due = machine.now() + 60;
    let mut written = item("p", "1", "u", 1);
    written["ttl"] = json!({ "N": due.to_string() });
    machine.call("TransactWriteItems", transaction(json!([put(written)]))).await.unwrap();
    let text = format!("INSERT INTO abc VALUE {{'a': 'p', 'b': '2', 'ttl': {due}}}");
    machine.call("ExecuteStatement", json!({ "Statement": text })).await.unwrap();
    machine.advance(120);
    let there = async |b: &str| !machine.get("abc", key(b)).await.is_null();
    machine.work_while(async || there("1").await || there("2").await).await;
    assert_eq!(records(&machine, &stream).await.len(), 4);
    assert_eq!(entries(&machine).await, "");
    for record in &records(&machine, &stream).await[2..] {
        assert_eq!(record["eventName"], "REMOVE");
        let by = json!({ "PrincipalId": "dynamodb.amazonaws.com", "Type": "Service" });
        assert_eq!(record["userIdentity"], by);
    }
}
