//! Random writes to a table with indexes that come and go: each index must have what a plain model
//! says, in its order, on both engines.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use proptest::prelude::*;
use serde_json::{Value, json};
use store::Engine;

use crate::Machine;

#[derive(Debug, Clone)]
enum Step {
    Put(Cell, Values),
    PutLarge(Cell, Values),
    SetL(Cell, u8),
    RemoveG(Cell),
    Count(Cell),
    Delete(Cell),
    /// Puts one and deletes another.
    Batch(Cell, Values, Cell),
    AddIndex,
    DropIndex,
    /// Lets the background finish.
    Work,
    Check(usize),
}

/// The two keys of an item.
type Cell = (u8, u8);
/// `g` and `l`, keys of indexes; 0 is none.
type Values = (u8, u8);
type Model = BTreeMap<Cell, Value>;

fn step() -> impl Strategy<Value = Step> {
    let cell = || (0u8..3, 0u8..5);
    let values = || (0u8..3, 0u8..4);
    prop_oneof![
        6 => (cell(), values()).prop_map(|(cell, values)| Step::Put(cell, values)),
        2 => (cell(), values()).prop_map(|(cell, values)| Step::PutLarge(cell, values)),
        3 => (cell(), 1u8..4).prop_map(|(cell, l)| Step::SetL(cell, l)),
        2 => cell().prop_map(Step::RemoveG),
        2 => cell().prop_map(Step::Count),
        3 => cell().prop_map(Step::Delete),
        2 => (cell(), values(), cell()).prop_map(|(put, values, delete)| {
            Step::Batch(put, values, delete)
        }),
        1 => Just(Step::AddIndex),
        1 => Just(Step::DropIndex),
        1 => Just(Step::Work),
        3 => (1usize..5).prop_map(Step::Check),
    ]
}

fn key((a, b): Cell) -> Value {
    json!({ "a": { "S": a.to_string() }, "b": { "N": b.to_string() } })
}

fn item(cell: Cell, (g, l): Values) -> Value {
    let mut item = key(cell);
    item["v"] = json!({ "N": "0" });
    if g > 0 {
        item["g"] = json!({ "S": format!("g{g}") });
    }
    if l > 0 {
        // Of different lengths, one within the other.
        item["l"] = json!({ "S": "l".repeat(usize::from(l) * 5) });
    }
    item
}

/// An index: its name, its keys, and what else it has of an item; none for everything.
struct Index {
    name: &'static str,
    keys: &'static [&'static str],
    more: Option<&'static [&'static str]>,
}

const LOCAL: Index = Index { name: "local", keys: &["a", "l"], more: Some(&["v"]) };
const KEYS: Index = Index { name: "keys", keys: &["g"], more: Some(&[]) };
const WHOLE: Index = Index { name: "whole", keys: &["g", "l"], more: None };
const LATE: Index = Index { name: "late", keys: &["l", "b"], more: Some(&["x"]) };

impl Index {
    fn definition(&self) -> Value {
        let kinds = ["HASH", "RANGE"];
        let element = |(name, kind)| json!({ "AttributeName": name, "KeyType": kind });
        let projection = match self.more {
            None => json!({ "ProjectionType": "ALL" }),
            Some([]) => json!({ "ProjectionType": "KEYS_ONLY" }),
            Some(more) => json!({ "ProjectionType": "INCLUDE", "NonKeyAttributes": more }),
        };
        let keys: Value = self.keys.iter().zip(kinds).map(element).collect();
        json!({ "IndexName": self.name, "KeySchema": keys, "Projection": projection })
    }

    /// The entry of an item, if it has one.
    fn entry(&self, item: &Value) -> Option<Value> {
        if self.keys.iter().any(|name| item.get(*name).is_none()) {
            return None;
        }
        let Some(more) = self.more else { return Some(item.clone()) };
        let names = ["a", "b"].iter().chain(self.keys).chain(more);
        let kept = names.filter_map(|name| Some(((*name).to_owned(), item.get(*name)?.clone())));
        Some(kept.collect())
    }

    /// The value by which the index is ordered.
    fn sort(&self, item: &Value) -> (u64, String) {
        let value = self.keys.get(1).map(|name| &item[*name]).cloned().unwrap_or_default();
        let number = value["N"].as_str().map_or(0, |number| number.parse().unwrap());
        (number, value["S"].as_str().unwrap_or_default().to_owned())
    }
}

fn definitions(names: &[&str]) -> Value {
    let kind = |name: &str| if name == "b" { "N" } else { "S" };
    let one = |name: &&str| json!({ "AttributeName": name, "AttributeType": kind(name) });
    names.iter().map(one).collect()
}

fn table() -> Value {
    json!({
        "TableName": "model",
        "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": definitions(&["a", "b", "g", "l"]),
        "KeySchema": [{ "AttributeName": "a", "KeyType": "HASH" },
            { "AttributeName": "b", "KeyType": "RANGE" }],
        "LocalSecondaryIndexes": [LOCAL.definition()],
        "GlobalSecondaryIndexes": [KEYS.definition(), WHOLE.definition()],
    })
}

/// What the late index is, as the model sees it.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Late {
    Absent,
    Coming,
    There,
    Going,
}

struct World {
    machine: Machine,
    model: Model,
    late: Late,
}

impl World {
    async fn run(&mut self, step: Step) {
        match step {
            Step::Put(cell, values) => self.put(cell, item(cell, values)).await,
            Step::PutLarge(cell, values) => {
                let mut large = item(cell, values);
                large["x"] = json!({ "S": "x".repeat(70_000) });
                self.put(cell, large).await;
            }
            Step::SetL(cell, l) => {
                let value = item(cell, (0, l))["l"].clone();
                self.update(cell, "SET l = :v", value.clone()).await;
                self.model.entry(cell).or_insert_with(|| key(cell))["l"] = value;
            }
            Step::RemoveG(cell) => {
                let input = json!({ "TableName": "model", "Key": key(cell),
                    "UpdateExpression": "REMOVE g" });
                self.machine.call("UpdateItem", input).await.unwrap();
                if let Some(item) = self.model.get_mut(&cell) {
                    item.as_object_mut().unwrap().remove("g");
                }
            }
            Step::Count(cell) => {
                self.update(cell, "ADD v :v", json!({ "N": "1" })).await;
                let item = self.model.entry(cell).or_insert_with(|| key(cell));
                let before = item["v"]["N"].as_str().map_or(0, |n| n.parse::<u32>().unwrap());
                item["v"] = json!({ "N": (before + 1).to_string() });
            }
            Step::Delete(cell) => {
                let input = json!({ "TableName": "model", "Key": key(cell) });
                self.machine.call("DeleteItem", input).await.unwrap();
                self.model.remove(&cell);
            }
            Step::Batch(put, values, delete) => self.batch(put, values, delete).await,
            Step::AddIndex => {
                let done = self.change(json!([{ "Create": LATE.definition() }])).await;
                assert_eq!(done, self.late == Late::Absent);
                self.late = if done { Late::Coming } else { self.late };
            }
            Step::DropIndex => {
                let done = self.change(json!([{ "Delete": { "IndexName": LATE.name } }])).await;
                assert_eq!(done, matches!(self.late, Late::Coming | Late::There));
                self.late = if done { Late::Going } else { self.late };
            }
            Step::Work => self.work().await,
            Step::Check(limit) => self.check(limit).await,
        }
    }

    async fn put(&mut self, cell: Cell, item: Value) {
        self.machine.put("model", item.clone()).await;
        self.model.insert(cell, item);
    }

    async fn update(&self, cell: Cell, expression: &str, value: Value) {
        let input = json!({ "TableName": "model", "Key": key(cell), "UpdateExpression": expression,
            "ExpressionAttributeValues": { ":v": value } });
        self.machine.call("UpdateItem", input).await.unwrap();
    }

    async fn batch(&mut self, put: Cell, values: Values, delete: Cell) {
        let mut requests = vec![json!({ "PutRequest": { "Item": item(put, values) } })];
        if put != delete {
            requests.push(json!({ "DeleteRequest": { "Key": key(delete) } }));
        }
        let input = json!({ "RequestItems": { "model": requests } });
        self.machine.call("BatchWriteItem", input).await.unwrap();
        self.model.remove(&delete);
        self.model.insert(put, item(put, values));
    }

    async fn change(&self, changes: Value) -> bool {
        let input = json!({ "TableName": "model", "GlobalSecondaryIndexUpdates": changes,
            "AttributeDefinitions": definitions(&["l", "b"]) });
        self.machine.call("UpdateTable", input).await.is_ok()
    }

    async fn work(&mut self) {
        self.machine.work_done().await;
        // Seen in the engine a moment before it is acknowledged.
        while !self.is_settled().await {
            tokio::task::yield_now().await;
        }
        self.late = match self.late {
            Late::Coming | Late::There => Late::There,
            Late::Going | Late::Absent => Late::Absent,
        };
    }

    async fn is_settled(&self) -> bool {
        let input = json!({ "TableName": "model" });
        let reply = self.machine.call("DescribeTable", input).await.unwrap();
        let indexes = reply["Table"]["GlobalSecondaryIndexes"].as_array().unwrap();
        indexes.iter().all(|index| index["IndexStatus"] == "ACTIVE")
    }

    async fn check(&self, limit: usize) {
        let mut indexes = vec![LOCAL, KEYS, WHOLE];
        if self.late == Late::There {
            indexes.push(LATE);
        }
        for index in &indexes {
            let wanted: Vec<Value> =
                self.model.values().filter_map(|item| index.entry(item)).collect();
            let scan = json!({ "TableName": "model", "IndexName": index.name });
            let found = self.pages("Scan", scan, limit).await;
            assert_eq!(sorted(found), sorted(wanted.clone()), "{}", index.name);
            let partitions: BTreeSet<&str> =
                wanted.iter().map(|item| item[index.keys[0]]["S"].as_str().unwrap()).collect();
            for partition in partitions {
                self.query(index, &wanted, partition, limit).await;
            }
        }
    }

    async fn query(&self, index: &Index, all: &[Value], partition: &str, limit: usize) {
        let is_of = |item: &&Value| item[index.keys[0]]["S"] == partition;
        let wanted: Vec<Value> = all.iter().filter(is_of).cloned().collect();
        let mut input = json!({
            "TableName": "model", "IndexName": index.name,
            "KeyConditionExpression": "#k = :k",
            "ExpressionAttributeNames": { "#k": index.keys[0] },
            "ExpressionAttributeValues": { ":k": { "S": partition } },
        });
        let forward = self.pages("Query", input.clone(), limit).await;
        assert_eq!(sorted(forward.clone()), sorted(wanted));
        assert!(forward.is_sorted_by_key(|item| index.sort(item)), "{forward:?}");
        input["ScanIndexForward"] = json!(false);
        let mut backward = self.pages("Query", input, limit).await;
        backward.reverse();
        assert_eq!(backward, forward);
    }

    async fn pages(&self, operation: &str, mut input: Value, limit: usize) -> Vec<Value> {
        input["Limit"] = json!(limit);
        let mut found = Vec::new();
        loop {
            let page = self.machine.call(operation, input.clone()).await.unwrap();
            found.extend(page["Items"].as_array().unwrap().clone());
            match page.get("LastEvaluatedKey") {
                Some(key) => input["ExclusiveStartKey"] = key.clone(),
                None => return found,
            }
        }
    }
}

fn sorted(mut items: Vec<Value>) -> Vec<Value> {
    items.sort_by_key(key_of);
    items
}

fn key_of(item: &Value) -> String {
    format!("{} {}", item["a"]["S"], item["b"]["N"])
}

async fn run(engine: Arc<dyn Engine>, steps: Vec<Step>) {
    let machine = Machine::on(engine).await;
    machine.call("CreateTable", table()).await.unwrap();
    let empty = machine.entries().await;
    let mut world = World { machine, model: Model::new(), late: Late::Absent };
    for step in steps {
        world.run(step).await;
    }
    world.work().await;
    world.check(3).await;
    // Without items there is nothing left of any index, and no blob is held.
    for cell in world.model.keys().copied().collect::<Vec<_>>() {
        world.run(Step::Delete(cell)).await;
    }
    assert_eq!(world.machine.entries().await, empty);
    assert_eq!(world.machine.blobs_held().await, 0);
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn indexes_have_what_the_items_say(steps in proptest::collection::vec(step(), 1..60)) {
        runtime().block_on(run(Arc::new(engine_memory::Memory::new()), steps));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 6, ..ProptestConfig::default() })]

    #[test]
    fn indexes_on_disk_have_it_too(steps in proptest::collection::vec(step(), 1..40)) {
        runtime().block_on(async {
            let folder = tempfile::tempdir().unwrap();
            run(Arc::new(engine_fjall::Fjall::open(folder.path()).unwrap()), steps).await;
        });
    }
}
