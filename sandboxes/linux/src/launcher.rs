//! The process that starts functions.
//!
//! It is small and has one thread, so that a fork of it is quick and holds nobody up; it has none
//! of the server's memory or secrets. It obeys the server, over one socket, and ends with it. All
//! sandboxes end with it.

mod prepare;
mod progress;
mod room;
mod slots;

use std::collections::HashMap;
use std::fs;
use std::io::{self, Write as _};
use std::net::{Ipv4Addr, TcpStream};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use host::Limits;
use rustix::event::epoll;
use rustix::net::{AddressFamily, SocketFlags, SocketType};
use rustix::process::{WaitOptions, getegid, geteuid};
use rustix::time::{TimerfdClockId, TimerfdFlags, timerfd_create};

use self::prepare::{enter, lay_out, raise_files, start_egress, start_limiter};
use self::room::{Kind, Room, ask_to_end, end};
use self::slots::{EMPTY_IDS, Fill, MadeWith, PIDS, Template};
use crate::cgroup::Parent;
use crate::egress;
use crate::level::Level;
use crate::limiter;
use crate::message::{self, Launch, Report, Request};
use crate::root::{GID, UID};
use crate::seccomp::{Filters, SLOT_NAMESPACES};
use crate::sys::{self, Cloned};
use crate::worker::{self, Job};

const SERVER: u64 = 0;
const LIMITER: u64 = 1;
const TIMER: u64 = 2;
const EGRESS: u64 = 3;
/// What an epoll event is about: the number of a room, and which of its descriptors.
const KINDS: u64 = 4;
const SETUP: u64 = 1;
const STATUS: u64 = 2;
const GATE: u64 = 3;

const EVENTS_MAX: usize = 64;
/// Namespaces of a sandbox: a slot's, and the host's name.
const SANDBOX_NAMESPACES: u64 = SLOT_NAMESPACES as u64 | 0x0400_0000;

struct Launcher {
    server: OwnedFd,
    epoll: OwnedFd,
    level: Level,
    filters: Filters,
    /// Where cgroups are made, if they are.
    limiter: Option<OwnedFd>,
    /// Who connects functions to other networks, if they may.
    egress: Option<OwnedFd>,
    /// Ours: `fork`, which has what workers need to be forked, and `stage`, in which every sandbox
    /// without code has a folder where its code will be mounted.
    folder: PathBuf,
    rooms: HashMap<u64, Room>,
    buffer: Vec<u8>,
    /// The process id of the next slot, in its namespace.
    next_pid: u32,
    next_empty: u64,
    timer: OwnedFd,
    /// Templates that are to have an empty slot when the timer ends.
    refills: Vec<u64>,
    /// User ids outside, where we may give every sandbox its own.
    uids: Option<u32>,
}

/// Serves one server until it is gone. `folder` is a folder of ours that is there.
///
/// # Errors
/// If nothing can be started at all.
pub fn run(server: OwnedFd, folder: &Path) -> io::Result<()> {
    raise_files()?;
    // What the server was started with and left open is not for functions.
    sys::close_on_exec(FIRST_INHERITED)?;
    lay_out(&folder.join("fork"))?;
    let mut buffer = Vec::new();
    let Some((Request::Begin { egress: rules }, _)) = message::receive(&server, &mut buffer)?
    else {
        return Err(io::Error::other("it was not said what functions may reach"));
    };
    let namespaces = enter(folder);
    let parent = Parent::find(&format!("cumulet-{}", std::process::id()));
    let level = Level {
        namespaces: namespaces.map_err(|error| error.to_string()),
        landlock: crate::landlock::version(),
        cgroups: parent.as_ref().map(Parent::version),
    };
    let limiter = parent.map(|parent| start_limiter(&parent)).transpose()?;
    let guarded = level.namespaces.is_ok() && !rules.is_none();
    let egress = guarded.then(|| start_egress(rules)).transpose()?;
    let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
    let timer = timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::CLOEXEC)?;
    let inputs = [
        (Some(&server), SERVER),
        (limiter.as_ref(), LIMITER),
        (Some(&timer), TIMER),
        (egress.as_ref(), EGRESS),
    ];
    for (fd, about) in inputs {
        if let Some(fd) = fd {
            epoll::add(&epoll, fd, epoll::EventData::new_u64(about), epoll::EventFlags::IN)?;
        }
    }
    message::send(&server, &Report::Ready(level.clone()), &[])?;
    let root = geteuid().is_root();
    let mut launcher = Launcher {
        server,
        epoll,
        level,
        filters: Filters::compile(guarded)?,
        limiter,
        egress,
        folder: folder.to_owned(),
        rooms: HashMap::new(),
        buffer,
        next_pid: PIDS.start,
        next_empty: EMPTY_IDS,
        timer,
        refills: Vec::new(),
        uids: root.then_some(UIDS.start),
    };
    let served = launcher.serve();
    for (_, room) in launcher.rooms.drain() {
        end(&room);
    }
    match served {
        // It ended while we were telling it something.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other,
    }
}

/// The first descriptor behind the standard ones.
const FIRST_INHERITED: i32 = 3;

/// User ids outside, of which no machine has users: each sandbox has its own while it lives.
const UIDS: std::ops::Range<u32> = 0x7000_0000..0x7001_0000;

impl Launcher {
    fn serve(&mut self) -> io::Result<()> {
        let mut events = Vec::with_capacity(EVENTS_MAX);
        loop {
            events.clear();
            let spare = rustix::buffer::spare_capacity(&mut events);
            match epoll::wait(&self.epoll, spare, None) {
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
            for event in &events {
                let about = event.data.u64();
                if about == LIMITER {
                    self.hear_limiter()?;
                } else if about == TIMER {
                    self.refill()?;
                } else if about == EGRESS {
                    self.hear_egress()?;
                } else if about == SERVER {
                    let mut buffer = std::mem::take(&mut self.buffer);
                    let heard = message::receive(&self.server, &mut buffer);
                    self.buffer = buffer;
                    match heard? {
                        Some((request, descriptors)) => self.obey(request, descriptors)?,
                        None => return Ok(()),
                    }
                } else {
                    self.look_at(about / KINDS, about % KINDS, event.flags)?;
                }
            }
            reap();
        }
    }

    fn watch(&self, fd: impl AsFd, id: u64, kind: u64) -> io::Result<()> {
        let data = epoll::EventData::new_u64(id * KINDS + kind);
        Ok(epoll::add(&self.epoll, fd, data, epoll::EventFlags::IN)?)
    }

    fn report(&self, report: &Report) -> io::Result<()> {
        message::send(&self.server, report, &[])
    }

    fn obey(&mut self, request: Request, descriptors: Vec<OwnedFd>) -> io::Result<()> {
        let (id, done) = match request {
            Request::Launch(launch) => (launch.id, self.launch(&launch, descriptors)),
            Request::Fork { id, template, text, limits, door } => {
                let fill = Fill { id, text, descriptors, tries: 0 };
                (id, self.fork(template, MadeWith { limits, door }, fill))
            }
            Request::Assign { id, code, layers, pack, limits } => {
                let done = self.assign(id, &code, &layers, pack.as_deref(), &limits);
                if done.is_ok() {
                    return self.report(&Report::Assigned { id });
                }
                (id, done)
            }
            Request::Dial { id, room, port } => match self.dial(id, room, port) {
                Ok(()) => return Ok(()),
                failed => (id, failed),
            },
            Request::Freeze { id, frozen } => {
                if let Some(room) = self.rooms.get_mut(&id) {
                    room.frozen = frozen;
                    crate::processes::freeze(room.pid, frozen);
                }
                return Ok(());
            }
            Request::Begin { .. } => return Ok(()),
            Request::Kill { id } => {
                match self.rooms.get(&id) {
                    Some(room) if room.started => ask_to_end(room),
                    Some(_) => return self.ended(id, None, Some("nobody waits for it".into())),
                    None => self.cancel(id),
                }
                return Ok(());
            }
        };
        match done {
            Ok(()) => Ok(()),
            Err(error) => self.report(&Report::Failed { id, why: error.to_string() }),
        }
    }

    fn launch(&mut self, launch: &Launch, descriptors: Vec<OwnedFd>) -> io::Result<()> {
        let Ok([events, replies, output]) = <[OwnedFd; 3]>::try_from(descriptors) else {
            return Err(io::Error::other("a launch comes with three descriptors"));
        };
        let id = launch.id;
        let confined = self.level.namespaces.is_ok();
        let (setup, setup_inside) = UnixStream::pair()?;
        rustix::net::sockopt::set_socket_passcred(&setup, true)?;
        let (status, status_inside) = pair(SocketType::STREAM)?;
        let control = launch.template.then(|| pair(SocketType::SEQPACKET)).transpose()?;
        let (control, control_inside) = control.unzip();
        let stage = match launch.code {
            None if confined => Some(self.make_stage(id)?),
            _ => None,
        };
        let namespaces = if confined { SANDBOX_NAMESPACES } else { 0 };
        // SAFETY: we have one thread.
        let cloned = unsafe { sys::clone(namespaces) }?;
        let (pid, pidfd) = match cloned {
            Cloned::Child => worker::run(Job {
                launch,
                filters: &self.filters,
                fork: &self.folder.join("fork"),
                confined,
                stage: stage.as_deref(),
                setup: setup_inside,
                status: status_inside,
                events,
                replies,
                output,
                control: control_inside,
                runtime_api: None,
            }),
            Cloned::Parent { pid, pidfd } => (pid, pidfd),
        };
        if confined {
            self.map_users(pid)?;
        }
        // It goes on when it is limited.
        if !self.limit(id, pid, &launch.limits, true) {
            (&setup).write_all(b"g")?;
        }
        self.watch(&setup, id, SETUP)?;
        self.watch(&status, id, STATUS)?;
        let with = MadeWith { limits: launch.limits, door: launch.door };
        let template = control.map(|control| Template::new(control, with));
        let (setup, listeners) = (Some(setup), Vec::new());
        let reserved_bytes = launch.reserved_bytes;
        let kind = Kind::Sandbox { setup, listeners, stage, reserved_bytes, template };
        self.rooms.insert(id, Room { first: Some(pidfd), pid, ..Room::new(id, status, kind) });
        Ok(())
    }

    /// Says who the user and group of a sandbox are outside.
    fn map_users(&mut self, pid: i32) -> io::Result<()> {
        let (mut uid, mut gid) = (geteuid().as_raw(), getegid().as_raw());
        if let Some(next) = self.uids.as_mut() {
            uid = *next;
            gid = *next;
            *next = if *next + 1 == UIDS.end { UIDS.start } else { *next + 1 };
        }
        fs::write(format!("/proc/{pid}/uid_map"), format!("{UID} {uid} 1"))?;
        fs::write(format!("/proc/{pid}/gid_map"), format!("{GID} {gid} 1"))
    }

    /// Has a process put into a cgroup; whether the limiter will say that it was.
    fn limit(&self, id: u64, pid: i32, limits: &Limits, urgent: bool) -> bool {
        let order = limiter::Order::Add { id, pid, limits: *limits, urgent };
        self.order(&order)
    }

    fn order(&self, order: &limiter::Order) -> bool {
        self.limiter.as_ref().is_some_and(|limiter| message::send(limiter, order, &[]).is_ok())
    }

    /// A sandbox or an empty slot is limited, and may go on.
    fn hear_limiter(&mut self) -> io::Result<()> {
        let Some(limiter) = &self.limiter else { return Ok(()) };
        let Some((added, _)) = message::receive(limiter, &mut self.buffer)? else {
            return Err(io::Error::other("the limiter has ended"));
        };
        let limiter::Added { id, error } = added;
        match self.rooms.get(&id).map(|room| &room.kind) {
            Some(Kind::Sandbox { setup: Some(setup), .. }) => {
                let mut setup: &UnixStream = setup;
                let _it_has_ended = setup.write_all(b"g");
                Ok(())
            }
            Some(Kind::Empty { .. }) => match error {
                None => self.offer(id),
                Some(why) => self.lose_empty(id, &format!("it could not be limited: {why}")),
            },
            _ => Ok(()),
        }
    }

    fn make_stage(&self, id: u64) -> io::Result<PathBuf> {
        let stage = self.folder.join("stage").join(id.to_string());
        fs::create_dir_all(stage.join("task"))?;
        fs::create_dir(stage.join("opt"))?;
        fs::write(stage.join("pack"), "")?;
        let mount = sys::detached(&stage, false, false)?;
        sys::attach(&mount, &stage)?;
        sys::propagate(&stage, libc::MS_SHARED)?;
        Ok(stage)
    }

    /// Shows a sandbox its code.
    fn assign(
        &mut self,
        id: u64,
        code: &Path,
        layers: &[PathBuf],
        pack: Option<&Path>,
        limits: &Limits,
    ) -> io::Result<()> {
        let gone = || io::Error::other("it has ended");
        let room = self.rooms.get(&id).ok_or_else(gone)?;
        let Kind::Sandbox { stage: Some(stage), reserved_bytes, .. } = &room.kind else {
            return Ok(());
        };
        sys::attach(&sys::detached(code, true, false)?, &stage.join("task"))?;
        if let Some(layers) = sys::layered(layers)? {
            sys::attach(&layers, &stage.join("opt"))?;
        }
        // Without it the function is loaded as well.
        if let Some(pack) = pack.and_then(|pack| sys::detached(pack, true, false).ok()) {
            sys::attach(&pack, &stage.join("pack"))?;
        }
        if !self.order(&limiter::Order::Limit { id, limits: *limits }) {
            for pid in crate::processes::descendants(room.pid) {
                sys::limit_data(pid, limits.memory_bytes + reserved_bytes)?;
            }
        }
        Ok(())
    }

    /// Has a process that goes into a sandbox's network connect to a port there, and tell the server:
    /// this one could not leave that network again.
    fn dial(&self, id: u64, room: u64, port: u16) -> io::Result<()> {
        let room = self.rooms.get(&room).filter(|room| room.started);
        let room = room.ok_or_else(|| io::Error::other("it has ended"))?;
        let network = fs::File::open(format!("/proc/{}/ns/net", room.pid))?;
        // SAFETY: we have one thread.
        match unsafe { sys::clone(0) }? {
            Cloned::Parent { .. } => Ok(()),
            Cloned::Child => {
                let connected = sys::enter_network(network.as_fd())
                    .and_then(|()| TcpStream::connect((Ipv4Addr::LOCALHOST, port)));
                let _server_gone = match connected {
                    Ok(stream) => {
                        let started = Report::Started { id, pid: 0 };
                        message::send(&self.server, &started, &[stream.as_fd()])
                    }
                    Err(error) => self.report(&Report::Failed { id, why: error.to_string() }),
                };
                // SAFETY: ends the process.
                unsafe { libc::_exit(0) }
            }
        }
    }

    /// One of a room's descriptors has something to read, or is closed.
    fn look_at(&mut self, id: u64, kind: u64, flags: epoll::EventFlags) -> io::Result<()> {
        if !self.rooms.contains_key(&id) {
            return Ok(());
        }
        match kind {
            GATE => {
                self.open_gate(id, flags);
                Ok(())
            }
            SETUP => self.hear_setup(id),
            _ => self.hear_status(id),
        }
    }

    /// A template asks whether it may make namespaces.
    fn open_gate(&mut self, id: u64, flags: epoll::EventFlags) {
        let Some(template) = self.template(id) else { return };
        if !flags.contains(epoll::EventFlags::IN) {
            // Nobody is left who could ask. Up to Linux 6.10, to receive would wait for ever.
            template.gate = None;
            return;
        }
        let Some(gate) = &template.gate else { return };
        // Otherwise the asker is gone, and the next may ask.
        if let Ok(asked) = gate.receive() {
            template.decide(asked.id, asked.pid);
        }
    }

    /// The same, where connections are asked about too.
    fn hear_egress(&mut self) -> io::Result<()> {
        let Some(egress) = &self.egress else { return Ok(()) };
        let Some((asked, _)) = message::receive::<egress::Asked>(egress, &mut self.buffer)? else {
            return Err(io::Error::other("the process for egress has ended"));
        };
        if let Some(template) = self.template(asked.id) {
            template.decide(asked.question, asked.pid);
        }
        Ok(())
    }
}

fn pair(kind: SocketType) -> io::Result<(OwnedFd, OwnedFd)> {
    let flags = SocketFlags::CLOEXEC;
    Ok(rustix::net::socketpair(AddressFamily::UNIX, kind, flags, None)?)
}

/// Children that have ended are children no more.
fn reap() {
    while let Ok(Some(_)) = rustix::process::wait(WaitOptions::NOHANG) {}
}

/// A line on standard error, which is the server's log.
#[expect(clippy::print_stderr, reason = "the launcher has no other log")]
pub(crate) fn complain(text: &str) {
    eprintln!("launcher: {text}");
}
