"""Cold starts, by every way there is, each against a process of the same interpreter that does
nothing, with a cleared environment, and beside others that run the same functions.

Measured from outside: the whole request counts, which is more than the start alone. How each start
came about is proven (`starts.py`), and any that did not come as claimed fails the bench.

    python3 cold.py --rounds 100 --functions node,native --no-peers
"""

import argparse
import collections
import pathlib
import sys

from host import Functions
from lib import CLEARED, Server, median, p99, process_ms, result
from peers import Offline, Ric, scratch
from samples import chosen
from starts import cold_starts

# Required and goal, of HOST.md's table, by what is divided: language, way, whether it has an SDK.
TARGETS = {
    ("node", "template"): (0.20, 0.10),
    ("node", "spare"): (0.06, 0.03),
    ("node", "first"): (0.25, 0.10),
    ("python", "template"): (0.6, 0.3),
    ("native", "first"): (2, 1.4),
    ("native", "settled"): (2, 1.4),
}
# serverless-offline starts slowly and is no reference: so many of its starts are enough.
OFFLINE_ROUNDS_MAX = 20
# A start may be spoiled by what else the machine does; more than one in ten is a fault.
SPOILED_MAX = 0.1


def target(sample, way):
    """The first start ever has one only where it is trivial: an SDK takes its time to load."""
    if way == "first" and sample.package:
        return None, None
    return TARGETS.get((sample.language, way), (None, None))


def reference_argv(sample, program: str) -> list:
    """The interpreter that the host itself used."""
    return {
        "node": [program, "-e", "0"], "python": [program, "-c", "0"], "native": ["/bin/true"],
    }[sample.language]


class Times:
    """What was measured, by function and what was done with it."""

    def __init__(self):
        self.ms = collections.defaultdict(list)
        self.references = collections.defaultdict(list)
        self.spoiled = collections.Counter()

    def round(self, functions, samples, peers, number):
        for sample in samples:
            runs, missed = cold_starts(functions, sample, f"{sample.name}-{number}")
            self.spoiled.update(f"{sample.name}: {why}" for why in missed)
            for way, run in runs.items():
                self.ms[sample.name, way].append(run.ms)
            program = runs["first"].program
            self.references[sample.name].append(process_ms(reference_argv(sample, program)))
            for peer in peers:
                took = peer.start_ms(sample, number)
                if took is not None:
                    self.ms[sample.name, peer.name].append(took)

    def report(self, samples) -> bool:
        good = True
        for sample in samples:
            reference = self.references[sample.name]
            assert reference, f"no start of {sample.name} came as claimed: {self.spoiled}"
            base, base_p99 = median(reference), p99(reference)
            what = f"{sample.name}: {sample.reference}"
            result(what, base, "ms", note=f"p99 {base_p99:.2f}, n {len(reference)}")
            for (name, way), ms in self.ms.items():
                if name != sample.name:
                    continue
                required, goal = target(sample, way)
                note = (
                    f"{median(ms):.2f} ms, p99 {p99(ms):.2f} ms "
                    f"= {p99(ms) / base_p99:.2f} of its p99, n {len(ms)}"
                )
                good &= result(
                    f"{name}: {way} ÷ {sample.reference}", median(ms) / base,
                    at_most=required, goal_at_most=goal, note=note,
                )
        return good


def main() -> bool:
    options = argparse.ArgumentParser()
    options.add_argument("--rounds", type=int, default=100)
    options.add_argument("--functions", default="", help="names, with commas; by default all")
    options.add_argument("--no-peers", action="store_true")
    options = options.parse_args()
    samples, times = chosen(options.functions), Times()
    with scratch() as folder, Server(env=CLEARED) as server:
        folder = pathlib.Path(folder)
        peers = []
        if not options.no_peers:
            copies = min(options.rounds, OFFLINE_ROUNDS_MAX)
            peers = [Ric(folder), Offline(folder, samples, copies)]
        try:
            functions = Functions(server)
            for number in range(options.rounds):
                times.round(functions, samples, peers, number)
        finally:
            for peer in peers:
                peer.close()
    good = times.report(samples)
    for why, count in times.spoiled.items():
        print(f"spoiled {count} of {options.rounds}: {why}")
        good &= count <= SPOILED_MAX * options.rounds
    return good


if __name__ == "__main__":
    sys.exit(0 if main() else 1)
