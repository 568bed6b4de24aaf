"""Streams: every change of an item, once and in order."""

import pytest


@pytest.fixture
def streams(aws):
    return aws("dynamodbstreams")


@pytest.fixture
def table(db, name):
    db.create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
    )
    db.get_waiter("table_exists").wait(TableName=name, WaiterConfig={"Delay": 1})
    yield name
    db.delete_table(TableName=name)


def records(streams, arn):
    found = []
    for shard in streams.describe_stream(StreamArn=arn)["StreamDescription"]["Shards"]:
        iterator = streams.get_shard_iterator(
            StreamArn=arn, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
        )["ShardIterator"]
        found += streams.get_records(ShardIterator=iterator)["Records"]
    return found


def test_changes_are_told_in_order(db, streams, table):
    described = db.describe_table(TableName=table)["Table"]
    arn = described["LatestStreamArn"]
    assert described["StreamSpecification"]["StreamViewType"] == "NEW_AND_OLD_IMAGES"
    assert arn.endswith(described["LatestStreamLabel"])
    item = {"pk": {"S": "a"}, "n": {"N": "1"}}
    db.put_item(TableName=table, Item=item)
    db.put_item(TableName=table, Item=item)  # changes nothing
    db.update_item(
        TableName=table,
        Key={"pk": {"S": "a"}},
        UpdateExpression="ADD n :one",
        ExpressionAttributeValues={":one": {"N": "1"}},
    )
    db.delete_item(TableName=table, Key={"pk": {"S": "a"}})
    told = records(streams, arn)
    assert [each["eventName"] for each in told] == ["INSERT", "MODIFY", "REMOVE"]
    assert told[1]["dynamodb"]["OldImage"] == item
    assert told[1]["dynamodb"]["NewImage"] == {**item, "n": {"N": "2"}}
    assert told[2]["dynamodb"]["Keys"] == {"pk": {"S": "a"}}
    numbers = [each["dynamodb"]["SequenceNumber"] for each in told]
    assert numbers == sorted(numbers)
    assert len({each["eventID"] for each in told}) == 3
    listed = streams.list_streams(TableName=table)["Streams"]
    assert [each["StreamArn"] for each in listed] == [arn]
