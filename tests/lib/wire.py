"""Requests as bytes: what no SDK would send."""

import json
import socket
import urllib.parse

AUTHORIZATION = (
    "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/{service}/aws4_request, "
    "SignedHeaders=host;x-amz-date, Signature=" + "0" * 64
)
TARGETS = {
    "dynamodb": ("DynamoDB_20120810", "application/x-amz-json-1.0"),
    "sqs": ("AmazonSQS", "application/x-amz-json-1.0"),
    "events": ("AWSEvents", "application/x-amz-json-1.1"),
    "logs": ("Logs_20140328", "application/x-amz-json-1.1"),
}


class Reply:
    """A parsed response; `status` 0 where the server only closed the connection."""

    def __init__(self, data: bytes):
        head, _, body = data.partition(b"\r\n\r\n")
        lines = head.decode("latin-1").split("\r\n")
        self.status = int(lines[0].split()[1]) if lines[0].startswith("HTTP/1.") else 0
        pairs = [line.partition(":")[::2] for line in lines[1:]]
        self.headers = {name.lower(): value.strip() for name, value in pairs}
        if self.headers.get("transfer-encoding") == "chunked":
            body = unchunk(body)
        self.text = body.decode("utf-8", "replace")

    @property
    def code(self) -> str:
        """The AWS error code, wherever its protocol puts it."""
        query = self.headers.get("x-amzn-query-error")
        if query:
            return query.partition(";")[0]
        if "<Code>" in self.text:
            return self.text.partition("<Code>")[2].partition("</Code>")[0]
        kind = self.headers.get("x-amzn-errortype", "").partition(":")[0]
        if self.text.startswith("{"):
            kind = json.loads(self.text).get("__type", kind)
        return kind.rpartition("#")[2]

    def __repr__(self):
        return f"{self.status} {self.headers} {self.text[:500]}"


def unchunk(body: bytes) -> bytes:
    whole = b""
    while body:
        size, _, body = body.partition(b"\r\n")
        length = int(size.partition(b";")[0] or b"0", 16)
        if length == 0:
            break
        whole, body = whole + body[:length], body[length + 2 :]
    return whole


def send(url: str, data: bytes, timeout=30.0, half_close=False, source=None) -> Reply:
    """Sends bytes as they are and reads until one response is whole or the server closes."""
    address = urllib.parse.urlsplit(url)
    to, own = (address.hostname, address.port), (source, 0) if source else None
    with socket.create_connection(to, timeout=timeout, source_address=own) as peer:
        try:
            peer.sendall(data)
            if half_close:
                peer.shutdown(socket.SHUT_WR)
        except (BrokenPipeError, ConnectionResetError):
            pass  # it had seen enough; its answer may still be there
        got = b""
        try:
            while not whole(got):
                part = peer.recv(65536)
                if not part:
                    break
                got += part
        except ConnectionResetError:
            pass
        return Reply(got)


def everything(url: str, data: bytes, timeout=30.0) -> bytes:
    """Sends bytes as they are and reads until the server closes."""
    address = urllib.parse.urlsplit(url)
    with socket.create_connection((address.hostname, address.port), timeout=timeout) as peer:
        peer.sendall(data)
        got = b""
        try:
            while part := peer.recv(65536):
                got += part
        except ConnectionResetError:
            pass  # it had not read all that was sent
        return got


def whole(got: bytes) -> bool:
    head, found, body = got.partition(b"\r\n\r\n")
    if not found:
        return False
    if head.split(b" ", 2)[1] in (b"204", b"304"):
        return True  # never a body, and so no length
    lowered = head.lower()
    if b"transfer-encoding: chunked" in lowered:
        return body.endswith(b"0\r\n\r\n")
    for line in lowered.split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return len(body) >= int(line.partition(b":")[2])
    return False


def request(method: str, path: str, headers: dict, body: bytes = b"", host="localhost") -> bytes:
    """A well-formed request around a body that need not be."""
    lines = [f"{method} {path} HTTP/1.1", f"Host: {host}", f"Content-Length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode() + body


def signed(service: str) -> dict:
    """A signature of the right form: any credentials are accepted."""
    return {
        "Authorization": AUTHORIZATION.format(service=service),
        "X-Amz-Date": "20260101T000000Z",
    }


def json_call(service: str, operation: str, body) -> bytes:
    """An AWS JSON request; a body that is not bytes is made JSON."""
    prefix, kind = TARGETS[service]
    headers = {
        **signed(service), "X-Amz-Target": f"{prefix}.{operation}", "Content-Type": kind
    }
    return request("POST", "/", headers, body if isinstance(body, bytes) else dumps(body))


def query_call(service: str, **form) -> bytes:
    headers = {**signed(service), "Content-Type": "application/x-www-form-urlencoded"}
    return request("POST", "/", headers, urllib.parse.urlencode(form).encode())


def rest_call(method: str, path: str, body=b"", **headers) -> bytes:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    body = body if isinstance(body, bytes) else dumps(body)
    return request(
        method, path, {**signed("lambda"), "Content-Type": "application/json", **named}, body
    )


def dumps(value) -> bytes:
    return json.dumps(value).encode()
