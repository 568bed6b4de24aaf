//! The system calls that no library here wraps, with their errors.

use std::ffi::{CStr, CString};
use std::io;
use std::os::fd::{AsRawFd as _, BorrowedFd, FromRawFd as _, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use libc::{c_int, c_long};

pub(crate) fn check(result: c_long) -> io::Result<c_long> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

pub(crate) fn path(path: &Path) -> io::Result<CString> {
    Ok(CString::new(path.as_os_str().as_bytes())?)
}

/// What `clone` gave.
pub(crate) enum Cloned {
    Child,
    Parent { pid: i32, pidfd: OwnedFd },
}

/// `clone3(2)` as a fork into new namespaces.
///
/// # Safety
/// Only a process of one thread may call it: the child has no other, and whatever they held.
pub(crate) unsafe fn clone(namespaces: u64) -> io::Result<Cloned> {
    let mut pidfd: c_int = -1;
    let mut args = libc::clone_args {
        flags: namespaces | libc::CLONE_PIDFD as u64,
        pidfd: &raw mut pidfd as u64,
        child_tid: 0,
        parent_tid: 0,
        exit_signal: libc::SIGCHLD as u64,
        stack: 0,
        stack_size: 0,
        tls: 0,
        set_tid: 0,
        set_tid_size: 0,
        cgroup: 0,
    };
    // SAFETY: the arguments are whole; the caller promises that there is one thread.
    let pid = check(unsafe { libc::syscall(libc::SYS_clone3, &raw mut args, size_of_val(&args)) })?;
    if pid == 0 {
        return Ok(Cloned::Child);
    }
    // SAFETY: the kernel has just made it for us.
    let pidfd = unsafe { OwnedFd::from_raw_fd(pidfd) };
    Ok(Cloned::Parent { pid: i32::try_from(pid).unwrap_or(-1), pidfd })
}

/// `open_tree(2)`: a mount of the folder or file that hangs nowhere yet, read-only and without
/// devices or set-user-id programs where asked.
pub(crate) fn detached(from: &Path, read_only: bool, devices: bool) -> io::Result<OwnedFd> {
    let from = path(from)?;
    let flags =
        libc::OPEN_TREE_CLONE | libc::OPEN_TREE_CLOEXEC | libc::AT_RECURSIVE as libc::c_uint;
    // SAFETY: the path ends with a zero.
    let fd = unsafe {
        let fd = libc::syscall(libc::SYS_open_tree, libc::AT_FDCWD, from.as_ptr(), flags);
        OwnedFd::from_raw_fd(i32::try_from(check(fd)?).unwrap_or(-1))
    };
    let mut wanted = libc::MOUNT_ATTR_NOSUID;
    if read_only {
        wanted |= libc::MOUNT_ATTR_RDONLY;
    }
    if !devices {
        wanted |= libc::MOUNT_ATTR_NODEV;
    }
    set_mount(&fd, libc::AT_RECURSIVE, wanted, 0)?;
    Ok(fd)
}

/// `mount_setattr(2)` on a mount that is open.
pub(crate) fn set_mount(
    mount: &OwnedFd,
    recursive: c_int,
    wanted: u64,
    propagation: u64,
) -> io::Result<()> {
    let attr = libc::mount_attr { attr_set: wanted, attr_clr: 0, propagation, userns_fd: 0 };
    let flags = recursive | libc::AT_EMPTY_PATH;
    // SAFETY: the empty path ends with a zero, the attributes are whole.
    check(unsafe {
        let (fd, size) = (mount.as_raw_fd(), size_of_val(&attr));
        libc::syscall(libc::SYS_mount_setattr, fd, c"".as_ptr(), flags, &raw const attr, size)
    })?;
    Ok(())
}

/// `move_mount(2)`: hangs a mount at a place.
pub(crate) fn attach(mount: &OwnedFd, at: &Path) -> io::Result<()> {
    let at = path(at)?;
    let flags = libc::MOVE_MOUNT_F_EMPTY_PATH;
    // SAFETY: both paths end with a zero.
    check(unsafe {
        let fd = mount.as_raw_fd();
        let here = libc::AT_FDCWD;
        libc::syscall(libc::SYS_move_mount, fd, c"".as_ptr(), here, at.as_ptr(), flags)
    })?;
    Ok(())
}

/// `mount(2)` of a file system that the kernel makes: tmpfs, proc.
pub(crate) fn mount(kind: &str, at: &Path, flags: u64, options: &str) -> io::Result<()> {
    let (kind, at, options) = (CString::new(kind)?, path(at)?, CString::new(options)?);
    // SAFETY: all texts end with a zero.
    check(c_long::from(unsafe {
        libc::mount(kind.as_ptr(), at.as_ptr(), kind.as_ptr(), flags, options.as_ptr().cast())
    }))?;
    Ok(())
}

/// Says how mounts below the root pass on to others: `MS_PRIVATE`, `MS_SLAVE`, `MS_SHARED`.
pub(crate) fn propagate(at: &Path, how: u64) -> io::Result<()> {
    let at = path(at)?;
    let none = std::ptr::null();
    // SAFETY: the path ends with a zero.
    check(c_long::from(unsafe { libc::mount(none, at.as_ptr(), none, how, std::ptr::null()) }))?;
    Ok(())
}

pub(crate) fn unmount(at: &Path) -> io::Result<()> {
    let at = path(at)?;
    // SAFETY: the path ends with a zero.
    check(c_long::from(unsafe { libc::umount2(at.as_ptr(), libc::MNT_DETACH) }))?;
    Ok(())
}

/// Makes the working directory the root of this mount namespace, and the old root unreachable.
pub(crate) fn pivot() -> io::Result<()> {
    let here = c".".as_ptr();
    // SAFETY: the paths end with a zero.
    unsafe {
        check(libc::syscall(libc::SYS_pivot_root, here, here))?;
        check(c_long::from(libc::umount2(here, libc::MNT_DETACH)))?;
        check(c_long::from(libc::chdir(c"/".as_ptr())))?;
    }
    Ok(())
}

pub(crate) fn unshare(namespaces: c_int) -> io::Result<()> {
    // SAFETY: no memory is involved.
    check(c_long::from(unsafe { libc::unshare(namespaces) }))?;
    Ok(())
}

/// Goes into a network, for good where we may not go back.
pub(crate) fn enter_network(network: BorrowedFd<'_>) -> io::Result<()> {
    // SAFETY: no memory is involved.
    check(c_long::from(unsafe { libc::setns(network.as_raw_fd(), libc::CLONE_NEWNET) }))?;
    Ok(())
}

/// Takes a user and group for good, and no other groups where that is allowed.
pub(crate) fn become_user(uid: u32, gid: u32) -> io::Result<()> {
    // SAFETY: no memory is involved.
    unsafe {
        let _denied_to_users = libc::setgroups(0, std::ptr::null());
        check(c_long::from(libc::setresgid(gid, gid, gid)))?;
        check(c_long::from(libc::setresuid(uid, uid, uid)))?;
    }
    Ok(())
}

/// Gives up every capability.
pub(crate) fn drop_capabilities() -> io::Result<()> {
    let (head, sets) = ([0x2008_0522_u32, 0], [0u32; 6]);
    // SAFETY: the header is that of version 3, which has two sets of three numbers.
    check(unsafe { libc::syscall(libc::SYS_capset, head.as_ptr(), sets.as_ptr()) })?;
    Ok(())
}

pub(crate) fn prctl(option: c_int, value: libc::c_ulong) -> io::Result<()> {
    // SAFETY: only options that take numbers are used.
    check(c_long::from(unsafe { libc::prctl(option, value, 0, 0, 0) }))?;
    Ok(())
}

/// Switches the loopback device of this network namespace on.
pub(crate) fn loopback_up() -> io::Result<()> {
    // SAFETY: the request is whole, and of the kind this call reads.
    unsafe {
        let kind = libc::SOCK_STREAM | libc::SOCK_CLOEXEC;
        let socket = check(c_long::from(libc::socket(libc::AF_INET, kind, 0)))?;
        let socket = OwnedFd::from_raw_fd(i32::try_from(socket).unwrap_or(-1));
        let mut request: libc::ifreq = std::mem::zeroed();
        for (to, from) in request.ifr_name.iter_mut().zip(b"lo") {
            *to = *from as libc::c_char;
        }
        request.ifr_ifru.ifru_flags = i16::try_from(libc::IFF_UP).unwrap_or(1);
        // C libraries differ about the type of requests.
        let set = libc::SIOCSIFFLAGS as libc::Ioctl;
        check(c_long::from(libc::ioctl(socket.as_raw_fd(), set, &raw mut request)))?;
    }
    Ok(())
}

/// Limits what a process may write to, of its own.
pub(crate) fn limit_data(pid: i32, bytes: u64) -> io::Result<()> {
    let limit = libc::rlimit { rlim_cur: bytes, rlim_max: bytes };
    // SAFETY: the limit is whole; the old one is not asked for.
    check(libc::c_long::from(unsafe {
        libc::prlimit(pid, libc::RLIMIT_DATA, &raw const limit, std::ptr::null_mut())
    }))?;
    Ok(())
}

/// Puts a descriptor at a number of our choice, to be inherited by the program that is started.
pub(crate) fn place(fd: &OwnedFd, at: c_int) -> io::Result<()> {
    // SAFETY: what was there before belongs to the caller, who knows it.
    check(c_long::from(unsafe { libc::dup2(fd.as_raw_fd(), at) }))?;
    Ok(())
}

/// The root of this mount namespace, to be changed.
pub(crate) fn root_mount() -> io::Result<OwnedFd> {
    // SAFETY: the path ends with a zero; without `OPEN_TREE_CLONE` it is the mount itself.
    unsafe {
        let flags = libc::OPEN_TREE_CLOEXEC;
        let fd = libc::syscall(libc::SYS_open_tree, libc::AT_FDCWD, c"/".as_ptr(), flags);
        Ok(OwnedFd::from_raw_fd(i32::try_from(check(fd)?).unwrap_or(-1)))
    }
}

/// Closes everything from a number on but these.
pub(crate) fn close_others(first: c_int, kept: &mut [c_int]) -> io::Result<()> {
    kept.sort_unstable();
    let mut from = first;
    for fd in kept.iter().copied().filter(|fd| *fd >= first) {
        if from < fd {
            close_range(from, fd - 1)?;
        }
        from = fd + 1;
    }
    close_range(from, c_int::MAX)
}

fn close_range(first: c_int, last: c_int) -> io::Result<()> {
    // SAFETY: no memory is involved; whoever calls owns none of them any more.
    check(unsafe { libc::syscall(libc::SYS_close_range, first, last, 0) })?;
    Ok(())
}

/// Marks everything from a number on as not to be inherited by programs.
pub(crate) fn close_on_exec(first: c_int) -> io::Result<()> {
    let flag = libc::CLOSE_RANGE_CLOEXEC;
    // SAFETY: no memory is involved.
    check(unsafe { libc::syscall(libc::SYS_close_range, first, libc::c_uint::MAX, flag) })?;
    Ok(())
}

/// Folders that lie over each other, read-only: a file of a later one hides that of an earlier one.
pub(crate) fn layered(folders: &[PathBuf]) -> io::Result<Option<OwnedFd>> {
    match folders {
        [] => return Ok(None),
        [one] => return detached(one, true, false).map(Some),
        _ => {}
    }
    let set = |fs: &OwnedFd, key: &CStr, value: &CString| {
        let (fd, string) = (fs.as_raw_fd(), libc::FSCONFIG_SET_STRING);
        // SAFETY: both texts end with a zero.
        check(unsafe {
            libc::syscall(libc::SYS_fsconfig, fd, string, key.as_ptr(), value.as_ptr(), 0)
        })
    };
    // SAFETY: the name ends with a zero; what the kernel gives is ours.
    let fs = unsafe {
        let fd = libc::syscall(libc::SYS_fsopen, c"overlay".as_ptr(), libc::FSOPEN_CLOEXEC);
        OwnedFd::from_raw_fd(i32::try_from(check(fd)?).unwrap_or(-1))
    };
    // The first one named is on top.
    let mut lower = Vec::new();
    for folder in folders.iter().rev() {
        if !lower.is_empty() {
            lower.push(b':');
        }
        for byte in folder.as_os_str().as_bytes() {
            if matches!(byte, b':' | b'\\' | b',') {
                lower.push(b'\\');
            }
            lower.push(*byte);
        }
    }
    set(&fs, c"source", &CString::from(c"layers"))?;
    set(&fs, c"lowerdir", &CString::new(lower)?)?;
    let none = std::ptr::null::<libc::c_char>();
    // SAFETY: this command takes neither key nor value; what the kernel gives is ours.
    unsafe {
        let create = libc::FSCONFIG_CMD_CREATE;
        check(libc::syscall(libc::SYS_fsconfig, fs.as_raw_fd(), create, none, none, 0))?;
        let flags = libc::FSMOUNT_CLOEXEC;
        let attributes = libc::MOUNT_ATTR_RDONLY | libc::MOUNT_ATTR_NOSUID | libc::MOUNT_ATTR_NODEV;
        let fd = libc::syscall(libc::SYS_fsmount, fs.as_raw_fd(), flags, attributes);
        Ok(Some(OwnedFd::from_raw_fd(i32::try_from(check(fd)?).unwrap_or(-1))))
    }
}
