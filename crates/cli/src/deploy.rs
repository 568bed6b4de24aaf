use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use http::Method;

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

/// Reads, packages, sends, and shows what came of it.
pub(crate) async fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    let read = project::read(&arguments.folder, &arguments.options)?;
    let package = project::package(&mut project::packager(), &read)?;
    let client = Client::new(&arguments.connection);
    let answer = client.control(Method::POST, "deploy", &serde_json::to_value(&package)?).await?;
    let applied: deploy::Applied = serde_json::from_value(answer)?;
    project::show_changes(&applied);
    let overview = project::overview(&applied, &read.report);
    if !overview.is_empty() {
        show::line(overview);
    }
    if !applied.outputs.is_empty() {
        show::line(show::paint(show::bold(), "Outputs"));
        let rows: Vec<Vec<String>> =
            applied.outputs.iter().map(|(name, value)| vec![name.clone(), value.clone()]).collect();
        show::line(show::table(&rows).trim_end());
    }
    show::line(format_args!("deployed {}", package.stack));
    Ok(ExitCode::SUCCESS)
}
