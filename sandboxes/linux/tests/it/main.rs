//! The sandbox from outside.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

mod files;
mod life;
mod packs;
mod templates;
mod versions;
mod world;

use std::process::Command;
use std::sync::Arc;

use sandbox_linux::{Config, LinuxSandbox};

host::conformance!(suite, crate::sandbox);

/// A sandbox whose functions reach nobody: what they connect to is accepted and closed.
fn sandbox() -> LinuxSandbox {
    let folder = tempfile::tempdir().unwrap().keep();
    let mut launcher = Command::new(env!("CARGO_BIN_EXE_launcher"));
    launcher.arg(&folder);
    let accept = Arc::new(|listener| {
        let task = base::task::spawn("nobody", async move { drop(listener) });
        task.abort_handle()
    });
    LinuxSandbox::start(Config { launcher, port: 4566, accept, egress: host::Egress::default() })
        .unwrap()
}
