"""Kills the server at random moments while orders are placed at full speed, then checks the books.

    python3 tests/crash/crash.py --rounds 100
    python3 tests/crash/crash.py --planted-bug      the server acknowledges before it commits:
                                                    the checker must notice, or it is worth nothing
"""

import argparse
import http.client
import json
import os
import pathlib
import random
import statistics
import sys
import tempfile
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))

import boto3  # noqa: E402
import botocore.config  # noqa: E402
from checker import check, unfinished  # noqa: E402

from server import Server, example  # noqa: E402

GOOD_CARD = "4242424242424242"
BAD_CARD = "4000000000000002"
BAD_SHARE = 0.1
TABLE = "orders-dev"
QUEUE = "orders-dev-confirmations"
DEAD_LETTERS = "orders-dev-confirmations-dead"
FLOW_SECONDS = 60
SETTLE_SECONDS = 300
# Visibility ends after 4 s, an asynchronous retry comes after 1 and 2 min: after this long without
# any order settling, none will. What a planted bug lost is not waited for that long.
STALLED_SECONDS = 150
STALLED_SECONDS_PLANTED = 15


class Clients:
    """Threads that place orders as fast as they are answered, and note every 201."""

    def __init__(self, port: int, path: str, count: int, seed: int):
        self.port = port
        self.path = path
        self.acknowledged = {}  # one key per order, each written by one thread only
        self.unanswered = 0
        self.refused = {}
        self.stopping = threading.Event()
        self.threads = [
            threading.Thread(target=self.run, args=(random.Random(seed + n),), daemon=True)
            for n in range(count)
        ]

    def start(self):
        for thread in self.threads:
            thread.start()

    def await_one_more(self):
        """Waits until orders flow: a server killed before its functions are up proves little."""
        before, deadline = len(self.acknowledged), time.monotonic() + FLOW_SECONDS
        while len(self.acknowledged) == before:
            assert time.monotonic() < deadline, f"no order in {FLOW_SECONDS} s: {self.refused}"
            time.sleep(0.01)

    def stop(self):
        self.stopping.set()
        for thread in self.threads:
            thread.join()

    def run(self, rng):
        connection = None
        while not self.stopping.is_set():
            good_card = rng.random() >= BAD_SHARE
            body = {
                "userId": "ada" if good_card else "bob",
                "items": [{"sku": "mug-blue", "quantity": rng.randint(1, 9)}],
            }
            try:
                connection = connection or self.connect()
                connection.request(
                    "POST", f"{self.path}/orders", json.dumps(body),
                    {"content-type": "application/json"},
                )
                reply = connection.getresponse()
                text = reply.read()
            except (OSError, http.client.HTTPException):
                # Killed in between: the order may exist or not, nothing was promised.
                self.unanswered += 1
                connection = None
                time.sleep(0.01)
                continue
            if reply.status == 201:
                self.acknowledged[json.loads(text)["id"]] = good_card
            else:
                self.refused.setdefault(reply.status, text[:200])

    def connect(self):
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)


def main() -> int:
    options = arguments()
    with tempfile.TemporaryDirectory(prefix="cumulet-crash-") as tmp:
        tmp = pathlib.Path(tmp)
        env = {"CUMULET_FAULT": "ack-before-commit"} if options.planted_bug else {}
        server = Server(data=tmp / "data", env=env).start()
        try:
            return run(server, example("orders", tmp), options)
        finally:
            server.kill()
            os.unlink(server.log_path)


def run(server, folder, options) -> int:
    rng = random.Random(options.seed)
    deployed = server.cli("deploy", folder)
    assert deployed.returncode == 0, deployed.stderr
    [stack] = server.stacks()
    path = f"/_aws/execute-api/{stack['outputs']['HttpApiId']}/$default"
    for user, card in (("ada", GOOD_CARD), ("bob", BAD_CARD)):
        set_card(server.port, path, user, card)

    clients = Clients(server.port, path, options.clients, options.seed)
    clients.start()
    starts = []
    for number in range(1, options.rounds + 1):
        clients.await_one_more()
        time.sleep(rng.uniform(0.1, options.round_seconds))
        server.kill()
        began = time.monotonic()
        server.start()
        starts.append(time.monotonic() - began)
        print(f"round {number}: {len(clients.acknowledged)} acknowledged", flush=True)
    clients.await_one_more()
    time.sleep(options.round_seconds)
    clients.stop()

    stalled = STALLED_SECONDS_PLANTED if options.planted_bug else STALLED_SECONDS
    settled = settle(server, clients.acknowledged, stalled)
    # A message whose third delivery was cut off is a dead letter, as on AWS; an operator sends
    # those back.
    redriven = redrive(server)
    if redriven:
        settled += settle(server, clients.acknowledged, stalled)
    verdict = check(scan(server), clients.acknowledged)
    verdict.figures["dead letters sent back"] = redriven
    report(verdict, clients, starts, settled)
    if options.planted_bug:
        noticed = not verdict.good
        print("ok: the planted bug was noticed" if noticed else "not ok: it was not noticed")
        return 0 if noticed else 1
    good = verdict.good and len(clients.acknowledged) > options.rounds
    print("ok" if good else "not ok")
    return 0 if good else 1


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--round-seconds", type=float, default=8.0, help="the longest time to live")
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--planted-bug", action="store_true")
    options = parser.parse_args()
    print(f"seed {options.seed}, {options.rounds} rounds, {options.clients} clients", flush=True)
    return options


def set_card(port, path, user, card):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    body = json.dumps({"cardNumber": card})
    connection.request("PUT", f"{path}/users/{user}/payment-method", body)
    reply = connection.getresponse()
    assert reply.status == 200, reply.read()


def resource(server, service):
    config = botocore.config.Config(retries={"total_max_attempts": 3})
    return boto3.resource(
        service, endpoint_url=server.url, region_name="us-east-1", config=config,
        aws_access_key_id="x", aws_secret_access_key="x",
    )


def redrive(server) -> int:
    """Sends the dead letters back to the queue they came from; gives how many there were."""
    sqs, count = resource(server, "sqs"), 0
    queue = sqs.get_queue_by_name(QueueName=QUEUE)
    dead_letters = sqs.get_queue_by_name(QueueName=DEAD_LETTERS)
    while found := dead_letters.receive_messages(MaxNumberOfMessages=10):
        for message in found:
            queue.send_message(MessageBody=message.body)
            message.delete()
        count += len(found)
    return count


def scan(server) -> list:
    """The whole table, through the official client."""
    table = resource(server, "dynamodb").Table(TABLE)
    items, more = [], {}
    while True:
        page = table.scan(ConsistentRead=True, **more)
        items += page["Items"]
        if "LastEvaluatedKey" not in page:
            return items
        more = {"ExclusiveStartKey": page["LastEvaluatedKey"]}


def settle(server, acknowledged, stalled) -> float:
    """Waits until nothing is on its way any more; gives the seconds it took."""
    began = time.monotonic()
    left, since = None, began
    while time.monotonic() - began < SETTLE_SECONDS:
        now = unfinished(scan(server), acknowledged)
        if now == 0:
            break
        if now != left:
            left, since = now, time.monotonic()
        if time.monotonic() - since > stalled:
            break
        time.sleep(1)
    # Late second deliveries would show now.
    time.sleep(6)
    return time.monotonic() - began - 6


def report(verdict, clients, starts, settled):
    print()
    for name, figure in verdict.figures.items():
        print(f"{figure:>9,}  {name}")
    print(f"{clients.unanswered:>9,}  requests cut off by a kill")
    print(f"{settled:>9.1f}  seconds until the last order was settled")
    if starts:
        middle, worst = statistics.median(starts) * 1000, max(starts) * 1000
        print(f"{middle:>9.0f}  ms from start to ready (median; at most {worst:.0f})")
    for status, text in clients.refused.items():
        print(f"answered {status}: {text!r}")
    for kind, count in verdict.faults.items():
        print(f"FAULT {count} × {kind}, e.g. {verdict.examples[kind]}")


if __name__ == "__main__":
    sys.exit(main())
