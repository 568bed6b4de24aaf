//! How functions are confined: the sandboxes known, and the door through which those inside one come
//! to the gateway.

use std::io;
use std::path::Path;
use std::sync::{Arc, OnceLock, Weak};

use gateway::Gateway;

use crate::Sandbox;

/// The gateway, for those who come from inside a sandbox. It is there when the server has started.
#[derive(Clone, Default)]
pub(crate) struct Front(Arc<OnceLock<Weak<Gateway>>>);

impl Front {
    pub(crate) fn open(&self, gateway: &Arc<Gateway>) {
        let _open_already = self.0.set(Arc::downgrade(gateway));
    }
}

/// The sandbox, and what it does, in a line.
pub(crate) fn start(
    sandbox: &Sandbox,
    cache: &Path,
    port: u16,
    front: &Front,
) -> io::Result<(Arc<dyn host::Sandbox>, String)> {
    match sandbox {
        Sandbox::None => {
            let none = sandbox_none::NoSandbox::start()?;
            Ok((Arc::new(none), "none: functions may do what this user may".to_owned()))
        }
        #[cfg(target_os = "linux")]
        Sandbox::Linux { program, args } => {
            let folder = cache.join("sandbox");
            std::fs::create_dir_all(&folder)?;
            let mut launcher = std::process::Command::new(program);
            launcher.args(args).arg(&folder);
            let config = sandbox_linux::Config { launcher, port, accept: front.accept() };
            let linux = sandbox_linux::LinuxSandbox::start(config)?;
            let level = linux.level().to_string();
            Ok((Arc::new(linux), level))
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
