//! What a function sees as its file system: the system's programs and libraries, its own code, a
//! `/tmp` of its own, and nothing else. Read-only but for `/tmp`.

use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use crate::sys;

/// Where functions find things, as on Lambda.
pub(crate) const TASK: &str = "/var/task";
pub(crate) const RUNTIMES: &str = "/var/runtime";
pub(crate) const LAYERS: &str = "/opt";
/// The function's code pack, a file.
pub(crate) const PACK: &str = "/var/pack";
/// What a worker needs to be forked.
pub(crate) const FORK: &str = "/var/fork";

/// The names of a function's user and group, as on Lambda.
pub(crate) const UID: u32 = 993;
pub(crate) const GID: u32 = 990;

/// Programs and libraries. Links among them stay links.
pub(crate) const SYSTEM: [&str; 6] = ["/bin", "/lib", "/lib32", "/lib64", "/sbin", "/usr"];
/// What libraries read of the machine's configuration: certificates, where libraries lie, the zone.
pub(crate) const CONFIGURATION: [&str; 8] = [
    "/etc/alternatives",
    "/etc/ca-certificates",
    "/etc/ld.so.cache",
    "/etc/ld.so.conf",
    "/etc/ld.so.conf.d",
    "/etc/localtime",
    "/etc/pki",
    "/etc/ssl",
];
const DEVICES: [&str; 5] = ["/dev/full", "/dev/null", "/dev/random", "/dev/urandom", "/dev/zero"];

/// What a file of `/tmp` stands for, however small it is: each costs memory.
const BYTES_PER_FILE: u64 = 16 << 10;

/// What the kernel counts for a user, and would count for the server's without a limit of ours.
const COUNTED: [(&str, &str); 2] =
    [("max_inotify_instances", "16"), ("max_inotify_watches", "8192")];

/// What one sandbox shows.
pub(crate) struct View<'a> {
    /// Folders of interpreters that are elsewhere than the system's. They keep their names.
    pub(crate) folders: &'a [PathBuf],
    /// Our bootstraps.
    pub(crate) runtimes: &'a Path,
    pub(crate) fork: &'a Path,
    pub(crate) code: Code<'a>,
    pub(crate) tmp_bytes: u64,
}

/// Where the code comes from.
pub(crate) enum Code<'a> {
    /// It is known.
    Known { code: &'a Path, layers: &'a [PathBuf], pack: Option<&'a Path> },
    /// It will be mounted in this folder of the launcher's, and pass on to us: `task`, `opt`, `pack`.
    Later { stage: &'a Path },
}

/// Makes this process's root what `view` says. The process is privileged in a mount namespace of
/// its own. What it cannot reach any more as `become_user` has run, is opened before.
pub(crate) fn furnish(
    view: &View<'_>,
    become_user: impl FnOnce() -> io::Result<()>,
) -> io::Result<()> {
    // Whatever we mount stays here; what the launcher mounts still comes.
    sys::propagate(Path::new("/"), libc::MS_SLAVE | libc::MS_REC)?;
    let binds = binds(view)?;
    become_user()?;
    let root = Path::new("/tmp");
    let plain = libc::MS_NOSUID | libc::MS_NODEV;
    // It covers /tmp, which is there on every system; nothing of it is needed here any more.
    sys::mount("tmpfs", root, plain, "mode=0755,size=1m")?;
    std::env::set_current_dir(root)?;
    for folder in ["dev", "etc", "opt", "proc", "tmp", "var", "var/task"] {
        fs::create_dir(folder)?;
    }
    for Bind { mount, at, is_folder } in &binds {
        let at = at.strip_prefix("/").unwrap_or(at);
        if *is_folder {
            fs::create_dir_all(at)?;
        } else {
            at.parent().map_or(Ok(()), fs::create_dir_all)?;
            fs::write(at, "")?;
        }
        sys::attach(mount, at)?;
    }
    links_and_files()?;
    sys::mount("proc", Path::new("proc"), plain | libc::MS_NOEXEC, "")?;
    for (what, max) in COUNTED {
        fs::write(Path::new("proc/sys/user").join(what), max)?;
    }
    let (bytes, files) = (view.tmp_bytes, view.tmp_bytes / BYTES_PER_FILE);
    let options = format!("mode=1777,size={bytes},nr_inodes={files}");
    sys::mount("tmpfs", Path::new("tmp"), plain, &options)?;
    sys::pivot()?;
    let root = sys::root_mount()?;
    sys::set_mount(&root, 0, libc::MOUNT_ATTR_RDONLY, 0)
}

struct Bind {
    mount: OwnedFd,
    at: PathBuf,
    is_folder: bool,
}

fn binds(view: &View<'_>) -> io::Result<Vec<Bind>> {
    let mut binds = Vec::new();
    let mut bind = |from: &Path, at: &Path, devices: bool| -> io::Result<()> {
        let is_folder = match fs::metadata(from) {
            Ok(found) => found.is_dir(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(named(from, &error)),
        };
        let mount = sys::detached(from, !devices, devices).map_err(|error| named(from, &error))?;
        binds.push(Bind { mount, at: at.to_owned(), is_folder });
        Ok(())
    };
    for path in SYSTEM.into_iter().chain(CONFIGURATION).map(Path::new) {
        if !path.is_symlink() || path.is_file() {
            bind(path, path, false)?;
        }
    }
    for path in view.folders {
        bind(path, path, false)?;
    }
    for path in DEVICES.map(Path::new) {
        bind(path, path, true)?;
    }
    bind(view.runtimes, Path::new(RUNTIMES), false)?;
    bind(view.fork, Path::new(FORK), false)?;
    match &view.code {
        Code::Known { code, layers, pack } => {
            bind(code, Path::new(TASK), false)?;
            if let Some(pack) = pack {
                bind(pack, Path::new(PACK), false)?;
            }
            if let Some(layers) = sys::layered(layers)? {
                binds.push(Bind { mount: layers, at: PathBuf::from(LAYERS), is_folder: true });
            }
        }
        Code::Later { stage } => {
            bind(&stage.join("task"), Path::new(TASK), false)?;
            bind(&stage.join("opt"), Path::new(LAYERS), false)?;
            bind(&stage.join("pack"), Path::new(PACK), false)?;
        }
    }
    Ok(binds)
}

fn named(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

fn links_and_files() -> io::Result<()> {
    for path in SYSTEM.map(Path::new).into_iter().filter(|path| path.is_symlink()) {
        symlink(fs::read_link(path)?, path.strip_prefix("/").unwrap_or(path))?;
    }
    for (name, to) in [("fd", "fd"), ("stdin", "fd/0"), ("stdout", "fd/1"), ("stderr", "fd/2")] {
        symlink(format!("/proc/self/{to}"), Path::new("dev").join(name))?;
    }
    let user = "sbx_user1051";
    fs::write("etc/passwd", format!("{user}:x:{UID}:{GID}::/home/{user}:/sbin/nologin\n"))?;
    fs::write("etc/group", format!("{user}:x:{GID}:\n"))?;
    fs::write("etc/hosts", "127.0.0.1 localhost\n::1 localhost\n")?;
    fs::write("etc/nsswitch.conf", "passwd: files\ngroup: files\nhosts: files dns\n")?;
    // Where nobody answers there, a question fails at once.
    fs::write("etc/resolv.conf", "nameserver 127.0.0.1\n")?;
    Ok(())
}
