"""Frames over two inherited pipes: [length u32][kind u8][body], little-endian; the length counts
kind and body. The same is written in crates/host/src/protocol.rs, with what each body holds.
"""

import os
import threading
from struct import Struct

FROM_HOST = 3
TO_HOST = 4
CHUNK_BYTES = 64 * 1024

READY = 16
INIT_ERROR = 17
RESULT = 18
ERROR = 19
LOG = 20
UNFIT = 21
DEBUG = 25
ASK_TIME = 26
PACKED = 27
PACK = 28

_one_number = Struct("<IBI").pack
_two_numbers = Struct("<IBII").pack
_three_numbers = Struct("<IBIII").pack

_pending = b""
_writing = threading.Lock()
_asking = threading.Lock()


def install() -> None:
    """The two pipes are for this process, not for programs it starts."""
    for descriptor in (FROM_HOST, TO_HOST):
        os.set_inheritable(descriptor, False)
    os.register_at_fork(after_in_child=_renew_lock)


def _renew_lock() -> None:
    """Another thread of the parent may have held it, which the child does not have."""
    global _writing
    _writing = threading.Lock()


def read() -> bytes:
    """Blocks until the next frame is here, and gives its body."""
    global _pending
    data = _pending or _receive(CHUNK_BYTES)
    while len(data) < 4:
        data += _receive(CHUNK_BYTES)
    end = 4 + int.from_bytes(data[:4], "little")
    if len(data) < end:
        parts, missing = [data], end - len(data)
        while missing:
            part = _receive(min(missing, CHUNK_BYTES))
            parts.append(part)
            missing -= len(part)
        data = b"".join(parts)
    _pending = data[end:]
    return data[5:end]


def _receive(count: int) -> bytes:
    got = os.read(FROM_HOST, count)
    if not got:
        os._exit(0)  # the host is gone, or wants us gone
    return got


def ready(micros: int) -> None:
    _write(_one_number(5, READY, micros))


def unfit(why: str) -> None:
    text = why.encode()
    _write((1 + len(text)).to_bytes(4, "little") + bytes([UNFIT]) + text)


def packed(used: bool) -> None:
    _write(_one_number(5, PACKED, used))


def pack(piece: bytes) -> None:
    """Writes it in as many frames as it takes."""
    for at in range(0, len(piece), CHUNK_BYTES):
        part = piece[at : at + CHUNK_BYTES]
        _write((1 + len(part)).to_bytes(4, "little") + bytes([PACK]) + part)


def debug(port: int) -> None:
    _write(_one_number(5, DEBUG, port))


def time_left() -> int:
    """What is left of the running event's time in milliseconds, as the host sees it."""
    with _asking:
        _write((1).to_bytes(4, "little") + bytes([ASK_TIME]))
        return int.from_bytes(read(), "little")


def init_error(micros: int, report: bytes) -> None:
    _write(_one_number(5 + len(report), INIT_ERROR, micros) + report)


def result(micros: int, memory_kb: int, payload: bytes) -> None:
    _write(_two_numbers(9 + len(payload), RESULT, micros, memory_kb) + payload)


def error(micros: int, memory_kb: int, report: bytes) -> None:
    _write(_three_numbers(13 + len(report), ERROR, micros, memory_kb, 0) + report)


def log(text: bytes) -> None:
    _write((1 + len(text)).to_bytes(4, "little") + b"\x14" + text)


def _write(frame: bytes) -> None:
    # Threads write too, and only short frames are written in one piece.
    with _writing:
        sent = os.write(TO_HOST, frame)
        while sent < len(frame):
            sent += os.write(TO_HOST, frame[sent:])
