//! A machine that has only this service, and what stands for the rest of the world.

use std::collections::{BTreeSet, VecDeque};
use std::io::{Cursor, Write as _};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base::{Arn, BoxFuture, Clock, SeededRandom, SystemClock, Time, VirtualClock};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use delivery::Delivery;
use engine_memory::Memory;
use host::{FunctionSpec, Host, HostError, Invocation, Invoked};
use http::{HeaderMap, HeaderName, Method};
use kit::sources::{Received, Source, Terms};
use kit::streams::Stream;
use kit::targets::{Event, Target};
use kit::{Caller, Ctx, Kit, Parts, Services};
use serde_json::{Value, json};
use service_lambda::Runner;
use store::{Blobs, Engine, Store, Tx};
use tokio::sync::Notify;
use wire::{Input, Protocol, Reply};
use zip::write::{SimpleFileOptions, ZipWriter};

use crate::START;
use crate::river::{River, STREAM};

pub(crate) const QUEUE: &str = "arn:aws:sqs:us-east-1:000000000000:q";

/// How long the queue leases a message.
const LEASE: Duration = Duration::from_secs(30);

pub(crate) struct Machine {
    pub(crate) kit: Kit,
    pub(crate) clock: Arc<VirtualClock>,
    pub(crate) script: Arc<Script>,
    pub(crate) queue: Arc<Queue>,
    pub(crate) river: Arc<River>,
    pub(crate) letters: Arc<Letters>,
    _cache: tempfile::TempDir,
}

impl Machine {
    pub(crate) async fn new() -> Machine {
        Machine::on(Arc::new(Memory::new()), Blobs::memory(), START).await
    }

    /// A machine that finds what another has left in the engine.
    pub(crate) async fn on(engine: Arc<dyn Engine>, blobs: Blobs, now: Time) -> Machine {
        let virtual_clock = Arc::new(VirtualClock::new(now));
        let clock = Arc::clone(&virtual_clock) as Arc<dyn Clock>;
        Machine::assemble(engine, blobs, virtual_clock, clock, None).await
    }

    /// A machine in real time whose functions are run by a host.
    pub(crate) async fn real(host: Host) -> Machine {
        let unused = Arc::new(VirtualClock::new(START));
        let clock = Arc::new(SystemClock::new());
        let engine = Arc::new(Memory::new());
        Machine::assemble(engine, Blobs::memory(), unused, clock, Some(Arc::new(host))).await
    }

    async fn assemble(
        engine: Arc<dyn Engine>,
        blobs: Blobs,
        virtual_clock: Arc<VirtualClock>,
        clock: Arc<dyn Clock>,
        runner: Option<Arc<dyn Runner>>,
    ) -> Machine {
        let cache = tempfile::tempdir().unwrap();
        let kit = Kit::new(Parts {
            store: Store::open(engine, blobs, "test").await.unwrap(),
            clock: Arc::clone(&clock),
            random: Arc::new(SeededRandom::new(clock.now().as_millis())),
            account: "000000000000".parse().unwrap(),
            region: "us-east-1".parse().unwrap(),
            cache: cache.path().to_owned(),
        });
        let script = Arc::new(Script::new(&virtual_clock));
        let queue = Arc::new(Queue::new(&clock));
        let river = Arc::new(River::new(&clock));
        let letters = Arc::new(Letters::default());
        kit.sources.register("sqs", Arc::clone(&queue) as Arc<dyn Source>);
        kit.streams.register("dynamodb", Arc::clone(&river) as Arc<dyn Stream>);
        kit.targets.register("sqs", Arc::new(ToLetters(Arc::clone(&letters))));
        let delivery = Delivery::new(&kit);
        let runner = runner.unwrap_or_else(|| Arc::clone(&script) as Arc<dyn Runner>);
        let service = service_lambda::service_on(&kit, &delivery, runner);
        for worker in service.workers().to_vec() {
            base::task::spawn("worker", worker.run(kit.clone()));
        }
        kit.set_services(Arc::new(Services::new(vec![service])));
        delivery.start();
        Machine { kit, clock: virtual_clock, script, queue, river, letters, _cache: cache }
    }

    /// Calls an operation with JSON; its output, or its error as text.
    pub(crate) async fn call(&self, operation: &str, input: Value) -> Result<Value, String> {
        self.kit.call("lambda", operation, input).await.map_err(|error| error.to_string())
    }

    /// Calls an operation as an HTTP client does.
    pub(crate) async fn http(
        &self,
        method: Method,
        path: &str,
        headers: &[(&'static str, &str)],
        body: &str,
    ) -> Result<Reply, kit::Error> {
        let service = self.kit.services().get("lambda").unwrap();
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let (operation, labels) = service.route(&method, path, query).expect(path);
        let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.insert(HeaderName::from_static(name), value.parse().unwrap());
        }
        let mut input = Input::json10(body.to_owned().into());
        input.protocol = Protocol::RestJson;
        input.labels = labels;
        input.query = pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        input.headers = map;
        let caller = Caller::root(&self.kit.account);
        let mut ctx = Ctx::for_request(&self.kit, "request-1", caller, Protocol::RestJson);
        ctx.take_trace(&input.headers);
        service.prepare(ctx, operation, input)?.run.await
    }

    /// Makes a function.
    pub(crate) async fn function(&self, name: &str, more: Value) -> Value {
        self.call("CreateFunction", create(name, more)).await.unwrap()
    }

    /// Waits for an event. Code is unpacked by another thread, which no virtual clock waits for.
    pub(crate) async fn await_event(&self) {
        while self.script.log.lock().unwrap().is_empty() {
            tokio::task::yield_now().await;
        }
    }

    /// Makes a mapping from the stream, read from its first record, and gives its UUID.
    pub(crate) async fn stream_mapping(&self, function: &str, more: Value) -> String {
        let mut input = json!({ "EventSourceArn": STREAM, "StartingPosition": "TRIM_HORIZON" });
        input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        self.mapping(function, input).await
    }

    /// Makes a mapping from the queue and gives its UUID.
    pub(crate) async fn mapping(&self, function: &str, more: Value) -> String {
        let mut input = json!({ "FunctionName": function, "EventSourceArn": QUEUE });
        input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let made = self.call("CreateEventSourceMapping", input).await.unwrap();
        made["UUID"].as_str().unwrap().to_owned()
    }

    /// Lets time pass, stopping at each moment at which something is due.
    pub(crate) async fn pass(&self, duration: Duration) {
        let until = self.clock.now() + duration;
        loop {
            settle().await;
            let now = self.clock.now();
            match self.clock.next_due().filter(|due| *due <= until) {
                Some(due) => self.clock.advance(due.since(now)),
                None => break self.clock.advance(until.since(now)),
            }
        }
        settle().await;
    }
}

/// Lets every task run that can: nothing here waits for anything but the clock.
pub(crate) async fn settle() {
    for _ in 0..200 {
        tokio::task::yield_now().await;
    }
}

/// The input of CreateFunction.
pub(crate) fn create(name: &str, more: Value) -> Value {
    let mut input = json!({
        "FunctionName": name,
        "Runtime": "nodejs20.x",
        "Handler": "index.handler",
        "Role": "arn:aws:iam::000000000000:role/r",
        "Code": { "ZipFile": package("exports.handler = async (event) => event") },
    });
    input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    input
}

/// A package with one file, in base64.
pub(crate) fn package(code: &str) -> String {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    zip.start_file("index.js", SimpleFileOptions::default()).unwrap();
    zip.write_all(code.as_bytes()).unwrap();
    BASE64_STANDARD.encode(zip.finish().unwrap().into_inner())
}

type Play = dyn Fn(&FunctionSpec, &Invocation) -> Result<Invoked, HostError> + Send + Sync;

/// Runs functions as a test says, and remembers what it was asked.
pub(crate) struct Script {
    clock: Arc<VirtualClock>,
    play: Mutex<Box<Play>>,
    /// How long each event takes.
    pub(crate) takes: Mutex<Duration>,
    pub(crate) log: Mutex<Vec<String>>,
    /// What was last asked to be ready.
    pub(crate) provisioned: Mutex<Vec<String>>,
    pub(crate) most_at_once: Mutex<(usize, usize)>,
    /// How often a stream was read on elsewhere.
    pub(crate) reopened: Mutex<usize>,
    /// How old the last record of each batch was.
    pub(crate) ages: Mutex<Vec<Duration>>,
}

impl Script {
    fn new(clock: &Arc<VirtualClock>) -> Script {
        Script {
            clock: Arc::clone(clock),
            play: Mutex::new(Box::new(|_, call| Ok(answer(&call.payload)))),
            takes: Mutex::default(),
            log: Mutex::default(),
            provisioned: Mutex::default(),
            most_at_once: Mutex::default(),
            reopened: Mutex::default(),
            ages: Mutex::default(),
        }
    }

    pub(crate) fn play<F>(&self, play: F)
    where
        F: Fn(&FunctionSpec, &Invocation) -> Result<Invoked, HostError> + Send + Sync + 'static,
    {
        *self.play.lock().unwrap() = Box::new(play);
    }

    /// Seconds after the start and payload of what was run since the last look.
    pub(crate) fn taken(&self) -> Vec<String> {
        std::mem::take(&mut *self.log.lock().unwrap())
    }
}

/// A success.
pub(crate) fn answer(payload: &[u8]) -> Invoked {
    Invoked {
        payload: payload.to_vec().into(),
        error: None,
        log_tail: "START\nEND\n".into(),
        duration_ms: 1.0,
        billed_ms: 1,
        init_ms: None,
        restore_ms: None,
        memory_mb: 10,
        memory_used_kb: 0,
    }
}

/// A failure of the function.
pub(crate) fn failure(message: &str) -> Invoked {
    let payload = json!({ "errorType": "Error", "errorMessage": message }).to_string();
    Invoked { error: Some("Unhandled"), ..answer(payload.as_bytes()) }
}

impl Runner for Script {
    fn invoke<'a>(
        &'a self,
        spec: &'a Arc<FunctionSpec>,
        invocation: Invocation,
    ) -> BoxFuture<'a, Result<Invoked, HostError>> {
        Box::pin(async move {
            let second = self.clock.now().since(START).as_secs();
            let payload = String::from_utf8_lossy(&invocation.payload).into_owned();
            self.log.lock().unwrap().push(format!("{second} {} {payload}", spec.name));
            let outcome = (self.play.lock().unwrap())(spec, &invocation);
            let takes = *self.takes.lock().unwrap();
            {
                let mut busy = self.most_at_once.lock().unwrap();
                busy.0 += 1;
                busy.1 = busy.1.max(busy.0);
            }
            if !takes.is_zero() {
                base::sleep(&*self.clock, takes).await;
            }
            self.most_at_once.lock().unwrap().0 -= 1;
            outcome
        })
    }

    fn warm<'a>(&'a self, spec: &'a Arc<FunctionSpec>) -> BoxFuture<'a, Result<(), HostError>> {
        Box::pin(async move {
            if spec.runtime.starts_with("nodejs") {
                return Ok(());
            }
            let why = "there is no such runtime".to_owned();
            Err(HostError::RuntimeUnavailable { runtime: spec.runtime.clone(), why })
        })
    }

    fn provision(&self, wanted: &[(Arc<FunctionSpec>, u32)]) {
        let text = |(spec, count): &(Arc<FunctionSpec>, u32)| {
            format!("{}:{} x{count}", spec.name, spec.version)
        };
        *self.provisioned.lock().unwrap() = wanted.iter().map(text).collect();
    }

    fn iterator_age(&self, _: &FunctionSpec, age: Duration) {
        self.ages.lock().unwrap().push(age);
    }

    fn reopened(&self, _: &FunctionSpec) {
        *self.reopened.lock().unwrap() += 1;
    }

    fn retire(&self, function: &Arn, keep_revision: Option<&str>) {
        let kept = if keep_revision.is_some() { "one" } else { "none" };
        self.log.lock().unwrap().push(format!("retire {} keep {kept}", function.resource));
    }
}

/// A queue. What is received and not acknowledged comes back when the test says so.
pub(crate) struct Queue {
    clock: Arc<dyn Clock>,
    ready: Mutex<VecDeque<(String, Value)>>,
    in_flight: Mutex<Vec<(String, Value)>>,
    pub(crate) acknowledged: Mutex<BTreeSet<String>>,
    /// What was given back. It stays there.
    pub(crate) released: Mutex<BTreeSet<String>>,
    pub(crate) receives: Mutex<usize>,
    pub(crate) terms: Mutex<Terms>,
    came: Notify,
}

impl Queue {
    fn new(clock: &Arc<dyn Clock>) -> Queue {
        Queue {
            clock: Arc::clone(clock),
            ready: Mutex::default(),
            in_flight: Mutex::default(),
            acknowledged: Mutex::default(),
            released: Mutex::default(),
            receives: Mutex::default(),
            terms: Mutex::new(Terms { lease: LEASE, receives_max: None }),
            came: Notify::new(),
        }
    }

    pub(crate) fn send(&self, bodies: &[&str]) {
        let record = |body: &&str| json!({ "messageId": body, "body": body });
        self.send_records(bodies.iter().map(record).collect());
    }

    pub(crate) fn send_records(&self, records: Vec<Value>) {
        for record in records {
            let id = record["messageId"].as_str().unwrap().to_owned();
            self.ready.lock().unwrap().push_back((id, record));
        }
        self.came.notify_waiters();
    }

    /// Ends the visibility timeout of everything in flight; what that was.
    pub(crate) fn time_out(&self) -> Vec<String> {
        let back = std::mem::take(&mut *self.in_flight.lock().unwrap());
        let ids = back.iter().map(|(id, _)| id.clone()).collect();
        self.ready.lock().unwrap().extend(back);
        self.came.notify_waiters();
        ids
    }

    fn take(&self, max: usize) -> Vec<(String, Value)> {
        let mut ready = self.ready.lock().unwrap();
        // As many as one SQS receive gives.
        let count = max.min(10).min(ready.len());
        ready.drain(..count).collect()
    }
}

impl Source for Queue {
    fn receive<'a>(
        &'a self,
        _: &'a Arn,
        max: usize,
        wait: Duration,
    ) -> BoxFuture<'a, Result<Vec<Received>, kit::Error>> {
        Box::pin(async move {
            *self.receives.lock().unwrap() += 1;
            let came = self.came.notified();
            let mut taken = self.take(max);
            if taken.is_empty() {
                tokio::select! {
                    () = came => taken = self.take(max),
                    () = base::sleep(&*self.clock, wait) => {}
                }
            }
            self.in_flight.lock().unwrap().extend(taken.clone());
            let received = |(id, record): (String, Value)| Received {
                handle: format!("handle-{id}"),
                id,
                record,
            };
            Ok(taken.into_iter().map(received).collect())
        })
    }

    fn acknowledge<'a>(
        &'a self,
        _: &'a Arn,
        handles: Vec<String>,
    ) -> BoxFuture<'a, Result<(), kit::Error>> {
        Box::pin(async move {
            for handle in handles {
                let id = handle["handle-".len()..].to_owned();
                self.in_flight.lock().unwrap().retain(|(other, _)| *other != id);
                self.acknowledged.lock().unwrap().insert(id);
            }
            Ok(())
        })
    }

    fn release<'a>(
        &'a self,
        _: &'a Arn,
        handles: Vec<String>,
    ) -> BoxFuture<'a, Result<(), kit::Error>> {
        Box::pin(async move {
            for handle in handles {
                let id = handle["handle-".len()..].to_owned();
                self.in_flight.lock().unwrap().retain(|(other, _)| *other != id);
                self.released.lock().unwrap().insert(id);
            }
            Ok(())
        })
    }

    fn terms<'a>(&'a self, from: &'a Arn) -> BoxFuture<'a, Result<Terms, kit::Error>> {
        Box::pin(async move {
            if from.resource.starts_with('q') {
                return Ok(*self.terms.lock().unwrap());
            }
            Err(kit::Error::sender("QueueDoesNotExist", "The specified queue does not exist."))
        })
    }
}

/// Where dead letters go.
#[derive(Default)]
pub(crate) struct Letters(pub(crate) Mutex<Vec<Event>>);

struct ToLetters(Arc<Letters>);

impl Target for ToLetters {
    fn append<'a>(&'a self, tx: &'a Tx, event: &'a Event) -> BoxFuture<'a, Result<(), kit::Error>> {
        let (letters, event) = (Arc::clone(&self.0), event.clone());
        Box::pin(async move {
            tx.on_commit(move || letters.0.lock().unwrap().push(event));
            Ok(())
        })
    }
}
