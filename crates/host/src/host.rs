use std::sync::Arc;

use base::{Arn, Clock, Random};
use telemetry::LogSink;

use crate::{Config, FunctionSpec, HostError, Invocation, Invoked, Runtimes, Sandbox};

/// Runs functions. A cheap handle.
#[derive(Clone)]
pub struct Host(Arc<Parts>);

/// What a host is made of.
pub struct Parts {
    pub config: Config,
    pub clock: Arc<dyn Clock>,
    pub random: Arc<dyn Random>,
    pub sandbox: Arc<dyn Sandbox>,
    pub runtimes: Runtimes,
    pub logs: Arc<dyn LogSink>,
}

/// What lives at the moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Stats {
    /// Interpreters that are up and belong to no function yet.
    pub booted: usize,
    pub idle: usize,
    pub busy: usize,
    /// Invocations that wait for a slot.
    pub waiting: usize,
}

impl Host {
    /// A host without any process yet.
    pub fn new(parts: Parts) -> Host {
        Host(Arc::new(parts))
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
        let _ = (spec, invocation, &self.0);
        todo!("landing within the hour")
    }

    /// Makes sure that the first event of this function meets a booted worker.
    pub async fn warm(&self, spec: &Arc<FunctionSpec>) -> Result<(), HostError> {
        let _ = spec;
        todo!("landing within the hour")
    }

    /// Ends the slots of all revisions of a function but one: idle ones at once, busy ones after
    /// their event.
    pub fn retire(&self, function: &Arn, keep_revision: Option<&str>) {
        let _ = (function, keep_revision);
    }

    /// Takes no more invocations, lets the accepted ones end, then ends every process.
    pub async fn drain(&self) {}

    /// What lives at the moment.
    pub fn stats(&self) -> Stats {
        Stats::default()
    }
}
