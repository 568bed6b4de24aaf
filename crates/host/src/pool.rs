//! Booted workers: interpreters that are up and belong to no function yet, so that a cold start
//! is only the loading of the function.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::assignment::{Assignment, Purpose};
use crate::debug::DEBUGGER_BYTES;
use crate::environment::Way;
use crate::interpreter::Interpreter;
use crate::runtimes::Runtime;
use crate::worker::Worker;
use crate::{Config, FunctionSpec, HostError, Launch, Limits, Sandbox};

pub(crate) struct Pool {
    config: Config,
    sandbox: Arc<dyn Sandbox>,
    /// By interpreter: no two runtimes share one.
    booted: Mutex<HashMap<PathBuf, Booted>>,
}

/// The booted workers of one interpreter.
#[derive(Default)]
struct Booted {
    /// Oldest first: the one most surely up.
    ready: VecDeque<Worker>,
    launching: usize,
    /// How many there should be. Grows when the pool is found empty, shrinks with time.
    target: usize,
    /// Taken while `ready` was empty, since the last [`Pool::shrink`].
    misses: usize,
}

impl Pool {
    pub(crate) fn new(config: Config, sandbox: Arc<dyn Sandbox>) -> Pool {
        Pool { config, sandbox, booted: Mutex::default() }
    }

    /// A worker that may be told to become this function, booted already if there is one; what it
    /// is, and why it is no booted one.
    pub(crate) async fn take(
        &self,
        runtime: &Arc<Runtime>,
        assignment: &Assignment,
    ) -> Result<(Worker, Way, Option<String>), HostError> {
        let spec = &*assignment.spec;
        let interpreter = self.interpreter(runtime, spec).await?;
        let env = runtime.boot_env(spec, &assignment.env);
        let why = match env.first() {
            _ if assignment.purpose == Purpose::Debug => None,
            _ if !self.sandbox.shows_later() => Some("none is booted ahead of its function".into()),
            Some((name, _)) => Some(format!("{name} is read when the interpreter starts")),
            // Its /tmp is as large as most have it.
            None if spec.limits().tmp_bytes != Limits::default().tmp_bytes => {
                Some("its /tmp has a size of its own".into())
            }
            None => match self.take_booted(&interpreter.program) {
                Some(worker) => return Ok((worker, Way::Booted, None)),
                None => Some("no booted worker was left".into()),
            },
        };
        let worker = self.launch_known(runtime, &interpreter, assignment).await?;
        Ok((worker, Way::Fresh, why))
    }

    /// A worker that has this function's code before it.
    pub(crate) async fn known(
        &self,
        runtime: &Arc<Runtime>,
        assignment: &Assignment,
    ) -> Result<Worker, HostError> {
        let spec = &*assignment.spec;
        let interpreter = self.interpreter(runtime, spec).await?;
        self.launch_known(runtime, &interpreter, assignment).await
    }

    /// A worker that is not of the pool sees its code from its start: what its variables name may
    /// be there.
    async fn launch_known(
        &self,
        runtime: &Runtime,
        interpreter: &Interpreter,
        assignment: &Assignment,
    ) -> Result<Worker, HostError> {
        let spec = &*assignment.spec;
        let env = runtime.fresh_env(spec, &assignment.env);
        let template = assignment.purpose == Purpose::Template;
        let mut launch = runtime.launch(interpreter, &self.config.search_path, env, &*self.sandbox);
        let mut limits = spec.limits();
        if assignment.purpose == Purpose::Debug {
            limits.memory_bytes += DEBUGGER_BYTES;
            launch.args.splice(0..0, runtime.debug_args());
        }
        let (code, layers) = (Some(spec.code.clone()), spec.layers.clone());
        let pack = assignment.pack.as_ref().and_then(|pack| pack.path.clone());
        let launch = Launch { code, layers, pack, limits, template, ..launch };
        self.launch(launch).await.map_err(|error| HostError::NoWorker(error.to_string()))
    }

    fn take_booted(&self, interpreter: &Path) -> Option<Worker> {
        let mut booted = self.lock();
        let booted = booted.entry(interpreter.to_owned()).or_default();
        let taken = booted.ready.pop_front();
        if taken.is_none() {
            booted.misses += 1;
            booted.target = (booted.target + 1).min(self.config.booted_max);
        }
        taken
    }

    /// Boots workers until there are as many as there should be; at least one. To be called when
    /// nobody waits for the processor.
    pub(crate) async fn refill(
        &self,
        runtime: &Arc<Runtime>,
        spec: &FunctionSpec,
    ) -> Result<(), HostError> {
        let interpreter = self.interpreter(runtime, spec).await?;
        while self.sandbox.shows_later() && self.claim_launch(&interpreter.program) {
            let (path, env) = (&self.config.search_path, Vec::new());
            let launch = runtime.launch(&interpreter, path, env, &*self.sandbox);
            let launched = self.launch(launch).await;
            let mut booted = self.lock();
            let booted = booted.entry(interpreter.program.clone()).or_default();
            booted.launching -= 1;
            let worker = launched.map_err(|error| HostError::NoWorker(error.to_string()))?;
            booted.ready.push_back(worker);
        }
        Ok(())
    }

    fn claim_launch(&self, interpreter: &Path) -> bool {
        let mut booted = self.lock();
        let booted = booted.entry(interpreter.to_owned()).or_default();
        booted.target = booted.target.max(self.config.booted_max.min(1));
        let wanted = booted.ready.len() + booted.launching < booted.target;
        booted.launching += usize::from(wanted);
        wanted
    }

    /// Where there was no need for as many as are ready, one fewer. Called at a slow rhythm.
    pub(crate) fn shrink(&self) {
        let mut surplus = Vec::new();
        for booted in self.lock().values_mut() {
            if std::mem::take(&mut booted.misses) == 0 && booted.target > 1 {
                booted.target -= 1;
            }
            if booted.ready.len() > booted.target {
                surplus.extend(booted.ready.pop_front());
            }
        }
    }

    /// Ends all booted workers.
    pub(crate) fn clear(&self) {
        let _ended = std::mem::take(&mut *self.lock());
    }

    pub(crate) fn len(&self) -> usize {
        self.lock().values().map(|booted| booted.ready.len()).sum()
    }

    async fn interpreter(
        &self,
        runtime: &Arc<Runtime>,
        spec: &FunctionSpec,
    ) -> Result<Interpreter, HostError> {
        if let Some(known) = runtime.known(&spec.runtime) {
            return Ok(known);
        }
        let (runtime, name, config) =
            (Arc::clone(runtime), spec.runtime.clone(), self.config.clone());
        let hidden = self.sandbox.hidden();
        let look_up = move || runtime.look_up(&name, &config, hidden);
        let found = tokio::task::spawn_blocking(look_up).await;
        found
            .unwrap_or_else(|error| Err(error.to_string()))
            .map_err(|why| HostError::RuntimeUnavailable { runtime: spec.runtime.clone(), why })
    }

    async fn launch(&self, launch: Launch) -> io::Result<Worker> {
        let is_known = launch.code.is_some();
        Worker::new(self.sandbox.launch(launch).await?, is_known)
    }

    /// How functions are confined.
    pub(crate) fn sandbox(&self) -> &dyn Sandbox {
        &*self.sandbox
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<PathBuf, Booted>> {
        self.booted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
