//! The Debug Adapter Protocol, as debugpy speaks it.

use std::collections::HashSet;

use serde_json::Value;

use super::frames::Counted;
use super::relay::Listen;

/// Threads whose stops are told apart. More of them would be no application's.
const THREADS_MAX: usize = 1_000;

/// One connection. All that matters is said by the program: requests are answered.
#[derive(Default)]
pub(super) struct Talk {
    program: Counted,
    /// Threads that are stopped; with one of them mostly all are.
    stopped: HashSet<i64>,
}

impl Talk {
    fn note(&mut self, message: &Value) {
        let body = &message["body"];
        let thread = body["threadId"].as_i64();
        match (message["type"].as_str(), message["event"].as_str(), message["command"].as_str()) {
            (Some("event"), Some("stopped"), _) if self.stopped.len() < THREADS_MAX => {
                self.stopped.insert(thread.unwrap_or_default());
            }
            (Some("event"), Some("continued"), _) => match thread {
                Some(thread) if body["allThreadsContinued"] != Value::Bool(true) => {
                    self.stopped.remove(&thread);
                }
                _ => self.stopped.clear(),
            },
            (Some("event"), Some("exited" | "terminated"), _) => self.stopped.clear(),
            // Where a step ends there is another stop.
            (Some("response"), _, Some("continue" | "next" | "stepIn" | "stepOut"))
                if message["success"] == Value::Bool(true)
                    && body["allThreadsContinued"] != Value::Bool(false) =>
            {
                self.stopped.clear();
            }
            _ => {}
        }
    }
}

impl Listen for Talk {
    fn debugger(&mut self, _: &[u8]) {}

    fn program(&mut self, bytes: &[u8]) {
        for message in self.program.feed(bytes) {
            if let Ok(message) = serde_json::from_slice(&message) {
                self.note(&message);
            }
        }
    }

    fn stopped(&self) -> bool {
        !self.stopped.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_stopped_until_it_goes_on() {
        let mut talk = Talk::default();
        for (text, expected) in [
            (r#"{"type":"event","event":"initialized"}"#, false),
            (
                r#"{"type":"event","event":"stopped","body":{"threadId":1,"allThreadsStopped":true}}"#,
                true,
            ),
            (r#"{"type":"response","command":"evaluate","success":true}"#, true),
            (r#"{"type":"response","command":"next","success":false}"#, true),
            (r#"{"type":"response","command":"next","success":true}"#, false),
            (r#"{"type":"event","event":"stopped","body":{"threadId":1}}"#, true),
            (r#"{"type":"event","event":"stopped","body":{"threadId":2}}"#, true),
            (r#"{"type":"event","event":"continued","body":{"threadId":1}}"#, true),
            (r#"{"type":"event","event":"continued","body":{"threadId":2}}"#, false),
            (r#"{"type":"event","event":"stopped","body":{"threadId":2}}"#, true),
            (
                r#"{"type":"response","command":"continue","success":true,"body":{"allThreadsContinued":true}}"#,
                false,
            ),
        ] {
            let framed = format!("Content-Length: {}\r\n\r\n{text}", text.len());
            talk.program(framed.as_bytes());
            assert_eq!(talk.stopped(), expected, "{text}");
        }
    }
}
