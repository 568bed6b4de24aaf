//! A few whole ways, through a real Node and in real time.

use std::path::Path;
use std::sync::{Arc, Mutex};

use base::{SeededRandom, SystemClock};
use host::{Config, Host, Parts, Runtimes};
use http::Method;
use sandbox_none::NoSandbox;
use serde_json::{Value, json};
use telemetry::{FunctionName, LogLine, LogSink, Measure, MetricSink};

use crate::machine::{Machine, package};

#[derive(Default)]
struct Lines(Mutex<Vec<String>>);

impl MetricSink for Lines {
    fn record(&self, _: &Arc<FunctionName>, _: &[(Measure, f64)]) {}
}

impl LogSink for Lines {
    fn write(&self, line: LogLine) {
        self.0.lock().unwrap().push(line.text);
    }
}

#[expect(clippy::disallowed_methods, reason = "the PATH of whoever runs the tests")]
async fn machine() -> (Machine, Arc<Lines>) {
    let path = std::env::var("PATH").unwrap();
    let runtimes = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../runtimes");
    let lines = Arc::new(Lines::default());
    let host = Host::new(Parts {
        config: Config { search_path: path.into(), ..Config::default() },
        clock: Arc::new(SystemClock::new()),
        random: Arc::new(SeededRandom::new(1)),
        sandbox: Arc::new(NoSandbox::start().unwrap()),
        runtimes: Runtimes::load(&runtimes).unwrap(),
        logs: Arc::clone(&lines) as Arc<dyn LogSink>,
        metrics: Arc::clone(&lines) as Arc<dyn MetricSink>,
    });
    (Machine::real(host).await, lines)
}

async fn function(m: &Machine, code: &str) {
    m.function("pay", json!({ "Code": { "ZipFile": package(code) }, "Timeout": 10 })).await;
}

/// Waits for what comes in its own time, and gives up after ten seconds.
async fn eventually(what: impl Fn() -> bool) {
    let clock = SystemClock::new();
    for _ in 0..1000 {
        if what() {
            return;
        }
        base::sleep(&clock, std::time::Duration::from_millis(10)).await;
    }
    panic!("it did not happen");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_update_is_served_by_the_next_request() {
    let (m, _) = &machine().await;
    function(m, "let n = 0; exports.handler = async (e) => [e.word, ++n]").await;
    let run = async |headers: &[(&'static str, &str)]| {
        let path = "/2015-03-31/functions/pay/invocations";
        let reply = m.http(Method::POST, path, headers, r#"{"word":"a"}"#).await.unwrap();
        let failed = reply.headers.contains_key("x-amz-function-error");
        (serde_json::from_slice::<Value>(&reply.body).unwrap(), failed)
    };
    assert_eq!(run(&[]).await, (json!(["a", 1]), false));
    assert_eq!(run(&[]).await, (json!(["a", 2]), false));
    let code = package("exports.handler = async () => { throw new TypeError(process.env.WORD) }");
    let update = json!({ "FunctionName": "pay", "ZipFile": code });
    m.call("UpdateFunctionCode", update).await.unwrap();
    let variables =
        json!({ "FunctionName": "pay", "Environment": { "Variables": { "WORD": "b" } } });
    m.call("UpdateFunctionConfiguration", variables).await.unwrap();
    let (error, failed) = run(&[("x-amz-log-type", "Tail")]).await;
    assert!(failed);
    assert_eq!((&error["errorType"], &error["errorMessage"]), (&json!("TypeError"), &json!("b")));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_asynchronous_event_runs_and_logs() {
    let (m, lines) = &machine().await;
    function(m, "exports.handler = async (e) => console.log('ran', e.word)").await;
    let event = [("x-amz-invocation-type", "Event")];
    let path = "/2015-03-31/functions/pay/invocations";
    let reply = m.http(Method::POST, path, &event, r#"{"word":"zebra"}"#).await.unwrap();
    assert_eq!(reply.status, 202);
    let said = |line: &String| line.contains("request-1") && line.contains("ran zebra");
    eventually(|| lines.0.lock().unwrap().iter().any(said)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_queue_feeds_node_which_reports_what_failed() {
    let (m, _) = &machine().await;
    let code = "exports.handler = async (e) => ({ batchItemFailures: e.Records
        .filter((r) => r.body === 'bad').map((r) => ({ itemIdentifier: r.messageId })) })";
    function(m, code).await;
    m.queue.send(&["a", "bad", "c"]);
    m.mapping("pay", json!({ "FunctionResponseTypes": ["ReportBatchItemFailures"] })).await;
    eventually(|| m.queue.acknowledged.lock().unwrap().len() == 2).await;
    assert_eq!(m.queue.time_out(), ["bad"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_runtime_that_is_not_here_is_refused_at_deployment() {
    let (m, _) = &machine().await;
    let input = crate::machine::create("pay", json!({ "Runtime": "ruby3.4" }));
    let error = m.call("CreateFunction", input).await.unwrap_err();
    assert!(error.starts_with("InvalidParameterValueException: runtime ruby3.4 cannot be used"));
    assert!(m.call("GetFunction", json!({ "FunctionName": "pay" })).await.is_err());
}
