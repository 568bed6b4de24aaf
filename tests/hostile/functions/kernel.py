"""System calls that are for the machine's owner. Arguments are such that nothing would change."""

import ctypes
import errno
import os
import signal
import struct
import time

from probe import X86, attempt, call, in_child, libc, reached, succeeded, told

NOWHERE = b"/cumulet-is-not-here"
# As in linux/sched.h.
NAMESPACES = {
    "cgroup": 0x0200_0000, "uts": 0x0400_0000, "ipc": 0x0800_0000, "user": 0x1000_0000,
    "pid": 0x2000_0000, "net": 0x4000_0000, "mount": 0x0002_0000, "time": 0x80,
}
# Exactly those of a slot: the only ones its template is ever allowed.
SLOT = 0x7802_0000


def reboot(_):
    return reached(call("reboot", 0xFEE1DEAD, 672274793, 0x1111))


def init_module(_):
    return reached(call("init_module", 0, 0, b""))


def finit_module(_):
    return reached(call("finit_module", -1, b"", 0))


def delete_module(_):
    return reached(call("delete_module", b"cumulet_is_not_here", os.O_NONBLOCK))


def kexec_load(_):
    return reached(call("kexec_load", 0, 0, 0, 0xFFF0))


def kexec_file_load(_):
    return reached(call("kexec_file_load", -1, -1, 0, 0, 0xFFF0))


def swapon(_):
    return reached(call("swapon", NOWHERE, 0))


def swapoff(_):
    return reached(call("swapoff", NOWHERE))


def settimeofday(_):
    now = time.time_ns()
    tv = struct.pack("qq", now // 10**9, now % 10**9 // 1000)
    return succeeded(call("settimeofday", tv, 0))


def clock_settime(_):
    now = time.time_ns()
    return succeeded(call("clock_settime", 0, struct.pack("qq", now // 10**9, now % 10**9)))


def syslog(_):
    size_of_buffer = 10
    return succeeded(call("syslog", size_of_buffer, 0, 0))


def quotactl(_):
    get_format = 0x800004 << 8
    return reached(call("quotactl", get_format, NOWHERE, 0, ctypes.create_string_buffer(64)))


def acct(_):
    return reached(call("acct", NOWHERE))


def open_by_handle_at(_):
    handle = ctypes.create_string_buffer(struct.pack("Ii", 128, 0) + bytes(128))
    mount = ctypes.c_int()
    got = call("name_to_handle_at", -100, b"/etc/passwd", handle, ctypes.byref(mount), 0)
    if got < 0:
        made = ctypes.create_string_buffer(struct.pack("IiQ", 8, 1, 2))
        return succeeded(call("open_by_handle_at", -100, made, os.O_RDONLY))
    folder = os.open("/etc", os.O_RDONLY)
    return succeeded(call("open_by_handle_at", folder, handle, os.O_RDONLY))


def fanotify(_):
    return succeeded(call("fanotify_init", 0, 0))


def personality(_):
    no_randomize = 0x0004_0000
    return in_child(lambda: succeeded(call("personality", no_randomize)))


def iopl(_):
    return in_child(lambda: succeeded(call("iopl", 3)))


def ioperm(_):
    return in_child(lambda: succeeded(call("ioperm", 0x80, 1, 1)))


def modify_ldt(_):
    return in_child(lambda: succeeded(call("modify_ldt", 0, ctypes.create_string_buffer(64), 64)))


def bpf(_):
    return reached(call("bpf", 0xFFFF, ctypes.create_string_buffer(128), 128))


def perf_event_open(_):
    software, cpu_clock, exclude_kernel = 1, 0, 1 << 5
    attr = struct.pack("IIQQQQQ", software, 112, cpu_clock, 0, 0, 0, exclude_kernel) + bytes(64)
    return succeeded(call("perf_event_open", ctypes.create_string_buffer(attr), 0, -1, -1, 0))


def userfaultfd(_):
    user_mode_only = 1
    return succeeded(call("userfaultfd", user_mode_only))


def io_uring(_):
    return succeeded(call("io_uring_setup", 1, ctypes.create_string_buffer(120)))


def add_key(_):
    process_keyring = -2
    return succeeded(call("add_key", b"user", b"cumulet", b"x", 1, process_keyring))


def request_key(_):
    return reached(call("request_key", b"user", b"cumulet-is-not-here", 0, 0))


def keyctl(_):
    get_keyring_id, session = 0, -3
    return reached(call("keyctl", get_keyring_id, session, 0))


def memory_shared_by_key(_):
    private, create = 0, 0o1600
    return in_child(lambda: _and_remove(call("shmget", private, 4096, create)))


def _and_remove(segment):
    if segment >= 0:
        libc.shmctl(segment, 0, None)
    return succeeded(segment)


def message_queue(_):
    return reached(call("mq_open", b"cumulet-is-not-here", os.O_RDONLY, 0, 0))


def sethostname(_):
    name = os.uname().nodename.encode()
    return succeeded(call("sethostname", name, len(name)))


def mount_tmpfs(_):
    return _mounted(b"tmpfs", b"tmpfs", 0)


def mount_proc(_):
    return _mounted(b"proc", b"proc", 0)


def mount_bind(_):
    return _mounted(b"/etc", b"", 4096)


def mount_sysfs(_):
    return _mounted(b"sysfs", b"sysfs", 0)


def mount_cgroup(_):
    return _mounted(b"cgroup2", b"cgroup2", 0)


def _mounted(source, kind, flags):
    place = f"/tmp/mount-{os.getpid()}-{time.monotonic_ns()}".encode()
    os.mkdir(place)
    result = call("mount", source, place, kind, flags, 0)
    if result >= 0:
        call("umount2", place, 0)
    os.rmdir(place)
    return succeeded(result)


def remount_root_writable(event):
    remount, bind = 32, 4096
    if event["control"]:
        return reached(call("mount", 0, NOWHERE, 0, remount | bind, 0))
    return succeeded(call("mount", 0, b"/", 0, remount | bind, 0))


def umount(event):
    if event["control"]:
        return mount_tmpfs(event)
    detach = 2
    results = [call("umount2", place, detach) for place in (b"/tmp", b"/proc", b"/var/task")]
    return any(result >= 0 for result in results), list(map(told, results))


def open_tree(_):
    clone = 1
    return succeeded(call("open_tree", -100, b"/", clone))


def fsopen(_):
    return succeeded(call("fsopen", b"tmpfs", 0))


def mount_setattr(_):
    return reached(call("mount_setattr", -100, NOWHERE, 0, bytes(32), 32))


def pivot_root(_):
    return reached(call("pivot_root", NOWHERE, NOWHERE))


def chroot(_):
    return in_child(lambda: succeeded(call("chroot", b"/tmp")))


def unshare(_):
    return _each(lambda flag: call("unshare", flag))


def clone(_):
    flags = {**NAMESPACES, "those of a slot": SLOT}
    del flags["time"]  # shares its number with the signal
    return _each(_cloned, flags)


def clone3(_):
    return _each(_cloned3)


def _each(act, flags=None):
    """Escaped if one of them works."""
    results = {}
    for name, flag in (flags or NAMESPACES).items():
        results[name] = in_child(lambda: succeeded(act(flag)))
    return any(escaped for escaped, _ in results.values()), results


def _cloned(flags):
    child = call("clone", flags | signal.SIGCHLD, 0, 0, 0, 0)
    if child == 0:
        os._exit(0)
    if child > 0:
        os.waitpid(child, 0)
    return child


def _cloned3(flags):
    arguments = struct.pack("11Q", flags, 0, 0, 0, signal.SIGCHLD, 0, 0, 0, 0, 0, 0)
    child = call("clone3", ctypes.create_string_buffer(arguments), len(arguments))
    if child == 0:
        os._exit(0)
    if child > 0:
        os.waitpid(child, 0)
    return child


def slot_namespaces(event):
    """Only those a template is allowed while a slot of it is ordered, again and again."""
    until, tries = time.monotonic() + event.get("seconds", 0.2), 0
    while time.monotonic() < until:
        tries += 1
        escaped, detail = in_child(lambda: _privileged(_cloned_into(SLOT)))
        if escaped:
            return True, f"after {tries} tries: {detail}"
    return False, f"{tries} tries: {detail}"


def _cloned_into(flags):
    """Goes on as the first process of new namespaces, if there are any."""
    reader, writer = os.pipe()
    child = call("clone", flags | signal.SIGCHLD, 0, 0, 0, 0)
    if child == 0:
        os.write(writer, _capabilities().encode())
        os._exit(0)
    if child < 0:
        return child
    os.close(writer)
    os.waitpid(child, 0)
    return os.read(reader, 100).decode()


def _capabilities():
    with open("/proc/self/status") as status:
        return next(line.split()[1] for line in status if line.startswith("CapEff"))


def _privileged(result):
    return isinstance(result, str), result if isinstance(result, str) else told(result)


def setns(event):
    """Into the namespaces of everybody in sight."""
    found = []
    pids = [event["world"]["process"]] if event["control"] else os.listdir("/proc")
    for pid in [str(pid) for pid in pids if str(pid).isdigit()]:
        for kind in ("net", "mnt", "pid", "user"):
            opened, fd = attempt(lambda: os.open(f"/proc/{pid}/ns/{kind}", os.O_RDONLY))
            if opened:
                found.append(in_child(lambda: succeeded(call("setns", fd, 0))))
                os.close(fd)
    return any(escaped for escaped, _ in found), found


def other_abi(_):
    """The calls of another architecture, of which a filter for this one knows nothing."""
    if not X86:
        return False, "this architecture has no other"
    x32 = in_child(lambda: succeeded(libc.syscall(0x4000_0000 | 39)))
    old = in_child(_getpid_of_i386)
    return x32[0] or old[0], f"x32: {x32[1]}; i386: {old[1]}"


def _getpid_of_i386():
    import mmap

    # push rbx; mov eax, 20; int 0x80; pop rbx; ret
    code = b"\x53\xb8\x14\x00\x00\x00\xcd\x80\x5b\xc3"
    memory = mmap.mmap(-1, 4096, prot=7)
    memory.write(code)
    at = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    got = ctypes.CFUNCTYPE(ctypes.c_int)(at)()
    return got == os.getpid(), got


def mknod(_):
    place = f"/tmp/device-{os.getpid()}".encode()
    block, character = 0o060600, 0o020600
    for kind, device in ((character, os.makedev(1, 1)), (block, os.makedev(7, 0))):
        result = call("mknodat", -100, place, kind, device)
        if result >= 0:
            os.unlink(place)
            return True, "made"
    return False, told(result)


def devices(_):
    """Devices that say something of the machine."""
    names = ("mem", "kmsg", "kvm", "port", "loop0", "vda", "sda", "fuse", "net/tun", "tty1")
    there = [name for name in names if os.path.exists(f"/dev/{name}")]
    return there, os.listdir("/dev")


def sysctl(event):
    """Writes back what is there."""
    written = []
    for name in ("vm/swappiness", "kernel/core_pattern", "kernel/printk", "net/ipv4/ip_forward"):
        path = f"/proc/sys/{name}"
        def write():
            with open(path) as file:
                value = file.read()
            with open(path, "w") as file:
                file.write(value)
        escaped, detail = attempt(write)
        written.append((escaped, f"{name} {detail}"))
    return any(escaped for escaped, _ in written), written


def sysrq(event):
    """Control: opened, not written to."""
    return attempt(lambda: os.close(os.open("/proc/sysrq-trigger", os.O_WRONLY)))


def kcore(_):
    return attempt(lambda: len(os.read(os.open("/proc/kcore", os.O_RDONLY), 16)))


def kallsyms(_):
    """Where the kernel is in memory."""
    def read():
        with open("/proc/kallsyms") as file:
            return int(file.readline().split()[0], 16)
    there, address = attempt(read)
    return there and address != 0, address


def keys(_):
    """Keys of others."""
    there, text = attempt(lambda: open("/proc/keys").read())
    return there and text.strip() != "", text


def kernel_log(_):
    return attempt(lambda: os.close(os.open("/dev/kmsg", os.O_RDONLY | os.O_NONBLOCK)))


def sys_files(_):
    return attempt(lambda: os.listdir("/sys")[0])


def sys_cgroup(_):
    """Writes back the limit of a group."""
    found = []
    for folder, _, files in os.walk("/sys/fs/cgroup"):
        for name in {"cgroup.procs", "memory.max", "pids.max"} & set(files):
            opened = attempt(lambda: os.close(os.open(os.path.join(folder, name), os.O_WRONLY)))
            found.append((opened[0], f"{folder}/{name} {opened[1]}"))
        if len(found) > 20:
            break
    return any(escaped for escaped, _ in found), found


def realtime(_):
    def schedule():
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
    return in_child(lambda: attempt(schedule))


def nice(_):
    return in_child(lambda: attempt(lambda: os.nice(-10)))


def oom_score(_):
    """Not the next to be ended when memory is short."""
    def write():
        with open("/proc/self/oom_score_adj", "w") as file:
            file.write("-900")
    return in_child(lambda: attempt(write))


def limits_raised(_):
    import resource

    def raise_one(what):
        _, hard = resource.getrlimit(what)
        wanted = resource.RLIM_INFINITY if hard != resource.RLIM_INFINITY else hard
        if what == resource.RLIMIT_NOFILE:
            wanted = hard + 1
        resource.setrlimit(what, (wanted, wanted))
        return "unlimited"

    names = ("NOFILE", "NPROC", "DATA", "CORE", "MEMLOCK")
    tried = {
        name: in_child(lambda: attempt(lambda: raise_one(getattr(resource, f"RLIMIT_{name}"))))
        for name in names
    }
    return any(escaped for escaped, _ in tried.values()), tried
