"""Others that run the same functions: Lambda's own runtime clients, freshly started against a
Runtime API, and serverless-offline."""

import http.client
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

import tools
from lib import CLEARED, end_group, free_port, wait_for
from table import waiting
from tools import CACHE, Unavailable

SERVICE = "bench"
START_SECONDS = 30
STOP_SECONDS = 10


class RuntimeApi:
    """Hands one event to one runtime and waits for its answer."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.listener.settimeout(START_SECONDS)

    def close(self):
        self.listener.close()

    def env(self, folder) -> dict:
        return {
            **CLEARED,
            "AWS_LAMBDA_RUNTIME_API": "127.0.0.1:%d" % self.listener.getsockname()[1],
            "AWS_LAMBDA_FUNCTION_NAME": "bench",
            "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "512",
            "AWS_LAMBDA_LOG_GROUP_NAME": "/aws/lambda/bench",
            "AWS_LAMBDA_LOG_STREAM_NAME": "stream",
            "AWS_REGION": "us-east-1",
            "LAMBDA_TASK_ROOT": str(folder),
        }

    def serve(self) -> dict:
        """The answer to the event, as soon as it is here."""
        while True:
            connection, _ = self.listener.accept()
            connection.settimeout(START_SECONDS)
            with connection:
                while request := read_request(connection):
                    line, body = request
                    method, path, _ = line.split(" ")
                    if method == "GET":
                        connection.sendall(event())
                        continue
                    assert path.endswith("/response"), (path, body)
                    connection.sendall(b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n")
                    return json.loads(body)


def event() -> bytes:
    deadline_ms = int(time.time() * 1000) + 60_000
    return (
        "HTTP/1.1 200 OK\r\nLambda-Runtime-Aws-Request-Id: one\r\n"
        f"Lambda-Runtime-Deadline-Ms: {deadline_ms}\r\nContent-Type: application/json\r\n"
        "Lambda-Runtime-Invoked-Function-Arn: arn:aws:lambda:us-east-1:000000000000:function:b\r\n"
        "Content-Length: 2\r\n\r\n{}"
    ).encode()


def read_request(connection):
    """Its first line and its body; nothing where the peer has closed."""
    data = b""
    while b"\r\n\r\n" not in data:
        got = connection.recv(65536)
        if not got:
            return None
        data += got
    head, _, body = data.partition(b"\r\n\r\n")
    lines = head.decode().lower().split("\r\n")
    headers = dict(line.split(": ", 1) for line in lines[1:])
    if headers.get("transfer-encoding") == "chunked":
        while not body.endswith(b"0\r\n\r\n"):
            body += connection.recv(65536)
        body = unchunked(body)
    while len(body) < int(headers.get("content-length", 0)):
        body += connection.recv(65536)
    return head.decode().split("\r\n")[0], body


def unchunked(data: bytes) -> bytes:
    whole = b""
    while data:
        size, _, rest = data.partition(b"\r\n")
        size = int(size.split(b";")[0], 16)
        whole, data = whole + rest[:size], rest[size + 2 :] if size else b""
    return whole


class Ric:
    """Lambda's runtime clients, one process for each start."""

    name = "runtime client, fresh"

    def __init__(self, folder: pathlib.Path):
        self.folder = folder
        self.api = RuntimeApi()
        self.commands = {"native": ["./bootstrap"]}
        try:
            client = tools.ric() / "bin" / "index.mjs"
            self.commands["node"] = [shutil.which("node"), str(client)]
        except Unavailable as why:
            print(f"without a peer: {why}", flush=True)
        self.commands["python"] = [os.path.realpath(sys.executable), "-m", "awslambdaric"]

    def start_ms(self, sample, number):
        """Nothing where there is no such client."""
        argv = self.commands.get(sample.language)
        if argv is None:
            return None
        folder = unpacked(sample, self.folder)
        env = {**self.api.env(folder), "_HANDLER": sample.handler}
        if sample.language == "python":
            env["PYTHONPATH"] = os.pathsep.join([str(folder), *sys.path])
        # The runtime reads its code relative to where it is started.
        argv = ["/usr/bin/env", f"--chdir={folder}", *argv, sample.handler]
        began = time.perf_counter()
        quiet = [(os.POSIX_SPAWN_OPEN, fd, "/dev/null", os.O_WRONLY, 0) for fd in (1, 2)]
        pid = os.posix_spawn(argv[0], argv, env, file_actions=quiet)
        try:
            answer = self.api.serve()
            took = (time.perf_counter() - began) * 1000
            assert answer["stream"] == "stream", answer
            return took
        finally:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)

    def close(self):
        self.api.close()


class Offline:
    """serverless-offline: the first call of each of many copies of a function is a cold start."""

    name = "serverless-offline"

    def __init__(self, folder: pathlib.Path, samples, copies: int):
        self.folder = folder / "offline"
        self.folder.mkdir()
        self.samples = [each for each in samples if each.language in ("node", "python")]
        self.copies = copies
        self.port = free_port()
        functions = {}
        for sample in self.samples:
            unpacked(sample, self.folder)
            module, _, function = sample.handler.rpartition(".")
            for number in range(copies):
                functions[f"{sample.name}-{number}"] = {
                    "handler": f"{sample.name}/{module}.{function}", "runtime": sample.runtime,
                }
        project = {
            "service": SERVICE, "frameworkVersion": "3", "functions": functions,
            "provider": {"name": "aws", "region": "us-east-1"}, "plugins": ["serverless-offline"],
        }
        # JSON is YAML.
        (self.folder / "serverless.yml").write_text(json.dumps(project))
        modules = tools.offline()
        (self.folder / "node_modules").symlink_to(modules)
        argv = [
            "node", str(modules / "serverless" / "bin" / "serverless.js"), "offline",
            "--lambdaPort", str(self.port), "--httpPort", str(free_port()),
        ]
        env = {**CLEARED, "SLS_TELEMETRY_DISABLED": "1", "SLS_NOTIFICATIONS_MODE": "off"}
        self.log = open(folder / "offline.log", "w+")
        self.process = subprocess.Popen(
            argv, cwd=self.folder, env=env, stdout=self.log, stderr=self.log,
            stdin=subprocess.DEVNULL, start_new_session=True,
        )
        try:
            with waiting("starting serverless-offline"):
                wait_for(self.is_up, 120)
        except AssertionError as error:
            self.close()
            raise Unavailable(f"serverless-offline did not start: {error}") from error
        except BaseException:
            self.close()
            raise

    def is_up(self) -> bool:
        assert self.process.poll() is None, self.tail()
        try:
            socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
            return True
        except OSError:
            return False

    def tail(self) -> str:
        self.log.seek(0)
        return self.log.read()[-2000:]

    def start_ms(self, sample, number):
        if sample not in self.samples or number >= self.copies:
            return None
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        path = f"/2015-03-31/functions/{SERVICE}-dev-{sample.name}-{number}/invocations"
        began = time.perf_counter()
        connection.request("POST", path, "{}")
        reply = connection.getresponse()
        body = reply.read()
        took = (time.perf_counter() - began) * 1000
        connection.close()
        assert reply.status == 200 and b"stream" in body, (body, self.tail())
        return took

    def close(self):
        end_group(self.process, STOP_SECONDS)
        self.log.close()


def unpacked(sample, folder: pathlib.Path) -> pathlib.Path:
    """The sample as a folder, made once."""
    own = folder / sample.name
    return own if own.exists() else sample.unpack(own)


def scratch():
    """On the disk, where node_modules can be linked to."""
    CACHE.mkdir(parents=True, exist_ok=True)
    return tempfile.TemporaryDirectory(prefix="peers-", dir=CACHE)
