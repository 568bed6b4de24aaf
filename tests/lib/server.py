"""One Cumulet server as a child process: started on a free port, waited for, ended by its pid.

    with Server() as server: ...   # server.url

As a program it runs a command against a fresh server:

    python3 tests/lib/server.py node --test tests/sdk/js-v3/
"""

import json
import os
import pathlib
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
READY_SECONDS = 20
STOP_SECONDS = 20


def binary() -> str:
    """What is under test: $CUMULET_BIN, else the newest build."""
    given = os.environ.get("CUMULET_BIN")
    if given:
        return given
    target = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    builds = [path for path in target.glob("*/cumulet") if os.access(path, os.X_OK)]
    if not builds:
        raise SystemExit("no cumulet to test: run `cargo build`, or set CUMULET_BIN")
    return str(max(builds, key=lambda path: path.stat().st_mtime))


def free_port() -> int:
    """Below those that the system gives to outgoing connections: a server that is started again
    must find its port free."""
    while True:
        port = random.randrange(20_000, 32_000)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port


class Server:
    """`cumulet serve` with its own data directory, or in memory where `data` is None. `argv` is how
    the program is started, if not as it is."""

    def __init__(
        self, data=None, port=None, env=None, command="serve", args=(), argv=None, cwd=None
    ):
        self.data = data
        self.port = port or free_port()
        self.env = env or {}
        self.command = command
        self.args = list(args)
        self.argv = argv
        self.cwd = cwd
        self.process = None
        log, self.log_path = tempfile.mkstemp(prefix="cumulet-test-", suffix=".log")
        os.close(log)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()

    def start(self):
        where = ["--data", str(self.data)] if self.data else ["--memory"]
        argv = [*(self.argv or [binary()]), self.command, *self.args, "--port", str(self.port), *where]
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(
                argv, stdout=log, stderr=log, stdin=subprocess.DEVNULL,
                env={**clean_env(), **self.env}, start_new_session=True, cwd=self.cwd,
            )
        try:
            self.wait_ready()
        except BaseException:  # Ctrl-C, too: nobody else would end it
            self.kill()
            raise
        return self

    def wait_ready(self):
        deadline = time.monotonic() + READY_SECONDS
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise RuntimeError(f"the server ended with {self.process.returncode}\n{self.log()}")
            if self.healthy():
                return
            time.sleep(0.01)
        raise RuntimeError(f"the server was not ready in {READY_SECONDS} s\n{self.log()}")

    def healthy(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/_cumulet/health", timeout=2) as reply:
                return reply.status == 200
        except (OSError, urllib.error.URLError):
            return False

    def stop(self) -> int:
        """As Ctrl-C does. Returns the exit code."""
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            try:
                self.process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self.kill()
                raise RuntimeError(f"the server did not stop in {STOP_SECONDS} s\n{self.log()}")
            except BaseException:
                self.kill()
                raise
        return self.process.returncode if self.process else 0

    def kill(self):
        """As a power cut does, to this one process. Its functions must notice by themselves."""
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def log(self) -> str:
        with open(self.log_path, errors="replace") as log:
            return log.read()[-8000:]

    def stacks(self) -> list:
        with urllib.request.urlopen(f"{self.url}/_cumulet/stacks", timeout=10) as reply:
            return json.load(reply)

    def cli(self, *args, cwd=None, timeout=180, env=None) -> subprocess.CompletedProcess:
        """Runs another `cumulet` command against this server."""
        env = {"AWS_ENDPOINT_URL": self.url, **(env or {})}
        return cumulet(*args, cwd=cwd, timeout=timeout, env=env)


def cumulet(*args, cwd=None, timeout=60, env=None) -> subprocess.CompletedProcess:
    """Runs `cumulet` to its end and gives what it printed."""
    return subprocess.run(
        [binary(), *map(str, args)], cwd=cwd, timeout=timeout, text=True, capture_output=True,
        stdin=subprocess.DEVNULL, env={**clean_env(), **(env or {})},
    )


def client_env(url: str) -> dict:
    """What a user sets: the endpoint, and any credentials."""
    return {
        "AWS_ENDPOINT_URL": url,
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
    }


def clean_env() -> dict:
    """The environment without what would lead an SDK, or a function, somewhere else."""
    return {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}


def example(name: str, to: pathlib.Path) -> pathlib.Path:
    """A copy of an example, with its packages installed once for all tests."""
    source = ROOT / "examples" / name
    installed = source / "node_modules" / ".package-lock.json"
    if not installed.exists():
        subprocess.run(["npm", "ci", "--no-audit", "--no-fund"], cwd=source, check=True)
    copy = to / name
    shutil.copytree(source, copy, ignore=shutil.ignore_patterns("node_modules", ".cumulet"))
    (copy / "node_modules").symlink_to(source / "node_modules")
    return copy


def main() -> int:
    with Server() as server:
        env = {**clean_env(), **client_env(server.url)}
        return subprocess.run(sys.argv[1:], env=env).returncode


if __name__ == "__main__":
    sys.exit(main())
