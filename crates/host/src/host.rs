use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use base::{Arn, Clock, Random, sleep, task};
use telemetry::{LogSink, Measure, MetricSink};
use tokio::sync::{Notify, oneshot};

use crate::assignment::Assignment;
use crate::places::{Asked, Grant, Lease, Place, Places, Ran};
use crate::pool::Pool;
use crate::runtimes::Runtime;
use crate::slot::{Failed, InitFailure, Run, Slot, Surroundings, function_name};
use crate::templates::{Start, Templates};
use crate::{
    Config, EVENT_BYTES_MAX, FunctionSpec, HostError, Invocation, Invoked, Runtimes, Sandbox,
};

/// How often a slot may turn out to be dead before its event is given up.
const TRIES_MAX: usize = 5;
/// How long a start waits with booting the next worker: longer than loading and answering takes.
const REFILL_AFTER: Duration = Duration::from_millis(20);
/// How long the making of a template waits: who deploys often calls at once, and a boot takes a
/// processor for longer than that call.
const TEMPLATE_AFTER: Duration = Duration::from_millis(200);
/// How long a slot keeps the processor after an event: not so long that what it left running does
/// much, and so long that a slot that is used again and again is never frozen.
const FREEZE_AFTER: Duration = Duration::from_millis(100);
/// How often idle slots are looked after.
const TIDY_EVERY: Duration = Duration::from_secs(5);
/// And after so many times booted workers and templates.
const AGE_EVERY: u64 = 6;

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
    places: Arc<Places>,
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
                places: Arc::new(Places::new(&config, run)),
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
        task::spawn("host.tidy", tidy(Arc::downgrade(&host.0)));
        task::spawn("host.freeze", freeze(Arc::downgrade(&host.0)));
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

    /// Makes sure that the first event of this function meets a booted worker.
    ///
    /// # Errors
    /// If its runtime cannot be used here.
    pub async fn warm(&self, spec: &Arc<FunctionSpec>) -> Result<(), HostError> {
        let _accepted = self.accept()?;
        let runtime = self.0.runtime(spec)?;
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
    }

    /// Ends the slots that run nothing: the next event of every function is a cold start.
    pub fn end_idle(&self) {
        self.0.places.end_idle();
    }

    /// Takes no more invocations, lets the accepted ones end, then ends every process.
    pub async fn drain(&self) {
        self.0.closing.store(true, Ordering::SeqCst);
        loop {
            let quiet = self.0.quiet.notified();
            if self.0.accepted.load(Ordering::SeqCst) == 0 {
                break;
            }
            quiet.await;
        }
        self.0.places.provision(HashMap::new());
        self.0.places.end_idle();
        self.0.templates.clear();
        self.0.pool.clear();
    }

    /// What lives at the moment, by revision.
    pub fn live(&self) -> Vec<Live> {
        let forks = self.0.pool.sandbox().forks();
        let mut all: HashMap<Arc<FunctionSpec>, Live> = HashMap::new();
        for (spec, start) in self.0.templates.each() {
            all.insert(Arc::clone(&spec), Live { spec, idle: 0, busy: 0, start });
        }
        for (spec, idle, busy) in self.0.places.each() {
            let why = forks.clone().err().unwrap_or_else(|| "its runtime is not forked".into());
            let fresh =
                || Live { spec: Arc::clone(&spec), idle: 0, busy: 0, start: Start::Load(why) };
            let live = all.entry(Arc::clone(&spec)).or_insert_with(fresh);
            (live.idle, live.busy) = (idle, busy);
        }
        all.into_values().collect()
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
                    let memory_mb = f64::from(invoked.memory_used_kb) / 1024.0;
                    let ran = Ran { millis: invoked.duration_ms, memory_mb };
                    let next = self.places.next(lease, self.clock.now(), Some(ran), told.len());
                    job.answer(Ok(invoked));
                    let Some(next) = next else { return };
                    (lease, news) = next;
                }
                Run::Last(invoked) => {
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

    /// Starts a slot; `Ok(Err(_))` is the answer to the event where the function fails to load.
    async fn start(
        self: &Arc<Self>,
        spec: &Arc<FunctionSpec>,
        place: Place,
        event: &Invocation,
    ) -> Result<Result<Lease, Invoked>, HostError> {
        // As on Lambda: who does not finish loading in time may try once more, within the time of
        // the event itself.
        let limits = (self.config.init_timeout, Some(spec.timeout));
        let started = self.begin(spec, place, limits).await?;
        Ok(started.map_err(|failed| failed.conclude(self.around(), spec, event)))
    }

    /// Starts a slot: forks it, or else has a worker load the function within the first limit and,
    /// if that was too short, another one within the second.
    async fn begin(
        self: &Arc<Self>,
        spec: &Arc<FunctionSpec>,
        mut place: Place,
        limits: (Duration, Option<Duration>),
    ) -> Result<Result<Lease, Failed>, HostError> {
        let began = self.clock.now();
        let runtime = self.runtime(spec)?;
        let forked = self.fork(runtime, spec).await;
        let forks = forked.is_some();
        let slot = match forked {
            Some(slot) => slot,
            None => {
                let slot = match self.load(runtime, spec, limits).await? {
                    Ok(slot) => slot,
                    Err(failed) => return Ok(Err(failed)),
                };
                self.refill_later(runtime, spec);
                self.make_template(runtime, spec);
                slot
            }
        };
        let took = self.clock.now().since(began).as_secs_f64() * 1000.0;
        self.places.note_start(&mut place, forks, took.max(1.0));
        Ok(Ok(Lease { slot, place }))
    }

    async fn load(
        &self,
        runtime: &Arc<Runtime>,
        spec: &Arc<FunctionSpec>,
        (mut limit, mut again): (Duration, Option<Duration>),
    ) -> Result<Result<Slot, Failed>, HostError> {
        loop {
            let assignment = Assignment::new(self.around(), runtime, spec);
            let worker = self.pool.take(runtime, &assignment).await?;
            let done = Slot::start(self.around(), assignment, worker, limit).await;
            let late = matches!(&done, Err(Failed { why: InitFailure::TimedOut, .. }));
            match again.take().filter(|_| late) {
                Some(next) => limit = next,
                None => return Ok(done),
            }
        }
    }

    /// Boots the next worker, off the path of the event that took the last one: the boot takes a
    /// processor for as long as a cold start lasts.
    fn refill_later(self: &Arc<Self>, runtime: &Arc<Runtime>, spec: &Arc<FunctionSpec>) {
        let (host, runtime, spec) = (Arc::clone(self), Arc::clone(runtime), Arc::clone(spec));
        task::spawn("host.refill", async move {
            sleep(&*host.clock, REFILL_AFTER).await;
            if let Err(error) = host.pool.refill(&runtime, &spec).await {
                tracing::warn!(runtime = runtime.id, %error, "no worker could be booted");
            }
        });
    }

    /// Starts the provisioned slots that are missing, one after the other: nobody waits for them.
    async fn start_provisioned(self: &Arc<Self>) {
        while let Some(place) = self.places.take_provisioned() {
            if !self.start_ahead(place).await {
                return;
            }
        }
    }

    /// Starts a slot for which there is no event yet; whether that went well. If not, the next
    /// event will say why.
    async fn start_ahead(self: &Arc<Self>, place: Place) -> bool {
        let spec = Arc::clone(place.spec());
        let limit = self.config.init_timeout.max(spec.timeout);
        let Ok(Ok(lease)) = self.begin(&spec, place, (limit, None)).await else { return false };
        // As if it had run an event: there may be one for it by now.
        if let Some((lease, jobs)) = self.places.next(Box::new(lease), self.clock.now(), None, 0) {
            let mut jobs = jobs.into_iter();
            if let Some(first) = jobs.next() {
                self.drive(Grant::Slot(lease), first);
            }
            jobs.for_each(|job| self.submit(job));
        }
        true
    }

    /// A slot of the function's template, if it has one.
    async fn fork(
        self: &Arc<Self>,
        runtime: &Arc<Runtime>,
        spec: &Arc<FunctionSpec>,
    ) -> Option<Slot> {
        let template = self.templates.find(spec)?;
        match template.slot(self.around(), spec).await {
            Ok(slot) => {
                let (host, spec) = (Arc::clone(self), Arc::clone(spec));
                task::spawn("host.spare", async move {
                    sleep(&*host.clock, REFILL_AFTER).await;
                    if let Err(error) = template.refill(host.around(), &spec).await {
                        tracing::debug!(function = spec.name, %error, "no spare slot");
                    }
                });
                Some(slot)
            }
            Err(error) => {
                tracing::warn!(function = spec.name, %error, "the template is made anew");
                self.templates.forget(spec);
                self.make_template(runtime, spec);
                None
            }
        }
    }

    /// Makes the template of a function in the background, unless there is one, or cannot be.
    fn make_template(self: &Arc<Self>, runtime: &Arc<Runtime>, spec: &Arc<FunctionSpec>) {
        if !runtime.forks() || self.pool.sandbox().forks().is_err() || !self.templates.claim(spec) {
            return;
        }
        let (host, runtime, spec) = (Arc::clone(self), Arc::clone(runtime), Arc::clone(spec));
        task::spawn("host.template", async move {
            sleep(&*host.clock, TEMPLATE_AFTER).await;
            let (pool, around) = (&host.pool, host.around());
            host.templates.make(pool, &host.config, around, &runtime, &spec).await;
            if host.templates.made(&spec).await.is_ok() {
                host.places.note_template(&spec);
            }
        });
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

/// Freezes what is idle, until the host is gone.
async fn freeze(host: Weak<Inner>) {
    loop {
        let Some(thawed) = host.upgrade().map(|host| Arc::clone(&host.places.thawed)) else {
            return;
        };
        thawed.notified().await;
        loop {
            let Some(clock) = host.upgrade().map(|host| Arc::clone(&host.clock)) else { return };
            sleep(&*clock, FREEZE_AFTER).await;
            let Some(host) = host.upgrade() else { return };
            if !host.places.freeze(clock.now() - FREEZE_AFTER) {
                break;
            }
        }
    }
}

/// Ends what is of no use, and starts what soon will be, until the host is gone.
async fn tidy(host: Weak<Inner>) {
    for turn in 1_u64.. {
        let Some(clock) = host.upgrade().map(|host| Arc::clone(&host.clock)) else { return };
        sleep(&*clock, TIDY_EVERY).await;
        let Some(host) = host.upgrade() else { return };
        let now = clock.now();
        for place in host.places.tidy(now) {
            let host = Arc::clone(&host);
            task::spawn("host.ahead", async move {
                host.start_ahead(place).await;
            });
        }
        if (host.config.is_short)() && !host.places.relieve(now) {
            host.templates.evict();
        }
        if turn.is_multiple_of(AGE_EVERY) {
            host.pool.shrink();
            host.templates.age();
        }
    }
}
