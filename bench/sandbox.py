"""What the sandbox adds to a cold start: the same first starts with `--sandbox linux` and `none`,
one after the other. Without a sandbox nothing is forked, so that loading is what is compared.

    bench/run sandbox --rounds 100 --functions node,native
"""

import argparse
import collections
import time

from host import Functions
from lib import CLEARED, Server
from samples import chosen
from table import Bound, Progress, Table

COST = Bound(goal=1.10)
# Until a worker is booted for the next one.
REST_SECONDS = 0.3


def main(argv) -> bool:
    options = argparse.ArgumentParser(prog="sandbox")
    options.add_argument("--rounds", type=int, default=100)
    options.add_argument("--functions", default="", help="names, with commas; by default all")
    options = options.parse_args(argv)
    samples, times = chosen(options.functions), collections.defaultdict(list)
    progress = Progress("sandbox", options.rounds * len(samples))
    with Table("first start") as table, \
            Server(env=CLEARED, args=["--require-sandbox"]) as linux, \
            Server(env=CLEARED, args=["--sandbox", "none"]) as none:
        sides = {"linux": Functions(linux), "none": Functions(none)}
        for number in range(options.rounds):
            for sample in samples:
                # Each goes first as often as the other.
                for side in sorted(sides, reverse=number % 2 == 1):
                    times[sample.name, side].append(first_ms(sides[side], sample, number))
                progress.step(sample.name)
        for sample in samples:
            confined, free = times[sample.name, "linux"], times[sample.name, "none"]
            table.row(f"{sample.name}: none", free, "ms")
            table.against(f"{sample.name}: linux", confined, free, "ms", base="none", bound=COST)
    return table.good


def first_ms(functions, sample, number) -> float:
    name = f"{sample.name}-{number}"
    functions.create(name, sample)
    run = functions.invoke(name)
    assert run.path == "loaded", run
    functions.delete(name)
    time.sleep(REST_SECONDS)
    return run.ms
