"""The function host under measure, over one connection that costs little: requests are made by
hand, because a client library takes longer than the start of a spare."""

import base64
import dataclasses
import json
import os
import re
import select
import socket
import threading
import time

from lib import descendants, wait_for

FUNCTIONS = "/2015-03-31/functions"
ROLE = "arn:aws:iam::000000000000:role/any"
TICKS = os.sysconf("SC_CLK_TCK")
TAIL = "X-Amz-Log-Type: Tail\r\n"


@dataclasses.dataclass
class Reply:
    status: int
    headers: dict
    body: bytes
    ms: float
    """From the first byte sent to the last one received."""


@dataclasses.dataclass
class Run:
    """An invocation and how its environment came about."""

    ms: float
    stream: str
    """Of its environment."""
    program: str
    path: str
    """`loaded`, `forked` or `warm`, as the REPORT line tells it."""
    start_ms: float
    """What the host says its start took, before the event or for it."""
    began: float
    """When the event was sent, in seconds since the machine's start."""
    born: float
    """When the process of its environment began, in the same; 0 where that was not asked."""
    way: str = ""
    """What the host says of its start, where it was asked: see [`Functions.way`]."""


class Connection:
    """One that is kept, and made anew where the server has closed it because nothing came."""

    def __init__(self, port: int, timeout: float = 120):
        self.port = port
        self.timeout = timeout
        self.open()

    def open(self):
        address = ("127.0.0.1", self.port)
        self.socket = socket.create_connection(address, timeout=self.timeout)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def request(self, method: str, path: str, body: bytes = b"", headers: str = "") -> Reply:
        head = (
            f"{method} {path} HTTP/1.1\r\nHost: localhost:{self.port}\r\n{headers}"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        message = head.encode() + body
        # Nothing is to come before we ask, but its end.
        if select.select([self.socket], [], [], 0)[0]:
            self.socket.close()
            self.open()
        began = time.perf_counter()
        self.socket.sendall(message)
        data = self.socket.recv(65536)
        while (end := data.find(b"\r\n\r\n")) < 0:
            data += self.more()
        lines = data[:end].decode().split("\r\n")
        headers = {
            name.lower(): value for name, value in (line.split(": ", 1) for line in lines[1:])
        }
        length = end + 4 + int(headers.get("content-length", 0))
        while len(data) < length:
            data += self.more()
        ms = (time.perf_counter() - began) * 1000
        assert len(data) == length, "more than was asked for"
        return Reply(int(lines[0].split(" ")[1]), headers, data[end + 4 :], ms)

    def more(self) -> bytes:
        data = self.socket.recv(65536)
        assert data, "the server closed the connection"
        return data


class Functions:
    """The functions of one server."""

    def __init__(self, server):
        self.server = server
        self.connection = Connection(server.port)

    def ask(self, method: str, path: str, body=None) -> dict:
        text = b"" if body is None else json.dumps(body).encode()
        reply = self.connection.request(method, path, text)
        assert reply.status < 300, (method, path, reply.status, reply.body[:500])
        return json.loads(reply.body) if reply.body else {}

    def create(self, name: str, sample, salt: str = "", **more):
        code = base64.b64encode(sample.zip(salt or name)).decode()
        body = {
            "FunctionName": name, "Runtime": sample.runtime, "Handler": sample.handler,
            "Role": ROLE, "Code": {"ZipFile": code}, "MemorySize": 512, "Timeout": 60, **more,
        }
        self.ask("POST", FUNCTIONS, body)

    def delete(self, name: str):
        self.ask("DELETE", f"{FUNCTIONS}/{name}")

    def invoke(self, name: str, event=None, connection=None) -> Run:
        """Runs one event with the tail of its log, and reads in it how it was started."""
        body = json.dumps(event or {}).encode()
        path = f"{FUNCTIONS}/{name}/invocations"
        began = time.clock_gettime(time.CLOCK_BOOTTIME)
        reply = (connection or self.connection).request("POST", path, body, TAIL)
        assert reply.status == 200, (name, reply.status, reply.body[:500])
        assert "x-amz-function-error" not in reply.headers, (name, reply.body[:500])
        log = base64.b64decode(reply.headers["x-amz-log-result"]).decode()
        answer = json.loads(reply.body)
        init = re.search(r"\tInit Duration: ([\d.]+) ms", log)
        restore = re.search(r"\tRestore Duration: ([\d.]+) ms", log)
        path = "loaded" if init else "forked" if restore else "warm"
        took = float((init or restore)[1]) if init or restore else 0.0
        # The 22nd field; the name, the second, may hold anything.
        stat = answer.get("born")
        born = int(stat.rsplit(")", 1)[1].split()[19]) / TICKS if stat else 0.0
        return Run(reply.ms, answer["stream"], answer["program"], path, took, began, born)

    def hold(self, name: str, ms: int) -> threading.Thread:
        """Keeps one environment busy, from another connection."""
        def run():
            with Connection(self.server.port) as connection:
                self.invoke(name, {"hold_ms": ms}, connection)

        thread = threading.Thread(target=run)
        thread.start()
        return thread

    def live(self, name: str) -> dict:
        """What `cumulet functions` shows of one."""
        all = self.ask("GET", "/_cumulet/functions?minutes=1")
        return next((one for one in all if one["name"] == name), {})

    def way(self, name: str, stream: str) -> str:
        """How an environment came about, by what `cumulet describe` shows of it."""
        versions = self.ask("GET", f"/_cumulet/functions/{name}?minutes=1")["versions"]
        all = [one for version in versions for one in version["environments"]]
        return next((one["start"] for one in all if one["stream"] == stream), "ended")

    def all_live(self) -> list:
        return self.ask("GET", "/_cumulet/functions?minutes=1")

    def start_path(self, name: str) -> str:
        """Waits until it is decided how environments are started; gives `fork`, or why not."""
        undecided = ("its template is being made", None)
        wait_for(lambda: self.live(name).get("start") not in undecided, 60)
        return self.live(name)["start"]

    def processes(self) -> list:
        return descendants(self.server.process.pid)
