//! What the launcher knows of each sandbox and slot, and how it ends one.

use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;

use rustix::process::Signal;

use super::slots::Template;

/// A sandbox or a slot.
pub(super) struct Room {
    pub(super) status: OwnedFd,
    /// The first process, by which all of it is ended.
    pub(super) first: Option<OwnedFd>,
    pub(super) pid: i32,
    /// The number of its cgroup.
    pub(super) group: u64,
    pub(super) kind: Kind,
    pub(super) frozen: bool,
    /// The server knows it.
    pub(super) started: bool,
}

pub(super) enum Kind {
    Sandbox {
        setup: Option<UnixStream>,
        listeners: Vec<OwnedFd>,
        stage: Option<PathBuf>,
        reserved_bytes: u64,
        template: Option<Template>,
    },
    /// A slot that waits for an event.
    Empty {
        template: u64,
        door: Vec<OwnedFd>,
    },
    Slot,
}

impl Room {
    /// A room of which nobody has heard yet.
    pub(super) fn new(group: u64, status: OwnedFd, kind: Kind) -> Room {
        Room { status, first: None, pid: 0, group, kind, frozen: false, started: false }
    }
}

/// Ends what a room is for. Its first process says how that ended, and then it ends with all else:
/// the worker may have ended by itself before.
pub(super) fn ask_to_end(room: &Room) {
    match &room.first {
        Some(first) => {
            if room.frozen {
                crate::processes::freeze(room.pid, false);
            }
            crate::processes::kill_descendants(room.pid);
            let _gone = rustix::process::pidfd_send_signal(first, Signal::TERM);
        }
        None => end(room),
    }
}

/// Ends the first process of a room, and with it the kernel ends all of it. Where there are no
/// namespaces, everything that descends from it.
pub(super) fn end(room: &Room) {
    if room.frozen {
        crate::processes::freeze(room.pid, false);
    }
    if let Some(first) = &room.first {
        crate::processes::kill_descendants(room.pid);
        let _gone = rustix::process::pidfd_send_signal(first, Signal::KILL);
    }
}
