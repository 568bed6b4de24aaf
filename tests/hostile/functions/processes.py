"""Other processes: seen, read, stopped, ended."""

import ctypes
import os
import signal
import struct
import subprocess
import time

from probe import attempt, call, first, in_child, libc, others, processes, reached, told

ATTACH, TRACE_ME, SEIZE = 16, 0, 0x4206


def _comm(pid):
    with open(f"/proc/{pid}/comm") as file:
        return file.read().strip()


def host_processes_seen(event):
    """All that is in sight is our own."""
    seen = {pid: attempt(lambda: _comm(pid))[1] for pid in processes()}
    server = attempt(lambda: _comm(event["world"]["server"]))
    return "cumulet" in seen.values() or len(seen) > 20, (server, seen)


def first_process_of_host(_):
    """Who is process 1?"""
    name = _comm(1)
    return name != "init" or os.path.exists("/proc/1/root/etc/shadow") or _seconds_up() > 600, name


def _seconds_up():
    """How long the first process has been there."""
    with open("/proc/1/stat") as file:
        began = int(file.read().rpartition(")")[2].split()[19]) / os.sysconf("SC_CLK_TCK")
    return time.clock_gettime(time.CLOCK_BOOTTIME) - began


def environment_of_others(event):
    """By /proc: what another function, or the server, was started with."""
    secret = event["world"]["function"]["secret"].encode()
    found = []
    for pid in others(event):
        there, text = attempt(lambda: open(f"/proc/{pid}/environ", "rb").read())
        if there and secret in text:
            found.append(pid)
    return found, found


def environment_of_init(event):
    """Not even that of our own first process may tell of the host."""
    pid = event["world"]["process"] if event["control"] else 1
    there, text = attempt(lambda: open(f"/proc/{pid}/environ", "rb").read(64))
    return there and len(text) > 0, "read" if there else text


def memory_of_others(event):
    secret = event["world"]["function"]["secret"].encode()
    return first((pid, _search(pid, secret)) for pid in others(event))


def _search(pid, secret):
    def search():
        with open(f"/proc/{pid}/maps") as maps, open(f"/proc/{pid}/mem", "rb", 0) as memory:
            for line in maps:
                ends, mode = line.split()[:2]
                begin, end = (int(at, 16) for at in ends.split("-"))
                if mode.startswith("rw") and end - begin < 64 << 20:
                    memory.seek(begin)
                    if secret in memory.read(end - begin):
                        return True
        return False
    there, found = attempt(search)
    return there and found, found


def mem_of_init(event):
    pid = event["world"]["process"] if event["control"] else 1
    return attempt(lambda: os.close(os.open(f"/proc/{pid}/mem", os.O_RDWR)))


def descriptors_of_others(event):
    def look(pid):
        return os.readlink(f"/proc/{pid}/fd/0")
    return first((pid, attempt(lambda: look(pid))) for pid in others(event))


def program_of_others(event):
    """/proc/*/exe leads to the file of a program, and past every wall around it."""
    return first((pid, attempt(lambda: os.readlink(f"/proc/{pid}/exe"))) for pid in others(event))


def namespaces_of_others(event):
    def look(pid):
        return os.readlink(f"/proc/{pid}/ns/net")
    return first((pid, attempt(lambda: look(pid))) for pid in others(event))


def ptrace_attach(event):
    def attach(pid):
        result = call("ptrace", SEIZE, pid, 0, 0)
        return result >= 0, told(result)
    return first((pid, in_child(lambda: attach(pid))) for pid in others(event))


def ptrace_me(_):
    def trace():
        result = call("ptrace", TRACE_ME, 0, 0, 0)
        return result >= 0, told(result)
    return in_child(trace)


def process_vm_readv(event):
    return first((pid, _vm(pid, "process_vm_readv")) for pid in others(event))


def process_vm_writev(event):
    return first((pid, _vm(pid, "process_vm_writev")) for pid in others(event))


def _vm(pid, name):
    """At an address where nothing is: who may, hears of that; who may not, of that."""
    here = ctypes.create_string_buffer(8)
    local = struct.pack("QQ", ctypes.addressof(here), 8)
    remote = struct.pack("QQ", 8, 8)
    return reached(call(name, pid, local, 1, remote, 1, 0))


def pidfd_getfd(event):
    def take(pid):
        fd = call("pidfd_open", pid, 0)
        return (False, told(fd)) if fd < 0 else reached(call("pidfd_getfd", fd, 0, 0))
    return first((pid, take(pid)) for pid in others(event))


def kcmp(event):
    return first((pid, reached(call("kcmp", os.getpid(), pid, 0, 0, 0))) for pid in others(event))


def process_madvise(event):
    def advise(pid):
        fd = call("pidfd_open", pid, 0)
        vector = struct.pack("QQ", 4096, 4096)
        return (False, told(fd)) if fd < 0 else reached(call("process_madvise", fd, vector, 1, 20, 0))
    return first((pid, advise(pid)) for pid in others(event))


def kill_server(event):
    """Control: signal 0, which says whether we might."""
    number = 0 if event["control"] else signal.SIGKILL
    world = event["world"]
    pids = [world["server"], world["launcher"], world["process"], world["function"]["pid"]]
    pids = [pid for pid in pids if pid and pid not in (os.getpid(), os.getppid(), 1)]
    mine = set(processes()) if not event["control"] else set()
    # A number that is one of our own processes inside is no proof.
    return first((pid, attempt(lambda: os.kill(pid, number))) for pid in pids if pid not in mine)


def _host_in_sight():
    return _comm(1) != "init" or len(processes()) > 20


def kill_all(event):
    """Everything that may be signalled. Control: one process only."""
    if event["control"]:
        return attempt(lambda: os.kill(event["world"]["process"], 0))
    if _host_in_sight():
        return True, "the host's processes are in sight; not tried"
    return in_child(lambda: attempt(lambda: os.kill(-1, signal.SIGCONT)) and (False, "sent"))


def kill_all_for_good(event):
    """As above, and it is the last thing this function does."""
    if event["control"]:
        return attempt(lambda: os.kill(event["world"]["process"], 0))
    if _host_in_sight():
        return True, "the host's processes are in sight; not tried"
    os.kill(-1, signal.SIGKILL)
    return False, "still here"


def stop_init(event):
    """Whoever stops the first process of a sandbox would keep it from saying how it ended."""
    if event["control"]:
        pid = event["world"]["process"]
        os.kill(pid, signal.SIGSTOP)
        time.sleep(0.1)
        stopped = _state(pid) == "T"
        os.kill(pid, signal.SIGCONT)
        return stopped, "stopped"
    for number in (signal.SIGSTOP, signal.SIGKILL, signal.SIGINT, signal.SIGHUP):
        attempt(lambda: os.kill(1, number))
    time.sleep(0.1)
    return _state(1) == "T", _state(1)


def _state(pid):
    with open(f"/proc/{pid}/stat") as file:
        return file.read().rpartition(")")[2].split()[0]


def setuid(_):
    def become():
        os.setresgid(0, 0, 0)
        os.setresuid(0, 0, 0)
    return in_child(lambda: attempt(become))


def setgroups(_):
    return in_child(lambda: attempt(lambda: os.setgroups([0, 4, 6, 42])))


def capset(_):
    head = struct.pack("II", 0x2008_0522, 0)
    net_admin_and_sys_admin = 1 << 12 | 1 << 21
    sets = struct.pack("6I", *[net_admin_and_sys_admin] * 3, 0, 0, 0)
    def take():
        result = call("capset", head, sets)
        return result >= 0, told(result)
    return in_child(take)


def capabilities(_):
    """What we were left with."""
    with open("/proc/self/status") as status:
        sets = dict(line.split()[:2] for line in status if line.startswith(("Cap", "NoNewPrivs")))
    held = [sets[name] for name in ("CapEff:", "CapPrm:", "CapInh:", "CapAmb:")]
    return any(int(held, 16) for held in held) or sets["NoNewPrivs:"] != "1", sets


def setuid_program(_):
    """Programs that make whoever runs them root."""
    names = ("su", "mount", "passwd", "newgrp", "chsh", "ping", "sudo", "gpasswd")
    tried = []
    for path in (f"/usr/bin/{name}" for name in names):
        if os.path.exists(path):
            tried.append((path, _effective(path)))
    return first(tried)


def _effective(path):
    """Whether a program has privileges while it runs, or waits at its end to be looked at."""
    child = subprocess.Popen([path], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
                             stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 0.5
        while time.monotonic() < deadline:
            with open(f"/proc/{child.pid}/status") as status:
                lines = dict(line.rstrip().partition(":\t")[::2] for line in status)
            if int(lines["CapEff"], 16) or lines["Uid"].split()[1] == "0":
                return True, lines["Uid"]
            if lines["State"].startswith("Z"):
                break
            time.sleep(0.005)
        return False, "no privileges"
    finally:
        child.kill()
        child.wait()


def daemon(event):
    """Leaves its session and parent, and stays."""
    _daemonize(event["token"])
    return False, "started"


def daemon_and_exit(event):
    _daemonize(event["token"])
    os._exit(0)


def daemon_and_hang(event):
    _daemonize(event["token"])
    time.sleep(60)
    return False, "not reached"


def _daemonize(token):
    child = os.fork()
    if child == 0:
        os.setsid()
        if os.fork() == 0:
            for fd in range(3):
                os.close(fd)
                os.open("/dev/null", os.O_RDWR)
            os.closerange(3, 64)
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            signal.signal(signal.SIGHUP, signal.SIG_IGN)
            os.execv("/usr/bin/python3", ["python3", "-c", "import time; time.sleep(60)", token])
        os._exit(0)
    os.waitpid(child, 0)


def thief_of_orders(event):
    """A daemon that takes from descriptor 5 what is meant for a template, and drops it."""
    child = os.fork()
    if child == 0:
        os.setsid()
        if os.fork() == 0:
            code = (
                "import os, signal, socket\n"
                "signal.alarm(60)\n"
                "orders = socket.socket(fileno=5)\n"
                "while True:\n"
                "    _, fds, _, _ = socket.recv_fds(orders, 65536, 8)\n"
                "    [os.close(fd) for fd in fds]\n"
            )
            for fd in range(3):
                os.close(fd)
                os.open("/dev/null", os.O_RDWR)
            os.execv("/usr/bin/python3", ["python3", "-c", code, event["token"]])
        os._exit(0)
    os.waitpid(child, 0)
    return False, "started"


ticks = 0


def background_thread(event):
    """Works while nobody has asked for anything."""
    import threading

    global ticks
    before = ticks
    if not event.get("again"):
        def work():
            global ticks
            while True:
                ticks += 1
                time.sleep(0.01)
        threading.Thread(target=work, daemon=True).start()
    return before > 20 if event.get("again") else False, before


def background_child(event):
    """As above, by a process."""
    path = f"/tmp/ticks-{event['token']}"
    if event.get("again"):
        count = os.path.getsize(path)
        os.unlink(path)
        return count > 20, count
    if os.fork() == 0:
        os.setsid()
        signal.alarm(30)
        with open(path, "ab", 0) as file:
            while True:
                file.write(b".")
                time.sleep(0.01)
    return False, "started"


def other_slot(event):
    """Looks for a process of the same function that is not ours, as long as we are given."""
    token = event["token"]
    sleeper = ["/usr/bin/python3", "-c", "import time; time.sleep(9)", token]
    child = subprocess.Popen(sleeper)
    until, theirs = time.monotonic() + 3, set()
    while time.monotonic() < until:
        for pid in processes():
            there, line = attempt(lambda: open(f"/proc/{pid}/cmdline", "rb").read())
            if there and b"slot-" in line and token.encode() not in line:
                theirs.add(pid)
        time.sleep(0.1)
    # The next event may be given the same slot.
    child.kill()
    child.wait()
    return theirs, f"{len(theirs)} of another slot"
