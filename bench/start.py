"""From start to ready, and what an idle server holds in memory."""

import argparse
import os
import pathlib
import socket
import subprocess
import tempfile
import time

from lib import CLEARED, Server, children, free_port, memory_kb
from table import Bound, Progress, Table, waiting

READY_MS, IDLE_MB = Bound(100), Bound(30)
REST_SECONDS = 5


def start_ms(args) -> float:
    """From fork to the first byte of a good answer to the health check."""
    port = free_port()
    argv = [os.environ["CUMULET_BIN"], "serve", "--port", str(port), *args]
    began = time.perf_counter()
    process = subprocess.Popen(argv, env=CLEARED, stdout=subprocess.DEVNULL)
    try:
        while True:
            try:
                with socket.create_connection(("127.0.0.1", port), timeout=5) as peer:
                    peer.sendall(b"GET /_cumulet/health HTTP/1.1\r\nHost: localhost\r\n\r\n")
                    if peer.recv(64).startswith(b"HTTP/1.1 200"):
                        return (time.perf_counter() - began) * 1000
            except OSError:
                assert process.poll() is None, "the server ended"
            time.sleep(0.0005)
    finally:
        process.kill()
        process.wait()


def main(argv) -> bool:
    options = argparse.ArgumentParser(prog="start")
    options.add_argument("--rounds", type=int, default=21)
    options = options.parse_args(argv)
    progress = Progress("start", options.rounds)
    with tempfile.TemporaryDirectory() as folder, Table("server") as table:
        data = ["--data", str(pathlib.Path(folder) / "data")]
        start_ms(data)  # makes the folder
        memory, durable = [], []
        for _ in range(options.rounds):
            memory.append(start_ms(["--memory"]))
            durable.append(start_ms(data))
            progress.step("starts")
        table.row("start to ready, --memory", memory, "ms", bound=READY_MS)
        table.row("start to ready, --data", durable, "ms", bound=READY_MS)

        with Server(data=pathlib.Path(folder) / "idle", env=CLEARED) as server:
            with waiting("the server rests"):
                time.sleep(REST_SECONDS)
            pid = server.process.pid
            table.row("idle memory", memory_kb(pid, "Rss") / 1024, "MB", bound=IDLE_MB,
                      note=f"RSS after {REST_SECONDS} s")
            workers = [memory_kb(each, "Pss") / 1024 for each in children(pid)]
            table.row("memory of booted workers", sum(workers), "MB", n=len(workers), note="PSS")
    return table.good
