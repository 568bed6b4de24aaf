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
    client: client::Arguments,
}

/// Removes every resource of the stack, in reverse order of their making.
pub(crate) async fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    let read = project::read(&arguments.folder, &arguments.options)?;
    let client = Client::new(&arguments.client);
    let path = format!("stacks/{}", read.stack());
    let removed = client.control(Method::DELETE, &path, &Value::Null).await?;
    show::line(format_args!("removed {} with {} resources", read.stack(), removed["removed"]));
    Ok(ExitCode::SUCCESS)
}
