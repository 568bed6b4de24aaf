//! Booted workers: interpreters that are up and belong to no function yet, so that a cold start
//! is only the loading of the function.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::launcher::Launcher;
use crate::runtimes::{Interpreter, Runtime};
use crate::worker::Worker;
use crate::{Config, FunctionSpec, HostError, Sandbox};

pub(crate) struct Pool {
    config: Config,
    sandbox: Arc<dyn Sandbox>,
    launcher: Launcher,
    booted: Mutex<HashMap<String, Booted>>,
}

/// The booted workers of one runtime.
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
    /// Must be called within a tokio runtime.
    pub(crate) fn new(config: Config, sandbox: Arc<dyn Sandbox>) -> io::Result<Pool> {
        let launcher = Launcher::start()?;
        Ok(Pool { config, sandbox, launcher, booted: Mutex::default() })
    }

    /// A worker that may be told to become this function, booted already if there is one.
    pub(crate) async fn take(
        &self,
        runtime: &Arc<Runtime>,
        spec: &FunctionSpec,
    ) -> Result<Worker, HostError> {
        let interpreter = self.interpreter(runtime, spec).await?;
        let env = runtime.boot_env(spec);
        if env.is_empty()
            && let Some(worker) = self.take_booted(&runtime.id)
        {
            return Ok(worker);
        }
        let launched = self.launch(runtime, &interpreter, env).await;
        launched.map_err(|error| HostError::NoWorker(error.to_string()))
    }

    fn take_booted(&self, id: &str) -> Option<Worker> {
        let mut booted = self.lock();
        let booted = booted.entry(id.to_owned()).or_default();
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
        while self.claim_launch(&runtime.id) {
            let launched = self.launch(runtime, &interpreter, Vec::new()).await;
            let mut booted = self.lock();
            let booted = booted.entry(runtime.id.clone()).or_default();
            booted.launching -= 1;
            let worker = launched.map_err(|error| HostError::NoWorker(error.to_string()))?;
            booted.ready.push_back(worker);
        }
        Ok(())
    }

    fn claim_launch(&self, id: &str) -> bool {
        let mut booted = self.lock();
        let booted = booted.entry(id.to_owned()).or_default();
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
        let found = match runtime.known() {
            Some(known) => known.clone(),
            None => {
                let (runtime, path) = (Arc::clone(runtime), self.config.search_path.clone());
                let found = self.launcher.run(move || runtime.look_up(&path)).await;
                found.unwrap_or_else(|error| Err(error.to_string())).map_err(|why| {
                    HostError::RuntimeUnavailable { runtime: spec.runtime.clone(), why }
                })?
            }
        };
        runtime.compare(&spec.runtime, &found);
        Ok(found)
    }

    async fn launch(
        &self,
        runtime: &Runtime,
        interpreter: &Interpreter,
        env: Vec<(String, String)>,
    ) -> io::Result<Worker> {
        let launch = runtime.launch(interpreter, &self.config.search_path, env);
        let sandbox = Arc::clone(&self.sandbox);
        self.launcher.run(move || sandbox.launch(&launch).and_then(Worker::new)).await?
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Booted>> {
        self.booted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
