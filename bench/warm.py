"""Warm invocations: an order of 1 KB is posted, by 1, 8 and 64 connections, to functions and to a
bare Node HTTP server with the same handler. With one connection one event is under way at a time;
with more than there are environments, events queue.

    bench/run warm --rounds 5 --seconds 2
"""

import argparse
import collections
import contextlib
import math
import re
import subprocess

import tools
from host import FUNCTIONS, Functions
from lib import CLEARED, HERE, Server, running
from samples import Sample, chosen, zipped
from table import Bound, Progress, Table, median
from tools import Unavailable

APP = HERE / "app"
CONNECTIONS = [1, 8, 64]
# Of HOST.md's table: requests a second, one at a time and with queueing; the median of one
# connection.
ONE, QUEUED = Bound(0.8, 1.0, at_least=True), Bound(1.2, 1.8, at_least=True)
MEDIAN = Bound(1.5, 1.1)
# The way that they bind: a function URL of a Node function. The others are told beside it.
BOUND = "URL → node"
BARE = "bare node"
# Its handlers, and those of their functions that are called directly, are named here.
ECHO, DIRECT = "bench-dev-echo", "bench-dev-direct"
MICROS = {"us": 1, "ms": 1_000, "s": 1_000_000}


@contextlib.contextmanager
def bare(program: str):
    """The reference: the same handler under Node's own HTTP server. Gives its URL."""
    argv = [program, str(APP / "bare.js")]
    with running(argv, env=CLEARED, stdout=subprocess.PIPE, text=True) as process:
        yield f"http://127.0.0.1:{process.stdout.readline().strip()}/echo"


class Measured:
    """What wrk has told of one target with so many connections, over all rounds."""

    def __init__(self):
        self.rates, self.medians, self.p99s, self.requests = [], [], [], 0

    def add(self, url, connections, seconds):
        script = str(APP / "post.lua")
        argv = [tools.wrk(), "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", "-s", script]
        done = subprocess.run([*argv, url], text=True, capture_output=True, check=True)
        assert "Non-2xx" not in done.stdout, (url, done.stdout)
        assert "Socket errors" not in done.stdout, (url, done.stdout)
        self.rates.append(float(re.search(r"Requests/sec:\s+([\d.]+)", done.stdout)[1]))
        self.requests += int(re.search(r"(\d+) requests in", done.stdout)[1])
        self.medians.append(latency(done.stdout, "50%"))
        self.p99s.append(latency(done.stdout, "99%"))


def latency(text: str, rank: str) -> float:
    """In microseconds."""
    value, unit = re.search(rf"^\s+{rank}\s+([\d.]+)(us|ms|s)$", text, re.MULTILINE).groups()
    return float(value) * MICROS[unit]


def main(argv) -> bool:
    options = argparse.ArgumentParser(prog="warm")
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--seconds", type=int, default=2, help="of each load")
    options = options.parse_args(argv)
    measured = collections.defaultdict(Measured)
    with Table("warm") as table, Server(env=CLEARED, args=["--require-sandbox"]) as server:
        urls, names = deploy(server)
        program = interpreter(Functions(server), urls[BOUND])
        with bare(program) as url:
            targets = {BARE: url, **urls}
            loads = len(targets) * (1 + options.rounds * len(CONNECTIONS))
            progress = Progress("warm", loads)
            for name, url in targets.items():
                Measured().add(url, max(CONNECTIONS), 1)  # all warm
                progress.step(name)
            try:
                for _ in range(options.rounds):
                    for connections in CONNECTIONS:
                        for name, url in targets.items():
                            measured[name, connections].add(url, connections, options.seconds)
                            progress.step(f"{name}, {connections} connections")
            finally:
                report(table, measured, targets)
        live = {one["name"]: one["idle"] + one["busy"] for one in Functions(server).all_live()}
    print("environments: " + ", ".join(f"{live[of]} {name}" for name, of in names.items()))
    if live[ECHO] >= max(CONNECTIONS):
        print("FAILED: no event had to queue")
        return False
    return table.good


def interpreter(functions, url: str) -> str:
    """That of the host, once a first event has told it which."""
    Measured().add(url, 1, 1)
    [version] = functions.ask("GET", f"/_cumulet/functions/{ECHO}?minutes=1")["versions"]
    return version["program"]["path"]


def report(table, measured, targets):
    for connections in CONNECTIONS:
        base = measured[BARE, connections]
        for name in targets:
            one = measured[name, connections]
            if one.rates:
                rows(table, name, connections, one, base)


def rows(table, name, connections, one, base):
    what = f"{name}, {connections} connection{'s' * (connections > 1)}"
    told = {} if one is base else {"base": BARE}
    bound = name == BOUND
    table.row(
        f"{what}: rate", one.rates, "1/s", high=math.nan,
        ratio=None if one is base else ratio(one.rates, base.rates),
        bound=(ONE if connections == 1 else QUEUED) if bound else None,
        note=f"{min(one.rates):.0f} to {max(one.rates):.0f}", **told,
    )
    p99_ratio = "" if one is base else f"p99 ÷ {ratio(one.p99s, base.p99s):.2f}"
    table.row(
        f"{what}: latency", one.medians, "µs", n=one.requests, high=median(one.p99s),
        ratio=None if one is base else ratio(one.medians, base.medians),
        bound=MEDIAN if bound and connections == 1 else None, note=p99_ratio, **told,
    )


def ratio(ours, theirs) -> float:
    """Of those that were measured one after the other."""
    return median([a / b for a, b in zip(ours, theirs)])


def deploy(server) -> tuple:
    """The application, and what speaks the Runtime API. Gives URLs and functions by what is
    measured."""
    deployed = server.cli("deploy", APP)
    assert deployed.returncode == 0, deployed.stderr
    [stack] = server.stacks()
    outputs = stack["outputs"]
    api = f"{server.url}/_aws/execute-api/{outputs['HttpApiId']}/$default"
    functions = Functions(server)
    targets = {
        BOUND: (f"{by_path(server, outputs['EchoLambdaFunctionUrl'])}echo", ECHO),
        "URL → python": (
            f"{by_path(server, outputs['PythonLambdaFunctionUrl'])}echo", "bench-dev-python",
        ),
        "HTTP API → node": (f"{api}/echo", ECHO),
        "Invoke → node": (invoke_url(server, DIRECT), DIRECT),
    }
    # Those that speak the Runtime API.
    speakers = [chosen("native")[0], chosen("lambda_runtime")[0], Ric("aws-lambda-ric", "native", "")]
    for sample in speakers:
        try:
            functions.create(sample.name, sample)
        except Unavailable as why:
            print(f"without a peer: {why}", flush=True)
            continue
        targets[f"Invoke → {sample.name}"] = (invoke_url(server, sample.name), sample.name)
    urls = {name: url for name, (url, _) in targets.items()}
    return urls, {name: function for name, (_, function) in targets.items()}


def by_path(server, url: str) -> str:
    """A function URL for those who cannot resolve names below `localhost`."""
    id = url.removeprefix("http://").split(".")[0]
    return f"{server.url}/_aws/lambda-url/{id}/"


def invoke_url(server, name: str) -> str:
    return f"{server.url}{FUNCTIONS}/{name}/invocations"


class Ric(Sample):
    """The same handler under Lambda's own client of the Runtime API."""

    def zip(self, salt):
        start = "#!/bin/sh\nexec node node_modules/aws-lambda-ric/bin/index.mjs handler.direct\n"
        files = {"bootstrap": start.encode(), "handler.js": (APP / "handler.js").read_bytes()}
        client = tools.ric()
        parts = [*(client / "bin").iterdir(), *(client / "dist").iterdir()]
        for path in [client / "package.json", *parts]:
            name = path.relative_to(client.parent.parent).as_posix()
            files[name] = path.read_bytes()
        return zipped(files)
