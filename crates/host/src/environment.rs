//! How environments came to be: for the log, and for people.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use base::Time;
use telemetry::StreamName;

/// What an environment was made of, the quickest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// A fork of the function's template that was made before it was needed.
    Spare,
    /// A fork of the function's template.
    Fork,
    /// A process whose interpreter was up already, which loaded the function.
    Booted,
    /// A process that began with its interpreter.
    Fresh,
}

impl Way {
    pub(crate) fn is_fork(self) -> bool {
        matches!(self, Way::Spare | Way::Fork)
    }
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Way::Spare => "spare fork of template",
            Way::Fork => "fork of template",
            Way::Booted => "booted worker",
            Way::Fresh => "fresh process",
        })
    }
}

/// How an environment was started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    pub way: Way,
    /// Whether it loaded its function of the function's code pack.
    pub packed: bool,
    /// Why not in a quicker way.
    pub why: Option<String>,
    /// Because so many are to be ready, not because an event asked for it.
    pub provisioned: bool,
}

impl Origin {
    /// `AWS_LAMBDA_INITIALIZATION_TYPE`. A fork has the type its function would have without
    /// templates: `snap-start` is a setting of the function, and promises hooks that are not run.
    pub(crate) fn initialization(provisioned: bool) -> &'static str {
        if provisioned { "provisioned-concurrency" } else { "on-demand" }
    }

    /// The first line of an environment's log, in Lambda's words, with two fields behind them.
    pub(crate) fn line(&self, (version, arn): &(String, String)) -> String {
        let event = if self.way.is_fork() { "RESTORE_START" } else { "INIT_START" };
        let why = self.why.as_ref().map(|why| format!("\tReason: {why}")).unwrap_or_default();
        let start = self.start();
        format!(
            "{event} Runtime Version: {version}\tRuntime Version ARN: {arn}\tStart: {start}{why}"
        )
    }

    /// What it was made of, in words: `booted worker with code pack`.
    pub fn start(&self) -> String {
        format!("{}{}", self.way, if self.packed { " with code pack" } else { "" })
    }
}

/// An environment that lives.
pub(crate) struct Environment {
    pub(crate) stream: Arc<StreamName>,
    pub(crate) origin: Origin,
    pub(crate) since: Time,
    /// Milliseconds from the decision to start it until it could take an event.
    pub(crate) took_ms: f64,
    events: AtomicU64,
}

impl Environment {
    pub(crate) fn new(
        stream: Arc<StreamName>,
        origin: Origin,
        since: Time,
        took_ms: f64,
    ) -> Environment {
        Environment { stream, origin, since, took_ms, events: AtomicU64::new(0) }
    }

    pub(crate) fn count_event(&self) {
        self.events.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn show(&self, state: Doing) -> Environs {
        Environs {
            stream: self.stream.name.clone(),
            origin: self.origin.clone(),
            since: self.since,
            took_ms: self.took_ms,
            events: self.events.load(Ordering::Relaxed),
            state,
        }
    }
}

/// What an environment does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Doing {
    Busy,
    Idle,
    /// Idle, without a processor until its next event.
    Frozen,
}

impl fmt::Display for Doing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Doing::Busy => "busy",
            Doing::Idle => "idle",
            Doing::Frozen => "frozen",
        })
    }
}

/// An environment as people see it.
#[derive(Debug, Clone)]
pub struct Environs {
    /// Where it logs to.
    pub stream: String,
    pub origin: Origin,
    pub since: Time,
    pub took_ms: f64,
    /// Events it has run.
    pub events: u64,
    pub state: Doing,
}
