"""What all benches share: the server, and one form of result."""

import os
import pathlib
import statistics
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "tests" / "lib"))

if "CUMULET_BIN" not in os.environ:
    release = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", HERE.parent / "target")) / "release"
    os.environ["CUMULET_BIN"] = str(release / "cumulet")

from server import Server, free_port  # noqa: E402, F401

# A stray variable of Node's alone can triple its start (HOST.md), so nothing is inherited.
CLEARED = {"PATH": os.environ["PATH"], "HOME": "/tmp"}


def result(name, value, unit="", at_least=None, at_most=None, goal=None, note=""):
    """One line, the same for every bench: what, how much, and whether that is enough.

    Gives whether the required bound holds; a goal is only reported.
    """
    if at_least is not None:
        bound, good = f"required ≥ {at_least:g}", value >= at_least
    elif at_most is not None:
        bound, good = f"required ≤ {at_most:g}", value <= at_most
    elif goal is not None:
        bound, good = f"goal ≥ {goal:g}", value >= goal
    else:
        bound, good = "", True
    mark = "" if not bound else (" ok" if good else " MISSED")
    print(f"{name:<34} {value:>10.3f} {unit:<4} {bound}{mark}  {note}".rstrip(), flush=True)
    required = at_least is not None or at_most is not None
    return good or not required


def median(values):
    return statistics.median(values)


def spread(values, digits=1):
    return f"median of {len(values)}, {min(values):.{digits}f} to {max(values):.{digits}f}"


def memory_kb(pid, field):
    """`Pss` or `Rss` of one process, as the kernel counts it."""
    for line in pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1])
    raise KeyError(field)


def children(pid):
    found = subprocess.run(["pgrep", "-P", str(pid)], text=True, capture_output=True).stdout
    return [int(each) for each in found.split()]
