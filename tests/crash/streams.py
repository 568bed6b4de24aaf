"""Kills the server at random moments while items change and a function is told of it, then checks
what the function was told: every change at least once, and those of an item in their order.

    python3 tests/crash/streams.py --rounds 20
    python3 tests/crash/streams.py --planted-bug    the server acknowledges before it commits: the
                                                    checker must notice, or it is worth nothing
"""

import argparse
import os
import pathlib
import random
import sys
import tempfile
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))

import boto3  # noqa: E402
import botocore.config  # noqa: E402
import botocore.exceptions  # noqa: E402

from package import package  # noqa: E402
from server import Server  # noqa: E402

TABLE = "items"
SEEN = "seen"
LANES = 2
# Between two changes of an item: all that it was told of is one item in the end.
PAUSE_SECONDS = 0.01
FLOW_SECONDS = 60
SETTLE_SECONDS = 120
# What a planted bug has lost is not waited for as long.
SETTLE_SECONDS_PLANTED = 15

# Appends the value of each change to a list of its item, and fails now and then in the middle.
FUNCTION = """
import http.client, json, os, random, urllib.parse

server = urllib.parse.urlsplit(os.environ["AWS_ENDPOINT_URL"])
headers = {
    "X-Amz-Target": "DynamoDB_20120810.UpdateItem",
    "Content-Type": "application/x-amz-json-1.0",
    "Authorization": "AWS4-HMAC-SHA256 Credential=x/20260101/us-east-1/dynamodb/aws4_request, "
        "SignedHeaders=host;x-amz-date, Signature=" + "0" * 64,
    "X-Amz-Date": "20260101T000000Z",
}

def handler(event, context):
    connection = http.client.HTTPConnection(server.hostname, server.port, timeout=10)
    for record in event["Records"]:
        if random.random() < 0.01:
            raise Exception("now and then")
        image = record["dynamodb"]["NewImage"]
        connection.request("POST", "/", json.dumps({
            "TableName": "seen",
            "Key": {"pk": image["pk"]},
            "UpdateExpression": "SET told = list_append(if_not_exists(told, :none), :one)",
            "ExpressionAttributeValues": {":none": {"L": []}, ":one": {"L": [image["n"]]}},
        }), headers)
        reply = connection.getresponse()
        text = reply.read()
        if reply.status != 200:
            raise Exception(text)
"""


class Writer(threading.Thread):
    """Counts an item up, each number once it was told that the one before is there."""

    def __init__(self, server, item):
        super().__init__(daemon=True)
        self.client = dynamodb(server)
        self.item = item
        self.acknowledged = 0
        self.unanswered = 0
        self.stopping = threading.Event()

    def run(self):
        while not self.stopping.is_set():
            number = {"N": str(self.acknowledged + 1)}
            try:
                self.client.put_item(TableName=TABLE, Item={"pk": {"S": self.item}, "n": number})
            except (botocore.exceptions.BotoCoreError, botocore.exceptions.ClientError):
                # The same again: if it is there already, it is no change.
                self.unanswered += 1
                time.sleep(0.01)
                continue
            self.acknowledged += 1
            time.sleep(PAUSE_SECONDS)


def faults_of(told: list, acknowledged: int) -> list:
    """What is wrong with what was told of an item that counts from 1 up to a number at least."""
    faults, first = [], list(dict.fromkeys(told))
    if first != sorted(first):
        faults.append("told out of order")
    missing = set(range(1, acknowledged + 1)) - set(first)
    if missing:
        faults.append(f"{len(missing)} never told, e.g. {min(missing)}")
    highest = 0
    for number in told:
        if number > highest + 1:
            faults.append(f"{number} told before {highest + 1}")
            break
        highest = max(highest, number)
    return faults


def dynamodb(server):
    config = botocore.config.Config(retries={"total_max_attempts": 1}, read_timeout=10)
    return client(server, "dynamodb", config)


def client(server, service, config=None):
    return boto3.client(
        service, endpoint_url=server.url, region_name="us-east-1", config=config,
        aws_access_key_id="x", aws_secret_access_key="x",
    )


def deploy(server):
    keys = {
        "AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "S"}],
        "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
        "BillingMode": "PAY_PER_REQUEST",
    }
    db, functions = dynamodb(server), client(server, "lambda")
    db.create_table(TableName=SEEN, **keys)
    stream = {"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"}
    made = db.create_table(TableName=TABLE, StreamSpecification=stream, **keys)
    functions.create_function(
        FunctionName="tell", Runtime="python3.12", Role="arn:aws:iam::000000000000:role/any",
        Handler="index.handler", Code={"ZipFile": package(index_py=FUNCTION)}, Timeout=20,
    )
    functions.create_event_source_mapping(
        FunctionName="tell", EventSourceArn=made["TableDescription"]["LatestStreamArn"],
        StartingPosition="TRIM_HORIZON", BatchSize=20, ParallelizationFactor=LANES,
        MaximumRecordAgeInSeconds=-1, MaximumRetryAttempts=-1,
    )


def told(server) -> dict:
    """What the function was told, by item."""
    db, found, more = dynamodb(server), {}, {}
    while True:
        page = db.scan(TableName=SEEN, ConsistentRead=True, **more)
        for item in page["Items"]:
            found[item["pk"]["S"]] = [int(each["N"]) for each in item["told"]["L"]]
        if "LastEvaluatedKey" not in page:
            return found
        more = {"ExclusiveStartKey": page["LastEvaluatedKey"]}


def await_flow(server):
    """A server killed before its function is up proves little."""
    before, deadline = told(server), time.monotonic() + FLOW_SECONDS
    while told(server) == before:
        assert time.monotonic() < deadline, f"nothing told in {FLOW_SECONDS} s\n{server.log()}"
        time.sleep(0.1)


def settle(server, writers, seconds):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        seen = told(server)
        if all(w.acknowledged <= max(seen.get(w.item, [0])) for w in writers):
            break
        time.sleep(0.5)
    # Late second deliveries would show now.
    time.sleep(2)


def main() -> int:
    options = arguments()
    with tempfile.TemporaryDirectory(prefix="cumulet-streams-") as tmp:
        env = {"CUMULET_FAULT": "ack-before-commit"} if options.planted_bug else {}
        server = Server(data=pathlib.Path(tmp) / "data", env=env).start()
        try:
            return run(server, options)
        finally:
            server.kill()
            os.unlink(server.log_path)


def run(server, options) -> int:
    rng = random.Random(options.seed)
    deploy(server)
    writers = [Writer(server, f"item-{n}") for n in range(options.items)]
    for writer in writers:
        writer.start()
    for number in range(1, options.rounds + 1):
        await_flow(server)
        time.sleep(rng.uniform(0.1, options.round_seconds))
        server.kill()
        server.start()
        print(f"round {number}: {sum(w.acknowledged for w in writers)} acknowledged", flush=True)
    await_flow(server)
    for writer in writers:
        writer.stopping.set()
    for writer in writers:
        writer.join()
    settle(server, writers, SETTLE_SECONDS_PLANTED if options.planted_bug else SETTLE_SECONDS)
    seen = told(server)
    faults = {
        writer.item: found
        for writer in writers
        if (found := faults_of(seen.get(writer.item, []), writer.acknowledged))
    }
    changes = sum(writer.acknowledged for writer in writers)
    print(f"{changes:>9,}  changes acknowledged")
    print(f"{sum(map(len, seen.values())):>9,}  times the function was told of one")
    print(f"{sum(writer.unanswered for writer in writers):>9,}  requests cut off by a kill")
    for item, found in faults.items():
        print(f"FAULT {item}: {'; '.join(found)}")
    if options.planted_bug:
        print("ok: the planted bug was noticed" if faults else "not ok: it was not noticed")
        return 0 if faults else 1
    good = not faults and changes > options.rounds
    print("ok" if good else "not ok")
    return 0 if good else 1


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--items", type=int, default=12)
    parser.add_argument("--round-seconds", type=float, default=4.0, help="the longest time to live")
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--planted-bug", action="store_true")
    options = parser.parse_args()
    print(f"seed {options.seed}, {options.rounds} rounds, {options.items} items", flush=True)
    return options


if __name__ == "__main__":
    sys.exit(main())
