"""Where the platform can be reached."""

import contextlib
import socket

from server import Server
from wire import request, send

HEALTH = request("GET", "/_cumulet/health", {}, host="[::1]")
WARNING = "another program listens on [::1]"


@contextlib.contextmanager
def taken(port=0):
    """A program on the IPv6 loopback; nothing where there is no IPv6."""
    with contextlib.ExitStack() as stack:
        try:
            peer = stack.enter_context(socket.create_server(("::1", port), family=socket.AF_INET6))
        except OSError:
            peer = None
        yield peer


def test_both_loopbacks():
    with taken() as peer:
        has_ipv6 = peer is not None
    with Server() as server:
        for host in ("127.0.0.1", *(["[::1]"] if has_ipv6 else [])):
            reply = send(f"http://{host}:{server.port}", HEALTH)
            assert reply.status == 200, reply
        assert WARNING not in server.log()


def test_another_program_on_the_ipv6_loopback():
    server = Server()
    with taken(server.port) as peer, server:
        assert server.healthy()
        assert (WARNING in server.log()) == (peer is not None)


def test_the_refusal_of_a_host_names_the_switch():
    asked = request("GET", "/_cumulet/health", {}, host="shop.example")
    with Server() as server:
        reply = send(server.url, asked)
        assert (reply.status, reply.code) == (421, "MisdirectedRequest")
        assert "--answer-to shop.example" in reply.text
    with Server(args=["--answer-to", "shop.example"]) as server:
        assert send(server.url, asked).status == 200
