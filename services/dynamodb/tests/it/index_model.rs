//! Random writes and transactions on a table with a stream and with indexes that come and go, on
//! both engines: items and indexes must be what a plain model says, and the records of the stream,
//! replayed, must come to the same.
//!
//! `CUMULET_MODEL_STEPS=1000000` takes that many steps on each engine instead of some thousand.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use proptest::collection::SizeRange;
use proptest::prelude::*;
use serde_json::{Value, json};
use store::Engine;

use crate::Machine;
use crate::stream::iterators;

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
    /// Puts one if there is none, counts another and deletes a third, or does nothing.
    Transact(Cell, Values, Cell, Cell),
    AddIndex,
    DropIndex,
    /// Lets the background finish.
    Work,
    Check(usize),
}

/// How many values the two keys have.
const PARTITIONS: u8 = 3;
const SORTS: u8 = 5;
/// How many steps one table sees in a long run.
const LONG_STEPS: usize = 1_000;
/// How often the stream is trimmed until everything in it must be gone.
const TICKS_MAX: usize = 1_000;

/// The two keys of an item.
type Cell = (u8, u8);
/// `g` and `l`, keys of indexes; 0 is none.
type Values = (u8, u8);
type Model = BTreeMap<Cell, Value>;

fn step() -> impl Strategy<Value = Step> {
    let cell = || (0..PARTITIONS, 0..SORTS);
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
        3 => (cell(), values(), cell(), cell()).prop_map(|(put, values, count, delete)| {
            Step::Transact(put, values, count, delete)
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
        "StreamSpecification": { "StreamEnabled": true, "StreamViewType": "NEW_AND_OLD_IMAGES" },
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
    /// Where the shards of the stream are read from next.
    iterators: Vec<Value>,
    /// What the records read so far come to.
    replayed: Model,
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
                self.count(cell);
            }
            Step::Delete(cell) => {
                let input = json!({ "TableName": "model", "Key": key(cell) });
                self.machine.call("DeleteItem", input).await.unwrap();
                self.model.remove(&cell);
            }
            Step::Batch(put, values, delete) => self.batch(put, values, delete).await,
            Step::Transact(put, values, count, delete) => {
                self.transact(put, values, count, delete).await;
            }
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
            Step::Check(limit) => {
                self.check(limit).await;
                self.replay().await;
            }
        }
    }

    fn count(&mut self, cell: Cell) {
        let item = self.model.entry(cell).or_insert_with(|| key(cell));
        let before = item["v"]["N"].as_str().map_or(0, |n| n.parse::<u32>().unwrap());
        item["v"] = json!({ "N": (before + 1).to_string() });
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

    async fn transact(&mut self, put: Cell, values: Values, count: Cell, delete: Cell) {
        let of = |cell| json!({ "TableName": "model", "Key": key(cell) });
        let mut add = of(count);
        add["UpdateExpression"] = json!("ADD v :v");
        add["ExpressionAttributeValues"] = json!({ ":v": { "N": "1" } });
        let input = json!({ "TransactItems": [
            { "Put": { "TableName": "model", "Item": item(put, values),
                "ConditionExpression": "attribute_not_exists(a)" } },
            { "Update": add },
            { "Delete": of(delete) },
        ] });
        let is_distinct = BTreeSet::from([put, count, delete]).len() == 3;
        let wanted = match is_distinct {
            true if !self.model.contains_key(&put) => "",
            true => "TransactionCanceledException",
            false => "ValidationException",
        };
        let failure = self.machine.call("TransactWriteItems", input).await.err();
        let failure = failure.unwrap_or_default();
        assert_eq!(failure.split(':').next().unwrap(), wanted, "{failure}");
        if wanted.is_empty() {
            self.model.insert(put, item(put, values));
            self.count(count);
            self.model.remove(&delete);
        }
    }

    /// Reads what the stream has told since, each record of which must fit those before it.
    async fn replay(&mut self) {
        for at in 0..self.iterators.len() {
            loop {
                let input = json!({ "ShardIterator": self.iterators[at] });
                let mut reply = self.machine.stream("GetRecords", input).await.unwrap();
                self.iterators[at] = reply["NextShardIterator"].take();
                let records = reply["Records"].as_array().unwrap();
                if records.is_empty() {
                    break;
                }
                for record in records {
                    self.apply(record);
                }
            }
        }
        assert_eq!(self.replayed, self.model);
    }

    fn apply(&mut self, record: &Value) {
        let change = &record["dynamodb"];
        let (old, new) = (change.get("OldImage"), change.get("NewImage"));
        let number = |name: &str, kind: &str| change["Keys"][name][kind].as_str()?.parse().ok();
        let cell = (number("a", "S").unwrap(), number("b", "N").unwrap());
        let name = match (old, new) {
            (None, Some(_)) => "INSERT",
            (Some(_), Some(_)) => "MODIFY",
            _ => "REMOVE",
        };
        assert_eq!(record["eventName"], name);
        assert_ne!(old, new, "a record tells of no change");
        assert_eq!(self.replayed.get(&cell), old, "{record}");
        match new {
            Some(new) => self.replayed.insert(cell, new.clone()),
            None => self.replayed.remove(&cell),
        };
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
        self.check_items().await;
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

    /// Reads all items there can be at one moment.
    async fn check_items(&self) {
        let cells = (0..PARTITIONS).flat_map(|a| (0..SORTS).map(move |b| (a, b)));
        let get = |cell| json!({ "Get": { "TableName": "model", "Key": key(cell) } });
        let input = json!({ "TransactItems": cells.clone().map(get).collect::<Value>() });
        let reply = self.machine.call("TransactGetItems", input).await.unwrap();
        for (cell, found) in cells.zip(reply["Responses"].as_array().unwrap()) {
            assert_eq!(found.get("Item"), self.model.get(&cell), "{cell:?}");
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
    let table = json!({ "TableName": "model" });
    let reply = machine.call("DescribeTable", table).await.unwrap();
    let iterators = iterators(&machine, &reply["Table"]["LatestStreamArn"], "TRIM_HORIZON").await;
    let mut world = World {
        machine,
        model: Model::new(),
        late: Late::Absent,
        iterators,
        replayed: Model::new(),
    };
    for step in steps {
        world.run(step).await;
    }
    world.work().await;
    world.check(3).await;
    world.replay().await;
    // Without items there is nothing left of any index, and after a day no blob is held.
    for cell in world.model.keys().copied().collect::<Vec<_>>() {
        world.run(Step::Delete(cell)).await;
    }
    assert_eq!(world.machine.entries().await, empty);
    world.machine.clock.advance(Duration::from_secs(25 * 3_600));
    for _ in 0..TICKS_MAX {
        if world.machine.blobs_held().await == 0 {
            break;
        }
        world.machine.tick_of("dynamodbstreams", "trim").await;
    }
    assert_eq!(world.machine.blobs_held().await, 0);
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

/// How many tables see how many steps each: what is usual, or what a long run asks for.
#[expect(clippy::disallowed_methods, reason = "tests have no configuration but the environment")]
fn size(usual: (u32, usize)) -> (u32, SizeRange) {
    let steps = std::env::var("CUMULET_MODEL_STEPS").ok();
    match steps.map(|steps| steps.parse::<usize>().unwrap()) {
        Some(steps) => {
            let tables = u32::try_from(steps.div_ceil(LONG_STEPS)).unwrap();
            (tables, (LONG_STEPS..=LONG_STEPS).into())
        }
        None => (usual.0, (1..usual.1).into()),
    }
}

const MEMORY: (u32, usize) = (64, 60);
const DISK: (u32, usize) = (6, 40);

proptest! {
    #![proptest_config(ProptestConfig { cases: size(MEMORY).0, ..ProptestConfig::default() })]

    #[test]
    fn indexes_have_what_the_items_say(
        steps in proptest::collection::vec(step(), size(MEMORY).1)
    ) {
        runtime().block_on(run(Arc::new(engine_memory::Memory::new()), steps));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: size(DISK).0, ..ProptestConfig::default() })]

    #[test]
    fn indexes_on_disk_have_it_too(steps in proptest::collection::vec(step(), size(DISK).1)) {
        runtime().block_on(async {
            let folder = tempfile::tempdir().unwrap();
            run(Arc::new(engine_fjall::Fjall::open(folder.path()).unwrap()), steps).await;
        });
    }
}
