//! How events failed lately, for people. It is forgotten with the server; the logs have it all.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use base::Time;
use serde::Deserialize;

use crate::{FunctionSpec, Invocation, Invoked};

/// Failures that are kept of a function.
const KEPT_MAX: usize = 5;
/// Functions of which some are kept: of more, those that failed longest ago are forgotten.
const FUNCTIONS_MAX: usize = 1_000;
/// What is kept of a message.
const MESSAGE_CHARS_MAX: usize = 300;

/// An event that failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    pub time: Time,
    pub version: String,
    pub request_id: String,
    /// `TypeError`, `Sandbox.Timedout`.
    pub kind: String,
    /// The first line.
    pub message: String,
}

/// By the function's name, the last one first.
#[derive(Default)]
pub(crate) struct Failures(Mutex<HashMap<String, VecDeque<Failure>>>);

/// What a function answers that failed.
#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Answer {
    error_type: String,
    error_message: String,
}

impl Failures {
    fn lock(&self) -> MutexGuard<'_, HashMap<String, VecDeque<Failure>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn note(
        &self,
        spec: &FunctionSpec,
        event: &Invocation,
        invoked: &Invoked,
        time: Time,
    ) {
        let Answer { error_type: kind, error_message } =
            serde_json::from_slice(&invoked.payload).unwrap_or_default();
        // Our own messages begin with the id, which is shown beside them.
        let id = format!("RequestId: {} Error: ", event.request_id);
        let message = error_message.trim_start_matches(id.as_str());
        let line = message.lines().next().unwrap_or_default();
        let message = line.chars().take(MESSAGE_CHARS_MAX).collect();
        let (version, request_id) = (spec.version.clone(), event.request_id.clone());
        let mut all = self.lock();
        if all.len() >= FUNCTIONS_MAX && !all.contains_key(&spec.name) {
            let last = |failures: &VecDeque<Failure>| failures.front().map(|failure| failure.time);
            let oldest = all.iter().min_by_key(|(_, failures)| last(failures));
            if let Some(oldest) = oldest.map(|(name, _)| name.clone()) {
                all.remove(&oldest);
            }
        }
        let failures = all.entry(spec.name.clone()).or_default();
        failures.truncate(KEPT_MAX - 1);
        failures.push_front(Failure { time, version, request_id, kind, message });
    }

    pub(crate) fn of(&self, function: &str) -> Vec<Failure> {
        self.lock().get(function).map(|all| all.iter().cloned().collect()).unwrap_or_default()
    }
}
