"""From no environment to 200 of one function: so many events at once, each held until all are in.

Taken is the time until the last answer, less what its event was held. Whether all were in at once
is known by their environments: where an event met one that another had met, it came after that one
had left, and the time is more than what events are held.

    bench/run burst --rounds 5 --environments 200 --functions node,python
"""

import argparse
import json
import selectors
import time

from host import FUNCTIONS, Connection, Functions
from lib import CLEARED, Server
from samples import chosen
from table import Bound, Progress, Table, median

LAST = Bound(goal=1.0)
HOLD_MS = 10_000
DEADLINE_SECONDS = 60


def main(argv) -> bool:
    options = argparse.ArgumentParser(prog="burst")
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--environments", type=int, default=200)
    options.add_argument("--functions", default="node,node-sdk-v3,python,native")
    options.add_argument("--hold-ms", type=int, default=HOLD_MS)
    options = options.parse_args(argv)
    samples, count = chosen(options.functions), options.environments
    progress = Progress("burst", options.rounds * len(samples) * count)
    bursts, complete = {}, True
    with Table(f"burst: 0 → {count}") as table:
        try:
            for number in range(options.rounds):
                for sample in samples:
                    one = Burst(sample, count, options.hold_ms)
                    one.run(progress, f"{sample.name}, round {number + 1}")
                    bursts.setdefault(sample.name, []).append(one)
        finally:
            for name, all in bursts.items():
                complete &= report(table, name, all, count)
    if not complete:
        print("FAILED: events met environments that were not started for them")
    return complete and table.good


def report(table, name, bursts, count) -> bool:
    met = min(one.met for one in bursts)
    table.row(f"{name}: first answer of half", [median(one.seconds) for one in bursts], "s")
    table.row(
        f"{name}: last first answer", [max(one.seconds) for one in bursts], "s", bound=LAST,
        note=f"{bursts[0].way}; at least {met} environments at once",
    )
    return met == count


class Burst:
    """On a server of its own."""

    def __init__(self, sample, count: int, hold_ms: int):
        self.sample, self.count, self.hold_ms = sample, count, hold_ms
        self.seconds, self.met, self.way = [], 0, ""

    def run(self, progress, what: str):
        with Server(env=CLEARED, args=["--require-sandbox"]) as server:
            functions = Functions(server)
            functions.create("burst", self.sample, Timeout=DEADLINE_SECONDS)
            self.way = functions.start_path("burst") if self.sample.forks else "load"
            assert functions.live("burst").get("idle", 0) == 0
            connections = [Connection(server.port) for _ in range(self.count)]
            try:
                self.measure(connections, progress, what)
            finally:
                for connection in connections:
                    connection.socket.close()

    def measure(self, connections, progress, what: str):
        """When each event had its environment, since all were sent; how many environments."""
        body = json.dumps({"hold_ms": self.hold_ms}).encode()
        request = (
            f"POST {FUNCTIONS}/burst/invocations HTTP/1.1\r\nHost: localhost\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        ).encode() + body
        selector = selectors.DefaultSelector()
        replies, arrived, streams = [b""] * self.count, [0.0] * self.count, set()
        began = time.perf_counter()
        for number, connection in enumerate(connections):
            connection.socket.sendall(request)
            selector.register(connection.socket, selectors.EVENT_READ, number)
        while selector.get_map():
            assert time.perf_counter() - began < DEADLINE_SECONDS, "not all have answered"
            ready = selector.select(timeout=1)
            if not ready:
                progress.step(what, 0)
            for key, _ in ready:
                number = key.data
                arrived[number] = arrived[number] or time.perf_counter() - began
                replies[number] += connections[number].more()
                head, _, answer = replies[number].partition(b"\r\n\r\n")
                if answer.endswith(b"}"):
                    assert head.startswith(b"HTTP/1.1 200"), replies[number]
                    streams.add(json.loads(answer)["stream"])
                    selector.unregister(key.fileobj)
                    progress.done += 1
        self.seconds = [when - self.hold_ms / 1000 for when in arrived]
        self.met = len(streams)
