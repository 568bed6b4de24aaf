"""What an idle environment holds in memory that nobody else has, forked and freshly started; and a
platform with many idle functions, each called once.

Measured over all processes of the platform, so that nothing hides in a helper: what so many more
environments add, divided by their number. Freshly started ones are those of `--sandbox none`,
which forks nothing.

    bench/run memory --environments 10 --functions node,native --idle 0    only the environments
    bench/run memory --environments 0 --idle 300                           only the many functions
"""

import argparse
import os
import random
import time

from clients import environments
from host import Functions
from lib import CLEARED, Server, memory, wait_for
from samples import chosen
from table import Bound, Progress, Table, waiting

# PSS of an environment with an SDK, forked ÷ freshly started.
RATIO = Bound(0.20, 0.12)
TOTAL_GB = Bound(24)
# Until what was started is frozen, and what was taken is made anew.
SETTLE_SECONDS = 2.0
CALLS = 100
STARTS = 50
RESTORED = 10
HOLD_MS = 500
# What the many functions are.
KINDS = ["node", "node-sdk-v3", "python", "native"]


def templates_max() -> int:
    """Of a server that is not told otherwise: a quarter of the memory, at 32 MB each."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 4 // (32 << 20)


def main(argv) -> bool:
    options = argparse.ArgumentParser(prog="memory")
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--environments", type=int, default=10, help="0: no such comparison")
    options.add_argument("--functions", default="", help="names, with commas; by default all")
    options.add_argument("--idle", type=int, default=1000, help="idle functions; 0: none")
    options = options.parse_args(argv)
    good = True
    if options.environments:
        with Table("memory of one more environment") as table:
            compare(table, chosen(options.functions), options.rounds, options.environments)
        good &= table.good
    if options.idle:
        with Table(f"{options.idle} idle functions") as table:
            many(table, options.idle)
        good &= table.good
    return good


def compare(table, samples, rounds: int, count: int):
    progress = Progress("memory", 2 * rounds * len(samples))
    for sample in samples:
        sides = {"linux": [], "none": []}
        for _ in range(rounds):
            for side, all in sides.items():
                progress.step(f"{sample.name}, --sandbox {side}", 0)
                all.append(added(sample, count, side))
                progress.step(f"{sample.name}, --sandbox {side}")
        pss = {side: [one["pss"] for one in all] for side, all in sides.items()}
        private = {side: [one["private"] for one in all] for side, all in sides.items()}
        bound = RATIO if sample.package else None
        table.row(f"{sample.name}: freshly started, PSS", pss["none"], "MB")
        table.against(f"{sample.name}: in the sandbox, PSS", pss["linux"], pss["none"], "MB",
                      base="fresh", bound=bound, note=sides["linux"][0]["way"])
        table.against(f"{sample.name}: in the sandbox, private", private["linux"], private["none"],
                      "MB", base="fresh")


def added(sample, count: int, sandbox: str) -> dict:
    """What one more idle environment adds to the platform, in MB."""
    with Server(env=CLEARED, args=["--sandbox", sandbox]) as server:
        functions = Functions(server)
        functions.create("one", sample)
        forks = sandbox == "linux" and sample.forks
        way = functions.start_path("one") if forks else "load"
        # The first ones bring what all the others need: a spare, a booted worker.
        environments(functions, "one", 2)
        before = platform(functions)
        environments(functions, "one", 2 + count)
        after = platform(functions)
        assert functions.live("one")["idle"] == 2 + count, functions.live("one")
        assert not forks or way == "fork", f"{sample.name} is not forked: {way}"
        added = {kind: (after[kind] - before[kind]) / count for kind in ("pss", "private")}
        return {**added, "way": way}


def platform(functions) -> dict:
    """All processes of the platform together, in MB, when nothing moves any more."""
    time.sleep(SETTLE_SECONDS)
    total = {"pss": 0.0, "private": 0.0, "processes": 0}
    for pid in [functions.server.process.pid, *functions.processes()]:
        try:
            kb = memory(pid)
        except (OSError, KeyError):
            continue  # it has ended, or has no memory of its own
        total["pss"] += kb["Pss"] / 1024
        total["private"] += (kb["Private_Clean"] + kb["Private_Dirty"]) / 1024
        total["processes"] += 1
    return total


def many(table, count: int):
    """So many functions, of all kinds, each called once; then random ones are called again, and
    started, and those get a template again that had to give it up."""
    samples = chosen(",".join(KINDS))
    with Server(env=CLEARED, args=["--require-sandbox"]) as server:
        functions = Functions(server)
        progress = Progress(f"memory, {count} functions", count)
        deployed, called = [], []
        for number in range(count):
            began = time.perf_counter()
            functions.create(f"f-{number}", samples[number % len(samples)])
            deployed.append((time.perf_counter() - began) * 1000)
            called.append(functions.invoke(f"f-{number}").ms)
            progress.step("deployed and called")
        table.row("deploy", deployed, "ms")
        table.row("first call, right after it", called, "ms")
        with waiting("templates are being made"):
            wait_for(lambda: not being_made(functions), 900)
        report_memory(table, functions, count)
        random_ones(table, functions, count)
        restored(table, functions, count)


def being_made(functions) -> bool:
    time.sleep(0.5)
    return any("being made" in (one["start"] or "") for one in functions.all_live())


def report_memory(table, functions, count: int):
    with waiting("memory is counted"):
        total = platform(functions)
    live = functions.all_live()
    forked = sum(one["start"] == "fork" for one in live)
    note = f"{total['processes']} processes, {forked} templates, "
    note += f"{sum(one['idle'] for one in live)} environments"
    table.row("PSS of all processes", total["pss"] / 1024, "GB", bound=TOTAL_GB, note=note)
    table.row("for each function, PSS", total["pss"] / count, "MB")
    table.row("for each function, private", total["private"] / count, "MB")


def random_ones(table, functions, count: int):
    """Calls, and starts of one more environment of each: by fork where there is a template."""
    rng = random.Random(1)
    calls, starts = {}, {}
    progress = Progress("memory, random functions", CALLS + STARTS)
    for _ in range(CALLS):
        run = functions.invoke(f"f-{rng.randrange(count)}")
        calls.setdefault(run.path, []).append(run.ms)
        progress.step("calls")
    for _ in range(STARTS):
        name = f"f-{rng.randrange(count)}"
        run = start(functions, name)
        if run.path != "warm":
            starts.setdefault(functions.way(name, run.stream), []).append(run.ms)
        progress.step("starts")
    for path, ms in sorted(calls.items()):
        table.row(f"a random one called, {path}", ms, "ms")
    for way, ms in sorted(starts.items()):
        table.row(f"a random one started, {way}", ms, "ms")


def start(functions, name: str):
    """One event more than there are idle environments."""
    idle = functions.live(name).get("idle", 0)
    holders = [functions.hold(name, HOLD_MS) for _ in range(idle)]
    try:
        wait_for(lambda: functions.live(name).get("busy", 0) >= idle)
        return functions.invoke(name)
    finally:
        for holder in holders:
            holder.join()


def restored(table, functions, count: int):
    """Those whose template had to go, or that never had room for one, get one by use, and others
    make room for it."""
    live = {one["name"]: one for one in functions.all_live()}
    before = sum(one["start"] == "fork" for one in live.values())
    forkable = [n for n in range(count) if KINDS[n % len(KINDS)] != "native"]
    path = {name: one["start"] or "" for name, one in live.items()}
    # What loading left keeps some from having one, whatever their use.
    may = [name for name in (f"f-{n}" for n in forkable) if "loading it" not in path.get(name, "")]
    without = [name for name in may if path.get(name) != "fork"]
    if not without:
        print(f"{count} idle functions: every one has a template, none had to go")
        return
    again, forked = random.Random(2).sample(without, min(RESTORED, len(without))), []
    progress = Progress("memory, templates restored", len(again))
    for name in again:
        # Two at once: at least one of them is a cold start, and counts as a use.
        environments(functions, name, 2)
        if functions.start_path(name) == "fork":
            run = start(functions, name)
            if run.path == "forked":
                forked.append(run.ms)
        progress.step(name)
    after = sum(one["start"] == "fork" for one in functions.all_live())
    if forked:
        table.row("start, template restored by use", forked, "ms")
    table.row("templates restored by use", len(forked), n=len(again),
              bound=Bound(len(again), at_least=True))
    table.row("templates now", after, bound=Bound(templates_max()),
              note=f"{before} before: others have made room")
