"""Debuggers as editors are ones: of Node over its websocket, of Python over a socket.

Both send requests and wait for answers, and gather the events that come in between.
"""

import base64
import json
import os
import socket
import struct
import time
import urllib.request

SECONDS = 20


class Debugger:
    def __init__(self):
        self.socket = None
        self.events = []
        self.asked = 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def read(self, count):
        data = b""
        while len(data) < count:
            part = self.socket.recv(count - len(data))
            if not part:
                raise ConnectionError("the other side has closed")
            data += part
        return data

    def read_head(self):
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += self.read(1)
        return head.decode()

    def wait(self, wanted, seconds=SECONDS):
        """The first event of this name, which is then over."""
        deadline = time.monotonic() + seconds
        while True:
            for event in self.events:
                if self.name(event) == wanted:
                    self.events.remove(event)
                    return event
            left = deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError(f"no {wanted}: {[self.name(event) for event in self.events]}")
            self.socket.settimeout(left)
            try:
                self.events.append(self.receive())
            except TimeoutError:
                pass

    def answer(self, is_it):
        self.socket.settimeout(SECONDS)
        while True:
            message = self.receive()
            if is_it(message):
                return message
            self.events.append(message)


class Inspector(Debugger):
    """Of Node: the protocol of Chrome's developer tools."""

    def __init__(self, port):
        super().__init__()
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/json", timeout=SECONDS) as reply:
            [target] = json.load(reply)
        path = target["webSocketDebuggerUrl"].split(f"127.0.0.1:{port}", 1)[1]
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=SECONDS)
        key = base64.b64encode(os.urandom(16)).decode()
        self.socket.sendall(
            f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\n"
            f"Connection: Upgrade\r\nSec-WebSocket-Key: {key}\r\n"
            "Sec-WebSocket-Version: 13\r\n\r\n".encode()
        )
        assert " 101 " in self.read_head()

    @staticmethod
    def name(event):
        return event.get("method")

    def ask(self, method, **params):
        self.asked += 1
        self.send(json.dumps({"id": self.asked, "method": method, "params": params}).encode())
        answer = self.answer(lambda message: message.get("id") == self.asked)
        assert "result" in answer, answer
        return answer["result"]

    def send(self, payload):
        mask = os.urandom(4)
        size = len(payload)
        length = bytes([0x80 | size]) if size < 126 else b"\xfe" + struct.pack(">H", size)
        masked = bytes(byte ^ mask[at % 4] for at, byte in enumerate(payload))
        # In two pieces, as a network may cut it.
        self.socket.sendall(b"\x81" + length + mask[:2])
        self.socket.sendall(mask[2:] + masked)

    def receive(self):
        payload = b""
        while True:
            first, second = self.read(2)
            size = second & 0x7F
            if size == 126:
                [size] = struct.unpack(">H", self.read(2))
            elif size == 127:
                [size] = struct.unpack(">Q", self.read(8))
            part = self.read(size)
            if first & 0x0F == 8:
                raise ConnectionError("closed")
            payload += part
            if first & 0x80:
                return json.loads(payload)


class Adapter(Debugger):
    """Of Python: the Debug Adapter Protocol."""

    def __init__(self, port):
        super().__init__()
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=SECONDS)

    @staticmethod
    def name(event):
        return event.get("event")

    def send(self, command, **arguments):
        self.asked += 1
        message = {
            "seq": self.asked, "type": "request", "command": command, "arguments": arguments,
        }
        text = json.dumps(message).encode()
        self.socket.sendall(b"Content-Length: %d\r\n\r\n" % len(text) + text)
        return self.asked

    def answered(self, number):
        for event in self.events:
            if event.get("request_seq") == number:
                self.events.remove(event)
                break
        else:
            event = self.answer(lambda message: message.get("request_seq") == number)
        assert event["success"], event
        return event.get("body")

    def ask(self, command, **arguments):
        return self.answered(self.send(command, **arguments))

    def receive(self):
        [length] = [
            int(line.split(":")[1]) for line in self.read_head().lower().splitlines()
            if line.startswith("content-length:")
        ]
        return json.loads(self.read(length))
