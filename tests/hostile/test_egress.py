"""Functions that may reach other networks, and those they still may not.

The server runs in a network of its own, joined to another that plays the internet: only root can
make these.
"""

import os
import shutil
import socket
import ssl
import sys
import threading
import time

import pytest

from networks import METADATA, NAMED, NAMED_V6, NOBODY_THERE, OWN, OWN_PUBLIC, OWN_PUBLIC_V6
from networks import PRIVATE, PUBLIC, PUBLIC_V6, Networks, inside
from platforms import Platform

PORT_OF_NOBODY = 9
# The number of a worker that was not forked, in its namespace.
BOOTED = 2


class Outgoing(Platform):
    """A server whose functions may reach the internet, one private address, and one port of the
    server's own loopback."""

    def __init__(self, name, networks):
        self.networks = networks
        named = f"127.0.0.1:{networks.named_port}"
        allow = [f"{NAMED}:{networks.port}", f"[{NAMED_V6}]:{networks.port}", named]
        rules = [word for rule in allow for word in ("--egress-allow", rule)]
        super().__init__(name, "--egress", "internet", *rules)
        # Its resolver is the one of the other network.
        resolv = networks.resolv_conf(self.folder)
        script = f'mount --bind {resolv} /etc/resolv.conf && exec "$@"'
        self.server.argv = ["unshare", "-m", "sh", "-c", script, "sh", *self.server.argv]

    def python(self, **more):
        return self.deploy(handler="egress.handler", memory_mb=512, timeout=60, **more)

    def node(self):
        return self.deploy(handler="egress.handler", runtime="nodejs22.x", memory_mb=512)

    def act(self, function, act, **more):
        reply, value = function.call({"act": act, **more})
        assert "FunctionError" not in reply, value
        return value


@pytest.fixture(scope="module")
def networks():
    if sys.platform != "linux" or os.geteuid() != 0 or not shutil.which("ip"):
        pytest.skip("only root of a Linux can make networks")
    with Networks() as made:
        yield made


@pytest.fixture(scope="module", params=["root", "user"])
def outgoing(request, networks):
    with inside(networks.here), Outgoing(request.param, networks) as platform:
        yield platform


@pytest.fixture(autouse=True)
def cleared(request):
    yield
    if "outgoing" in request.fixturenames:
        request.getfixturevalue("outgoing").clear()


@pytest.fixture
def python(outgoing):
    function = outgoing.python()
    return lambda act, **more: outgoing.act(function, act, **more)


@pytest.fixture
def node(outgoing):
    function = outgoing.node()
    return lambda act, **more: outgoing.act(function, act, **more)


def test_certificates_are_there(python):
    """Of whom to trust: TLS works as outside."""
    outside = ssl.create_default_context().cert_store_stats()["x509_ca"]
    if not outside:
        pytest.skip("this machine trusts nobody")
    assert python("certificates")["ok"] > 0


def test_it_says_what_is_reached(outgoing):
    assert "egress internet, and 10.77.0.3:" in outgoing.server.log()


@pytest.mark.parametrize("act", ["connect", "connect_blocking"])
@pytest.mark.parametrize("to", [PUBLIC, PUBLIC_V6, NAMED, NAMED_V6])
def test_python_reaches_what_it_may(python, networks, act, to):
    assert python(act, to=[to, networks.port]).get("ok") == "reached /"


def test_forked_and_booted_slots_reach_out(outgoing, networks, again):
    """The first slot is a booted worker; after the first event the function has a template."""
    function = outgoing.python()
    to = [PUBLIC, networks.port]
    first = outgoing.act(function, "connect", to=to)
    assert first["ok"] == "reached /" and first["pid"] == BOOTED
    found = []

    def forked():
        threads = [threading.Thread(target=call) for _ in range(len(found) + 2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return any(answer.get("pid", BOOTED) != BOOTED for answer in found)

    def call():
        found.append(outgoing.act(function, "connect_slowly", to=to))

    assert again(forked), found
    assert all(answer.get("ok") == "reached /" for answer in found), found


def test_python_libraries(python, networks):
    url = f"http://public.test:{networks.port}/x"
    assert python("url", url=url)["ok"] == "reached /x"
    assert python("many", to=[PUBLIC, networks.port], count=50)["ok"] == 50
    assert python("many", to=["both.test", networks.port], count=20)["ok"] == 20
    assert python("passed", to=[PUBLIC, networks.port])["ok"] == "reached /"
    assert python("half_closed", to=[PUBLIC, networks.port])["ok"] is True
    assert python("large", to=[PUBLIC, networks.port], bytes=16 << 20)["ok"] is True


def test_a_connection_looks_like_one(python, networks):
    assert python("peer_name", to=[PUBLIC, networks.port])["ok"] == [PUBLIC, networks.port]
    assert python("peer_name", to=[PUBLIC_V6, networks.port])["ok"] == [PUBLIC_V6, networks.port]
    assert python("options", to=[PUBLIC, networks.port])["ok"] == [True] * 5
    for to in (PUBLIC, PUBLIC_V6):
        assert python("polled", to=[to, networks.port])["ok"] == ["EINPROGRESS", True, 0]
        refused = python("polled", to=[to, PORT_OF_NOBODY])["ok"]
        assert refused == ["EINPROGRESS", True, "ECONNREFUSED"]
    for act in ("connect", "connect_blocking"):
        assert python(act, to=[PUBLIC, PORT_OF_NOBODY])["error"] == "ECONNREFUSED"
    pending = python("pending", to=[NOBODY_THERE, 80])["ok"]
    assert pending == ["EINPROGRESS", "EALREADY", True, True]
    assert python("local")["ok"] == "self"


def test_connections_outlive_events(python, networks):
    before = networks.connections
    slots = {python("keep", to=[PUBLIC, networks.port])["pid"] for _ in range(5)}
    assert networks.connections - before == len(slots)
    assert len(slots) < 5


def test_datagrams(python, networks):
    assert python("datagram", to=[PUBLIC, networks.udp])["ok"] == ["ONE", "TWO"]
    assert python("datagram", to=[PRIVATE, networks.udp])["error"] == "EACCES"
    assert python("datagram_to", to=[PUBLIC, networks.udp], word="aside")["error"] == "ENETUNREACH"
    assert b"aside" not in networks.heard
    heard = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    with heard:
        heard.bind(("127.0.0.1", 0))
        heard.settimeout(1)
        to = list(heard.getsockname())
        python("messages_to", to=to, word="message", reached=[PUBLIC, networks.udp])
        with pytest.raises(TimeoutError):
            heard.recv(100)


def test_names(python, node):
    assert python("name", name="public.test")["ok"] == [PUBLIC]
    assert python("name", name="both.test")["ok"] == [PUBLIC_V6, PUBLIC]
    assert python("name", name="long.public.test")["ok"] == [PUBLIC]
    assert python("name_unconnected", name="public.test")["ok"] == PUBLIC
    missing = python("name", name="missing.test")
    assert "error" in missing and missing["seconds"] < 2
    assert node("lookup", name="public.test")["ok"] == PUBLIC
    assert node("resolve", name="public.test")["ok"] == [PUBLIC]


def test_node(node, networks):
    url = f"http://public.test:{networks.port}/"
    assert node("get", url=url)["ok"] == {"text": "reached /", "reused": False}
    assert node("fetch", url=url)["ok"] == "reached /"
    assert node("fetch", url=f"http://[{PUBLIC_V6}]:{networks.port}/")["ok"] == "reached /"
    assert node("many", url=url, count=50)["ok"] == 50
    assert node("peer", host=PUBLIC, port=networks.port)["ok"] == [PUBLIC, networks.port]
    assert node("pending", host=NOBODY_THERE, port=80)["ok"] == [True, True]
    assert node("datagram", host=PUBLIC, port=networks.udp)["ok"] == "NODE"
    assert node("fetch", url=f"http://{PUBLIC}:{PORT_OF_NOBODY}/".replace(":9/", ":10/"))[
        "error"] == "ECONNREFUSED"
    assert node("fetch", url=f"http://{PRIVATE}:{networks.port}/")["error"] == "EACCES"


def test_what_is_private_is_refused(outgoing, python, networks):
    """Each address is reached by the server itself."""
    there = [PRIVATE, METADATA, "fd77::2", NAMED, "::ffff:10.77.0.2"]
    own = [OWN, OWN_PUBLIC, OWN_PUBLIC_V6, "fd77::1", "127.0.0.1", "::1"]
    tos = [[to, networks.port] for to in there] + [[to, networks.own_port] for to in own]
    for to, port in tos:
        socket.create_connection((to, port), timeout=2).close()
    tos[3] = [NAMED, networks.own_port]  # the address is named, the port is not
    found = python("attempts", tos=tos)["ok"]
    loopback = {"127.0.0.1": "ECONNREFUSED", "::1": "ECONNREFUSED"}
    expected = {to: loopback.get(to, "EACCES") for to, _ in tos}
    assert found == expected


def test_names_of_private_addresses_are_refused(python, networks):
    for name in ("private.test", "metadata.test", "own.test"):
        assert python("name", name=name)["ok"], name
        url = f"http://{name}:{networks.port}/"
        assert python("url", url=url).get("error") == "EACCES", name
    # It is the function's own loopback, where nobody listens.
    url = f"http://rebound.test:{networks.own_port}/"
    assert python("url", url=url)["error"] == "ECONNREFUSED"
    assert python("url", url=f"http://named.test:{networks.port}/")["ok"] == "reached /"


def test_a_port_of_the_servers_machine_is_reached_if_it_is_named(python, networks):
    assert python("connect", to=["127.0.0.1", networks.named_port])["ok"] == "reached /"
    assert python("connect", to=["127.0.0.1", networks.own_port])["error"] == "ECONNREFUSED"


@pytest.mark.parametrize("evil", ["127.0.0.1", OWN, OWN_PUBLIC, METADATA])
def test_an_address_changed_meanwhile_is_not_reached(python, networks, again, evil):
    port = networks.port if evil == METADATA else networks.own_port
    good, evil = [PUBLIC, networks.port], [evil, port]
    # It can be reached, and that is seen.
    before = networks.reached[tuple(evil)]
    socket.create_connection(evil, timeout=2).close()
    assert again(lambda: networks.reached[tuple(evil)] == before + 1)
    good_before = networks.reached[tuple(good)]
    found = python("changed_meanwhile", good=good, evil=evil, seconds=3)["ok"]
    assert found["tried"] > 20
    # What answered was what may be reached: the first connection is made before any change.
    assert found["reached"] == [PUBLIC, "reached /"], found
    assert networks.reached[tuple(good)] > good_before + 1
    assert networks.reached[tuple(evil)] == before + 1, found


def test_a_connection_cannot_be_turned(python, networks):
    found = python("misused", good=[PUBLIC, networks.port], evil=["127.0.0.1", networks.own_port])
    found = found["ok"]
    assert found["disconnected"] == 0
    assert found["again"] == "ECONNREFUSED", found
    assert found["fast"] != "nothing" and not found["fast"].startswith("HTTP"), found
    assert found["devices"] == ["lo"]
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", found["port"]), timeout=2)


def test_a_storm_holds_nobody_up(outgoing, networks):
    stormy, calm = outgoing.python(), outgoing.python()
    outgoing.act(calm, "connect", to=[PUBLIC, networks.port])
    tos = [[PUBLIC, networks.port], [NOBODY_THERE, 80], [PRIVATE, 80], ["127.0.0.1", 53]]
    done = []

    def storm():
        done.append(outgoing.act(stormy, "storm", tos=tos, threads=50, seconds=6))

    thread = threading.Thread(target=storm)
    thread.start()
    time.sleep(1)
    taken, begun = [], time.monotonic()
    while time.monotonic() - begun < 3:
        asked = time.monotonic()
        assert outgoing.act(calm, "connect", to=[PUBLIC, networks.port])["ok"] == "reached /"
        taken.append(time.monotonic() - asked)
    # New slots are made, too: the launcher is not held up.
    fresh = outgoing.python()
    asked = time.monotonic()
    assert outgoing.act(fresh, "local")["ok"] == "self"
    started = time.monotonic() - asked
    thread.join()
    assert done[0]["ok"] > 100, done
    assert max(taken) < 2 and started < 10, (max(taken), started)


def test_open_connections_are_limited(python, networks):
    found = python("hoard", to=[PUBLIC, networks.port])["ok"]
    assert found["count"] > 400 and found["after"] == "reached /", found
    assert found["last"] in ("EMFILE", "EADDRNOTAVAIL"), found


def test_nothing_is_left_of_a_slot(outgoing, networks, again):
    """Its connections end with it, and so does its network."""
    function = outgoing.python()
    outgoing.act(function, "keep", to=[PUBLIC, networks.port])
    outgoing.act(function, "name", name="public.test")
    server = outgoing.server.process.pid
    assert again(lambda: established(networks) > 0)
    function.delete()
    outgoing.functions.remove(function)
    assert again(lambda: established(networks) == 0, 30), server


def established(networks):
    """Connections that lead to the other network."""
    suffix = f":{networks.port:04X}"
    with open("/proc/thread-self/net/tcp") as file:
        rows = [line.split() for line in file.readlines()[1:]]
    return sum(row[2].endswith(suffix) and row[3] == "01" for row in rows)


def test_without_egress_a_connection_fails_at_once(networks):
    """The same acts, on a server that lets nothing out."""
    with inside(networks.here), Platform("root") as platform:
        assert "egress none" in platform.server.log()
        function = platform.deploy(handler="egress.handler")
        for to in (PUBLIC, PUBLIC_V6, NAMED):
            found = function.call({"act": "connect", "to": [to, networks.port]})[1]
            assert found["error"] == "ENETUNREACH" and found["seconds"] < 1, found
        found = function.call({"act": "name", "name": "public.test"})[1]
        assert "error" in found and found["seconds"] < 1, found
