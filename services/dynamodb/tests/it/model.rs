//! Random operations against the service and against a plain map must agree in every reply.

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::{Value, json};

use crate::Machine;

#[derive(Debug, Clone)]
enum Step {
    Put(u8, u8, i32),
    /// Puts only where there is nothing.
    PutNew(u8, u8, i32),
    PutLarge(u8, u8),
    Add(u8, u8, i32),
    /// Deletes only what has this value.
    DeleteIf(u8, u8, i32),
    Delete(u8, u8),
    Get(u8, u8),
    Query {
        partition: u8,
        from: u8,
        forward: bool,
        limit: usize,
    },
    Scan,
}

fn step() -> impl Strategy<Value = Step> {
    let cell = || (0u8..3, 0u8..6, -2i32..3);
    let query = (cell(), any::<bool>(), 1usize..4);
    prop_oneof![
        3 => cell().prop_map(|(p, s, v)| Step::Put(p, s, v)),
        2 => cell().prop_map(|(p, s, v)| Step::PutNew(p, s, v)),
        1 => cell().prop_map(|(p, s, _)| Step::PutLarge(p, s)),
        3 => cell().prop_map(|(p, s, v)| Step::Add(p, s, v)),
        2 => cell().prop_map(|(p, s, v)| Step::DeleteIf(p, s, v)),
        1 => cell().prop_map(|(p, s, _)| Step::Delete(p, s)),
        2 => cell().prop_map(|(p, s, _)| Step::Get(p, s)),
        2 => query.prop_map(|((partition, from, _), forward, limit)| {
            Step::Query { partition, from, forward, limit }
        }),
        1 => Just(Step::Scan),
    ]
}

type Model = BTreeMap<(u8, u8), Value>;

fn key(partition: u8, sort: u8) -> Value {
    json!({ "a": { "S": partition.to_string() }, "b": { "N": sort.to_string() } })
}

fn item(partition: u8, sort: u8, value: i32) -> Value {
    let mut item = key(partition, sort);
    item["n"] = json!({ "N": value.to_string() });
    item
}

async fn run(machine: &Machine, model: &mut Model, step: Step) {
    let failed =
        || Err("ConditionalCheckFailedException: The conditional request failed".to_owned());
    match step {
        Step::Put(p, s, v) => {
            machine.put("range", item(p, s, v)).await;
            model.insert((p, s), item(p, s, v));
        }
        Step::PutNew(p, s, v) => {
            let input = json!({
                "TableName": "range", "Item": item(p, s, v),
                "ConditionExpression": "attribute_not_exists(a)",
            });
            let wanted = if model.contains_key(&(p, s)) { failed() } else { Ok(json!({})) };
            assert_eq!(machine.call("PutItem", input).await, wanted);
            model.entry((p, s)).or_insert_with(|| item(p, s, v));
        }
        Step::PutLarge(p, s) => {
            let mut large = item(p, s, 0);
            large["x"] = json!({ "S": "x".repeat(70_000) });
            machine.put("range", large.clone()).await;
            model.insert((p, s), large);
        }
        Step::Add(p, s, v) => {
            let input = json!({
                "TableName": "range", "Key": key(p, s), "UpdateExpression": "ADD n :v",
                "ExpressionAttributeValues": { ":v": { "N": v.to_string() } },
                "ReturnValues": "ALL_NEW",
            });
            let entry = model.entry((p, s)).or_insert_with(|| item(p, s, 0));
            let before: i32 = entry["n"]["N"].as_str().unwrap().parse().unwrap();
            entry["n"] = json!({ "N": (before + v).to_string() });
            let wanted = json!({ "Attributes": entry });
            assert_eq!(machine.call("UpdateItem", input).await, Ok(wanted));
        }
        Step::DeleteIf(p, s, v) => {
            let value = json!({ "N": v.to_string() });
            let input = json!({
                "TableName": "range", "Key": key(p, s), "ConditionExpression": "n = :v",
                "ExpressionAttributeValues": { ":v": value },
            });
            let matches = model.get(&(p, s)).is_some_and(|item| item["n"] == value);
            let wanted = if matches { Ok(json!({})) } else { failed() };
            assert_eq!(machine.call("DeleteItem", input).await, wanted);
            if matches {
                model.remove(&(p, s));
            }
        }
        Step::Delete(p, s) => {
            let input =
                json!({ "TableName": "range", "Key": key(p, s), "ReturnValues": "ALL_OLD" });
            let wanted = match model.remove(&(p, s)) {
                Some(old) => json!({ "Attributes": old }),
                None => json!({}),
            };
            assert_eq!(machine.call("DeleteItem", input).await, Ok(wanted));
        }
        Step::Get(p, s) => {
            let found = machine.get("range", key(p, s)).await;
            assert_eq!(found, model.get(&(p, s)).cloned().unwrap_or(Value::Null));
        }
        Step::Query { partition, from, forward, limit } => {
            query(machine, model, partition, from, forward, limit).await;
        }
        Step::Scan => scan(machine, model).await,
    }
}

async fn scan(machine: &Machine, model: &Model) {
    let reply = machine.call("Scan", json!({ "TableName": "range" })).await.unwrap();
    let mut found = reply["Items"].as_array().unwrap().clone();
    let mut wanted: Vec<Value> = model.values().cloned().collect();
    found.sort_by_key(Value::to_string);
    wanted.sort_by_key(Value::to_string);
    assert_eq!(found, wanted);
}

async fn query(
    machine: &Machine,
    model: &Model,
    partition: u8,
    from: u8,
    forward: bool,
    limit: usize,
) {
    let mut wanted: Vec<Value> =
        model.range((partition, from)..(partition + 1, 0)).map(|(_, item)| item.clone()).collect();
    if !forward {
        wanted.reverse();
    }
    let mut input = json!({
        "TableName": "range",
        "KeyConditionExpression": "a = :a AND b >= :b",
        "ExpressionAttributeValues":
            { ":a": { "S": partition.to_string() }, ":b": { "N": from.to_string() } },
        "ScanIndexForward": forward,
        "Limit": limit,
    });
    let mut found = Vec::new();
    loop {
        let page = machine.call("Query", input.clone()).await.unwrap();
        found.extend(page["Items"].as_array().unwrap().clone());
        match page.get("LastEvaluatedKey") {
            Some(key) => input["ExclusiveStartKey"] = key.clone(),
            None => break,
        }
    }
    assert_eq!(found, wanted);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn the_service_does_what_a_map_does(steps in proptest::collection::vec(step(), 1..80)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let machine = Machine::with_tables("N").await;
            let mut model = Model::new();
            let empty = machine.entries().await;
            for step in steps {
                run(&machine, &mut model, step).await;
                assert_eq!(machine.entries().await, empty + model.len());
            }
        });
    }
}
