"""Kills an environment every 200 ms while events and messages flow, then checks the balance.

    python3 tests/crash/faults.py --seconds 600

Asynchronous events end in success, or failed and in the dead-letter queue. Messages of a queue that
feeds a function are done, dead-lettered or waiting. Nothing is lost, and nothing ends twice. From
two minutes on, one more function has its failed events retried as by default, after one and two
minutes.
"""

import argparse
import json
import os
import pathlib
import random
import signal
import sys
import tempfile
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))

import boto3  # noqa: E402
import botocore.config  # noqa: E402
from balance import check_events, check_messages  # noqa: E402

from package import package  # noqa: E402
from server import Server  # noqa: E402

KILL_SECONDS = 0.2
# What one client sends: so much that something always runs, and so little that none of it piles up.
PAUSE_SECONDS = 0.02
WORK_MS_MAX = 60
RETRIED_FROM_SECONDS = 120
# A retry comes after at most two minutes: after this long without any end, none will come.
STALLED_SECONDS = 30
STALLED_RETRIED_SECONDS = 180
VISIBILITY_SECONDS = 4
RECEIVES_MAX = 5
REGION = "us-east-1"
ROLE = "arn:aws:iam::000000000000:role/any"
# Works for a while, at the event's word, and so is often killed in the middle.
EVENTS = """\
exports.handler = async (event) => {
  await new Promise((done) => setTimeout(done, event.ms));
  return { n: event.n };
};
"""
# Tells what it has dealt with, in a queue of its own.
MESSAGES = """\
const { request } = require('node:http');
const headers = {
  'content-type': 'application/x-amz-json-1.0', 'x-amz-target': 'AmazonSQS.SendMessage',
};
const send = (body) => new Promise((done, failed) => {
  const asked = request(process.env.AWS_ENDPOINT_URL, { method: 'POST', headers }, (reply) => {
    reply.resume();
    if (reply.statusCode === 200) reply.on('end', done);
    else failed(new Error(`status ${reply.statusCode}`));
  });
  asked.on('error', failed);
  asked.end(JSON.stringify({ QueueUrl: process.env.DONE, MessageBody: body }));
});
exports.handler = async (event) => {
  for (const record of event.Records) {
    await new Promise((done) => setTimeout(done, JSON.parse(record.body).ms));
    await send(record.body);
  }
};
"""


class Aws:
    """The official clients. Without retries: what was accepted is known exactly."""

    def __init__(self, url):
        config = botocore.config.Config(retries={"total_max_attempts": 1}, read_timeout=60)
        keys = {"aws_access_key_id": "x", "aws_secret_access_key": "x"}
        make = lambda name: boto3.client(  # noqa: E731
            name, endpoint_url=url, region_name=REGION, config=config, **keys
        )
        self.functions, self.sqs = make("lambda"), make("sqs")

    def queue(self, name, **attributes):
        """Its URL and its ARN."""
        made = self.sqs.create_queue(QueueName=name, Attributes=attributes)
        told = self.sqs.get_queue_attributes(
            QueueUrl=made["QueueUrl"], AttributeNames=["QueueArn"]
        )
        return made["QueueUrl"], told["Attributes"]["QueueArn"]

    def function(self, name, code, **more):
        self.functions.create_function(
            FunctionName=name, Runtime="nodejs20.x", Handler="index.handler", Role=ROLE,
            Code={"ZipFile": package(index_js=code)}, MemorySize=256, Timeout=3, **more,
        )

    def take(self, url) -> list:
        """What is in a queue, for good."""
        taken = []
        while True:
            found = self.sqs.receive_message(
                QueueUrl=url, MaxNumberOfMessages=10, MessageAttributeNames=["All"]
            ).get("Messages", [])
            if not found:
                return taken
            taken += found
            self.sqs.delete_message_batch(QueueUrl=url, Entries=[
                {"Id": str(at), "ReceiptHandle": one["ReceiptHandle"]}
                for at, one in enumerate(found)
            ])

    def waiting(self, url) -> int:
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible",
                 "ApproximateNumberOfMessagesDelayed"]
        told = self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)
        return sum(int(count) for count in told["Attributes"].values())


class Events:
    """A function that is invoked asynchronously, and where its events end."""

    def __init__(self, server, name, retries):
        self.name, self.aws, self.sent = name, Aws(server.url), set()
        self.seen = {"succeeded": [], "failed": [], "dead": []}
        self.queues = {kind: self.aws.queue(f"{name}-{kind}") for kind in self.seen}
        self.aws.function(name, EVENTS, DeadLetterConfig={"TargetArn": self.queues["dead"][1]})
        self.aws.functions.put_function_event_invoke_config(
            FunctionName=name, MaximumRetryAttempts=retries,
            DestinationConfig={
                "OnSuccess": {"Destination": self.queues["succeeded"][1]},
                "OnFailure": {"Destination": self.queues["failed"][1]},
            },
        )

    def send(self, rng):
        event = {"n": len(self.sent), "ms": rng.randint(0, WORK_MS_MAX)}
        reply = self.aws.functions.invoke(
            FunctionName=self.name, InvocationType="Event", Payload=json.dumps(event)
        )
        assert reply["StatusCode"] == 202
        self.sent.add(reply["ResponseMetadata"]["RequestId"])

    def collect(self) -> int:
        """Takes what has ended; gives how many have not."""
        for kind, (url, _) in self.queues.items():
            for message in self.aws.take(url):
                if kind == "dead":
                    request = message["MessageAttributes"]["RequestID"]["StringValue"]
                else:
                    request = json.loads(message["Body"])["requestContext"]["requestId"]
                self.seen[kind].append(request)
        ended = set(self.seen["succeeded"]) | set(self.seen["dead"])
        return len(self.sent - ended)

    def verdict(self):
        return check_events(self.sent, **self.seen)


class Messages:
    """A function that is fed by a queue, and where its messages end."""

    def __init__(self, server, name):
        self.name, self.aws, self.sent = name, Aws(server.url), set()
        self.done, self.dead = [], []
        self.done_url, _ = self.aws.queue(f"{name}-done")
        self.dead_url, dead_arn = self.aws.queue(f"{name}-dead")
        redrive = {"deadLetterTargetArn": dead_arn, "maxReceiveCount": RECEIVES_MAX}
        self.url, arn = self.aws.queue(
            f"{name}-queue", VisibilityTimeout=str(VISIBILITY_SECONDS),
            RedrivePolicy=json.dumps(redrive),
        )
        self.aws.function(name, MESSAGES, Environment={"Variables": {"DONE": self.done_url}})
        self.aws.functions.create_event_source_mapping(
            FunctionName=name, EventSourceArn=arn, BatchSize=5
        )

    def send(self, rng):
        body = json.dumps({"n": len(self.sent), "ms": rng.randint(0, WORK_MS_MAX)})
        self.aws.sqs.send_message(QueueUrl=self.url, MessageBody=body)
        self.sent.add(body)

    def collect(self) -> int:
        self.done += [message["Body"] for message in self.aws.take(self.done_url)]
        self.dead += [message["Body"] for message in self.aws.take(self.dead_url)]
        return self.aws.waiting(self.url)

    def verdict(self):
        waiting = self.aws.waiting(self.url)
        return check_messages(self.sent, self.done, self.dead, waiting)


class Killer:
    """Ends the process of an environment every so often, until it is told to stop."""

    def __init__(self, server, rng):
        self.server, self.rng, self.killed = server, rng, 0
        self.stopping = threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)

    def run(self):
        while not self.stopping.wait(KILL_SECONDS):
            running = environments(self.server.process.pid)
            if running:
                try:
                    os.kill(self.rng.choice(running), signal.SIGKILL)
                    self.killed += 1
                except ProcessLookupError:
                    pass  # it has ended by itself


def environments(server: int) -> list:
    """The processes of functions: interpreters below the server, whatever they are about."""
    below, found, names = {}, [], {}
    for folder in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            stat = (folder / "stat").read_text()
            names[int(folder.name)] = (folder / "exe").resolve().name
        except OSError:
            continue  # it has ended
        below.setdefault(int(stat.rsplit(")", 1)[1].split()[1]), []).append(int(folder.name))
    look = [server]
    while look:
        look = [child for each in look for child in below.get(each, [])]
        found += look
    return [pid for pid in found if names.get(pid) == "node"]


def send(flow, seed, stopping):
    rng = random.Random(seed)
    while not stopping.is_set():
        flow.send(rng)
        time.sleep(PAUSE_SECONDS)


def settle(flows, stalled: float) -> float:
    """Waits until nothing is on its way any more, or nothing moves; gives the seconds it took."""
    began = moved = time.monotonic()
    left = None
    while (now := [flow.collect() for flow in flows]) != [0] * len(flows):
        if now != left:
            left, moved = now, time.monotonic()
        if time.monotonic() - moved > stalled:
            break
        tell(f"settling: {sum(now)} on their way")
        time.sleep(0.5)
    # What ended twice would show now.
    time.sleep(2)
    for flow in flows:
        flow.collect()
    return time.monotonic() - began - 2


def interrupt(*_):
    raise KeyboardInterrupt


def main() -> int:
    # As Ctrl-C does, so that the server is ended.
    signal.signal(signal.SIGTERM, interrupt)
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--seconds", type=float, default=30)
    options.add_argument("--seed", type=int, default=int(time.time()))
    options.add_argument("--planted-loss", action="store_true",
                         help="forget one event and one message: the checker must notice")
    options = options.parse_args()
    print(f"seed {options.seed}, {options.seconds:.0f} s", flush=True)
    with tempfile.TemporaryDirectory(prefix="cumulet-faults-") as folder:
        with Server(data=pathlib.Path(folder) / "data") as server:
            good = run(server, options)
        os.unlink(server.log_path)
    print("ok" if good else "not ok")
    return 0 if good else 1


def run(server, options) -> bool:
    retried = options.seconds >= RETRIED_FROM_SECONDS
    flows = {
        "events": Events(server, "events", retries=0),
        "messages": Messages(server, "messages"),
    }
    if retried:
        flows["events, retried"] = Events(server, "retried", retries=2)
    stopping, failed = threading.Event(), []

    def load(flow, seed):
        try:
            send(flow, seed, stopping)
        except Exception as error:  # it ends the test, with its reason
            failed.append(error)

    threads = [
        threading.Thread(target=load, args=(flow, options.seed + at))
        for at, flow in enumerate(flows.values())
    ]
    killer = Killer(server, random.Random(options.seed))
    for thread in [*threads, killer.thread]:
        thread.start()
    try:
        watch(flows.values(), killer, options.seconds, failed)
    finally:  # Ctrl-C, too: a thread that sends would keep this process
        stopping.set()
        killer.stopping.set()
        for thread in [*threads, killer.thread]:
            thread.join()
    assert not failed, failed

    settled = settle(flows.values(), STALLED_RETRIED_SECONDS if retried else STALLED_SECONDS)
    if options.planted_loss:
        flows["events"].seen["succeeded"].pop()
        messages = flows["messages"]
        # Wherever it is: it may have been done again.
        lost = next(message for message in messages.done if message not in messages.dead)
        messages.done = [message for message in messages.done if message != lost]
    verdicts = {name: flow.verdict() for name, flow in flows.items()}
    report(verdicts, killer.killed, settled)
    noticed = all(not verdicts[name].good for name in ("events", "messages"))
    good = all(verdict.good for verdict in verdicts.values())
    # What was not hit proves nothing.
    hit = killer.killed >= options.seconds / KILL_SECONDS / 4 and verdicts["events"].figures["failed"]
    answers = all(is_answering(flow) for flow in flows.values())
    if not (hit and answers):
        print(f"not ok: {killer.killed} kills hit nothing, or a function answers no more")
    return bool(hit and answers and (noticed if options.planted_loss else good))


def watch(flows, killer, seconds: float, failed: list):
    """Until the time is over or a sender has failed; tells each second how far it is."""
    ends = time.monotonic() + seconds
    while (left := ends - time.monotonic()) > 0 and not failed:
        time.sleep(min(1, left))
        sent = sum(len(flow.sent) for flow in flows)
        tell(f"{max(0, seconds - left):.0f} of {seconds:.0f} s, {sent:,} sent, {killer.killed} kills")


def tell(line):
    print(line, file=sys.stderr, flush=True)


def is_answering(flow) -> bool:
    """After all that, the function runs as before."""
    payload = json.dumps({"n": 0, "ms": 0, "Records": []})
    reply = flow.aws.functions.invoke(FunctionName=flow.name, Payload=payload)
    return "FunctionError" not in reply


def report(verdicts, killed, settled):
    print(f"{killed} kills; {settled:.1f} s until nothing was on its way")
    for name, verdict in verdicts.items():
        print(f"{name}: " + ", ".join(f"{n:,} {what}" for what, n in verdict.figures.items()))
        for kind, count in verdict.faults.items():
            print(f"FAULT {name}: {count} × {kind}, e.g. {verdict.examples[kind]}")


if __name__ == "__main__":
    sys.exit(main())
