//! What runs functions, as this service sees it: the host, or a fake in tests.

use std::collections::HashSet;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use base::{Arn, BoxFuture};
use host::{FunctionSpec, Host, HostError, Invocation, Invoked};
use serde_json::json;

/// Runs functions.
pub trait Runner: Send + Sync + 'static {
    /// Runs one event; see [`Host::invoke`].
    fn invoke<'a>(
        &'a self,
        spec: &'a Arc<FunctionSpec>,
        invocation: Invocation,
    ) -> BoxFuture<'a, Result<Invoked, HostError>>;

    /// Prepares for a first event; see [`Host::warm`].
    fn warm<'a>(&'a self, spec: &'a Arc<FunctionSpec>) -> BoxFuture<'a, Result<(), HostError>>;

    /// Ends other revisions; see [`Host::retire`].
    fn retire(&self, function: &Arn, keep_revision: Option<&str>);

    /// Deletes what is kept of all revisions but these; see [`Host::sweep_packs`].
    fn sweep(&self, revisions: HashSet<String>) -> BoxFuture<'_, io::Result<()>> {
        let _nothing_is_kept = revisions;
        Box::pin(std::future::ready(Ok(())))
    }

    /// Has as many environments of these versions ready as is said, and of no others. Said again
    /// at least once a minute. One that has no such environments does nothing.
    fn provision(&self, wanted: &[(Arc<FunctionSpec>, u32)]) {
        let _nothing_to_do = wanted;
    }

    /// Counts an event that was not run because too many did.
    fn throttled(&self, version: &FunctionSpec) {
        let _nobody_counts = version;
    }

    /// Counts an event that was not run because it had come by too often.
    fn dropped(&self, version: &FunctionSpec) {
        let _nobody_counts = version;
    }

    /// Counts how old the last record of a stream's batch was when it was given to the function.
    fn iterator_age(&self, version: &FunctionSpec, age: Duration) {
        let _nobody_counts = (version, age);
    }

    /// Counts that a stream is read on from another place than where reading had ended.
    fn reopened(&self, version: &FunctionSpec) {
        let _nobody_counts = version;
    }

    /// How many environments of a version are up. Whoever has none has always enough.
    fn up(&self, version: &FunctionSpec) -> usize {
        let _whichever = version;
        usize::MAX
    }
}

impl Runner for Host {
    fn invoke<'a>(
        &'a self,
        spec: &'a Arc<FunctionSpec>,
        invocation: Invocation,
    ) -> BoxFuture<'a, Result<Invoked, HostError>> {
        Box::pin(Host::invoke(self, spec, invocation))
    }

    fn warm<'a>(&'a self, spec: &'a Arc<FunctionSpec>) -> BoxFuture<'a, Result<(), HostError>> {
        Box::pin(Host::warm(self, spec))
    }

    fn retire(&self, function: &Arn, keep_revision: Option<&str>) {
        Host::retire(self, function, keep_revision);
    }

    fn sweep(&self, revisions: HashSet<String>) -> BoxFuture<'_, io::Result<()>> {
        let host = self.clone();
        Box::pin(async move {
            let sweep = move || Host::sweep_packs(&host, &revisions);
            tokio::task::spawn_blocking(sweep).await?
        })
    }

    fn provision(&self, wanted: &[(Arc<FunctionSpec>, u32)]) {
        Host::provision(self, wanted);
    }

    fn throttled(&self, version: &FunctionSpec) {
        Host::note_throttle(self, version);
    }

    fn dropped(&self, version: &FunctionSpec) {
        Host::note_loop(self, version);
    }

    fn iterator_age(&self, version: &FunctionSpec, age: Duration) {
        Host::note_iterator_age(self, version, age);
    }

    fn reopened(&self, version: &FunctionSpec) {
        Host::note_reopened(self, version);
    }

    fn up(&self, version: &FunctionSpec) -> usize {
        Host::up(self, version)
    }
}

/// Why a function could not be run, as Lambda says it.
pub(crate) fn refusal(error: HostError) -> kit::Error {
    let text = error.to_string();
    let (code, status, extra) = match error {
        HostError::Throttled { reason } => {
            ("TooManyRequestsException", 429, json!({ "Type": "User", "Reason": reason }))
        }
        HostError::PayloadTooLarge { .. } => {
            ("RequestTooLargeException", 413, json!({ "Type": "User" }))
        }
        HostError::RuntimeUnavailable { .. } => {
            ("InvalidRuntimeException", 502, json!({ "Type": "User" }))
        }
        HostError::NoWorker(_) => ("ServiceException", 500, json!({ "Type": "Service" })),
        HostError::Closing => ("ServiceException", 503, json!({ "Type": "Service" })),
    };
    kit::Error::new(code, status, text).with_extra(extra)
}
