"""What is reached where functions may reach other networks, from Python."""

import asyncio
import ctypes
import errno
import os
import select
import socket
import ssl
import struct
import threading
import time
import urllib.request

SECONDS = 5.0
kept = {}


def handler(event, _context):
    begun = time.monotonic()
    try:
        value = globals()[event["act"]](event)
        return {"ok": value, "seconds": time.monotonic() - begun, "pid": os.getpid()}
    except OSError as error:
        error = getattr(error, "reason", error)
        number = getattr(error, "errno", None)
        return {"error": errno.errorcode.get(number, str(error)),
                "seconds": time.monotonic() - begun}


def stream(address, timeout=SECONDS):
    family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
    peer = socket.socket(family)
    peer.settimeout(timeout)
    try:
        peer.connect(tuple(address))
    except BaseException:
        peer.close()
        raise
    return peer


def ask(peer, path="/"):
    peer.sendall(f"GET {path} HTTP/1.1\r\nHost: test\r\n\r\n".encode())
    with peer.makefile("rb") as file:
        length = 0
        while line := file.readline().strip():
            name, _, value = line.partition(b": ")
            length = int(value) if name == b"Content-Length" else length
        return file.read(length).decode()


def connect(event):
    with stream(event["to"]) as peer:
        return ask(peer)


def connect_slowly(event):
    """So that another event at the same time needs another slot."""
    found = connect(event)
    time.sleep(1)
    return found


def connect_blocking(event):
    with stream(event["to"], None) as peer:
        assert peer.getblocking()
        return ask(peer)


def peer_name(event):
    with stream(event["to"]) as peer:
        return list(peer.getpeername()[:2])


def options(event):
    """What was set before is set after."""
    peer = socket.socket()
    wanted = [(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1), (socket.IPPROTO_TCP, 1, 1),
              (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 77)]
    for each in wanted:
        peer.setsockopt(*each)
    peer.set_inheritable(True)
    peer.settimeout(SECONDS)
    with peer:
        peer.connect(tuple(event["to"]))
        return [peer.getsockopt(level, name) == value for level, name, value in wanted] + [
            peer.get_inheritable(), ask(peer) == "reached /",
        ]


def url(event):
    with urllib.request.urlopen(event["url"], timeout=SECONDS) as reply:
        return reply.read().decode()


def many(event):
    """Concurrent connections of asyncio."""
    async def one(number):
        reader, writer = await asyncio.open_connection(*event["to"])
        writer.write(f"GET /{number} HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n".encode())
        text = await reader.read()
        writer.close()
        return text.endswith(f"reached /{number}".encode())

    async def all_of_them():
        return sum(await asyncio.gather(*(one(number) for number in range(event["count"]))))

    return asyncio.run(all_of_them())


def keep(event):
    """A connection that is used again by the next event."""
    if "peer" not in kept:
        kept["peer"] = stream(event["to"])
    return ask(kept["peer"])


def large(event):
    """Much, in both directions at once, while the reader is slow."""
    size = event["bytes"]
    block = bytes(range(256)) * 256
    with stream(event["to"], 30) as peer:
        peer.sendall(f"POST / HTTP/1.1\r\nHost: t\r\nContent-Length: {size}\r\n\r\n".encode())

        def send():
            for _ in range(size // len(block)):
                peer.sendall(block)

        sender = threading.Thread(target=send)
        sender.start()
        time.sleep(0.5)
        with peer.makefile("rb") as file:
            while file.readline().strip():
                pass
            same = all(file.read(len(block)) == block for _ in range(size // len(block)))
        sender.join()
        return same


def half_closed(event):
    with stream(event["to"]) as peer:
        peer.sendall(b"GET / HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n")
        peer.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: peer.recv(4096), b"")).endswith(b"reached /")


def pending(event):
    """Whether a connection nobody answers is neither ready nor in the way."""
    peer = socket.socket()
    peer.setblocking(False)
    begun = time.monotonic()
    number = peer.connect_ex(tuple(event["to"]))
    took = time.monotonic() - begun
    again = peer.connect_ex(tuple(event["to"]))
    ready = select.select([peer], [peer], [peer], 0.5)
    peer.close()
    return [errno.errorcode[number], errno.errorcode[again], took < 0.4, ready == ([], [], [])]


def polled(event):
    """How a connection ends that is waited for as event loops do."""
    peer = socket.socket(socket.AF_INET6 if ":" in event["to"][0] else socket.AF_INET)
    peer.setblocking(False)
    number = peer.connect_ex(tuple(event["to"]))
    poll = select.epoll()
    poll.register(peer, select.EPOLLOUT)
    found = poll.poll(SECONDS)
    error = peer.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    peer.close()
    return [errno.errorcode.get(number, number), bool(found), errno.errorcode.get(error, error)]


def datagram(event):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
        peer.settimeout(SECONDS)
        peer.connect(tuple(event["to"]))
        heard = []
        for word in (b"one", b"two"):
            peer.send(word)
            heard.append(peer.recv(100).decode())
        return heard


def datagram_to(event):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
        return peer.sendto(event["word"].encode(), tuple(event["to"]))


def messages_to(event):
    """With an address in memory, where no filter looks; also of a socket that is connected."""
    sent = []
    for connected in (False, True):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
            try:
                if connected:
                    peer.connect(tuple(event["reached"]))
                peer.sendmsg([event["word"].encode()], [], 0, tuple(event["to"]))
                sent.append("sent")
            except OSError as error:
                sent.append(errno.errorcode[error.errno])
    return sent


def name(event):
    return sorted({found[4][0] for found in socket.getaddrinfo(event["name"], 80)})


def name_unconnected(event):
    """Asks as small C libraries do."""
    labels = b"".join(bytes([len(part)]) + part.encode() for part in event["name"].split("."))
    query = struct.pack(">HHHHHH", 7, 0x0100, 1, 0, 0, 0) + labels + b"\0\0\1\0\1"
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
        peer.settimeout(SECONDS)
        peer.sendto(query, ("127.0.0.1", 53))
        return socket.inet_ntoa(peer.recv(512)[-4:])


def certificates(_):
    return ssl.create_default_context().cert_store_stats()["x509_ca"]


def local(event):
    """A server and a client in one slot."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        with stream(listener.getsockname()) as peer, listener.accept()[0] as other:
            other.send(b"self")
            return peer.recv(10).decode()


def attempts(event):
    """How each address is answered."""
    found = {}
    for address, port in event["tos"]:
        try:
            with stream((address, port), 2.0) as peer:
                found[address] = ask(peer) or "connected"
        except OSError as error:
            found[address] = errno.errorcode.get(error.errno, str(error))
    return found


class Address(ctypes.Structure):
    _fields_ = [("family", ctypes.c_uint16), ("port", ctypes.c_uint16),
                ("ip", ctypes.c_uint32), ("zero", ctypes.c_uint64)]


def changed_meanwhile(event):
    """Another thread changes the address, and the socket, while the kernel asks about them."""
    libc = ctypes.CDLL(None, use_errno=True)
    number = struct.unpack("=I", socket.inet_aton(event["good"][0]))[0]
    evil = struct.unpack("=I", socket.inet_aton(event["evil"][0]))[0]
    address = Address(2, socket.htons(event["good"][1]), number, 0)
    over = threading.Event()
    spare = stream(event["good"])

    def change():
        while not over.is_set():
            for ip, port in ((evil, event["evil"][1]), (number, event["good"][1])):
                address.port = socket.htons(port)
                address.ip = ip

    def swap():
        while not over.is_set():
            try:
                os.dup2(spare.fileno(), 200)
                os.close(200)
            except OSError:
                pass

    threads = [threading.Thread(target=act, daemon=True) for act in (change, change, swap)]
    for thread in threads:
        thread.start()
    reached, tried = set(), 0
    deadline = time.monotonic() + event["seconds"]
    while time.monotonic() < deadline:
        for at in (None, 200):
            peer = socket.socket()
            peer.settimeout(1)
            if at:
                os.dup2(peer.fileno(), at)
            tried += 1
            if libc.connect(at or peer.fileno(), ctypes.byref(address), 16) in (0, -1):
                try:
                    ready = select.select([], [peer], [], 1)[1]
                    if ready and not peer.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
                        reached.add(ask(peer, "/"))
                        reached.add(peer.getpeername()[0])
                except OSError:
                    pass
            peer.close()
    over.set()
    for thread in threads:
        thread.join()
    return {"reached": sorted(reached), "tried": tried}


def misused(event):
    """A socket that leads outside is disconnected, connected to elsewhere, and listens."""
    found = {}
    peer = stream(event["good"])
    libc = ctypes.CDLL(None, use_errno=True)
    nothing = (ctypes.c_uint16 * 8)()
    found["disconnected"] = libc.connect(peer.fileno(), nothing, 16)
    try:
        peer.connect(tuple(event["evil"]))
        found["again"] = ask(peer)
    except OSError as error:
        found["again"] = errno.errorcode.get(error.errno, str(error))
    peer.close()
    peer = stream(event["good"])
    libc.connect(peer.fileno(), nothing, 16)
    fast_open = 0x20000000
    try:
        peer.sendto(b"GET / HTTP/1.1\r\nHost: t\r\n\r\n", fast_open, tuple(event["evil"]))
        found["fast"] = peer.recv(100).decode() or "nothing"
    except OSError as error:
        found["fast"] = errno.errorcode.get(error.errno, str(error))
    peer.close()
    peer = stream(event["good"])
    libc.connect(peer.fileno(), nothing, 16)
    peer.listen()
    kept["listener"] = peer
    found["port"] = peer.getsockname()[1]
    found["devices"] = [name for _, name in socket.if_nameindex()]
    return found


def passed(event):
    """A connection that is handed from one process to another is the same one."""
    ours, theirs = socket.socketpair()
    if os.fork() == 0:
        with stream(event["to"]) as peer:
            socket.send_fds(theirs, [b"x"], [peer.fileno()])
        os._exit(0)
    _, [fd], _, _ = socket.recv_fds(ours, 1, 1)
    os.wait()
    with socket.socket(fileno=fd) as peer:
        peer.settimeout(SECONDS)
        return ask(peer)


def storm(event):
    """Connects as fast as it can, from many threads, to wherever."""
    deadline = time.monotonic() + event["seconds"]
    counts = []

    def connect():
        count = 0
        while time.monotonic() < deadline:
            with socket.socket() as peer:
                peer.setblocking(False)
                peer.connect_ex(tuple(event["tos"][count % len(event["tos"])]))
            count += 1
        counts.append(count)

    threads = [threading.Thread(target=connect) for _ in range(event["threads"])]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(counts)


def hoard(event):
    """As many open connections as there may be."""
    peers, last = [], None
    try:
        while len(peers) < 2000:
            peers.append(stream(event["to"]))
    except OSError as error:
        last = errno.errorcode.get(error.errno, str(error))
    count = len(peers)
    for peer in peers:
        peer.close()
    # They end at their other end, too, a moment later.
    deadline = time.monotonic() + SECONDS
    while True:
        try:
            with stream(event["to"]) as peer:
                return {"count": count, "last": last, "after": ask(peer)}
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)


def costs(event):
    """Seconds for each connection, the middle one."""
    taken = []
    for _ in range(event["count"]):
        begun = time.perf_counter()
        with stream(event["to"], event.get("timeout", SECONDS)):
            taken.append(time.perf_counter() - begun)
    return sorted(taken)[len(taken) // 2]
