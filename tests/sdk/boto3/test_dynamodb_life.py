"""Tables over time: items that expire, backups, restored tables, tags, policies, capacity."""

import time

import pytest
from botocore.exceptions import ClientError


@pytest.fixture
def made(db):
    """`made(name, …)` makes a table that is deleted at the end."""
    names = []

    def make(name, **more):
        db.create_table(
            **{
                "TableName": name,
                "BillingMode": "PAY_PER_REQUEST",
                "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
                "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
                **more,
            }
        )
        names.append(name)
        db.get_waiter("table_exists").wait(TableName=name, WaiterConfig={"Delay": 1})
        return name

    make.names = names
    yield make
    for name in names:
        try:
            db.delete_table(TableName=name)
        except db.exceptions.ResourceNotFoundException:
            pass  # the test deleted it


@pytest.fixture
def table(made, name):
    return made(name)


def put(db, table, key, **more):
    item = {"id": {"S": key}, **more}
    db.put_item(TableName=table, Item=item)
    return item


def items(db, table):
    pages = db.get_paginator("scan").paginate(TableName=table)
    return sorted((item for page in pages for item in page["Items"]), key=lambda i: i["id"]["S"])


def refused(call, **arguments):
    """The error of a call that must fail: code and message."""
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    error = caught.value.response["Error"]
    return error["Code"], error["Message"]


def test_items_go_once_they_have_expired(db, table, eventually):
    now = int(time.time())
    put(db, table, "before", until={"N": str(now - 5)})
    specification = {"Enabled": True, "AttributeName": "until"}
    reply = db.update_time_to_live(TableName=table, TimeToLiveSpecification=specification)
    assert reply["TimeToLiveSpecification"] == specification
    put(db, table, "soon", until={"N": str(now + 3)})
    stays = [
        put(db, table, "1-later", until={"N": str(now + 3600)}),
        put(db, table, "2-long-ago", until={"N": str(now - 6 * 365 * 86400)}),
        put(db, table, "3-text", until={"S": str(now)}),
        put(db, table, "4-never"),
    ]
    eventually(lambda: items(db, table) == stays, seconds=60)
    description = db.describe_time_to_live(TableName=table)["TimeToLiveDescription"]
    assert description == {"TimeToLiveStatus": "ENABLED", "AttributeName": "until"}
    again = {"TableName": table, "TimeToLiveSpecification": specification}
    already = ("ValidationException", "TimeToLive is already enabled")
    assert refused(db.update_time_to_live, **again) == already
    specification["Enabled"] = False
    often = "Time to live has been modified multiple times within a fixed interval"
    assert refused(db.update_time_to_live, **again) == ("ValidationException", often)


def test_tags(db, table):
    arn = db.describe_table(TableName=table)["Table"]["TableArn"]
    tags = [{"Key": "team", "Value": "shop"}, {"Key": "stage", "Value": "dev"}]
    db.tag_resource(ResourceArn=arn, Tags=tags)
    db.untag_resource(ResourceArn=arn, TagKeys=["team"])
    assert db.list_tags_of_resource(ResourceArn=arn)["Tags"] == tags[1:]
    error = refused(db.tag_resource, ResourceArn=arn, Tags=[])
    assert error == ("ValidationException", "Atleast one Tag needs to be provided as Input.")


def test_a_policy(db, table):
    arn = db.describe_table(TableName=table)["Table"]["TableArn"]
    policy = (
        '{"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Principal": '
        '{"AWS": "000000000000"}, "Action": ["dynamodb:GetItem"], "Resource": "%s"}}' % arn
    )
    revision = db.put_resource_policy(ResourceArn=arn, Policy=policy)["RevisionId"]
    kept = db.get_resource_policy(ResourceArn=arn)
    assert kept["RevisionId"] == revision
    assert kept["Policy"] == (
        '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":'
        '{"AWS":"arn:aws:iam::000000000000:root"},"Action":"dynamodb:GetItem",'
        '"Resource":"%s"}]}' % arn
    )
    db.delete_resource_policy(ResourceArn=arn)
    with pytest.raises(db.exceptions.PolicyNotFoundException):
        db.get_resource_policy(ResourceArn=arn)


def test_the_account(db):
    assert db.describe_limits()["TableMaxReadCapacityUnits"] == 40000
    address = db.describe_endpoints()["Endpoints"][0]["Address"]
    assert db.meta.endpoint_url.endswith(address)


def test_a_backup_is_restored(db, made, table, name):
    large = {"B": b"\x01" * 150_000}
    before = [put(db, table, f"{n:03}", large=large) for n in range(3)]
    before += [put(db, table, f"{n:03}", n={"N": str(n)}) for n in range(3, 120)]
    details = db.create_backup(TableName=table, BackupName="daily")["BackupDetails"]
    arn = details["BackupArn"]
    for n in range(120):
        put(db, table, f"{n:03}", n={"N": "-1"})
    put(db, table, "new")

    def status():
        description = db.describe_backup(BackupArn=arn)["BackupDescription"]
        return description["BackupDetails"]["BackupStatus"]

    deadline = time.monotonic() + 30
    while status() != "AVAILABLE":
        assert time.monotonic() < deadline
        time.sleep(0.1)
    listed = db.list_backups(TableName=table)["BackupSummaries"]
    assert [backup["BackupArn"] for backup in listed] == [arn]
    target = f"{name}-copy"
    made.names.append(target)
    restored = db.restore_table_from_backup(TargetTableName=target, BackupArn=arn)
    assert restored["TableDescription"]["TableStatus"] == "CREATING"
    db.get_waiter("table_exists").wait(TableName=target, WaiterConfig={"Delay": 1})
    assert items(db, target) == before
    deleted = db.delete_backup(BackupArn=arn)["BackupDescription"]["BackupDetails"]
    assert deleted["BackupStatus"] == "DELETED"
    with pytest.raises(db.exceptions.BackupNotFoundException):
        db.describe_backup(BackupArn=arn)
    # The copy's large items are its own.
    assert items(db, target) == before


def test_a_table_is_restored_to_a_point_in_time(db, made, table, name):
    restore = {"SourceTableName": table, "TargetTableName": f"{name}-copy"}
    off = refused(db.restore_table_to_point_in_time, UseLatestRestorableTime=True, **restore)
    assert off[0] == "PointInTimeRecoveryUnavailableException"
    specification = {"PointInTimeRecoveryEnabled": True, "RecoveryPeriodInDays": 3}
    reply = db.update_continuous_backups(
        TableName=table, PointInTimeRecoverySpecification=specification
    )
    recovery = reply["ContinuousBackupsDescription"]["PointInTimeRecoveryDescription"]
    assert recovery["PointInTimeRecoveryStatus"] == "ENABLED"
    assert recovery["RecoveryPeriodInDays"] == 3
    before = [put(db, table, "a", n={"N": "1"}), put(db, table, "b", big={"S": "x" * 100_000})]
    moment = int(time.time()) + 1
    while time.time() < moment + 0.5:
        time.sleep(0.1)
    put(db, table, "a", n={"N": "2"})
    db.delete_item(TableName=table, Key={"id": {"S": "b"}})
    put(db, table, "c")
    made.names.append(restore["TargetTableName"])
    db.restore_table_to_point_in_time(RestoreDateTime=moment, **restore)
    db.get_waiter("table_exists").wait(
        TableName=restore["TargetTableName"], WaiterConfig={"Delay": 1}
    )
    assert items(db, restore["TargetTableName"]) == before
    early = refused(
        db.restore_table_to_point_in_time,
        SourceTableName=table,
        TargetTableName=f"{name}-other",
        RestoreDateTime=moment - 3600,
    )
    assert early[0] == "InvalidRestoreTimeException"
    assert "must be within EarliestRestorableDateTime" in early[1]


def test_capacity_goes_up_and_down(db, made, name):
    units = {"ReadCapacityUnits": 5, "WriteCapacityUnits": 5}
    table = made(name, BillingMode="PROVISIONED", ProvisionedThroughput=units)
    more = {"ReadCapacityUnits": 15, "WriteCapacityUnits": 15}
    reply = db.update_table(TableName=table, ProvisionedThroughput=more)["TableDescription"]
    assert reply["TableStatus"] == "UPDATING"
    assert reply["ProvisionedThroughput"]["ReadCapacityUnits"] == 5
    now = db.describe_table(TableName=table)["Table"]["ProvisionedThroughput"]
    assert now["ReadCapacityUnits"] == 15
    assert now["LastIncreaseDateTime"]
    db.update_table(TableName=table, ProvisionedThroughput=units)
    now = db.describe_table(TableName=table)["Table"]["ProvisionedThroughput"]
    assert now["NumberOfDecreasesToday"] == 1
    code, message = refused(db.update_table, TableName=table, ProvisionedThroughput=units)
    assert code == "ValidationException"
    assert message.startswith("The provisioned throughput for the table will not change.")
