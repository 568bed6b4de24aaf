//! How functions are confined: the sandboxes known, and the door through which those inside one
//! come to the gateway.

use std::io;
use std::net::Ipv4Addr;
use std::path::Path;
use std::sync::{Arc, OnceLock, Weak};

use gateway::Gateway;
use host::Egress;

use crate::{Confinement, Sandbox};

/// The gateway, for those who come from inside a sandbox. It is there when the server has started.
#[derive(Clone, Default)]
pub(crate) struct Front(Arc<OnceLock<Weak<Gateway>>>);

impl Front {
    pub(crate) fn open(&self, gateway: &Arc<Gateway>) {
        let _open_already = self.0.set(Arc::downgrade(gateway));
    }
}

/// Of networks, where functions have none of their own.
const NOT_CONFINED: &str = "whatever this machine reaches: functions have no network of their own";

/// Takes as many descriptors as may be had: every worker costs some, and every connection one.
fn raise_files() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let maximum = getrlimit(Resource::Nofile).maximum;
    if let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }) {
        tracing::warn!(%error, "the limit of open files stays as it is");
    }
}

/// What a sandbox is: how much of one, in a word and in a line, and what functions reach.
pub(crate) struct Started {
    pub(crate) sandbox: Arc<dyn host::Sandbox>,
    pub(crate) confinement: Confinement,
    pub(crate) what: String,
    pub(crate) egress: String,
}

/// Starts the sandbox.
pub(crate) fn start(
    sandbox: &Sandbox,
    egress: &Egress,
    cache: &Path,
    port: u16,
    front: &Front,
) -> io::Result<Started> {
    raise_files();
    if egress.names((Ipv4Addr::LOCALHOST, port).into()) {
        let why = format!("functions reach this server at 127.0.0.1:{port}: no rule may open that");
        return Err(io::Error::new(io::ErrorKind::InvalidInput, why));
    }
    match sandbox {
        Sandbox::None => {
            if !egress.is_none() {
                let why = "without a sandbox functions reach whatever this user does";
                return Err(io::Error::new(io::ErrorKind::InvalidInput, why));
            }
            Ok(Started {
                sandbox: Arc::new(sandbox_none::NoSandbox::start()?),
                confinement: Confinement::None,
                what: "none: functions may do what this user may".to_owned(),
                egress: NOT_CONFINED.to_owned(),
            })
        }
        #[cfg(target_os = "linux")]
        Sandbox::Linux { program, args } => {
            let folder = cache.join("sandbox");
            std::fs::create_dir_all(&folder)?;
            let mut launcher = std::process::Command::new(program);
            launcher.args(args).arg(&folder);
            let (accept, rules) = (front.accept(), egress.clone());
            let config = sandbox_linux::Config { launcher, port, accept, egress: rules };
            let linux = sandbox_linux::LinuxSandbox::start(config)?;
            let level = linux.level();
            let confinement = match (&level.namespaces, level.cgroups) {
                (Err(_), _) => Confinement::NoNamespaces,
                (Ok(()), None) => Confinement::NoCgroups,
                (Ok(()), Some(_)) => Confinement::Full,
            };
            let what = format!("{confinement}: {level}");
            let egress = match &level.namespaces {
                Ok(()) => egress.to_string(),
                Err(_) => NOT_CONFINED.to_owned(),
            };
            Ok(Started { sandbox: Arc::new(linux), confinement, what, egress })
        }
        #[cfg(not(target_os = "linux"))]
        Sandbox::Linux { .. } => {
            let _unused = (cache, port, front);
            Err(io::Error::other("functions can be confined on Linux only"))
        }
    }
}

#[cfg(target_os = "linux")]
impl Front {
    fn accept(&self) -> sandbox_linux::Accept {
        let front = Arc::clone(&self.0);
        Arc::new(move |socket| {
            let front = Arc::clone(&front);
            let serving = base::task::spawn("inside", async move {
                let Some(gateway) = front.get().and_then(Weak::upgrade) else { return };
                match gateway::Listener::bound(socket) {
                    Ok(listener) => listener.run(gateway).await,
                    Err(error) => tracing::error!(%error, "a function cannot reach the server"),
                }
            });
            serving.abort_handle()
        })
    }
}
