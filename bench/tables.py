"""Tables under 1, 16 and 64 clients: ours, durable, against the peers, in memory, and against the
engine alone, which writes one batch of all clients after the other, each synced.

    bench/run tables --operations get,put --clients 64 --rounds 1    a part of it, for a look
"""

import argparse
import contextlib
import json
import pathlib
import shutil
import subprocess
import tempfile

import tools
from lib import CLEARED, HERE, Server, running
from services import peer
from table import Bound, Progress, Table, median, tell, waiting

ITEMS = 10_000
OPERATIONS = {
    "put": "put",
    "get": "get",
    "update": "update with condition",
    "query": "query 100",
    "transact": "transact 10",
}
TIMES_PEER = Bound(goal=10, at_least=True)


def main(argv) -> bool:
    options = argparse.ArgumentParser(prog="tables")
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--seconds", type=int, default=2, help="of each load")
    options.add_argument("--operations", default=",".join(OPERATIONS), help="names, with commas")
    options.add_argument("--clients", default="1,16,64", help="numbers, with commas")
    options.add_argument("--no-peers", action="store_true")
    options = options.parse_args(argv)
    operations, clients = options.operations.split(","), options.clients.split(",")
    with contextlib.ExitStack() as opened:
        # On a real disk: /tmp may be memory, where durability costs nothing.
        folder = opened.enter_context(tempfile.TemporaryDirectory(dir=HERE))
        with waiting("building the engine's own measure"):
            engine = engine_program()
        servers = {} if options.no_peers else start_peers(opened)
        data = pathlib.Path(folder) / "data"
        servers["cumulet"] = opened.enter_context(Server(data=data, env=CLEARED)).port
        for name, port in servers.items():
            with waiting(f"filling {name}"):
                fill(port, 0, ITEMS)
        table = opened.enter_context(Table("tables"))
        progress = Progress("tables", options.rounds * len(operations) * len(clients))
        runs, alone = {}, []
        try:
            for _ in range(options.rounds):
                argv = [engine, folder, str(options.seconds), str(ITEMS), *clients]
                alone.append(json.loads(subprocess.check_output(argv, text=True)))
                one_round(progress, runs, servers, operations, clients, options.seconds)
        finally:
            for (operation, count), of in runs.items():
                if of.keys() == servers.keys():
                    show(table, operation, count, of, [each[count][operation] for each in alone])
    return table.good


def one_round(progress, runs, servers, operations, clients, seconds):
    """Each server in turn. Told are only those rows that all of them have come to."""
    for operation in operations:
        for count in clients:
            what = f"{OPERATIONS[operation]}, {count} clients"
            of = runs.setdefault((operation, count), {})
            for name, port in servers.items():
                progress.step(f"{what}: {name}", 0)
                of.setdefault(name, []).append(load(port, operation, count, seconds, ITEMS))
            progress.step(what)


def start_peers(opened) -> dict:
    """Those that can be had, with their ports."""
    wanted = {
        "moto": (["moto_server", "-p", "{port}"], {}),
        "ministack": (["ministack"], {"GATEWAY_PORT": "{port}"}),
    }
    try:
        program = tools.dynalite() / ".bin" / "dynalite"
        wanted["dynalite"] = ([shutil.which("node"), str(program), "--port", "{port}"], {})
    except tools.Unavailable as why:
        tell(str(why))
    return {
        name: opened.enter_context(peer(name, argv, env)) for name, (argv, env) in wanted.items()
    }


def fill(port, first: int, to: int):
    subprocess.run([tools.compile_rust("tables"), f"127.0.0.1:{port}", "fill", str(first), str(to)],
                   check=True)


def load(port, operation: str, clients, seconds, items: int) -> dict:
    argv = [tools.compile_rust("tables"), f"127.0.0.1:{port}", operation, str(clients),
            str(seconds), str(items)]
    done = subprocess.run(argv, text=True, capture_output=True)
    assert done.returncode == 0, (port, done.stderr)
    return json.loads(done.stdout)


def engine_program() -> pathlib.Path:
    argv = ["cargo", "build", "--quiet", "--release", "--package", "engine-fjall", "--example",
            "operations", "--message-format", "json"]
    with running(argv, cwd=HERE, text=True, stdout=subprocess.PIPE) as process:
        out, _ = process.communicate()
        assert process.returncode == 0, process.returncode
    built = [json.loads(line) for line in out.splitlines()]
    return next(each["executable"] for each in built if each.get("executable"))


def show(table, operation: str, clients: str, runs: dict, alone: list):
    """A row for each server, then ours against the best of them and against the engine."""
    rates = {}
    what = f"{OPERATIONS[operation]}, {clients} clients"
    for name, told in runs.items():
        if any("unknown" in each for each in told):
            tell(f"{name} does not know {OPERATIONS[operation]}")
            continue
        rates[name] = [each["per_second"] for each in told]
        low, high, busy = (
            median([each[field] for each in told]) for field in ("p50_us", "p99_us", "client_cpu")
        )
        note = f"p50 {low / 1000:.2f} ms, p99 {high / 1000:.2f} ms; client {busy:.2f} CPU"
        if name != "cumulet":
            table.row(f"{what}: {name}", rates[name], "1/s", high=float("nan"), note=note)
            continue
        peers = {peer: median(rates[peer]) for peer in rates if peer != "cumulet"}
        best = max(peers, key=peers.get, default=None)
        ratio = median(rates[name]) / peers[best] if best else None
        table.row(f"{what}: cumulet", rates[name], "1/s", high=float("nan"), base=best or "",
                  ratio=ratio, bound=TIMES_PEER if best else None, note=note)
        table.row(f"{what}: engine alone", alone, "1/s", high=float("nan"), base="cumulet ÷ engine",
                  ratio=median(rates[name]) / median(alone))
