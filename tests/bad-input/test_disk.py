"""A full disk: writes are refused by name, reads and deletes go on, and space heals it."""

import itertools
import os
import subprocess
import threading
import time

import boto3
import botocore.config
import pytest
from botocore.exceptions import ClientError

from server import Server

DISK_MB = 384


@pytest.fixture
def disk(tmp_path):
    """A small disk of our own."""
    mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK_MB}m", "cumulet-test", str(tmp_path)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True).returncode != 0:
        pytest.skip("a disk can be mounted by root only")
    yield tmp_path
    subprocess.run(["umount", "--lazy", str(tmp_path)], check=True)


class Table:
    """A table of items that remembers what was acknowledged."""

    def __init__(self, server):
        self.db = boto3.client(
            "dynamodb", endpoint_url=server.url, region_name="us-east-1",
            aws_access_key_id="x", aws_secret_access_key="x",
            config=botocore.config.Config(retries={"total_max_attempts": 1}),
        )
        self.written, self.deleted = set(), set()

    def create(self):
        self.db.create_table(
            TableName="full",
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "N"}],
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        )
        return self

    def put(self, number, size=100_000):
        item = {"id": {"N": str(number)}, "data": {"B": os.urandom(size)}}
        self.db.put_item(TableName="full", Item=item)
        self.written.add(number)

    def get(self, number):
        return self.db.get_item(TableName="full", Key={"id": {"N": str(number)}}).get("Item")

    def delete(self, number):
        self.written.discard(number)
        self.db.delete_item(TableName="full", Key={"id": {"N": str(number)}})
        self.deleted.add(number)

    def put_or_refusal(self, number, **more):
        """None, or the refusal, which must be one of a full disk."""
        try:
            return self.put(number, **more)
        except ClientError as error:
            refusal = error.response
        assert refusal["ResponseMetadata"]["HTTPStatusCode"] == 503, refusal
        assert refusal["Error"]["Code"] == "ServiceUnavailable", refusal
        assert "disk" in refusal["Error"]["Message"], refusal
        return refusal

    def check(self):
        for number in self.written:
            assert self.get(number), f"item {number} was acknowledged and is gone"
        for number in self.deleted:
            assert not self.get(number), f"item {number} was deleted and is there"


def fill(disk, leave_mb):
    """As another process would: until so much is free, or nothing."""
    ballast = disk / "ballast"
    with open(ballast, "ab", buffering=0) as file:
        free = os.statvfs(disk).f_bavail * os.statvfs(disk).f_frsize
        for _ in range(max(0, free - leave_mb * 1_000_000) // 65536 + 1):
            try:
                file.write(b"\0" * 65536)
            except OSError:
                break
    return ballast


def test_a_full_disk(disk, eventually):
    with Server(data=disk / "data") as server:
        table = Table(server).create()
        for number in range(20):
            table.put(number)
        ballast = fill(disk, leave_mb=120)
        refused = any(table.put_or_refusal(number) for number in range(20, 2000))
        assert refused, "the disk never filled"

        assert server.healthy(), server.log()
        table.delete(0)
        table.check()

        ballast.unlink()
        eventually(lambda: table.put_or_refusal(5000) is None, seconds=5)
        server.kill()
        server.start()
        table.check()


@pytest.mark.parametrize("leave_mb", [60, 0])
def test_a_start_on_a_full_disk(disk, leave_mb, eventually):
    """What is there can be read and deleted."""
    with Server(data=disk / "data") as server:
        table = Table(server).create()
        for number in range(20):
            table.put(number, size=1_000 if number % 2 else 100_000)
        server.kill()
        ballast = fill(disk, leave_mb)
        server.start()
        assert table.put_or_refusal(100), "there was room"
        table.delete(0)
        table.delete(1)
        table.check()
        ballast.unlink()
        eventually(lambda: table.put_or_refusal(100) is None, seconds=5)
        table.check()


def test_what_frees_space_goes_on_where_others_leave_none(disk, eventually):
    """A reserve is set aside for it, and set aside again once there is room."""
    with Server(data=disk / "data") as server:
        table = Table(server).create()
        sqs = boto3.client(
            "sqs", endpoint_url=server.url, region_name="us-east-1",
            aws_access_key_id="x", aws_secret_access_key="x",
        )
        queue = sqs.create_queue(QueueName="full")["QueueUrl"]
        for again in range(2):
            numbers = range(again * 1000, again * 1000 + 200)
            for number in numbers:
                table.put(number, size=1_000)
            sqs.send_message(QueueUrl=queue, MessageBody=f"message {again}")
            ballast = fill(disk, leave_mb=0)
            assert table.put_or_refusal(9999), "there was room"
            for number in numbers[:100]:
                table.delete(number)
            [message] = sqs.receive_message(QueueUrl=queue)["Messages"]
            sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
            assert table.put_or_refusal(9999), "the reserve is for what frees space"
            table.check()
            ballast.unlink()
            eventually(lambda: table.put_or_refusal(5000) is None, seconds=5)
        server.kill()
        server.start()
        table.check()


def test_a_new_store_on_a_full_disk(disk):
    fill(disk, leave_mb=60)
    with pytest.raises(RuntimeError, match="(?s)disk is full.*help: free "):
        Server(data=disk / "data").start()


def test_another_process_fills_the_disk(disk, eventually):
    """Just when a table is written in the background: fjall does not get over that by itself."""
    with Server(data=disk / "data") as server:
        table = Table(server).create()
        tables = lambda: set((disk / "data" / "kv").rglob("tables/*"))
        for start in range(0, 20_000, 10_000):
            fill(disk, leave_mb=150)
            done, before = threading.Event(), tables()

            def write(numbers):
                while not done.is_set():
                    table.put_or_refusal(next(numbers), size=60_000)

            threads = [
                threading.Thread(target=write, args=(itertools.count(start + of * 1000),))
                for of in range(4)
            ]
            for thread in threads:
                thread.start()
            deadline = time.monotonic() + 5
            while not tables() - before and time.monotonic() < deadline:
                time.sleep(0.001)
            ballast = fill(disk, leave_mb=0)
            time.sleep(0.3)
            done.set()
            for thread in threads:
                thread.join()
            ballast.unlink()
            eventually(lambda: table.put_or_refusal(start + 9999) is None, seconds=5)
            assert server.process.poll() is None, server.log()
            table.check()
            for number in sorted(table.written)[10:]:
                table.delete(number)
        server.kill()
        server.start()
        table.check()
