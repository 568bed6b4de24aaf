use std::io::Read as _;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use clap::Args;
use http::Method;
use serde_json::Value;

use crate::client::{self, Client};
use crate::{project, show};

#[derive(Args)]
pub(crate) struct Arguments {
    /// The function: its name in serverless.yml, or its full name
    name: String,
    /// The event, as JSON
    #[arg(long, conflicts_with = "file")]
    data: Option<String>,
    /// A file with the event; `-` is standard input
    #[arg(long)]
    file: Option<PathBuf>,
    #[command(flatten)]
    connection: client::Connection,
}

/// Prints the answer on standard output and the log on standard error. Fails if the function did.
pub(crate) async fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    let event = event(&arguments)?;
    let client = Client::new(&arguments.connection);
    let name = project::function_name(&client, &arguments.name).await?;
    let path = format!("/2015-03-31/functions/{name}/invocations");
    let answer = client.call(Method::POST, &path, &[("x-amz-log-type", "Tail")], event).await?;
    let header = |name: &str| answer.response.headers().get(name).and_then(|v| v.to_str().ok());
    let log = header("x-amz-log-result").and_then(|log| STANDARD.decode(log).ok());
    if let Some(log) = log {
        show::progress(String::from_utf8_lossy(&log).trim_end());
    }
    let text = String::from_utf8_lossy(&answer.body);
    if !answer.response.status().is_success() {
        let body: Value = serde_json::from_str(&text).unwrap_or_default();
        let message = body["Message"].as_str().or_else(|| body["message"].as_str());
        let message = message.unwrap_or(&text);
        bail!("{message}");
    }
    show::line(&text);
    Ok(match header("x-amz-function-error") {
        Some(_) => ExitCode::FAILURE,
        None => ExitCode::SUCCESS,
    })
}

fn event(arguments: &Arguments) -> anyhow::Result<Vec<u8>> {
    let text = match (&arguments.data, &arguments.file) {
        (Some(data), _) => data.clone(),
        (None, Some(file)) if file.as_os_str() == "-" => {
            let mut text = String::new();
            std::io::stdin().read_to_string(&mut text)?;
            text
        }
        (None, Some(file)) => std::fs::read_to_string(file).with_context(|| {
            let file = file.display();
            format!(
                "the event cannot be read from {file}\n\
                 help: name a file with JSON in it, or - for standard input"
            )
        })?,
        (None, None) => "{}".to_owned(),
    };
    if let Err(error) = serde_json::from_str::<Value>(&text) {
        let place = arguments
            .file
            .as_ref()
            .map_or_else(|| "--data".to_owned(), |f| f.display().to_string());
        let (line, column, said) = (error.line(), error.column(), error.to_string());
        let what = said.split(" at line ").next().unwrap_or_default();
        bail!(
            "{place}:{line}:{column}: the event is not JSON: {what}\n\
             help: in a shell, put it in single quotes: --data '{{\"id\": 1}}'"
        );
    }
    Ok(text.into_bytes())
}
