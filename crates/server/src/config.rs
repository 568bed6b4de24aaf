use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use base::{AccountId, Clock, Random, Region, SystemClock, SystemRandom};
use host::Debugged;

/// What a server is started with.
pub struct Config {
    pub address: SocketAddr,
    pub storage: Storage,
    /// How much of what is stored, and was read last, stays in memory.
    pub cache_bytes: u64,
    pub sandbox: Sandbox,
    /// Where functions may connect to besides the platform.
    pub egress: host::Egress,
    /// With less than this the server does not start.
    pub confinement_min: Confinement,
    pub gateway: gateway::Config,
    pub account: AccountId,
    pub region: Region,
    pub clock: Arc<dyn Clock>,
    pub random: Arc<dyn Random>,
    /// Where interpreters are looked for: `PATH`.
    pub search_path: OsString,
    /// Where interpreters of version managers are looked for: `HOME`.
    pub home: Option<PathBuf>,
    /// Functions that can be debugged.
    pub debug: Vec<Debugged>,
    /// Whether tables are held to the capacity they are given; it is always counted.
    pub throttle_tables: bool,
    /// The planted bug of `CUMULET_FAULT=ack-before-commit`; see `fault`.
    pub acknowledge_early: bool,
}

/// Where state is kept.
#[derive(Debug, Clone)]
pub enum Storage {
    /// A directory: durable.
    Folder(PathBuf),
    /// Memory: gone at the end.
    Memory,
}

/// How much of a sandbox there is. Each is more than those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Confinement {
    /// None: functions may do what the server's user may.
    None,
    /// Landlock, seccomp and rlimits, where users may not make namespaces.
    NoNamespaces,
    /// All but cgroups: memory is limited for each process by itself.
    NoCgroups,
    /// All of it.
    Full,
}

impl std::fmt::Display for Confinement {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Confinement::None => "none",
            Confinement::NoNamespaces => "no-namespaces",
            Confinement::NoCgroups => "no-cgroups",
            Confinement::Full => "full",
        })
    }
}

/// How functions are confined.
#[derive(Debug, Clone)]
pub enum Sandbox {
    /// Not at all: they may do what the server's user may.
    None,
    /// By what Linux has. The program calls [`crate::launch`] when it is started with these
    /// arguments and a folder behind them.
    Linux { program: PathBuf, args: Vec<OsString> },
}

impl Config {
    /// The defaults around an address and a place for data: real time and chance, the account
    /// `000000000000`, the region `us-east-1`.
    pub fn new(address: SocketAddr, storage: Storage) -> Config {
        Config {
            address,
            storage,
            cache_bytes: engine_fjall::Options::default().cache_bytes,
            sandbox: Sandbox::None,
            egress: host::Egress::default(),
            confinement_min: Confinement::None,
            gateway: gateway::Config::default(),
            account: "000000000000".parse().expect("twelve digits"),
            region: "us-east-1".parse().expect("a region's form"),
            clock: Arc::new(SystemClock::new()),
            random: Arc::new(SystemRandom),
            search_path: OsString::from("/usr/local/bin:/usr/bin:/bin"),
            home: None,
            debug: Vec::new(),
            throttle_tables: false,
            acknowledge_early: false,
        }
    }
}
