"""(a) From start to ready, and what an idle server holds in memory."""

import os
import pathlib
import socket
import subprocess
import sys
import tempfile
import time

from lib import CLEARED, Server, children, free_port, median, memory_kb, result, spread

ROUNDS = 21


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


def main() -> bool:
    good = True
    with tempfile.TemporaryDirectory() as folder:
        data = ["--data", str(pathlib.Path(folder) / "data")]
        start_ms(data)  # makes the folder
        memory, durable = [], []
        for _ in range(ROUNDS):
            memory.append(start_ms(["--memory"]))
            durable.append(start_ms(data))
        name = "start to ready"
        good &= result(f"{name}, --memory", median(memory), "ms", at_most=100, note=spread(memory))
        good &= result(f"{name}, --data", median(durable), "ms", at_most=100, note=spread(durable))

        with Server(data=pathlib.Path(folder) / "idle") as server:
            time.sleep(5)
            pid = server.process.pid
            good &= result("idle memory of the server", memory_kb(pid, "Rss") / 1024, "MB",
                           at_most=30, note="RSS after 5 s")
            workers = [memory_kb(each, "Pss") / 1024 for each in children(pid)]
            result("memory of booted workers", sum(workers), "MB", note=f"{len(workers)}, PSS")
    return good


if __name__ == "__main__":
    sys.exit(0 if main() else 1)
