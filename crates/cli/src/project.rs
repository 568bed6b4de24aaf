//! The application in a folder, and functions by the names their authors use.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{anyhow, bail};
use clap::Args;
use deploy::{Packager, Project, Report};
use http::Method;
use serde_json::Value;
use server::Package;

use crate::client::Client;
use crate::show;

/// How an application is read.
#[derive(Args, Clone)]
pub(crate) struct Options {
    /// Stage to deploy
    #[arg(long)]
    stage: Option<String>,
    /// Region to deploy to
    #[arg(long)]
    region: Option<String>,
    /// A parameter, for `${param:NAME}`
    #[arg(long = "param", value_name = "NAME=VALUE", value_parser = parameter)]
    params: Vec<(String, String)>,
    /// Fail if a property of the template would not be honoured
    #[arg(long)]
    pub(crate) strict: bool,
}

fn parameter(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err(format!("'{text}' is not NAME=VALUE")),
    }
}

/// Reads the application in a folder.
pub(crate) fn read(folder: &Path, options: &Options) -> anyhow::Result<Project> {
    let account = "000000000000".parse().map_err(|error| anyhow!("{error}"))?;
    let mut given = deploy::Options::new(account);
    given.stage = options.stage.clone();
    given.region = options.region.clone();
    given.params = options.params.iter().cloned().collect();
    given.env = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect::<BTreeMap<String, String>>();
    let project = deploy::read(folder, &given).map_err(explained)?;
    if options.strict && !project.report.is_faithful() {
        bail!("--strict: not everything in the template is honoured\n{}", project.report);
    }
    Ok(project)
}

/// A mistake in an application, with what to do about it.
fn explained(diagnostic: deploy::Diagnostic) -> anyhow::Error {
    let text = diagnostic.to_string();
    if text.contains("help:") {
        return anyhow!("{text}");
    }
    anyhow!("{text}\nhelp: mend the place named")
}

/// A packager that keeps its tools where the user's caches are.
pub(crate) fn packager() -> Packager {
    let cache = std::env::var_os("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .or_else(|| std::env::home_dir().map(|home| home.join(".cache")))
        .unwrap_or_else(std::env::temp_dir);
    Packager::new(&cache.join("cumulet"))
}

/// Packages an application, with a word about what takes long.
pub(crate) fn package(packager: &mut Packager, project: &Project) -> anyhow::Result<Package> {
    let say = |text: &str| show::progress(text);
    let assets = packager.package(project, &say).map_err(explained)?;
    Ok(Package {
        stack: project.stack.clone(),
        region: project.region.clone(),
        template: project.template.clone(),
        assets,
    })
}

/// Says what a deploy did.
pub(crate) fn show_changes(applied: &deploy::Applied) {
    for change in &applied.changes {
        let what = format!("{:?}", change.what).to_lowercase();
        show::progress(format_args!("{what} {} ({})", change.id, change.kind));
    }
    for leftover in &applied.leftovers {
        show::progress(format_args!("still there: {leftover}"));
    }
}

/// What a deployed application can be reached at, and what of its template is not honoured.
pub(crate) fn overview(applied: &deploy::Applied, fidelity: &Report) -> String {
    let mut parts = Vec::new();
    if !fidelity.is_faithful() {
        parts.push(show::paint(show::bold(), "Not honoured"));
        parts.extend(fidelity.to_string().lines().map(|line| format!("  {line}")));
    }
    if !fidelity.notes.is_empty() {
        parts.push(show::paint(show::bold(), "Noted"));
        parts.extend(fidelity.notes.iter().map(|note| format!("  {note}")));
    }
    if !applied.endpoints.is_empty() {
        parts.push(show::paint(show::bold(), "Endpoints"));
        let row = |endpoint: &deploy::Endpoint| {
            let function = format!("→ {}", endpoint.function);
            vec![endpoint.method.clone(), endpoint.url.clone(), function]
        };
        let rows: Vec<Vec<String>> = applied.endpoints.iter().map(row).collect();
        parts.push(show::table(&rows).trim_end().to_owned());
    }
    parts.join("\n")
}

/// The full name of a function: the name given if there is such a function, else the one that ends
/// with it, `orders-dev-createOrder` for `createOrder`.
pub(crate) async fn function_name(client: &Client, name: &str) -> anyhow::Result<String> {
    let mut names = Vec::new();
    let mut marker = String::new();
    loop {
        let path = format!("/2015-03-31/functions/?MaxItems=50{marker}");
        let answer = client.call(Method::GET, &path, &[], "").await?;
        let page: Value = serde_json::from_slice(&answer.body)?;
        let functions = page["Functions"].as_array().into_iter().flatten();
        names.extend(functions.filter_map(|f| f["FunctionName"].as_str().map(str::to_owned)));
        match page["NextMarker"].as_str() {
            Some(next) if !next.is_empty() => marker = format!("&Marker={next}"),
            _ => break,
        }
    }
    if names.iter().any(|known| known == name) {
        return Ok(name.to_owned());
    }
    let suffix = format!("-{name}");
    let matching: Vec<&String> = names.iter().filter(|known| known.ends_with(&suffix)).collect();
    match matching[..] {
        [only] => Ok(only.clone()),
        [] if names.is_empty() => bail!(
            "there is no function '{name}': none is deployed\n\
             help: deploy one with `cumulet deploy DIR`, where DIR has the serverless.yml"
        ),
        [] => bail!("there is no function '{name}'\nhelp: there are {}", names.join(", ")),
        _ => {
            let all: Vec<&str> = matching.iter().map(|name| name.as_str()).collect();
            bail!("'{name}' may be any of {}\nhelp: give the full name", all.join(", "))
        }
    }
}
