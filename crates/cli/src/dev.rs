use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use clap::Args;
use deploy::Packager;
use notify::{EventKind, RecursiveMode, Watcher as _};
use server::Server;
use telemetry::LogLine;
use tokio::sync::{broadcast, mpsc};

use crate::{project, serve, show};

/// How long a folder must be quiet before it is read again: an editor saves in several steps.
const QUIET: Duration = Duration::from_millis(50);
/// Changes noticed but not looked at yet; more add nothing.
const CHANGES_MAX: usize = 64;

#[derive(Args)]
pub(crate) struct Arguments {
    /// The folder with serverless.yml
    #[arg(default_value = ".")]
    folder: PathBuf,
    #[command(flatten)]
    options: project::Options,
    #[command(flatten)]
    platform: serve::Platform,
}

/// Serves, deploys, watches.
pub(crate) async fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    serve::start_logging();
    let Arguments { folder, options, platform } = arguments;
    // What is wrong with the application is said before anything is started.
    project::read(&folder, &options)?;
    let server = Arc::new(serve::start(&platform, false).await?);
    base::task::spawn("show logs", show_logs(server.logs().subscribe()));
    let mut watched = Watched { folder, options, packager: project::packager() };
    let (changes, changed) = mpsc::channel(CHANGES_MAX);
    let watcher = watch(&watched.folder, changes)?;
    let first = watched.deploy(&server).await;
    if let Err(error) = first {
        drop(watcher);
        stop(server).await;
        return Err(error);
    }
    show::line("ready");
    let watching = base::task::spawn("watch", redeploy(Arc::clone(&server), watched, changed));
    let outcome = serve::until_asked(&server).await;
    watching.abort();
    let _ended = watching.await;
    drop(watcher);
    outcome?;
    Ok(serve::drain(stop(server)).await)
}

async fn stop(server: Arc<Server>) {
    if let Some(server) = Arc::into_inner(server) {
        server.stop().await;
    }
}

/// An application that is deployed again and again.
struct Watched {
    folder: PathBuf,
    options: project::Options,
    packager: Packager,
}

impl Watched {
    async fn deploy(&mut self, server: &Server) -> anyhow::Result<()> {
        let (read, package) = tokio::task::block_in_place(|| {
            let read = project::read(&self.folder, &self.options)?;
            let package = project::package(&mut self.packager, &read)?;
            anyhow::Ok((read, package))
        })?;
        let applied = server.deploy(&package).await?;
        project::report(&applied, &read.report);
        Ok(())
    }
}

/// Watches a folder for changes of what is deployed.
fn watch(folder: &Path, changes: mpsc::Sender<()>) -> anyhow::Result<notify::RecommendedWatcher> {
    let mut watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
        let relevant = event.is_ok_and(|event| {
            !matches!(event.kind, EventKind::Access(_)) && event.paths.iter().any(|p| is_source(p))
        });
        if relevant {
            // A full channel has a change in it already.
            let _full = changes.try_send(());
        }
    })?;
    let watching = "the folder cannot be watched for changes";
    // Folders that are written by tools are many and large: they are not watched at all.
    watcher.watch(folder, RecursiveMode::NonRecursive).context(watching)?;
    for entry in std::fs::read_dir(folder).context(watching)? {
        let path = entry?.path();
        if path.is_dir() && is_source(&path) {
            watcher.watch(&path, RecursiveMode::Recursive).context(watching)?;
        }
    }
    Ok(watcher)
}

fn is_source(path: &Path) -> bool {
    const NOT_SOURCES: [&str; 7] =
        ["node_modules", ".cumulet", ".git", ".serverless", ".esbuild", "dist", "__pycache__"];
    !path.components().any(|part| NOT_SOURCES.iter().any(|name| part.as_os_str() == *name))
}

async fn redeploy(server: Arc<Server>, mut watched: Watched, mut changed: mpsc::Receiver<()>) {
    let clock = Arc::clone(&server.kit().clock);
    while changed.recv().await.is_some() {
        // Every further change starts the quiet time anew.
        loop {
            tokio::select! {
                more = changed.recv() => if more.is_none() { return },
                () = base::sleep(&*clock, QUIET) => break,
            }
        }
        let started = clock.now();
        match watched.deploy(&server).await {
            Ok(()) => {
                let took = clock.now().since(started);
                show::progress(format_args!("redeployed in {} ms", took.as_millis()));
            }
            // What was deployed before goes on.
            Err(error) => show::error(&error),
        }
    }
}

/// Prints what all functions write, each in a colour of its own.
async fn show_logs(mut lines: broadcast::Receiver<Arc<LogLine>>) {
    loop {
        match lines.recv().await {
            Ok(line) => {
                let group = &line.to.group.name;
                let name = group.rsplit('/').next().unwrap_or(group);
                let label = show::paint(show::colour_of(name), name);
                for text in line.text.trim_end().lines() {
                    show::line(format_args!("{label} {text}"));
                }
            }
            Err(broadcast::error::RecvError::Lagged(missed)) => {
                show::progress(format_args!("{missed} lines of logs were too fast to be shown"));
            }
            Err(broadcast::error::RecvError::Closed) => return,
        }
    }
}
