use std::process::ExitCode;

use clap::Args;
use http::Method;
use http_body_util::BodyExt as _;
use serde_json::Value;

use crate::client::{self, Client};
use crate::{project, show};

#[derive(Args)]
pub(crate) struct Arguments {
    /// The function: its name in serverless.yml, or its full name
    name: String,
    /// Go on printing new lines as they come
    #[arg(long, short)]
    follow: bool,
    #[command(flatten)]
    connection: client::Connection,
}

/// Prints what is stored, and with `--follow` what comes.
pub(crate) async fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    let client = Client::new(&arguments.connection);
    let name = project::function_name(&client, &arguments.name).await?;
    let path = format!("/_cumulet/logs?function={name}&follow={}", arguments.follow);
    let mut body = client.send(Method::GET, &path, &[], "").await?.into_body();
    let mut pending = Vec::new();
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame?.into_data() else { continue };
        pending.extend_from_slice(&data);
        while let Some(end) = pending.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = pending.drain(..=end).collect();
            if let Ok(Value::String(text)) = serde_json::from_slice(&line) {
                show::line(text.trim_end());
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}
