//! A host on this sandbox, functions written on the spot, and what they logged.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base::{Arn, SystemClock, SystemRandom};
use host::{Config, Credentials, FunctionSpec, Host, Invocation, Invoked, Parts, Piece};
use serde_json::Value;
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
    lines: Arc<Lines>,
    requests: std::sync::atomic::AtomicU64,
}

/// A function whose package is a temporary folder.
pub(crate) struct Function {
    pub(crate) spec: Arc<FunctionSpec>,
    folders: Vec<tempfile::TempDir>,
}

impl World {
    pub(crate) fn new() -> World {
        World::with(|_config| {})
    }

    /// One that takes its interpreters from this folder before any other.
    pub(crate) fn on(folder: &Path) -> World {
        World::on_with(folder, |_config| {})
    }

    pub(crate) fn on_with(folder: &Path, change: impl FnOnce(&mut Config)) -> World {
        let folders = [folder, Path::new("/usr/bin"), Path::new("/bin")];
        let search_path = std::env::join_paths(folders).unwrap();
        World::with(|config| {
            config.search_path = search_path;
            change(config);
        })
    }

    #[expect(clippy::disallowed_methods, reason = "the PATH of whoever runs the tests")]
    pub(crate) fn with(change: impl FnOnce(&mut Config)) -> World {
        let variable = |name| std::env::var(name).unwrap_or_default();
        let mut config = Config {
            search_path: variable("PATH").into(),
            home: Some(variable("HOME").into()),
            slots_max: 300,
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
            clock: Arc::new(SystemClock::new()),
            random: Arc::new(SystemRandom),
            sandbox: Arc::new(crate::sandbox()),
            runtimes: host::Runtimes::load(&runtimes).unwrap(),
            logs: Arc::clone(&lines) as Arc<dyn LogSink>,
            metrics: Arc::clone(&lines) as Arc<dyn MetricSink>,
        });
        World { host, lines, requests: 0.into() }
    }

    /// The answer as JSON, if it is no error; what the log says about this event.
    pub(crate) async fn invoke(&self, function: &Function) -> (Result<Value, Value>, String) {
        let Invoked { payload, error, log_tail, .. } = self.call(function).await;
        let payload = serde_json::from_slice(&payload).unwrap();
        (if error.is_none() { Ok(payload) } else { Err(payload) }, log_tail)
    }

    /// The answer to an event of this trace, as JSON.
    pub(crate) async fn trace(&self, function: &Function, trace: &str) -> Value {
        let event = |invocation| Invocation { trace_header: Some(trace.to_owned()), ..invocation };
        let Invoked { payload, error, .. } = self.call_with(function, event).await;
        assert!(error.is_none(), "{payload:?}");
        serde_json::from_slice(&payload).unwrap()
    }

    /// A response, of which nothing is read for a while, and what the log says about its event.
    pub(crate) async fn stream(&self, function: &Function) -> (Vec<u8>, String) {
        let (writer, mut reader) = host::response();
        let event = |invocation| Invocation { response: Some(writer), ..invocation };
        let invoked = self.call_with(function, event);
        let reading = async {
            reader.begun().await;
            base::sleep(&SystemClock::new(), Duration::from_millis(50)).await;
            let mut read = Vec::new();
            while let Piece::Bytes(bytes) = reader.next().await {
                read.extend_from_slice(&bytes);
            }
            read
        };
        let (invoked, read) = tokio::join!(invoked, reading);
        (read, invoked.log_tail)
    }

    async fn call(&self, function: &Function) -> Invoked {
        self.call_with(function, |invocation| invocation).await
    }

    async fn call_with(
        &self,
        function: &Function,
        event: impl FnOnce(Invocation) -> Invocation,
    ) -> Invoked {
        let number = self.requests.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let invocation = Invocation {
            request_id: format!("request-{number}"),
            payload: "{}".into(),
            client_context: None,
            trace_header: None,
            function_arn: None,
            tail: true,
            response: None,
        };
        self.host.invoke(&function.spec, event(invocation)).await.unwrap()
    }

    /// Waits until the function has a template, or cannot have one: then why.
    pub(crate) async fn template(&self, function: &Function) -> Result<(), String> {
        self.host.warm(&function.spec).await.unwrap();
        self.host.template(&function.spec).await
    }

    pub(crate) fn texts(&self) -> Vec<String> {
        self.lines.0.lock().unwrap().iter().map(|line| line.text.clone()).collect()
    }
}

impl Function {
    /// An `index.js` that exports `handler`.
    pub(crate) fn js(text: &str) -> Function {
        Function::new("nodejs20.x", "index.js", text)
    }

    /// An `index.py` that has `handler`.
    pub(crate) fn py(text: &str) -> Function {
        Function::new("python3.11", "index.py", text)
    }

    /// The function with one more layer.
    pub(crate) fn layer(mut self, files: &[(&str, &str)]) -> Function {
        let folder = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = folder.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        Arc::get_mut(&mut self.spec).unwrap().layers.push(folder.path().to_owned());
        self.folders.push(folder);
        self
    }

    /// A package of one file, whose `handler` it is.
    pub(crate) fn new(runtime: &str, file: &str, text: &str) -> Function {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(file), text).unwrap();
        let spec = FunctionSpec {
            arn: "arn:aws:lambda:us-east-1:000000000000:function:shop".parse::<Arn>().unwrap(),
            name: "shop".into(),
            version: "$LATEST".into(),
            revision: folder.path().to_string_lossy().into_owned(),
            runtime: runtime.into(),
            handler: "index.handler".into(),
            code: folder.path().to_owned(),
            layers: Vec::new(),
            env: BTreeMap::new(),
            memory_mb: 512,
            ephemeral_mb: 512,
            timeout: Duration::from_secs(20),
            log_group: "/aws/lambda/shop".into(),
            region: "us-east-1".parse().unwrap(),
            account: "000000000000".parse().unwrap(),
            credentials: Credentials {
                access_key: "ASIAX".into(),
                secret: "secret".into(),
                token: "token".into(),
            },
            endpoint_url: "http://127.0.0.1:4566".into(),
        };
        Function { spec: Arc::new(spec), folders: vec![folder] }
    }
}
