//! No confinement: for debugging, and for systems other than Linux.
//!
//! A function is a process of the server's user and can do what that user can. It has a process
//! group of its own, by which all it started is ended with it, except what leaves the group.

mod launcher;

use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::os::fd::{AsRawFd as _, BorrowedFd, FromRawFd as _, OwnedFd};
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Once};

use base::BoxFuture;
use host::{Dial, Launch, Limits, Process, Running, Sandbox, Shown};
use rustix::io::FdFlags;
use rustix::process::{Pid, Signal, kill_process_group};
use tokio::process::{Child, Command};

use crate::launcher::Launcher;

/// Where a worker finds its events and puts its replies.
const EVENTS_FD: i32 = 3;
const REPLIES_FD: i32 = 4;
/// Above the two: so that putting one in its place does not close the other.
const FD_MIN: i32 = 10;

/// Starts plain processes.
pub struct NoSandbox(Launcher);

impl NoSandbox {
    /// Must be called within a tokio runtime.
    ///
    /// # Errors
    /// If the thread that starts processes cannot be started.
    pub fn start() -> io::Result<NoSandbox> {
        Ok(NoSandbox(Launcher::start()?))
    }
}

impl Sandbox for NoSandbox {
    fn name(&self) -> &'static str {
        "none"
    }

    fn shown(&self, _: Shown, outside: &Path) -> PathBuf {
        outside.to_owned()
    }

    fn endpoint(&self, outside: &str) -> String {
        outside.to_owned()
    }

    fn hidden(&self) -> &'static [(&'static str, &'static str)] {
        &[]
    }

    fn shows_later(&self) -> bool {
        true
    }

    fn forks(&self) -> Result<(), String> {
        Err("there is no sandbox".to_owned())
    }

    fn launch(&self, launch: Launch) -> BoxFuture<'_, io::Result<Process>> {
        Box::pin(async move { self.0.run(move || start(&launch)).await? })
    }
}

fn start(launch: &Launch) -> io::Result<Process> {
    static INHERITED: Once = Once::new();
    INHERITED.call_once(keep_what_we_inherited);
    let (events_in, events) = io::pipe()?;
    let (replies, replies_out) = io::pipe()?;
    let (output, output_in) = io::pipe()?;
    // Any process of this machine can reach it: nothing is confined here.
    let runtime_api =
        launch.runtime_api.then(|| TcpListener::bind((Ipv4Addr::LOCALHOST, 0))).transpose()?;
    let mut command = Command::new(&launch.program);
    command
        .args(&launch.args)
        .env_clear()
        .envs(launch.env.iter().map(|(name, value)| (name, value)))
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(output_in.try_clone()?)
        .stderr(output_in)
        .process_group(0);
    if let Some(listener) = &runtime_api {
        command.env("AWS_LAMBDA_RUNTIME_API", listener.local_addr()?.to_string());
    }
    let events_in = rustix::io::fcntl_dupfd_cloexec(&events_in, FD_MIN)?;
    let replies_out = rustix::io::fcntl_dupfd_cloexec(&replies_out, FD_MIN)?;
    inherit(&mut command, events_in, replies_out);
    let child = command.spawn()?;
    let pid = child.id().ok_or_else(|| io::Error::other("the process has ended already"))?;
    Ok(Process {
        pid,
        events: events.into(),
        replies: replies.into(),
        output: output.into(),
        runtime_api,
        running: Box::new(Group(child)),
    })
}

/// What the server was started with, by a shell or a supervisor that left it open, is not for
/// functions. Everything the server opens by itself is marked so when it is opened.
#[expect(unsafe_code, reason = "these descriptors belong to nobody in this program")]
fn keep_what_we_inherited() {
    let Ok(entries) = std::fs::read_dir("/dev/fd") else { return };
    let numbers = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    for number in numbers.filter(|number: &i32| *number > 2) {
        // SAFETY: the number is used for this one call, which closes nothing. If it was closed
        // meanwhile the call fails; if it means another file by now, that is marked already.
        let open = unsafe { BorrowedFd::borrow_raw(number) };
        let _closed_meanwhile = rustix::io::fcntl_setfd(open, FdFlags::CLOEXEC);
    }
}

/// Gives the child its two pipes, and lets it end with us.
#[expect(unsafe_code, reason = "the standard library passes on no descriptors but the first three")]
fn inherit(command: &mut Command, events: OwnedFd, replies: OwnedFd) {
    let prepare = move || {
        for (from, to) in [(&events, EVENTS_FD), (&replies, REPLIES_FD)] {
            debug_assert!(from.as_raw_fd() >= FD_MIN, "duplicated above");
            // SAFETY: `to` is a number we give to `dup2` and never close: `forget` below. What was
            // open there belongs to the parent's threads, none of which exist in the child.
            let mut place = unsafe { OwnedFd::from_raw_fd(to) };
            let done = rustix::io::dup2(from, &mut place);
            std::mem::forget(place);
            done?;
        }
        // Sent when the thread that started us ends; the host keeps one for this purpose.
        #[cfg(target_os = "linux")]
        rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
        Ok(())
    };
    // SAFETY: between fork and exec only system calls are made; nothing allocates or locks.
    unsafe { command.pre_exec(prepare) };
}

/// A process that leads a process group.
struct Group(Child);

impl Running for Group {
    fn kill(&mut self) {
        // Once it was waited for, the number may be another's.
        let group = self.0.id().and_then(|pid| i32::try_from(pid).ok());
        if let Some(group) = group.and_then(Pid::from_raw) {
            // The only failure is that nothing is left of it.
            let _gone = kill_process_group(group, Signal::KILL);
        }
    }

    fn wait(&mut self) -> BoxFuture<'_, io::Result<ExitStatus>> {
        Box::pin(self.0.wait())
    }

    /// It sees the whole file system, and is not limited.
    fn assign<'a>(
        &'a mut self,
        _: &'a Path,
        _: &'a [PathBuf],
        _: Option<&'a Path>,
        _: Limits,
    ) -> BoxFuture<'a, io::Result<()>> {
        Box::pin(std::future::ready(Ok(())))
    }

    fn fork(&self, _: String, _: Limits) -> BoxFuture<'_, io::Result<Process>> {
        Box::pin(std::future::ready(Err(io::ErrorKind::Unsupported.into())))
    }

    /// Its network is the machine's.
    fn dial(&self) -> Dial {
        Arc::new(|port| {
            Box::pin(async move {
                let connected = tokio::net::TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await;
                connected.and_then(|stream| stream.into_std())
            })
        })
    }

    /// Whoever does without a sandbox does without this.
    fn freeze(&mut self, _: bool) {}
}

#[cfg(test)]
mod tests {
    host::conformance!(suite, || crate::NoSandbox::start().unwrap());
}
