"""Secondary indexes: made with a table or added to it, read in their order, kept with the items."""

import threading
import time

import pytest
from botocore.exceptions import ClientError

UNITS = {"ReadCapacityUnits": 1, "WriteCapacityUnits": 1}


def keys(*names):
    kinds = ["HASH", "RANGE"]
    return [{"AttributeName": name, "KeyType": kind} for name, kind in zip(names, kinds)]


def definitions(**kinds):
    return [{"AttributeName": name, "AttributeType": kind} for name, kind in kinds.items()]


def index(name, *names, projection="ALL", more=None):
    projection = {"ProjectionType": projection}
    if more:
        projection["NonKeyAttributes"] = more
    return {"IndexName": name, "KeySchema": keys(*names), "Projection": projection}


@pytest.fixture
def table(db, name):
    db.create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=definitions(pk="S", sk="S", day="S", price="N"),
        KeySchema=keys("pk", "sk"),
        LocalSecondaryIndexes=[
            index("byPrice", "pk", "price", projection="INCLUDE", more=["name"])
        ],
        GlobalSecondaryIndexes=[
            index("byDay", "day", "price"),
            index("days", "day", projection="KEYS_ONLY"),
        ],
    )
    db.get_waiter("table_exists").wait(TableName=name, WaiterConfig={"Delay": 1})
    yield name
    db.delete_table(TableName=name)


def order(pk, sk, day, price):
    item = {"pk": {"S": pk}, "sk": {"S": sk}, "name": {"S": sk}, "note": {"S": "x"}}
    if day:
        item["day"] = {"S": day}
    if price is not None:
        item["price"] = {"N": str(price)}
    return item


def refused(call, **arguments):
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    error = caught.value.response["Error"]
    return error["Code"], error["Message"]


def query(db, table, name, attribute, value, **more):
    pages = db.get_paginator("query").paginate(
        TableName=table,
        IndexName=name,
        KeyConditionExpression="#k = :k",
        ExpressionAttributeNames={"#k": attribute},
        ExpressionAttributeValues={":k": {"S": value}},
        **more,
    )
    return [item for page in pages for item in page["Items"]]


def names(items):
    return [item["sk"]["S"] for item in items]


def test_an_index_is_read_in_its_order(db, table):
    for pk, sk, day, price in [
        ("a", "one", "mon", 30),
        ("a", "two", "mon", -4),
        ("b", "three", "mon", 5),
        ("b", "four", "tue", 1),
        ("a", "five", None, 2),
        ("a", "six", "mon", None),
    ]:
        db.put_item(TableName=table, Item=order(pk, sk, day, price))
    paged = {"PaginationConfig": {"PageSize": 2}}
    assert names(query(db, table, "byDay", "day", "mon", **paged)) == ["two", "three", "one"]
    backward = query(db, table, "byDay", "day", "mon", ScanIndexForward=False, **paged)
    assert names(backward) == ["one", "three", "two"]
    found = query(db, table, "days", "day", "mon", **paged)
    assert sorted(names(found)) == ["one", "six", "three", "two"]
    assert set(found[0]) == {"pk", "sk", "day"}
    local = query(db, table, "byPrice", "pk", "a", ConsistentRead=True)
    assert names(local) == ["two", "five", "one"]
    assert set(local[0]) == {"pk", "sk", "price", "name"}
    fetched = query(db, table, "byPrice", "pk", "a", ProjectionExpression="sk, note")
    assert fetched[0] == {"sk": {"S": "two"}, "note": {"S": "x"}}
    scanned = db.scan(TableName=table, IndexName="byDay")
    assert sorted(names(scanned["Items"])) == ["four", "one", "three", "two"]


def test_an_index_follows_the_items(db, table):
    db.put_item(TableName=table, Item=order("a", "one", "mon", 1))
    db.update_item(
        TableName=table,
        Key={"pk": {"S": "a"}, "sk": {"S": "one"}},
        UpdateExpression="SET #d = :d",
        ExpressionAttributeNames={"#d": "day"},
        ExpressionAttributeValues={":d": {"S": "tue"}},
    )
    assert query(db, table, "byDay", "day", "mon") == []
    assert query(db, table, "byDay", "day", "tue") == [order("a", "one", "tue", 1)]
    used = db.delete_item(
        TableName=table,
        Key={"pk": {"S": "a"}, "sk": {"S": "one"}},
        ReturnConsumedCapacity="INDEXES",
        ReturnItemCollectionMetrics="SIZE",
    )
    assert used["ConsumedCapacity"]["GlobalSecondaryIndexes"]["byDay"]["CapacityUnits"] == 1
    assert used["ConsumedCapacity"]["CapacityUnits"] == 4
    assert used["ItemCollectionMetrics"]["SizeEstimateRangeGB"] == [0, 1]
    assert query(db, table, "byDay", "day", "tue") == []


def test_the_words_of_refusals(db, table):
    code, message = refused(
        db.put_item, TableName=table, Item={**order("a", "one", None, 1), "day": {"N": "1"}}
    )
    assert code == "ValidationException"
    assert message == (
        "One or more parameter values were invalid: Type mismatch for Index Key day "
        "Expected: S Actual: N IndexName: byDay"
    )
    read = {"TableName": table, "IndexName": "days"}
    assert refused(db.scan, **read, ConsistentRead=True)[1] == (
        "Consistent reads are not supported on global secondary indexes"
    )
    assert refused(db.scan, **read, ProjectionExpression="pk, note")[1] == (
        "One or more parameter values were invalid: Global secondary index days does not project "
        "[note]"
    )


def test_an_index_is_added_while_writes_go_on_and_taken_away(db, name):
    db.create_table(
        TableName=name,
        AttributeDefinitions=definitions(pk="S"),
        KeySchema=keys("pk"),
        ProvisionedThroughput=UNITS,
    )
    def put(number):
        item = {"pk": {"S": str(number)}, "kind": {"S": f"kind{number % 3}"}}
        db.put_item(TableName=name, Item=item)

    for number in range(300):
        put(number)

    stop = threading.Event()
    written = []

    def write():
        while not stop.is_set():
            put(300 + len(written))
            written.append(None)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        create = {**index("byKind", "kind"), "ProvisionedThroughput": UNITS}
        table = db.update_table(
            TableName=name,
            AttributeDefinitions=definitions(kind="S"),
            GlobalSecondaryIndexUpdates=[{"Create": create}],
        )["TableDescription"]
        assert table["GlobalSecondaryIndexes"][0]["IndexStatus"] == "CREATING"
        wait_for(db, name, ["ACTIVE"])
    finally:
        stop.set()
        writer.join()
    counts = [len(query(db, name, "byKind", "kind", f"kind{kind}")) for kind in range(3)]
    assert sum(counts) == 300 + len(written)

    db.update_table(
        TableName=name, GlobalSecondaryIndexUpdates=[{"Delete": {"IndexName": "byKind"}}]
    )
    wait_for(db, name, [])
    code, message = refused(db.scan, TableName=name, IndexName="byKind")
    assert message == "The table does not have the specified index: byKind"
    described = db.describe_table(TableName=name)["Table"]
    assert described["AttributeDefinitions"] == definitions(pk="S")
    db.delete_table(TableName=name)


def wait_for(db, table, wanted):
    until = time.monotonic() + 20
    while True:
        found = db.describe_table(TableName=table)["Table"].get("GlobalSecondaryIndexes", [])
        if [each["IndexStatus"] for each in found] == wanted:
            return
        assert time.monotonic() < until, found
        time.sleep(0.1)
