"""Two networks joined by a wire, apart from all others: `here`, where the server runs, and `there`,
which is the internet to it.

Threads have a network each; so has what they open. `inside(network)` moves the calling thread.
"""

import collections
import contextlib
import ctypes
import http.server
import os
import socket
import socketserver
import struct
import subprocess
import threading
import uuid

CLONE_NEWNET = 0x40000000
libc = ctypes.CDLL(None, use_errno=True)

PUBLIC, PUBLIC_V6 = "93.184.216.34", "2606:2800:220:1::34"
PRIVATE, NAMED, NAMED_V6 = "10.77.0.2", "10.77.0.3", "fd77::3"
METADATA = "169.254.169.254"
# Of the server's machine: on the wire, public, public and of IPv6.
OWN, OWN_PUBLIC, OWN_PUBLIC_V6 = "10.77.0.1", "93.184.216.1", "2606:2800:220:1::1"
NOBODY_THERE = "93.184.216.99"

NAMES = {
    "public.test": [PUBLIC],
    "both.test": [PUBLIC, PUBLIC_V6],
    "named.test": [NAMED],
    "rebound.test": ["127.0.0.1"],
    "private.test": [PRIVATE],
    "metadata.test": [METADATA],
    "own.test": [OWN_PUBLIC],
}


@contextlib.contextmanager
def inside(network):
    with open("/proc/thread-self/ns/net") as before, open(f"/run/netns/{network}") as to:
        enter(to)
        try:
            yield
        finally:
            enter(before)


def enter(network):
    if libc.setns(network.fileno(), CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "setns")


def ip(*args):
    subprocess.run(["ip", *args], check=True, capture_output=True, text=True)


class Networks:
    def __init__(self):
        token = uuid.uuid4().hex[:8]
        self.here, self.there = f"cumulet-h{token}", f"cumulet-t{token}"
        self.open = []
        self.connections = 0
        # The same, for each address and port that was reached.
        self.reached = collections.Counter()
        self.heard = set()

    def __enter__(self):
        for network in (self.here, self.there):
            ip("netns", "add", network)
            ip("-n", network, "link", "set", "lo", "up")
        ip("-n", self.here, "link", "add", "wire", "type", "veth", "peer", "name", "wire",
           "netns", self.there)
        ours = [f"{OWN}/24", f"{OWN_PUBLIC}/32", "fd77::1/64", f"{OWN_PUBLIC_V6}/128"]
        theirs = [f"{PRIVATE}/24", f"{NAMED}/24", f"{PUBLIC}/32", f"{METADATA}/32", "fd77::2/64",
                  f"{NAMED_V6}/64", f"{PUBLIC_V6}/128"]
        for network, addresses, gateway in (
            (self.here, ours, (PRIVATE, "fd77::2")), (self.there, theirs, (OWN, "fd77::1")),
        ):
            for address in addresses:
                v6 = ["nodad"] if ":" in address else []
                ip("-n", network, "address", "add", address, "dev", "wire", *v6)
            ip("-n", network, "link", "set", "wire", "up")
            for address in gateway:
                ip("-n", network, "route", "add", "default", "via", address)
        with inside(self.there):
            self.port = self.serve_http(("::", 0))
            self.udp = self.serve_echo(PUBLIC)
            self.serve_names()
        with inside(self.here):
            self.own_port = self.serve_http(("::", 0))
            self.named_port = self.serve_http(("127.0.0.1", 0), socket.AF_INET)
        return self

    def __exit__(self, *_):
        for close in self.open:
            close()
        for network in (self.here, self.there):
            ip("netns", "delete", network)

    def serve_http(self, address, family=socket.AF_INET6):
        networks = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def setup(self):
                networks.connections += 1
                address, port = self.request.getsockname()[:2]
                networks.reached[address.removeprefix("::ffff:"), port] += 1
                super().setup()

            def do_POST(self):
                self.answer(self.rfile.read(int(self.headers["Content-Length"])))

            def do_GET(self):
                self.answer(b"reached " + self.path.encode())

            def answer(self, body):
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        class Server(http.server.ThreadingHTTPServer):
            address_family = family
            request_queue_size = 1024

            def server_bind(self):  # without asking for its name
                socketserver.TCPServer.server_bind(self)

            def handle_error(self, *_):
                pass

        server = Server(address, Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.open.append(server.server_close)
        return server.server_address[1]

    def serve_echo(self, address):
        box = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        box.bind((address, 0))
        self.open.append(box.close)

        def serve():
            while True:
                try:
                    data, peer = box.recvfrom(65535)
                    self.heard.add(data)
                    box.sendto(data.upper(), peer)
                except OSError:
                    return

        threading.Thread(target=serve, daemon=True).start()
        return box.getsockname()[1]

    def serve_names(self):
        box = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        box.bind((PRIVATE, 53))
        listener = socket.create_server((PRIVATE, 53))
        self.open += [box.close, listener.close]

        def datagrams():
            while True:
                try:
                    query, peer = box.recvfrom(4096)
                    box.sendto(answer(query), peer)
                except OSError:
                    return

        def streams():
            while True:
                try:
                    peer, _ = listener.accept()
                except OSError:
                    return
                threading.Thread(target=stream, args=(peer,), daemon=True).start()

        def stream(peer):
            # The C library asks for both kinds of address over one connection.
            with peer, peer.makefile("rwb") as file:
                while len(head := file.read(2)) == 2:
                    reply = answer(file.read(struct.unpack(">H", head)[0]), stream=True)
                    file.write(struct.pack(">H", len(reply)) + reply)
                    file.flush()

        for serve in (datagrams, streams):
            threading.Thread(target=serve, daemon=True).start()

    def resolv_conf(self, folder):
        path = os.path.join(folder, "resolv.conf")
        with open(path, "w") as file:
            file.write(f"nameserver {PRIVATE}\n")
        os.chmod(path, 0o644)
        return path


def answer(query, stream=False):
    """The answer of a resolver. What begins with `long.` is too long for a datagram."""
    labels, at = [], 12
    while query[at]:
        labels.append(query[at + 1:at + 1 + query[at]].decode())
        at += 1 + query[at]
    question = query[12:at + 5]
    kind = struct.unpack(">H", query[at + 1:at + 3])[0]
    cut = labels[0] == "long" and not stream
    name = ".".join(labels[1:] if labels[0] == "long" else labels).lower()
    addresses = [] if cut else NAMES.get(name, [])
    records = b""
    count = 0
    for address in addresses:
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        if kind == (28 if ":" in address else 1):
            packed = socket.inet_pton(family, address)
            records += struct.pack(">HHHIH", 0xC00C, kind, 1, 0, len(packed)) + packed
            count += 1
    unknown = 0 if name in NAMES else 3
    flags = 0x8180 | unknown | (0x0200 if cut else 0)
    return query[:2] + struct.pack(">HHHHH", flags, 1, count, 0, 0) + question + records
