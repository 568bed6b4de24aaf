//! The composition root: configuration and the lists of plug-ins. Only here are the concrete
//! engines, services, sandboxes and runtimes known.

mod config;
mod control;
mod credentials;
mod error;
mod fault;
mod functions;
mod runtimes;
mod sandbox;
mod services;
mod stacks;
mod storage;

use std::io::ErrorKind;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use base::{Arn, Time};
use delivery::Delivery;
use gateway::apis::Apis;
use gateway::{Gateway, Listener};
use host::{Host, Runtimes};
use kit::{Kit, Parts};
use store::Store;
use telemetry::LogStore;
use tokio::task::JoinHandle;

pub use config::{Config, Confinement, Sandbox, Storage};
pub use credentials::RootKey;
pub use error::StartError;
pub use functions::{Described, Environment, Failure, Function, Program, Version};
pub use host::{Debugged, Door, Egress, Inside, Language, Rule as EgressRule};
#[cfg(target_os = "linux")]
pub use sandbox_linux::launch;
pub use stacks::{Package, Stack};

use crate::control::Controls;
use crate::credentials::Keyring;
use crate::sandbox::{Front, Started};
use crate::stacks::Stacks;

/// A clock that is behind what was stored by so much was set back; by less, this start was quick.
const CLOCK_BACK: Duration = Duration::from_secs(1);

/// A running server.
pub struct Server {
    kit: Kit,
    logs: LogStore,
    host: Host,
    delivery: Delivery,
    stacks: Arc<Stacks>,
    address: SocketAddr,
    confinement: String,
    egress: String,
    doors: Vec<Door>,
    new_root_key: Option<RootKey>,
    listening: JoinHandle<()>,
    /// Files that no later run can use.
    scratch: Option<std::path::PathBuf>,
}

impl Server {
    /// Opens the data, binds the port and begins to serve.
    ///
    /// # Errors
    /// If the port is taken, or the data cannot be opened; nothing is left running then.
    pub async fn start(config: Config) -> Result<Server, StartError> {
        let address = config.address;
        let listen_error = |error| StartError::Listen { address, error };
        let mut listener = Listener::bind(address).await.map_err(listen_error)?;
        let address = listener.address().map_err(listen_error)?;
        if address.ip() == Ipv4Addr::LOCALHOST {
            bind_ipv6(&mut listener, address.port()).await;
        }

        let early = config.acknowledge_early.then(|| Arc::clone(&config.clock));
        let opened = storage::open(&config.storage, config.cache_bytes, &*config.random, early)?;
        let store = Store::open(opened.state, opened.blobs, "server").await?;
        warn_of_clock(&store, config.clock.now());
        let kit = Kit::new(Parts {
            store: store.clone(),
            clock: Arc::clone(&config.clock),
            random: Arc::clone(&config.random),
            account: config.account.clone(),
            region: config.region.clone(),
            cache: opened.cache.clone(),
        });
        kit.set_base_url(format!("http://{}", reachable(address)));

        let limits = telemetry::Config::default();
        let logs = LogStore::open(opened.logs, Arc::clone(&config.clock), limits).await?;
        let front = Front::default();
        let (port, cache) = (address.port(), &opened.cache);
        let started = sandbox::start(&config.sandbox, &config.egress, cache, port, &front);
        let Started { sandbox, confinement, what, egress } = started.map_err(StartError::Host)?;
        if confinement < config.confinement_min {
            return Err(StartError::Confinement { wanted: config.confinement_min, found: what });
        }
        let host = host(&config, sandbox, &opened.cache, &logs).map_err(StartError::Host)?;
        let doors = host.debug(config.debug).map_err(StartError::Debug)?;
        let apis = Arc::new(Apis::open(store.clone(), config.account.clone()).await?);
        let delivery = Delivery::new(&kit);
        let services = services::all(&kit, &delivery, &host, &logs, &apis, config.throttle_tables);
        kit.set_services(Arc::new(services));

        let (root, fresh) = RootKey::open(&store, &config.account, &*config.random).await?;
        let new_root_key = fresh.then(|| root.clone());
        let stacks = Arc::new(Stacks::new(&kit));
        let control = Controls {
            kit: kit.clone(),
            host: host.clone(),
            logs: logs.clone(),
            stacks: Arc::clone(&stacks),
            confinement: what.clone(),
        };
        let keyring = Keyring { kit: kit.clone(), root };
        let gateway =
            Gateway::new(kit.clone(), config.gateway, apis, Arc::new(control), Arc::new(keyring));

        start_work(&kit, &delivery);
        let gateway = Arc::new(gateway);
        front.open(&gateway);
        let listening = base::task::spawn("listener", listener.run(gateway));
        let scratch = matches!(config.storage, Storage::Memory).then_some(opened.cache);
        Ok(Server {
            kit,
            logs,
            host,
            delivery,
            stacks,
            address,
            confinement: what,
            egress,
            doors,
            new_root_key,
            listening,
            scratch,
        })
    }

    /// How functions are confined, in a line: `full: namespaces, seccomp, …`.
    pub fn confinement(&self) -> &str {
        &self.confinement
    }

    /// What functions may connect to besides the platform, in a line: `none`.
    pub fn egress(&self) -> &str {
        &self.egress
    }

    /// Where functions can be debugged.
    pub fn doors(&self) -> &[Door] {
        &self.doors
    }

    /// Makes ready for the next event of a function, or for its debugger.
    ///
    /// # Errors
    /// If there is no such function, or it cannot be run here.
    pub async fn prepare(&self, function: &str) -> Result<(), kit::Error> {
        let resource = format!("function:{function}");
        let arn = Arn::new("lambda", &self.kit.region, &self.kit.account, resource);
        self.kit.functions()?.prepare(&arn).await
    }

    /// Where it is reached from this machine.
    pub fn url(&self) -> &str {
        self.kit.base_url()
    }

    /// The address bound.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What its parts share.
    pub fn kit(&self) -> &Kit {
        &self.kit
    }

    /// What functions write.
    pub fn logs(&self) -> &LogStore {
        &self.logs
    }

    /// The root's access key, if this start has made it.
    pub fn new_root_key(&self) -> Option<&RootKey> {
        self.new_root_key.as_ref()
    }

    /// Deploys an application.
    ///
    /// # Errors
    /// If a resource could not be made; what was done is undone then.
    pub async fn deploy(&self, package: &Package) -> Result<deploy::Applied, deploy::Error> {
        self.stacks.deploy(package).await
    }

    /// Resolves with the reason when the store can no longer be trusted.
    pub async fn failed(&self) -> store::Error {
        self.kit.store.failed().await
    }

    /// Takes no new requests, lets the accepted ones end, and leaves the data in order.
    pub async fn stop(self) {
        self.kit.close();
        self.host.let_go();
        let _ended = self.listening.await;
        self.delivery.drain().await;
        self.host.drain().await;
        for (what, closed) in
            [("logs", self.logs.close().await), ("store", self.kit.store.close().await)]
        {
            if let Err(error) = closed {
                tracing::error!(%error, what, "could not be closed in order");
            }
        }
        if let Some(scratch) = self.scratch {
            let _left = std::fs::remove_dir_all(scratch);
        }
    }
}

/// What is stored from now on carries the time until which the clock had come before, and stays for
/// so much longer.
fn warn_of_clock(store: &Store, now: Time) {
    let ahead = store.numbered_until().since(now);
    if ahead > CLOCK_BACK {
        tracing::warn!(?ahead, "the clock was set back since the last run");
    }
}

/// To many clients `localhost` is ::1 before it is 127.0.0.1.
async fn bind_ipv6(listener: &mut Listener, port: u16) {
    match listener.bind_second(SocketAddr::from((Ipv6Addr::LOCALHOST, port))).await {
        Err(error) if error.kind() == ErrorKind::AddrInUse => tracing::warn!(
            "another program listens on [::1]:{port}: clients for which `localhost` is ::1 reach \
             that one"
        ),
        // There is no IPv6 on this machine.
        Ok(()) | Err(_) => {}
    }
}

/// An address to reach a listener at: one that listens on all is reached by loopback.
fn reachable(address: SocketAddr) -> SocketAddr {
    if !address.ip().is_unspecified() {
        return address;
    }
    SocketAddr::from(([127, 0, 0, 1], address.port()))
}

fn host(
    config: &Config,
    sandbox: Arc<dyn host::Sandbox>,
    cache: &std::path::Path,
    logs: &LogStore,
) -> std::io::Result<Host> {
    let runtimes = Runtimes::load(&runtimes::lay_out(cache)?)?;
    Ok(Host::new(host::Parts {
        config: host::Config {
            search_path: config.search_path.clone(),
            home: config.home.clone(),
            packs: Some(cache.join("packs")),
            ..host::Config::default()
        },
        clock: Arc::clone(&config.clock),
        random: Arc::clone(&config.random),
        sandbox,
        runtimes,
        logs: Arc::new(logs.clone()),
        metrics: Arc::new(logs.clone()),
    }))
}

/// Starts everything that works without being asked.
fn start_work(kit: &Kit, delivery: &Delivery) {
    for worker in kit.services().iter().flat_map(|service| service.workers()) {
        base::task::spawn("worker", worker.clone().run(kit.clone()));
    }
    delivery.start();
    let store = kit.store.clone();
    base::task::spawn("sweep", async move {
        match store.sweep().await {
            Ok(0) => {}
            Ok(blobs) => tracing::info!(blobs, "swept what earlier runs left"),
            Err(error) => tracing::warn!(%error, "sweep failed"),
        }
    });
}
