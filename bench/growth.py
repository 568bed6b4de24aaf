"""What an operation costs as its table grows: CPU time of the server and latency, one client, and the
memory of the server, whose cache is configured.

    bench/run growth --items 10000,100000 --cache-mb 16    smaller, for a look
"""

import argparse
import os
import pathlib
import tempfile
import time

from lib import CLEARED, HERE, Server, descendants, memory
from table import Bound, Progress, Table, median
from tables import OPERATIONS, fill, load

# The cost at the last size ÷ that at the first.
FLAT = Bound(goal=1.2)
SETTLED_CPU = 0.05
SETTLE_SECONDS_MAX = 300
TICKS = os.sysconf("SC_CLK_TCK")
MEASURED = ["get", "put", "update", "query"]
# Items of one filling, between two lines of progress.
STEP_ITEMS = 250_000


def main(argv) -> bool:
    options = argparse.ArgumentParser(prog="growth")
    options.add_argument("--items", default="10000,100000,1000000,10000000", help="with commas")
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--seconds", type=int, default=3, help="of each load")
    options.add_argument("--cache-mb", type=int, default=64)
    options = options.parse_args(argv)
    sizes = [int(each) for each in options.items.split(",")]
    args = ["--cache-mb", str(options.cache_mb)]
    with Table("growth") as table, tempfile.TemporaryDirectory(dir=HERE) as data, \
            Server(data=pathlib.Path(data) / "data", env=CLEARED, args=args) as server:
        progress = Progress("growth", sizes[-1])
        first, filled = {}, 0
        for size in sizes:
            while filled < size:
                to = min(filled + STEP_ITEMS, size)
                fill(server.port, filled, to)
                progress.step(f"items written to a table of {size}", to - filled)
                filled = to
            settle(server.process.pid)
            for operation in MEASURED:
                runs = [measure(server, operation, options.seconds, size)
                        for _ in range(options.rounds)]
                show(table, first, f"{OPERATIONS[operation]}, {size:,} items", operation, runs)
            kb = sum(memory(pid)["Pss"] for pid in processes(server.process.pid))
            table.row(f"memory (PSS), {size:,} items", kb / 1024, "MB",
                      note=f"cache {options.cache_mb} MB; on the disk {disk_mb(data):,.0f} MB")
    return table.good


def measure(server, operation: str, seconds: int, items: int) -> dict:
    """One load, and what the server has worked for one operation of it."""
    before = cpu_seconds(server.process.pid)
    told = load(server.port, operation, 1, seconds, items)
    spent = cpu_seconds(server.process.pid) - before
    # What the load does before it counts costs as much.
    told["cpu_us"] = spent * 1e6 / told["all"]
    return told


def show(table, first: dict, what: str, operation: str, runs: list):
    for field, name in (("cpu_us", "CPU"), ("p50_us", "latency p50")):
        values = [run[field] for run in runs]
        reference = first.setdefault((operation, field), values)
        ratio = None if reference is values else median(values) / median(reference)
        table.row(f"{what}: {name}", values, "µs", ratio=ratio, high=float("nan"),
                  base="" if ratio is None else "first size", bound=ratio and FLAT)


def settle(pid):
    """Waits until nothing is done behind the writes any more."""
    deadline = time.monotonic() + SETTLE_SECONDS_MAX
    while time.monotonic() < deadline:
        before = cpu_seconds(pid)
        time.sleep(2)
        if cpu_seconds(pid) - before < SETTLED_CPU * 2:
            return
    raise AssertionError(f"the server is not idle after {SETTLE_SECONDS_MAX} s")


def processes(pid) -> list:
    return [pid, *descendants(pid)]


def cpu_seconds(pid) -> float:
    """Of the server and all below it."""
    ticks = 0
    for each in processes(pid):
        fields = pathlib.Path(f"/proc/{each}/stat").read_text().rsplit(")", 1)[1].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / TICKS


def disk_mb(folder) -> float:
    files = (path for path in pathlib.Path(folder).rglob("*") if path.is_file())
    return sum(path.stat().st_blocks * 512 for path in files) / 1e6
