//! What functions do and did, for people: `cumulet functions` and `cumulet describe`.

use std::collections::BTreeMap;
use std::time::Duration;

use base::Time;
use host::{Host, Live, Start};
use serde::{Deserialize, Serialize};
use telemetry::{Figures, LogStore, Measure};

/// What one function does, and did within some minutes.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Function {
    pub name: String,
    /// `$LATEST`, or a number, of each version that lives.
    pub versions: Vec<String>,
    pub idle: usize,
    pub busy: usize,
    /// `fork`, or why its environments load it anew.
    pub start: Option<String>,
    pub invocations: f64,
    pub errors: f64,
    pub throttles: f64,
    pub duration_ms: f64,
    pub duration_max_ms: f64,
    /// Cold starts that loaded the function, and those that forked it.
    pub loaded: u64,
    pub load_ms: f64,
    pub forked: u64,
    pub fork_ms: f64,
    pub concurrent_max: f64,
    pub memory_max_mb: f64,
}

/// How one function runs on this machine.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Described {
    /// How functions are confined.
    pub confinement: String,
    pub function: Function,
    /// Those that live.
    pub versions: Vec<Version>,
    /// Since the start of the platform, the last one first.
    pub failures: Vec<Failure>,
}

/// A version that has environments or a template.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Version {
    /// `$LATEST` or a number.
    pub version: String,
    pub runtime: String,
    pub program: Option<Program>,
    pub template: bool,
    /// Why it has no template.
    pub why: Option<String>,
    pub environments: Vec<Environment>,
}

/// What it runs on.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Program {
    pub path: String,
    pub version: String,
    /// Whether the version is the one that the runtime's name asks for.
    pub asked_for: bool,
}

/// One environment.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Environment {
    /// Where it logs to.
    pub stream: String,
    /// `fork of template`.
    pub start: String,
    /// Why it was not started in a quicker way.
    pub why: Option<String>,
    pub provisioned: bool,
    pub took_ms: f64,
    pub age_ms: u64,
    pub events: u64,
    /// `busy`, `idle`, `frozen`.
    pub state: String,
}

/// An event that failed.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Failure {
    pub age_ms: u64,
    pub version: String,
    pub request_id: String,
    pub kind: String,
    pub message: String,
}

/// One function in detail, out of a list of all.
pub(crate) fn describe(
    host: &Host,
    list: Vec<Function>,
    name: &str,
    confinement: &str,
    now: Time,
) -> Described {
    let function = list.into_iter().find(|one| one.name == name);
    let function =
        function.unwrap_or_else(|| Function { name: name.to_owned(), ..Function::default() });
    let age_ms = |then: Time| u64::try_from(now.since(then).as_millis()).unwrap_or(u64::MAX);
    let environment = |one: host::Environs| Environment {
        stream: one.stream,
        start: one.origin.start(),
        why: one.origin.why,
        provisioned: one.origin.provisioned,
        took_ms: one.took_ms,
        age_ms: age_ms(one.since),
        events: one.events,
        state: one.state.to_string(),
    };
    let live = host.live().into_iter().filter(|live| live.spec.name == name);
    let version = |live: Live| {
        let (template, why) = match live.start {
            Start::Fork => (true, None),
            Start::Load(why) => (false, Some(why)),
        };
        let runtime = live.spec.runtime.clone();
        let program = host.program(&runtime).map(|host::Program { path, version, asked_for }| {
            Program { path: path.display().to_string(), version, asked_for }
        });
        let environments = live.environments.into_iter().map(environment).collect();
        let version = live.spec.version.clone();
        Version { version, runtime, program, template, why, environments }
    };
    let mut versions: Vec<Version> = live.map(version).collect();
    versions.sort_by(|one, other| one.version.cmp(&other.version));
    let failure = |one: host::Failure| Failure {
        age_ms: age_ms(one.time),
        version: one.version,
        request_id: one.request_id,
        kind: one.kind,
        message: one.message,
    };
    let failures = host.failures(name).into_iter().map(failure).collect();
    Described { confinement: confinement.to_owned(), function, versions, failures }
}

/// All functions that live or did something within some minutes, by name.
pub(crate) async fn list(
    host: &Host,
    logs: &LogStore,
    now: Time,
    minutes: u64,
) -> store::Result<Vec<Function>> {
    let mut figures: BTreeMap<String, Figures> = BTreeMap::new();
    let since = now - Duration::from_secs(60 * minutes);
    for (function, _, one) in logs.figures(since, now).await? {
        figures.entry(function.name).or_default().add(&one);
    }
    let mut all: BTreeMap<String, Function> = BTreeMap::new();
    for (name, figures) in figures {
        all.insert(name.clone(), Function::of(name, &figures));
    }
    for Live { spec, idle, busy, start, .. } in host.live() {
        let fresh = || Function { name: spec.name.clone(), ..Function::default() };
        let function = all.entry(spec.name.clone()).or_insert_with(fresh);
        function.versions.push(spec.version.clone());
        function.idle += idle;
        function.busy += busy;
        function.start = Some(match start {
            Start::Fork => "fork".to_owned(),
            Start::Load(why) => why,
        });
    }
    Ok(all.into_values().collect())
}

impl Function {
    fn of(name: String, figures: &Figures) -> Function {
        let stat = |measure| figures.get(measure);
        let sum = |measure| stat(measure).map_or(0.0, |stat| stat.sum);
        let max = |measure| stat(measure).map_or(0.0, |stat| stat.max);
        let count = |measure| stat(measure).map_or(0, |stat| stat.count);
        let average = |measure| stat(measure).map_or(0.0, |stat| stat.average());
        Function {
            name,
            invocations: sum(Measure::Invocations),
            errors: sum(Measure::Errors),
            throttles: sum(Measure::Throttles),
            duration_ms: average(Measure::Duration),
            duration_max_ms: max(Measure::Duration),
            loaded: count(Measure::InitDuration),
            load_ms: average(Measure::InitDuration),
            forked: count(Measure::RestoreDuration),
            fork_ms: average(Measure::RestoreDuration),
            concurrent_max: max(Measure::ConcurrentExecutions),
            memory_max_mb: max(Measure::MemoryUsed) / 1024.0,
            ..Function::default()
        }
    }
}
