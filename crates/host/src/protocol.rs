//! What host and worker say to each other, over two pipes the worker inherits: it reads
//! descriptor 3 and writes descriptor 4. `runtimes/*/pipe.*` is the other side.
//!
//! A frame is `[length u32][kind u8][body]`; the length counts kind and body; all numbers are
//! little-endian, all text is UTF-8. One frame is written with one `write` where it fits the pipe.
//!
//! | kind | to | body |
//! |---|---|---|
//! | 1 Assign | worker | JSON [`Assign`]: what to load; the first frame, sent once |
//! | 2 Invoke | worker | ms of timeout; request id, trace, client context, function; the event |
//! | 3 More | worker | bytes of responses it may send in addition |
//! | 4 Time | worker | ms that are left of the event that runs |
//! | 16 Ready | host | µs of loading |
//! | 17 InitError | host | µs of loading; the error. The worker exits |
//! | 18 Result | host | µs of running; KB of memory; the result |
//! | 19 Error | host | µs of running; KB of memory; 1 if the worker exits now; the error |
//! | 20 Log | host | a line |
//! | 21 Unfit | host | why it cannot be a template |
//! | 22 Begin | host | a response that is streamed begins: its content type |
//! | 23 Chunk | host | some of it |
//! | 24 End | host | there is no more of it; the handler may still run |
//! | 25 Debug | host | the port of its debugger; the path of that debugger's address |
//! | 26 AskTime | host | |
//! | 27 Packed | host | 1 if it loads its function of the pack it was given |
//! | 28 Pack | host | some of the pack it was to make |
//!
//! Numbers are u32. Each of an Invoke's four texts has its length before it; what comes last in a
//! body is the rest of it. Its function is the ARN that was called, where that is not the one of
//! Assign. An error is `{errorType, errorMessage, trace}`, JSON.
//!
//! A worker that is told to become a template answers Ready or Unfit, and from then on takes orders
//! from descriptor 5 (crate `fork`). Each slot it makes has pipes of its own, over which it says
//! Ready first.
//!
//! A worker that is given a code pack says first of all whether it is of use (Packed). One that is
//! to make a pack says it (Pack, any number of times) before it is Ready or Unfit.
//!
//! A response that is streamed is Begin, any number of Chunk, and End. Then, or in place of what is
//! missing, comes Result, which is empty, or Error. At its start a worker may send 256 KB in all
//! Chunks; More adds to that what has been read of them. The worker is to be able to read More
//! while its handler runs, and finds later Invokes before it.
//!
//! A worker that is to be debugged says where (Debug) before it loads its function. No time passes
//! while it is stopped, which only the host sees: so it asks what time is left, and reads the
//! answer while its event runs. It is never told an event before the one that runs has ended.
//!
//! Assign is answered by Ready or InitError, Invoke by Result or Error; any number of Log may come
//! before. The host sends the next Invoke only after the answer: one event at a time. The timeout
//! is a duration, because the two sides' clocks may disagree. When the worker reads end of file it
//! exits.

use std::collections::BTreeMap;
use std::path::PathBuf;

use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};
use serde::Serialize;

use crate::invocation::Invocation;

/// More than any answer may have: 6 MB of result and room for an error's text.
const FRAME_BYTES_MAX: usize = 8 * 1024 * 1024;
const HEADER_BYTES: usize = 4;

const ASSIGN: u8 = 1;
const INVOKE: u8 = 2;
const MORE: u8 = 3;
const TIME: u8 = 4;
const READY: u8 = 16;
const INIT_ERROR: u8 = 17;
const RESULT: u8 = 18;
const ERROR: u8 = 19;
const LOG: u8 = 20;
const UNFIT: u8 = 21;
const BEGIN: u8 = 22;
const CHUNK: u8 = 23;
const END: u8 = 24;
const DEBUG: u8 = 25;
const ASK_TIME: u8 = 26;
const PACKED: u8 = 27;
const PACK: u8 = 28;

/// What a booted worker is told to become.
#[derive(Serialize)]
pub(crate) struct Assign<'a> {
    pub(crate) code: &'a std::path::Path,
    /// Where its layers are, the uppermost first.
    pub(crate) layers: &'a [PathBuf],
    pub(crate) handler: &'a str,
    /// Whether it is to be forked instead of given events.
    pub(crate) template: bool,
    /// Whether a debugger is to be let in before it is loaded.
    pub(crate) debug: bool,
    /// What it may load it of, or is to make.
    pub(crate) pack: Option<Pack<'a>>,
    /// The whole environment.
    pub(crate) env: &'a BTreeMap<String, String>,
    /// What the handler's context says about the function.
    pub(crate) function: Function<'a>,
}

/// A code pack.
#[derive(Serialize)]
pub(crate) struct Pack<'a> {
    /// Where it is; to be made where it is nowhere.
    pub(crate) path: Option<PathBuf>,
    /// Of which revision of which function it is.
    pub(crate) name: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Function<'a> {
    pub(crate) function_name: &'a str,
    pub(crate) function_version: &'a str,
    pub(crate) invoked_function_arn: String,
    #[serde(rename = "memoryLimitInMB")]
    pub(crate) memory_limit: String,
    pub(crate) log_group_name: &'a str,
    pub(crate) log_stream_name: &'a str,
}

/// What a worker says.
#[derive(Debug, PartialEq)]
pub(crate) enum Reply {
    Ready { micros: u32 },
    InitError { micros: u32, payload: Bytes },
    Result { micros: u32, memory_kb: u32, payload: Bytes },
    Error { micros: u32, memory_kb: u32, exits: bool, payload: Bytes },
    Log(Bytes),
    Unfit(Bytes),
    Begin(Bytes),
    Chunk(Bytes),
    End,
    Debug { port: u16, path: Bytes },
    AskTime,
    Packed { used: bool },
    Pack(Bytes),
}

/// What a slot is told that was forked: all in which it differs from its template.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Forked<'a> {
    /// Where its numbers that are not for secrets begin: copies would all go on with the same ones.
    /// For its runtime to draw them takes longer.
    pub(crate) seed: [u32; 4],
    pub(crate) log_stream_name: &'a str,
    pub(crate) initialization_type: &'a str,
}

/// Bytes that are no frame. Whoever sends them is not one of our workers any more.
#[derive(Debug, PartialEq, thiserror::Error)]
#[error("a worker broke the protocol")]
pub(crate) struct Broken;

pub(crate) fn assign(assign: &Assign<'_>) -> BytesMut {
    let json = serde_json::to_vec(assign).expect("text and maps of text are always JSON");
    let mut frame = begin(ASSIGN, json.len());
    frame.put_slice(&json);
    finish(frame)
}

pub(crate) fn invoke(invocation: &Invocation, timeout_ms: u32) -> BytesMut {
    let texts = [
        invocation.request_id.as_str(),
        invocation.trace_header.as_deref().unwrap_or_default(),
        invocation.client_context.as_deref().unwrap_or_default(),
        invocation.function_arn.as_deref().unwrap_or_default(),
    ];
    let head: usize = 4 + texts.iter().map(|text| 4 + text.len()).sum::<usize>();
    let mut frame = begin(INVOKE, head + invocation.payload.len());
    frame.put_u32_le(timeout_ms);
    for text in texts {
        frame.put_u32_le(u32::try_from(text.len()).expect("headers are far below 4 GB"));
        frame.put_slice(text.as_bytes());
    }
    frame.put_slice(&invocation.payload);
    finish(frame)
}

pub(crate) fn more(bytes: u32) -> BytesMut {
    let mut frame = begin(MORE, 4);
    frame.put_u32_le(bytes);
    finish(frame)
}

/// The answer to [`Reply::AskTime`].
pub(crate) fn time(left_ms: u32) -> BytesMut {
    let mut frame = begin(TIME, 4);
    frame.put_u32_le(left_ms);
    finish(frame)
}

fn begin(kind: u8, body_bytes: usize) -> BytesMut {
    let mut frame = BytesMut::with_capacity(HEADER_BYTES + 1 + body_bytes);
    frame.put_u32_le(0);
    frame.put_u8(kind);
    frame
}

fn finish(mut frame: BytesMut) -> BytesMut {
    let length = u32::try_from(frame.len() - HEADER_BYTES).expect("events are at most 6 MB");
    frame[..HEADER_BYTES].copy_from_slice(&length.to_le_bytes());
    frame
}

/// Takes the first whole frame out of what was read, if there is one.
pub(crate) fn take(inbox: &mut BytesMut) -> Result<Option<Reply>, Broken> {
    let Some(header) = inbox.first_chunk::<HEADER_BYTES>() else { return Ok(None) };
    let length = u32::from_le_bytes(*header) as usize;
    if !(1..=FRAME_BYTES_MAX).contains(&length) {
        return Err(Broken);
    }
    if inbox.len() < HEADER_BYTES + length {
        inbox.reserve(HEADER_BYTES + length - inbox.len());
        return Ok(None);
    }
    inbox.advance(HEADER_BYTES);
    reply(inbox.split_to(length).freeze()).map(Some)
}

fn reply(mut frame: Bytes) -> Result<Reply, Broken> {
    let kind = frame.get_u8();
    let mut number = || frame.try_get_u32_le().map_err(|_short| Broken);
    Ok(match kind {
        READY => Reply::Ready { micros: number()? },
        INIT_ERROR => Reply::InitError { micros: number()?, payload: frame },
        RESULT => Reply::Result { micros: number()?, memory_kb: number()?, payload: frame },
        ERROR => Reply::Error {
            micros: number()?,
            memory_kb: number()?,
            exits: number()? != 0,
            payload: frame,
        },
        LOG => Reply::Log(frame),
        UNFIT => Reply::Unfit(frame),
        BEGIN => Reply::Begin(frame),
        CHUNK => Reply::Chunk(frame),
        END => Reply::End,
        DEBUG => {
            let port = u16::try_from(number()?).map_err(|_large| Broken)?;
            Reply::Debug { port, path: frame }
        }
        ASK_TIME => Reply::AskTime,
        PACKED => Reply::Packed { used: number()? != 0 },
        PACK => Reply::Pack(frame),
        _ => return Err(Broken),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_invoke_is_laid_out_as_the_table_says() {
        let invocation = Invocation {
            request_id: "id".into(),
            payload: Bytes::from_static(b"{}"),
            client_context: None,
            trace_header: Some("t".into()),
            function_arn: Some("arn".into()),
            tail: false,
            response: None,
        };
        let expected = b"\x1d\0\0\0\x02\xb8\x0b\0\0\x02\0\0\0id\x01\0\0\0t\0\0\0\0\x03\0\0\0arn{}";
        assert_eq!(&invoke(&invocation, 3000)[..], expected);
    }

    #[test]
    fn frames_are_taken_one_by_one_and_only_whole() {
        let mut inbox = BytesMut::new();
        let sent = b"\x06\0\0\0\x14hello\x0b\0\0\0\x12\x01\0\0\0\x02\0\0\0{}";
        let mut replies = Vec::new();
        for byte in sent {
            inbox.put_u8(*byte);
            replies.extend(take(&mut inbox).unwrap());
        }
        let result = Reply::Result { micros: 1, memory_kb: 2, payload: Bytes::from_static(b"{}") };
        assert_eq!(replies, [Reply::Log(Bytes::from_static(b"hello")), result]);
        assert!(inbox.is_empty());
    }

    #[test]
    fn what_is_no_frame_is_refused() {
        for sent in [
            &b"\0\0\0\0"[..],
            b"\xff\xff\xff\xff",
            b"\x01\0\0\0\x63",
            b"\x03\0\0\0\x10\0\0",
            b"\x05\0\0\0\x19\0\0\x01\0",
        ] {
            assert_eq!(take(&mut BytesMut::from(sent)), Err(Broken), "{sent:?}");
        }
    }
}
