"""Queues under 64 clients: ours, durable, against the peers, in memory, and against
the engine alone, which writes batches of 64 records one after the other, each synced.
"""

import argparse
import contextlib
import json
import math
import pathlib
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

import tools
from lib import CLEARED, HERE, Server, free_port, running
from table import Bound, Progress, Table, median, waiting

CLIENTS = 64
TIMES_PEERS = Bound(goal=10, at_least=True)
WHAT = "send + receive + delete"
PEERS = pathlib.Path(sys.executable).parent


@contextlib.contextmanager
def peer(name, argv, env=None):
    """Another server in the field, from PyPI. Gives its port."""
    port = free_port()
    argv = [str(PEERS / argv[0]), *(each.format(port=port) for each in argv[1:])]
    env = {key: value.format(port=port) for key, value in (env or {}).items()}
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with running(argv, env={**CLEARED, **env}, **quiet) as process:
        deadline = time.monotonic() + 60
        with waiting(f"starting {name}"):
            while not answers(port):
                assert process.poll() is None, f"{name} ended"
                assert time.monotonic() < deadline, f"{name} does not answer"
                time.sleep(0.1)
        yield port


def answers(port) -> bool:
    try:
        urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5).close()
        return True
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False


def load(port, seconds) -> dict:
    argv = [tools.compile_rust("client"), f"127.0.0.1:{port}", str(CLIENTS), str(seconds)]
    done = subprocess.run(argv, text=True, capture_output=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def main(argv) -> bool:
    options = argparse.ArgumentParser(prog="services")
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--seconds", type=int, default=8, help="of each load")
    options = options.parse_args(argv)
    progress = Progress("services", options.rounds * 3)
    # On a real disk: /tmp may be memory, where durability costs nothing.
    with Table("services") as table, tempfile.TemporaryDirectory(dir=HERE) as data, \
            peer("moto", ["moto_server", "-p", "{port}"]) as moto, \
            peer("ministack", ["ministack"], {"GATEWAY_PORT": "{port}"}) as ministack, \
            Server(data=pathlib.Path(data) / "data", env=CLEARED) as server:
        servers = {"cumulet": server.port, "moto": moto, "ministack": ministack}
        with waiting("building the engine's own measure"):
            raw_batches(data)
        measure(table, progress, servers, data, options)
    return table.good


def raw_batches(folder) -> float:
    """What the engine commits by itself on the same disk, batches a second."""
    argv = ["cargo", "run", "--quiet", "--release", "--package", "engine-fjall",
            "--example", "rate", "--", str(folder)]
    with running(argv, cwd=HERE, text=True, stdout=subprocess.PIPE) as process:
        out, _ = process.communicate()
        assert process.returncode == 0, process.returncode
    return json.loads(out)["raw_batches_64_per_s"]


def measure(table, progress, servers, folder, options):
    runs, raw = {name: [] for name in servers}, []
    for _ in range(options.rounds):
        for name, port in servers.items():
            progress.step(f"{name}, {WHAT}", 0)
            runs[name].append(load(port, options.seconds))
            progress.step(f"{name}, {WHAT}")
        raw.append(raw_batches(folder))
    rates = {name: [run["per_second"] for run in each] for name, each in runs.items()}
    for name, each in runs.items():
        busy = max(run["client_cpu"] for run in each)
        high = median([run["p99_us"] for run in each]) / 1000
        note = f"p99 {high:.1f} ms; client {busy:.2f} CPU"
        what = f"{name}: {WHAT}"
        if name == "cumulet":
            table.row(what, rates[name], "1/s", high=math.nan, note=note)
        else:
            # How much faster ours is.
            table.row(what, rates[name], "1/s", high=math.nan, base=f"cumulet ÷ {name}",
                      ratio=median(rates["cumulet"]) / median(rates[name]), bound=TIMES_PEERS,
                      note=note)
    table.row("engine alone: batches of 64", raw, "1/s", high=math.nan, base="cumulet ÷ records",
              ratio=median(rates["cumulet"]) / median(raw) / 64)
