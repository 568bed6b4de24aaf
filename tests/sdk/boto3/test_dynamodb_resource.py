"""boto3's resource API: plain values instead of typed ones, conditions as objects, batch writers."""

from decimal import Decimal

import boto3
import pytest
from boto3.dynamodb.conditions import Attr, Key
from boto3.dynamodb.types import Binary

DEEP = {"list": [Decimal("1.5"), None, True, {"deeper": Binary(b"\x00\xff")}], "empty": ""}


@pytest.fixture
def dynamodb(endpoint):
    return boto3.resource("dynamodb")


@pytest.fixture
def orders(dynamodb, name):
    """A table of orders by user, with an index by status."""
    kinds = {"user": "S", "id": "N", "status": "S"}
    table = dynamodb.create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[
            {"AttributeName": attribute, "AttributeType": kind} for attribute, kind in kinds.items()
        ],
        KeySchema=keys("user", "id"),
        GlobalSecondaryIndexes=[
            {
                "IndexName": "byStatus",
                "KeySchema": keys("status", "id"),
                "Projection": {"ProjectionType": "ALL"},
            }
        ],
    )
    table.meta.client.get_waiter("table_exists").wait(TableName=name, WaiterConfig={"Delay": 1})
    yield table
    table.delete()


def keys(hash_key, range_key):
    return [
        {"AttributeName": hash_key, "KeyType": "HASH"},
        {"AttributeName": range_key, "KeyType": "RANGE"},
    ]


def order(number, status="open", **more):
    return {"user": "ada", "id": number, "status": status, **more}


def test_a_document_comes_back_as_it_was(orders):
    numbers = {Decimal("1"), Decimal("-0.5"), Decimal("12345678901234567890123456789012345678")}
    item = order(
        1, document=DEEP, tags={"a", "b"}, numbers=numbers, blobs={Binary(b"1"), Binary(b"2")}
    )
    orders.put_item(Item=item)
    assert orders.get_item(Key={"user": "ada", "id": 1}, ConsistentRead=True)["Item"] == item
    with pytest.raises(TypeError, match="Float"):
        orders.put_item(Item=order(2, price=0.1))  # the client's own refusal; Decimal is the way


def test_conditions_as_objects(orders):
    orders.put_item(Item=order(1, document=DEEP))
    failed = orders.meta.client.exceptions.ConditionalCheckFailedException
    with pytest.raises(failed):
        orders.put_item(Item=order(1), ConditionExpression=Attr("user").not_exists())
    update = {
        "Key": {"user": "ada", "id": 1},
        "UpdateExpression": "SET #s = :paid, #d.#l[0] = :n REMOVE #d.#e ADD paid :set",
        "ExpressionAttributeNames": {
            "#s": "status", "#d": "document", "#l": "list", "#e": "empty",
        },
        "ExpressionAttributeValues": {":paid": "paid", ":n": 2, ":set": {"card"}},
        "ReturnValues": "ALL_NEW",
    }
    is_open = Attr("status").eq("open") & Attr("document.list").size().gt(2)
    changed = orders.update_item(**update, ConditionExpression=is_open)["Attributes"]
    document = {"list": [2, *DEEP["list"][1:]]}
    assert changed == order(1, "paid", document=document, paid={"card"})
    with pytest.raises(failed) as caught:
        orders.update_item(
            **update, ConditionExpression=is_open, ReturnValuesOnConditionCheckFailure="ALL_OLD"
        )
    # An error is not made plain by the resource: neither on AWS.
    assert caught.value.response["Item"]["status"] == {"S": "paid"}


def test_an_index_in_pages(orders):
    with orders.batch_writer() as batch:  # cuts into requests of 25 by itself
        for number in range(60):
            batch.put_item(Item=order(number, ["open", "paid"][number % 2], n=number))
    query = {
        "IndexName": "byStatus",
        "KeyConditionExpression": Key("status").eq("paid") & Key("id").between(10, 50),
        "FilterExpression": ~Attr("n").is_in([11, 13]),
        "ScanIndexForward": False,
        "Limit": 7,
    }
    found, pages = [], 0
    while True:
        page = orders.query(**query)
        pages += 1
        found += [int(item["id"]) for item in page["Items"]]
        if "LastEvaluatedKey" not in page:
            break
        assert page["ScannedCount"] == 7
        assert set(page["LastEvaluatedKey"]) == {"user", "id", "status"}
        query["ExclusiveStartKey"] = page["LastEvaluatedKey"]
    assert found == list(range(49, 14, -2))
    assert pages == 3  # 7, 7, and the last 6 of 20

    segments = [
        orders.scan(Segment=segment, TotalSegments=4, Select="COUNT")["Count"]
        for segment in range(4)
    ]
    assert sum(segments) == 60


def test_batches(dynamodb, orders):
    with orders.batch_writer(overwrite_by_pkeys=["user", "id"]) as batch:
        for number in (1, 2, 3, 3):  # the last of the two is what is sent
            batch.put_item(Item=order(number, n=number))
        batch.delete_item(Key={"user": "ada", "id": 2})
    wanted = [{"user": "ada", "id": number} for number in (1, 2, 3)]
    answer = dynamodb.batch_get_item(RequestItems={orders.name: {"Keys": wanted}})
    found = sorted(int(item["id"]) for item in answer["Responses"][orders.name])
    assert (found, answer["UnprocessedKeys"]) == ([1, 3], {})


def test_a_transaction_and_why_it_was_cancelled(orders):
    client = orders.meta.client

    def put(number, **more):
        return {"Put": {"TableName": orders.name, "Item": order(number), **more}}

    fresh = {"ConditionExpression": "attribute_not_exists(id)"}
    client.transact_write_items(TransactItems=[put(1), put(2)])
    with pytest.raises(client.exceptions.TransactionCanceledException) as caught:
        client.transact_write_items(TransactItems=[put(3), put(1, **fresh)])
    codes = [reason["Code"] for reason in caught.value.response["CancellationReasons"]]
    assert codes == ["None", "ConditionalCheckFailed"]
    assert orders.scan(Select="COUNT")["Count"] == 2


def test_time_to_live(dynamodb, orders):
    client = orders.meta.client
    client.update_time_to_live(
        TableName=orders.name,
        TimeToLiveSpecification={"Enabled": True, "AttributeName": "until"},
    )
    told = client.describe_time_to_live(TableName=orders.name)["TimeToLiveDescription"]
    assert told["AttributeName"] == "until"
    assert told["TimeToLiveStatus"] in ("ENABLING", "ENABLED")
