"""PynamoDB: models with indexes, conditions, batches, transactions, versions and times to live."""

from datetime import datetime, timedelta, timezone

import pytest
from pynamodb.attributes import (
    BinaryAttribute,
    ListAttribute,
    MapAttribute,
    NumberAttribute,
    NumberSetAttribute,
    TTLAttribute,
    UnicodeAttribute,
    UnicodeSetAttribute,
    UTCDateTimeAttribute,
    VersionAttribute,
)
from pynamodb.connection import Connection
from pynamodb.exceptions import (
    DoesNotExist,
    PutError,
    TransactWriteError,
    UpdateError,
)
from pynamodb.indexes import AllProjection, GlobalSecondaryIndex
from pynamodb.models import Model
from pynamodb.transactions import TransactGet, TransactWrite


class Address(MapAttribute):
    street = UnicodeAttribute()
    floors = ListAttribute(null=True)


@pytest.fixture
def Order(endpoint, name):
    """A model with a table of its own, made by PynamoDB."""

    class ByStatus(GlobalSecondaryIndex):
        class Meta:
            index_name = "byStatus"
            projection = AllProjection()

        status = UnicodeAttribute(hash_key=True)
        number = NumberAttribute(range_key=True)

    class Order(Model):
        class Meta:
            table_name = name
            host = endpoint
            region = "us-east-1"
            billing_mode = "PAY_PER_REQUEST"
            max_retry_attempts = 0

        user = UnicodeAttribute(hash_key=True)
        number = NumberAttribute(range_key=True)
        status = UnicodeAttribute(default="open")
        placed = UTCDateTimeAttribute(null=True)
        address = Address(null=True)
        tags = UnicodeSetAttribute(null=True)
        sizes = NumberSetAttribute(null=True)
        receipt = BinaryAttribute(null=True, legacy_encoding=False)
        until = TTLAttribute(null=True)
        version = VersionAttribute()
        by_status = ByStatus()

    Order.create_table(wait=True)
    assert Order.exists()
    yield Order
    Order.delete_table()


def test_a_model_comes_back_as_it_was(Order):
    placed = datetime(2026, 3, 1, 12, 30, tzinfo=timezone.utc)
    address = Address(street="Grüße 1", floors=[1, "two", {"three": None}])
    saved = Order(
        "ada", 1, placed=placed, address=address, tags={"a", "b"}, sizes={1, 2.5},
        receipt=b"\x00\xff",
    )
    saved.save()
    found = Order.get("ada", 1, consistent_read=True)
    assert found.attribute_values.keys() == saved.attribute_values.keys()
    for attribute in ("placed", "tags", "sizes", "receipt", "version"):
        assert getattr(found, attribute) == getattr(saved, attribute)
    assert found.address.as_dict() == address.as_dict()
    with pytest.raises(DoesNotExist):
        Order.get("ada", 2)


def test_conditions_and_versions(Order):
    order = Order("ada", 1)
    order.save(Order.user.does_not_exist())
    assert order.version == 1
    with pytest.raises(PutError) as caught:
        Order("ada", 1).save(Order.user.does_not_exist())
    assert caught.value.cause_response_code == "ConditionalCheckFailedException"

    stale = Order.get("ada", 1)
    order.update(
        actions=[Order.status.set("paid"), Order.tags.add({"card"})],
        condition=Order.status == "open",
    )
    assert (order.status, order.tags, order.version) == ("paid", {"card"}, 2)
    with pytest.raises(UpdateError) as caught:  # the version has moved on
        stale.update(actions=[Order.status.set("void")])
    assert caught.value.cause_response_code == "ConditionalCheckFailedException"
    assert Order.get("ada", 1).status == "paid"


def test_an_index_in_pages(Order):
    with Order.batch_write() as batch:
        for number in range(40):
            batch.save(Order("ada", number, status="paid" if number % 2 else "open"))
    read = {"page_size": 4, "scan_index_forward": False}
    paid = Order.by_status.query("paid", Order.number.between(5, 30), **read)
    assert [order.number for order in paid] == list(range(29, 4, -2))

    first = Order.by_status.query("paid", limit=3)
    assert [order.number for order in first] == [1, 3, 5]
    assert set(first.last_evaluated_key) == {"user", "number", "status"}
    rest = Order.by_status.query("paid", last_evaluated_key=first.last_evaluated_key)
    assert [order.number for order in rest] == list(range(7, 40, 2))

    assert Order.count("ada", Order.number < 10, Order.status == "paid") == 5
    assert len(list(Order.scan(Order.number.is_in(1, 2, 99)))) == 2


def test_a_batch_is_read(Order):
    with Order.batch_write() as batch:
        for number in range(120):  # more than one request may ask for
            batch.save(Order("ada", number))
    found = Order.batch_get([("ada", number) for number in range(130)])
    assert sorted(order.number for order in found) == list(range(120))


def test_a_transaction_and_why_it_was_cancelled(Order, endpoint):
    connection = Connection(host=endpoint, region="us-east-1")
    first, second = Order("ada", 1), Order("ada", 2)
    with TransactWrite(connection=connection) as transaction:
        transaction.save(first, condition=Order.user.does_not_exist())
        transaction.save(second)
    with pytest.raises(TransactWriteError) as caught:
        with TransactWrite(connection=connection) as transaction:
            transaction.save(Order("ada", 3))
            transaction.update(
                second, actions=[Order.status.set("paid")], condition=Order.status == "void",
                return_values="ALL_OLD", add_version_condition=False,
            )
    reasons = caught.value.cancellation_reasons
    assert reasons[0] is None
    assert reasons[1].code == "ConditionalCheckFailed"
    assert reasons[1].message == "The conditional request failed"
    assert Order.from_raw_data(reasons[1].raw_item).status == "open"

    with TransactGet(connection=connection) as transaction:
        futures = [transaction.get(Order, "ada", number) for number in (1, 2, 3)]
    assert [futures[0].get().number, futures[1].get().number] == [1, 2]
    with pytest.raises(DoesNotExist):
        futures[2].get()


def test_time_to_live(Order):
    # `create_table` asked for it, because the model has an attribute of that kind.
    client = Order._get_connection().connection.client
    told = client.describe_time_to_live(TableName=Order.Meta.table_name)["TimeToLiveDescription"]
    assert told["AttributeName"] == "until"
    assert told["TimeToLiveStatus"] in ("ENABLING", "ENABLED")
    until = datetime.now(timezone.utc).replace(microsecond=0) + timedelta(hours=1)
    Order("ada", 1, until=until).save()
    assert Order.get("ada", 1).until == until
