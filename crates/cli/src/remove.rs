use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::bail;
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

/// Removes every resource of the stack, in reverse order of their making. Fails if one stays.
pub(crate) async fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    let stack = project::read(&arguments.folder, &arguments.options)?.stack;
    let client = Client::new(&arguments.connection);
    let answer = client.control(Method::DELETE, &format!("stacks/{stack}"), &Value::Null).await?;
    let applied: deploy::Applied = serde_json::from_value(answer)?;
    let count = counted(applied.changes.len());
    if applied.leftovers.is_empty() {
        show::line(format_args!("removed {stack} with {count}"));
        return Ok(ExitCode::SUCCESS);
    }
    bail!(
        "{stack} is not removed: {count} went, and {} stayed\n  {}\n\
         help: mend what keeps them, and remove again",
        applied.leftovers.len(),
        applied.leftovers.join("\n  "),
    )
}

fn counted(resources: usize) -> String {
    match resources {
        1 => "1 resource".to_owned(),
        many => format!("{many} resources"),
    }
}
