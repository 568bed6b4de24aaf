"""A full disk: writes are refused by name, reads and deletes go on, and space heals it."""

import os
import subprocess

import boto3
import botocore.config
import pytest
from botocore.exceptions import ClientError

from server import Server

DISK_MB = 192


@pytest.fixture
def disk(tmp_path):
    """A small disk of our own."""
    mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK_MB}m", "cumulet-test", str(tmp_path)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True).returncode != 0:
        pytest.skip("a disk can be mounted by root only")
    yield tmp_path
    subprocess.run(["umount", "--lazy", str(tmp_path)], check=True)


def test_a_full_disk(disk, eventually):
    with Server(data=disk / "data") as server:
        db = boto3.client(
            "dynamodb", endpoint_url=server.url, region_name="us-east-1",
            aws_access_key_id="x", aws_secret_access_key="x",
            config=botocore.config.Config(retries={"total_max_attempts": 1}),
        )
        db.create_table(
            TableName="full",
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "N"}],
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        )
        written = set()

        def put(number):
            item = {"id": {"N": str(number)}, "data": {"B": os.urandom(100_000)}}
            db.put_item(TableName="full", Item=item)
            written.add(number)

        def get(number):
            return db.get_item(TableName="full", Key={"id": {"N": str(number)}}).get("Item")

        for number in range(20):
            put(number)
        free = os.statvfs(disk).f_bavail * os.statvfs(disk).f_frsize
        ballast = disk / "ballast"
        ballast.write_bytes(b"\0" * max(0, free - 64_000_000))

        refusal = None
        for number in range(20, 2000):
            try:
                put(number)
            except ClientError as error:
                refusal = error.response
                break
        assert refusal, "the disk never filled"
        assert refusal["ResponseMetadata"]["HTTPStatusCode"] in (500, 503), refusal
        text = refusal["Error"]["Message"].lower()
        assert "disk" in text or "space" in text, refusal

        assert server.healthy(), server.log()
        for number in written:
            assert get(number), f"item {number} was acknowledged and is gone"
        db.delete_item(TableName="full", Key={"id": {"N": "0"}})
        written.discard(0)
        assert get(0) is None

        ballast.unlink()

        def healed():
            try:
                put(5000)
                return True
            except ClientError:
                return None

        eventually(healed, seconds=5)
        server.kill()
        server.start()
        assert get(0) is None
        for number in written:
            assert get(number), f"item {number} was acknowledged and is gone after a restart"
