//! Slots that are forked of a template.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::world::{Function, World};

/// A response that is larger than what may be under way, and read late: the worker has to read
/// while its handler runs.
#[tokio::test(flavor = "multi_thread")]
async fn forks_of_node_stream() {
    let function = Function::js(
        "const { once } = require('events');
        exports.handler = awslambda.streamifyResponse(async (event, out) => {
            for (let n = 0; n < 32; n++) {
                if (!out.write(Buffer.alloc(65536, n))) await once(out, 'drain');
            }
            out.end('end');
        });",
    );
    let world = World::new();
    world.template(&function).await.unwrap();
    for _time in 0..3 {
        let (read, log) = world.stream(&function).await;
        assert_eq!(read.len(), 32 * 65536 + 3, "{log}");
        assert!(read.ends_with(b"end"));
    }
    let log = world.stream(&function).await.1;
    assert!(!log.contains("Init Duration"), "{log}");
    world.host.end_idle();
    assert!(world.stream(&function).await.1.contains("Restore Duration"));
    world.host.drain().await;
}

/// What a template holds that copies would share keeps it from being one, and the function runs all
/// the same.
#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_shared_is_said_and_loaded_anew() {
    let js = |text: &str| Function::js(&format!("{text}; exports.handler = async () => 'ran'"));
    let py =
        |text: &str| Function::py(&format!("{text}\ndef handler(event, context): return 'ran'"));
    let socket = "require('net').createServer().listen(9999)";
    for (function, expected) in [
        (js("setInterval(() => {}, 1000)"), "loading it left something active: Timeout"),
        (js(socket), "loading it left something active: TCPServerWrap"),
        (
            js("require('child_process').spawn('sleep', ['9'], { stdio: 'ignore' }).unref()"),
            "loading it left a child process",
        ),
        (js("require('fs').writeFileSync('/tmp/x', '')"), "loading it left files in /tmp"),
        (
            js("globalThis.id = require('crypto').randomUUID()"),
            "loading it drew random bytes, which all copies would share",
        ),
        (js("throw new Error('no')"), "it failed to load"),
        (
            py("import threading, time; threading.Thread(target=time.sleep, args=[9]).start()"),
            "loading it left threads",
        ),
        (
            py("import socket; s = socket.create_server(('127.0.0.1', 9999))"),
            "loading it left a socket open",
        ),
        (
            py("import uuid; ID = uuid.uuid4()"),
            "loading it drew random bytes, which all copies would share",
        ),
        (
            py("import subprocess; p = subprocess.Popen(['sleep', '9'])"),
            "loading it left a child process",
        ),
    ] {
        let world = World::new();
        assert_eq!(world.template(&function).await, Err(expected.to_owned()));
        let (answer, log) = world.invoke(&function).await;
        if expected != "it failed to load" {
            assert_eq!(answer, Ok(Value::from("ran")), "{expected}");
        }
        assert!(!log.contains("Restore Duration"), "{log}");
        world.host.drain().await;
    }
}

/// What loading only reads is waited for: SDKs read their configuration.
#[tokio::test(flavor = "multi_thread")]
async fn what_loading_reads_is_waited_for() {
    let world = World::new();
    let function = Function::js(
        "const fs = require('fs/promises');
        let lines = 0;
        const read = async () => {
            for (let time = 0; time < 20; time++) lines += (await fs.readFile(__filename)).length;
        };
        const reading = read();
        exports.handler = async () => (await reading, lines > 0);",
    );
    assert_eq!(world.template(&function).await, Ok(()));
    let (answer, log) = world.invoke(&function).await;
    assert_eq!(answer, Ok(Value::from(true)));
    assert!(log.contains("Restore Duration"), "{log}");
    world.host.drain().await;
}

/// Slots of one template share nothing, and the next one finds what the template had.
#[tokio::test(flavor = "multi_thread")]
async fn slots_of_a_template_are_apart() {
    let function = Function::js(
        "const fs = require('fs');
        let count = 0;
        exports.handler = async () => {
            await new Promise((done) => setTimeout(done, 200));
            fs.appendFileSync('/tmp/mine', 'x');
            const others = fs.readdirSync('/proc').filter((name) => /^[0-9]+$/.test(name));
            return [++count, fs.readFileSync('/tmp/mine', 'utf8'), others.length];
        };",
    );
    let world = Arc::new(World::new());
    world.template(&function).await.unwrap();
    let both = tokio::join!(world.invoke(&function), world.invoke(&function));
    // Its own first process and itself.
    let expected = Ok(json!([1, "x", 2]));
    assert_eq!((both.0.0, both.1.0), (expected.clone(), expected));
    assert_eq!(world.invoke(&function).await.0, Ok(json!([2, "xx", 2])));
    assert!(world.texts().iter().any(|text| text.starts_with("START")));
    world.host.drain().await;
}

/// A function that is replaced, or whose template makes room, runs its events to their end.
#[tokio::test(flavor = "multi_thread")]
async fn an_event_outlives_its_template() {
    let function = Function::js(
        "exports.handler = () => new Promise((done) => setTimeout(done, 500, 'ended'));",
    );
    let world = World::new();
    world.template(&function).await.unwrap();
    let retire = async {
        while !world.texts().iter().any(|text| text.starts_with("START")) {
            tokio::task::yield_now().await;
        }
        world.host.retire(&function.spec.arn, None);
        assert_eq!(world.host.stats().templates, 0);
    };
    let ((answer, log), ()) = tokio::join!(world.invoke(&function), retire);
    assert_eq!(answer, Ok(Value::from("ended")));
    assert!(log.contains("Restore Duration"), "{log}");
    world.host.drain().await;
}
