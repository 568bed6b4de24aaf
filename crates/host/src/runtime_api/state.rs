//! What a worker may ask for at which moment. No I/O: the server waits and writes.

use std::collections::VecDeque;
use std::time::Duration;

use base::Time;
use bytes::Bytes;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::protocol::Reply;
use crate::runtime_api::answer::Refusal;
use crate::runtime_api::extensions::Extensions;
use crate::{FunctionSpec, Invocation, ResponseWriter};

/// How often a process is asked for its memory.
const MEMORY_EVERY: Duration = Duration::from_secs(1);

/// Where the runtime stands, by AWS's names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    Started,
    InitError,
    Ready,
    Running,
    InvocationResponse,
    InvocationErrorResponse,
    ResponseSent,
}

pub(crate) struct State {
    pub(crate) extensions: Extensions,
    phase: Phase,
    /// Told by the host and not given to the runtime yet.
    waiting: VecDeque<Invocation>,
    /// Given to the runtime last.
    current: Option<Current>,
    /// The answer to the current event, while it is not over.
    answer: Option<Reply>,
    /// For the host: at most Ready or InitError, and an answer per event told.
    replies: VecDeque<Reply>,
    ready: bool,
    /// Whole milliseconds, which is what the clock has, would be nothing to most events.
    began: Instant,
    pid: u32,
    memory: Option<(Instant, u32)>,
}

/// An event as it is given to the runtime.
#[derive(Clone)]
pub(crate) struct Current {
    pub(crate) event: Invocation,
    pub(crate) deadline: Time,
    began: Instant,
}

impl Phase {
    fn name(self) -> &'static str {
        match self {
            Phase::Started => "Started",
            Phase::InitError => "InitError",
            Phase::Ready => "Ready",
            Phase::Running => "Running",
            Phase::InvocationResponse => "InvocationResponse",
            Phase::InvocationErrorResponse => "InvocationErrorResponse",
            Phase::ResponseSent => "RuntimeResponseSentState",
        }
    }
}

impl State {
    pub(crate) fn new(pid: u32) -> State {
        State {
            extensions: Extensions::default(),
            phase: Phase::Started,
            waiting: VecDeque::new(),
            current: None,
            answer: None,
            replies: VecDeque::new(),
            ready: false,
            began: Instant::now(),
            pid,
            memory: None,
        }
    }

    // The host.

    pub(crate) fn tell<'a>(&mut self, events: impl IntoIterator<Item = &'a Invocation>) {
        self.waiting.extend(events.into_iter().cloned());
    }

    /// `boot.sh` has named all extensions. A runtime may be faster than this word, and wait for its
    /// event already.
    pub(crate) fn all_expected(&mut self) {
        self.extensions.all_expected();
        self.settle();
    }

    pub(crate) fn take_reply(&mut self) -> Option<Reply> {
        self.replies.pop_front()
    }

    /// The answer of a runtime that ended before everybody had asked for the next event.
    pub(crate) fn take_last_answer(&mut self) -> Option<Reply> {
        self.answer.take()
    }

    /// Whether an event was told that the runtime has not been given.
    pub(crate) fn waits(&self, request_id: &str) -> bool {
        self.waiting.iter().any(|event| event.request_id == request_id)
    }

    // The runtime.

    /// The runtime asks for its next event. Gives the one it has, if it has not answered that.
    pub(crate) fn ask(&mut self) -> Result<Option<Current>, Refusal> {
        match self.phase {
            Phase::Running => return Ok(self.current.clone()),
            Phase::Started | Phase::Ready | Phase::ResponseSent => {}
            Phase::InitError | Phase::InvocationResponse | Phase::InvocationErrorResponse => {
                return Err(self.refuse(Phase::Ready));
            }
        }
        self.phase = Phase::Ready;
        self.settle();
        Ok(None)
    }

    /// The event that a runtime is given that has asked for one.
    pub(crate) fn give(&mut self, spec: &FunctionSpec, now: Time) -> Option<Current> {
        if self.phase != Phase::Ready || !self.ready {
            return None;
        }
        let event = self.waiting.pop_front()?;
        let current = Current { event, deadline: now + spec.timeout, began: Instant::now() };
        self.phase = Phase::Running;
        self.extensions.invoke(&current, &current.event.function_arn(spec));
        self.current = Some(current.clone());
        Some(current)
    }

    /// The runtime begins to answer: from here on it may do nothing else. Gives the one who wants
    /// the answer in pieces, if somebody does.
    pub(crate) fn begin_answer(
        &mut self,
        id: &str,
        to: Phase,
    ) -> Result<Option<ResponseWriter>, Refusal> {
        let current = self.current.as_ref().filter(|current| current.event.request_id == id);
        let current = current.ok_or_else(Refusal::invalid_request_id)?;
        if self.phase != Phase::Running {
            return Err(self.refuse(to));
        }
        self.phase = to;
        Ok(current.event.response.clone())
    }

    pub(crate) fn finish_answer(&mut self, result: Result<Bytes, Bytes>) {
        let Some(began) = self.current.as_ref().map(|current| current.began) else { return };
        let (micros, memory_kb) = (micros(began), self.memory());
        self.answer = Some(match result {
            Ok(payload) => Reply::Result { micros, memory_kb, payload },
            Err(payload) => Reply::Error { micros, memory_kb, exits: false, payload },
        });
        self.phase = Phase::ResponseSent;
        self.settle();
    }

    pub(crate) fn init_error(&mut self, payload: Bytes) -> Result<(), Refusal> {
        if self.phase != Phase::Started {
            return Err(self.refuse(Phase::InitError));
        }
        self.phase = Phase::InitError;
        self.replies.push_back(Reply::InitError { micros: micros(self.began), payload });
        Ok(())
    }

    /// To be called when somebody has asked for the next event, or has answered: loading may be
    /// over, or the event.
    pub(crate) fn settle(&mut self) {
        if !self.ready && self.phase == Phase::Ready && self.extensions.are_ready() {
            self.ready = true;
            self.replies.push_back(Reply::Ready { micros: micros(self.began) });
        }
        // Nobody but extensions has anything to do with an event that is answered.
        let over = match self.extensions.want_events() {
            true => self.phase == Phase::Ready && self.extensions.are_ready(),
            false => matches!(self.phase, Phase::Ready | Phase::ResponseSent),
        };
        if over {
            self.replies.extend(self.answer.take());
        }
    }

    pub(crate) fn may_register(&self) -> bool {
        self.phase == Phase::Started
    }

    fn refuse(&self, to: Phase) -> Refusal {
        let (from, to) = (self.phase.name(), to.name());
        Refusal::forbidden(
            "InvalidStateTransition",
            format!(
                "State transition from {from} to {to} failed for runtime. Error: State transition \
                 is not allowed"
            ),
        )
    }

    /// The most memory the runtime has used, in KB; 0 where the system does not tell.
    fn memory(&mut self) -> u32 {
        match self.memory {
            Some((at, memory_kb)) if at.elapsed() < MEMORY_EVERY => memory_kb,
            _ => {
                let file = format!("/proc/{}/status", self.pid);
                let text = std::fs::read_to_string(file).unwrap_or_default();
                let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
                let number = line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok());
                let memory_kb = number.unwrap_or(0);
                self.memory = Some((Instant::now(), memory_kb));
                memory_kb
            }
        }
    }
}

fn micros(since: Instant) -> u32 {
    u32::try_from(since.elapsed().as_micros()).unwrap_or(u32::MAX)
}

/// An error as the caller gets it: what the runtime says, if that is an object of JSON.
pub(crate) fn error_payload(kind: &str, body: Bytes) -> Bytes {
    match serde_json::from_slice::<Value>(&body) {
        Ok(Value::Object(fields)) if !fields.is_empty() => body,
        _ => {
            let message = String::from_utf8_lossy(&body);
            Bytes::from(json!({ "errorType": kind, "errorMessage": message }).to_string())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_runtime_that_is_faster_than_the_word_of_its_boot_is_ready() {
        let mut state = State::new(0);
        assert!(state.ask().is_ok_and(|event| event.is_none()));
        assert!(state.take_reply().is_none(), "extensions may still come");
        state.all_expected();
        assert!(matches!(state.take_reply(), Some(Reply::Ready { .. })));
    }
}
