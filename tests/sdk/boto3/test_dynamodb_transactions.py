"""Transactions of tables: all or nothing, reasons in order, tokens used once, one moment for reads."""

import threading
import uuid

import boto3
import pytest
from botocore.exceptions import ClientError

SUM = 1_000


@pytest.fixture
def tables(db, name):
    """Two tables with the key `pk`."""
    made = [f"{name}-one", f"{name}-two"]
    for each in made:
        db.create_table(
            TableName=each,
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
            KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        )
    yield made
    for each in made:
        db.delete_table(TableName=each)


def put(table, pk, **more):
    return {"Put": {"TableName": table, "Item": {"pk": {"S": pk}, "n": {"N": "1"}}, **more}}


def add(table, pk, n):
    return {
        "Update": {
            "TableName": table,
            "Key": {"pk": {"S": pk}},
            "UpdateExpression": "ADD n :n",
            "ExpressionAttributeValues": {":n": {"N": str(n)}},
        }
    }


def get(table, pk):
    return {"Get": {"TableName": table, "Key": {"pk": {"S": pk}}}}


def numbers(db, gets):
    responses = db.transact_get_items(TransactItems=gets)["Responses"]
    return [int(each["Item"]["n"]["N"]) if "Item" in each else None for each in responses]


def test_all_or_nothing_over_two_tables(db, tables):
    one, two = tables
    db.transact_write_items(TransactItems=[put(one, "a"), put(two, "a"), add(two, "b", 5)])
    gets = [get(two, "b"), get(one, "a"), get(one, "none")]
    assert numbers(db, gets) == [5, 1, None]
    fresh = {"ConditionExpression": "attribute_not_exists(pk)"}
    told = {**fresh, "ReturnValuesOnConditionCheckFailure": "ALL_OLD"}
    with pytest.raises(db.exceptions.TransactionCanceledException) as caught:
        db.transact_write_items(
            TransactItems=[add(two, "b", 5), put(one, "a", **told), put(one, "new", **fresh)]
        )
    response = caught.value.response
    assert response["Error"]["Message"] == (
        "Transaction cancelled, please refer cancellation reasons for specific reasons "
        "[None, ConditionalCheckFailed, None]"
    )
    assert response["CancellationReasons"] == [
        {"Code": "None"},
        {
            "Code": "ConditionalCheckFailed",
            "Message": "The conditional request failed",
            "Item": {"pk": {"S": "a"}, "n": {"N": "1"}},
        },
        {"Code": "None"},
    ]
    assert numbers(db, gets) == [5, 1, None]


def test_a_token_is_used_once(db, tables):
    request = {
        "TransactItems": [add(tables[0], "counter", 1)],
        "ClientRequestToken": str(uuid.uuid4()),
        "ReturnConsumedCapacity": "TOTAL",
    }
    first = db.transact_write_items(**request)["ConsumedCapacity"]
    again = db.transact_write_items(**request)["ConsumedCapacity"]
    assert first == [{"TableName": tables[0], "CapacityUnits": 2.0, "WriteCapacityUnits": 2.0}]
    assert again == [{"TableName": tables[0], "CapacityUnits": 2.0, "ReadCapacityUnits": 2.0}]
    assert numbers(db, [get(tables[0], "counter")]) == [1]
    with pytest.raises(db.exceptions.IdempotentParameterMismatchException):
        db.transact_write_items(**{**request, "TransactItems": [add(tables[0], "counter", 2)]})
    assert numbers(db, [get(tables[0], "counter")]) == [1]


def test_two_actions_on_one_item(db, tables):
    with pytest.raises(ClientError) as caught:
        db.transact_write_items(TransactItems=[put(tables[0], "a"), add(tables[0], "a", 1)])
    error = caught.value.response["Error"]
    assert error["Code"] == "ValidationException"
    wanted = "Transaction request cannot include multiple operations on one item"
    assert error["Message"] == wanted


def test_every_read_sees_the_same_sum(db, tables):
    one, two = tables
    db.transact_write_items(TransactItems=[add(one, "x", SUM), add(two, "y", 0)])

    def transfer():
        for n in range(20):
            db.transact_write_items(TransactItems=[add(one, "x", -n), add(two, "y", n)])

    clients = [threading.Thread(target=transfer) for _ in range(4)]
    for client in clients:
        client.start()
    while any(client.is_alive() for client in clients):
        assert sum(numbers(db, [get(one, "x"), get(two, "y")])) == SUM
    for client in clients:
        client.join()
    assert numbers(db, [get(one, "x"), get(two, "y")]) == [SUM - 4 * 190, 4 * 190]


def test_the_documents_of_the_resource(aws, tables):
    """The resource's client takes plain values, in transactions, too."""
    client = boto3.resource(
        "dynamodb", endpoint_url=aws("dynamodb").meta.endpoint_url, region_name="us-east-1",
        aws_access_key_id="x", aws_secret_access_key="x",
    ).meta.client
    item = {"pk": "plain", "list": ["a", {"b": True}]}
    client.transact_write_items(TransactItems=[{"Put": {"TableName": tables[0], "Item": item}}])
    gets = [{"Get": {"TableName": tables[0], "Key": {"pk": "plain"}}}]
    assert client.transact_get_items(TransactItems=gets)["Responses"][0]["Item"] == item
