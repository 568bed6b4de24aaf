use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use base::Region;
use clap::Args;
use server::{Config, Debugged, Server, Storage};
use tokio::signal::unix::{SignalKind, signal};

use crate::show;

/// Where the platform listens and keeps its state.
#[derive(Args)]
pub(crate) struct Platform {
    /// Port to listen on; 0 takes a free one
    #[arg(long, default_value_t = 4566)]
    port: u16,
    /// Address to listen on
    #[arg(long, default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST))]
    host: IpAddr,
    /// Directory of all data
    #[arg(long, value_name = "DIR", default_value = ".cumulet")]
    data: PathBuf,
    /// Keep everything in memory: gone when the platform ends
    #[arg(long, conflicts_with = "data")]
    memory: bool,
    /// Megabytes of stored data to keep in memory, of what was read last
    #[arg(long, value_name = "MB", default_value_t = 64, conflicts_with = "memory",
        value_parser = clap::value_parser!(u32).range(1..=1_048_576))]
    cache_mb: u32,
    /// How functions are confined
    #[arg(long, value_enum, default_value_t = Sandbox::DEFAULT)]
    sandbox: Sandbox,
    /// Do not start with less of a sandbox than this
    #[arg(long, value_name = "LEVEL", value_enum, num_args = 0..=1, default_missing_value = "full")]
    require_sandbox: Option<Level>,
    /// Where functions may connect to, besides the platform
    #[arg(long, value_enum, default_value_t = Egress::None)]
    egress: Egress,
    /// Further addresses that functions may connect to: 10.1.0.0/16, 10.1.2.3:5432, [fd00::/8]:443.
    /// Addresses of this machine only one by one, as 127.0.0.1:5432
    #[arg(long, value_name = "RANGE[:PORT]")]
    egress_allow: Vec<server::EgressRule>,
    /// Hold tables to the capacity they are given, as AWS does
    #[arg(long)]
    throttle_tables: bool,
    /// Further host names to answer to; `.example.com` stands for all below it
    #[arg(long, value_name = "NAME")]
    answer_to: Vec<String>,
}

/// How functions are confined.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Sandbox {
    /// Namespaces, seccomp, Landlock and cgroups: as much of it as this machine allows
    Linux,
    /// Not at all: for debugging
    None,
}

/// Where functions may connect to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Egress {
    /// Nowhere else
    None,
    /// To public addresses: not to private ones, and not to this machine
    Internet,
}

/// How much of a sandbox there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Level {
    /// Landlock, seccomp and rlimits
    NoNamespaces,
    /// Namespaces, too
    NoCgroups,
    /// Cgroups, too
    Full,
}

impl Sandbox {
    const DEFAULT: Sandbox = if cfg!(target_os = "linux") { Sandbox::Linux } else { Sandbox::None };
}

impl Platform {
    /// The configuration these arguments stand for.
    fn config(&self, auth: bool, region: Region) -> Config {
        let storage = match self.memory {
            true => Storage::Memory,
            false => Storage::Folder(self.data.clone()),
        };
        let variable = |name: &str| std::env::var_os(name);
        let mut config = Config::new(SocketAddr::new(self.host, self.port), storage);
        config.gateway.auth = auth;
        config.cache_bytes = u64::from(self.cache_mb) << 20;
        config.sandbox = match self.sandbox {
            Sandbox::None => server::Sandbox::None,
            // The program as it is now, even if the file is replaced.
            Sandbox::Linux => server::Sandbox::Linux {
                program: PathBuf::from("/proc/self/exe"),
                args: vec!["launcher".into()],
            },
        };
        config.egress = server::Egress {
            internet: self.egress == Egress::Internet,
            allow: self.egress_allow.clone(),
        };
        config.region = region;
        config.throttle_tables = self.throttle_tables;
        config.confinement_min = match self.require_sandbox {
            None => server::Confinement::None,
            Some(Level::NoNamespaces) => server::Confinement::NoNamespaces,
            Some(Level::NoCgroups) => server::Confinement::NoCgroups,
            Some(Level::Full) => server::Confinement::Full,
        };
        if let Some(path) = variable("PATH") {
            config.search_path = path;
        }
        config.home = variable("HOME").map(PathBuf::from);
        config.acknowledge_early =
            variable("CUMULET_FAULT").is_some_and(|fault| fault == "ack-before-commit");
        if config.acknowledge_early {
            show::progress("CUMULET_FAULT: commits are acknowledged before they are durable");
        }
        config.gateway.hosts.extend(self.answer_to.iter().cloned());
        config
    }
}

#[derive(Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    platform: Platform,
    /// Verify the signature of every request
    #[arg(long)]
    auth: bool,
    /// Region of work that no request causes, and of what is deployed
    #[arg(long, default_value = "us-east-1")]
    region: Region,
}

/// Serves until it is asked to end.
pub(crate) async fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    start_logging();
    let Arguments { platform, auth, region } = arguments;
    let server = start(&platform, auth, region, Vec::new()).await?;
    show::line("ready");
    until_asked(&server).await?;
    Ok(drain(server.stop()).await)
}

/// Starts the platform and says where it is.
pub(crate) async fn start(
    platform: &Platform,
    auth: bool,
    region: Region,
    debug: Vec<Debugged>,
) -> anyhow::Result<Server> {
    let config = Config { debug, ..platform.config(auth, region) };
    let server = Server::start(config).await?;
    show::line(format_args!("cumulet {} on {}", env!("CARGO_PKG_VERSION"), server.url()));
    show::line(format_args!("sandbox {}", server.confinement()));
    show::line(format_args!("egress {}", server.egress()));
    if auth && let Some(root) = server.new_root_key() {
        show::line("The root credentials, shown this once:");
        show::line(format_args!("  AWS_ACCESS_KEY_ID={}", root.access_key));
        show::line(format_args!("  AWS_SECRET_ACCESS_KEY={}", root.secret));
    }
    Ok(server)
}

/// Waits for Ctrl-C or SIGTERM.
///
/// # Errors
/// If the store has failed: only a restart tells what the disk has kept.
pub(crate) async fn until_asked(server: &Server) -> anyhow::Result<()> {
    let mut interrupt = signal(SignalKind::interrupt()).context("signals cannot be handled")?;
    let mut terminate = signal(SignalKind::terminate()).context("signals cannot be handled")?;
    tokio::select! {
        _ = interrupt.recv() => Ok(()),
        _ = terminate.recv() => Ok(()),
        why = server.failed() => anyhow::bail!("the store has failed and the platform ends: {why}"),
    }
}

/// Lets everything accepted end; a second Ctrl-C does not wait for it.
pub(crate) async fn drain(stop: impl Future<Output = ()>) -> ExitCode {
    show::progress("draining");
    tokio::select! {
        () = stop => ExitCode::SUCCESS,
        _ = tokio::signal::ctrl_c() => ExitCode::FAILURE,
    }
}

/// Our own log goes to standard error; `CUMULET_LOG` sets what is in it.
pub(crate) fn start_logging() {
    use tracing_subscriber::EnvFilter;
    let filter = EnvFilter::try_from_env("CUMULET_LOG").unwrap_or_else(|_| EnvFilter::new("warn"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
}
