"""Requests that are looked at one by one.

    bench/run requests --requests 1000000    each is answered: none may fail
    bench/run cut --requests 20000           clients leave in the middle: no environment may be lost
"""

import argparse
import json
import subprocess
import sys
import threading

import tools
from host import FUNCTIONS, Connection, Functions
from lib import CLEARED, Server, running, wait_for
from samples import chosen
from table import Bound, Table
from warm import BOUND, CONNECTIONS, deploy

NONE = Bound(0)
ENVIRONMENTS = 4
HOLDS_MS = [500, 3_000, 30_000]
REQUESTS = {"requests": 1_000_000, "cut": 20_000}


def main(argv) -> bool:
    what = argv[0]
    options = argparse.ArgumentParser(prog=what)
    options.add_argument("--requests", type=int, default=REQUESTS[what])
    if what == "cut":
        options.add_argument("--functions", default="node,python,native")
    options = options.parse_args(argv[1:])
    with Table(what) as table, Server(env=CLEARED, args=["--require-sandbox"]) as server:
        if what == "requests":
            count(table, server, options.requests)
        else:
            cut(table, server, options.requests, chosen(options.functions))
    return table.good


def body() -> bytes:
    """The order that `post.lua` makes."""
    lines = [
        {"sku": f"item-{n:04d}", "quantity": n, "note": "a line of an order"} for n in range(1, 13)
    ]
    return json.dumps({"id": "0b0f6c1e", "lines": lines}, separators=(",", ":")).encode()


def load(server, path: str, connections: int, requests: int, *more, body: bytes) -> dict:
    """It tells each second how far it is."""
    argv = [tools.compile_rust("load"), f"127.0.0.1:{server.port}", path]
    argv += [str(connections), str(requests), *more]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": sys.stderr}
    with running(argv, **pipes) as process:
        out, _ = process.communicate(body)
        assert process.returncode == 0, process.returncode
    return json.loads(out)


def count(table, server, requests: int):
    """Every one of so many requests is answered."""
    urls, _ = deploy(server)
    path = urls[BOUND].removeprefix(server.url)
    for connections in CONNECTIONS[1:]:
        part = requests // len(CONNECTIONS[1:])
        told = load(server, path, connections, part, body=body())
        failed = part - told["answered"].get("200", 0)
        note = f"in {told['seconds']:.0f} s; p50 {told['p50_us']} µs, p99 {told['p99_us']} µs; "
        note += f"{told['failed'] or ''}{told['answered']}"
        what = f"{BOUND}, {connections} connections: failed"
        table.row(what, failed, n=part, bound=NONE, note=note)


def cut(table, server, requests: int, samples):
    """Environments are those that they were, after clients have left in the middle of requests."""
    functions = Functions(server)
    for sample in samples:
        name = sample.name
        functions.create(name, sample)
        if sample.forks:
            functions.start_path(name)
        before = environments(functions, name, ENVIRONMENTS)
        path = f"{FUNCTIONS}/{name}/invocations"
        told = load(server, path, max(CONNECTIONS), requests, "cut", body=b'{"hold_ms": 2}')
        wait_for(lambda: functions.live(name)["busy"] == 0)
        up = functions.live(name)["idle"]
        after = environments(functions, name, up)
        lost = {stream for stream, born in before.items() if after.get(stream) != born}
        failed = sum(told["failed"].values())
        failed += sum(n for status, n in told["answered"].items() if status != "200")
        table.row(f"{name}: environments lost", len(lost), n=len(before), bound=NONE,
                  note=f"{up} now; {told['cut']} of {requests} cut off by their clients")
        table.row(f"{name}: others' requests failed", failed, n=requests - told["cut"], bound=NONE,
                  note=f"{told['failed'] or ''}{told['answered']}")


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
