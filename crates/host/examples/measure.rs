//! Figures of the host alone, without HTTP in front of it: `cargo run --release -p host --example
//! measure`. Ratios are to `node -e 0` in the same run, in a cleared environment.
//!
//! With a folder that has `node_modules`, and packages in it, what code packs are good for instead:
//! `measure tests/sdk/js-v3 @aws-sdk/client-dynamodb`.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::disallowed_methods,
    clippy::cast_precision_loss,
    reason = "a measurement: it stops at the first surprise and reads the real clock"
)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use base::{SystemClock, SystemRandom};
use bytes::Bytes;
use host::{Config, Credentials, FunctionSpec, Host, Invocation, Parts, Runtimes};
use sandbox_none::NoSandbox;
use telemetry::{FunctionName, LogLine, LogSink, Measure, MetricSink};

const COLD_RUNS: usize = 40;
const PACK_RUNS: usize = 30;
/// A worker is booted when nobody waits; here we wait for it.
const BOOT: Duration = Duration::from_millis(150);
const WARM: Duration = Duration::from_secs(3);

struct Nowhere;

impl MetricSink for Nowhere {
    fn record(&self, _: &Arc<FunctionName>, _: &[(Measure, f64)]) {}
}

impl LogSink for Nowhere {
    fn write(&self, line: LogLine) {
        drop(line);
    }
}

#[tokio::main]
async fn main() {
    let mut args = std::env::args().skip(1);
    if let Some(folder) = args.next() {
        return packs(Path::new(&folder), &args.collect::<Vec<_>>()).await;
    }
    let host = host(None);
    let code = runtimes().join("nodejs/hello");

    let (mut node, mut cold, mut inits) = (Vec::new(), Vec::new(), Vec::new());
    for run in 0..COLD_RUNS {
        node.push(bare_node());
        let function = function(&code, run);
        host.warm(&function).await.unwrap();
        tokio::time::sleep(BOOT).await;
        let (whole, init) = timed(&host, &function).await;
        cold.push(whole);
        inits.push(init);
        host.retire(&function.arn, None);
    }
    let (node, cold, init) = (median(node), median(cold), median(inits));
    println!("node -e 0 {node:.2} ms");
    let ratio = cold / node;
    println!(
        "cold start from a booted worker {cold:.2} ms, ratio {ratio:.3} (loading {init:.2} ms)"
    );

    let function = function(&code, 0);
    for clients in [1, 8, 64] {
        let rate = warm(&host, &function, clients).await;
        println!("warm, {clients} clients: {rate:.0}/s, {:?}", host.stats());
    }
    host.drain().await;
}

fn runtimes() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../runtimes")
}

fn host(packs: Option<PathBuf>) -> Host {
    let path = std::env::var_os("PATH").unwrap();
    Host::new(Parts {
        config: Config { search_path: path, booted_max: 2, packs, ..Config::default() },
        clock: Arc::new(SystemClock::new()),
        random: Arc::new(SystemRandom),
        sandbox: Arc::new(NoSandbox::start().unwrap()),
        runtimes: Runtimes::load(&runtimes()).unwrap(),
        logs: Arc::new(Nowhere),
        metrics: Arc::new(Nowhere),
    })
}

/// Starts of a function that requires some packages, with a code pack and without, in turn.
async fn packs(folder: &Path, packages: &[String]) {
    let temporary = tempfile::tempdir().unwrap();
    let code = temporary.path().join("code");
    copy(&folder.join("node_modules"), &code.join("node_modules"));
    let requires: String = packages.iter().map(|name| format!("require('{name}');")).collect();
    let index = format!("{requires} exports.handler = async () => 1");
    std::fs::write(code.join("index.js"), index).unwrap();
    let function = function(&code, 0);
    let hosts = [host(None), host(Some(temporary.path().join("packs")))];
    hosts[1].warm(&function).await.unwrap();
    assert!(hosts[1].pack(&function).await, "no pack was made");
    let (mut wholes, mut inits) = ([const { Vec::new() }; 2], [const { Vec::new() }; 2]);
    for _run in 0..PACK_RUNS {
        for (at, host) in hosts.iter().enumerate() {
            host.end_idle();
            host.warm(&function).await.unwrap();
            tokio::time::sleep(BOOT).await;
            let (whole, init) = timed(host, &function).await;
            let origin = host.live()[0].environments[0].origin.start();
            assert_eq!(origin, ["booted worker", "booted worker with code pack"][at]);
            wholes[at].push(whole);
            inits[at].push(init);
        }
    }
    for (what, times) in [("loading", inits), ("whole cold start", wholes)] {
        let [plain, packed] = times.map(median);
        let ratio = plain / packed;
        println!("{what}: {plain:.1} ms without a pack, {packed:.1} ms with one, {ratio:.2} x");
    }
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().map(Result::unwrap) {
        let to = to.join(entry.file_name());
        match entry.file_type().unwrap() {
            kind if kind.is_dir() => copy(&entry.path(), &to),
            kind if kind.is_file() => drop(std::fs::copy(entry.path(), to).unwrap()),
            _link => {}
        }
    }
}

fn bare_node() -> f64 {
    let began = Instant::now();
    let path = std::env::var_os("PATH").unwrap();
    let status = Command::new("node").args(["-e", "0"]).env_clear().env("PATH", path).status();
    assert!(status.unwrap().success());
    began.elapsed().as_secs_f64() * 1000.0
}

async fn timed(host: &Host, function: &Arc<FunctionSpec>) -> (f64, f64) {
    let began = Instant::now();
    let invoked = host.invoke(function, event()).await.unwrap();
    assert!(invoked.error.is_none(), "{invoked:?}");
    (began.elapsed().as_secs_f64() * 1000.0, invoked.init_ms.unwrap())
}

async fn warm(host: &Host, function: &Arc<FunctionSpec>, clients: usize) -> f64 {
    let until = Instant::now() + WARM;
    let clients = (0..clients).map(|_| {
        let (host, function) = (host.clone(), Arc::clone(function));
        tokio::spawn(async move {
            let mut done = 0u64;
            while Instant::now() < until {
                let invoked = host.invoke(&function, event()).await.unwrap();
                assert!(invoked.error.is_none(), "{invoked:?}");
                done += 1;
            }
            done
        })
    });
    let mut done = 0;
    for client in clients.collect::<Vec<_>>() {
        done += client.await.unwrap();
    }
    done as f64 / WARM.as_secs_f64()
}

fn event() -> Invocation {
    Invocation {
        request_id: "11111111-2222-4333-8444-555555555555".into(),
        payload: Bytes::from(format!(r#"{{"name":"x","pad":"{}"}}"#, "y".repeat(1000))),
        client_context: None,
        trace_header: None,
        function_arn: None,
        tail: false,
        response: None,
    }
}

fn function(code: &Path, run: usize) -> Arc<FunctionSpec> {
    Arc::new(FunctionSpec {
        arn: "arn:aws:lambda:us-east-1:000000000000:function:hello".parse().unwrap(),
        name: "hello".into(),
        version: "$LATEST".into(),
        revision: run.to_string(),
        runtime: "nodejs20.x".into(),
        handler: "index.handler".into(),
        code: code.to_owned(),
        layers: Vec::new(),
        env: BTreeMap::new(),
        memory_mb: 128,
        ephemeral_mb: 512,
        timeout: Duration::from_secs(3),
        log_group: "/aws/lambda/hello".into(),
        region: "us-east-1".parse().unwrap(),
        account: "000000000000".parse().unwrap(),
        credentials: Credentials {
            access_key: "AKIA".into(),
            secret: "secret".into(),
            token: "token".into(),
        },
        endpoint_url: "http://127.0.0.1:4566".into(),
    })
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
