//! What server and launcher say to each other: JSON over a socket that keeps messages apart, with
//! descriptors beside it.

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::PathBuf;

use host::{Egress, Limits};
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags,
};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// The longest message: environments are at most a few kilobytes, arguments less.
pub(crate) const MESSAGE_BYTES_MAX: usize = 128 * 1024;
/// Descriptors with one message.
const DESCRIPTORS_MAX: usize = 8;

/// What the server wants. Each is about a sandbox or slot, by a number of the server's choice.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Request {
    /// Said once, first of all: where functions may connect to.
    Begin { egress: Egress },
    /// Start a program in a sandbox of its own. Descriptors: events, replies, output.
    Launch(Box<Launch>),
    /// Show a program its code.
    Assign { id: u64, code: PathBuf, layers: Vec<PathBuf>, pack: Option<PathBuf>, limits: Limits },
    /// Make a slot of a template. Descriptors as of a launch; `text` is for the worker.
    Fork { id: u64, template: u64, text: String, limits: Limits, door: u16 },
    /// Let it have no processor, or have it again.
    Freeze { id: u64, frozen: bool },
    /// Connect to a port of the 127.0.0.1 of a sandbox. Answered by `Started`, with the connection.
    Dial { id: u64, room: u64, port: u16 },
    /// End it and all it started.
    Kill { id: u64 },
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Launch {
    pub(crate) id: u64,
    pub(crate) program: PathBuf,
    pub(crate) args: Vec<String>,
    pub(crate) env: Vec<(String, String)>,
    pub(crate) folders: Vec<PathBuf>,
    /// Our bootstraps, outside.
    pub(crate) runtimes: PathBuf,
    pub(crate) code: Option<PathBuf>,
    pub(crate) layers: Vec<PathBuf>,
    pub(crate) pack: Option<PathBuf>,
    pub(crate) template: bool,
    pub(crate) limits: Limits,
    pub(crate) reserved_bytes: u64,
    /// The port of its own 127.0.0.1 on which it reaches the server. Where there are no namespaces
    /// it has no network of its own, and needs none.
    pub(crate) door: u16,
    pub(crate) runtime_api: bool,
}

/// What the launcher answers or reports.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Report {
    /// The launcher is up, and this is what it can do.
    Ready(crate::level::Level),
    /// It runs. Descriptors: the listeners of its door and its Runtime API, as far as it has them.
    Started {
        id: u64,
        pid: i32,
    },
    Assigned {
        id: u64,
    },
    /// What was asked for could not be done.
    Failed {
        id: u64,
        why: String,
    },
    /// It has ended, and all it started with it.
    Ended {
        id: u64,
        status: i32,
    },
}

/// Sends a message. Blocks while the other side is behind.
pub(crate) fn send(
    to: impl AsFd,
    message: &impl Serialize,
    descriptors: &[BorrowedFd<'_>],
) -> io::Result<()> {
    let bytes = serde_json::to_vec(message)?;
    send_bytes(to, &bytes, descriptors)
}

pub(crate) fn send_bytes(
    to: impl AsFd,
    bytes: &[u8],
    descriptors: &[BorrowedFd<'_>],
) -> io::Result<()> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTORS_MAX))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    if !descriptors.is_empty() && !ancillary.push(SendAncillaryMessage::ScmRights(descriptors)) {
        return Err(io::Error::other("too many descriptors"));
    }
    let parts = [io::IoSlice::new(bytes)];
    loop {
        match rustix::net::sendmsg(&to, &parts, &mut ancillary, SendFlags::NOSIGNAL) {
            Ok(_) => return Ok(()),
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// Takes the next message; `None` when the other side is gone.
pub(crate) fn receive<T: DeserializeOwned>(
    from: impl AsFd,
    buffer: &mut Vec<u8>,
) -> io::Result<Option<(T, Vec<OwnedFd>)>> {
    let heard = receive_bytes(from, buffer)?;
    if heard.bytes == 0 {
        return Ok(None);
    }
    Ok(Some((serde_json::from_slice(&buffer[..heard.bytes])?, heard.descriptors)))
}

/// What came over a socket.
pub(crate) struct Heard {
    pub(crate) bytes: usize,
    pub(crate) descriptors: Vec<OwnedFd>,
    /// Who sent it, where the socket was told to ask.
    pub(crate) pid: Option<i32>,
}

pub(crate) fn receive_bytes(from: impl AsFd, buffer: &mut Vec<u8>) -> io::Result<Heard> {
    let mut space =
        [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTORS_MAX), ScmCredentials(1))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    buffer.resize(MESSAGE_BYTES_MAX, 0);
    let mut parts = [io::IoSliceMut::new(buffer)];
    let flags = RecvFlags::CMSG_CLOEXEC;
    let bytes = loop {
        match rustix::net::recvmsg(&from, &mut parts, &mut ancillary, flags) {
            Ok(got) => break got.bytes,
            Err(rustix::io::Errno::INTR) => {}
            // It ended with something of ours unread.
            Err(rustix::io::Errno::CONNRESET) => break 0,
            Err(error) => return Err(error.into()),
        }
    };
    let mut heard = Heard { bytes, descriptors: Vec::new(), pid: None };
    for message in ancillary.drain() {
        match message {
            RecvAncillaryMessage::ScmRights(fds) => heard.descriptors.extend(fds),
            RecvAncillaryMessage::ScmCredentials(who) => {
                heard.pid = Some(who.pid.as_raw_nonzero().get());
            }
            _ => {}
        }
    }
    Ok(heard)
}
