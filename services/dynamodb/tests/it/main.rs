//! The service against the memory engine, asked through the kit as any client's request is.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod backup;
mod batch;
mod expiry;
mod follow;
mod index;
mod index_model;
mod index_table;
mod item;
mod legacy;
mod model;
mod query;
mod resource;
mod source;
mod statement;
mod stream;
mod table;
mod throttle;
mod throughput;
mod transact;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use base::{Clock as _, SeededRandom, Time, VirtualClock};
use delivery::Delivery;
use kit::{Kit, Parts, Services};
use serde_json::{Value, json};
use store::{Blobs, Dir, Engine, Space, Store};

/// A machine with nothing but this service.
pub(crate) struct Machine {
    kit: Kit,
    pub(crate) clock: Arc<VirtualClock>,
}

impl Machine {
    pub(crate) async fn new() -> Machine {
        Machine::on(Arc::new(engine_memory::Memory::new())).await
    }

    /// A machine that keeps its state in an engine.
    pub(crate) async fn on(engine: Arc<dyn Engine>) -> Machine {
        Machine::with(engine, false).await
    }

    /// A machine that may hold tables to their capacity.
    pub(crate) async fn with(engine: Arc<dyn Engine>, throttles: bool) -> Machine {
        let store = Store::open(engine, Blobs::memory(), "test").await.unwrap();
        let clock = Arc::new(VirtualClock::new(Time::from_millis(1_700_000_000_000)));
        let kit = Kit::new(Parts {
            store,
            clock: clock.clone(),
            random: Arc::new(SeededRandom::new(1)),
            account: "000000000000".parse().unwrap(),
            region: "us-east-1".parse().unwrap(),
            cache: PathBuf::new(),
        });
        let delivery = Delivery::new(&kit);
        let services = Services::new(service_dynamodb::services(&kit, &delivery, throttles).into());
        kit.set_services(Arc::new(services));
        delivery.start();
        Machine { kit, clock }
    }

    /// A machine with the tables `hash` (key `a`, text) and `range` (keys `a`, text, and `b`, of
    /// the type given).
    pub(crate) async fn with_tables(sort: &str) -> Machine {
        let machine = Machine::new().await;
        for (name, keys) in [("hash", &["S"][..]), ("range", &["S", sort][..])] {
            let keys = || ["a", "b"].into_iter().zip(keys);
            let definition = |(name, kind)| json!({ "AttributeName": name, "AttributeType": kind });
            let kinds = ["HASH", "RANGE"];
            let element = |((name, _), kind)| json!({ "AttributeName": name, "KeyType": kind });
            let input = json!({
                "TableName": name,
                "BillingMode": "PAY_PER_REQUEST",
                "AttributeDefinitions": keys().map(definition).collect::<Vec<_>>(),
                "KeySchema": keys().zip(kinds).map(element).collect::<Vec<_>>(),
            });
            machine.call("CreateTable", input).await.unwrap();
        }
        machine
    }

    /// The reply, or `Code: message` with what else the error carries.
    pub(crate) async fn call(&self, operation: &str, input: Value) -> Result<Value, String> {
        self.call_of("dynamodb", operation, input).await
    }

    /// The same of an operation of streams.
    pub(crate) async fn stream(&self, operation: &str, input: Value) -> Result<Value, String> {
        self.call_of("dynamodbstreams", operation, input).await
    }

    async fn call_of(&self, service: &str, operation: &str, input: Value) -> Result<Value, String> {
        self.kit.call(service, operation, input).await.map_err(|error| {
            let extra = error.extra.as_ref().map(|extra| format!(" {extra}")).unwrap_or_default();
            format!("{error}{extra}")
        })
    }

    /// Puts an item in a task of its own.
    pub(crate) fn put_owned(
        &self,
        table: &str,
        item: Value,
    ) -> impl Future<Output = ()> + Send + use<> {
        let (kit, input) = (self.kit.clone(), json!({ "TableName": table, "Item": item }));
        async move {
            kit.call("dynamodb", "PutItem", input).await.unwrap();
        }
    }

    /// How many changes and streams the store has.
    pub(crate) async fn changes(&self) -> usize {
        self.count("dynamodb", &[6, 7]).await
    }

    /// Calls and compares: with a reply, or with the text of an error.
    pub(crate) async fn check(&self, operation: &str, input: Value, wanted: Value) {
        let got = self.call(operation, input.clone()).await.unwrap_or_else(Value::String);
        assert_eq!(got, wanted, "{operation} {input}");
    }

    /// Calls what must be a mistake of the request, and compares the message.
    pub(crate) async fn check_invalid(&self, operation: &str, input: Value, message: &str) {
        let wanted = json!(format!("ValidationException: {message}"));
        self.check(operation, input, wanted).await;
    }

    pub(crate) async fn put(&self, table: &str, item: Value) {
        self.call("PutItem", json!({ "TableName": table, "Item": item })).await.unwrap();
    }

    /// The item of a key, or null.
    pub(crate) async fn get(&self, table: &str, key: Value) -> Value {
        let reply = self.call("GetItem", json!({ "TableName": table, "Key": key })).await;
        reply.unwrap()["Item"].clone()
    }

    /// How many entries the service has in the store.
    pub(crate) async fn entries(&self) -> usize {
        self.count("dynamodb", &[1, 2, 3, 4, 5, 10, 11, 12, 13, 14, 15, 16, 20]).await
    }

    /// How many records hold blobs.
    pub(crate) async fn blobs_held(&self) -> usize {
        self.count("store", &[1]).await
    }

    async fn count(&self, service: &str, kinds: &[u8]) -> usize {
        let space = Space::new(&self.kit.account, service);
        let mut count = 0;
        for kind in kinds {
            let kind = space.key(*kind).prefix();
            count += self.kit.store.scan(kind, Dir::Forward, usize::MAX).await.unwrap().len();
        }
        count
    }

    /// Lets time pass.
    pub(crate) fn advance(&self, secs: u64) {
        self.clock.advance(Duration::from_secs(secs));
    }

    /// The second it is.
    pub(crate) fn now(&self) -> u64 {
        self.clock.now().as_secs()
    }

    /// Lets background work go on until there are so many entries.
    pub(crate) async fn work_until(&self, entries: usize) {
        self.work_while(async || self.entries().await != entries).await;
    }

    /// Lets background work go on until there is no more for tables and indexes.
    pub(crate) async fn work_done(&self) {
        self.work(async {
            while self.count("dynamodb", &[3, 5]).await > 0 {
                tokio::task::yield_now().await;
            }
        })
        .await;
    }

    /// Lets a worker do one tick.
    pub(crate) async fn tick(&self, worker: &str) {
        self.tick_of("dynamodb", worker).await;
    }

    pub(crate) async fn tick_of(&self, service: &str, worker: &str) {
        let services = self.kit.services();
        let workers = services.get(service).unwrap().workers();
        let worker = workers.iter().find(|known| known.name() == worker).unwrap().clone();
        let run = base::task::spawn("worker", worker.run(self.kit.clone()));
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        run.abort();
    }

    fn run_all(&self) -> Vec<tokio::task::JoinHandle<()>> {
        let service = self.kit.services().get("dynamodb").unwrap();
        let workers = service.workers().to_vec();
        let run = |worker: kit::Worker| base::task::spawn("worker", worker.run(self.kit.clone()));
        workers.into_iter().map(run).collect()
    }

    async fn work(&self, done: impl Future<Output = ()>) {
        let running = self.run_all();
        tokio::time::timeout(Duration::from_secs(10), done).await.unwrap();
        running.iter().for_each(|task| task.abort());
    }

    /// Lets background work go on for as long as something is the case.
    pub(crate) async fn work_while(&self, is_so: impl AsyncFn() -> bool) {
        let running = self.run_all();
        let done = async {
            let mut looks = 0;
            while is_so().await {
                tokio::task::yield_now().await;
                looks += 1;
                if looks % 1_000 == 0 {
                    // They have done what a tick does, and wait for the next.
                    self.advance(1);
                }
            }
        };
        tokio::time::timeout(Duration::from_secs(20), done).await.unwrap();
        running.iter().for_each(|task| task.abort());
    }
}
