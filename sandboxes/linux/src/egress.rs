//! The process through which functions reach other networks, where that is allowed.
//!
//! A function's network stays empty. When it connects to an address outside, the kernel asks here
//! (`seccomp.rs`). What may be reached is connected to in the machine's network, and carried
//! (`flow.rs`). The function gets a socket of its own network whose other end is ours: nothing
//! that was made outside is ever inside, so there is nothing to misuse. For the same reason all
//! other calls may go on whatever their arguments have become: the network they are made in leads
//! nowhere.
//!
//! One thread serves all slots in turn, one question or some reads at a time; another makes sockets
//! inside of slots (`inside.rs`), and a third closes what functions share (`closer.rs`).

mod caller;
mod closer;
mod dns;
mod flow;
mod flows;
mod inside;
mod route;
mod slot;

use std::collections::{HashMap, VecDeque};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsFd, OwnedFd};

use host::Egress;
use rustix::event::{Timespec, epoll};
use rustix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Serialize};

use self::caller::Socket;
use self::closer::Closer;
use self::flow::{Flow, Stage};
use self::inside::Inside;
use self::route::Way;
use self::slot::Slot;
use crate::launcher::complain;
use crate::message;
use crate::notify::{Listener, Question};

/// What an epoll event is about: a number, and of what.
const KINDS: u64 = 8;
const LAUNCHER: u64 = 0;
const LISTENER: u64 = 1;
const END: u64 = 2;
const FAR: u64 = 3;
const OUTER: u64 = 4;
const NAMES: u64 = 5;
const ANSWER: u64 = 6;

const EVENTS_MAX: usize = 64;
/// How much is read at once, of whichever connection: the longest datagram.
const SCRATCH_BYTES: usize = 64 << 10;
/// Connections of one slot: half of what it may have open.
const FLOWS_PER_SLOT_MAX: usize = 512;

/// What the launcher wants: the questions about a sandbox and its slots answered. Descriptor: the
/// listener.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Order {
    pub(crate) id: u64,
    /// The one who may ask the launcher for namespaces, if anybody.
    pub(crate) template: Option<i32>,
}

/// A template asks for namespaces; the launcher answers, itself.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Asked {
    pub(crate) id: u64,
    pub(crate) question: u64,
    pub(crate) pid: i32,
}

struct Guarded {
    listener: Listener,
    template: Option<i32>,
}

/// A function that waits for its connection to be made.
struct Waiting {
    guarded: u64,
    asked: Question,
    cloexec: bool,
}

struct Server {
    rules: Egress,
    launcher: OwnedFd,
    epoll: OwnedFd,
    closer: Closer,
    inside: Inside,
    guarded: HashMap<u64, Guarded>,
    slots: HashMap<u64, Slot>,
    flows: HashMap<u64, Flow>,
    waiting: HashMap<u64, Waiting>,
    questions: HashMap<u64, dns::Question>,
    /// Flows with more to carry, each once.
    again: VecDeque<u64>,
    next: u64,
    scratch: Vec<u8>,
    buffer: Vec<u8>,
    /// Seconds since some time.
    now: u64,
    looked: u64,
}

/// Serves until the launcher is gone.
pub(crate) fn serve(launcher: OwnedFd, rules: Egress) -> io::Result<()> {
    let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
    epoll::add(&epoll, &launcher, epoll::EventData::new_u64(LAUNCHER), epoll::EventFlags::IN)?;
    let closer = Closer::start()?;
    let mut server = Server {
        rules,
        launcher,
        epoll,
        inside: Inside::start(closer.clone())?,
        closer,
        guarded: HashMap::new(),
        slots: HashMap::new(),
        flows: HashMap::new(),
        waiting: HashMap::new(),
        questions: HashMap::new(),
        again: VecDeque::new(),
        next: 1,
        scratch: vec![0; SCRATCH_BYTES],
        buffer: Vec::new(),
        now: 0,
        looked: 0,
    };
    server.run()
}

impl Server {
    fn run(&mut self) -> io::Result<()> {
        let mut events = Vec::with_capacity(EVENTS_MAX);
        loop {
            events.clear();
            // At most a second, while something may pass its time.
            let idle = self.flows.is_empty() && self.questions.is_empty();
            let seconds = i64::from(self.again.is_empty());
            let wait = Timespec { tv_sec: seconds, tv_nsec: 0 };
            let wait = (!idle || !self.again.is_empty()).then_some(&wait);
            match epoll::wait(&self.epoll, rustix::buffer::spare_capacity(&mut events), wait) {
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
            self.now = clock_gettime(ClockId::Monotonic).tv_sec.unsigned_abs();
            for event in &events {
                let about = event.data.u64();
                let (id, kind) = (about / KINDS, about % KINDS);
                match kind {
                    LAUNCHER if !self.hear_launcher()? => return Ok(()),
                    LISTENER => self.hear_question(id, event.flags),
                    END => self.end_slot(id),
                    FAR | OUTER => self.hear_flow(id, kind),
                    NAMES => self.hear_name(id),
                    ANSWER => self.hear_answer(id),
                    _ => {}
                }
            }
            for _ in 0..self.again.len() {
                if let Some(id) = self.again.pop_front() {
                    self.carry_again(id);
                }
            }
            if self.looked != self.now {
                self.looked = self.now;
                self.expire();
            }
        }
    }

    fn watch(&self, fd: impl AsFd, id: u64, kind: u64, flags: epoll::EventFlags) -> io::Result<()> {
        let data = epoll::EventData::new_u64(id * KINDS + kind);
        Ok(epoll::add(&self.epoll, fd, data, flags)?)
    }

    fn number(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    /// Whether the launcher is there.
    fn hear_launcher(&mut self) -> io::Result<bool> {
        let heard = message::receive::<Order>(&self.launcher, &mut self.buffer)?;
        let Some((Order { id, template }, descriptors)) = heard else { return Ok(false) };
        if let Some(listener) = descriptors.into_iter().next() {
            if let Err(error) = self.watch(&listener, id, LISTENER, epoll::EventFlags::IN) {
                // Its functions' calls fail; those of all others go on.
                complain(&format!("{id} reaches nothing: {error}"));
                return Ok(true);
            }
            self.guarded.insert(id, Guarded { listener: Listener::new(listener), template });
        }
        Ok(true)
    }

    /// A function makes a call that we decide about.
    fn hear_question(&mut self, id: u64, flags: epoll::EventFlags) {
        if !flags.contains(epoll::EventFlags::IN) {
            // Nobody is left who could ask.
            self.guarded.remove(&id);
            return;
        }
        let Some(guarded) = self.guarded.get(&id) else { return };
        let Ok(asked) = guarded.listener.receive() else { return };
        let answer = match asked.call {
            libc::SYS_connect => self.connect(id, &asked),
            libc::SYS_sendto => self.send(id, &asked),
            _ => self.make_namespaces(id, &asked),
        };
        let Some(Guarded { listener, .. }) = self.guarded.get(&id) else { return };
        match answer {
            Ok(Answer::Later) => {}
            Ok(Answer::GoOn) => {
                listener.go_on(asked.id);
            }
            Ok(Answer::Error(error)) => {
                listener.answer(asked.id, error);
            }
            Err(error) => {
                listener.answer(asked.id, error.raw_os_error().unwrap_or(libc::ENETUNREACH));
            }
        }
    }

    /// The launcher decides about namespaces.
    fn make_namespaces(&self, id: u64, asked: &Question) -> io::Result<Answer> {
        let template = self.guarded.get(&id).and_then(|guarded| guarded.template);
        if template != Some(asked.pid) {
            return Ok(Answer::Error(libc::EPERM));
        }
        let asked = Asked { id, question: asked.id, pid: asked.pid };
        message::send(&self.launcher, &asked, &[])?;
        Ok(Answer::Later)
    }

    /// `sendto` with an address: only questions about names go anywhere.
    fn send(&mut self, id: u64, asked: &Question) -> io::Result<Answer> {
        match caller::address(asked.pid, asked.args[4], asked.args[5])? {
            Some(dns::INSIDE) => {
                let Some(guarded) = self.guarded.get(&id) else { return Ok(Answer::Later) };
                if let Some(socket) = Socket::of(&guarded.listener, asked, &self.closer)? {
                    self.answer_names(asked.pid, &socket)?;
                }
                Ok(Answer::GoOn)
            }
            Some(to) if !is_inside(to) => Ok(Answer::Error(libc::ENETUNREACH)),
            _ => Ok(Answer::GoOn),
        }
    }

    fn connect(&mut self, id: u64, asked: &Question) -> io::Result<Answer> {
        let Some(to) = caller::address(asked.pid, asked.args[1], asked.args[2])? else {
            return Ok(Answer::GoOn);
        };
        let inside = is_inside(to) && !self.rules.names(to);
        if inside && to != dns::INSIDE {
            return Ok(Answer::GoOn);
        }
        let Some(guarded) = self.guarded.get(&id) else { return Ok(Answer::Later) };
        let Some(socket) = Socket::of(&guarded.listener, asked, &self.closer)? else {
            return Ok(Answer::GoOn);
        };
        let target = if !inside {
            let own = is_inside(to) || route::way(to.ip())? == Way::Own;
            if !self.rules.reaches(to, own) {
                return Ok(Answer::Error(libc::EACCES));
            }
            to
        } else if socket.is_stream {
            self.slot(asked.pid, &socket)?.resolver()
        } else {
            self.answer_names(asked.pid, &socket)?;
            return Ok(Answer::GoOn);
        };
        self.open(id, asked, &socket, (to, target))
    }

    /// Connects a function to `target`, which it sees as `seen`.
    fn open(
        &mut self,
        id: u64,
        asked: &Question,
        socket: &Socket,
        (seen, target): (SocketAddr, SocketAddr),
    ) -> io::Result<Answer> {
        let slot = self.slot(asked.pid, socket)?;
        if slot.flows >= FLOWS_PER_SLOT_MAX {
            return Ok(Answer::Error(libc::EADDRNOTAVAIL));
        }
        let route = (!is_inside(seen)).then(|| slot.route_to(seen.ip())).flatten();
        let kind = (socket.is_v6, socket.is_stream);
        let pair = self.inside.pair(&socket.namespace, kind, seen, route)?;
        let mut flow = if socket.is_stream {
            let outer = flow::outside(target, true)?;
            socket.copy_to(&pair.near, Some(&outer));
            Flow::connect(socket.slot, pair, seen, (outer, target))?
        } else {
            socket.copy_to(&pair.near, None);
            Flow::datagrams(socket.slot, pair, target)?
        };
        let number = self.number();
        let both = epoll::EventFlags::IN | epoll::EventFlags::OUT | epoll::EventFlags::ET;
        let (fd, kind) = match &flow.outer {
            Some(outer) => (outer, OUTER),
            None => (&flow.far, FAR),
        };
        self.watch(fd, number, kind, both)?;
        let Some(guarded) = self.guarded.get(&id) else { return Ok(Answer::Later) };
        let answer = if socket.is_stream && !socket.nonblocking {
            let cloexec = socket.cloexec;
            self.waiting.insert(number, Waiting { guarded: id, asked: *asked, cloexec });
            Answer::Later
        } else {
            give(&guarded.listener, asked, &flow, socket)?;
            Answer::Error(if socket.is_stream { libc::EINPROGRESS } else { 0 })
        };
        if let Some(slot) = self.slots.get_mut(&socket.slot) {
            slot.flows += 1;
        }
        flow.last = self.now;
        if flow.stage == Stage::Datagrams {
            flow.near = None;
        }
        self.flows.insert(number, flow);
        Ok(answer)
    }

    /// What is known of a caller's slot.
    fn slot(&mut self, pid: i32, socket: &Socket) -> io::Result<&mut Slot> {
        if !self.slots.contains_key(&socket.slot) {
            let slot = Slot::of(pid, socket)?;
            self.watch(slot.first(), socket.slot, END, epoll::EventFlags::IN)?;
            self.slots.insert(socket.slot, slot);
        }
        self.slots.get_mut(&socket.slot).ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    /// All of a slot's processes have ended.
    fn end_slot(&mut self, id: u64) {
        self.slots.remove(&id);
        let of: Vec<u64> =
            self.flows.iter().filter(|(_, flow)| flow.slot == id).map(|(id, _)| *id).collect();
        of.into_iter().for_each(|flow| self.drop_flow(flow, true));
        self.questions.retain(|_, asked| asked.slot != id);
    }

    /// Sees to it that a slot's questions about names are heard.
    fn answer_names(&mut self, pid: i32, socket: &Socket) -> io::Result<()> {
        if self.slot(pid, socket)?.names.is_none() {
            let names = self.inside.resolver(&socket.namespace)?;
            self.watch(&names, socket.slot, NAMES, epoll::EventFlags::IN)?;
            self.slot(pid, socket)?.names = Some(names);
        }
        Ok(())
    }

    /// A slot asks for a name.
    fn hear_name(&mut self, id: u64) {
        let Some(slot) = self.slots.get_mut(&id) else { return };
        let resolver = slot.resolver();
        let Some(names) = &slot.names else { return };
        match dns::pass_on(id, names, resolver, &mut self.scratch) {
            Ok(Some(mut asked)) => {
                let number = self.number();
                let mut of: Vec<u64> = self
                    .questions
                    .iter()
                    .filter(|(_, asked)| asked.slot == id)
                    .map(|(id, _)| *id)
                    .collect();
                if of.len() >= dns::QUESTIONS_MAX {
                    of.sort_unstable();
                    self.questions.remove(&of[0]);
                }
                if self.watch(&asked.outer, number, ANSWER, epoll::EventFlags::IN).is_ok() {
                    asked.since = self.now;
                    self.questions.insert(number, asked);
                }
            }
            Ok(None) => {}
            Err(_) => slot.ask_another(),
        }
    }

    /// A resolver answers, or cannot be reached.
    fn hear_answer(&mut self, id: u64) {
        let Some(asked) = self.questions.remove(&id) else { return };
        let Some(slot) = self.slots.get_mut(&asked.slot) else { return };
        let Some(names) = &slot.names else { return };
        if dns::bring_back(&asked, names, &mut self.scratch).is_err() {
            slot.ask_another();
        }
    }
}

/// What becomes of a call.
enum Answer {
    GoOn,
    /// An error, or 0.
    Error(i32),
    Later,
}

/// Addresses that are always the slot's own.
fn is_inside(to: SocketAddr) -> bool {
    match to.ip() {
        IpAddr::V4(ip) => ip.is_loopback() || ip.is_unspecified(),
        IpAddr::V6(ip) => ip.is_loopback() || ip.is_unspecified(),
    }
}

/// Gives a function the socket of a flow in place of its own.
fn give(listener: &Listener, asked: &Question, flow: &Flow, socket: &Socket) -> io::Result<()> {
    let Some(near) = &flow.near else { return Ok(()) };
    rustix::io::ioctl_fionbio(near, socket.nonblocking)?;
    let at = u32::try_from(asked.args[0] & 0xffff_ffff).unwrap_or(u32::MAX);
    listener.put(asked.id, near.as_fd(), at, socket.cloexec)
}
