"""What all benches share: the server, and what is known of processes."""

import contextlib
import os
import pathlib
import signal
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "tests" / "lib"))

if "CUMULET_BIN" not in os.environ:
    release = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", HERE.parent / "target")) / "release"
    os.environ["CUMULET_BIN"] = str(release / "cumulet")

import server  # noqa: E402
from server import Server, free_port  # noqa: E402, F401

# At its end a server removes what it has unpacked: hundreds of functions with their packages.
server.STOP_SECONDS = 300

# A stray variable of Node's alone can triple its start (HOST.md), so nothing is inherited.
CLEARED = {"PATH": os.environ["PATH"], "HOME": "/tmp"}


def memory_kb(pid, field):
    """`Pss` or `Rss` of one process, as the kernel counts it."""
    return memory(pid)[field]


def memory(pid):
    """All that the kernel counts of one process, in kB."""
    lines = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]
    return {line.split(":")[0]: int(line.split()[1]) for line in lines}


def children(pid):
    found = subprocess.run(["pgrep", "-P", str(pid)], text=True, capture_output=True).stdout
    return [int(each) for each in found.split()]


def descendants(pid):
    """Every process below one."""
    below = {}
    for folder in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            stat = (folder / "stat").read_text()
        except OSError:
            continue  # it has ended
        parent = int(stat.rsplit(")", 1)[1].split()[1])
        below.setdefault(parent, []).append(int(folder.name))
    found, look = [], [pid]
    while look:
        look = [child for each in look for child in below.get(each, [])]
        found += look
    return found


def process_ms(argv):
    """What a process takes from its start to its end, with nothing inherited."""
    began = time.perf_counter()
    pid = os.posix_spawn(argv[0], argv, CLEARED)
    _, status = os.waitpid(pid, 0)
    took = (time.perf_counter() - began) * 1000
    assert status == 0, argv
    return took


def wait_for(what, seconds=30):
    """Asks until the answer is true, and gives it."""
    deadline = time.monotonic() + seconds
    while not (found := what()):
        assert time.monotonic() < deadline, f"nothing came in {seconds} s: {what.__doc__ or what}"
        time.sleep(0.01)
    return found


@contextlib.contextmanager
def running(argv, stop_seconds: float = 10, **options):
    """A process and all that it starts, ended with the block, whatever ends that."""
    options = {"stdin": subprocess.DEVNULL, **options}
    process = subprocess.Popen(argv, start_new_session=True, **options)
    try:
        yield process
    finally:
        end_group(process, stop_seconds)


def end_group(process, stop_seconds: float):
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, number)
        except ProcessLookupError:
            break
        try:
            process.wait(stop_seconds)
        except subprocess.TimeoutExpired:
            pass
