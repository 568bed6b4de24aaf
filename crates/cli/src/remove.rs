use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use http::Method;
use serde_json::Value;

use crate::client::{self, Client};
use crate::{project, show};

#[derive(Args)]
pub(crate) struct Arguments {
    /// The folder with serverless.yml
    #[arg(default_value = ".")]
    folder: PathBuf,
    #[command(flatten)]
    options: project::Options,
    #[command(flatten)]
    connection: client::Connection,
}

/// Removes every resource of the stack, in reverse order of their making.
pub(crate) async fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    let read = project::read(&arguments.folder, &arguments.options)?;
    let client = Client::new(&arguments.connection);
    let path = format!("stacks/{}", read.stack);
    let applied = client.control(Method::DELETE, &path, &Value::Null).await?;
    let count = applied["changes"].as_array().map_or(0, Vec::len);
    show::line(format_args!("removed {} with {count} resources", read.stack));
    Ok(ExitCode::SUCCESS)
}
