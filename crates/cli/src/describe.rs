use std::process::ExitCode;
use std::time::Duration;

use anstyle::{AnsiColor, Style};
use clap::Args;
use http::Method;
use serde_json::Value;
use server::{Described, Environment, Failure, Version};

use crate::client::{self, Client};
use crate::{project, show};

/// Pages of a list that are read; each has up to 50 entries.
const PAGES_MAX: usize = 100;

#[derive(Args)]
pub(crate) struct Arguments {
    /// The function: its name in serverless.yml, or its full name
    name: String,
    #[command(flatten)]
    connection: client::Connection,
}

/// Shows one function.
pub(crate) async fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    let client = Client::new(&arguments.connection);
    let name = project::function_name(&client, &arguments.name).await?;
    let known = Known::read(&client, &name).await?;
    let answer = client.control(Method::GET, &format!("functions/{name}"), &Value::Null).await?;
    let described: Described = serde_json::from_value(answer)?;
    show::line(text(&known, &described).trim_end());
    Ok(ExitCode::SUCCESS)
}

/// What the Lambda API knows of a function.
struct Known {
    config: Value,
    versions: Vec<Value>,
    aliases: Vec<Value>,
    provisioned: Vec<Value>,
    mappings: Vec<Value>,
    reserved: Option<u64>,
}

impl Known {
    async fn read(client: &Client, name: &str) -> anyhow::Result<Known> {
        let one = format!("/2015-03-31/functions/{name}");
        let mappings = format!("/2015-03-31/event-source-mappings?FunctionName={name}");
        let limits = format!("/2019-09-30/functions/{name}");
        let reserved = get(client, &format!("{limits}/concurrency")).await?;
        let provisioned = format!("{limits}/provisioned-concurrency?List=ALL");
        Ok(Known {
            config: get(client, &format!("{one}/configuration")).await?,
            versions: list(client, &format!("{one}/versions?"), "Versions").await?,
            aliases: list(client, &format!("{one}/aliases?"), "Aliases").await?,
            provisioned: list(client, &provisioned, "ProvisionedConcurrencyConfigs").await?,
            mappings: list(client, &mappings, "EventSourceMappings").await?,
            reserved: reserved["ReservedConcurrentExecutions"].as_u64(),
        })
    }
}

async fn get(client: &Client, path: &str) -> anyhow::Result<Value> {
    let answer = client.call(Method::GET, path, &[], "").await?;
    let value: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    if !answer.response.status().is_success() {
        let status = answer.response.status();
        let why = value["message"].as_str().or_else(|| value["Message"].as_str());
        anyhow::bail!("the platform answered {status}: {}", why.unwrap_or("nothing more"));
    }
    Ok(value)
}

/// All pages of a list.
async fn list(client: &Client, path: &str, member: &str) -> anyhow::Result<Vec<Value>> {
    let mut all = Vec::new();
    let mut marker = String::new();
    for _ in 0..PAGES_MAX {
        let mut page = get(client, &format!("{path}{marker}")).await?;
        if let Value::Array(entries) = page[member].take() {
            all.extend(entries);
        }
        match page["NextMarker"].as_str() {
            Some(next) if !next.is_empty() => marker = format!("&Marker={next}"),
            _ => break,
        }
    }
    Ok(all)
}

fn text(known: &Known, described: &Described) -> String {
    let Known { config, .. } = known;
    let word = |name: &str| config[name].as_str().unwrap_or_default().to_owned();
    let mut parts = vec![show::paint(show::bold(), &word("FunctionName"))];
    let mut facts = vec![
        ("runtime", runtime(&word("Runtime"), &described.versions)),
        ("handler", word("Handler")),
        ("memory", format!("{} MB", config["MemorySize"])),
        ("timeout", format!("{} s", config["Timeout"])),
        ("sandbox", described.confinement.clone()),
        ("log group", config["LoggingConfig"]["LogGroup"].as_str().unwrap_or_default().to_owned()),
    ];
    if let Some(reserved) = known.reserved {
        facts.push(("reserved", format!("{reserved} at once")));
    }
    facts.retain(|(_, value)| !value.is_empty());
    let rows = facts.into_iter().map(|(name, value)| vec![name.to_owned(), value]);
    parts.push(show::table(&rows.collect::<Vec<_>>()));
    section(&mut parts, "Versions", versions(known, &described.versions));
    section(&mut parts, "Aliases", aliases(known));
    section(&mut parts, "Provisioned", provisioned(known));
    section(&mut parts, "Events from", mappings(known));
    section(&mut parts, "Environments", environments(&described.versions));
    let figures = &described.function;
    let done = format!(
        "{:.0} runs, {:.0} errors, {:.0} throttled; {:.1} ms on average, {:.1} ms at most",
        figures.invocations,
        figures.errors,
        figures.throttles,
        figures.duration_ms,
        figures.duration_max_ms
    );
    section(&mut parts, "The last hour", vec![vec![done]]);
    section(&mut parts, "Last errors", failures(&described.failures));
    parts.join("\n")
}

fn section(parts: &mut Vec<String>, title: &str, rows: Vec<Vec<String>>) {
    if !rows.is_empty() {
        parts.push(show::paint(show::bold(), title));
        parts.push(show::table(&rows));
    }
}

/// The runtime asked for, and a warning where it runs on another version.
fn runtime(asked: &str, live: &[Version]) -> String {
    let found = live.iter().filter(|version| version.runtime == asked);
    let Some(program) = found.filter_map(|version| version.program.as_ref()).next() else {
        return asked.to_owned();
    };
    let (version, path) = (&program.version, &program.path);
    if program.asked_for {
        return format!("{asked}, on {version} ({path})");
    }
    let warning = Style::new().fg_color(Some(AnsiColor::Yellow.into()));
    let said = format!("not installed: it runs on {version} ({path})");
    format!("{asked}, {}", show::paint(warning, &said))
}

fn versions(known: &Known, live: &[Version]) -> Vec<Vec<String>> {
    let row = |version: &Value| {
        let name = version["Version"].as_str().unwrap_or_default();
        let template = match live.iter().find(|one| one.version == name) {
            Some(Version { template: true, .. }) => "template: yes".to_owned(),
            Some(Version { why, .. }) => {
                format!("template: no, {}", why.as_deref().unwrap_or("and nobody knows why"))
            }
            None => "template: no, it has not been used yet".to_owned(),
        };
        vec![name.to_owned(), word(version, "Runtime"), template]
    };
    known.versions.iter().map(row).collect()
}

fn aliases(known: &Known) -> Vec<Vec<String>> {
    let row = |alias: &Value| {
        let mut to = format!("→ {}", word(alias, "FunctionVersion"));
        let weights = &alias["RoutingConfig"]["AdditionalVersionWeights"];
        for (version, weight) in weights.as_object().into_iter().flatten() {
            to += &format!(", {version} for a share of {weight}");
        }
        vec![word(alias, "Name"), to]
    };
    known.aliases.iter().map(row).collect()
}

fn provisioned(known: &Known) -> Vec<Vec<String>> {
    let row = |one: &Value| {
        let arn = word(one, "FunctionArn");
        let qualifier = arn.rsplit(':').next().unwrap_or_default().to_owned();
        let number = |name: &str| one[name].as_u64().unwrap_or_default();
        let ready = number("AvailableProvisionedConcurrentExecutions");
        let asked = number("RequestedProvisionedConcurrentExecutions");
        vec![qualifier, format!("{ready} of {asked} ready"), word(one, "Status").to_lowercase()]
    };
    known.provisioned.iter().map(row).collect()
}

fn mappings(known: &Known) -> Vec<Vec<String>> {
    let row = |one: &Value| {
        let batch = format!("batches of {}", one["BatchSize"]);
        vec![word(one, "EventSourceArn"), word(one, "State").to_lowercase(), batch]
    };
    known.mappings.iter().map(row).collect()
}

fn word(value: &Value, name: &str) -> String {
    value[name].as_str().unwrap_or_default().to_owned()
}

fn environments(live: &[Version]) -> Vec<Vec<String>> {
    let mut rows = Vec::new();
    for version in live {
        for one in &version.environments {
            rows.push(environment(&version.version, one));
        }
    }
    if !rows.is_empty() {
        let heads = ["VERSION", "STATE", "AGE", "EVENTS", "STARTED BY", "IN", "LOG STREAM"];
        rows.insert(0, heads.map(str::to_owned).to_vec());
    }
    rows
}

fn environment(version: &str, one: &Environment) -> Vec<String> {
    let mut start = one.start.clone();
    if one.provisioned {
        start += ", provisioned";
    }
    if let Some(why) = &one.why {
        start += &format!(" ({why})");
    }
    // The day and the version before it are the same for most.
    let stream = one.stream.rsplit(']').next().unwrap_or_default();
    let short: String = stream.chars().take(8).collect();
    vec![
        version.to_owned(),
        one.state.clone(),
        ago(one.age_ms),
        one.events.to_string(),
        start,
        format!("{:.1} ms", one.took_ms),
        short,
    ]
}

fn failures(all: &[Failure]) -> Vec<Vec<String>> {
    let row = |one: &Failure| {
        let when = format!("{} ago", ago(one.age_ms));
        let what = format!("{}: {}", one.kind, one.message);
        vec![when, one.version.clone(), one.request_id.clone(), what]
    };
    all.iter().map(row).collect()
}

/// `12 s`, `3 min`, `5 h`, `2 d`.
fn ago(millis: u64) -> String {
    let seconds = Duration::from_millis(millis).as_secs();
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3_600 => format!("{} min", seconds / 60),
        3_600..86_400 => format!("{} h", seconds / 3_600),
        _ => format!("{} d", seconds / 86_400),
    }
}
