//! Responses that are passed on as they are produced.

use std::sync::Arc;
use std::time::Duration;

use base::SystemClock;
use host::{Host, HostError, Invocation, Invoked, Piece, ResponseReader};
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use crate::runtime_api::bootstrap;
use crate::world::{Function, World, invocation};

type Running = JoinHandle<Result<Invoked, HostError>>;

/// A response that is being read.
struct Reading {
    reader: ResponseReader,
    invoked: Running,
}

#[expect(clippy::disallowed_methods, reason = "its result is asked for")]
fn start(host: &Host, function: &Function, event: Value) -> Reading {
    let (writer, reader) = host::response();
    let event = Invocation { response: Some(writer), ..invocation(event) };
    let (host, spec) = (host.clone(), Arc::clone(&function.spec));
    Reading { reader, invoked: tokio::spawn(async move { host.invoke(&spec, event).await }) }
}

impl Reading {
    /// What is read until there are so many bytes, or the response ends.
    async fn read(&mut self, bytes: usize) -> Vec<u8> {
        let mut read = Vec::new();
        while read.len() < bytes {
            match self.reader.next().await {
                Piece::Bytes(bytes) => read.extend_from_slice(&bytes),
                Piece::End => break,
            }
        }
        read
    }

    /// All that is read before the function has ended, and how it has.
    async fn rest(mut self) -> (Vec<u8>, Invoked) {
        let mut read = Vec::new();
        let invoked = loop {
            tokio::select! {
                biased;
                piece = self.reader.next() => match piece {
                    Piece::Bytes(bytes) => read.extend_from_slice(&bytes),
                    Piece::End => break self.invoked.await,
                },
                invoked = &mut self.invoked => {
                    while let Some(Piece::Bytes(bytes)) = self.reader.take() {
                        read.extend_from_slice(&bytes);
                    }
                    break invoked;
                }
            }
        };
        (read, invoked.unwrap().unwrap())
    }
}

fn streams(body: &str) -> Function {
    Function::js(&format!(
        "const {{ setTimeout: sleep }} = require('timers/promises');
         exports.handler = awslambda.streamifyResponse(async (event, out, context) => {{ {body} }})"
    ))
}

/// A function that goes on when this file is there.
const GATE: &str = "while (!require('fs').existsSync('gate')) await sleep(5);";

async fn pause(ms: u64) {
    base::sleep(&SystemClock::new(), Duration::from_millis(ms)).await;
}

fn open_gate(function: &Function) {
    std::fs::write(format!("{}/gate", function.folder()), "").unwrap();
}

#[tokio::test]
async fn a_chunk_is_read_before_the_handler_has_ended() {
    let world = World::new();
    let function = streams(&format!("out.write('first'); {GATE} out.write('second'); out.end()"));
    let mut reading = start(&world.host, &function, json!({}));
    assert_eq!(reading.reader.begun().await, "application/octet-stream");
    assert_eq!(reading.read(5).await, b"first");
    open_gate(&function);
    let (rest, invoked) = reading.rest().await;
    assert_eq!((rest.as_slice(), invoked.error), (&b"second"[..], None));
    assert!(invoked.payload.is_empty());
}

#[tokio::test]
async fn a_response_ends_before_what_its_handler_goes_on_with() {
    let world = World::new();
    let function = streams(&format!("out.end('all'); {GATE} console.log('after')"));
    let mut reading = start(&world.host, &function, json!({}));
    assert_eq!(reading.read(3).await, b"all");
    assert_eq!(reading.reader.next().await, Piece::End);
    open_gate(&function);
    let invoked = reading.invoked.await.unwrap().unwrap();
    assert!(invoked.log_tail.contains("after"), "{}", invoked.log_tail);
}

#[tokio::test]
async fn what_a_handler_writes_is_read_as_it_was_written() {
    let world = World::new();
    let zeros = "\0\0\0\0\0\0\0\0";
    for (body, kind, expected) in [
        ("out.setContentType('text/plain'); out.end('a')", "text/plain", "a"),
        ("out.write({ a: 1 }); out.write(Buffer.from('b')); out.end([2])", "", "{\"a\":1}b[2]"),
        ("out.end()", "", ""),
        ("out.write(''); out.end()", "", ""),
        (
            "out = awslambda.HttpResponseStream.from(out, { statusCode: 201 });
             out.write('x'); out.end('y')",
            "application/vnd.awslambda.http-integration-response",
            &format!("{{\"statusCode\":201}}{zeros}xy"),
        ),
        (
            "awslambda.HttpResponseStream.from(out, {}).end()",
            "application/vnd.awslambda.http-integration-response",
            &format!("{{}}{zeros}"),
        ),
        (
            "const { Readable, promises } = require('stream');
             await promises.pipeline(Readable.from(['p', 'q']), out)",
            "",
            "pq",
        ),
        (
            "out.write(String(context.awsRequestId.length)); out.end(typeof context.done)",
            "",
            "36undefined",
        ),
        ("out.end('a'); throw new Error('late')", "", "a"),
        ("out.end('a'); return 'ignored'", "", "a"),
        (
            "context.callbackWaitsForEmptyEventLoop = false; setTimeout(() => {}, 60000); out.end('a')",
            "",
            "a",
        ),
    ] {
        let function = streams(body);
        let mut reading = start(&world.host, &function, json!({}));
        let found = reading.reader.begun().await;
        let kind = if kind.is_empty() { "application/octet-stream" } else { kind };
        assert_eq!(found, kind, "{body}");
        let (read, invoked) = reading.rest().await;
        assert_eq!(String::from_utf8(read).unwrap(), expected, "{body}");
        assert_eq!(invoked.error, None, "{body}: {:?}", invoked.payload);
        // Whoever does not read along is given the same.
        let whole = world.try_invoke(&function, json!({})).await.unwrap();
        assert_eq!((&whole.payload[..], whole.error), (expected.as_bytes(), None), "{body}");
    }
}

#[tokio::test]
async fn a_failure_amid_a_response_is_told_behind_it() {
    let world = World::new();
    let wrong = "exports.handler = awslambda.streamifyResponse((_, out) => { out.write('a') })";
    let other = "exports.handler = async () => {};
         exports.handler[Symbol.for('aws.lambda.runtime.handler.streaming')] = 'request'";
    for (function, kind, message) in [
        (streams("out.write('a'); throw new TypeError('no')"), "TypeError", "no"),
        (streams("out.write('a')"), "string", "Response stream is not finished."),
        (streams("out.write('a'); await new Promise(() => {})"), "string", "Response stream is"),
        (streams("out.write('a'); out.destroy(new RangeError('bad'))"), "RangeError", "bad"),
        (
            streams("out.write('a'); out.setContentType('b')"),
            "Runtime.InvalidStreamingOperation",
            "Cannot set content-type, too late.",
        ),
        (
            streams(
                "out.write('a'); setTimeout(() => { throw new Error('loose') }); await sleep(1e4)",
            ),
            "Error",
            "loose",
        ),
        (streams("out.write('a'); process.exit(3)"), "Runtime.ExitError", "RequestId: "),
        (Function::js(wrong), "string", "Streaming does not support non-async handlers."),
    ] {
        let (read, invoked) = start(&world.host, &function, json!({})).rest().await;
        let error: Value = serde_json::from_slice(&invoked.payload).unwrap();
        assert_eq!((read.as_slice(), invoked.error), (&b"a"[..], Some("Unhandled")), "{error}");
        assert_eq!(error["errorType"], kind);
        assert!(error["errorMessage"].as_str().unwrap().starts_with(message), "{error}");
        // A caller who does not read along has the error alone.
        let (whole, failed) = world.invoke(&function, json!({})).await;
        assert_eq!((&whole["errorType"], failed), (&json!(kind), true));
    }
    let (error, failed) = world.invoke(&Function::js(other), json!({})).await;
    assert_eq!((&error["errorType"], failed), (&json!("Runtime.MalformedStreamingHandler"), true));
}

#[tokio::test]
async fn a_timeout_amid_a_response_is_told_behind_it() {
    let world = World::new();
    let text = "exports.handler = awslambda.streamifyResponse(async (event, out) => {
        out.write('a');
        await new Promise((done) => setTimeout(done, 100000));
    })";
    let function = Function::with(&[("index.js", text)], "index.handler", |spec| {
        spec.timeout = Duration::from_millis(500);
    });
    let (read, invoked) = start(&world.host, &function, json!({})).rest().await;
    let error: Value = serde_json::from_slice(&invoked.payload).unwrap();
    assert_eq!((read.as_slice(), &error["errorType"]), (&b"a"[..], &json!("Sandbox.Timedout")));
}

/// Writes 100 times 64 KB, as fast as it is read, and tells how far it is.
const FLOOD: &str = "
    const at = require('path').join(process.cwd(), 'written');
    for (let n = 1; n <= 100; n++) {
        if (!out.write(Buffer.alloc(65536, n))) await require('events').once(out, 'drain');
        require('fs').writeFileSync(at, String(n));
    }
    out.end()";

fn written(function: &Function) -> usize {
    let text = std::fs::read_to_string(format!("{}/written", function.folder()));
    text.ok().and_then(|text| text.parse().ok()).unwrap_or(0)
}

#[tokio::test]
async fn a_reader_that_is_slow_holds_its_function_up() {
    let world = World::new();
    let function = streams(&format!(
        "const tick = setInterval(() => console.log('tick'), 20); {FLOOD}; clearInterval(tick)"
    ));
    let mut reading = start(&world.host, &function, json!({}));
    reading.reader.begun().await;
    // Until the handler's own timers show that it waits, and for nothing but the reader.
    let mut ticks = 0;
    while ticks < 10 {
        pause(20).await;
        ticks = world.texts().iter().filter(|text| text.contains("tick")).count();
    }
    // 256 KB on their way, and one that is written.
    assert!((3..=6).contains(&written(&function)), "{}", written(&function));
    let read = reading.read(100_000).await.len();
    let (rest, invoked) = reading.rest().await;
    assert_eq!((read + rest.len(), invoked.error), (100 * 65536, None));
    assert!(rest.ends_with(&[100; 65536]));
    // The worker is none the worse for it.
    let again = start(&world.host, &function, json!({})).rest().await;
    assert_eq!((again.0.len(), world.host.stats().idle), (100 * 65536, 1));
}

#[tokio::test]
async fn a_reader_that_leaves_does_not_end_its_function() {
    let world = World::new();
    let function = streams(FLOOD);
    let mut reading = start(&world.host, &function, json!({}));
    assert!(!reading.read(1).await.is_empty());
    drop(reading.reader);
    let invoked = reading.invoked.await.unwrap().unwrap();
    assert_eq!((invoked.error, written(&function)), (None, 100));
    let again = start(&world.host, &function, json!({})).rest().await;
    assert_eq!((again.0.len(), world.host.stats().idle), (100 * 65536, 1));
}

#[tokio::test]
async fn a_response_has_a_limit_read_along_or_gathered() {
    let world = World::new();
    let function = streams(
        "const part = Buffer.alloc(1024 * 1024);
         for (let n = 0; n < event; n++) {
            if (!out.write(part)) await require('events').once(out, 'drain');
         }
         out.end()",
    );
    let (read, invoked) = start(&world.host, &function, json!(201)).rest().await;
    assert_eq!((read.len(), invoked.error), (host::STREAMED_BYTES_MAX, Some("Unhandled")));
    let error: Value = serde_json::from_slice(&invoked.payload).unwrap();
    let message = "Response payload size exceeded maximum allowed payload size (209715200 bytes).";
    assert_eq!(
        (&error["errorType"], &error["errorMessage"]),
        (&json!("Function.ResponseSizeTooLarge"), &json!(message))
    );
    let whole = world.try_invoke(&function, json!(6)).await.unwrap();
    assert_eq!((whole.payload.len(), whole.error), (6 * 1024 * 1024, None));
    let (error, failed) = world.invoke(&function, json!(7)).await;
    assert!(
        failed && error["errorMessage"].as_str().unwrap().contains("(6291556 bytes)"),
        "{error}"
    );
}

#[tokio::test]
async fn a_function_that_does_not_stream_answers_whole() {
    let world = World::new();
    let function = Function::js("exports.handler = async (event) => event");
    let reading = start(&world.host, &function, json!({ "a": 1 }));
    let (read, invoked) = reading.rest().await;
    assert_eq!((read.len(), &invoked.payload[..]), (0, &br#"{"a":1}"#[..]));
}

/// `begin(id)` opens a response, `piece(s, bytes)` adds to it, `end(s, trailers)` gives the answer.
const PIECES: &str = "import base64, socket
def begin(id, kind='text/x-own'):
    host, port = os.environ['AWS_LAMBDA_RUNTIME_API'].split(':')
    s = socket.create_connection((host, int(port)))
    s.sendall((f'POST {RUNTIME}invocation/{id}/response HTTP/1.1\\r\\nHost: x\\r\\n'
        f'Content-Type: {kind}\\r\\nLambda-Runtime-Function-Response-Mode: streaming\\r\\n'
        'Transfer-Encoding: chunked\\r\\n'
        'Trailer: Lambda-Runtime-Function-Error-Type, Lambda-Runtime-Function-Error-Body\\r\\n'
        '\\r\\n').encode())
    return s
def piece(s, data): s.sendall(b'%x\\r\\n%s\\r\\n' % (len(data), data))
def end(s, trailers=''):
    s.sendall(f'0\\r\\n{trailers}\\r\\n'.encode())
    return s.recv(1000).decode()
def gate():
    while not os.path.exists(os.environ['LAMBDA_TASK_ROOT'] + '/gate'): time.sleep(0.005)
";

/// A program that brings its own runtime and streams by these lines.
fn own(lines: &str) -> Function {
    let lines = lines.replace('\n', "\n  ");
    bootstrap(&format!("{PIECES}while True:\n  id, _, event = next()\n  {lines}\n"))
}

#[tokio::test]
async fn a_program_with_its_own_runtime_streams() {
    let world = World::new();
    let function = own("s = begin(id); piece(s, b'first'); gate(); piece(s, b'second'); end(s)");
    let mut reading = start(&world.host, &function, json!({}));
    assert_eq!(reading.reader.begun().await, "text/x-own");
    assert_eq!(reading.read(5).await, b"first");
    open_gate(&function);
    let (rest, invoked) = reading.rest().await;
    assert_eq!((rest.as_slice(), invoked.error), (&b"second"[..], None));
    let whole = world.try_invoke(&function, json!({})).await.unwrap();
    assert_eq!((&whole.payload[..], whole.error), (&b"firstsecond"[..], None));
}

#[tokio::test]
async fn the_runtime_api_tells_of_failures_amid_a_response() {
    let world = World::new();
    let late = "s = begin(id); piece(s, b'a')
body = base64.b64encode(b'{\"errorType\": \"Own\", \"errorMessage\": \"late\"}').decode()
end(s, 'Lambda-Runtime-Function-Error-Type: Function.Late\\r\\n'
    f'Lambda-Runtime-Function-Error-Body: {body}\\r\\n')";
    for (lines, kind) in [
        (late, "Own"),
        ("s = begin(id); piece(s, b'a'); time.sleep(0.1); s.close()", "Runtime.TruncatedResponse"),
    ] {
        let (read, invoked) = start(&world.host, &own(lines), json!({})).rest().await;
        let error: Value = serde_json::from_slice(&invoked.payload).unwrap();
        assert_eq!((read.as_slice(), invoked.error), (&b"a"[..], Some("Unhandled")), "{error}");
        assert_eq!(error["errorType"], kind, "{lines}");
    }
    let exits = own("s = begin(id); piece(s, b'a'); time.sleep(0.1); os._exit(1)");
    let (read, invoked) = start(&world.host, &exits, json!({})).rest().await;
    let error: Value = serde_json::from_slice(&invoked.payload).unwrap();
    assert_eq!(read, b"a", "an event that has begun does not run again");
    // Whichever is seen first.
    let kinds = ["Runtime.TruncatedResponse", "Runtime.ExitError"];
    assert!(kinds.contains(&error["errorType"].as_str().unwrap()), "{error}");
}

#[tokio::test]
async fn the_runtime_api_takes_no_more_than_is_read_and_no_more_than_the_limit() {
    let world = World::new();
    let function = own("s = begin(id)
for n in range(event):
    try: piece(s, bytes(1 << 20))
    except OSError: break
    open(os.environ['LAMBDA_TASK_ROOT'] + '/written', 'w').write(str(n + 1))
try: print(end(s).split()[1], flush=True)
except OSError: pass");
    let mut reading = start(&world.host, &function, json!(40));
    reading.reader.begun().await;
    // It is stuck when it has written for so long no more than what sockets hold.
    pause(500).await;
    let stuck = written(&function);
    assert!(stuck < 30, "{stuck}");
    let (read, invoked) = reading.rest().await;
    assert_eq!((read.len(), invoked.error), (40 << 20, None));
    let (read, invoked) = start(&world.host, &function, json!(201)).rest().await;
    let error: Value = serde_json::from_slice(&invoked.payload).unwrap();
    assert_eq!(
        (read.len(), &error["errorType"]),
        (host::STREAMED_BYTES_MAX, &json!("Function.ResponseSizeTooLarge"))
    );
}
