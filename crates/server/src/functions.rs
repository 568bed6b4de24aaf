//! What functions do and did, for people: `cumulet functions`.

use std::collections::BTreeMap;
use std::time::Duration;

use host::{Host, Live, Start};
use serde::Serialize;
use telemetry::{Figures, LogStore, Measure};

/// One function.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Function {
    name: String,
    /// `$LATEST`, or a number, of each version that lives.
    versions: Vec<String>,
    idle: usize,
    busy: usize,
    /// `fork`, or why its environments load it anew.
    start: Option<String>,
    invocations: f64,
    errors: f64,
    throttles: f64,
    duration_ms: f64,
    duration_max_ms: f64,
    /// Cold starts that loaded the function, and those that forked it.
    loaded: u64,
    load_ms: f64,
    forked: u64,
    fork_ms: f64,
    concurrent_max: f64,
    memory_max_mb: f64,
}

/// All functions that live or did something within some minutes, by name.
pub(crate) async fn list(
    host: &Host,
    logs: &LogStore,
    now: base::Time,
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
    for Live { spec, idle, busy, start } in host.live() {
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
