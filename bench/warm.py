"""Warm invocations: an order of 1 KB is posted, by 1, 8 and 64 connections, to functions and to a
bare Node HTTP server with the same handler. With one connection one event is under way at a time;
with more than there are environments, events queue.

    python3 warm.py --rounds 5 --seconds 2
    python3 warm.py --requests 1000000    each is looked at: none may fail
    python3 warm.py --cut 20000           clients leave in the middle: no environment may be lost
"""

import argparse
import collections
import json
import re
import shutil
import subprocess
import sys
import threading

from host import FUNCTIONS, Connection, Functions
from lib import CACHE, CLEARED, HERE, Server, compile_rust, install, median, result, wait_for
from peers import RIC
from samples import Sample, chosen, zipped

APP = HERE / "app"
CONNECTIONS = [1, 8, 64]
# Of HOST.md's table: requests a second, one at a time and with queueing; the median of one
# connection.
ONE, QUEUED, MEDIAN = (0.8, 1.0), (1.2, 1.8), (1.5, 1.1)
# The way that they bind: an HTTP API to a Node function. The others are told beside it.
BOUND = "HTTP → node"
BARE = "bare node"
MICROS = {"us": 1, "ms": 1_000, "s": 1_000_000}
ENVIRONMENTS = 4
HOLDS_MS = [500, 3_000, 30_000]


class Bare:
    """The reference: the same handler under Node's own HTTP server."""

    def __enter__(self):
        argv = ["node", str(APP / "bare.js")]
        self.process = subprocess.Popen(argv, env=CLEARED, stdout=subprocess.PIPE, text=True)
        self.url = f"http://127.0.0.1:{self.process.stdout.readline().strip()}/echo"
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()


class Measured:
    """What wrk has told of one target with so many connections, over all rounds."""

    def __init__(self):
        self.rates, self.medians, self.p99s = [], [], []

    def add(self, url, connections, seconds):
        script = str(APP / "post.lua")
        argv = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", "-s", script, url]
        done = subprocess.run(argv, text=True, capture_output=True, check=True)
        assert "Non-2xx" not in done.stdout, done.stdout
        assert "Socket errors" not in done.stdout, done.stdout
        self.rates.append(float(re.search(r"Requests/sec:\s+([\d.]+)", done.stdout)[1]))
        self.medians.append(latency(done.stdout, "50%"))
        self.p99s.append(latency(done.stdout, "99%"))


def latency(text: str, rank: str) -> float:
    """In microseconds."""
    value, unit = re.search(rf"^\s+{rank}\s+([\d.]+)(us|ms|s)$", text, re.MULTILINE).groups()
    return float(value) * MICROS[unit]


def main() -> bool:
    options = argparse.ArgumentParser()
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--seconds", type=int, default=2)
    options.add_argument("--requests", type=int, help="send so many, and count what fails")
    options.add_argument("--cut", type=int, help="send so many, of which clients cut off most")
    options = options.parse_args()
    with Server(env=CLEARED) as server:
        if options.requests:
            return count(server, options.requests)
        if options.cut:
            return cut(server, options.cut)
        if not shutil.which("wrk"):
            print("warm: wrk is not installed (apt-get install wrk)")
            return False
        return rates(server, options.rounds, options.seconds)


def rates(server, rounds: int, seconds: int) -> bool:
    with Bare() as bare:
        targets = {BARE: bare.url, **deploy(server)}
        measured = collections.defaultdict(Measured)
        for url in targets.values():
            Measured().add(url, max(CONNECTIONS), 1)  # all warm
        for _ in range(rounds):
            for connections in CONNECTIONS:
                for name, url in targets.items():
                    measured[name, connections].add(url, connections, seconds)
    environments = {one["name"]: one["idle"] + one["busy"] for one in Functions(server).all_live()}
    print(f"environments: {environments}")
    assert environments["bench-dev-echo"] < max(CONNECTIONS), "no event had to queue"
    good = True
    for connections in CONNECTIONS:
        base = measured[BARE, connections]
        for name in targets:
            good &= report(name, connections, measured[name, connections], base)
    return good


def report(name, connections, one, base) -> bool:
    what = f"{name}, {connections} connections"
    note = f"p50 {median(one.medians):.0f} µs, p99 {median(one.p99s):.0f} µs"
    result(what, median(one.rates), "1/s", note=note)
    if one is base:
        return True
    bound = name == BOUND
    required, goal = ONE if connections == 1 else QUEUED
    good = result(
        f"{what}: requests ÷ bare", ratio(one.rates, base.rates),
        at_least=required if bound else None, goal=goal if bound else None,
    )
    required, goal = MEDIAN if bound and connections == 1 else (None, None)
    good &= result(
        f"{what}: p50 ÷ bare", ratio(one.medians, base.medians),
        at_most=required, goal_at_most=goal,
        note=f"p99 ÷ bare {ratio(one.p99s, base.p99s):.2f}",
    )
    return good


def ratio(ours, theirs) -> float:
    """Of those that were measured one after the other."""
    return median([a / b for a, b in zip(ours, theirs)])


def deploy(server) -> dict:
    """The application, and what speaks the Runtime API. Gives URLs by name."""
    deployed = server.cli("deploy", APP)
    assert deployed.returncode == 0, deployed.stderr
    [stack] = server.stacks()
    api = f"{server.url}/_aws/execute-api/{stack['outputs']['HttpApiId']}/$default"
    invoke = lambda name: f"{server.url}{FUNCTIONS}/{name}/invocations"  # noqa: E731
    functions = Functions(server)
    functions.create("ric", Ric("ric", "native", ""))
    functions.create("native", chosen("native")[0])
    return {
        BOUND: f"{api}/echo",
        "HTTP → python": f"{api}/python",
        "Invoke → node": invoke("bench-dev-direct"),
        "Invoke → aws-lambda-ric": invoke("ric"),
        "Invoke → native": invoke("native"),
    }


class Ric(Sample):
    """The same handler under Lambda's own client of the Runtime API."""

    def zip(self, salt):
        start = "#!/bin/sh\nexec node node_modules/aws-lambda-ric/bin/index.mjs handler.direct\n"
        files = {"bootstrap": start.encode(), "handler.js": (APP / "handler.js").read_bytes()}
        client = install("ric", RIC) / "node_modules" / "aws-lambda-ric"
        for path in [client / "package.json", *(client / "bin").iterdir(), *(client / "dist").iterdir()]:
            name = path.relative_to(client.parent.parent).as_posix()
            files[name] = path.read_bytes()
        return zipped(files)


def body() -> bytes:
    """The order that `post.lua` makes."""
    lines = [
        {"sku": f"item-{n:04d}", "quantity": n, "note": "a line of an order"} for n in range(1, 13)
    ]
    return json.dumps({"id": "0b0f6c1e", "lines": lines}, separators=(",", ":")).encode()


def load(server, path: str, connections: int, requests: int, *more, body: bytes) -> dict:
    argv = [compile_rust("load", CACHE), f"127.0.0.1:{server.port}", path]
    argv += [str(connections), str(requests), *more]
    done = subprocess.run(argv, input=body, capture_output=True, check=True)
    return json.loads(done.stdout)


def count(server, requests: int) -> bool:
    """Every one of so many requests is answered."""
    targets, good = deploy(server), True
    path = targets[BOUND].removeprefix(server.url)
    for connections in CONNECTIONS[1:]:
        part = requests // len(CONNECTIONS[1:])
        told = load(server, path, connections, part, body=body())
        failed = part - told["answered"].get("200", 0)
        note = f"of {part} in {told['seconds']:.0f} s; p50 {told['p50_us']} µs, "
        note += f"p99 {told['p99_us']} µs; {told['failed'] or ''}{told['answered']}"
        good &= result(f"failed, {connections} connections", failed, at_most=0, note=note)
    return good


def cut(server, requests: int) -> bool:
    """Environments are those that they were, after clients have left in the middle of requests."""
    functions, good = Functions(server), True
    for sample in chosen("node,python,native"):
        name = sample.name
        functions.create(name, sample)
        functions.start_path(name) if sample.forks else None
        before = environments(functions, name, ENVIRONMENTS)
        path = f"{FUNCTIONS}/{name}/invocations"
        told = load(server, path, max(CONNECTIONS), requests, "cut", body=b'{"hold_ms": 2}')
        wait_for(lambda: functions.live(name)["busy"] == 0)
        up = functions.live(name)["idle"]
        after = environments(functions, name, up)
        lost = {stream for stream, born in before.items() if after.get(stream) != born}
        failed = sum(told["failed"].values())
        failed += sum(n for status, n in told["answered"].items() if status != "200")
        note = f"of {len(before)}, {up} now; {told['cut']} of {requests} cut off by their clients"
        good &= result(f"{name}: environments lost", len(lost), at_most=0, note=note)
        good &= result(f"{name}: others' requests failed", failed, at_most=0,
                       note=f"{told['failed'] or ''}{told['answered']}")
    return good


def environments(functions, name: str, count: int) -> dict:
    """Keeps so many busy at once; gives when the process of each began, by its log stream. A machine
    that has too much to do starts them one by one, so that each must be held for longer."""
    found = {}

    def meet(hold_ms):
        with Connection(functions.server.port) as connection:
            run = functions.invoke(name, {"hold_ms": hold_ms, "born": True}, connection)
            found[run.stream] = run.born

    for hold_ms in HOLDS_MS:
        found.clear()
        threads = [threading.Thread(target=meet, args=(hold_ms,)) for _ in range(count)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if len(found) == count:
            return found
    raise AssertionError(f"{len(found)} environments have answered {count} events at once")


if __name__ == "__main__":
    sys.exit(0 if main() else 1)
