//! A worker that was told what to become, and the events it runs, one at a time.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use base::{Clock, Random, Time};
use bytes::Bytes;
use serde_json::json;
use telemetry::{FunctionName, LogSink, Measure, MetricSink, StreamName};

use crate::Sandbox;
use crate::answer::Answer;
use crate::assignment::{Assignment, stream_name};
use crate::debug::{Debugger, Inside, Language, Opened, Pauses, Timer};
use crate::environment::{Environment, Origin};
use crate::function::FunctionSpec;
use crate::invocation::{Invocation, Invoked};
use crate::journal::{Figures, Journal, Tail};
use crate::protocol::{self, Reply};
use crate::templates::Template;
use crate::worker::{End, Heard, Worker};

const UNHANDLED: &str = "Unhandled";
/// How long a copy of a template may take to say that it is there.
const FORK_TIMEOUT: Duration = Duration::from_secs(5);

/// What a slot needs of the host.
#[derive(Clone, Copy)]
pub(crate) struct Surroundings<'a> {
    pub(crate) clock: &'a Arc<dyn Clock>,
    pub(crate) random: &'a Arc<dyn Random>,
    pub(crate) logs: &'a dyn LogSink,
    pub(crate) metrics: &'a dyn MetricSink,
    pub(crate) sandbox: &'a dyn Sandbox,
}

/// A worker that has loaded a function.
pub(crate) struct Slot {
    pub(crate) spec: Arc<FunctionSpec>,
    of: Arc<FunctionName>,
    worker: Worker,
    pub(crate) stream: Arc<StreamName>,
    /// Where debuggers are led to.
    opened: Option<Opened>,
    /// How it came to be, once it is one of its function's environments.
    pub(crate) environment: Option<Arc<Environment>>,
    /// What its start took, until it is reported with the first event.
    began: Began,
    /// What it was forked of, which must not end before it.
    pub(crate) template: Option<Arc<Template>>,
}

/// What the start of a slot took.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Began {
    /// Loading the function.
    pub(crate) init_ms: Option<f64>,
    /// Or making a copy of a process that has loaded it.
    pub(crate) restore_ms: Option<f64>,
}

/// Why a worker did not become a slot.
pub(crate) struct Failed {
    pub(crate) why: InitFailure,
    stream: Arc<StreamName>,
    init_ms: f64,
    /// What was written while it was loaded: it belongs to the log of the event that asked for it.
    said: Tail,
}

pub(crate) enum InitFailure {
    /// Loading took longer than allowed.
    TimedOut,
    /// The process ended: how.
    Exited(End),
    /// The function failed: the answer of the invocation.
    Error(Bytes),
}

impl fmt::Display for InitFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            InitFailure::TimedOut => f.write_str("it did not load in time"),
            InitFailure::Exited(End { how, .. }) => f.write_str(how),
            InitFailure::Error(payload) => {
                let report: serde_json::Value = serde_json::from_slice(payload).unwrap_or_default();
                f.write_str(report["errorMessage"].as_str().unwrap_or("it failed to load"))
            }
        }
    }
}

/// What became of an event.
pub(crate) enum Run {
    /// It has ended, and the slot may run the next one.
    Ended(Invoked),
    /// It has ended, and the slot with it.
    Last(Invoked),
    /// The slot was dead already; nobody has seen the event.
    NotTaken,
}

impl Slot {
    /// Tells a worker what to become and waits until it has loaded it, within a limit. How it did
    /// is noted, and begins its log with the runtime's version.
    pub(crate) async fn start(
        around: Surroundings<'_>,
        assignment: Assignment,
        mut worker: Worker,
        (limit, origin, version): (Duration, &mut Origin, &(String, String)),
        debug: Option<(&Debugger, Language)>,
    ) -> Result<Slot, Failed> {
        let started = around.clock.now();
        let stream = Arc::clone(&assignment.stream);
        let mut journal = journal(around, &stream, None);
        journal.tail = Some(Tail::default());
        journal.first = Some(origin.line(version));
        if assignment.pack.is_none() {
            journal.write_first();
        }
        let mut opened: Option<Opened> = None;
        let mut timer = Timer::start(started, limit, None);
        let failed = |why, mut journal: Journal<'_>| {
            journal.write_first();
            let init_ms = millis(around.clock.now().since(started));
            let said = journal.tail.unwrap_or_default();
            Failed { why, stream: Arc::clone(&stream), init_ms, said }
        };
        let loading = async {
            if worker.assign(around, &assignment).await.is_err() {
                return None;
            }
            let mut reply = hear(&mut worker, &mut journal).await;
            if let Some(Reply::Packed { used }) = reply
                && assignment.pack.is_some()
            {
                origin.packed = used;
                journal.first = journal.first.is_some().then(|| origin.line(version));
                journal.write_first();
                reply = hear(&mut worker, &mut journal).await;
            }
            reply
        };
        let mut reply = tokio::select! {
            reply = loading => reply,
            () = timer.over(&**around.clock) => {
                return Err(failed(InitFailure::TimedOut, journal));
            }
        };
        if let (Some(Reply::Debug { port, path }), Some((debugger, language))) = (&reply, debug)
            && let Some(dial) = worker.dial()
        {
            let path = String::from_utf8_lossy(path).into_owned();
            let inside = Inside { path, code: assignment.code.clone() };
            let open = debugger.open(around.clock, dial, language, *port, inside);
            // What the debugger itself took does not count.
            timer = Timer::start(around.clock.now(), limit, Some(&open.debuggee.pauses));
            opened = Some(open);
            reply = tokio::select! {
                reply = hear(&mut worker, &mut journal) => reply,
                () = timer.over(&**around.clock) => {
                    return Err(failed(InitFailure::TimedOut, journal));
                }
            };
        }
        match reply {
            Some(Reply::Ready { micros }) => {
                let began = Began { init_ms: Some(f64::from(micros) / 1000.0), restore_ms: None };
                let spec = assignment.spec;
                let (of, template, environment) = (function_name(&spec), None, None);
                Ok(Slot { spec, of, worker, stream, opened, environment, began, template })
            }
            Some(Reply::InitError { payload, .. }) => {
                Err(failed(InitFailure::Error(payload), journal))
            }
            _ => {
                let how = worker.end().await;
                flush(&mut worker, &mut journal);
                Err(failed(InitFailure::Exited(how), journal))
            }
        }
    }

    /// A slot made by forking a template.
    pub(crate) async fn fork(
        around: Surroundings<'_>,
        spec: &Arc<FunctionSpec>,
        template: &Worker,
        provisioned: bool,
    ) -> io::Result<Slot> {
        let began = around.clock.now();
        let stream = Arc::new(stream_name(around, spec));
        let mut bytes = [[0; 4]; 4];
        bytes.iter_mut().for_each(|word| around.random.fill(word));
        let seed = bytes.map(u32::from_ne_bytes);
        let initialization_type = Origin::initialization(provisioned);
        let told = protocol::Forked { seed, log_stream_name: &stream.name, initialization_type };
        let text = serde_json::to_string(&told).expect("text is always JSON");
        let late = || io::Error::other("the fork did not become a slot");
        // A hostile function may take orders of its template away from it.
        let mut worker = tokio::select! {
            worker = template.fork(text, spec.limits()) => worker?,
            () = around.clock.sleep_until(began + FORK_TIMEOUT) => return Err(late()),
        };
        let mut journal = journal(around, &stream, None);
        let ready = tokio::select! {
            reply = hear(&mut worker, &mut journal) => matches!(reply, Some(Reply::Ready { .. })),
            () = around.clock.sleep_until(began + FORK_TIMEOUT) => false,
        };
        if !ready {
            return Err(late());
        }
        let restore_ms = Some(millis(around.clock.now().since(began)));
        let spec = Arc::clone(spec);
        let began = Began { init_ms: None, restore_ms };
        let of = function_name(&spec);
        let (template, opened, environment) = (None, None, None);
        Ok(Slot { spec, of, worker, stream, opened, environment, began, template })
    }

    /// Writes the first line of its log, where that was not done at its start.
    pub(crate) fn write_first(&self, around: Surroundings<'_>, line: String) {
        journal(around, &self.stream, None).write(line);
    }

    /// Hands events to the worker, which runs them in this order, one at a time. An error means
    /// that it is gone and has seen none of them.
    pub(crate) fn tell<'a>(
        &mut self,
        events: impl IntoIterator<Item = &'a Invocation>,
    ) -> io::Result<()> {
        self.worker.tell(self.spec.timeout, events)
    }

    /// Counts that so many slots of its function run an event, this one included.
    pub(crate) fn note_concurrency(&self, around: Surroundings<'_>, busy: usize) {
        let busy = u32::try_from(busy).unwrap_or(u32::MAX);
        around.metrics.record(&self.of, &[(Measure::ConcurrentExecutions, busy.into())]);
    }

    /// Gives it no processor, or gives it back.
    pub(crate) fn freeze(&mut self, frozen: bool) {
        self.worker.freeze(frozen);
    }

    fn pauses(&self) -> Option<&Arc<Pauses>> {
        self.opened.as_ref().map(|opened| &opened.debuggee.pauses)
    }

    /// Waits until the first event of those told has ended, or its time has.
    pub(crate) async fn run(&mut self, around: Surroundings<'_>, event: &Invocation) -> Run {
        let timeout = self.spec.timeout;
        let timer = Timer::start(around.clock.now(), timeout, self.pauses());
        let request_id: Arc<str> = event.request_id.as_str().into();
        let mut journal = journal(around, &self.stream, Some(Arc::clone(&request_id)));
        journal.tail = event.tail.then(Tail::default);
        journal.write(start_line(&request_id, &self.spec));
        let mut answer = Answer::new(event.response.as_ref());
        if let Some(environment) = &self.environment {
            environment.count_event();
        }
        let heard = loop {
            let heard = tokio::select! {
                biased;
                reply = answer.hear(&mut self.worker, &mut journal) => Some(reply),
                () = timer.over(&**around.clock) => None,
            };
            // Nobody else has a reason to ask, and answers that nobody reads would pile up.
            if self.opened.is_none() || !matches!(heard, Some(Some(Reply::AskTime))) {
                break heard;
            }
            self.worker.tell_time(timer.left(around.clock.now()));
        };
        let taken = millis(timer.passed(around.clock.now()));
        let paused = millis(timer.paused());
        let began = std::mem::take(&mut self.began);
        let figures = |micros, memory_kb| Figures {
            duration_ms: (f64::from(micros) / 1000.0 - paused).max(0.0),
            began,
            memory_kb,
        };
        let cut_off = Figures { duration_ms: taken, began, memory_kb: 0 };
        let (ending, figures) = match heard {
            Some(Some(Reply::Result { micros, memory_kb, payload })) => {
                (Ending::Result(payload), figures(micros, memory_kb))
            }
            Some(Some(Reply::Error { micros, memory_kb, exits, payload })) => {
                (Ending::Error { payload, exits }, figures(micros, memory_kb))
            }
            Some(None) if self.worker.refused(&request_id) && !answer.began() => {
                return Run::NotTaken;
            }
            Some(Some(_) | None) => (Ending::Exited(self.worker.end().await), cut_off),
            None => {
                let _killed = self.worker.end().await;
                let duration_ms = millis(timeout);
                (Ending::TimedOut, Figures { duration_ms, ..cut_off })
            }
        };
        flush(&mut self.worker, &mut journal);
        let last = !matches!(ending, Ending::Result(_) | Ending::Error { exits: false, .. });
        let invoked = ending.conclude(journal, &request_id, &self.spec, figures);
        figures.record(around.metrics, &self.of, invoked.error.is_some());
        if last { Run::Last(invoked) } else { Run::Ended(invoked) }
    }
}

impl Failed {
    /// The answer to an invocation whose function could not be loaded.
    pub(crate) fn conclude(
        self,
        around: Surroundings<'_>,
        spec: &FunctionSpec,
        event: &Invocation,
    ) -> Invoked {
        let request_id: Arc<str> = event.request_id.as_str().into();
        let mut journal = journal(around, &self.stream, Some(Arc::clone(&request_id)));
        journal.tail = event.tail.then_some(self.said);
        journal.write(start_line(&request_id, spec));
        let duration_ms = self.init_ms;
        let figures = Figures { duration_ms, began: Began::default(), memory_kb: 0 };
        let ending = match self.why {
            InitFailure::TimedOut => Ending::TimedOut,
            InitFailure::Exited(how) => Ending::Exited(how),
            InitFailure::Error(payload) => Ending::Error { payload, exits: true },
        };
        figures.record(around.metrics, &function_name(spec), true);
        ending.conclude(journal, &request_id, spec, figures)
    }
}

/// Whose figures they are.
pub(crate) fn function_name(spec: &FunctionSpec) -> Arc<FunctionName> {
    let (account, region) = (spec.account.clone(), spec.region.clone());
    Arc::new(FunctionName { account, region, name: spec.name.clone() })
}

/// How an event ended.
enum Ending {
    Result(Bytes),
    Error {
        payload: Bytes,
        /// The worker is exiting after it.
        exits: bool,
    },
    /// The process ended by itself: how.
    Exited(End),
    TimedOut,
}

impl Ending {
    /// Writes the last lines and makes the answer.
    fn conclude(
        self,
        mut journal: Journal<'_>,
        request_id: &str,
        spec: &FunctionSpec,
        figures: Figures,
    ) -> Invoked {
        let failure = |kind: &str, what: &str| {
            let message = format!("RequestId: {request_id} Error: {what}");
            let payload = json!({ "errorType": kind, "errorMessage": message });
            (Bytes::from(payload.to_string()), message)
        };
        let failed = |kind: &str| format!("Status: error\tError Type: {kind}");
        let (payload, error, status) = match self {
            Ending::Result(payload) => (payload, None, String::new()),
            Ending::Error { payload, exits: false } => (payload, Some(UNHANDLED), String::new()),
            Ending::Error { payload, exits: true } => {
                let status = failed(&error_type(&payload));
                (payload, Some(UNHANDLED), status)
            }
            Ending::Exited(End { kind, how }) => {
                let (payload, message) = failure(&kind, &how);
                journal.write(format!("{message}\n{kind}"));
                (payload, Some(UNHANDLED), failed(&kind))
            }
            Ending::TimedOut => {
                let what =
                    format!("Task timed out after {:.2} seconds", spec.timeout.as_secs_f64());
                journal.write(format!("{} {request_id} {what}", iso(journal.clock.now())));
                let (payload, _message) = failure("Sandbox.Timedout", &what);
                (payload, Some(UNHANDLED), "Status: timeout".to_owned())
            }
        };
        journal.write(format!("END RequestId: {request_id}"));
        journal.write(figures.report(request_id, spec.memory_mb, &status));
        Invoked {
            payload,
            error,
            log_tail: journal.tail.map(Tail::into_text).unwrap_or_default(),
            duration_ms: figures.duration_ms,
            billed_ms: figures.billed_ms(),
            init_ms: figures.began.init_ms,
            restore_ms: figures.began.restore_ms,
            memory_mb: spec.memory_mb,
            memory_used_kb: figures.memory_kb,
        }
    }
}

/// Writes down what the worker logs until it answers; `None` if it ends instead.
pub(crate) async fn hear(worker: &mut Worker, journal: &mut Journal<'_>) -> Option<Reply> {
    loop {
        match worker.hear().await {
            Heard::Reply(Reply::Log(line)) => {
                journal.write(String::from_utf8_lossy(&line).into_owned());
            }
            Heard::Reply(reply) => return Some(reply),
            Heard::Line(line) => journal.write(line),
            Heard::Gone => return None,
        }
    }
}

fn flush(worker: &mut Worker, journal: &mut Journal<'_>) {
    for line in worker.last_lines() {
        journal.write(line);
    }
}

pub(crate) fn journal<'a>(
    around: Surroundings<'a>,
    stream: &'a Arc<StreamName>,
    request_id: Option<Arc<str>>,
) -> Journal<'a> {
    let Surroundings { clock, logs: sink, .. } = around;
    Journal { sink, clock: &**clock, stream, request_id, first: None, tail: None }
}

fn start_line(request_id: &str, spec: &FunctionSpec) -> String {
    format!("START RequestId: {request_id} Version: {}", spec.version)
}

fn error_type(payload: &[u8]) -> String {
    #[derive(serde::Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Report {
        error_type: String,
    }
    serde_json::from_slice(payload).map_or_else(|_| "Unknown".to_owned(), |r: Report| r.error_type)
}

pub(crate) fn timestamp(time: Time) -> jiff::Timestamp {
    let millis = i64::try_from(time.as_millis()).unwrap_or(i64::MAX);
    jiff::Timestamp::from_millisecond(millis).unwrap_or(jiff::Timestamp::MAX)
}

/// `2026-11-21T07:00:00.000Z`.
fn iso(time: Time) -> String {
    timestamp(time).strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()
}

fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}
