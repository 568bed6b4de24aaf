"""What an idle environment holds in memory that nobody else has, forked and freshly started; and a
platform with many idle functions, each called once.

Measured over all processes of the platform, so that nothing hides in a helper: what so many more
environments add, divided by their number. Freshly started ones are those of `--sandbox none`,
which forks nothing.

    python3 memory.py --environments 10 --functions node,native
    python3 memory.py --idle 1000        only the many functions
"""

import argparse
import random
import sys
import time

from host import Functions
from lib import CLEARED, Server, median, memory, p99, result, spread, wait_for
from samples import chosen
from warm import environments

# Required and goal: PSS of an environment with an SDK, forked ÷ freshly started.
TARGET = (0.20, 0.12)
TOTAL_GB_MAX = 24
# Until what was started is frozen, and what was taken is made anew.
SETTLE_SECONDS = 2.0
STARTS = 100
RESTORED = 10
# What the many functions are.
KINDS = ["node", "node-sdk-v3", "python", "native"]


def main() -> bool:
    options = argparse.ArgumentParser()
    options.add_argument("--environments", type=int, default=10)
    options.add_argument("--functions", default="", help="names, with commas; by default all")
    options.add_argument("--idle", type=int, help="only a platform of so many idle functions")
    options = options.parse_args()
    if options.idle:
        return many(options.idle)
    good = True
    for sample in chosen(options.functions):
        good &= compare(sample, options.environments)
    return good & many(1000)


def compare(sample, count: int) -> bool:
    forked = each(sample, count, "linux")
    fresh = each(sample, count, "none")
    for how, one in (("in the sandbox", forked), ("freshly started", fresh)):
        result(f"{sample.name}: private, {how}", one["private"], "MB",
               note=f"PSS {one['pss']:.2f} MB, {one['way']}")
    required, goal = TARGET if sample.package else (None, None)
    ratios = {kind: forked[kind] / fresh[kind] for kind in ("pss", "private")}
    return result(f"{sample.name}: PSS ÷ freshly started", ratios["pss"], at_most=required,
                  goal_at_most=goal, note=f"private {ratios['private']:.2f}")


def each(sample, count: int, sandbox: str) -> dict:
    """What one more idle environment adds to the platform, in MB."""
    with Server(env=CLEARED, args=["--sandbox", sandbox]) as server:
        functions = Functions(server)
        functions.create("one", sample)
        way = functions.start_path("one") if sample.forks else "fresh"
        # The first ones bring what all the others need: a spare, a booted worker.
        environments(functions, "one", 2)
        before = platform(functions)
        environments(functions, "one", 2 + count)
        after = platform(functions)
        assert functions.live("one")["idle"] == 2 + count, functions.live("one")
        expected = sandbox == "linux" and sample.forks
        assert not expected or way == "fork", f"{sample.name} is not forked: {way}"
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


def many(count: int) -> bool:
    """So many functions, of all kinds, each called once; then random ones are called again."""
    samples, good = chosen(",".join(KINDS)), True
    with Server(env=CLEARED) as server:
        functions = Functions(server)
        began = time.monotonic()
        for number in range(count):
            functions.create(f"f-{number}", samples[number % len(samples)])
            functions.invoke(f"f-{number}")
        took = time.monotonic() - began
        wait_for(lambda: not any("being made" in (one["start"] or "")
                                 for one in functions.all_live()), 600)
        total = platform(functions)
        live = functions.all_live()
        forked = sum(one["start"] == "fork" for one in live)
        note = f"{total['processes']} processes, {forked} templates, "
        note += f"{sum(one['idle'] for one in live)} environments; deployed in {took:.0f} s"
        name = f"{count} idle functions"
        good &= result(f"{name}: PSS of all processes", total["pss"] / 1024, "GB",
                       at_most=TOTAL_GB_MAX, note=note)
        result(f"{name}: for each", total["pss"] / count, "MB",
               note=f"private {total['private'] / count:.2f}")
        calls = {"warm": [], "forked": [], "loaded": []}
        rng = random.Random(1)
        for _ in range(STARTS):
            run = functions.invoke(f"f-{rng.randrange(count)}")
            calls[run.path].append(run.ms)
        for path, ms in calls.items():
            if ms:
                result(f"{name}: a random one, {path}", median(ms), "ms",
                       note=f"{spread(ms)}, p99 {p99(ms):.1f}")
        good &= restored(functions, count)
    return good


def restored(functions, count: int) -> bool:
    """Those whose template had to go, or that never had room for one, get one by use, and others
    make room for it."""
    live = {one["name"]: one for one in functions.all_live()}
    before = sum(one["start"] == "fork" for one in live.values())
    forkable = [n for n in range(count) if KINDS[n % len(KINDS)] != "native"]
    start = {name: one["start"] or "" for name, one in live.items()}
    # What loading left keeps some from having one, whatever their use.
    may = [name for name in (f"f-{n}" for n in forkable) if "loading it" not in start.get(name, "")]
    without = [name for name in may if start.get(name) != "fork"]
    if not without:
        print(f"{count} idle functions: every one has a template, none had to go")
        return True
    again, forked = random.Random(2).sample(without, min(RESTORED, len(without))), []
    for name in again:
        # Two at once: at least one of them is a cold start, and counts as a use.
        environments(functions, name, 2)
        if functions.start_path(name) == "fork":
            holders = [functions.hold(name, 500) for _ in range(2)]
            wait_for(lambda: functions.live(name)["busy"] == 2)
            run = functions.invoke(name)
            [holder.join() for holder in holders]
            assert run.path == "forked", run
            forked.append(run.ms)
    after = sum(one["start"] == "fork" for one in functions.all_live())
    name = f"{count} idle functions"
    if forked:
        result(f"{name}: start, template restored", median(forked), "ms", note=spread(forked))
    good = result(f"{name}: templates restored by use", len(forked), at_least=len(again),
                  note=f"of {len(again)}")
    return good & result(f"{name}: templates now", after, at_most=max(before, 1),
                         note=f"{before} before: others have made room")


if __name__ == "__main__":
    sys.exit(0 if main() else 1)
