//! What sandboxes and slots tell of themselves, from their start to their end.

use std::fs;
use std::io;
use std::os::fd::{AsFd, OwnedFd};

use rustix::event::epoll;

use super::room::{Kind, Room, end};
use super::{GATE, KINDS, Launcher, complain};
use crate::egress;
use crate::limiter;
use crate::message::{self, Report};
use crate::notify::Listener;
use crate::sys;

impl Launcher {
    /// Progress of a sandbox on its way to the program.
    pub(super) fn hear_setup(&mut self, id: u64) -> io::Result<()> {
        let mut buffer = std::mem::take(&mut self.buffer);
        let heard = self.read_setup(id, &mut buffer);
        self.buffer = buffer;
        let failed = match heard {
            Ok(Setup::Goes) => return Ok(()),
            Ok(Setup::Runs) => return self.started(id),
            Ok(Setup::Failed(why)) => why,
            Err(error) => error.to_string(),
        };
        if let Some(room) = self.rooms.remove(&id) {
            end(&room);
            self.release(&room);
            self.forget(room)?;
        }
        self.refuse(id, &failed)
    }

    fn read_setup(&mut self, id: u64, buffer: &mut Vec<u8>) -> io::Result<Setup> {
        let Some(room) = self.rooms.get_mut(&id) else { return Ok(Setup::Goes) };
        let Kind::Sandbox { setup, listeners, template, .. } = &mut room.kind else {
            return Ok(Setup::Goes);
        };
        let Some(stream) = setup else { return Ok(Setup::Goes) };
        let heard = message::receive_bytes(&*stream, buffer)?;
        let mut gate = None;
        match &buffer[..heard.bytes] {
            b"" => {
                *setup = None;
                return Ok(Setup::Runs);
            }
            b"hello" => *listeners = heard.descriptors,
            b"gate" => gate = heard.descriptors.into_iter().next(),
            why => {
                let why = String::from_utf8_lossy(why);
                return Ok(Setup::Failed(why.trim_start_matches('!').to_owned()));
            }
        }
        let Some(gate) = gate else { return Ok(Setup::Goes) };
        if let Some(egress) = &self.egress {
            let order = egress::Order { id, template: template.as_ref().and(heard.pid) };
            message::send(egress, &order, &[gate.as_fd()])?;
        }
        if let Some(template) = template {
            if self.egress.is_none() {
                let data = epoll::EventData::new_u64(id * KINDS + GATE);
                epoll::add(&self.epoll, &gate, data, epoll::EventFlags::IN)?;
            }
            template.gate = Some(Listener::new(gate));
            template.pid = heard.pid.unwrap_or(0);
        }
        Ok(Setup::Goes)
    }

    /// Tells the server that a program runs.
    fn started(&mut self, id: u64) -> io::Result<()> {
        let Some(room) = self.rooms.get_mut(&id) else { return Ok(()) };
        room.started = true;
        let (mut listeners, mut is_template) = (Vec::new(), false);
        if let Kind::Sandbox { listeners: found, template, .. } = &mut room.kind {
            listeners = std::mem::take(found);
            is_template = template.is_some();
        }
        let pid = room.pid;
        if is_template {
            // It makes the first slot as soon as it has loaded its function.
            self.refill_later(id)?;
        }
        self.tell_started(id, pid, &listeners)
    }

    /// Tells the server that something runs, or ends it, where its descriptors cannot be sent: the
    /// kernel counts those on their way for the whole user.
    pub(super) fn tell_started(
        &mut self,
        id: u64,
        pid: i32,
        listeners: &[OwnedFd],
    ) -> io::Result<()> {
        let fds: Vec<_> = listeners.iter().map(AsFd::as_fd).collect();
        match message::send(&self.server, &Report::Started { id, pid }, &fds) {
            Err(error) if error.raw_os_error() == Some(libc::ETOOMANYREFS) => {
                if let Some(room) = self.rooms.get_mut(&id) {
                    room.started = false;
                }
                self.ended(id, None, Some(error.to_string()))
            }
            other => other,
        }
    }

    /// The first process of a room says something, or has ended.
    pub(super) fn hear_status(&mut self, id: u64) -> io::Result<()> {
        // What was said on the way there comes first. It is whole: nobody is left who could add to
        // it, unless this is the slot of a template.
        while let Some(Room { kind: Kind::Sandbox { setup: Some(_), .. }, .. }) =
            self.rooms.get(&id)
        {
            self.hear_setup(id)?;
        }
        let Some(room) = self.rooms.get_mut(&id) else { return Ok(()) };
        let mut buffer = std::mem::take(&mut self.buffer);
        let heard = message::receive_bytes(&room.status, &mut buffer);
        let (heard, text) = match heard {
            Ok(heard) => {
                let text = buffer[..heard.bytes].to_vec();
                (Some(heard), text)
            }
            // It ended with something of ours unread.
            Err(_) => (None, Vec::new()),
        };
        self.buffer = buffer;
        match (heard, text.as_slice()) {
            // Said once: what comes later may come from a function.
            (Some(heard), b"hello") if room.first.is_none() => self.admit(id, heard),
            (_, [b'!', why @ ..]) if !room.started => {
                let why = String::from_utf8_lossy(why).into_owned();
                self.ended(id, None, Some(why))
            }
            (_, [b'!', why @ ..]) => {
                // Of a slot that could not go on, or of a function that says so.
                let why = String::from_utf8_lossy(&why[..why.len().min(COMPLAINT_BYTES_MAX)]);
                complain(&format!("{id} ended: {why:?}"));
                self.ended(id, None, None)
            }
            (_, text) => {
                let status = <[u8; 4]>::try_from(text).ok().map(i32::from_ne_bytes);
                self.ended(id, status, None)
            }
        }
    }

    /// A room is empty, or about to be.
    pub(super) fn ended(
        &mut self,
        id: u64,
        status: Option<i32>,
        why: Option<String>,
    ) -> io::Result<()> {
        if let Some(Room { kind: Kind::Empty { .. }, .. }) = self.rooms.get(&id) {
            return self.lose_empty(id, why.as_deref().unwrap_or(NOT_THERE));
        }
        let Some(room) = self.rooms.remove(&id) else { return Ok(()) };
        end(&room);
        self.release(&room);
        let started = room.started;
        self.forget(room)?;
        match why {
            why if !started => self.refuse(id, why.as_deref().unwrap_or(NOT_THERE)),
            // Who says nothing was ended by a signal that leaves no time to.
            _ => self.report(&Report::Ended { id, status: status.unwrap_or(libc::SIGKILL) }),
        }
    }

    /// Tells the server that it does not get what it asked for.
    pub(super) fn refuse(&self, id: u64, why: &str) -> io::Result<()> {
        self.report(&Report::Failed { id, why: why.to_owned() })
    }

    /// Nothing is in a room any more that has to be limited.
    pub(super) fn release(&self, room: &Room) {
        self.order(&limiter::Order::Remove { id: room.group });
    }

    fn forget(&mut self, room: Room) -> io::Result<()> {
        let Kind::Sandbox { stage, template, .. } = room.kind else { return Ok(()) };
        if let Some(stage) = stage {
            for mount in ["task", "opt", "pack"] {
                let _not_mounted = sys::unmount(&stage.join(mount));
            }
            let _gone = sys::unmount(&stage).and_then(|()| fs::remove_dir_all(&stage));
        }
        template.map_or(Ok(()), |template| self.lose_template(template))
    }
}

/// How much of a complaint goes into the log.
const COMPLAINT_BYTES_MAX: usize = 1_000;
/// Why something is not there, if it does not say so itself.
const NOT_THERE: &str = "it ended before it was there";

/// How a sandbox is doing on its way to the program.
enum Setup {
    Goes,
    Runs,
    Failed(String),
}
