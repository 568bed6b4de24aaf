//! Slots that are forked of a template.

use std::collections::HashSet;
use std::sync::Arc;

use serde_json::{Value, json};

use crate::world::{Function, World};

/// Each takes so long that all of a batch need slots of their own.
const DRAW_JS: &str = "
    const crypto = require('crypto');
    Math.random();
    exports.handler = async () => {
        await new Promise((done) => setTimeout(done, 1500));
        return [Math.random(), crypto.randomUUID(), crypto.randomBytes(8).toString('hex'),
            globalThis.crypto.randomUUID(), crypto.randomInt(2 ** 47)];
    };";

const DRAW_PY: &str = "
import os, random, secrets, time, uuid
random.random()
def handler(event, context):
    time.sleep(1.5)
    return [random.random(), str(uuid.uuid4()), os.urandom(8).hex(), secrets.token_hex(8)]
";

/// Draws in a thousand slots, and finds no value twice.
async fn draw(function: Function) {
    const FORKS: usize = 1_000;
    const BATCH: usize = 250;
    let world = Arc::new(World::new());
    world.template(&function).await.unwrap();
    let mut drawn: HashSet<String> = HashSet::new();
    let mut forks = 0;
    while forks < FORKS {
        let batch = (0..BATCH).map(|_| world.invoke(&function));
        for (answer, log) in futures_util::future::join_all(batch).await {
            forks += usize::from(log.contains("Restore Duration"));
            for value in answer.unwrap().as_array().unwrap() {
                assert!(drawn.insert(value.to_string()), "{value} was drawn twice");
            }
        }
        world.host.end_idle();
    }
    world.host.drain().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_forks_of_node_draw_nothing_twice() {
    draw(Function::js(DRAW_JS)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_forks_of_python_draw_nothing_twice() {
    draw(Function::py(DRAW_PY)).await;
}

/// Whatever a runtime does with threads and descriptors works in a fork as in a fresh process.
#[tokio::test(flavor = "multi_thread")]
async fn forks_of_node_are_whole() {
    const CHILDREN: usize = 150;
    let function = Function::js(
        "const fs = require('fs'), http = require('http'), crypto = require('crypto');
        const { execFileSync } = require('child_process');
        const { Worker } = require('worker_threads');
        const ready = new WebAssembly.Module(Uint8Array.from([0, 97, 115, 109, 1, 0, 0, 0, 1, 7, 1,
            96, 2, 127, 127, 1, 127, 3, 2, 1, 0, 7, 7, 1, 3, 97, 100, 100, 0, 0, 10, 9, 1, 7, 0, 32,
            0, 32, 1, 106, 11]));
        exports.handler = async () => {
            await Promise.all(Array.from({ length: 8 }, () => fs.promises.readFile(__filename)));
            await new Promise((done) => crypto.pbkdf2('a', 'b', 500, 32, 'sha256', done));
            const server = http.createServer((_, reply) => reply.end('hi'));
            await new Promise((done) => server.listen(8080, '127.0.0.1', done));
            const text = await (await fetch('http://127.0.0.1:8080/')).text();
            server.close();
            const child = execFileSync('/bin/echo', ['child']).toString().trim();
            const code = 'require(\"worker_threads\").parentPort.postMessage(6 * 7)';
            const worker = await new Promise((done, failed) => new Worker(code, { eval: true })
                .on('message', done).on('error', failed));
            let sum = 0;
            for (let i = 0; i < 2e5; i++) sum += Math.sqrt(i) > 100 ? 1 : 0;
            const rubbish = [];
            for (let i = 0; i < 5e4; i++) rubbish.push({ i, more: [i] });
            const wasm = new WebAssembly.Instance(ready).exports.add(40, 2);
            return [text, child, worker, sum, rubbish.length, wasm];
        };",
    );
    let world = World::new();
    world.template(&function).await.unwrap();
    for _ in 0..CHILDREN {
        let (answer, log) = world.invoke(&function).await;
        assert_eq!(answer, Ok(json!(["hi", "child", 42, 189_999, 50_000, 42])));
        assert!(log.contains("Restore Duration"), "{log}");
        world.host.end_idle();
    }
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
