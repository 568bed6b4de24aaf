"""The pipes between a worker and its host, misused. By its end such a worker may be lost, its host
not."""

import os
import struct
import time

from probe import attempt, others

RESULT, ERROR, LOG, READY = 18, 19, 20, 16


def garbage(_):
    import random

    random.seed(1)
    try:
        for _ in range(200):
            os.write(4, random.randbytes(4096))
    except OSError as error:
        return False, error
    time.sleep(0.3)
    return False, "written"


def giant(_):
    """A frame that says it is 4 GB long, and 300 MB of it."""
    try:
        os.write(4, struct.pack("<IB", 0xFFFF_FFF0, LOG))
        for _ in range(300):
            os.write(4, b"x" * (1 << 20))
    except OSError as error:
        return False, error
    return False, "written"


def giant_result(_):
    """A result that is as long as it says, and too long."""
    size = 200 << 20
    os.write(4, struct.pack("<IBII", 9 + size, RESULT, 1, 1))
    for _ in range(size >> 20):
        os.write(4, b"x" * (1 << 20))
    return False, "written"


def empty(_):
    for _ in range(1000):
        os.write(4, struct.pack("<I", 0))
    return False, "written"


def results(_):
    """Many answers to one question: none may become another's."""
    for _ in range(50):
        body = b'{"escaped": true, "detail": "an answer nobody asked for"}'
        os.write(4, struct.pack("<IBII", 9 + len(body), RESULT, 1, 1) + body)
    return False, "written"


def readies(_):
    for _ in range(50):
        os.write(4, struct.pack("<IBI", 5, READY, 1))
    return False, "written"


def half(_):
    """Half a frame, and then silence."""
    os.write(4, struct.pack("<IB", 1000, RESULT) + b"xx")
    time.sleep(60)


def closed(_):
    os.close(4)
    time.sleep(0.2)
    return False, "closed"


def closed_both(_):
    os.close(3)
    os.close(4)
    time.sleep(60)


def turned(_):
    """Answers into the pipe events come from."""
    return attempt(lambda: os.write(3, struct.pack("<IB", 1, RESULT)))[0], "written"


def stolen(event):
    """A child that stays reads what is meant for the next event."""
    if event.get("again"):
        return False, "this is mine"
    if os.fork() == 0:
        os.setsid()
        for _ in range(20):
            os.read(3, 65536)
        os._exit(0)
    return False, "started"


def orders(_):
    """Over descriptor 5, where only a template hears."""
    return attempt(lambda: os.write(5, b"x" * 64))


def log_flood(_):
    line = b"x" * 1000
    frame = struct.pack("<IB", 1 + len(line), LOG) + line
    until = time.monotonic() + 3
    while time.monotonic() < until:
        os.write(4, frame * 50)
    return False, "written"


def output_flood(_):
    until = time.monotonic() + 3
    while time.monotonic() < until:
        os.write(1, b"x" * 65000 + b"\n")
    return False, "written"


def forged_log(event):
    """A line in the log of another function: by its pipe, if we find that."""
    text = event["token"].encode()
    frame = struct.pack("<IB", 1 + len(text), LOG) + text
    written = []
    for pid in others(event):
        def write():
            fd = os.open(f"/proc/{pid}/fd/4", os.O_WRONLY | os.O_NONBLOCK)
            return os.write(fd, frame)
        written.append(attempt(write))
    for forged in (f"START RequestId: {event['token']} Version: $LATEST\n", "\0\r\x1b[2J"):
        os.write(1, forged.encode())
    os.write(4, frame)
    return False, written
