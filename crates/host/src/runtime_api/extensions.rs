//! Extensions: programs beside the runtime that are told of events too. Internal ones are a part of
//! the runtime's process, external ones are programs of their own in `/opt/extensions`.

use std::collections::{BTreeMap, VecDeque};

use base::Time;
use serde_json::{Value, json};

use crate::runtime_api::answer::Refusal;
use crate::runtime_api::state::Current;

const EXTENSIONS_MAX: usize = 10;

#[derive(Default)]
pub(crate) struct Extensions {
    /// External ones that were started, by name; whether each has registered.
    expected: BTreeMap<String, bool>,
    /// Whether `boot.sh` has named all.
    all_expected: bool,
    runtime_started: bool,
    /// By identifier.
    registered: BTreeMap<String, Extension>,
}

struct Extension {
    name: String,
    wants_invoke: bool,
    wants_shutdown: bool,
    phase: Phase,
    /// At most one INVOKE and one SHUTDOWN.
    waiting: VecDeque<Value>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    Registered,
    Ready,
    Running,
    InitError,
    ExitError,
}

impl Extensions {
    // What `boot.sh` says.

    pub(crate) fn expect(&mut self, name: &str) {
        if !self.all_expected {
            self.expected.insert(name.to_owned(), false);
        }
    }

    pub(crate) fn all_expected(&mut self) {
        self.all_expected = true;
    }

    pub(crate) fn are_all_expected(&self) -> bool {
        self.all_expected
    }

    /// Whether the runtime waits for a word that the extensions have registered. Once.
    pub(crate) fn may_start_runtime(&mut self) -> bool {
        let may = self.all_expected && !self.expected.is_empty() && !self.runtime_started;
        let may = may && self.expected.values().all(|registered| *registered);
        self.runtime_started |= may;
        may
    }

    // What the runtime's state depends on.

    /// Whether all have asked for their next event.
    pub(crate) fn are_ready(&self) -> bool {
        self.all_expected
            && self.expected.values().all(|registered| *registered)
            && self.registered.values().all(|extension| extension.phase == Phase::Ready)
    }

    pub(crate) fn want_events(&self) -> bool {
        self.registered.values().any(|extension| extension.wants_invoke)
    }

    pub(crate) fn invoke(&mut self, current: &Current, arn: &str) {
        if !self.want_events() {
            return;
        }
        let mut event = json!({
            "eventType": "INVOKE",
            "deadlineMs": current.deadline.as_millis(),
            "requestId": current.event.request_id,
            "invokedFunctionArn": arn,
        });
        if let Some(trace) = &current.event.trace_header {
            event["tracing"] = json!({ "type": "X-Amzn-Trace-Id", "value": trace });
        }
        for extension in self.registered.values_mut().filter(|one| one.wants_invoke) {
            extension.waiting.push_back(event.clone());
            extension.phase = Phase::Running;
        }
    }

    /// Whether any wished to know.
    pub(crate) fn shut_down(&mut self, deadline: Time) -> bool {
        let event = json!({
            "eventType": "SHUTDOWN",
            "shutdownReason": "spindown",
            "deadlineMs": deadline.as_millis(),
        });
        let mut any = false;
        for extension in self.registered.values_mut().filter(|one| one.wants_shutdown) {
            extension.waiting.push_back(event.clone());
            any = true;
        }
        any
    }

    // The extensions.

    /// Gives the identifier. `open` tells whether the runtime is still loading.
    pub(crate) fn register(
        &mut self,
        id: String,
        name: &str,
        events: &[String],
        open: bool,
    ) -> Result<String, Refusal> {
        let external = self.expected.contains_key(name);
        for event in events {
            let why = match event.as_str() {
                "SHUTDOWN" if !external => "ShutdownEventNotSupportedForInternalExtension",
                "INVOKE" | "SHUTDOWN" => continue,
                _ => "ErrorInvalidEventType",
            };
            return Err(Refusal::forbidden(
                "Extension.InvalidEventType",
                format!("{event}: {why}"),
            ));
        }
        if let Some(extension) = self.registered.values().find(|one| one.name == name) {
            let message = match external {
                true => failed(extension.phase, "Registered", name),
                false => "Extension with this name already registered".to_owned(),
            };
            return Err(Refusal::forbidden("Extension.InvalidExtensionState", message));
        }
        if !external && !open {
            let message = "Extension registration closed already";
            return Err(Refusal::forbidden("Extension.RegistrationClosed", message));
        }
        if self.registered.len() >= EXTENSIONS_MAX {
            let message = format!("Extension limit ({EXTENSIONS_MAX}) reached");
            return Err(Refusal::forbidden("Extension.TooManyExtensions", message));
        }
        if let Some(registered) = self.expected.get_mut(name) {
            *registered = true;
        }
        let wants = |event: &str| events.iter().any(|one| one == event);
        let extension = Extension {
            name: name.to_owned(),
            wants_invoke: wants("INVOKE"),
            wants_shutdown: wants("SHUTDOWN"),
            phase: Phase::Registered,
            waiting: VecDeque::new(),
        };
        self.registered.insert(id.clone(), extension);
        Ok(id)
    }

    /// It asks for its next event.
    pub(crate) fn ask(&mut self, id: &str) -> Result<(), Refusal> {
        let unknown = format!("Unknown extension {id}");
        let extension = self.find(id, unknown)?;
        match extension.phase {
            Phase::InitError | Phase::ExitError => {
                let message = failed(extension.phase, "Ready", id);
                return Err(Refusal::forbidden("Extension.InvalidExtensionState", message));
            }
            Phase::Running if !extension.waiting.is_empty() => {}
            Phase::Registered | Phase::Ready | Phase::Running => extension.phase = Phase::Ready,
        }
        Ok(())
    }

    pub(crate) fn give(&mut self, id: &str) -> Option<Value> {
        self.registered.get_mut(id)?.waiting.pop_front()
    }

    /// It says that it has failed and will exit.
    pub(crate) fn fail(&mut self, id: &str, while_loading: bool) -> Result<(), Refusal> {
        let unknown = "Unknown Lambda-Extension-Identifier".to_owned();
        let extension = self.find(id, unknown)?;
        let to = if while_loading { Phase::InitError } else { Phase::ExitError };
        let may = match (extension.phase, to) {
            (Phase::Registered, _) => true,
            (Phase::InitError | Phase::ExitError, _) => false,
            (_, to) => to == Phase::ExitError,
        };
        if !may {
            let to = if while_loading { "InitError" } else { "Exited" };
            let message = failed(extension.phase, to, id);
            return Err(Refusal::forbidden("Extension.InvalidExtensionState", message));
        }
        extension.phase = to;
        Ok(())
    }

    fn find(&mut self, id: &str, unknown: String) -> Result<&mut Extension, Refusal> {
        let extension = self.registered.get_mut(id);
        extension.ok_or_else(|| Refusal::forbidden("Extension.UnknownExtensionIdentifier", unknown))
    }
}

fn failed(from: Phase, to: &str, extension: &str) -> String {
    let from = match from {
        Phase::Registered => "Registered",
        Phase::Ready => "Ready",
        Phase::Running => "Running",
        Phase::InitError => "InitError",
        Phase::ExitError => "ExitError",
    };
    format!(
        "State transition from {from} to {to} failed for extension {extension}. Error: State \
         transition is not allowed"
    )
}
