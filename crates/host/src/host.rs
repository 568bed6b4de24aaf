mod start;
mod upkeep;

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;

use base::{Arn, Clock, Random, sleep, task};
use telemetry::{LogSink, Measure, MetricSink};
use tokio::sync::{Notify, oneshot};

use crate::debug::{Debugged, Debugger, Debuggers, Door};
use crate::environment::Environs;
use crate::failures::{Failure, Failures};
use crate::packs::Packs;
use crate::places::{Asked, Grant, Lease, Places, Ran};
use crate::pool::Pool;
use crate::runtimes::{Program, Runtime};
use crate::slot::{Run, Surroundings, function_name};
use crate::templates::{Start, Templates};
use crate::{
    Config, EVENT_BYTES_MAX, FunctionSpec, HostError, Invocation, Invoked, Runtimes, Sandbox,
};

/// How often a slot may turn out to be dead before its event is given up.
const TRIES_MAX: usize = 5;

/// Runs functions. A cheap handle.
#[derive(Clone)]
pub struct Host(Arc<Inner>);

/// What a host is made of.
pub struct Parts {
    pub config: Config,
    pub clock: Arc<dyn Clock>,
    pub random: Arc<dyn Random>,
    pub sandbox: Arc<dyn Sandbox>,
    pub runtimes: Runtimes,
    pub logs: Arc<dyn LogSink>,
    pub metrics: Arc<dyn MetricSink>,
}

struct Inner {
    config: Config,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    runtimes: Runtimes,
    logs: Arc<dyn LogSink>,
    metrics: Arc<dyn MetricSink>,
    pool: Pool,
    templates: Templates,
    packs: Packs,
    places: Arc<Places>,
    debuggers: OnceLock<Debuggers>,
    failures: Failures,
    accepted: AtomicUsize,
    closing: AtomicBool,
    /// Told when `accepted` falls to zero.
    quiet: Notify,
}

/// What lives at the moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Stats {
    /// Interpreters that are up and belong to no function yet.
    pub booted: usize,
    /// Processes that have loaded a function, to be forked.
    pub templates: usize,
    pub idle: usize,
    /// Those of the idle that get no processor until their next event.
    pub frozen: usize,
    /// Slots that run an event or are being started.
    pub busy: usize,
    /// Invocations that wait for a slot.
    pub waiting: usize,
}

/// A revision of a function that has slots, or a template.
#[derive(Debug, Clone)]
pub struct Live {
    pub spec: Arc<FunctionSpec>,
    pub idle: usize,
    /// Slots that run an event or are being started.
    pub busy: usize,
    pub start: Start,
    pub environments: Vec<Environs>,
}

impl Host {
    /// A host without any process yet. Must be called within a tokio runtime.
    pub fn new(parts: Parts) -> Host {
        let Parts { config, clock, random, sandbox, runtimes, logs, metrics } = parts;
        let pool = Pool::new(config.clone(), sandbox);
        let host = Host(Arc::new_cyclic(|host: &Weak<Inner>| {
            let host = host.clone();
            let run = move |place, job| {
                // Places outlive the host only while it is being dropped.
                if let Some(host) = host.upgrade() {
                    host.drive(Grant::Place(place), job);
                }
            };
            Inner {
                pool,
                templates: Templates::new(config.templates_max),
                packs: Packs::new(config.packs.clone()),
                places: Arc::new(Places::new(&config, run)),
                debuggers: OnceLock::new(),
                failures: Failures::default(),
                config,
                clock,
                random,
                runtimes,
                logs,
                metrics,
                accepted: AtomicUsize::new(0),
                closing: AtomicBool::new(false),
                quiet: Notify::new(),
            }
        }));
        task::spawn("host.tidy", upkeep::tidy(Arc::downgrade(&host.0)));
        task::spawn("host.freeze", upkeep::freeze(Arc::downgrade(&host.0)));
        host
    }

    /// Runs one event. Dropping the future does not end the event: it runs to its end.
    ///
    /// # Errors
    /// If the function could not be run at all; a failure of the function is an [`Invoked`].
    pub async fn invoke(
        &self,
        spec: &Arc<FunctionSpec>,
        invocation: Invocation,
    ) -> Result<Invoked, HostError> {
        let (bytes, bytes_max) = (invocation.payload.len(), EVENT_BYTES_MAX);
        if bytes > bytes_max {
            return Err(HostError::PayloadTooLarge { bytes, bytes_max });
        }
        let accepted = self.accept()?;
        self.0.runtime(spec)?;
        let (done, result) = oneshot::channel();
        let job =
            Job { spec: Arc::clone(spec), event: invocation, tries: 0, done, _accepted: accepted };
        self.0.submit(job);
        result.await.unwrap_or_else(|_panicked| Err(HostError::NoWorker("a task failed".into())))
    }

    /// Lets these functions be debugged, each in one environment that stays. To be called once,
    /// before any of them runs.
    ///
    /// # Errors
    /// If a runtime cannot be debugged, or a port is in use: what to do about it.
    pub fn debug(&self, wanted: Vec<Debugged>) -> Result<Vec<Door>, String> {
        if wanted.is_empty() {
            return Ok(Vec::new());
        }
        let functions = wanted.iter().map(|one| one.function.clone()).collect();
        let with_language = |one: Debugged| {
            let runtime = self.0.runtimes.find(&one.runtime);
            let Some(debug) = runtime.and_then(|runtime| runtime.debug()) else {
                let Debugged { function, runtime, .. } = one;
                return Err(format!(
                    "{function} cannot be debugged: nothing is known of debuggers \
                                    for {runtime}\nhelp: leave --debug {function} out"
                ));
            };
            Ok((one, debug.language, debug.port))
        };
        let wanted = wanted.into_iter().map(with_language).collect::<Result<_, _>>()?;
        let (debuggers, doors) = Debuggers::listen(wanted)?;
        self.0.places.keep_one_of(functions);
        let _said_once = self.0.debuggers.set(debuggers);
        Ok(doors)
    }

    /// Makes sure that the first event of this function meets a booted worker; that it can be
    /// debugged already, if it is to be.
    ///
    /// # Errors
    /// If its runtime cannot be used here; if it is to be debugged and does not load.
    pub async fn warm(&self, spec: &Arc<FunctionSpec>) -> Result<(), HostError> {
        let _accepted = self.accept()?;
        let runtime = self.0.runtime(spec)?;
        if self.0.debugger(spec).is_some() {
            return self.0.start_debugged(spec).await;
        }
        self.0.pool.refill(runtime, spec).await?;
        self.0.make_template(runtime, spec);
        Ok(())
    }

    /// Waits until a function has a template, of which its slots are forked, or cannot have one:
    /// then why. Slots are then booted workers that load it.
    ///
    /// # Errors
    /// If it has none.
    pub async fn template(&self, spec: &Arc<FunctionSpec>) -> Result<(), String> {
        self.0.pool.sandbox().forks()?;
        self.0.templates.made(spec).await
    }

    /// Waits while the code pack of a function is being made; whether it has one. Slots that are
    /// not forked load the function of it.
    pub async fn pack(&self, spec: &Arc<FunctionSpec>) -> bool {
        self.0.packs.made(spec).await
    }

    /// Deletes the code packs of all revisions but these and those that were asked for in this run.
    /// Blocks.
    ///
    /// # Errors
    /// If one cannot be deleted.
    pub fn sweep_packs(&self, revisions: &HashSet<String>) -> std::io::Result<()> {
        self.0.packs.sweep(revisions)
    }

    /// Has as many slots of these revisions ready as is said, used or not, and of others as many as
    /// their use calls for. They are started in the background; as many fewer as the limit of all
    /// slots leaves no room for.
    pub fn provision(&self, wanted: &[(Arc<FunctionSpec>, u32)]) {
        let wanted = wanted.iter().map(|(spec, count)| (Arc::clone(spec), *count as usize));
        self.0.places.provision(wanted.collect());
        let host = Arc::clone(&self.0);
        task::spawn("host.provision", async move { host.start_provisioned().await });
    }

    /// How many slots of a revision are up: what is ready of those provisioned.
    pub fn up(&self, spec: &FunctionSpec) -> usize {
        self.0.places.up(spec)
    }

    /// Ends the slots of all revisions of a function but one: idle ones at once, busy ones after
    /// their event.
    pub fn retire(&self, function: &Arn, keep_revision: Option<&str>) {
        self.0.places.retire(function, keep_revision);
        self.0.templates.retire(function, keep_revision);
        self.0.packs.retire(function, keep_revision);
    }

    /// Ends the slots that run nothing: the next event of every function is a cold start.
    pub fn end_idle(&self) {
        self.0.places.end_idle();
    }

    /// Takes debuggers away: what they have stopped goes on, and would not end otherwise.
    pub fn let_go(&self) {
        if let Some(debuggers) = self.0.debuggers.get() {
            debuggers.close();
        }
    }

    /// Takes no more invocations, lets the accepted ones end, then ends every process.
    pub async fn drain(&self) {
        self.0.closing.store(true, Ordering::SeqCst);
        self.let_go();
        loop {
            let quiet = self.0.quiet.notified();
            if self.0.accepted.load(Ordering::SeqCst) == 0 {
                break;
            }
            quiet.await;
        }
        self.0.places.provision(HashMap::new());
        self.0.places.keep_one_of(HashSet::new());
        self.0.places.end_idle();
        self.0.templates.clear();
        self.0.pool.clear();
    }

    /// What lives at the moment, by revision.
    pub fn live(&self) -> Vec<Live> {
        let mut all: HashMap<Arc<FunctionSpec>, Live> = HashMap::new();
        let none = |spec: &Arc<FunctionSpec>| {
            let (spec, start) = (Arc::clone(spec), self.0.how_started(spec));
            Live { spec, idle: 0, busy: 0, start, environments: Vec::new() }
        };
        for spec in self.0.templates.each() {
            all.insert(Arc::clone(&spec), none(&spec));
        }
        for (spec, idle, busy, environments) in self.0.places.each() {
            let live = all.entry(Arc::clone(&spec)).or_insert_with(|| none(&spec));
            (live.idle, live.busy, live.environments) = (idle, busy, environments);
        }
        all.into_values().collect()
    }

    /// What the functions of a runtime run on, once one was looked for.
    pub fn program(&self, runtime: &str) -> Option<Program> {
        self.0.runtimes.find(runtime)?.program(runtime)
    }

    /// How events of a function failed lately, the last one first.
    pub fn failures(&self, function: &str) -> Vec<Failure> {
        self.0.failures.of(function)
    }

    /// Counts an event that was not run because too many did.
    pub fn note_throttle(&self, spec: &FunctionSpec) {
        self.0.note_throttle(spec);
    }

    /// Counts an event that was not run because it had come by too often.
    pub fn note_loop(&self, spec: &FunctionSpec) {
        let dropped = &[(Measure::RecursiveInvocationsDropped, 1.0)];
        self.0.metrics.record(&function_name(spec), dropped);
    }

    /// Counts how old the last record of a stream's batch was when it was given to a function.
    pub fn note_iterator_age(&self, spec: &FunctionSpec, age: Duration) {
        let age = &[(Measure::IteratorAge, age.as_secs_f64() * 1000.0)];
        self.0.metrics.record(&function_name(spec), age);
    }

    /// Counts that a stream is read on from another place than where reading had ended.
    pub fn note_reopened(&self, spec: &FunctionSpec) {
        let reopened = &[(Measure::StreamsReopened, 1.0)];
        self.0.metrics.record(&function_name(spec), reopened);
    }

    /// What lives at the moment.
    pub fn stats(&self) -> Stats {
        let (idle, frozen, busy, waiting) = self.0.places.count();
        let (booted, templates) = (self.0.pool.len(), self.0.templates.len());
        Stats { booted, templates, idle, frozen, busy, waiting }
    }

    /// Counts an invocation before it looks whether we are closing, so that `drain` either waits
    /// for it or it is refused.
    fn accept(&self) -> Result<Accepted, HostError> {
        self.0.accepted.fetch_add(1, Ordering::SeqCst);
        let accepted = Accepted(Arc::clone(&self.0));
        if self.0.closing.load(Ordering::SeqCst) { Err(HostError::Closing) } else { Ok(accepted) }
    }
}

/// An event on its way, with the one who waits for its answer, who may leave.
pub(crate) struct Job {
    pub(crate) spec: Arc<FunctionSpec>,
    pub(crate) event: Invocation,
    /// How often a worker was found dead.
    tries: usize,
    done: oneshot::Sender<Result<Invoked, HostError>>,
    _accepted: Accepted,
}

impl Job {
    fn answer(self, answer: Result<Invoked, HostError>) {
        let _caller_gone = self.done.send(answer);
    }
}

/// An invocation that `drain` waits for.
struct Accepted(Arc<Inner>);

impl Drop for Accepted {
    fn drop(&mut self) {
        if self.0.accepted.fetch_sub(1, Ordering::SeqCst) == 1 {
            self.0.quiet.notify_waiters();
        }
    }
}

/// Idle slots hold on to the places they are kept in.
impl Drop for Inner {
    fn drop(&mut self) {
        self.places.thawed.notify_one();
        self.places.keep_one_of(HashSet::new());
        self.places.end_idle();
    }
}

impl Inner {
    /// Runs a job as soon as there is a slot or the right to start one.
    fn submit(self: &Arc<Self>, job: Job) {
        let spec = Arc::clone(&job.spec);
        match self.places.ask(job, self.clock.now()) {
            Asked::Granted(grant, job) => self.drive(grant, job),
            Asked::Refused(error, job) => {
                self.note_throttle(&job.spec);
                job.answer(Err(error));
            }
            Asked::Waits => {}
            Asked::WaitsFor(patience) => {
                task::spawn("host.patience", Arc::clone(self).look_after(spec, patience));
            }
        }
    }

    fn note_failure(&self, spec: &FunctionSpec, event: &Invocation, invoked: &Invoked) {
        if invoked.error.is_some() {
            self.failures.note(spec, event, invoked, self.clock.now());
        }
    }

    fn note_throttle(&self, spec: &FunctionSpec) {
        self.metrics.record(&function_name(spec), &[(Measure::Throttles, 1.0)]);
    }

    /// Sees to it that nobody waits for busy slots longer than `patience`, until nobody waits.
    async fn look_after(self: Arc<Self>, spec: Arc<FunctionSpec>, patience: Duration) {
        loop {
            sleep(&*self.clock, patience).await;
            match self.places.insist(&spec, self.clock.now(), patience) {
                Ok(Some((grant, job))) => self.drive(grant, job),
                Ok(None) => {}
                Err(()) => return,
            }
        }
    }

    /// Runs a job, and then those that wait for the same slot.
    fn drive(self: &Arc<Self>, grant: Grant, job: Job) {
        let host = Arc::clone(self);
        task::spawn("host.slot", async move {
            if let Some((lease, job)) = host.lease(grant, job).await {
                host.serve(lease, job).await;
            }
        });
    }

    async fn lease(self: &Arc<Self>, grant: Grant, job: Job) -> Option<(Box<Lease>, Job)> {
        let place = match grant {
            Grant::Slot(lease) => return Some((lease, job)),
            Grant::Place(place) => place,
        };
        match self.start(&job.spec, place, &job.event).await {
            Ok(Ok(lease)) => return Some((Box::new(lease), job)),
            Ok(Err(invoked)) => job.answer(Ok(invoked)),
            Err(error) => job.answer(Err(error)),
        }
        None
    }

    /// Runs one job after the other until there is none for the slot, or the slot ends.
    async fn serve(self: &Arc<Self>, mut lease: Box<Lease>, job: Job) {
        lease.slot.note_concurrency(self.around(), self.places.busy(&job.spec));
        let mut news = vec![job];
        // What the worker has, in its order: the first one runs.
        let mut told = VecDeque::new();
        loop {
            if lease.slot.tell(news.iter().map(|job| &job.event)).is_ok() {
                told.extend(news);
            } else {
                // Something ended an idle worker. These events are as they were.
                news.into_iter().for_each(|job| self.submit_again(job));
            }
            let Some(job) = told.pop_front() else { return };
            match lease.slot.run(self.around(), &job.event).await {
                Run::Ended(invoked) => {
                    self.note_failure(&job.spec, &job.event, &invoked);
                    let memory_mb = f64::from(invoked.memory_used_kb) / 1024.0;
                    let ran = Ran { millis: invoked.duration_ms, memory_mb };
                    let next = self.places.next(lease, self.clock.now(), Some(ran), told.len());
                    job.answer(Ok(invoked));
                    let Some(next) = next else { return };
                    (lease, news) = next;
                }
                Run::Last(invoked) => {
                    self.note_failure(&job.spec, &job.event, &invoked);
                    job.answer(Ok(invoked));
                    break;
                }
                Run::NotTaken => {
                    self.submit_again(job);
                    break;
                }
            }
        }
        drop(lease);
        // Nor did it begin these, and there was one that it did.
        told.into_iter().for_each(|job| self.submit(job));
    }

    fn submit_again(self: &Arc<Self>, job: Job) {
        if job.tries < TRIES_MAX {
            self.submit(Job { tries: job.tries + 1, ..job });
        } else {
            let why = "every worker ended before it took the event";
            job.answer(Err(HostError::NoWorker(why.into())));
        }
    }

    /// Where the debugger of a function is, if it is debugged.
    fn debugger(&self, spec: &FunctionSpec) -> Option<&Debugger> {
        self.debuggers.get()?.find(spec)
    }

    /// How slots of a revision are started.
    fn how_started(&self, spec: &FunctionSpec) -> Start {
        let forks = self.runtimes.find(&spec.runtime).is_some_and(|runtime| runtime.forks());
        match self.pool.sandbox().forks() {
            _ if self.debugger(spec).is_some() => Start::Load("it is debugged".into()),
            _ if !forks => Start::Load("its runtime is not forked".into()),
            Err(why) => Start::Load(why),
            Ok(()) => self.templates.start(spec),
        }
    }

    fn runtime(&self, spec: &FunctionSpec) -> Result<&Arc<Runtime>, HostError> {
        self.runtimes.find(&spec.runtime).ok_or_else(|| HostError::RuntimeUnavailable {
            runtime: spec.runtime.clone(),
            why: "no runtime answers to this name".to_owned(),
        })
    }

    fn around(&self) -> Surroundings<'_> {
        let sandbox = self.pool.sandbox();
        let (logs, metrics) = (&*self.logs, &*self.metrics);
        Surroundings { clock: &self.clock, random: &self.random, logs, metrics, sandbox }
    }
}
