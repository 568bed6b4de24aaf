//! A host, functions written on the spot, and what they logged.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base::{Arn, Clock, SeededRandom, SystemClock};
use bytes::Bytes;
use host::{Config, Credentials, FunctionSpec, Host, HostError, Invocation, Invoked, Parts};
use sandbox_none::NoSandbox;
use serde_json::{Value, json};
use telemetry::{FunctionName, LogLine, LogSink, Measure, MetricSink};

#[derive(Default)]
pub(crate) struct Lines(Mutex<Vec<LogLine>>);

impl LogSink for Lines {
    fn write(&self, line: LogLine) {
        self.0.lock().unwrap().push(line);
    }
}

impl MetricSink for Lines {
    fn record(&self, _: &Arc<FunctionName>, _: &[(Measure, f64)]) {}
}

pub(crate) struct World {
    pub(crate) host: Host,
    pub(crate) lines: Arc<Lines>,
}

/// A function whose package is a temporary folder.
pub(crate) struct Function {
    pub(crate) spec: Arc<FunctionSpec>,
    folder: Arc<tempfile::TempDir>,
}

impl World {
    pub(crate) fn new() -> World {
        World::with(|_config| {})
    }

    pub(crate) fn with(change: impl FnOnce(&mut Config)) -> World {
        World::with_clock(Arc::new(SystemClock::new()), change)
    }

    #[expect(clippy::disallowed_methods, reason = "the PATH of whoever runs the tests")]
    pub(crate) fn with_clock(clock: Arc<dyn Clock>, change: impl FnOnce(&mut Config)) -> World {
        let mut config = Config {
            search_path: std::env::var("PATH").unwrap().into(),
            // Whatever else runs beside the tests.
            is_saturated: || false,
            is_short: || false,
            ..Config::default()
        };
        change(&mut config);
        let runtimes = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../runtimes");
        let lines = Arc::new(Lines::default());
        let host = Host::new(Parts {
            config,
            clock,
            random: Arc::new(SeededRandom::new(1)),
            sandbox: Arc::new(NoSandbox::start().unwrap()),
            runtimes: host::Runtimes::load(&runtimes).unwrap(),
            logs: Arc::clone(&lines) as Arc<dyn LogSink>,
            metrics: Arc::clone(&lines) as Arc<dyn MetricSink>,
        });
        World { host, lines }
    }

    pub(crate) async fn try_invoke(
        &self,
        function: &Function,
        event: Value,
    ) -> Result<Invoked, HostError> {
        self.host.invoke(&function.spec, invocation(event)).await
    }

    /// The answer as JSON, and whether it is an error.
    pub(crate) async fn invoke(&self, function: &Function, event: Value) -> (Value, bool) {
        let invoked = self.try_invoke(function, event).await.unwrap();
        (serde_json::from_slice(&invoked.payload).unwrap(), invoked.error.is_some())
    }

    /// One function, one event, its answer.
    pub(crate) async fn answer(&self, files: &[(&str, &str)], handler: &str) -> (Value, bool) {
        self.invoke(&Function::new(files, handler), json!({})).await
    }

    pub(crate) fn lines(&self) -> Vec<LogLine> {
        self.lines.0.lock().unwrap().clone()
    }

    pub(crate) fn texts(&self) -> Vec<String> {
        self.lines.0.lock().unwrap().iter().map(|line| line.text.clone()).collect()
    }
}

impl Function {
    pub(crate) fn new(files: &[(&str, &str)], handler: &str) -> Function {
        Function::with(files, handler, |_spec| {})
    }

    /// An `index.js` that exports `handler`.
    pub(crate) fn js(text: &str) -> Function {
        Function::new(&[("index.js", text)], "index.handler")
    }

    /// An `index.py` that has `handler`.
    pub(crate) fn py(text: &str) -> Function {
        Function::py_with(text, |_spec| {})
    }

    pub(crate) fn py_with(text: &str, change: impl FnOnce(&mut FunctionSpec)) -> Function {
        Function::with(&[("index.py", text)], "index.handler", |spec| {
            spec.runtime = "python3.12".into();
            change(spec);
        })
    }

    pub(crate) fn with(
        files: &[(&str, &str)],
        handler: &str,
        change: impl FnOnce(&mut FunctionSpec),
    ) -> Function {
        let folder = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = folder.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        let mut spec = FunctionSpec {
            arn: "arn:aws:lambda:us-east-1:000000000000:function:shop".parse::<Arn>().unwrap(),
            name: "shop".into(),
            version: "$LATEST".into(),
            revision: folder.path().display().to_string(),
            runtime: "nodejs20.x".into(),
            handler: handler.into(),
            code: folder.path().to_owned(),
            layers: Vec::new(),
            env: BTreeMap::new(),
            memory_mb: 128,
            ephemeral_mb: 512,
            timeout: Duration::from_secs(10),
            log_group: "/aws/lambda/shop".into(),
            region: "us-east-1".parse().unwrap(),
            account: "000000000000".parse().unwrap(),
            credentials: Credentials {
                access_key: "AKIA".into(),
                secret: "secret".into(),
                token: "token".into(),
            },
            endpoint_url: "http://127.0.0.1:4566".into(),
        };
        change(&mut spec);
        Function { spec: Arc::new(spec), folder: Arc::new(folder) }
    }

    /// Another function or revision of the same package.
    pub(crate) fn revised(&self, change: impl FnOnce(&mut FunctionSpec)) -> Function {
        let mut spec = (*self.spec).clone();
        change(&mut spec);
        Function { spec: Arc::new(spec), folder: Arc::clone(&self.folder) }
    }

    pub(crate) fn folder(&self) -> String {
        self.folder.path().display().to_string()
    }
}

pub(crate) fn invocation(event: Value) -> Invocation {
    Invocation {
        request_id: "11111111-2222-4333-8444-555555555555".into(),
        payload: Bytes::from(event.to_string()),
        client_context: None,
        trace_header: None,
        function_arn: None,
        tail: true,
        response: None,
    }
}
