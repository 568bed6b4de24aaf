"""What all benches share: the server, and one form of result."""

import math
import os
import pathlib
import statistics
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

# What is compiled and what is installed; it may be deleted.
CACHE = HERE / ".cache"

# A stray variable of Node's alone can triple its start (HOST.md), so nothing is inherited.
CLEARED = {"PATH": os.environ["PATH"], "HOME": "/tmp"}


def result(
    name, value, unit="", at_least=None, at_most=None, goal=None, goal_at_most=None, note=""
):
    """One line, the same for every bench: what, how much, and whether that is enough.

    Gives whether the required bound holds; a goal is only reported.
    """
    bounds = [
        ("required ≥", at_least, lambda bound: value >= bound),
        ("required ≤", at_most, lambda bound: value <= bound),
        ("goal ≥", goal, lambda bound: value >= bound),
        ("goal ≤", goal_at_most, lambda bound: value <= bound),
    ]
    told, good = [], True
    for what, bound, holds in bounds:
        if bound is not None:
            told.append(f"{what} {bound:g} {'ok' if holds(bound) else 'MISSED'}")
            good &= holds(bound) or what.startswith("goal")
    print(f"{name:<44} {value:>10.3f} {unit:<4} {', '.join(told)}  {note}".rstrip(), flush=True)
    return good


def median(values):
    return statistics.median(values)


def p99(values):
    """The nearest rank: of fewer than a hundred, the greatest."""
    ordered = sorted(values)
    return ordered[math.ceil(0.99 * len(ordered)) - 1]


def spread(values, digits=1):
    return f"median of {len(values)}, {min(values):.{digits}f} to {max(values):.{digits}f}"


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


def compile_rust(name, folder) -> pathlib.Path:
    """A program of one file, without a package."""
    out, source = pathlib.Path(folder) / name, HERE / f"{name}.rs"
    if not out.exists() or out.stat().st_mtime < source.stat().st_mtime:
        out.parent.mkdir(parents=True, exist_ok=True)
        argv = ["rustc", "-O", "-C", "strip=symbols", "--edition", "2024", source, "-o", out]
        subprocess.run(argv, check=True)
    return out


def install(name, packages) -> pathlib.Path:
    """A folder of the cache with these packages of npm."""
    folder = CACHE / name
    done = folder / "installed"
    wanted = "\n".join(packages)
    if not done.exists() or done.read_text() != wanted:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "package.json").write_text('{"private": true}')
        argv = ["npm", "install", "--no-audit", "--no-fund", "--loglevel=error", *packages]
        subprocess.run(argv, cwd=folder, check=True)
        done.write_text(wanted)
    return folder
