"""What can be reached, and by what."""

import fcntl
import os
import socket
import struct
import urllib.error
import urllib.request

from probe import attempt, first

CONNECT_SECONDS = 1.0
AF_ALG, AF_PACKET, AF_VSOCK, AF_XDP, AF_KEY = 38, 17, 40, 44, 15


def _connect(family, address):
    def connect():
        with socket.socket(family, socket.SOCK_STREAM) as peer:
            peer.settimeout(CONNECT_SECONDS)
            peer.connect(address)
            return peer.recv(16)
    return attempt(connect)


def loopback_ports(event):
    """What else listens on the host's 127.0.0.1."""
    return _connect(socket.AF_INET, ("127.0.0.1", event["world"]["tcp"]["127.0.0.1"]))


def loopback_ports_v6(event):
    return _connect(socket.AF_INET6, ("::1", event["world"]["tcp"]["::1"]))


def host_addresses(event):
    tried = []
    for address, port in event["world"]["tcp"].items():
        if address not in ("127.0.0.1", "::1"):
            family = socket.AF_INET6 if ":" in address else socket.AF_INET
            tried.append((address, _connect(family, (address, port))))
    return first(tried)


def other_loopback_addresses(event):
    port = event["world"]["tcp"]["127.0.0.1"]
    return first((a, _connect(socket.AF_INET, (a, port))) for a in ("127.0.0.1", "0.0.0.0"))


def abstract_socket(event):
    return _connect(socket.AF_UNIX, "\0" + event["world"]["abstract"])


def abstract_socket_dgram(event):
    def send():
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as peer:
            peer.connect("\0" + event["world"]["abstract_dgram"])
            return peer.send(b"x")
    return attempt(send)


def path_socket(event):
    return _connect(socket.AF_UNIX, event["world"]["path_socket"])


def path_socket_through_proc(event):
    from probe import others

    path = event["world"]["path_socket"]
    ways = [f"/proc/{pid}/root{path}" for pid in others(event)]
    return first((way, _connect(socket.AF_UNIX, way)) for way in ways)


def udp(event):
    """Sends to everywhere; the test hears whether it arrived."""
    sent = []
    for address, port in event["world"]["udp"].items():
        def send():
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
                return peer.sendto(event["token"].encode(), (address, port))
        sent.append((address, attempt(send)))
    return False, sent


def broadcast(event):
    def send():
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
            return peer.sendto(b"x", ("255.255.255.255", 9))
    return attempt(send)


def multicast(event):
    def send():
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
            return peer.sendto(b"x", ("239.255.77.77", 9))
    return attempt(send)


def _socket(family, kind=socket.SOCK_RAW, protocol=0):
    return attempt(lambda: socket.socket(family, kind, protocol).close())


def raw_socket(_):
    return _socket(socket.AF_INET, protocol=socket.IPPROTO_ICMP)


def raw_socket_v6(_):
    return _socket(socket.AF_INET6, protocol=socket.IPPROTO_ICMPV6)


def packet_socket(_):
    return _socket(AF_PACKET, protocol=socket.htons(3))


def alg_socket(_):
    return _socket(AF_ALG, socket.SOCK_SEQPACKET)


def vsock(_):
    return _socket(AF_VSOCK, socket.SOCK_STREAM)


def xdp_socket(_):
    return _socket(AF_XDP)


def key_socket(_):
    return _socket(AF_KEY, protocol=2)


def netlink_write(_):
    """An address for the loopback device, taken away again."""
    new, delete = 20, 21
    def change(kind, flags):
        body = struct.pack("BBBBI", socket.AF_INET, 32, 0, 254, socket.if_nametoindex("lo"))
        for attribute in (1, 2):  # address, local
            body += struct.pack("HH4B", 8, attribute, 127, 77, 0, 77)
        head = struct.pack("IHHII", 16 + len(body), kind, 1 | 4 | flags, 1, 0)
        with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0) as route:
            route.send(head + body)
            answer = route.recv(4096)
        number = -struct.unpack_from("i", answer, 16)[0]
        if number:
            raise OSError(number, os.strerror(number))
    escaped, detail = attempt(lambda: change(new, 0x400))
    if escaped:
        change(delete, 0)
    return escaped, detail


def netlink_firewall(_):
    """Asks netfilter to begin a batch."""
    netfilter = 12
    def ask():
        with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, netfilter) as peer:
            head = struct.pack("IHHII", 20, 0x10, 1 | 4, 1, 0) + struct.pack("BBH", 0, 0, 0x0A00)
            tail = struct.pack("IHHII", 20, 0x11, 1, 2, 0) + struct.pack("BBH", 0, 0, 0x0A00)
            peer.settimeout(CONNECT_SECONDS)
            peer.send(head + tail)
            number = -struct.unpack_from("i", peer.recv(4096), 16)[0]
            if number:
                raise OSError(number, os.strerror(number))
    return attempt(ask)


def device_flags(_):
    """Sets the flags of the loopback device to what they are."""
    get, set_ = 0x8913, 0x8914
    def change():
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
            request = fcntl.ioctl(peer, get, struct.pack("16sh22x", b"lo", 0))
            fcntl.ioctl(peer, set_, request)
    return attempt(change)


def other_devices(_):
    """Everything but the loopback device is a way out."""
    names = [name for _, name in socket.if_nameindex()]
    return any(name != "lo" and not name.startswith(("sit", "tunl", "ip6tnl", "gre", "erspan"))
               for name in names), names


def privileged_port(event):
    def bind():
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 81))
            listener.listen()
    return attempt(bind)


def listen(event):
    """Stays for the test to connect to."""
    listener = socket.socket()
    listener.bind(("0.0.0.0", event["port"]))
    listener.listen()
    globals()["kept"] = listener
    return False, "listening"


def server_port_taken(event):
    """Listens where the server does: others of this function would be sent here."""
    def bind():
        with socket.socket() as listener:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            listener.bind(("127.0.0.1", event["server_port"]))
            listener.listen()
    return attempt(bind)


def control_paths(_):
    """Our own requests, which tell of the server's inside."""
    status = _status("/_cumulet/stacks")
    return status < 400, status


def anonymous_call(_):
    """Calls of AWS APIs by nobody."""
    queues = {"X-Amz-Target": "AmazonSQS.ListQueues", "Content-Type": "application/x-amz-json-1.0"}
    found = [_status("/2015-03-31/functions/"), _status("/", queues, b"{}")]
    return any(status < 400 for status in found), found


def forged_call(_):
    """As above, with a signature that anybody could make up."""
    scope = "test/20260101/us-east-1/lambda/aws4_request"
    headers = "SignedHeaders=host;x-amz-date"
    form = f"AWS4-HMAC-SHA256 Credential={scope}, {headers}, Signature={'0' * 64}"
    signed = {"X-Amz-Date": "20260101T000000Z", "Authorization": form}
    status = _status("/2015-03-31/functions/", signed)
    return status < 400, status


def _status(path, headers=None, body=None):
    url = os.environ["AWS_ENDPOINT_URL"] + path
    try:
        request = urllib.request.Request(url, data=body, headers=headers or {})
        with urllib.request.urlopen(request, timeout=5) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code


def environment(_):
    return False, dict(os.environ)
