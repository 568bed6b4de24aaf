"""More than is due. All of it is bounded, and ends by itself."""

import ctypes
import mmap
import os
import resource
import select
import signal
import socket
import struct
import threading
import time

from probe import attempt, call, libc

MB = 1 << 20
BOMB = 3_000
LIFE_SECONDS = 10
MEMORY_MB = 1000


def _unlimited(what):
    """As far as we are allowed."""
    _, hard = resource.getrlimit(what)
    attempt(lambda: resource.setrlimit(what, (hard, hard)))


def forks(_):
    reader, writer = os.pipe()
    made, why = 0, "as many as wanted"
    while made < BOMB:
        try:
            child = os.fork()
        except OSError as error:
            why = error
            break
        if child == 0:
            signal.alarm(LIFE_SECONDS)
            os.close(writer)
            os.read(reader, 1)
            os._exit(0)
        made += 1
    os.close(writer)
    for _ in range(made):
        attempt(os.wait)
    return made >= BOMB, f"{made}: {why}"


def forks_in_forks(_):
    """Each child makes two, so that ending one ends nothing."""
    reader, writer = os.pipe()
    began = time.monotonic()
    last = began + LIFE_SECONDS

    def grow(depth):
        os.write(writer, b".")
        signal.alarm(LIFE_SECONDS)
        for _ in range(2):
            if depth and time.monotonic() < last:
                try:
                    if os.fork() == 0:
                        grow(depth - 1)
                except OSError:
                    os.write(writer, b"!")
        # Until nobody reads any more.
        watch = select.poll()
        watch.register(writer, select.POLLERR)
        watch.poll(max(0, last - time.monotonic()) * 1000)
        os._exit(0)

    if os.fork() == 0:
        os.close(reader)
        # Those that have something to say when all is known already just end.
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
        grow(11)  # at most 4,095
    os.close(writer)
    made, refused = 0, False
    with os.fdopen(reader, "rb", 0) as answers:
        while made < BOMB // 2 and not (refused and time.monotonic() > began + 3):
            if not (part := answers.read(4096)):
                break
            made += part.count(b".")
            refused |= b"!" in part
    return made >= BOMB // 2, made


def threads(_):
    threading.stack_size(64 << 10)
    stop, made, why = threading.Event(), 0, "as many as wanted"
    try:
        while made < BOMB:
            threading.Thread(target=stop.wait, args=(LIFE_SECONDS,), daemon=True).start()
            made += 1
    except RuntimeError as error:
        why = error
    stop.set()
    return made >= BOMB, f"{made}: {why}"


def memory(_):
    try:
        data = bytearray(MEMORY_MB * MB)
        data[::4096] = b"x" * len(data[::4096])
    except MemoryError:
        return False, "refused"
    return True, f"{len(data) // MB} MB"


def memory_of_children(_):
    """A share each."""
    children, share = [], 100
    for _ in range(MEMORY_MB // share):
        child = os.fork()
        if child == 0:
            signal.alarm(LIFE_SECONDS)
            try:
                data = bytearray(share * MB)
                data[::4096] = b"x" * len(data[::4096])
                time.sleep(1.5)
            except MemoryError:
                os._exit(1)
            os._exit(0)
        children.append(child)
    good = sum(os.waitpid(child, 0)[1] == 0 for child in children)
    return good * share >= MEMORY_MB, f"{good * share} MB"


def memory_of_files(_):
    """Files that have no place but memory."""
    fd = os.memfd_create("hostile")
    written = 0
    try:
        while written < MEMORY_MB * MB:
            written += os.write(fd, b"x" * MB)
    except OSError as error:
        return False, f"{written // MB} MB: {error}"
    return True, f"{written // MB} MB"


def memory_of_maps(_):
    """Shared, so that it is nobody's data."""
    try:
        data = mmap.mmap(-1, MEMORY_MB * MB)
        for at in range(0, len(data), 4096):
            data[at] = 1
    except OSError as error:
        return False, error
    return True, f"{MEMORY_MB} MB"


def memory_of_sockets(_):
    """What was sent and not received is the kernel's."""
    _unlimited(resource.RLIMIT_NOFILE)
    pairs, sent = [], 0
    try:
        while len(pairs) < 5_000 and sent < MEMORY_MB * MB:
            pair = socket.socketpair()
            pairs.append(pair)
            for end in pair:
                end.setblocking(False)
                end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4 * MB)
                try:
                    while True:
                        sent += end.send(b"x" * 65536)
                except BlockingIOError:
                    pass
    except OSError as error:
        return sent >= MEMORY_MB * MB, f"{sent // MB} MB in {len(pairs)} pairs: {error}"
    return sent >= MEMORY_MB * MB, f"{sent // MB} MB in {len(pairs)} pairs"


def tmp(event):
    path = f"/tmp/fill-{os.getpid()}"
    written = 0
    try:
        with open(path, "wb", 0) as file:
            while written < MEMORY_MB * MB:
                written += file.write(b"x" * MB)
    except OSError as error:
        return written > 513 * MB, f"{written // MB} MB: {error}"
    finally:
        attempt(lambda: os.unlink(path))
    return True, f"{written // MB} MB"


def tmp_files(event):
    """Empty files: there are names to run out of, and the kernel's memory for them."""
    folder = f"/tmp/files-{os.getpid()}"
    os.mkdir(folder)
    made, wanted, why = 0, 60_000, "as many as wanted"
    try:
        while made < wanted:
            os.close(os.open(f"{folder}/{made}", os.O_CREAT | os.O_WRONLY))
            made += 1
    except OSError as error:
        why = error
    if event["control"]:
        for number in range(made):
            os.unlink(f"{folder}/{number}")
        os.rmdir(folder)
    return made >= wanted, f"{made}: {why}"


def descriptors(_):
    _unlimited(resource.RLIMIT_NOFILE)
    held, why = [], "as many as wanted"
    try:
        while len(held) < 5_000:
            held.append(os.open("/dev/null", os.O_RDONLY))
    except OSError as error:
        why = error
    for fd in held:
        os.close(fd)
    return len(held) >= 5_000, f"{len(held)}: {why}"


def locked_memory(_):
    data = mmap.mmap(-1, 16 * MB)
    at = ctypes.addressof(ctypes.c_char.from_buffer(data))
    resource.setrlimit(resource.RLIMIT_MEMLOCK, (resource.getrlimit(resource.RLIMIT_MEMLOCK)[1],) * 2)
    result = libc.mlock(ctypes.c_void_p(at), ctypes.c_size_t(16 * MB))
    return result == 0, ctypes.get_errno()


def work(event):
    """A fixed amount of work, in seconds."""
    began = time.perf_counter()
    total = 0
    for number in range(1_500_000):
        total += number * number
    return False, time.perf_counter() - began


def hog(event):
    """Many processes, each of which wants a processor, each in a session of its own."""
    for _ in range(event["processes"]):
        if os.fork() == 0:
            os.setsid()
            until = time.monotonic() + event["seconds"]
            while time.monotonic() < until:
                pass
            os._exit(0)
    time.sleep(event["seconds"])
    return False, "done"


# What follows holds as much as it gets of something there is a fixed number of for each user of
# the machine, and goes on holding it while the test looks whether somebody outside gets any.


def _held(event, count):
    """Says so in its log. In the control it holds until the test takes a file away."""
    print(f"held {count}", flush=True)
    until = time.monotonic() + event["seconds"]
    while time.monotonic() < until and (not event["control"] or os.path.exists(event["until"])):
        time.sleep(0.05)
    return False, count


def hold_inotify(event):
    _unlimited(resource.RLIMIT_NOFILE)
    held = []
    while len(held) < 900 and (fd := libc.inotify_init1(0)) >= 0:
        held.append(fd)
    result = _held(event, len(held))
    for fd in held:
        os.close(fd)
    return result


def hold_watches(event):
    """Each of a file of its own."""
    import shutil

    place = "/dev/shm" if os.access("/dev/shm", os.W_OK) else "/tmp"
    folder = f"{place}/watched-{event['token']}"
    os.mkdir(folder)
    fd, count = libc.inotify_init1(0), 0
    while count < 250_000:
        path = f"{folder}/{count}"
        os.close(os.open(path, os.O_CREAT | os.O_WRONLY))
        if libc.inotify_add_watch(fd, path.encode(), 2) < 0:
            break
        count += 1
    result = _held(event, count)
    os.close(fd)
    shutil.rmtree(folder)
    return result


def hold_timers(event):
    """Each keeps a signal for itself."""
    _unlimited(resource.RLIMIT_SIGPENDING)
    timer, made = ctypes.c_int(), 0
    while made < 200_000 and call("timer_create", 1, 0, ctypes.byref(timer)) >= 0:
        made += 1
    return _held(event, made)


def hold_signals(event):
    """Sent and never taken."""
    _unlimited(resource.RLIMIT_SIGPENDING)
    number = signal.SIGRTMIN + 3
    signal.pthread_sigmask(signal.SIG_BLOCK, [number])
    value, sent = ctypes.c_void_p(0), 0
    while sent < 200_000 and libc.sigqueue(os.getpid(), number, value) == 0:
        sent += 1
    return _held(event, sent)


def hold_flying_descriptors(event):
    """Sent over sockets and not received."""
    pairs, sent = [], 0
    try:
        while sent < 20_000:
            pair = socket.socketpair()
            pairs.append(pair)
            pair[0].setblocking(False)
            for _ in range(30):
                socket.send_fds(pair[0], [b"x"], [0] * 250)
                sent += 250
    except OSError:
        pass
    try:
        for pair in pairs:
            while True:
                socket.send_fds(pair[0], [b"x"], [0])
                sent += 1
    except OSError:
        pass
    return _held(event, sent)


def hold_pipes(event):
    """Each as large as it may be."""
    import fcntl

    _unlimited(resource.RLIMIT_NOFILE)
    set_size, pipes, pages = 1031, [], 0
    try:
        while len(pipes) < 400:
            pipe = os.pipe()
            pipes.append(pipe)
            for size in (1 << 20, 1 << 18, 1 << 17):
                done, got = attempt(lambda: fcntl.fcntl(pipe[0], set_size, size))
                if done:
                    pages += got // 4096
                    break
    except OSError:
        pass
    return _held(event, pages)
