//! From the first process of a sandbox to the program in it.
//!
//! Two processes. The first is the first of its namespaces; it makes the file system, reaches out
//! for the network, starts the second and becomes `init`. The second gives up what it may do and
//! becomes the program.
//!
//! All of it runs in copies of the launcher, which has one thread.

use std::ffi::CString;
use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener};
use std::os::fd::{AsFd as _, AsRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use rustix::process::{Resource, Rlimit, setrlimit};

use crate::message::{self, Launch};
use crate::root::{self, Code, GID, UID, View};
use crate::seccomp::Filters;
use crate::{landlock, sys};

/// What the two processes are given.
pub(crate) struct Job<'a> {
    pub(crate) launch: &'a Launch,
    pub(crate) filters: &'a Filters,
    /// What workers need to be forked, outside.
    pub(crate) fork: &'a Path,
    /// Whether there are namespaces.
    pub(crate) confined: bool,
    /// Where the code will appear, if it is not known.
    pub(crate) stage: Option<&'a Path>,
    /// Progress, and what failed. It is closed when the program runs.
    pub(crate) setup: UnixStream,
    /// For `init`.
    pub(crate) status: OwnedFd,
    pub(crate) events: OwnedFd,
    pub(crate) replies: OwnedFd,
    pub(crate) output: OwnedFd,
    /// A template's orders.
    pub(crate) control: Option<OwnedFd>,
    /// Where the Runtime API is, once that is known.
    pub(crate) runtime_api: Option<String>,
}

/// Where the Runtime API is, in a network of one's own: as on Lambda.
const RUNTIME_API_PORT: u16 = 9001;

/// Signals that may wait.
const SIGNALS_MAX: u64 = 1_024;
/// Files and sockets a program may have open, as on Lambda.
const FILES_MAX: u64 = 1_024;

/// Runs in the first process, and does not return.
pub(crate) fn run(mut job: Job<'_>) -> ! {
    let alone = close_launchers(&mut job);
    let mut setup = copy(&job.setup);
    let Err(error) = alone.and_then(|()| first(job));
    if let Ok(setup) = &mut setup {
        let _nobody_hears = setup.write_all(format!("!{error}").as_bytes());
    }
    exit(1)
}

/// One more of it, out of the way, too.
fn copy(setup: &UnixStream) -> io::Result<UnixStream> {
    Ok(UnixStream::from(rustix::io::fcntl_dupfd_cloexec(setup, FD_MIN)?))
}

/// Closes what the launcher has open. With hundreds of sandboxes that is more than a program may
/// have open, and nothing further could be opened here.
fn close_launchers(job: &mut Job<'_>) -> io::Result<()> {
    for fd in [&mut job.status, &mut job.events, &mut job.replies, &mut job.output] {
        aside(fd)?;
    }
    if let Some(control) = &mut job.control {
        aside(control)?;
    }
    job.setup = copy(&job.setup)?;
    let own = [&job.status, &job.events, &job.replies, &job.output].map(AsRawFd::as_raw_fd);
    let control = job.control.as_ref().map(AsRawFd::as_raw_fd);
    let mut kept: Vec<_> = own.into_iter().chain([job.setup.as_raw_fd()]).chain(control).collect();
    sys::close_others(STREAMS, &mut kept)
}

/// Ends this process, without what a copy of the launcher would do at its end.
fn exit(status: i32) -> ! {
    // SAFETY: ends the process.
    unsafe { libc::_exit(status) }
}

fn context(what: &str) -> impl FnOnce(io::Error) -> io::Error {
    move |error| io::Error::new(error.kind(), format!("{what}: {error}"))
}

/// Moves a descriptor out of the way of those that are put at numbers of our choice.
fn aside(fd: &mut OwnedFd) -> io::Result<()> {
    *fd = rustix::io::fcntl_dupfd_cloexec(&*fd, FD_MIN)?;
    Ok(())
}

fn first(mut job: Job<'_>) -> io::Result<std::convert::Infallible> {
    // The launcher says who we are, in a namespace of users, and limits us.
    job.setup.read_exact(&mut [0])?;
    if job.confined {
        let launch = job.launch;
        let code = match (&launch.code, job.stage) {
            (Some(code), _) => {
                Code::Known { code, layers: &launch.layers, pack: launch.pack.as_deref() }
            }
            (None, Some(stage)) => Code::Later { stage },
            (None, None) => return Err(io::Error::other("there is no stage")),
        };
        let view = View {
            folders: &launch.folders,
            runtimes: &launch.runtimes,
            fork: job.fork,
            code,
            tmp_bytes: launch.limits.tmp_bytes,
        };
        root::furnish(&view, || {
            sys::prctl(libc::PR_SET_KEEPCAPS, 1)?;
            sys::become_user(UID, GID)
        })
        .map_err(context("file system"))?;
        sys::loopback_up().map_err(context("loopback"))?;
        rustix::system::sethostname(b"localhost")?;
    } else {
        sys::prctl(libc::PR_SET_CHILD_SUBREAPER, 1)?;
    }
    sys::prctl(libc::PR_SET_PDEATHSIG, 9)?;
    let listen = |port: u16| TcpListener::bind((Ipv4Addr::LOCALHOST, port));
    let mut listeners = Vec::new();
    if job.confined {
        listeners.push(listen(job.launch.door)?);
    }
    if job.launch.runtime_api {
        let listener = listen(if job.confined { RUNTIME_API_PORT } else { 0 })?;
        job.runtime_api = Some(listener.local_addr()?.to_string());
        listeners.push(listener);
    }
    let fds: Vec<_> = listeners.iter().map(|listener| listener.as_fd()).collect();
    message::send_bytes(&job.setup, b"hello", &fds)?;
    drop(listeners);
    // SAFETY: this process has one thread.
    match sys::check(libc::c_long::from(unsafe { libc::fork() }))? {
        0 => {
            let mut setup = copy(&job.setup);
            let Err(error) = second(job);
            if let Ok(setup) = &mut setup {
                let _nobody_hears = setup.write_all(format!("!{error}").as_bytes());
            }
            exit(1)
        }
        worker => {
            let init = place_of_init(&job);
            let (status, worker) = (number(10), CString::new(worker.to_string())?);
            rustix::io::fcntl_setfd(&job.status, rustix::io::FdFlags::empty())?;
            sys::place(&job.status, 10)?;
            Err(exec(&init, &[&init, &status, &worker], &[]))
        }
    }
}

fn number(number: i32) -> CString {
    CString::new(number.to_string()).unwrap_or_default()
}

fn fork_folder<'a>(job: &Job<'a>) -> &'a Path {
    if job.confined { Path::new(root::FORK) } else { job.fork }
}

fn place_of_init(job: &Job<'_>) -> CString {
    sys::path(&fork_folder(job).join("init")).unwrap_or_default()
}

/// Becomes a program; gives back why not.
fn exec(program: &CString, args: &[&CString], env: &[CString]) -> io::Error {
    let pointers = |texts: &mut dyn Iterator<Item = &CString>| {
        texts.map(|text| text.as_ptr()).chain([std::ptr::null()]).collect::<Vec<_>>()
    };
    let (argv, envp) = (pointers(&mut args.iter().copied()), pointers(&mut env.iter()));
    // SAFETY: both lists end with a null, all texts with a zero.
    unsafe { libc::execve(program.as_ptr(), argv.as_ptr(), envp.as_ptr()) };
    io::Error::last_os_error()
}

fn second(job: Job<'_>) -> io::Result<std::convert::Infallible> {
    let Job { launch, filters, confined, .. } = &job;
    rustix::process::setsid()?;
    limit(&job)?;
    sys::prctl(libc::PR_SET_NO_NEW_PRIVS, 1)?;
    sys::drop_capabilities()?;
    if *confined {
        std::env::set_current_dir(if launch.code.is_some() { root::TASK } else { "/" })?;
    }
    if landlock::version() > 0 {
        let (read, write) = if *confined {
            (vec![PathBuf::from("/")], vec!["/tmp", "/dev", "/proc"])
        } else {
            (fallback_view(launch, job.fork), vec!["/tmp", "/dev", "/proc"])
        };
        let write: Vec<_> = write.into_iter().map(Path::new).collect();
        // A template's slots mount, and Landlock does not let go.
        if !(launch.template && *confined) {
            landlock::restrict(&read, &write).map_err(context("Landlock"))?;
        }
    }
    let program = sys::path(&launch.program)?;
    let args = launch.args.iter().map(|arg| CString::new(arg.as_str()));
    let args: Vec<CString> = args.collect::<Result<_, _>>()?;
    let argv: Vec<_> = std::iter::once(&program).chain(&args).collect();
    let env = launch.env.iter().map(|(name, value)| CString::new(format!("{name}={value}")));
    let mut env: Vec<CString> = env.collect::<Result<_, _>>()?;
    match &job.runtime_api {
        Some(address) => env.push(CString::new(format!("AWS_LAMBDA_RUNTIME_API={address}"))?),
        None => env.push(CString::new(format!("CUMULET_FORK={}", fork_folder(&job).display()))?),
    }
    if launch.template {
        env.push(c"CUMULET_TEMPLATE=yes".to_owned());
    }
    place_descriptors(&job)?;
    if let Some(gate) = filters.apply(launch.template).map_err(context("seccomp"))? {
        message::send_bytes(&job.setup, b"gate", &[gate.as_fd()])?;
    }
    let error = exec(&program, &argv, &env);
    Err(context(&launch.program.display().to_string())(error))
}

/// Standard streams, and the numbers where a worker finds its pipes.
fn place_descriptors(job: &Job<'_>) -> io::Result<()> {
    let mut null = OwnedFd::from(std::fs::File::open("/dev/null")?);
    aside(&mut null)?;
    sys::place(&null, 0)?;
    sys::place(&job.output, 1)?;
    sys::place(&job.output, 2)?;
    sys::place(&job.events, 3)?;
    sys::place(&job.replies, 4)?;
    if let Some(control) = &job.control {
        sys::place(control, fork::CONTROL_FD)?;
    }
    Ok(())
}

/// What a function may read where it sees the machine's own file system.
fn fallback_view(launch: &Launch, fork: &Path) -> Vec<PathBuf> {
    let mut read: Vec<PathBuf> =
        root::SYSTEM.iter().chain(&root::CONFIGURATION).map(PathBuf::from).collect();
    read.extend(launch.folders.iter().cloned());
    read.push(launch.runtimes.clone());
    read.push(fork.to_owned());
    read.extend(launch.code.clone());
    read.extend(launch.layers.iter().cloned());
    read.extend(launch.pack.clone());
    read
}

fn limit(job: &Job<'_>) -> io::Result<()> {
    let launch = job.launch;
    let set = |what, max| setrlimit(what, Rlimit { current: Some(max), maximum: Some(max) });
    set(Resource::Nofile, FILES_MAX)?;
    set(Resource::Core, 0)?;
    // Of signals that wait, and timers: otherwise the server's user shares them with all functions.
    set(Resource::Sigpending, SIGNALS_MAX)?;
    set(Resource::Memlock, 64 << 10)?;
    let processes = u64::from(launch.limits.processes_max);
    set(Resource::Nproc, if launch.template { processes * SLOTS_MAX } else { processes })?;
    // Wherever there are no cgroups this is all there is: of each process what it may write to.
    set(Resource::Data, launch.limits.memory_bytes + launch.reserved_bytes)?;
    Ok(())
}

/// A template's slots count as its own processes; each limits itself.
const SLOTS_MAX: u64 = 16;
/// So many standard streams there are.
const STREAMS: i32 = 3;
/// Above what a program finds open, so that putting one in its place does not close another.
const FD_MIN: i32 = 20;
