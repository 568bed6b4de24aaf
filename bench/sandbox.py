"""What the sandbox adds to a cold start: the same first starts with `--sandbox linux` and `none`,
one after the other. Without a sandbox nothing is forked, so that loading is what is compared.

    python3 sandbox.py --rounds 100 --functions node,native
"""

import argparse
import collections
import sys
import time

from host import Functions
from lib import CLEARED, Server, median, p99, result
from samples import chosen

GOAL = 1.10
# Until a worker is booted for the next one.
REST_SECONDS = 0.3


def main() -> bool:
    options = argparse.ArgumentParser()
    options.add_argument("--rounds", type=int, default=100)
    options.add_argument("--functions", default="", help="names, with commas; by default all")
    options = options.parse_args()
    samples, times = chosen(options.functions), collections.defaultdict(list)
    with Server(env=CLEARED, args=["--require-sandbox"]) as linux, \
            Server(env=CLEARED, args=["--sandbox", "none"]) as none:
        sides = {"linux": Functions(linux), "none": Functions(none)}
        for number in range(options.rounds):
            for sample in samples:
                # Each goes first as often as the other.
                for side in sorted(sides, reverse=number % 2 == 1):
                    times[sample.name, side].append(first_ms(sides[side], sample, number))
    for sample in samples:
        confined, free = times[sample.name, "linux"], times[sample.name, "none"]
        note = f"{median(confined):.2f} ÷ {median(free):.2f} ms, "
        note += f"p99 {p99(confined):.2f} ÷ {p99(free):.2f} ms, n {len(free)}"
        result(f"{sample.name}: first start, linux ÷ none", median(confined) / median(free),
               goal_at_most=GOAL, note=note)
    return True


def first_ms(functions, sample, number) -> float:
    name = f"{sample.name}-{number}"
    functions.create(name, sample)
    run = functions.invoke(name)
    assert run.path == "loaded", run
    functions.delete(name)
    time.sleep(REST_SECONDS)
    return run.ms


if __name__ == "__main__":
    sys.exit(0 if main() else 1)
