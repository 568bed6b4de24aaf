//! The protocol of Chrome's developer tools, as Node speaks it: HTTP that becomes a websocket.

use std::collections::HashSet;

use serde_json::Value;

use super::frames::{Head, Lost, Websocket, field};
use super::relay::Listen;

/// Threads whose stops are told apart. More of them would be no application's.
const SESSIONS_MAX: usize = 1_000;
/// Nothing else is of interest. Asked first, because reading JSON takes longer.
const WORDS: [&str; 4] =
    ["Debugger.paused", "Debugger.resumed", "Debugger.disable", "NodeWorker.detach"];

/// One connection.
#[derive(Default)]
pub(super) struct Talk {
    debugger: Side,
    program: Side,
    /// Threads that are stopped: the main one has no name.
    stopped: HashSet<String>,
}

enum Side {
    Http(Head),
    /// The body of an answer.
    Body(usize),
    Websocket(Websocket),
    /// What comes cannot be told.
    Lost,
}

impl Default for Side {
    fn default() -> Side {
        Side::Http(Head::default())
    }
}

impl Side {
    fn feed(&mut self, mut bytes: &[u8]) -> Vec<Vec<u8>> {
        while !bytes.is_empty() {
            match self {
                Side::Http(head) => match head.feed(&mut bytes) {
                    Ok(Some(head)) => *self = Side::after(&head),
                    Ok(None) => {}
                    Err(Lost) => *self = Side::Lost,
                },
                Side::Body(left) => {
                    let count = bytes.len().min(*left);
                    (*left, bytes) = (*left - count, &bytes[count..]);
                    if *left == 0 {
                        *self = Side::default();
                    }
                }
                Side::Websocket(socket) => return socket.feed(bytes),
                Side::Lost => break,
            }
        }
        Vec::new()
    }

    /// What follows a head. A request that is refused ends its connection.
    fn after(head: &str) -> Side {
        let asks = head.starts_with("get ") && field(head, "upgrade") == Some("websocket");
        if asks || head.starts_with("http/1.1 101") {
            return Side::Websocket(Websocket::default());
        }
        match field(head, "content-length").map(str::parse) {
            None if head.starts_with("http/") => Side::Lost,
            None | Some(Ok(0)) => Side::default(),
            Some(Ok(length)) => Side::Body(length),
            Some(Err(_)) => Side::Lost,
        }
    }
}

impl Talk {
    fn note(&mut self, message: &[u8], session: &str) {
        let text = String::from_utf8_lossy(message);
        if !WORDS.iter().any(|word| text.contains(word)) {
            return;
        }
        let Ok(value) = serde_json::from_str::<Value>(&text) else { return };
        let Some(method) = value["method"].as_str() else { return };
        let params = &value["params"];
        let of_thread = params["sessionId"].as_str();
        match method {
            "Debugger.paused" if self.stopped.len() < SESSIONS_MAX => {
                self.stopped.insert(session.to_owned());
            }
            // Who stops listening is not told that the program goes on.
            "Debugger.resumed" | "Debugger.disable" => {
                self.stopped.remove(session);
            }
            "NodeWorker.detachedFromWorker" | "NodeWorker.detach" => {
                self.stopped.remove(of_thread.unwrap_or_default());
            }
            // What a thread says, or is told, comes as a text within the main one's.
            "NodeWorker.receivedMessageFromWorker" | "NodeWorker.sendMessageToWorker"
                if session.is_empty() =>
            {
                if let (Some(thread), Some(inner)) = (of_thread, params["message"].as_str()) {
                    self.note(inner.as_bytes(), thread);
                }
            }
            _ => {}
        }
    }
}

impl Listen for Talk {
    fn debugger(&mut self, bytes: &[u8]) {
        for message in self.debugger.feed(bytes) {
            self.note(&message, "");
        }
    }

    fn program(&mut self, bytes: &[u8]) {
        for message in self.program.feed(bytes) {
            self.note(&message, "");
        }
    }

    fn stopped(&self) -> bool {
        !self.stopped.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(text: &str) -> Vec<u8> {
        let length = u16::try_from(text.len()).unwrap().to_be_bytes();
        [&[0x81, 126][..], &length, text.as_bytes()].concat()
    }

    fn upgraded() -> Talk {
        let mut talk = Talk::default();
        talk.debugger(b"GET /json HTTP/1.1\r\nHost: x\r\n\r\n");
        talk.program(b"HTTP/1.0 200 OK\r\nContent-Length: 15\r\n\r\nDebugger.paused");
        talk.debugger(b"GET /id HTTP/1.1\r\nUpgrade: WebSocket\r\n\r\n");
        talk.program(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n");
        talk
    }

    #[test]
    fn a_program_is_stopped_from_paused_to_resumed() {
        let mut talk = upgraded();
        let mut check = |debugger: bool, text: &str, expected: bool| {
            let frame = frame(text);
            if debugger {
                talk.debugger(&frame)
            } else {
                talk.program(&frame)
            }
            assert_eq!(talk.stopped(), expected, "{text}");
        };
        check(
            false,
            r#"{"method":"Debugger.scriptParsed","params":{"url":"Debugger.paused"}}"#,
            false,
        );
        check(false, r#"{"method":"Debugger.paused","params":{"callFrames":[]}}"#, true);
        check(true, r#"{"id":7,"method":"Debugger.resume"}"#, true);
        check(false, r#"{"id":7,"result":{"value":"Debugger.resumed"}}"#, true);
        check(false, r#"{"method":"Debugger.resumed","params":{}}"#, false);
        check(false, r#"{"method":"Debugger.paused","params":{}}"#, true);
        check(true, r#"{"id":8,"method":"Debugger.disable"}"#, false);
    }

    #[test]
    fn a_thread_of_its_own_stops_it_as_well() {
        let mut talk = upgraded();
        let said = |method: &str, thread: &str, inner: &str| {
            let params = serde_json::json!({ "sessionId": thread, "message": inner });
            frame(&serde_json::json!({ "method": method, "params": params }).to_string())
        };
        let from = "NodeWorker.receivedMessageFromWorker";
        talk.program(&said(from, "1", r#"{"method":"Debugger.paused"}"#));
        talk.program(&said(from, "2", r#"{"method":"Debugger.paused"}"#));
        talk.program(&said(from, "1", r#"{"method":"Debugger.resumed"}"#));
        assert!(talk.stopped());
        talk.program(&said("NodeWorker.detachedFromWorker", "2", ""));
        assert!(!talk.stopped());
    }

    #[test]
    fn what_is_no_http_stops_nothing() {
        let mut talk = Talk::default();
        talk.program(b"HTTP/1.0 200 OK\r\n\r\n");
        talk.program(&frame(r#"{"method":"Debugger.paused"}"#));
        assert!(!talk.stopped());
    }
}
