//! The service on the memory engine and a virtual clock, spoken to as a client does.
#![expect(clippy::unwrap_used, reason = "a test may end by it, in its helpers too")]

mod batch;
mod cost;
mod dead_letter;
mod faces;
mod fifo;
mod mistakes;
mod model;
mod poll;
mod query;
mod queue;
mod visibility;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use base::{SeededRandom, Time, VirtualClock};
use delivery::Delivery;
use kit::{Kit, Parts, Services};
use serde_json::{Value, json};
use store::{Blobs, Engine, Store};

/// A server with nothing but queues.
pub(crate) struct Server {
    pub(crate) kit: Kit,
    pub(crate) clock: Arc<VirtualClock>,
    engine: Arc<dyn Engine>,
    blobs: Blobs,
}

impl Server {
    pub(crate) async fn start() -> Server {
        let clock = Arc::new(VirtualClock::new(Time::from_millis(1_700_000_000_000)));
        Server::on(Arc::new(engine_memory::Memory::new()), Blobs::memory(), clock).await
    }

    async fn on(engine: Arc<dyn Engine>, blobs: Blobs, clock: Arc<VirtualClock>) -> Server {
        let store = Store::open(Arc::clone(&engine), blobs.clone(), "test").await.unwrap();
        let kit = Kit::new(Parts {
            store,
            clock: clock.clone(),
            random: Arc::new(SeededRandom::new(7)),
            account: "000000000000".parse().unwrap(),
            region: "us-east-1".parse().unwrap(),
            cache: Path::new("/nonexistent").to_owned(),
        });
        let delivery = Delivery::new(&kit);
        kit.set_services(Arc::new(Services::new(vec![service_sqs::service(&kit, &delivery)])));
        delivery.start();
        Server { kit, clock, engine, blobs }
    }

    /// The same data under a new process: nothing of the old one's memory is left.
    pub(crate) async fn restart(self) -> Server {
        self.clock.advance(Duration::from_millis(1));
        let clock = Arc::clone(&self.clock);
        self.restart_by(clock).await
    }

    /// The same under another clock, which may say any time.
    pub(crate) async fn restart_by(self, clock: Arc<VirtualClock>) -> Server {
        self.kit.close();
        let Server { kit, engine, blobs, .. } = self;
        drop(kit);
        Server::on(engine, blobs, clock).await
    }

    /// Calls an operation; an error is its code and sentence.
    pub(crate) async fn call(&self, operation: &str, input: Value) -> Result<Value, String> {
        let result = self.kit.call("sqs", operation, input).await;
        result.map_err(|error| error.to_string())
    }

    /// Calls an operation with form parameters, as clients of the Query protocol do: the XML.
    pub(crate) async fn form(&self, operation: &str, form: &str) -> Result<String, String> {
        let input = wire::Input {
            protocol: wire::Protocol::Query,
            body: form.to_owned().into(),
            ..wire::Input::json10(bytes::Bytes::new())
        };
        let caller = kit::Caller::root(&self.kit.account);
        let ctx = kit::Ctx::for_request(&self.kit, "request", caller, input.protocol);
        let service = self.kit.services().get("sqs").unwrap();
        let call = service.prepare(ctx, operation, input).map_err(|error| error.to_string())?;
        let reply = call.run.await.map_err(|error| error.to_string())?;
        Ok(String::from_utf8(reply.body.to_vec()).unwrap())
    }

    pub(crate) async fn ok(&self, operation: &str, input: Value) -> Value {
        self.call(operation, input).await.unwrap()
    }

    /// Makes a queue and gives its URL.
    pub(crate) async fn queue(&self, name: &str, attributes: Value) -> String {
        let input = json!({"QueueName": name, "Attributes": attributes});
        self.ok("CreateQueue", input).await["QueueUrl"].as_str().unwrap().to_owned()
    }

    pub(crate) async fn send(&self, url: &str, body: &str) -> Value {
        self.ok("SendMessage", json!({"QueueUrl": url, "MessageBody": body})).await
    }

    /// Receives up to ten messages without waiting.
    pub(crate) async fn receive(&self, url: &str) -> Vec<Value> {
        self.receive_with(url, json!({})).await
    }

    pub(crate) async fn receive_with(&self, url: &str, more: Value) -> Vec<Value> {
        let mut input = json!({
            "QueueUrl": url, "MaxNumberOfMessages": 10, "AttributeNames": ["All"],
            "MessageAttributeNames": ["All"],
        });
        input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let answer = self.ok("ReceiveMessage", input).await;
        answer["Messages"].as_array().cloned().unwrap_or_default()
    }

    pub(crate) async fn delete(&self, url: &str, message: &Value) {
        let input = json!({"QueueUrl": url, "ReceiptHandle": message["ReceiptHandle"]});
        self.ok("DeleteMessage", input).await;
    }

    /// `ready/in flight/delayed`.
    pub(crate) async fn counts(&self, url: &str) -> String {
        let input = json!({"QueueUrl": url, "AttributeNames": ["All"]});
        let attributes = &self.ok("GetQueueAttributes", input).await["Attributes"];
        let count = |name: &str| attributes[name].as_str().unwrap().to_owned();
        format!(
            "{}/{}/{}",
            count("ApproximateNumberOfMessages"),
            count("ApproximateNumberOfMessagesNotVisible"),
            count("ApproximateNumberOfMessagesDelayed")
        )
    }

    /// Moves the clock on and lets what became due happen.
    pub(crate) async fn pass(&self, secs: u64) {
        self.clock.advance(Duration::from_secs(secs));
        settle().await;
    }

    /// One tick of a background task.
    pub(crate) async fn tick(&self, worker: &str) {
        let services = self.kit.services();
        let workers = services.get("sqs").unwrap().workers();
        let worker = workers.iter().find(|known| known.name() == worker).unwrap().clone();
        let run = base::task::spawn("worker", worker.run(self.kit.clone()));
        settle().await;
        run.abort();
    }

    /// How many keys the store holds.
    pub(crate) async fn keys(&self) -> usize {
        let all = store::Space::new(&self.kit.account, "sqs");
        let mut found = 0;
        for kind in 0..=10 {
            let range = all.key(kind).prefix();
            found += self.kit.store.scan(range, store::Dir::Forward, 100_000).await.unwrap().len();
        }
        found
    }
}

/// Lets every task that can run do so. Tests run on one thread, so yielding is enough.
pub(crate) async fn settle() {
    for _ in 0..500 {
        tokio::task::yield_now().await;
    }
}

/// The bodies of messages.
pub(crate) fn bodies(messages: &[Value]) -> Vec<&str> {
    messages.iter().map(|message| message["Body"].as_str().unwrap()).collect()
}
