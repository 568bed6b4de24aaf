"""The handler of all probes, and what they share: raw system calls, children, verdicts.

A probe takes the event and gives (escaped, detail). The event names it, and says in `world` what
there is outside: files, sockets, processes, another function. Where an act would harm the machine
if nothing held it back, `control` is true on a server without a sandbox, and the probe does the
same to something of its own.
"""

import ctypes
import errno
import importlib
import os
import platform
import signal
import traceback

libc = ctypes.CDLL(None, use_errno=True)
libc.syscall.restype = ctypes.c_long

X86 = platform.machine() == "x86_64"
# By architecture: x86-64, aarch64.
NUMBERS = {
    "acct": (163, 89), "add_key": (248, 217), "bpf": (321, 280), "capset": (126, 91),
    "chroot": (161, 51), "clock_settime": (227, 112), "clone": (56, 220), "clone3": (435, 435),
    "delete_module": (176, 106), "fanotify_init": (300, 262), "finit_module": (313, 273),
    "fsopen": (430, 430), "init_module": (175, 105), "io_uring_setup": (425, 425),
    "ioperm": (173, None), "iopl": (172, None), "kcmp": (312, 272), "kexec_file_load": (320, 294),
    "kexec_load": (246, 104), "keyctl": (250, 219), "mknodat": (259, 33), "modify_ldt": (154, None),
    "mount": (165, 40), "mount_setattr": (442, 442), "mq_open": (240, 180), "msgget": (68, 186),
    "name_to_handle_at": (303, 264), "open_by_handle_at": (304, 265), "open_tree": (428, 428),
    "perf_event_open": (298, 241), "personality": (135, 92), "pidfd_getfd": (438, 438),
    "pidfd_open": (434, 434), "pivot_root": (155, 41), "process_madvise": (440, 440),
    "process_vm_readv": (310, 270), "process_vm_writev": (311, 271), "ptrace": (101, 117),
    "quotactl": (179, 60), "reboot": (169, 142), "request_key": (249, 218), "semget": (64, 190),
    "sethostname": (170, 161), "setns": (308, 268), "settimeofday": (164, 170),
    "shmget": (29, 194), "swapoff": (168, 225), "swapon": (167, 224), "syslog": (103, 116),
    "timer_create": (222, 107), "umount2": (166, 39), "unshare": (272, 97),
    "userfaultfd": (323, 282),
}
REFUSALS = {errno.EPERM, errno.EACCES, errno.ENOSYS}
CHILD_SECONDS = 20


def handler(event, _context):
    module, _, name = event["probe"].partition(".")
    escaped, detail = getattr(importlib.import_module(module), name)(event)
    return {"escaped": bool(escaped), "detail": str(detail)[:2000]}


def call(name, *args):
    """A system call as it is: its result, or the negative number of its error."""
    number = NUMBERS[name][0 if X86 else 1]
    if number is None:
        return -errno.ENOSYS
    ctypes.set_errno(0)
    plain = [ctypes.c_long(arg) if isinstance(arg, int) else arg for arg in args]
    result = libc.syscall(ctypes.c_long(number), *plain)
    return -ctypes.get_errno() if result == -1 else result


def told(result):
    return errno.errorcode.get(-result, result) if result < 0 else f"gave {result}"


def reached(result):
    """Whether the kernel let us in: any answer but a refusal, also that an argument is wrong."""
    return -result not in REFUSALS, told(result)


def succeeded(result):
    return result >= 0, told(result)


def in_child(act):
    """Runs a probe in a child, which may lose its life or identity by it."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        signal.alarm(CHILD_SECONDS)
        try:
            escaped, detail = act()
        except BaseException:
            escaped, detail = False, traceback.format_exc(limit=-1)
        os.write(writer, (b"1" if escaped else b"0") + str(detail).encode()[:2000])
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as answer:
        text = answer.read()
    _, status = os.waitpid(child, 0)
    if not text:
        return False, f"the child ended with {status}"
    return text[:1] == b"1", text[1:].decode()


def attempt(act):
    """What an act gives, or that an error kept it from it."""
    try:
        return True, act()
    except OSError as error:
        return False, f"{errno.errorcode.get(error.errno, error.errno)}: {error}"


def first(attempts):
    """The first that escaped; else what kept all of them."""
    details = []
    for name, (escaped, detail) in attempts:
        if escaped:
            return True, f"{name}: {detail}"
        details.append(f"{name}: {detail}")
    return False, "; ".join(details)


def processes():
    """Ids of all processes in sight."""
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def others(event):
    """Those that may be attacked: without a sandbox only what the test gave us."""
    world = event["world"]
    given = [world["process"], world["function"]["pid"]]
    if event["control"]:
        return given
    family = {os.getpid(), os.getppid()}
    more = [world["server"], world["launcher"]]
    return sorted({1, *given, *more, *processes()} - family)
