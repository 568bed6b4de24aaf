"""Cold starts, by every way there is, each against a process of the same interpreter that does
nothing, with a cleared environment, and beside others that run the same functions.

Measured from outside: the whole request counts, which is more than the start alone. How each start
came about is proven (`starts.py`), and too many that did not come as claimed fail the bench.

    bench/run cold --rounds 100 --functions node,native --no-peers
"""

import argparse
import collections
import http.client
import pathlib

from host import Functions
from lib import CLEARED, Server, process_ms
from peers import Offline, Ric, scratch
from samples import chosen
from starts import WAYS, cold_starts
from table import Bound, Progress, Table
from tools import Unavailable

# Required and goal, of HOST.md's table, by language and way.
TARGETS = {
    ("node", "template"): Bound(0.20, 0.10),
    ("node", "spare"): Bound(0.06, 0.03),
    ("node", "first"): Bound(0.25, 0.10),
    ("python", "template"): Bound(0.6, 0.3),
    ("native", "first"): Bound(2, 1.4),
    ("native", "settled"): Bound(2, 1.4),
}
# serverless-offline starts slowly and is no reference: so many of its starts are enough.
OFFLINE_ROUNDS_MAX = 20
# A start may be spoiled by what else the machine does; more than one in ten is a fault.
SPOILED_MAX = 0.1


def target(sample, way):
    """The first start ever has one only where it is trivial: an SDK takes its time to load."""
    return None if way == "first" and sample.package else TARGETS.get((sample.language, way))


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
        self.how = collections.defaultdict(collections.Counter)
        self.given_up = set()
        self.rounds = 0

    def round(self, functions, samples, peers, progress):
        number = self.rounds
        for sample in samples:
            progress.step(sample.name, 0)
            runs, missed = cold_starts(functions, sample, f"{sample.name}-{number}")
            self.spoiled.update(f"{sample.name}, {way}: {why}" for way, why in missed.items())
            for way, run in runs.items():
                self.ms[sample.name, way].append(run.ms)
                self.how[sample.name, way][run.way] += 1
            program = runs["first"].program
            self.references[sample.name].append(process_ms(reference_argv(sample, program)))
            for peer in peers:
                progress.step(f"{sample.name}, {peer.name}", 0)
                self.peer(peer, sample, number)
            progress.step(sample.name)
        self.rounds += 1

    def peer(self, peer, sample, number):
        """One that fails is none of our faults: it is told, and not tried again."""
        key = sample.name, peer.name
        if key in self.given_up:
            return
        try:
            took = peer.start_ms(sample, number)
        except (OSError, AssertionError, http.client.HTTPException) as error:
            self.given_up.add(key)
            print(f"without a peer: {peer.name} failed with {sample.name}: {error}", flush=True)
            return
        if took is not None:
            self.ms[key].append(took)

    def report(self, table, samples):
        for sample in samples:
            reference = self.references[sample.name]
            if not reference:
                continue
            table.row(sample.reference if sample.language == "native" else
                      f"{sample.reference} (beside {sample.name})", reference, "ms")
            for way in [*WAYS, Ric.name, Offline.name]:
                if ms := self.ms.get((sample.name, way)):
                    table.against(f"{sample.name}: {way}", ms, reference, "ms",
                                  base=sample.reference, bound=target(sample, way),
                                  note=", ".join(self.how[sample.name, way]))

    def came_as_claimed(self, samples) -> bool:
        """Tells of the others. Every way that a sample has must have been measured."""
        good = True
        for why, count in self.spoiled.items():
            print(f"not counted: {count} of {self.rounds}: {why}")
            good &= count <= SPOILED_MAX * self.rounds
        for sample in samples:
            for way in sample.ways:
                if not self.ms.get((sample.name, way)):
                    print(f"FAILED: no start of {sample.name} by {way}")
                    good = False
        return good


def open_peers(options, folder, samples) -> list:
    peers = []
    if not options.no_peers:
        copies = min(options.rounds, OFFLINE_ROUNDS_MAX)
        for peer in (lambda: Ric(folder), lambda: Offline(folder, samples, copies)):
            try:
                peers.append(peer())
            except Unavailable as why:
                print(f"without a peer: {why}", flush=True)
    return peers


def main(argv) -> bool:
    options = argparse.ArgumentParser(prog="cold")
    options.add_argument("--rounds", type=int, default=100)
    options.add_argument("--functions", default="", help="names, with commas; by default all")
    options.add_argument("--no-peers", action="store_true")
    options = options.parse_args(argv)
    samples, times = chosen(options.functions), Times()
    progress = Progress("cold", options.rounds * len(samples))
    with scratch() as folder, Table("cold start") as table:
        peers = open_peers(options, pathlib.Path(folder), samples)
        try:
            with Server(env=CLEARED, args=["--require-sandbox"]) as server:
                functions = Functions(server)
                for _ in range(options.rounds):
                    times.round(functions, samples, peers, progress)
        finally:
            for peer in peers:
                peer.close()
            times.report(table, samples)
    return times.came_as_claimed(samples) & table.good
