//! The process that starts functions.
//!
//! It is small and has one thread, so that a fork of it is quick and holds nobody up; it has none
//! of the server's memory or secrets. It obeys the server, over one socket, and ends with it. All
//! sandboxes end with it.

use std::collections::HashMap;
use std::fs;
use std::io::{self, Write as _};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use fork::Order;
use host::Limits;
use rustix::event::epoll;
use rustix::net::{AddressFamily, SocketFlags, SocketType};
use rustix::process::{Pid, PidfdFlags, Resource, Rlimit, Signal, WaitOptions, getegid, geteuid};

use crate::cgroup::Parent;
use crate::gate::Gate;
use crate::level::Level;
use crate::limiter;
use crate::message::{self, Launch, Report, Request};
use crate::root::{GID, UID};
use crate::seccomp::{Filters, SLOT_NAMESPACES};
use crate::sys::{self, Cloned};
use crate::worker::{self, Job};

const SERVER: u64 = 0;
const LIMITER: u64 = 1;
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
    /// Ours: `fork`, which has what workers need to be forked, and `stage`, in which every sandbox
    /// without code has a folder where its code will be mounted.
    folder: PathBuf,
    rooms: HashMap<u64, Room>,
    buffer: Vec<u8>,
    /// The process id of the next slot, in its namespace.
    next_pid: u32,
    /// User ids outside, where we may give every sandbox its own.
    uids: Option<u32>,
}

/// A sandbox or a slot.
struct Room {
    status: OwnedFd,
    /// The first process, by which all of it is ended.
    first: Option<OwnedFd>,
    pid: i32,
    kind: Kind,
    frozen: bool,
    /// The server knows it.
    started: bool,
}

enum Kind {
    Sandbox {
        setup: Option<UnixStream>,
        listeners: Vec<OwnedFd>,
        stage: Option<PathBuf>,
        template: Option<Template>,
    },
    Slot {
        template: u64,
        limits: Limits,
    },
}

struct Template {
    control: OwnedFd,
    gate: Option<Gate>,
    /// Who may ask there.
    pid: i32,
    /// Slots that were ordered and are not made yet.
    ordered: u32,
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
    let namespaces = enter(folder);
    let parent = Parent::find(&format!("cumulet-{}", std::process::id()));
    let level = Level {
        namespaces: namespaces.map_err(|error| error.to_string()),
        landlock: crate::landlock::version(),
        cgroups: parent.as_ref().map(Parent::version),
    };
    let limiter = parent.map(|parent| start_limiter(&parent)).transpose()?;
    let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
    for (fd, about) in [(Some(&server), SERVER), (limiter.as_ref(), LIMITER)] {
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
        filters: Filters::compile()?,
        limiter,
        folder: folder.to_owned(),
        rooms: HashMap::new(),
        buffer: Vec::new(),
        next_pid: PIDS.start,
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

/// Takes as many descriptors as may be had: every sandbox and slot costs some.
fn raise_files() -> io::Result<()> {
    let limit = rustix::process::getrlimit(Resource::Nofile);
    let wanted = Rlimit { current: limit.maximum, maximum: limit.maximum };
    Ok(rustix::process::setrlimit(Resource::Nofile, wanted)?)
}

/// The first descriptor behind the standard ones.
const FIRST_INHERITED: i32 = 3;

/// Starts the process that limits others; gives our end of the socket between us.
fn start_limiter(parent: &Parent) -> io::Result<OwnedFd> {
    let (ours, inside) = pair(SocketType::SEQPACKET)?;
    // SAFETY: we have one thread.
    match unsafe { sys::clone(0) }? {
        Cloned::Parent { .. } => Ok(ours),
        Cloned::Child => {
            drop(ours);
            if let Err(error) = limiter::serve(&inside, parent) {
                complain(&format!("limiter: {error}"));
            }
            // SAFETY: ends the process.
            unsafe { libc::_exit(0) }
        }
    }
}

/// Writes what workers need to be forked.
fn lay_out(folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    for (name, bytes) in [("fork.so", fork::LIBRARY), ("init", fork::INIT)] {
        let path = folder.join(name);
        if fs::read(&path).is_ok_and(|present| present == bytes) {
            continue;
        }
        // Another server's launcher may be using the old one.
        let fresh = folder.join(format!("{name}.{}", std::process::id()));
        fs::write(&fresh, bytes)?;
        fs::set_permissions(&fresh, fs::Permissions::from_mode(0o755))?;
        fs::rename(&fresh, &path)?;
    }
    Ok(())
}

/// Process ids of slots: none is a template's, which is 2.
const PIDS: std::ops::Range<u32> = 100..30_000;
/// User ids outside, of which no machine has users: each sandbox has its own while it lives.
const UIDS: std::ops::Range<u32> = 0x7000_0000..0x7001_0000;

/// Goes where mounts of ours are seen by our sandboxes alone.
fn enter(folder: &Path) -> io::Result<()> {
    let (uid, gid) = (geteuid().as_raw(), getegid().as_raw());
    if sys::unshare(libc::CLONE_NEWNS).is_err() {
        sys::unshare(libc::CLONE_NEWUSER | libc::CLONE_NEWNS)?;
        fs::write("/proc/self/setgroups", "deny")?;
        fs::write("/proc/self/uid_map", format!("{uid} {uid} 1"))?;
        fs::write("/proc/self/gid_map", format!("{gid} {gid} 1"))?;
    }
    sys::propagate(Path::new("/"), libc::MS_REC | libc::MS_PRIVATE)?;
    let stage = folder.join("stage");
    fs::create_dir_all(&stage)?;
    sys::mount("tmpfs", &stage, libc::MS_NOSUID | libc::MS_NODEV, "mode=0755,size=4m")?;
    // What cannot be made once cannot be made later.
    // SAFETY: we have one thread.
    match unsafe { sys::clone(SANDBOX_NAMESPACES) }? {
        // SAFETY: ends the process.
        Cloned::Child => unsafe { libc::_exit(0) },
        Cloned::Parent { pidfd, .. } => {
            rustix::process::waitid(
                rustix::process::WaitId::PidFd(pidfd.as_fd()),
                rustix::process::WaitIdOptions::EXITED,
            )?;
        }
    }
    Ok(())
}

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
                } else if about == SERVER {
                    let mut buffer = std::mem::take(&mut self.buffer);
                    let heard = message::receive(&self.server, &mut buffer);
                    self.buffer = buffer;
                    match heard? {
                        Some((request, descriptors)) => self.obey(request, descriptors)?,
                        None => return Ok(()),
                    }
                } else {
                    self.look_at(about / KINDS, about % KINDS)?;
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
                (id, self.fork(id, template, &text, (&limits, door), descriptors))
            }
            Request::Assign { id, code, layers, limits } => {
                let done = self.assign(id, &code, &layers, &limits);
                if done.is_ok() {
                    return self.report(&Report::Assigned { id });
                }
                (id, done)
            }
            Request::Freeze { id, frozen } => {
                if let Some(room) = self.rooms.get_mut(&id) {
                    room.frozen = frozen;
                    crate::processes::freeze(room.pid, frozen);
                }
                return Ok(());
            }
            Request::Kill { id } => {
                match self.rooms.get(&id) {
                    Some(room) if room.started => ask_to_end(room),
                    Some(_) => return self.ended(id, None, Some("nobody waits for it".into())),
                    None => {}
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
        let template = control.map(|control| Template { control, gate: None, pid: 0, ordered: 0 });
        let (setup, listeners) = (Some(setup), Vec::new());
        let kind = Kind::Sandbox { setup, listeners, stage, template };
        let room = Room { status, first: Some(pidfd), pid, kind, frozen: false, started: false };
        self.rooms.insert(id, room);
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

    /// Has a process put into a cgroup; whether it will be.
    fn limit(&self, id: u64, pid: i32, limits: &Limits, answer: bool) -> bool {
        let order = limiter::Order::Add { id, pid, limits: *limits, answer };
        self.order(&order)
    }

    fn order(&self, order: &limiter::Order) -> bool {
        self.limiter.as_ref().is_some_and(|limiter| message::send(limiter, order, &[]).is_ok())
    }

    /// A sandbox is limited, and may go on.
    fn hear_limiter(&mut self) -> io::Result<()> {
        let Some(limiter) = &self.limiter else { return Ok(()) };
        let Some((id, _)) = message::receive::<u64>(limiter, &mut self.buffer)? else {
            return Err(io::Error::other("the limiter has ended"));
        };
        if let Some(room) = self.rooms.get(&id)
            && let Kind::Sandbox { setup: Some(setup), .. } = &room.kind
        {
            let mut setup: &UnixStream = setup;
            let _it_has_ended = setup.write_all(b"g");
        }
        Ok(())
    }

    fn make_stage(&self, id: u64) -> io::Result<PathBuf> {
        let stage = self.folder.join("stage").join(id.to_string());
        fs::create_dir_all(stage.join("task"))?;
        fs::create_dir(stage.join("opt"))?;
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
        limits: &Limits,
    ) -> io::Result<()> {
        let gone = || io::Error::other("it has ended");
        let room = self.rooms.get(&id).ok_or_else(gone)?;
        let Kind::Sandbox { stage: Some(stage), .. } = &room.kind else { return Ok(()) };
        sys::attach(&sys::detached(code, true, false)?, &stage.join("task"))?;
        if let Some(layers) = sys::layered(layers)? {
            sys::attach(&layers, &stage.join("opt"))?;
        }
        if !self.order(&limiter::Order::Limit { id, limits: *limits }) {
            for pid in crate::processes::descendants(room.pid) {
                sys::limit_data(pid, worker::data_bytes_max(limits))?;
            }
        }
        Ok(())
    }

    /// Orders a slot of a template.
    fn fork(
        &mut self,
        id: u64,
        template: u64,
        text: &str,
        (limits, door): (&Limits, u16),
        mut descriptors: Vec<OwnedFd>,
    ) -> io::Result<()> {
        let (status, status_inside) = pair(SocketType::STREAM)?;
        rustix::net::sockopt::set_socket_passcred(&status, true)?;
        descriptors.push(status_inside);
        let pid = self.next_pid;
        self.next_pid = if pid + 1 == PIDS.end { PIDS.start } else { pid + 1 };
        let gone = || io::Error::other("the template has ended");
        let room = self.rooms.get_mut(&template).ok_or_else(gone)?;
        let Kind::Sandbox { template: Some(of), .. } = &mut room.kind else { return Err(gone()) };
        let confined = self.level.namespaces.is_ok();
        let order = Order {
            namespaces: if confined { SLOT_NAMESPACES } else { 0 },
            uid: UID,
            gid: GID,
            pid,
            tmp_bytes: limits.tmp_bytes,
            processes_max: limits.processes_max,
            door: door.into(),
        };
        let fds: Vec<_> = descriptors.iter().map(AsFd::as_fd).collect();
        message::send_bytes(&of.control, &order.encode(text), &fds)?;
        of.ordered += 1;
        self.watch(&status, id, STATUS)?;
        let kind = Kind::Slot { template, limits: *limits };
        let room = Room { status, first: None, pid: 0, kind, frozen: false, started: false };
        self.rooms.insert(id, room);
        Ok(())
    }

    /// One of a room's descriptors has something to read, or is closed.
    fn look_at(&mut self, id: u64, kind: u64) -> io::Result<()> {
        if !self.rooms.contains_key(&id) {
            return Ok(());
        }
        match kind {
            GATE => {
                self.open_gate(id);
                Ok(())
            }
            SETUP => self.hear_setup(id),
            _ => self.hear_status(id),
        }
    }

    /// A template asks whether it may make namespaces: only for a slot that was ordered.
    fn open_gate(&mut self, id: u64) {
        let Some(room) = self.rooms.get_mut(&id) else { return };
        let Kind::Sandbox { template: Some(template), .. } = &mut room.kind else { return };
        let Template { gate, pid, ordered, .. } = template;
        let Some(open) = gate else { return };
        match open.answer(|who| *ordered > 0 && who == *pid) {
            Ok(true) => *ordered -= 1,
            Ok(false) => {}
            // Nobody is left who could ask.
            Err(_) => *gate = None,
        }
    }

    /// Progress of a sandbox on its way to the program.
    fn hear_setup(&mut self, id: u64) -> io::Result<()> {
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
    fn hear_status(&mut self, id: u64) -> io::Result<()> {
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
    fn ended(&mut self, id: u64, status: Option<i32>, why: Option<String>) -> io::Result<()> {
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

/// Ends what a room is for. Its first process says how that ended, and then it ends with all else:
/// the worker may have ended by itself before.
fn ask_to_end(room: &Room) {
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
fn end(room: &Room) {
    if room.frozen {
        crate::processes::freeze(room.pid, false);
    }
    if let Some(first) = &room.first {
        crate::processes::kill_descendants(room.pid);
        let _gone = rustix::process::pidfd_send_signal(first, Signal::KILL);
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
