//! Debuggers: for each function that is debugged, one port of this machine, behind which is the
//! debugger of whichever environment the function has at the moment.
//!
//! What a debugger and its program say to each other passes through here unchanged, and is listened
//! to: while the program is stopped at a breakpoint, no time passes for the event that runs.

mod adapter;
mod frames;
mod inspector;
mod pauses;
mod relay;

use std::collections::HashMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::Arc;

use base::{Clock, task};
use serde::Deserialize;
use tokio::sync::watch;

use crate::FunctionSpec;
use crate::sandbox::Dial;

pub(crate) use pauses::{Pauses, Timer};

/// What a program that is debugged may use besides what its function may: the debugger itself.
pub(crate) const DEBUGGER_BYTES: u64 = 256 << 20;

/// What debuggers of a language speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Language {
    /// The protocol of Chrome's developer tools, over a websocket.
    Inspector,
    /// The Debug Adapter Protocol.
    Adapter,
}

/// A function that is to be debugged.
#[derive(Debug, Clone)]
pub struct Debugged {
    /// As it is deployed: all versions of it.
    pub function: String,
    /// `nodejs20.x`.
    pub runtime: String,
    /// The port of this machine; the usual one of the language if none is given, or the first one
    /// behind it that nobody asked for.
    pub port: Option<u16>,
}

/// Where a function can be debugged.
#[derive(Clone)]
pub struct Door {
    pub function: String,
    pub address: SocketAddr,
    pub language: Language,
    up: watch::Receiver<Up>,
}

/// What an environment that can be debugged knows of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inside {
    /// Of its debugger's address: `/0ab1…`; empty where that has none.
    pub path: String,
    /// Where the function finds its code.
    pub code: PathBuf,
}

type Up = Option<Arc<Debuggee>>;

impl Door {
    /// The environment that can be debugged now.
    pub fn now(&mut self) -> Option<Inside> {
        self.up.borrow_and_update().as_ref().map(|debuggee| debuggee.inside.clone())
    }

    /// Waits until another environment than the last time can be debugged. `None` when the host is
    /// gone.
    pub async fn opened(&mut self) -> Option<Inside> {
        loop {
            self.up.changed().await.ok()?;
            if let Some(debuggee) = &*self.up.borrow_and_update() {
                return Some(debuggee.inside.clone());
            }
        }
    }
}

/// All functions that are debugged.
#[derive(Default)]
pub(crate) struct Debuggers {
    by_function: HashMap<String, Debugger>,
    /// Closes every connection, for good.
    closing: watch::Sender<bool>,
}

/// One of them.
pub(crate) struct Debugger {
    up: watch::Sender<Up>,
}

/// An environment that can be debugged.
pub(crate) struct Debuggee {
    dial: Dial,
    /// Of its own 127.0.0.1.
    port: u16,
    inside: Inside,
    language: Language,
    pub(crate) pauses: Arc<Pauses>,
}

/// Held by the environment: no debugger is led there any more when it is dropped.
pub(crate) struct Opened {
    up: watch::Sender<Up>,
    pub(crate) debuggee: Arc<Debuggee>,
}

impl Drop for Opened {
    fn drop(&mut self) {
        let ours = |up: &Up| up.as_ref().is_some_and(|up| Arc::ptr_eq(up, &self.debuggee));
        self.up.send_if_modified(|up| ours(up).then(|| *up = None).is_some());
    }
}

impl Debuggers {
    /// Listens for debuggers of these functions; the usual port of each is given.
    ///
    /// # Errors
    /// If a port is in use: which.
    pub(crate) fn listen(
        wanted: Vec<(Debugged, Language, u16)>,
    ) -> Result<(Debuggers, Vec<Door>), String> {
        let debuggers = Debuggers::default();
        let mut given: Vec<u16> = wanted.iter().filter_map(|(one, ..)| one.port).collect();
        let mut by_function = HashMap::new();
        let mut doors = Vec::new();
        for (Debugged { function, port, .. }, language, usual) in wanted {
            let port = port.unwrap_or_else(|| {
                let free = (usual..u16::MAX).find(|port| !given.contains(port)).unwrap_or(usual);
                given.push(free);
                free
            });
            let failed = |error: io::Error| {
                format!(
                    "port {port} cannot be listened on for debuggers of {function}: {error}\n\
                     help: give another with --debug {function}=PORT (0 takes a free one)"
                )
            };
            let listener = listen(port).map_err(failed)?;
            let address = listener.local_addr().map_err(failed)?;
            let (up, seen) = watch::channel(None);
            let closing = debuggers.closing.subscribe();
            task::spawn("host.debugger", relay::serve(listener, seen.clone(), closing));
            doors.push(Door { function: function.clone(), address, language, up: seen });
            by_function.insert(function, Debugger { up });
        }
        Ok((Debuggers { by_function, ..debuggers }, doors))
    }

    pub(crate) fn find(&self, spec: &FunctionSpec) -> Option<&Debugger> {
        self.by_function.get(&spec.name)
    }

    /// Lets go of all programs: those that were stopped go on.
    pub(crate) fn close(&self) {
        self.closing.send_replace(true);
    }
}

fn listen(port: u16) -> io::Result<tokio::net::TcpListener> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))?;
    listener.set_nonblocking(true)?;
    tokio::net::TcpListener::from_std(listener)
}

impl Debugger {
    /// Leads debuggers to an environment, whose debugger listens at a port of its own 127.0.0.1.
    pub(crate) fn open(
        &self,
        clock: &Arc<dyn Clock>,
        dial: Dial,
        language: Language,
        port: u16,
        inside: Inside,
    ) -> Opened {
        let pauses = Arc::new(Pauses::new(Arc::clone(clock)));
        let debuggee = Arc::new(Debuggee { dial, port, inside, language, pauses });
        self.up.send_replace(Some(Arc::clone(&debuggee)));
        Opened { up: self.up.clone(), debuggee }
    }
}
