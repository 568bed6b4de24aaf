//! What sandboxes and slots tell of themselves, from their start to their end.

use std::fs;
use std::io;
use std::os::fd::{AsFd, OwnedFd};

use rustix::event::epoll;
use rustix::process::{Pid, PidfdFlags};

use super::room::{Kind, Room, end};
use super::{GATE, KINDS, Launcher};
use crate::gate::Gate;
use crate::limiter;
use crate::message::{self, Report};
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
            self.forget(room);
        }
        self.report(&Report::Failed { id, why: failed })
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
        if let (Some(gate), Some(template)) = (gate, template) {
            let data = epoll::EventData::new_u64(id * KINDS + GATE);
            epoll::add(&self.epoll, &gate, data, epoll::EventFlags::IN)?;
            template.gate = Some(Gate::new(gate));
            template.pid = heard.pid.unwrap_or(0);
        }
        Ok(Setup::Goes)
    }

    /// Tells the server that a program runs.
    fn started(&mut self, id: u64) -> io::Result<()> {
        let Some(room) = self.rooms.get_mut(&id) else { return Ok(()) };
        room.started = true;
        let mut listeners = Vec::new();
        if let Kind::Sandbox { listeners: found, .. } = &mut room.kind {
            listeners = std::mem::take(found);
        }
        let pid = room.pid;
        self.tell_started(id, pid, &listeners)
    }

    /// Tells the server that something runs, or ends it, where its descriptors cannot be sent: the
    /// kernel counts those on their way for the whole user.
    fn tell_started(&mut self, id: u64, pid: i32, listeners: &[OwnedFd]) -> io::Result<()> {
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
            (Some(heard), b"hello") if room.first.is_none() => {
                self.admit(id, heard.pid, &heard.descriptors)
            }
            (_, [b'!', why @ ..]) if !room.started => {
                let why = String::from_utf8_lossy(why).into_owned();
                self.ended(id, None, Some(why))
            }
            (_, text) => {
                let status = <[u8; 4]>::try_from(text).ok().map(i32::from_ne_bytes);
                self.ended(id, status, None)
            }
        }
    }

    /// The first process of a new slot is there: it is limited, and goes on.
    fn admit(&mut self, id: u64, pid: Option<i32>, listeners: &[OwnedFd]) -> io::Result<()> {
        let Some(room) = self.rooms.get_mut(&id) else { return Ok(()) };
        let pid = pid.and_then(Pid::from_raw);
        let admitted =
            pid.ok_or_else(|| io::Error::other("it did not say who it is")).and_then(|pid| {
                room.first = Some(rustix::process::pidfd_open(pid, PidfdFlags::empty())?);
                room.pid = pid.as_raw_nonzero().get();
                rustix::io::write(&room.status, b"g")?;
                Ok(())
            });
        if let Err(error) = admitted {
            end(room);
            return self.ended(id, None, Some(error.to_string()));
        }
        room.started = true;
        let (pid, kind) = (room.pid, &room.kind);
        let limits = if let Kind::Slot { limits, .. } = kind { Some(*limits) } else { None };
        self.tell_started(id, pid, listeners)?;
        // Until then it is in its template's group.
        if let Some(limits) = limits {
            self.limit(id, pid, &limits, false);
        }
        Ok(())
    }

    /// A room is empty, or about to be.
    pub(super) fn ended(
        &mut self,
        id: u64,
        status: Option<i32>,
        why: Option<String>,
    ) -> io::Result<()> {
        let Some(room) = self.rooms.remove(&id) else { return Ok(()) };
        end(&room);
        let started = room.started;
        self.order(&limiter::Order::Remove { id });
        self.forget(room);
        match why {
            why if !started => {
                let why = why.unwrap_or_else(|| "it ended before it was there".into());
                self.report(&Report::Failed { id, why })
            }
            // Who says nothing was ended by a signal that leaves no time to.
            _ => self.report(&Report::Ended { id, status: status.unwrap_or(libc::SIGKILL) }),
        }
    }

    fn forget(&mut self, room: Room) {
        if let Kind::Slot { template, .. } = room.kind
            && let Some(of) = self.rooms.get_mut(&template)
            && let Kind::Sandbox { template: Some(of), .. } = &mut of.kind
            && !room.started
        {
            of.ordered = of.ordered.saturating_sub(1);
        }
        if let Kind::Sandbox { stage: Some(stage), .. } = &room.kind {
            for mount in ["task", "opt"] {
                let _not_mounted = sys::unmount(&stage.join(mount));
            }
            let _gone = sys::unmount(stage).and_then(|()| fs::remove_dir_all(stage));
        }
    }
}

/// How a sandbox is doing on its way to the program.
enum Setup {
    Goes,
    Runs,
    Failed(String),
}
