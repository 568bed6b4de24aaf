//! Slots of templates. Most of what a slot needs is made before there is an event for it: an
//! *empty* slot has its namespaces and limits, and waits to be filled with a copy of its template.

use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::time::Duration;

use fork::{Order, TEXT_BYTES_MAX};
use host::Limits;
use rustix::event::epoll;
use rustix::net::SocketType;
use rustix::process::{Pid, PidfdFlags};
use rustix::time::{Itimerspec, TimerfdTimerFlags, Timespec};

use super::room::{Kind, Room, end};
use super::{KINDS, Launcher, STATUS, pair};
use crate::message::{self, Heard};
use crate::notify::Listener;
use crate::root::{GID, UID};
use crate::seccomp::SLOT_NAMESPACES;

/// Process ids of slots: none is a template's, which is 2.
pub(super) const PIDS: std::ops::Range<u32> = 100..30_000;
/// Empty slots have numbers of ours; the server's numbers are below.
pub(super) const EMPTY_IDS: u64 = 1 << 48;
/// Empty slots of one template that are being made; the template has room for eight.
const MAKING_MAX: usize = 4;
/// When a slot was filled, the next is made so much later: the first has an event.
const REFILL_AFTER: Duration = Duration::from_millis(20);
/// How many empty slots are tried for one event: each may end just before it is filled.
const TRIES_MAX: u8 = 3;

/// What is known of a sandbox whose worker may be forked.
pub(super) struct Template {
    pub(super) control: OwnedFd,
    /// Where it asks for namespaces.
    pub(super) gate: Option<Listener>,
    /// Who may ask there.
    pub(super) pid: i32,
    /// How often it may make namespaces: once for each slot that was ordered.
    pub(super) permits: usize,
    /// What its slots are made with.
    made_with: MadeWith,
    /// Empty slots that are ready.
    empty: Vec<u64>,
    /// Empty slots that were ordered and have not said that they are there.
    making: usize,
    /// Empty slots that are there and have no limits of their own yet.
    limiting: usize,
    waiting: VecDeque<Fill>,
}

#[derive(Clone, Copy, PartialEq)]
pub(super) struct MadeWith {
    pub(super) limits: Limits,
    /// The port of its own 127.0.0.1 on which a slot reaches the server.
    pub(super) door: u16,
}

/// What makes an empty slot one of the server's.
pub(super) struct Fill {
    pub(super) id: u64,
    /// For the worker.
    pub(super) text: String,
    /// Events, replies, output.
    pub(super) descriptors: Vec<OwnedFd>,
    /// Empty slots that had ended when they were to be filled.
    pub(super) tries: u8,
}

impl Template {
    pub(super) fn new(control: OwnedFd, made_with: MadeWith) -> Template {
        Template {
            control,
            gate: None,
            pid: 0,
            permits: 0,
            made_with,
            empty: Vec::new(),
            making: 0,
            limiting: 0,
            waiting: VecDeque::new(),
        }
    }

    /// Whether those who wait are more than the slots that come.
    fn lacks_slots(&self) -> bool {
        self.making < MAKING_MAX && self.coming() < self.waiting.len()
    }

    fn coming(&self) -> usize {
        self.making + self.limiting
    }

    /// Lets a process make namespaces only for a slot that was ordered.
    pub(super) fn decide(&mut self, question: u64, pid: i32) {
        let Some(gate) = &self.gate else { return };
        if self.permits == 0 || pid != self.pid {
            gate.answer(question, libc::EPERM);
        } else if gate.go_on(question) {
            self.permits -= 1;
        }
    }
}

fn template_gone() -> io::Error {
    io::Error::other("the template has ended")
}

impl Launcher {
    pub(super) fn template(&mut self, id: u64) -> Option<&mut Template> {
        match &mut self.rooms.get_mut(&id)?.kind {
            Kind::Sandbox { template, .. } => template.as_mut(),
            Kind::Empty { .. } | Kind::Slot => None,
        }
    }

    /// Makes a slot of a template.
    pub(super) fn fork(&mut self, template: u64, with: MadeWith, fill: Fill) -> io::Result<()> {
        if fill.text.is_empty() || fill.text.len() > TEXT_BYTES_MAX {
            return Err(io::Error::other("a worker is told 1 byte to 64 KB"));
        }
        let of = self.template(template).ok_or_else(template_gone)?;
        of.waiting.push_back(fill);
        if std::mem::replace(&mut of.made_with, with) != with {
            for id in std::mem::take(&mut of.empty) {
                self.discard(id);
            }
        }
        self.supply(template)
    }

    /// Gives those who wait for a slot what is there, and orders what is not.
    fn supply(&mut self, template: u64) -> io::Result<()> {
        while let Some(of) = self.template(template)
            && !of.waiting.is_empty()
            && let Some(empty) = of.empty.pop()
            && let Some(fill) = of.waiting.pop_front()
        {
            self.fill(template, empty, fill)?;
        }
        while self.template(template).is_some_and(|of| of.lacks_slots()) {
            if let Err(error) = self.order_empty(template) {
                let why = error.to_string();
                self.refuse_one(template, &why)?;
                return self.refuse_all_if_none_comes(template, &why);
            }
        }
        Ok(())
    }

    /// Has a template make an empty slot.
    fn order_empty(&mut self, template: u64) -> io::Result<()> {
        let pid = self.next_pid;
        self.next_pid = if pid + 1 == PIDS.end { PIDS.start } else { pid + 1 };
        let (status, inside) = pair(SocketType::SEQPACKET)?;
        rustix::net::sockopt::set_socket_passcred(&status, true)?;
        let confined = self.level.namespaces.is_ok();
        let made_with = self.template(template).map(|of| of.made_with);
        let MadeWith { limits, door } = made_with.ok_or_else(template_gone)?;
        let order = Order {
            namespaces: if confined { SLOT_NAMESPACES } else { 0 },
            uid: UID,
            gid: GID,
            pid,
            tmp_bytes: limits.tmp_bytes,
            processes_max: limits.processes_max,
            door: door.into(),
        };
        let id = self.next_empty;
        self.next_empty += 1;
        // First, as whoever is counted as being made must be heard of.
        self.watch(&status, id, STATUS)?;
        let of = self.template(template).ok_or_else(template_gone)?;
        message::send_bytes(&of.control, &order.encode(), &[inside.as_fd()])?;
        of.making += 1;
        of.permits += 1;
        let kind = Kind::Empty { template, door: Vec::new() };
        self.rooms.insert(id, Room::new(id, status, kind));
        Ok(())
    }

    /// The first process of an empty slot is there. It is of use when it has limits of its own:
    /// until then it is in its template's group, and what an event takes stays counted there. That
    /// takes 10 ms to 20 ms at most where nobody has moved lately, and a tenth of one in a burst.
    pub(super) fn admit(&mut self, id: u64, heard: Heard) -> io::Result<()> {
        let Some(room) = self.rooms.get_mut(&id) else { return Ok(()) };
        let Kind::Empty { template, door } = &mut room.kind else { return Ok(()) };
        let template = *template;
        *door = heard.descriptors;
        let opened = heard.pid.and_then(Pid::from_raw).map(|pid| {
            room.pid = pid.as_raw_nonzero().get();
            rustix::process::pidfd_open(pid, PidfdFlags::empty())
        });
        let pid = room.pid;
        match opened {
            Some(Ok(first)) => room.first = Some(first),
            Some(Err(error)) => return self.lose_empty(id, &error.to_string()),
            None => return self.lose_empty(id, "it did not say who it is"),
        }
        let Some(of) = self.template(template) else {
            self.discard(id);
            return Ok(());
        };
        of.making = of.making.saturating_sub(1);
        // Who said so without having asked may not ask later.
        of.permits = of.permits.min(of.making);
        of.limiting += 1;
        let urgent = !of.waiting.is_empty();
        let limits = of.made_with.limits;
        match self.limit(id, pid, &limits, urgent) {
            true => self.supply(template),
            false => self.offer(id),
        }
    }

    /// An empty slot lacks nothing but an event.
    pub(super) fn offer(&mut self, id: u64) -> io::Result<()> {
        let Some(Room { kind: Kind::Empty { template, .. }, .. }) = self.rooms.get(&id) else {
            return Ok(());
        };
        let template = *template;
        let Some(of) = self.template(template) else {
            self.discard(id);
            return Ok(());
        };
        of.limiting = of.limiting.saturating_sub(1);
        of.empty.push(id);
        self.supply(template)
    }

    /// Makes an empty slot that of an event.
    fn fill(&mut self, template: u64, empty: u64, mut fill: Fill) -> io::Result<()> {
        let Some(mut room) = self.rooms.remove(&empty) else { return Ok(()) };
        let fds: Vec<_> = fill.descriptors.iter().map(OwnedFd::as_fd).collect();
        let filled = message::send_bytes(&room.status, fill.text.as_bytes(), &fds);
        let id = fill.id;
        let data = epoll::EventData::new_u64(id * KINDS + STATUS);
        let moved = filled.and_then(|()| {
            Ok(epoll::modify(&self.epoll, &room.status, data, epoll::EventFlags::IN)?)
        });
        if let Err(error) = moved {
            end(&room);
            self.release(&room);
            // It was ended while it waited: another will do, unless that is what all of them do.
            fill.tries += 1;
            let ended = matches!(error.raw_os_error(), Some(libc::EPIPE | libc::ECONNRESET));
            if ended && fill.tries < TRIES_MAX {
                if let Some(of) = self.template(template) {
                    of.waiting.push_front(fill);
                }
                return Ok(());
            }
            return self.refuse(id, &error.to_string());
        }
        let door = match std::mem::replace(&mut room.kind, Kind::Slot) {
            Kind::Empty { door, .. } => door,
            _ => Vec::new(),
        };
        room.started = true;
        let pid = room.pid;
        self.rooms.insert(id, room);
        self.refill_later(template)?;
        self.tell_started(id, pid, &door)
    }

    /// An empty slot has ended, or could not be made.
    pub(super) fn lose_empty(&mut self, id: u64, why: &str) -> io::Result<()> {
        let Some(room) = self.rooms.get(&id) else { return Ok(()) };
        let Kind::Empty { template, .. } = room.kind else { return Ok(()) };
        let is_there = room.first.is_some();
        self.discard(id);
        let Some(of) = self.template(template) else { return Ok(()) };
        let ready = of.empty.len();
        of.empty.retain(|empty| *empty != id);
        if of.empty.len() < ready {
            return Ok(());
        }
        let coming = if is_there { &mut of.limiting } else { &mut of.making };
        *coming = coming.saturating_sub(1);
        of.permits = of.permits.min(of.making);
        self.refuse_one(template, why)?;
        self.supply(template)
    }

    /// Whoever waited longest for a slot of this template gets none.
    fn refuse_one(&mut self, template: u64, why: &str) -> io::Result<()> {
        let waited = self.template(template).and_then(|of| of.waiting.pop_front());
        waited.map_or(Ok(()), |fill| self.refuse(fill.id, why))
    }

    /// Where no slot is being made, nothing would ever tell those who wait for one.
    fn refuse_all_if_none_comes(&mut self, template: u64, why: &str) -> io::Result<()> {
        while self.template(template).is_some_and(|of| of.coming() == 0 && !of.waiting.is_empty()) {
            self.refuse_one(template, why)?;
        }
        Ok(())
    }

    fn discard(&mut self, id: u64) {
        if let Some(room) = self.rooms.remove(&id) {
            end(&room);
            self.release(&room);
        }
    }

    /// A template has ended: so have its slots, and nobody gets one any more.
    pub(super) fn lose_template(&mut self, template: Template) -> io::Result<()> {
        for id in template.empty {
            self.discard(id);
        }
        for fill in template.waiting {
            self.refuse(fill.id, "the template has ended")?;
        }
        Ok(())
    }

    /// Whether somebody waited for this slot, who does no more.
    pub(super) fn cancel(&mut self, id: u64) {
        for room in self.rooms.values_mut() {
            if let Kind::Sandbox { template: Some(of), .. } = &mut room.kind {
                of.waiting.retain(|fill| fill.id != id);
            }
        }
    }

    /// Has a template make an empty slot before an event asks for one, but not at once.
    pub(super) fn refill_later(&mut self, template: u64) -> io::Result<()> {
        if self.refills.contains(&template) {
            return Ok(());
        }
        if self.refills.is_empty() {
            let after = Timespec { tv_sec: 0, tv_nsec: i64::from(REFILL_AFTER.subsec_nanos()) };
            let never = Timespec { tv_sec: 0, tv_nsec: 0 };
            let once = Itimerspec { it_interval: never, it_value: after };
            rustix::time::timerfd_settime(&self.timer, TimerfdTimerFlags::empty(), &once)?;
        }
        self.refills.push(template);
        Ok(())
    }

    /// Orders what was put off.
    pub(super) fn refill(&mut self) -> io::Result<()> {
        let _expirations = rustix::io::read(&self.timer, &mut [0; 8])?;
        for template in std::mem::take(&mut self.refills) {
            if let Some(of) = self.template(template)
                && of.empty.is_empty()
                && of.coming() == 0
            {
                // Nobody waits for it: whoever comes next is told what is wrong.
                let _not_ahead = self.order_empty(template);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::path::PathBuf;
    use std::process::Command;

    use rustix::event::epoll;
    use rustix::time::{TimerfdClockId, TimerfdFlags, timerfd_create};

    use super::*;
    use crate::level::Level;
    use crate::limiter::Added;
    use crate::message::Report;
    use crate::seccomp::Filters;

    const TEMPLATE: u64 = 1;

    /// A launcher with one template, the server's end of its socket, and the template's.
    fn launcher() -> (Launcher, OwnedFd, OwnedFd) {
        let (server, reports) = pair(SocketType::SEQPACKET).unwrap();
        let (control, orders) = pair(SocketType::SEQPACKET).unwrap();
        let level = Level { namespaces: Err(String::new()), landlock: 0, cgroups: None };
        let (status, _) = pair(SocketType::STREAM).unwrap();
        let kind = Kind::Sandbox {
            setup: None,
            listeners: Vec::new(),
            stage: None,
            reserved_bytes: 0,
            template: Some(Template::new(control, with())),
        };
        let launcher = Launcher {
            server,
            epoll: epoll::create(epoll::CreateFlags::CLOEXEC).unwrap(),
            level,
            filters: Filters::compile(false).unwrap(),
            limiter: None,
            egress: None,
            folder: PathBuf::new(),
            rooms: HashMap::from([(TEMPLATE, Room::new(TEMPLATE, status, kind))]),
            buffer: Vec::new(),
            next_pid: PIDS.start,
            next_empty: EMPTY_IDS,
            timer: timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::CLOEXEC).unwrap(),
            refills: Vec::new(),
            uids: None,
        };
        (launcher, reports, orders)
    }

    fn with() -> MadeWith {
        MadeWith { limits: Limits::default(), door: 1 }
    }

    fn fill(id: u64) -> Fill {
        Fill { id, text: "{}".into(), descriptors: Vec::new(), tries: 0 }
    }

    fn making(launcher: &mut Launcher) -> (usize, usize) {
        let of = launcher.template(TEMPLATE).unwrap();
        (of.making, of.permits)
    }

    /// Whom the launcher has refused. It ends with this.
    fn refused(launcher: Launcher, reports: &OwnedFd) -> Vec<u64> {
        drop(launcher);
        let mut buffer = Vec::new();
        let mut refused = Vec::new();
        while let Ok(Some((report, _))) = message::receive(reports, &mut buffer) {
            match report {
                Report::Failed { id, .. } => refused.push(id),
                other => panic!("{other:?}"),
            }
        }
        refused
    }

    #[test]
    fn a_template_whose_slots_end_at_once_is_not_asked_for_ever() {
        let (mut launcher, reports, orders) = launcher();
        launcher.fork(TEMPLATE, with(), fill(7)).unwrap();
        let mut buffer = Vec::new();
        for time in 0..u64::from(TRIES_MAX) {
            assert_eq!(making(&mut launcher), (1, 1), "{time}");
            drop(message::receive_bytes(&orders, &mut buffer).unwrap());
            let mut first = Command::new("sleep").arg("60").spawn().unwrap();
            let pid = i32::try_from(first.id()).ok();
            let heard = Heard { bytes: 5, descriptors: Vec::new(), pid };
            launcher.admit(EMPTY_IDS + time, heard).unwrap();
            assert!(!first.wait().unwrap().success(), "it is ended");
        }
        assert_eq!(making(&mut launcher), (0, 0));
        assert_eq!(refused(launcher, &reports), [7]);
    }

    #[test]
    fn all_who_wait_are_refused_when_no_slot_can_be_ordered() {
        let (mut launcher, reports, orders) = launcher();
        for id in 0..12 {
            launcher.fork(TEMPLATE, with(), fill(id)).unwrap();
        }
        assert_eq!(making(&mut launcher), (4, 4));
        drop(orders);
        for empty in 0..4 {
            launcher.lose_empty(EMPTY_IDS + empty, "lost").unwrap();
        }
        assert_eq!(making(&mut launcher), (0, 0));
        assert_eq!(refused(launcher, &reports), (0..12).collect::<Vec<_>>());
    }

    /// A slot that was ordered for an event is there, and the limiter says how it went.
    fn limited(error: Option<String>) -> (Launcher, OwnedFd) {
        let (mut launcher, reports, orders) = launcher();
        let (ours, limiter) = pair(SocketType::SEQPACKET).unwrap();
        launcher.limiter = Some(ours);
        launcher.fork(TEMPLATE, with(), fill(7)).unwrap();
        let mut buffer = Vec::new();
        let _slot = message::receive_bytes(&orders, &mut buffer).unwrap();
        let mut first = Command::new("sleep").arg("60").spawn().unwrap();
        let pid = i32::try_from(first.id()).ok();
        let heard = Heard { bytes: 5, descriptors: Vec::new(), pid };
        launcher.admit(EMPTY_IDS, heard).unwrap();
        let of = launcher.template(TEMPLATE).unwrap();
        assert_eq!((of.making, of.limiting, of.waiting.len()), (0, 1, 1), "no event yet");
        message::send(&limiter, &Added { id: EMPTY_IDS, error }, &[]).unwrap();
        launcher.hear_limiter().unwrap();
        assert_eq!(launcher.template(TEMPLATE).unwrap().coming(), 0);
        first.kill().unwrap();
        first.wait().unwrap();
        (launcher, reports)
    }

    #[test]
    fn an_event_begins_when_its_slot_is_limited() {
        let (launcher, reports) = limited(None);
        drop(launcher);
        let told = message::receive(&reports, &mut Vec::new()).unwrap();
        assert!(matches!(told, Some((Report::Started { id: 7, .. }, _))), "{told:?}");
    }

    #[test]
    fn a_slot_that_cannot_be_limited_gets_no_event() {
        let (launcher, reports) = limited(Some("no".into()));
        assert!(!launcher.rooms.contains_key(&EMPTY_IDS));
        assert_eq!(refused(launcher, &reports), [7]);
    }

    #[test]
    fn what_cannot_be_watched_is_not_counted() {
        let (mut launcher, reports, _orders) = launcher();
        // No epoll at all.
        launcher.epoll = pair(SocketType::STREAM).unwrap().0;
        launcher.fork(TEMPLATE, with(), fill(7)).unwrap();
        assert_eq!(making(&mut launcher), (0, 0));
        assert_eq!(refused(launcher, &reports), [7]);
    }
}
