"""(c) Queues and tables under 64 clients: ours, durable, against the peers, in memory, and against
the engine alone, which writes batches of 64 records one after the other, each synced.
"""

import json
import pathlib
import subprocess
import sys
import tempfile
import time
import urllib.request

from lib import CLEARED, HERE, Server, compile_rust, free_port, median, result, spread

CLIENTS = 64
SECONDS = 8
ROUNDS = 3
MODES = {
    "sqs": "send + receive + delete",
    "put": "PutItem",
    "get": "GetItem",
}
PEERS = HERE / ".venv" / "bin"


class Peer:
    """Another server in the field, from PyPI."""

    def __init__(self, name, argv, env=None):
        self.name = name
        self.port = free_port()
        argv = [str(PEERS / argv[0]), *(each.format(port=self.port) for each in argv[1:])]
        env = {key: value.format(port=self.port) for key, value in (env or {}).items()}
        self.process = subprocess.Popen(
            argv, env={**CLEARED, **env}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        deadline = time.monotonic() + 60
        while not self.answers():
            assert self.process.poll() is None, f"{name} ended"
            assert time.monotonic() < deadline, f"{name} does not answer"
            time.sleep(0.1)

    def answers(self):
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{self.port}/", timeout=5).close()
            return True
        except urllib.error.HTTPError:
            return True
        except OSError:
            return False

    def end(self):
        self.process.terminate()
        self.process.wait()


def load(client, port, mode) -> dict:
    argv = [client, f"127.0.0.1:{port}", mode, str(CLIENTS), str(SECONDS)]
    done = subprocess.run(argv, text=True, capture_output=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def main():
    with tempfile.TemporaryDirectory() as folder:
        client = compile_rust("client", folder)
        # On a real disk: /tmp may be memory, where durability costs nothing.
        data = tempfile.TemporaryDirectory(dir=HERE)
        peers = [
            Peer("moto", ["moto_server", "-p", "{port}"]),
            Peer("ministack", ["ministack"], {"GATEWAY_PORT": "{port}"}),
        ]
        try:
            with data, Server(data=pathlib.Path(data.name) / "data", env=CLEARED) as server:
                servers = {"cumulet": server.port, **{peer.name: peer.port for peer in peers}}
                for mode, what in MODES.items():
                    measure(client, servers, mode, what, data.name)
        finally:
            for peer in peers:
                peer.end()


def raw_batches(folder) -> float:
    """What the engine commits by itself on the same disk, batches a second."""
    argv = ["cargo", "run", "--quiet", "--release", "--package", "engine-fjall",
            "--example", "rate", "--", str(folder)]
    done = subprocess.run(argv, cwd=HERE, text=True, capture_output=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)["raw_batches_64_per_s"]


def measure(client, servers, mode, what, folder):
    runs, raw = {name: [] for name in servers}, []
    for _ in range(ROUNDS):
        for name, port in servers.items():
            runs[name].append(load(client, port, mode))
        if mode != "get":
            raw.append(raw_batches(folder))
    rates = {name: median([run["per_second"] for run in each]) for name, each in runs.items()}
    for name, each in runs.items():
        busy = max(run["client_cpu"] for run in each)
        note = f"p99 {median([run['p99_us'] for run in each]) / 1000:.1f} ms; client {busy:.2f} CPU"
        numbers = spread([run["per_second"] for run in each], 0)
        result(f"{name}: {what}", rates[name], "1/s", note=f"{numbers}; {note}")
    if raw:
        result("raw engine: synced batches of 64", median(raw), "1/s", note=spread(raw, 0))
        result(f"ratio {mode}: cumulet ÷ raw batches", rates["cumulet"] / median(raw),
               note=f"of 64: {rates['cumulet'] / median(raw) / 64:.2f}")
    for name in servers:
        if name != "cumulet":
            ratio = rates["cumulet"] / rates[name]
            result(f"ratio {mode}: cumulet ÷ {name}", ratio, goal=10)


if __name__ == "__main__":
    if not (PEERS / "ministack").exists():
        sys.exit("services: the peers are not installed: bench/run does it")
    main()
