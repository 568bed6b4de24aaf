//! The service on the memory engine and a virtual clock. Targets are a list.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod rule;
mod schedule;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use base::{Arn, BoxFuture, SeededRandom, Time, VirtualClock};
use delivery::Delivery;
use engine_memory::Memory;
use kit::targets::{Event, Target};
use kit::{Kit, Parts, Services};
use serde_json::Value;
use store::{Blobs, Engine, Store, Tx};

/// Sunday, 2026-11-01T00:00:00Z.
const START: Time = Time::from_millis(1_793_491_200_000);
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(60 * 60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// A machine that has only this service.
struct Machine {
    kit: Kit,
    clock: Arc<VirtualClock>,
    sent: Arc<Sent>,
}

/// What was sent, with the time.
#[derive(Default)]
struct Sent {
    events: Mutex<Vec<(Time, Event)>>,
    /// Answers every append with this error, as a target that is gone or broken does.
    fault: Mutex<Option<kit::Error>>,
}

struct List(Arc<Sent>, Arc<VirtualClock>);

impl Target for List {
    fn append<'a>(&'a self, tx: &'a Tx, event: &'a Event) -> BoxFuture<'a, Result<(), kit::Error>> {
        Box::pin(async move {
            let gone = event.to.resource.contains("gone");
            if let Some(fault) = self.0.fault.lock().unwrap().clone().filter(|_| gone) {
                return Err(fault);
            }
            let (sent, event) = (Arc::clone(&self.0), event.clone());
            let now = base::Clock::now(&*self.1);
            tx.on_commit(move || sent.events.lock().unwrap().push((now, event)));
            Ok(())
        })
    }
}

impl Machine {
    async fn new() -> Machine {
        Machine::on(Arc::new(Memory::new()), START).await
    }

    /// A machine that finds what another has left in the engine.
    async fn on(engine: Arc<dyn Engine>, now: Time) -> Machine {
        let store = Store::open(engine, Blobs::memory(), "test").await.unwrap();
        let clock = Arc::new(VirtualClock::new(now));
        let kit = Kit::new(Parts {
            store,
            clock: Arc::clone(&clock) as Arc<dyn base::Clock>,
            random: Arc::new(SeededRandom::new(now.as_millis())),
            account: "000000000000".parse().unwrap(),
            region: "us-east-1".parse().unwrap(),
            cache: std::env::temp_dir(),
        });
        let sent = Arc::new(Sent::default());
        let list = Arc::new(List(Arc::clone(&sent), Arc::clone(&clock)));
        kit.targets.register("lambda", Arc::clone(&list) as Arc<dyn Target>);
        kit.targets.register("sqs", list);
        let delivery = Delivery::new(&kit);
        let service = service_events::service(&kit, &delivery);
        kit.set_services(Arc::new(Services::new(vec![service])));
        delivery.start();
        Machine { kit, clock, sent }
    }

    /// Calls an operation; its output or error as JSON text.
    async fn call(&self, operation: &str, input: Value) -> String {
        match self.kit.call("events", operation, input).await {
            Ok(output) => output.to_string(),
            Err(error) => error.to_string(),
        }
    }

    /// Lets time pass, stopping at each moment at which something is due.
    async fn pass(&self, duration: Duration) {
        let until = base::Clock::now(&*self.clock) + duration;
        loop {
            settle().await;
            let now = base::Clock::now(&*self.clock);
            match self.clock.next_due().filter(|due| *due <= until) {
                Some(due) => self.clock.advance(due.since(now)),
                None => break self.clock.advance(until.since(now)),
            }
        }
        settle().await;
    }

    /// When something was sent since the last look, in minutes after the start, and to whom; what
    /// was sent at the same time in the order of the names.
    fn taken(&self) -> Vec<(u64, String)> {
        let events = std::mem::take(&mut *self.sent.events.lock().unwrap());
        let minutes = |time: Time| time.since(START).as_secs() / 60;
        let target = |event: Event| event.to.resource["function:".len()..].to_owned();
        let sent = events.into_iter().map(|(time, event)| (minutes(time), target(event)));
        let mut sent: Vec<(u64, String)> = sent.collect();
        sent.sort();
        sent
    }

    async fn rule(&self, name: &str, expression: &str, targets: &[&str]) {
        let rule = serde_json::json!({ "Name": name, "ScheduleExpression": expression });
        let arn = format!("{{\"RuleArn\":\"arn:aws:events:us-east-1:000000000000:rule/{name}\"}}");
        assert_eq!(self.call("PutRule", rule).await, arn);
        let targets: Vec<Value> = targets
            .iter()
            .map(|target| serde_json::json!({ "Id": target, "Arn": function(target) }))
            .collect();
        let input = serde_json::json!({ "Rule": name, "Targets": targets });
        let output = self.call("PutTargets", input).await;
        assert_eq!(output, r#"{"FailedEntryCount":0,"FailedEntries":[]}"#);
    }
}

fn function(name: &str) -> Arn {
    format!("arn:aws:lambda:us-east-1:000000000000:function:{name}").parse().unwrap()
}

/// Lets every task run that can: nothing here waits for anything but the clock.
async fn settle() {
    for _ in 0..200 {
        tokio::task::yield_now().await;
    }
}
