//! FIFO queues held against a plain model: groups that are lists.

use std::collections::{BTreeMap, HashMap};

use proptest::prelude::*;
use serde_json::{Value, json};

use crate::Server;
use crate::fifo::fifo;

const GROUPS: u8 = 3;
const IDS: u8 = 6;
const VISIBLE_AFTER: u64 = 30;
const REMEMBERED: u64 = 300;

#[derive(Debug, Clone)]
enum Step {
    /// To a group, under an id; none is a new one.
    Send(u8, Option<u8>),
    Receive(usize),
    /// One of the messages received so far.
    Delete(prop::sample::Index),
    Release(prop::sample::Index),
    Pass(u64),
    Restart,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0..GROUPS, prop::option::of(0..IDS)).prop_map(|(group, id)| Step::Send(group, id)),
        4 => (1..=10usize).prop_map(Step::Receive),
        4 => any::<prop::sample::Index>().prop_map(Step::Delete),
        1 => any::<prop::sample::Index>().prop_map(Step::Release),
        2 => (1..40u64).prop_map(Step::Pass),
        1 => (100..310u64).prop_map(Step::Pass),
        1 => Just(Step::Restart),
    ]
}

/// A message in its group; in flight until a second, under a handle.
#[derive(Debug)]
struct Kept {
    body: String,
    until: Option<u64>,
    handle: String,
}

#[derive(Default)]
struct Model {
    now: u64,
    groups: BTreeMap<u8, Vec<Kept>>,
    /// By deduplication id: when it was sent, and what the answer was.
    sent: HashMap<String, (u64, Value)>,
    count: usize,
    handles: Vec<(String, String)>,
}

impl Model {
    fn pass(&mut self, secs: u64) {
        self.now += secs;
        for kept in self.groups.values_mut().flatten() {
            kept.until = kept.until.filter(|until| *until > self.now);
        }
    }

    fn is_free(&self, group: u8) -> bool {
        let all = &self.groups[&group];
        !all.is_empty() && all.iter().all(|kept| kept.until.is_none())
    }

    /// Checks what was received, and takes it.
    fn receive(&mut self, max: usize, taken: &[Value]) {
        let free: Vec<u8> = self.groups.keys().copied().filter(|g| self.is_free(*g)).collect();
        let there: usize = free.iter().map(|group| self.groups[group].len()).sum();
        assert_eq!(taken.len(), max.min(there), "all that can be received, and no more");
        let mut next: HashMap<u8, usize> = HashMap::new();
        for message in taken {
            let group = message["Attributes"]["MessageGroupId"].as_str().unwrap();
            let group: u8 = group[1..].parse().unwrap();
            assert!(free.contains(&group), "{group} has messages in flight");
            let at = next.entry(group).or_default();
            let kept = &mut self.groups.get_mut(&group).unwrap()[*at];
            *at += 1;
            assert_eq!(message["Body"], kept.body.as_str(), "the order of {group}");
            kept.handle = message["ReceiptHandle"].as_str().unwrap().to_owned();
            kept.until = Some(self.now + VISIBLE_AFTER);
            self.handles.push((kept.handle.clone(), kept.body.clone()));
        }
    }

    fn find(&mut self, handle: &str, body: &str) -> Found {
        for (group, all) in &self.groups {
            if let Some(at) = all.iter().position(|kept| kept.body == body) {
                let kept = &all[at];
                let good = kept.handle == handle && kept.until.is_some();
                return if good { Found::InFlight(*group, at) } else { Found::Expired };
            }
        }
        Found::Gone
    }
}

enum Found {
    InFlight(u8, usize),
    Expired,
    Gone,
}

async fn run(steps: Vec<Step>) {
    let mut server = Server::start().await;
    let url = fifo(&server, "q.fifo", json!({})).await;
    let mut model = Model::default();
    for step in steps {
        match step {
            Step::Send(group, id) => send(&server, &url, &mut model, group, id).await,
            Step::Receive(max) => {
                let ask = json!({ "MaxNumberOfMessages": max });
                let taken = server.receive_with(&url, ask).await;
                model.receive(max, &taken);
            }
            Step::Delete(index) if !model.handles.is_empty() => {
                let (handle, body) = index.get(&model.handles).clone();
                let input = json!({ "QueueUrl": url, "ReceiptHandle": handle });
                let answer = server.call("DeleteMessage", input).await;
                match model.find(&handle, &body) {
                    Found::InFlight(group, at) => {
                        answer.unwrap();
                        model.groups.get_mut(&group).unwrap().remove(at);
                    }
                    Found::Expired => assert!(answer.unwrap_err().contains("has expired")),
                    Found::Gone => drop(answer.unwrap()),
                }
            }
            Step::Release(index) if !model.handles.is_empty() => {
                let (handle, body) = index.get(&model.handles).clone();
                let input =
                    json!({ "QueueUrl": url, "ReceiptHandle": handle, "VisibilityTimeout": 0 });
                let answer = server.call("ChangeMessageVisibility", input).await;
                if let Found::InFlight(group, at) = model.find(&handle, &body) {
                    answer.unwrap();
                    model.groups.get_mut(&group).unwrap()[at].until = None;
                }
            }
            Step::Delete(_) | Step::Release(_) => {}
            Step::Pass(secs) => {
                server.pass(secs).await;
                model.pass(secs);
            }
            Step::Restart => {
                server = server.restart().await;
                // What the virtual clock is moved on by.
                crate::settle().await;
            }
        }
    }
    drain(&server, &url, &mut model).await;
}

async fn send(server: &Server, url: &str, model: &mut Model, group: u8, id: Option<u8>) {
    model.count += 1;
    let body = format!("m{}", model.count);
    let id = id.map_or_else(|| body.clone(), |id| format!("id{id}"));
    let input = json!({
        "QueueUrl": url, "MessageBody": body, "MessageGroupId": format!("g{group}"),
        "MessageDeduplicationId": id,
    });
    let answer = server.ok("SendMessage", input).await;
    let told = json!([answer["MessageId"], answer["SequenceNumber"]]);
    let before = model.sent.get(&id).filter(|(at, _)| model.now < at + REMEMBERED);
    if let Some((_, before)) = before {
        assert_eq!(told, *before, "sent again");
        return;
    }
    assert!(model.sent.values().all(|(_, other)| *other != told), "a message of its own");
    model.sent.insert(id, (model.now, told));
    let kept = Kept { body, until: None, handle: String::new() };
    model.groups.entry(group).or_default().push(kept);
}

/// At the end all comes out, in order, and nothing is left.
async fn drain(server: &Server, url: &str, model: &mut Model) {
    server.pass(VISIBLE_AFTER + 1).await;
    model.pass(VISIBLE_AFTER + 1);
    loop {
        let taken = server.receive_with(url, json!({})).await;
        model.receive(10, &taken);
        if taken.is_empty() {
            break;
        }
        for message in &taken {
            server.delete(url, message).await;
        }
        for all in model.groups.values_mut() {
            all.retain(|kept| kept.until.is_none());
        }
    }
    assert_eq!(server.counts(url).await, "0/0/0");
    server.pass(REMEMBERED + 1).await;
    assert_eq!(server.keys().await, 1, "nothing is left but the queue");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    #[test]
    fn a_fifo_queue_does_what_lists_do(steps in prop::collection::vec(step(), 1..80)) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(run(steps));
    }
}
