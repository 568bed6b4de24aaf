//! The service on the memory engine and a virtual clock. Queues and functions are stood in for by
//! a target that writes down what it gets, because a service knows no other.
#![expect(clippy::unwrap_used, reason = "a test may end by it, in its helpers too")]

mod fanout;
mod mistakes;
mod query;
mod subscription;
mod topic;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use base::{BoxFuture, SeededRandom, Time, VirtualClock};
use delivery::Delivery;
use kit::targets::{AttributeValue, Event, Target};
use kit::{Kit, Parts, Services};
use serde_json::{Value, json};
use store::{Blobs, Dir, Key, Space, Store, Tx};

pub(crate) const QUEUE: &str = "arn:aws:sqs:us-east-1:000000000000";
pub(crate) const FUNCTION: &str = "arn:aws:lambda:us-east-1:000000000000:function";

/// A server with nothing but topics.
pub(crate) struct Server {
    pub(crate) kit: Kit,
    pub(crate) clock: Arc<VirtualClock>,
}

/// Takes every event but those for a target called `gone`.
struct Ledger(Kit);

fn ledger(kit: &Kit) -> Key {
    Space::new(&kit.account, "ledger").key(1)
}

impl Target for Ledger {
    fn append<'a>(&'a self, tx: &'a Tx, event: &'a Event) -> BoxFuture<'a, Result<(), kit::Error>> {
        Box::pin(async move {
            let name = event.to.resource.rsplit(':').next().unwrap();
            if name == "gone" {
                return Err(kit::Error::sender("QueueDoesNotExist", "It is gone."));
            }
            let attributes: Value = event
                .attributes
                .iter()
                .map(|(name, attribute)| {
                    let value = match &attribute.value {
                        AttributeValue::Text(text) => text.clone(),
                        AttributeValue::Binary(bytes) => format!("{bytes:?}"),
                    };
                    (name.clone(), json!([attribute.data_type, value]))
                })
                .collect::<serde_json::Map<_, _>>()
                .into();
            let entry = json!({"body": event.body, "attributes": attributes}).to_string();
            let key = ledger(&self.0).str(name).u64(self.0.next_number());
            if entry.len() <= store::BODY_INLINE_BYTES_MAX {
                tx.put(key, entry);
            } else {
                tx.put(key, json!({"bytes": entry.len()}).to_string());
            }
            Ok(())
        })
    }
}

impl Server {
    pub(crate) async fn start() -> Server {
        let clock = Arc::new(VirtualClock::new(Time::from_millis(1_700_000_000_000)));
        let engine = Arc::new(engine_memory::Memory::new());
        let kit = Kit::new(Parts {
            store: Store::open(engine, Blobs::memory(), "test").await.unwrap(),
            clock: clock.clone(),
            random: Arc::new(SeededRandom::new(7)),
            account: "000000000000".parse().unwrap(),
            region: "us-east-1".parse().unwrap(),
            cache: Path::new("/nonexistent").to_owned(),
        });
        let delivery = Delivery::new(&kit);
        kit.targets.register("sqs", Arc::new(Ledger(kit.clone())));
        kit.targets.register("lambda", Arc::new(Ledger(kit.clone())));
        kit.set_services(Arc::new(Services::new(vec![service_sns::service(&kit, &delivery)])));
        delivery.start();
        Server { kit, clock }
    }

    /// Calls an operation; an error is its code and sentence.
    pub(crate) async fn call(&self, operation: &str, input: Value) -> Result<Value, String> {
        let result = self.kit.call("sns", operation, input).await;
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
        let service = self.kit.services().get("sns").unwrap();
        let call = service.prepare(ctx, operation, input).map_err(|error| error.to_string())?;
        let reply = call.run.await.map_err(|error| error.to_string())?;
        Ok(String::from_utf8(reply.body.to_vec()).unwrap())
    }

    pub(crate) async fn ok(&self, operation: &str, input: Value) -> Value {
        self.call(operation, input).await.unwrap()
    }

    /// Makes a topic and gives its ARN.
    pub(crate) async fn topic(&self, name: &str) -> String {
        let made = self.ok("CreateTopic", json!({"Name": name})).await;
        made["TopicArn"].as_str().unwrap().to_owned()
    }

    /// Subscribes a queue (`q`) or a function (`function:f`) and gives the subscription's ARN.
    pub(crate) async fn subscribe(&self, topic: &str, to: &str, attributes: Value) -> String {
        let (protocol, endpoint) = match to.strip_prefix("function:") {
            Some(name) => ("lambda", format!("{FUNCTION}:{name}")),
            None => ("sqs", format!("{QUEUE}:{to}")),
        };
        let input = json!({
            "TopicArn": topic, "Protocol": protocol, "Endpoint": endpoint,
            "Attributes": attributes, "ReturnSubscriptionArn": true,
        });
        let made = self.ok("Subscribe", input).await;
        made["SubscriptionArn"].as_str().unwrap().to_owned()
    }

    pub(crate) async fn publish(&self, topic: &str, message: &str) -> String {
        let sent = self.ok("Publish", json!({"TopicArn": topic, "Message": message})).await;
        sent["MessageId"].as_str().unwrap().to_owned()
    }

    /// All that a target has got, in the order it came.
    pub(crate) async fn got(&self, target: &str) -> Vec<Value> {
        let range = ledger(&self.kit).str(target).prefix();
        let found = self.kit.store.scan(range, Dir::Forward, 10_000).await.unwrap();
        found.iter().map(|(_, value)| serde_json::from_slice(value).unwrap()).collect()
    }

    /// The bodies that a target has got.
    pub(crate) async fn bodies(&self, target: &str) -> Vec<String> {
        let all = self.got(target).await;
        all.iter().map(|entry| entry["body"].as_str().unwrap().to_owned()).collect()
    }

    /// Keys of the service and of its line, and the blobs they refer to.
    pub(crate) async fn keys(&self) -> usize {
        let mut found = 0;
        for (service, kinds) in [("sns", 0..=9), ("delivery", 0..=9), ("store", 0..=1)] {
            for kind in kinds {
                let range = Space::new(&self.kit.account, service).key(kind).prefix();
                found += self.kit.store.scan(range, Dir::Forward, 10_000).await.unwrap().len();
            }
        }
        found
    }

    pub(crate) async fn pass(&self, secs: u64) {
        self.clock.advance(Duration::from_secs(secs));
        settle().await;
    }
}

/// Lets every task that can run do so. Tests run on one thread, so yielding is enough.
pub(crate) async fn settle() {
    for _ in 0..1000 {
        tokio::task::yield_now().await;
    }
}
