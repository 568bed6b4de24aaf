//! Which system calls a function may make.
//!
//! Two filters. The first is an allow-list: what is not on it does not exist. The second guards
//! `clone`: nobody makes namespaces, but for a template, and that only while the launcher, who is
//! asked each time, has just ordered a slot of it. Where functions may reach other networks it also
//! asks about `connect`, and `sendto` with an address (`egress.rs`).

use std::collections::BTreeMap;
use std::io;
use std::os::fd::{FromRawFd as _, OwnedFd};

use libc::c_long;
use seccompiler::{
    SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
    TargetArch, sock_filter,
};

use crate::sys;

/// All namespaces that `clone` can make.
const NAMESPACES: u32 = 0x7e02_0000;
/// Those of a slot: user, mount, process, network, System V IPC.
pub(crate) const SLOT_NAMESPACES: u32 =
    0x0002_0000 | 0x0800_0000 | 0x1000_0000 | 0x2000_0000 | 0x4000_0000;

/// Programs for the kernel, compiled once.
pub(crate) struct Filters {
    calls: Vec<sock_filter>,
    calls_of_template: Vec<sock_filter>,
    /// Whether connections are asked about.
    egress: bool,
}

impl Filters {
    pub(crate) fn compile(egress: bool) -> io::Result<Filters> {
        Ok(Filters { calls: allow_list(false)?, calls_of_template: allow_list(true)?, egress })
    }

    /// Applies both filters to the calling thread, for good. Gives the descriptor where we are
    /// asked about its calls, if there are such: about forks of a template, and connections.
    pub(crate) fn apply(&self, template: bool) -> io::Result<Option<OwnedFd>> {
        // The guard first: afterwards no filter with a listener may be added.
        let listener = install(&guard(template, self.egress), template || self.egress)?;
        install(if template { &self.calls_of_template } else { &self.calls }, false)?;
        Ok(listener)
    }
}

fn install(program: &[sock_filter], listener: bool) -> io::Result<Option<OwnedFd>> {
    if !listener {
        return install_with(program, 0).map(|_| None);
    }
    // What waits for an answer of ours is not begun anew when a signal comes, which would connect
    // again: Linux 5.19 and later.
    let flags = libc::SECCOMP_FILTER_FLAG_NEW_LISTENER;
    let fd = match install_with(program, flags | WAIT_KILLABLE) {
        Err(error) if error.raw_os_error() == Some(libc::EINVAL) => install_with(program, flags)?,
        other => other?,
    };
    let fd = i32::try_from(fd).map_err(io::Error::other)?;
    // SAFETY: the kernel has just made it for us.
    Ok(Some(unsafe { OwnedFd::from_raw_fd(fd) }))
}

/// `SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV`.
const WAIT_KILLABLE: libc::c_ulong = 1 << 5;

fn install_with(program: &[sock_filter], flags: libc::c_ulong) -> io::Result<c_long> {
    let program = libc::sock_fprog {
        len: u16::try_from(program.len()).map_err(io::Error::other)?,
        filter: program.as_ptr().cast_mut().cast(),
    };
    // SAFETY: the program is whole; the kernel checks and copies it.
    unsafe {
        let mode = libc::SECCOMP_SET_MODE_FILTER;
        sys::check(libc::syscall(libc::SYS_seccomp, mode, flags, &raw const program))
    }
}

/// What guards `clone`, and connections where there is egress, as a program.
fn guard(template: bool, egress: bool) -> Vec<sock_filter> {
    const LOAD: u16 = 0x20; // a word of what is known of the call
    const AND: u16 = 0x54;
    const JUMP_EQUAL: u16 = 0x15;
    const RETURN: u16 = 0x06;
    const NUMBER_AT: u32 = 0;
    const ARCH_AT: u32 = 4;
    const FIRST_ARGUMENT_AT: u32 = 16; // its lower half
    const FIFTH_ARGUMENT_AT: u32 = 48;
    let arch = if cfg!(target_arch = "aarch64") { 0xc000_00b7 } else { 0xc000_003e };
    let step = |code, k, jt, jf| sock_filter { code, jt, jf, k };
    let give = |action: u32| step(RETURN, action, 0, 0);
    let errno = |number: i32| libc::SECCOMP_RET_ERRNO | number.unsigned_abs();
    let number = |call: c_long| u32::try_from(call).unwrap_or(u32::MAX);
    let ordered = if template { libc::SECCOMP_RET_USER_NOTIF } else { errno(libc::EPERM) };
    let mut program = vec![
        step(LOAD, ARCH_AT, 0, 0),
        step(JUMP_EQUAL, arch, 1, 0),
        give(libc::SECCOMP_RET_KILL_PROCESS),
        step(LOAD, NUMBER_AT, 0, 0),
    ];
    if egress {
        program.extend([
            step(JUMP_EQUAL, number(libc::SYS_connect), 0, 1),
            give(libc::SECCOMP_RET_USER_NOTIF),
            step(JUMP_EQUAL, number(libc::SYS_sendto), 0, 5),
            step(LOAD, FIFTH_ARGUMENT_AT, 0, 0),
            step(JUMP_EQUAL, 0, 0, 2),
            step(LOAD, FIFTH_ARGUMENT_AT + 4, 0, 0),
            step(JUMP_EQUAL, 0, 1, 0),
            give(libc::SECCOMP_RET_USER_NOTIF),
            step(LOAD, NUMBER_AT, 0, 0),
        ]);
    }
    program.extend([
        // Its flags are in memory, where a filter cannot look. C libraries fall back to `clone`.
        step(JUMP_EQUAL, number(libc::SYS_clone3), 0, 1),
        give(errno(libc::ENOSYS)),
        step(JUMP_EQUAL, number(libc::SYS_clone), 1, 0),
        give(libc::SECCOMP_RET_ALLOW),
        step(LOAD, FIRST_ARGUMENT_AT, 0, 0),
        step(AND, NAMESPACES, 0, 0),
        step(JUMP_EQUAL, 0, 2, 0),
        step(JUMP_EQUAL, SLOT_NAMESPACES, 2, 0),
        give(errno(libc::EPERM)),
        give(libc::SECCOMP_RET_ALLOW),
        give(ordered),
    ]);
    program
}

fn allow_list(template: bool) -> io::Result<Vec<sock_filter>> {
    let mut rules: BTreeMap<c_long, Vec<SeccompRule>> = BTreeMap::new();
    for call in CALLS {
        rules.insert(*call, Vec::new());
    }
    let equal = |argument, value: u64| {
        let (len, op) = (SeccompCmpArgLen::Dword, SeccompCmpOp::Eq);
        let condition = SeccompCondition::new(argument, len, op, value);
        SeccompRule::new(vec![condition.map_err(io::Error::other)?]).map_err(io::Error::other)
    };
    let families = [libc::AF_UNIX, libc::AF_INET, libc::AF_INET6, libc::AF_NETLINK];
    for call in [libc::SYS_socket, libc::SYS_socketpair] {
        let each = families.map(|family| equal(0, u64::from(family.unsigned_abs())));
        rules.insert(call, each.into_iter().collect::<io::Result<_>>()?);
    }
    // Only to ask.
    rules.insert(libc::SYS_personality, vec![equal(0, 0xffff_ffff)?]);
    if template {
        // The first process of a slot mounts; all others lack the capability.
        rules.insert(libc::SYS_mount, Vec::new());
        rules.insert(libc::SYS_capset, Vec::new());
    }
    let arch = if cfg!(target_arch = "aarch64") { TargetArch::aarch64 } else { TargetArch::x86_64 };
    let refused = SeccompAction::Errno(libc::ENOSYS.unsigned_abs());
    let filter = SeccompFilter::new(rules, refused, SeccompAction::Allow, arch);
    filter.and_then(TryInto::try_into).map_err(io::Error::other)
}

/// What runtimes and what they start need. Not here, among others: everything that mounts, traces
/// or reads another process, loads kernel code, uses the kernel's keys, io_uring or BPF, sets
/// clocks, or makes namespaces.
#[rustfmt::skip]
const CALLS: &[c_long] = &[
    libc::SYS_accept, libc::SYS_accept4, libc::SYS_bind, libc::SYS_brk, libc::SYS_capget,
    libc::SYS_chdir, libc::SYS_clock_getres, libc::SYS_clock_gettime, libc::SYS_clock_nanosleep,
    libc::SYS_clone, libc::SYS_close, libc::SYS_close_range, libc::SYS_connect,
    libc::SYS_copy_file_range, libc::SYS_dup, libc::SYS_dup3, libc::SYS_epoll_create1,
    libc::SYS_epoll_ctl, libc::SYS_epoll_pwait, libc::SYS_epoll_pwait2, libc::SYS_eventfd2,
    libc::SYS_execve, libc::SYS_execveat, libc::SYS_exit, libc::SYS_exit_group,
    libc::SYS_faccessat, libc::SYS_faccessat2, libc::SYS_fadvise64, libc::SYS_fallocate,
    libc::SYS_fchdir, libc::SYS_fchmod, libc::SYS_fchmodat, libc::SYS_fchown,
    libc::SYS_fchownat, libc::SYS_fcntl, libc::SYS_fdatasync, libc::SYS_fgetxattr,
    libc::SYS_flistxattr, libc::SYS_flock, libc::SYS_fremovexattr, libc::SYS_fsetxattr,
    libc::SYS_fstat, libc::SYS_fstatfs, libc::SYS_fsync, libc::SYS_ftruncate, libc::SYS_futex,
    libc::SYS_futex_waitv, libc::SYS_getcpu, libc::SYS_getcwd, libc::SYS_getdents64,
    libc::SYS_getegid, libc::SYS_geteuid, libc::SYS_getgid, libc::SYS_getgroups,
    libc::SYS_getitimer, libc::SYS_getpeername, libc::SYS_getpgid, libc::SYS_getpid,
    libc::SYS_getppid, libc::SYS_getpriority, libc::SYS_getrandom, libc::SYS_getresgid,
    libc::SYS_getresuid, libc::SYS_getrlimit, libc::SYS_get_robust_list, libc::SYS_getrusage,
    libc::SYS_getsid, libc::SYS_getsockname, libc::SYS_getsockopt, libc::SYS_gettid,
    libc::SYS_gettimeofday, libc::SYS_getuid, libc::SYS_getxattr, libc::SYS_get_mempolicy,
    libc::SYS_inotify_add_watch, libc::SYS_inotify_init1, libc::SYS_inotify_rm_watch,
    libc::SYS_ioctl, libc::SYS_ioprio_get, libc::SYS_ioprio_set, libc::SYS_kill,
    libc::SYS_landlock_add_rule, libc::SYS_landlock_create_ruleset,
    libc::SYS_landlock_restrict_self, libc::SYS_lgetxattr, libc::SYS_linkat, libc::SYS_listen,
    libc::SYS_listxattr, libc::SYS_llistxattr, libc::SYS_lremovexattr, libc::SYS_lseek,
    libc::SYS_lsetxattr, libc::SYS_madvise, libc::SYS_mbind, libc::SYS_membarrier,
    libc::SYS_memfd_create, libc::SYS_mincore, libc::SYS_mkdirat, libc::SYS_mknodat,
    libc::SYS_mlock, libc::SYS_mlock2, libc::SYS_mlockall, libc::SYS_mmap, libc::SYS_mprotect,
    libc::SYS_mremap, libc::SYS_msync, libc::SYS_munlock, libc::SYS_munlockall,
    libc::SYS_munmap, libc::SYS_nanosleep, libc::SYS_newfstatat, libc::SYS_openat,
    libc::SYS_openat2, libc::SYS_pidfd_open, libc::SYS_pidfd_send_signal, libc::SYS_pipe2,
    libc::SYS_pkey_alloc, libc::SYS_pkey_free, libc::SYS_pkey_mprotect, libc::SYS_ppoll,
    libc::SYS_prctl, libc::SYS_pread64, libc::SYS_preadv, libc::SYS_preadv2,
    libc::SYS_prlimit64, libc::SYS_pselect6, libc::SYS_pwrite64, libc::SYS_pwritev,
    libc::SYS_pwritev2, libc::SYS_read, libc::SYS_readahead, libc::SYS_readlinkat,
    libc::SYS_readv, libc::SYS_recvfrom, libc::SYS_recvmmsg, libc::SYS_recvmsg,
    libc::SYS_removexattr, libc::SYS_renameat, libc::SYS_renameat2, libc::SYS_restart_syscall,
    libc::SYS_rseq, libc::SYS_rt_sigaction, libc::SYS_rt_sigpending, libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigqueueinfo, libc::SYS_rt_sigreturn, libc::SYS_rt_sigsuspend,
    libc::SYS_rt_sigtimedwait, libc::SYS_rt_tgsigqueueinfo, libc::SYS_sched_getaffinity,
    libc::SYS_sched_getattr, libc::SYS_sched_getparam, libc::SYS_sched_get_priority_max,
    libc::SYS_sched_get_priority_min, libc::SYS_sched_getscheduler,
    libc::SYS_sched_rr_get_interval, libc::SYS_sched_setaffinity, libc::SYS_sched_setattr,
    libc::SYS_sched_setparam, libc::SYS_sched_setscheduler, libc::SYS_sched_yield,
    libc::SYS_seccomp, libc::SYS_sendfile, libc::SYS_sendmmsg, libc::SYS_sendmsg,
    libc::SYS_sendto, libc::SYS_setgid, libc::SYS_setgroups, libc::SYS_setitimer,
    libc::SYS_setpgid, libc::SYS_setpriority, libc::SYS_setregid, libc::SYS_setresgid,
    libc::SYS_setresuid, libc::SYS_setreuid, libc::SYS_setrlimit, libc::SYS_set_robust_list,
    libc::SYS_setsid, libc::SYS_setsockopt, libc::SYS_set_tid_address, libc::SYS_setuid,
    libc::SYS_setxattr, libc::SYS_shutdown, libc::SYS_sigaltstack, libc::SYS_signalfd4,
    libc::SYS_splice, libc::SYS_statfs, libc::SYS_statx, libc::SYS_symlinkat, libc::SYS_sync,
    libc::SYS_sync_file_range, libc::SYS_syncfs, libc::SYS_sysinfo, libc::SYS_tee,
    libc::SYS_tgkill, libc::SYS_timer_create, libc::SYS_timer_delete,
    libc::SYS_timerfd_create, libc::SYS_timerfd_gettime, libc::SYS_timerfd_settime,
    libc::SYS_timer_getoverrun, libc::SYS_timer_gettime, libc::SYS_timer_settime,
    libc::SYS_times, libc::SYS_tkill, libc::SYS_truncate, libc::SYS_umask, libc::SYS_uname,
    libc::SYS_unlinkat, libc::SYS_utimensat, libc::SYS_vmsplice, libc::SYS_wait4,
    libc::SYS_waitid, libc::SYS_write, libc::SYS_writev,
    #[cfg(target_arch = "x86_64")] libc::SYS_access,
    #[cfg(target_arch = "x86_64")] libc::SYS_alarm,
    #[cfg(target_arch = "x86_64")] libc::SYS_arch_prctl,
    #[cfg(target_arch = "x86_64")] libc::SYS_chmod,
    #[cfg(target_arch = "x86_64")] libc::SYS_chown,
    #[cfg(target_arch = "x86_64")] libc::SYS_creat,
    #[cfg(target_arch = "x86_64")] libc::SYS_dup2,
    #[cfg(target_arch = "x86_64")] libc::SYS_epoll_create,
    #[cfg(target_arch = "x86_64")] libc::SYS_epoll_wait,
    #[cfg(target_arch = "x86_64")] libc::SYS_eventfd,
    #[cfg(target_arch = "x86_64")] libc::SYS_fork,
    #[cfg(target_arch = "x86_64")] libc::SYS_futimesat,
    #[cfg(target_arch = "x86_64")] libc::SYS_getdents,
    #[cfg(target_arch = "x86_64")] libc::SYS_getpgrp,
    #[cfg(target_arch = "x86_64")] libc::SYS_inotify_init,
    #[cfg(target_arch = "x86_64")] libc::SYS_lchown,
    #[cfg(target_arch = "x86_64")] libc::SYS_link,
    #[cfg(target_arch = "x86_64")] libc::SYS_lstat,
    #[cfg(target_arch = "x86_64")] libc::SYS_mkdir,
    #[cfg(target_arch = "x86_64")] libc::SYS_mknod,
    #[cfg(target_arch = "x86_64")] libc::SYS_open,
    #[cfg(target_arch = "x86_64")] libc::SYS_pause,
    #[cfg(target_arch = "x86_64")] libc::SYS_pipe,
    #[cfg(target_arch = "x86_64")] libc::SYS_poll,
    #[cfg(target_arch = "x86_64")] libc::SYS_readlink,
    #[cfg(target_arch = "x86_64")] libc::SYS_rename,
    #[cfg(target_arch = "x86_64")] libc::SYS_rmdir,
    #[cfg(target_arch = "x86_64")] libc::SYS_select,
    #[cfg(target_arch = "x86_64")] libc::SYS_signalfd,
    #[cfg(target_arch = "x86_64")] libc::SYS_stat,
    #[cfg(target_arch = "x86_64")] libc::SYS_symlink,
    #[cfg(target_arch = "x86_64")] libc::SYS_time,
    #[cfg(target_arch = "x86_64")] libc::SYS_unlink,
    #[cfg(target_arch = "x86_64")] libc::SYS_utime,
    #[cfg(target_arch = "x86_64")] libc::SYS_utimes,
    #[cfg(target_arch = "x86_64")] libc::SYS_vfork,
];
