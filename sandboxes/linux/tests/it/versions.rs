//! Forks of every version of Node and Python that is installed.

use std::collections::HashSet;
use std::path::PathBuf;
use std::process::Command;

use serde_json::{Value, json};

use crate::world::{Function, World};

/// A version, as the names of runtimes have it, and where it is.
pub(crate) struct Installed {
    pub(crate) version: String,
    pub(crate) folder: PathBuf,
}

impl Installed {
    pub(crate) fn js(&self, text: &str) -> Function {
        Function::new(&format!("nodejs{}.x", self.version), "index.js", text)
    }

    pub(crate) fn py(&self, text: &str) -> Function {
        Function::new(&format!("python{}", self.version), "index.py", text)
    }
}

/// What is in PATH or below `~/.pyenv`, one of each version.
fn installed(program: &str, print: &[&str]) -> Vec<Installed> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
    let pyenv = std::env::home_dir().map(|home| home.join(".pyenv/versions"));
    let there = pyenv.and_then(|folder| folder.read_dir().ok()).into_iter().flatten().flatten();
    folders.extend(there.map(|version| version.path().join("bin")));
    let mut found = Vec::<Installed>::new();
    for folder in folders {
        let Ok(printed) = Command::new(folder.join(program)).args(print).output() else { continue };
        let version = String::from_utf8(printed.stdout).unwrap().trim().to_owned();
        if !version.is_empty() && found.iter().all(|one| one.version != version) {
            found.push(Installed { version, folder });
        }
    }
    assert!(!found.is_empty(), "there is no {program} to test");
    found
}

pub(crate) fn nodes() -> Vec<Installed> {
    let mut nodes = installed("node", &["-p", "process.versions.node.split('.')[0]"]);
    nodes.retain(|node| node.version.parse::<u32>().unwrap() >= 18);
    nodes
}

pub(crate) fn pythons() -> Vec<Installed> {
    let print =
        "import sys; print('3.%d' % sys.version_info[1] if sys.version_info >= (3, 9) else '')";
    installed("python3", &["-c", print])
}

/// How many slots are made: of the version that is first in PATH, and of each other.
fn slots(first: usize, others: usize) -> impl Iterator<Item = usize> {
    std::iter::once(first).chain(std::iter::repeat(others))
}

/// Each takes so long that all of a batch need slots of their own.
const DRAW_JS: &str = "
    const crypto = require('crypto');
    Math.random();
    exports.handler = async () => {
        await new Promise((done) => setTimeout(done, 1500));
        return [Math.random(), crypto.randomUUID(), crypto.randomBytes(8).toString('hex'),
            crypto.webcrypto.randomUUID(), crypto.randomInt(2 ** 47)];
    };";

const DRAW_PY: &str = "
import multiprocessing, os, random, secrets, time, uuid
random.random()
def handler(event, context):
    time.sleep(1.5)
    process = multiprocessing.current_process()
    key, process.authkey = bytes(process.authkey), os.urandom(32)  # the next event's, if any
    return [random.random(), str(uuid.uuid4()), os.urandom(8).hex(), secrets.token_hex(8),
        key.hex()]
";

/// Draws in so many slots of one version, and finds no value twice.
async fn draw(on: &Installed, function: Function, slots: usize) {
    const BATCH: usize = 250;
    let world = World::on(&on.folder);
    world.template(&function).await.unwrap();
    let mut drawn: HashSet<String> = HashSet::new();
    let mut forks = 0;
    while forks < slots {
        let batch = (0..BATCH).map(|_| world.invoke(&function));
        for (answer, log) in futures_util::future::join_all(batch).await {
            forks += usize::from(log.contains("Restore Duration"));
            for value in answer.unwrap().as_array().unwrap() {
                assert!(drawn.insert(value.to_string()), "{value} was drawn twice: {}", on.version);
            }
        }
        world.host.end_idle();
    }
    world.host.drain().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_forks_of_node_draw_nothing_twice() {
    for (on, slots) in nodes().iter().zip(slots(1_000, 250)) {
        draw(on, on.js(DRAW_JS), slots).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_forks_of_python_draw_nothing_twice() {
    for (on, slots) in pythons().iter().zip(slots(1_000, 250)) {
        draw(on, on.py(DRAW_PY), slots).await;
    }
}

/// What a runtime does with threads and descriptors, with the version it does it with.
const ALL_JS: &str = "
    const fs = require('fs'), http = require('http'), crypto = require('crypto');
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
        const version = process.versions.node.split('.')[0];
        return [version, text, child, worker, sum, rubbish.length, wasm];
    };";

const ALL_PY: &str = "
import asyncio, concurrent.futures, gc, hashlib, http.server, sqlite3, subprocess, sys, threading
import urllib.request

class Hi(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b'hi')
    def log_message(self, *_):
        pass

async def nap():
    await asyncio.gather(*(asyncio.sleep(0.001) for _ in range(20)))
    process = await asyncio.create_subprocess_exec('/bin/true')
    return await process.wait()

def handler(event, context):
    with http.server.ThreadingHTTPServer(('127.0.0.1', 8080), Hi) as server:
        threading.Thread(target=server.serve_forever).start()
        text = urllib.request.urlopen('http://127.0.0.1:8080/').read().decode()
        server.shutdown()
    child = subprocess.run(['/bin/echo', 'child'], capture_output=True, text=True).stdout.strip()
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        work = lambda i: len(hashlib.pbkdf2_hmac('sha256', b'a', b'b', 500)) + i
        threads = sum(pool.map(work, range(32)))
    row = sqlite3.connect(':memory:').execute('select 6 * 7').fetchone()
    rubbish = [{'i': i, 'more': [i]} for i in range(50_000)]
    gc.collect()
    version = '3.%d' % sys.version_info[1]
    return [version, text, child, threads, row[0], len(rubbish), asyncio.run(nap())]
";

/// Runs in so many slots of one version, each of them forked.
async fn do_all(on: &Installed, function: Function, slots: usize, expected: [Value; 6]) {
    let world = World::on(&on.folder);
    let template = world.template(&function).await;
    assert_eq!(template, Ok(()), "{}", on.version);
    let expected: Vec<Value> = [on.version.as_str().into()].into_iter().chain(expected).collect();
    for _ in 0..slots {
        let (answer, log) = world.invoke(&function).await;
        assert_eq!(answer, Ok(json!(expected)), "{}: {log}", on.version);
        assert!(log.contains("Restore Duration"), "{log}");
        world.host.end_idle();
    }
    world.host.drain().await;
}

/// Whatever a runtime does with threads and descriptors works in a fork as in a fresh process.
#[tokio::test(flavor = "multi_thread")]
async fn forks_of_node_are_whole() {
    let expected =
        [json!("hi"), json!("child"), json!(42), json!(189_999), json!(50_000), json!(42)];
    for (on, slots) in nodes().iter().zip(slots(150, 75)) {
        do_all(on, on.js(ALL_JS), slots, expected.clone()).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn forks_of_python_are_whole() {
    let expected = [json!("hi"), json!("child"), json!(1_520), json!(42), json!(50_000), json!(0)];
    for (on, slots) in pythons().iter().zip(slots(100, 25)) {
        do_all(on, on.py(ALL_PY), slots, expected.clone()).await;
    }
}
