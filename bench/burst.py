"""From no environment to 200 of one function: so many events at once, each held until all are in.

Taken is the time until the last answer, less what its event was held. Whether all were in at once
is known by their environments: where an event met one that another had met, it came after that one
had left, and the time is more than what events are held.

    python3 burst.py --rounds 5 --environments 200 --functions node,python
"""

import argparse
import json
import selectors
import sys
import time

from host import FUNCTIONS, Connection, Functions
from lib import CLEARED, Server, median, result, spread
from samples import chosen

GOAL_SECONDS = 1.0
HOLD_MS = 10_000
DEADLINE_SECONDS = 60


def main() -> bool:
    options = argparse.ArgumentParser()
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--environments", type=int, default=200)
    options.add_argument("--functions", default="node,node-sdk-v3,python,native")
    options.add_argument("--hold-ms", type=int, default=HOLD_MS)
    options = options.parse_args()
    good = True
    for sample in chosen(options.functions):
        lasts, middles, environments = [], [], []
        for _ in range(options.rounds):
            with Server(env=CLEARED) as server:
                functions = Functions(server)
                functions.create("burst", sample, Timeout=DEADLINE_SECONDS)
                way = functions.start_path("burst") if sample.forks else "loaded"
                seconds, met = burst(functions, options.environments, options.hold_ms)
            environments.append(met)
            lasts.append(max(seconds))
            middles.append(median(seconds))
        name = f"{sample.name}: 0 → {options.environments}"
        note = f"{spread(lasts, 2)}; half after {median(middles):.2f} s; by {way}; "
        note += f"at least {min(environments)} environments at once"
        result(f"{name}, last first answer", median(lasts), "s", goal_at_most=GOAL_SECONDS, note=note)
        good &= min(environments) == options.environments
    return good


def burst(functions, count: int, hold_ms: int) -> tuple:
    """When each of so many events had its environment, in seconds since all were sent; and how many
    environments there were."""
    assert functions.live("burst").get("idle", 0) == 0
    body = json.dumps({"hold_ms": hold_ms}).encode()
    request = (
        f"POST {FUNCTIONS}/burst/invocations HTTP/1.1\r\nHost: localhost\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    ).encode() + body
    connections = [Connection(functions.server.port) for _ in range(count)]
    selector = selectors.DefaultSelector()
    replies, arrived, streams = [b""] * count, [0.0] * count, set()
    began = time.perf_counter()
    for number, connection in enumerate(connections):
        connection.socket.sendall(request)
        selector.register(connection.socket, selectors.EVENT_READ, number)
    while selector.get_map():
        assert time.perf_counter() - began < DEADLINE_SECONDS, "not all have answered"
        for key, _ in selector.select(timeout=1):
            number = key.data
            arrived[number] = arrived[number] or time.perf_counter() - began
            replies[number] += connections[number].more()
            head, _, answer = replies[number].partition(b"\r\n\r\n")
            if answer.endswith(b"}"):
                assert head.startswith(b"HTTP/1.1 200"), replies[number]
                streams.add(json.loads(answer)["stream"])
                selector.unregister(key.fileobj)
    for connection in connections:
        connection.socket.close()
    return [when - hold_ms / 1000 for when in arrived], len(streams)


if __name__ == "__main__":
    sys.exit(0 if main() else 1)
