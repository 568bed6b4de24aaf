//! How slots are started: forked of a template, else loaded, and what is made ready meanwhile for
//! those that follow.

use std::sync::Arc;
use std::time::Duration;

use base::{sleep, task};

use super::{Grant, Inner};
use crate::assignment::{Assignment, Purpose};
use crate::environment::{Environment, Origin};
use crate::places::{Lease, Place};
use crate::runtimes::Runtime;
use crate::slot::{Failed, InitFailure, Slot};
use crate::templates::{Loading, Start};
use crate::{FunctionSpec, HostError, Invocation, Invoked};

/// How long a start waits with booting the next worker: longer than loading and answering takes.
const REFILL_AFTER: Duration = Duration::from_millis(20);
/// How long the making of a template waits: who deploys often calls at once, and a boot takes a
/// processor for longer than that call.
const TEMPLATE_AFTER: Duration = Duration::from_millis(200);

impl Inner {
    /// Starts a slot; `Ok(Err(_))` is the answer to the event where the function fails to load.
    pub(super) async fn start(
        self: &Arc<Self>,
        spec: &Arc<FunctionSpec>,
        place: Place,
        event: &Invocation,
    ) -> Result<Result<Lease, Invoked>, HostError> {
        // As on Lambda: who does not finish loading in time may try once more, within the time of
        // the event itself.
        let limits = (self.config.init_timeout, Some(spec.timeout));
        let started = self.begin(spec, place, limits, false).await?;
        Ok(started.map_err(|failed| {
            let invoked = failed.conclude(self.around(), spec, event);
            self.note_failure(spec, event, &invoked);
            invoked
        }))
    }

    /// Starts a slot: forks it, or else has a worker load the function within the first limit and,
    /// if that was too short, another one within the second.
    pub(super) async fn begin(
        self: &Arc<Self>,
        spec: &Arc<FunctionSpec>,
        mut place: Place,
        limits: (Duration, Option<Duration>),
        provisioned: bool,
    ) -> Result<Result<Lease, Failed>, HostError> {
        let began = self.clock.now();
        let runtime = self.runtime(spec)?;
        let debugged = self.debugger(spec).is_some();
        let forked = match debugged {
            false => self.fork(runtime, spec, provisioned).await,
            true => Err("it is debugged".to_owned()),
        };
        let (mut slot, origin) = match forked {
            Ok(forked) => forked,
            Err(why) => {
                let loaded = match self.load(runtime, spec, limits, (why, provisioned)).await? {
                    Ok(loaded) => loaded,
                    Err(failed) => return Ok(Err(failed)),
                };
                if !debugged {
                    self.refill_later(runtime, spec);
                    self.make_template(runtime, spec);
                }
                loaded
            }
        };
        let now = self.clock.now();
        let took_ms = now.since(began).as_secs_f64() * 1000.0;
        let stream = Arc::clone(&slot.stream);
        let environment = Arc::new(Environment::new(stream, origin, now, took_ms));
        self.places.note_start(&mut place, &environment);
        slot.environment = Some(environment);
        Ok(Ok(Lease { slot, place }))
    }

    async fn load(
        &self,
        runtime: &Arc<Runtime>,
        spec: &Arc<FunctionSpec>,
        (mut limit, mut again): (Duration, Option<Duration>),
        (why_not_forked, provisioned): (String, bool),
    ) -> Result<Result<(Slot, Origin), Failed>, HostError> {
        let debug = self.debugger(spec).zip(runtime.debug().map(|debug| debug.language));
        let purpose = match debug {
            Some(_) => Purpose::Debug,
            None => Purpose::Slot { provisioned },
        };
        loop {
            let pack =
                if runtime.packs() && debug.is_none() { self.packs.find(spec) } else { None };
            let packed = pack.is_some();
            let assignment = Assignment::new(self.around(), runtime, spec, purpose, pack);
            let (worker, way, why) = self.pool.take(runtime, &assignment).await?;
            let why: Vec<_> = std::iter::once(why_not_forked.clone()).chain(why).collect();
            let why = Some(why.join("; "));
            let mut origin = Origin { way, packed: false, why, provisioned };
            let version = runtime.version_line(&spec.runtime, &spec.region);
            let begin = (limit, &mut origin, &version);
            let done = Slot::start(self.around(), assignment, worker, begin, debug).await;
            if packed {
                let ended = matches!(&done, Err(Failed { why: InitFailure::Exited(_), .. }));
                if ended || (!origin.packed && done.is_ok()) {
                    self.packs.refuse(spec, !ended);
                }
                // Whatever is wrong with it, the function is loaded as if there were none.
                if ended {
                    continue;
                }
            }
            let done = done.map(|slot| (slot, origin));
            let late = matches!(&done, Err(Failed { why: InitFailure::TimedOut, .. }));
            match again.take().filter(|_| late) {
                Some(next) => limit = next,
                None => return Ok(done),
            }
        }
    }

    /// Boots the next worker, off the path of the event that took the last one: the boot takes a
    /// processor for as long as a cold start lasts.
    pub(super) fn refill_later(self: &Arc<Self>, runtime: &Arc<Runtime>, spec: &Arc<FunctionSpec>) {
        let (host, runtime, spec) = (Arc::clone(self), Arc::clone(runtime), Arc::clone(spec));
        task::spawn("host.refill", async move {
            sleep(&*host.clock, REFILL_AFTER).await;
            if let Err(error) = host.pool.refill(&runtime, &spec).await {
                tracing::warn!(runtime = runtime.id, %error, "no worker could be booted");
            }
        });
    }

    /// Starts the provisioned slots that are missing, one after the other: nobody waits for them.
    pub(super) async fn start_provisioned(self: &Arc<Self>) {
        while let Some(place) = self.places.take_provisioned() {
            if self.start_ahead(place, true).await.is_err() {
                return;
            }
        }
    }

    /// Starts the slot of a function that is debugged, so that a debugger can set its breakpoints
    /// before the first event.
    pub(super) async fn start_debugged(
        self: &Arc<Self>,
        spec: &Arc<FunctionSpec>,
    ) -> Result<(), HostError> {
        match self.places.take_single(spec) {
            Some(place) => self.start_ahead(place, false).await,
            None => Ok(()),
        }
    }

    /// Starts a slot for which there is no event yet. Where that fails, the next event says why,
    /// too.
    pub(super) async fn start_ahead(
        self: &Arc<Self>,
        place: Place,
        provisioned: bool,
    ) -> Result<(), HostError> {
        let spec = Arc::clone(place.spec());
        let limit = self.config.init_timeout.max(spec.timeout);
        let begun = self.begin(&spec, place, (limit, None), provisioned).await?;
        self.offer(begun.map_err(|failed| HostError::NoWorker(failed.why.to_string()))?);
        Ok(())
    }

    /// As if a slot had run an event: there may be one for it by now.
    fn offer(self: &Arc<Self>, lease: Lease) {
        if let Some((lease, jobs)) = self.places.next(Box::new(lease), self.clock.now(), None, 0) {
            let mut jobs = jobs.into_iter();
            if let Some(first) = jobs.next() {
                self.drive(Grant::Slot(lease), first);
            }
            jobs.for_each(|job| self.submit(job));
        }
    }

    /// A slot of the function's template; if it has none, why.
    async fn fork(
        self: &Arc<Self>,
        runtime: &Arc<Runtime>,
        spec: &Arc<FunctionSpec>,
        provisioned: bool,
    ) -> Result<(Slot, Origin), String> {
        let Some(template) = self.templates.find(spec) else {
            return Err(match self.how_started(spec) {
                Start::Load(why) => why,
                Start::Fork => "its template was made just now".into(),
            });
        };
        match template.slot(self.around(), spec, provisioned).await {
            Ok((slot, way)) => {
                let version = runtime.version_line(&spec.runtime, &spec.region);
                let origin = Origin { way, packed: false, why: None, provisioned };
                slot.write_first(self.around(), origin.line(&version));
                let (host, spec) = (Arc::clone(self), Arc::clone(spec));
                task::spawn("host.spare", async move {
                    sleep(&*host.clock, REFILL_AFTER).await;
                    if let Err(error) = template.refill(host.around(), &spec).await {
                        tracing::debug!(function = spec.name, %error, "no spare slot");
                    }
                });
                Ok((slot, origin))
            }
            Err(error) => {
                tracing::warn!(function = spec.name, %error, "the template is made anew");
                self.templates.forget(spec);
                self.make_template(runtime, spec);
                Err("its template could not be forked".into())
            }
        }
    }

    /// Makes the template of a function in the background, unless there is one, or cannot be: then
    /// its code pack, unless there is one.
    pub(super) fn make_template(
        self: &Arc<Self>,
        runtime: &Arc<Runtime>,
        spec: &Arc<FunctionSpec>,
    ) {
        let forks = runtime.forks() && self.pool.sandbox().forks().is_ok();
        if !forks || !self.templates.claim(spec) {
            return self.make_pack(runtime, spec);
        }
        let (host, runtime, spec) = (Arc::clone(self), Arc::clone(runtime), Arc::clone(spec));
        task::spawn("host.template", async move {
            sleep(&*host.clock, TEMPLATE_AFTER).await;
            if host.templates.make(host.loading(), &runtime, &spec).await {
                host.places.note_template(&spec);
            }
        });
    }

    /// Makes the code pack of a function in the background, where nothing else has its turn to.
    fn make_pack(self: &Arc<Self>, runtime: &Arc<Runtime>, spec: &Arc<FunctionSpec>) {
        if !runtime.packs() || self.templates.is_making(spec) {
            return;
        }
        let Some(order) = self.packs.claim(spec) else { return };
        let (host, runtime, spec) = (Arc::clone(self), Arc::clone(runtime), Arc::clone(spec));
        task::spawn("host.pack", async move {
            sleep(&*host.clock, TEMPLATE_AFTER).await;
            host.loading().pack(&runtime, &spec, order).await;
        });
    }

    fn loading(&self) -> Loading<'_> {
        let (pool, packs, config) = (&self.pool, &self.packs, &self.config);
        Loading { pool, packs, config, around: self.around() }
    }
}
