//! What becomes of connections, from the real one's beginning to the end of both.

use std::io;
use std::os::fd::AsFd as _;

use rustix::event::epoll;

use super::flow::{self, Flow, Next, Stage};
use super::{FAR, Guarded, KINDS, OUTER, Server, Waiting, dns};

/// How long datagrams may pause, and the rest of a connection that one side has ended.
const PAUSE_SECONDS: u64 = 120;
/// How long an address is kept to which nothing was ever sent: C libraries connect to all they
/// could use, to know which of their own addresses they would.
const UNUSED_SECONDS: u64 = 5;

impl Server {
    /// One side of a connection has something to say.
    pub(super) fn hear_flow(&mut self, id: u64, kind: u64) {
        let Some(flow) = self.flows.get_mut(&id) else { return };
        match (flow.stage, kind) {
            (Stage::Opening, OUTER) => self.joining(id),
            (Stage::Joining, FAR) => self.joined(id),
            (Stage::Datagrams, FAR) if flow.outer.is_none() => self.begin_datagrams(id),
            (Stage::Open | Stage::Datagrams, _) => self.carry(id),
            _ => {}
        }
    }

    /// The real connection is there, or has failed.
    fn joining(&mut self, id: u64) {
        let Some(flow) = self.flows.get_mut(&id) else { return };
        let done = match flow.outcome() {
            Ok(()) => flow.join().map(|()| true),
            Err(error) => Err(error),
        };
        let failed = match done {
            Ok(_) => {
                let both = epoll::EventFlags::IN | epoll::EventFlags::OUT | epoll::EventFlags::ET;
                let data = epoll::EventData::new_u64(id * KINDS + FAR);
                match epoll::add(&self.epoll, &flow.far, data, both) {
                    Ok(()) => return,
                    Err(error) => error.into(),
                }
            }
            Err(error) => error,
        };
        let Some(flow) = self.forget(id) else { return };
        match self.waiting.remove(&id) {
            Some(Waiting { guarded, asked, .. }) => {
                if let Some(Guarded { listener, .. }) = self.guarded.get(&guarded) {
                    let error = failed.raw_os_error().unwrap_or(libc::ECONNREFUSED);
                    listener.answer(asked.id, error);
                }
            }
            // Its own connection passes its time as this one has.
            None if failed.raw_os_error() == Some(libc::ETIMEDOUT) => {}
            None => {
                let _it_is_gone = flow.refuse();
            }
        }
    }

    /// The function's connection is there, too.
    fn joined(&mut self, id: u64) {
        let Some(flow) = self.flows.get_mut(&id) else { return };
        let given = flow::joined(&flow.far).and_then(|()| {
            flow.stage = Stage::Open;
            let Some(Waiting { guarded, asked, cloexec }) = self.waiting.remove(&id) else {
                return Ok(());
            };
            let gone = || io::Error::from(io::ErrorKind::NotFound);
            let near = flow.near.as_ref().ok_or_else(gone)?;
            let Guarded { listener, .. } = self.guarded.get(&guarded).ok_or_else(gone)?;
            rustix::io::ioctl_fionbio(near, false)?;
            let at = u32::try_from(asked.args[0] & 0xffff_ffff).unwrap_or(u32::MAX);
            listener.put(asked.id, near.as_fd(), at, cloexec)?;
            if listener.answer(asked.id, 0) { Ok(()) } else { Err(gone()) }
        });
        flow.near = None;
        match given {
            Ok(()) => self.carry(id),
            Err(_) => self.drop_flow(id, true),
        }
    }

    /// The first datagram to an address.
    fn begin_datagrams(&mut self, id: u64) {
        let Some(flow) = self.flows.get_mut(&id) else { return };
        let mut one = [0];
        let peek = rustix::net::RecvFlags::PEEK;
        if rustix::net::recv(&flow.far, &mut one[..], peek).is_err() {
            return;
        }
        let made = flow::outside(flow.to, false).and_then(|outer| {
            rustix::net::connect(&outer, &flow.to)?;
            let both = epoll::EventFlags::IN | epoll::EventFlags::ET;
            let data = epoll::EventData::new_u64(id * KINDS + OUTER);
            epoll::add(&self.epoll, &outer, data, both)?;
            flow.outer = Some(outer);
            Ok(())
        });
        match made {
            Ok(()) => self.carry(id),
            Err(_) => self.drop_flow(id, true),
        }
    }

    /// The turn of a flow that had more to carry.
    pub(super) fn carry_again(&mut self, id: u64) {
        if let Some(flow) = self.flows.get_mut(&id) {
            flow.queued = false;
        }
        self.carry(id);
    }

    pub(super) fn carry(&mut self, id: u64) {
        let Some(flow) = self.flows.get_mut(&id) else { return };
        flow.last = self.now;
        match flow.carry(&mut self.scratch) {
            Ok(Next::Wait) => {}
            Ok(Next::Again) if flow.queued => {}
            Ok(Next::Again) => {
                flow.queued = true;
                self.again.push_back(id);
            }
            Ok(Next::Done) => self.drop_flow(id, false),
            Err(_) => self.drop_flow(id, true),
        }
    }

    fn forget(&mut self, id: u64) -> Option<Flow> {
        let flow = self.flows.remove(&id)?;
        if let Some(slot) = self.slots.get_mut(&flow.slot) {
            slot.flows = slot.flows.saturating_sub(1);
        }
        Some(flow)
    }

    pub(super) fn drop_flow(&mut self, id: u64, reset: bool) {
        if let Some(Waiting { guarded, asked, .. }) = self.waiting.remove(&id)
            && let Some(Guarded { listener, .. }) = self.guarded.get(&guarded)
        {
            listener.answer(asked.id, libc::ECONNRESET);
        }
        if let Some(flow) = self.forget(id)
            && reset
        {
            flow.reset();
        }
    }

    /// Ends what has passed its time.
    pub(super) fn expire(&mut self) {
        let now = self.now;
        let is_over = |flow: &Flow| {
            let pause = now.saturating_sub(flow.last);
            match flow.stage {
                Stage::Datagrams if flow.outer.is_none() => pause > UNUSED_SECONDS,
                Stage::Datagrams => pause > PAUSE_SECONDS,
                Stage::Open => flow.is_half() && pause > PAUSE_SECONDS,
                Stage::Opening | Stage::Joining => false,
            }
        };
        let over: Vec<u64> =
            self.flows.iter().filter(|(_, flow)| is_over(flow)).map(|(id, _)| *id).collect();
        over.into_iter().for_each(|id| self.drop_flow(id, true));
        self.questions.retain(|_, asked| now.saturating_sub(asked.since) <= dns::ANSWER_SECONDS);
    }
}
