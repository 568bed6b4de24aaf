use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use clap::Args;
use deploy::Packager;
use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};
use server::Server;
use tokio::sync::{mpsc, watch};

use crate::tail::{self, Names};
use crate::{debug, project, serve, show};

/// How long a folder must be quiet before it is read again: an editor saves in several steps.
const QUIET: Duration = Duration::from_millis(50);
/// Changes noticed but not looked at yet; more add nothing.
const CHANGES_MAX: usize = 64;
const UNWATCHED: &str = "the folder cannot be watched for changes";

#[derive(Args)]
pub(crate) struct Arguments {
    /// The folder with serverless.yml
    #[arg(default_value = ".")]
    folder: PathBuf,
    #[command(flatten)]
    options: project::Options,
    #[command(flatten)]
    debug: debug::Debugging,
    #[command(flatten)]
    platform: serve::Platform,
}

/// Serves, deploys, watches.
pub(crate) async fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    serve::start_logging();
    let Arguments { folder, options, debug, platform } = arguments;
    // What is wrong with the application is said before anything is started.
    let read = project::read(&folder, &options)?;
    let region = read.region.parse()?;
    let debugged = debug.of(&read)?;
    let server = Arc::new(serve::start(&platform, false, region, debugged.clone()).await?);
    let debuggers = debug::Shown::all(server.doors(), &read);
    let (names, named) = watch::channel(Names::default());
    base::task::spawn("show logs", tail::show(server.logs().subscribe(), named));
    let (changes, changed) = mpsc::channel(CHANGES_MAX);
    let sources = Sources::new(&folder)?;
    let watcher = sources.watch(changes)?;
    let packager = project::packager().for_debugging(debug::names(&debugged, &read));
    let mut watched =
        Watched { folder, options, packager, sources, watcher, names, shown: String::new() };
    if let Err(error) = watched.deploy(&server).await {
        drop(watched);
        stop(server).await;
        return Err(error);
    }
    for mut debugger in debuggers {
        // What loads is there when its deploy is done.
        debugger.say_now();
        base::task::spawn("show debugger", debugger.run());
    }
    show::line("ready");
    let watching = base::task::spawn("watch", redeploy(Arc::clone(&server), watched, changed));
    let outcome = serve::until_asked(&server).await;
    watching.abort();
    let _ended = watching.await;
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
    sources: Sources,
    watcher: RecommendedWatcher,
    /// What its functions are called in the logs.
    names: watch::Sender<Names>,
    /// The overview shown last: it is shown again when it is another.
    shown: String,
}

impl Watched {
    /// Deploys what is in the folder now, and says whether that changed anything.
    async fn deploy(&mut self, server: &Server) -> anyhow::Result<bool> {
        let (read, package) = tokio::task::block_in_place(|| {
            let read = project::read(&self.folder, &self.options)?;
            let package = project::package(&mut self.packager, &read)?;
            anyhow::Ok((read, package))
        })?;
        self.names.send_replace(Names::of(&read.functions));
        let applied = server.deploy(&package).await?;
        project::show_changes(&applied);
        // A debugger finds the new environment before its first event.
        for door in server.doors() {
            if let Err(error) = server.prepare(&door.function).await {
                show::progress(format_args!("{} cannot be debugged: {error}", door.function));
            }
        }
        let overview = project::overview(&applied, &read.report);
        if overview != self.shown {
            show::line(&overview);
            self.shown = overview;
        }
        Ok(!applied.changes.is_empty())
    }
}

/// The files whose change is a reason to deploy again.
#[derive(Clone)]
struct Sources {
    folder: PathBuf,
}

impl Sources {
    fn new(folder: &Path) -> anyhow::Result<Sources> {
        Ok(Sources { folder: folder.canonicalize().context(UNWATCHED)? })
    }

    fn contain(&self, path: &Path) -> bool {
        const WRITTEN_BY_TOOLS: [&str; 7] =
            ["node_modules", ".cumulet", ".git", ".serverless", ".esbuild", "dist", "__pycache__"];
        let Ok(inside) = path.strip_prefix(&self.folder) else { return false };
        let by_tools = inside.iter().any(|part| WRITTEN_BY_TOOLS.iter().any(|name| part == *name));
        // The platform writes its data itself, so it may lie in the folder and is no part of it;
        // nor are the packages of a virtual environment.
        let mut above = path.ancestors().take_while(|folder| *folder != self.folder);
        let is_none_of_ours = |at: &Path| deploy::is_data(at) || deploy::is_environment(at);
        !by_tools && !above.any(is_none_of_ours)
    }

    /// A watcher that reports changes of sources.
    fn watch(&self, changes: mpsc::Sender<()>) -> anyhow::Result<RecommendedWatcher> {
        let sources = self.clone();
        let mut watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
            let relevant = event.is_ok_and(|event| {
                let read_only = matches!(event.kind, EventKind::Access(_));
                !read_only && event.paths.iter().any(|path| sources.contain(path))
            });
            if relevant {
                // A full channel has a change in it already.
                let _full = changes.try_send(());
            }
        })?;
        watcher.watch(&self.folder, RecursiveMode::NonRecursive).context(UNWATCHED)?;
        self.watch_folders(&mut watcher)?;
        Ok(watcher)
    }

    /// Watches the folders there are now. Those that tools write are many and large: they are
    /// not watched at all.
    fn watch_folders(&self, watcher: &mut RecommendedWatcher) -> anyhow::Result<()> {
        for entry in std::fs::read_dir(&self.folder).context(UNWATCHED)? {
            let path = entry?.path();
            if path.is_dir() && self.contain(&path) {
                watcher.watch(&path, RecursiveMode::Recursive).context(UNWATCHED)?;
            }
        }
        Ok(())
    }
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
        // A folder that is new is watched from now on, and read after that.
        if let Err(error) = watched.sources.watch_folders(&mut watched.watcher) {
            show::error(&error);
        }
        match watched.deploy(&server).await {
            Ok(false) => {}
            Ok(true) => {
                let took = clock.now().since(started);
                show::progress(format_args!("redeployed in {} ms", took.as_millis()));
            }
            // What was deployed before goes on.
            Err(error) => show::error(&error),
        }
    }
}
