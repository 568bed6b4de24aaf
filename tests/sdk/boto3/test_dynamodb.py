"""Tables: items of every type, expressions, pages, conditions, and the words of the errors."""

import threading
from decimal import Decimal

import boto3
import pytest
from botocore.exceptions import ClientError

EVERY_TYPE = {
    "pk": {"S": "all"},
    "sk": {"S": "types"},
    "text": {"S": "grüße 🛒"},
    "empty": {"S": ""},
    "number": {"N": "-1.5"},
    "bytes": {"B": b"\x00\xff"},
    "yes": {"BOOL": True},
    "nothing": {"NULL": True},
    "list": {"L": [{"S": "a"}, {"N": "1"}, {"L": []}]},
    "map": {"M": {"deep": {"M": {"er": {"BOOL": False}}}}},
    "strings": {"SS": ["a", "b"]},
    "numbers": {"NS": ["1", "2"]},
    "blobs": {"BS": [b"1", b"2"]},
}


@pytest.fixture
def table(db, name):
    db.create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[
            {"AttributeName": "pk", "AttributeType": "S"},
            {"AttributeName": "sk", "AttributeType": "S"},
        ],
        KeySchema=[
            {"AttributeName": "pk", "KeyType": "HASH"},
            {"AttributeName": "sk", "KeyType": "RANGE"},
        ],
    )
    db.get_waiter("table_exists").wait(TableName=name, WaiterConfig={"Delay": 1})
    yield name
    db.delete_table(TableName=name)


def key(pk="p", sk="s"):
    return {"pk": {"S": pk}, "sk": {"S": sk}}


def refused(call, **arguments):
    """The error of a call that must fail: code, message, HTTP status."""
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    response = caught.value.response
    error = response["Error"]
    return error["Code"], error["Message"], response["ResponseMetadata"]["HTTPStatusCode"]


def test_a_table_is_described_listed_and_deleted(db, name):
    definition = {
        "TableName": name,
        "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "N"}],
        "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
    }
    created = db.create_table(**definition)["TableDescription"]
    assert created["TableArn"] == f"arn:aws:dynamodb:us-east-1:000000000000:table/{name}"

    db.get_waiter("table_exists").wait(TableName=name, WaiterConfig={"Delay": 1})
    table = db.describe_table(TableName=name)["Table"]
    assert table["TableStatus"] == "ACTIVE"
    assert table["KeySchema"] == definition["KeySchema"]
    assert table["AttributeDefinitions"] == definition["AttributeDefinitions"]
    assert table["BillingModeSummary"]["BillingMode"] == "PAY_PER_REQUEST"
    assert name in [each for page in db.get_paginator("list_tables").paginate()
                    for each in page["TableNames"]]

    code, message, status = refused(db.create_table, **definition)
    assert (code, status) == ("ResourceInUseException", 400)
    assert name in message

    db.delete_table(TableName=name)
    db.get_waiter("table_not_exists").wait(TableName=name, WaiterConfig={"Delay": 1})
    code, message, status = refused(db.describe_table, TableName=name)
    assert (code, status) == ("ResourceNotFoundException", 400)
    assert message == f"Requested resource not found: Table: {name} not found"


def test_list_tables_in_pages(db, name):
    names = sorted(f"{name}-{index}" for index in range(3))
    for each in names:
        db.create_table(
            TableName=each,
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        )
    first = db.list_tables(ExclusiveStartTableName=name, Limit=2)
    assert first["TableNames"] == names[:2]
    assert first["LastEvaluatedTableName"] == names[1]
    rest = db.list_tables(ExclusiveStartTableName=names[1], Limit=1)
    assert rest["TableNames"] == names[2:]
    for each in names:
        db.delete_table(TableName=each)


def test_every_type_comes_back_as_it_was(db, table):
    db.put_item(TableName=table, Item=EVERY_TYPE)
    found = db.get_item(TableName=table, Key=key("all", "types"), ConsistentRead=True)["Item"]
    for attribute in ("strings", "numbers", "blobs"):  # a set has no order
        [(_, values)] = found[attribute].items()
        values.sort()
    assert found == EVERY_TYPE


@pytest.mark.parametrize(
    ("sent", "stored"),
    [
        ("12345678901234567890123456789012345678", "12345678901234567890123456789012345678"),
        ("0.00000000000000000000000000000000000001", "0.00000000000000000000000000000000000001"),
        ("1.50", "1.5"),
        ("+007", "7"),
        ("-0", "0"),
        ("1E+2", "100"),
        ("9.9999999999999999999999999999999999999E+125",
         "99999999999999999999999999999999999999" + "0" * 88),
    ],
)
def test_numbers_are_exact(db, table, sent, stored):
    db.put_item(TableName=table, Item={**key(), "n": {"N": sent}})
    found = db.get_item(TableName=table, Key=key())["Item"]["n"]["N"]
    assert found == stored  # written out, never with an exponent


@pytest.mark.parametrize("bad", ["1e126", "1e-131", "1" * 39, "abc", "", "0x1", "NaN", ""])
def test_numbers_that_are_none(db, table, bad):
    item = {**key(), "n": {"N": bad}}
    code, _, status = refused(db.put_item, TableName=table, Item=item)
    assert (code, status) == ("ValidationException", 400)


def test_a_missing_item_is_no_error(db, table):
    assert "Item" not in db.get_item(TableName=table, Key=key())
    db.delete_item(TableName=table, Key=key())


def test_put_returns_the_old_item(db, table):
    first = db.put_item(TableName=table, Item={**key(), "v": {"N": "1"}}, ReturnValues="ALL_OLD")
    assert "Attributes" not in first
    second = db.put_item(TableName=table, Item=key(), ReturnValues="ALL_OLD")
    assert second["Attributes"] == {**key(), "v": {"N": "1"}}
    gone = db.delete_item(TableName=table, Key=key(), ReturnValues="ALL_OLD")
    assert gone["Attributes"] == key()


def test_a_condition_that_fails_changes_nothing(db, table):
    db.put_item(TableName=table, Item={**key(), "v": {"N": "1"}})
    with pytest.raises(db.exceptions.ConditionalCheckFailedException) as caught:
        db.put_item(
            TableName=table,
            Item={**key(), "v": {"N": "2"}},
            ConditionExpression="attribute_not_exists(pk)",
            ReturnValuesOnConditionCheckFailure="ALL_OLD",
        )
    assert caught.value.response["Error"]["Message"] == "The conditional request failed"
    assert caught.value.response["Item"] == {**key(), "v": {"N": "1"}}
    assert db.get_item(TableName=table, Key=key())["Item"]["v"] == {"N": "1"}


CONDITIONS = [
    ("a = :one", True),
    ("a <> :one", False),
    ("a < :two AND b > :two", True),
    ("a >= :two OR NOT b <= :two", True),
    ("NOT (a = :one AND b = :three)", False),
    ("a BETWEEN :one AND :two", True),
    ("a IN (:two, :three)", False),
    ("attribute_exists(m.x.y)", True),
    ("attribute_exists(m.x.z)", False),
    ("attribute_not_exists(l[2])", True),
    ("attribute_type(l, :list)", True),
    ("begins_with(t, :he)", True),
    ("contains(t, :ell)", True),
    ("contains(l, :two)", True),
    ("contains(ss, :he)", True),
    ("size(t) = :five", True),
    ("size(l) = :two", True),
    ("#reserved = :one", True),
    ("a = t", False),  # different types are never equal
    ("absent = :one", False),
    ("absent <> :one", True),  # nothing is not that value
]


@pytest.mark.parametrize(("expression", "truth"), CONDITIONS)
def test_conditions(db, table, expression, truth):
    db.put_item(
        TableName=table,
        Item={
            **key(),
            "a": {"N": "1"},
            "b": {"N": "3"},
            "t": {"S": "hello"},
            "l": {"L": [{"N": "1"}, {"N": "2"}]},
            "ss": {"SS": ["he", "ho"]},
            "m": {"M": {"x": {"M": {"y": {"N": "0"}}}}},
            "status": {"N": "1"},
        },
    )
    values = {
        ":one": {"N": "1"},
        ":two": {"N": "2"},
        ":three": {"N": "3"},
        ":five": {"N": "5"},
        ":he": {"S": "he"},
        ":ell": {"S": "ell"},
        ":list": {"S": "L"},
    }
    arguments = {
        "TableName": table,
        "Key": key(),
        "ConditionExpression": expression,
    }
    used = {name: value for name, value in values.items() if name in expression}
    if used:
        arguments["ExpressionAttributeValues"] = used
    if "#reserved" in expression:
        arguments["ExpressionAttributeNames"] = {"#reserved": "status"}
    if truth:
        db.delete_item(**arguments)
        assert "Item" not in db.get_item(TableName=table, Key=key())
    else:
        assert refused(db.delete_item, **arguments)[0] == "ConditionalCheckFailedException"


UPDATES = [
    ("SET n = n + :two", {"n": {"N": "3"}}),
    ("SET n = :two - n", {"n": {"N": "1"}}),
    ("SET fresh = if_not_exists(fresh, :two), n = if_not_exists(n, :two)", {"fresh": {"N": "2"}}),
    ("SET l = list_append(l, :list)", {"l": {"L": [{"S": "a"}, {"S": "b"}, {"S": "z"}]}}),
    ("SET l = list_append(:list, l)", {"l": {"L": [{"S": "z"}, {"S": "a"}, {"S": "b"}]}}),
    ("SET l[0] = :two", {"l": {"L": [{"N": "2"}, {"S": "b"}]}}),
    ("SET l[9] = :two", {"l": {"L": [{"S": "a"}, {"S": "b"}, {"N": "2"}]}}),
    ("SET m.x = :two", {"m": {"M": {"x": {"N": "2"}}}}),
    ("SET n = o, o = n", {"n": {"N": "10"}, "o": {"N": "1"}}),  # both read before
    ("REMOVE n", {"n": None}),
    ("REMOVE l[0]", {"l": {"L": [{"S": "b"}]}}),
    ("REMOVE m.x, o", {"m": {"M": {}}, "o": None}),
    ("ADD n :two, fresh :two", {"n": {"N": "3"}, "fresh": {"N": "2"}}),
    ("ADD ss :set", {"ss": {"SS": ["a", "b", "c"]}}),
    ("DELETE ss :set", {"ss": {"SS": ["a"]}}),
    ("DELETE ss :all", {"ss": None}),  # an empty set does not exist
    ("SET n = :two REMOVE l ADD o :two DELETE ss :set",
     {"n": {"N": "2"}, "l": None, "o": {"N": "12"}, "ss": {"SS": ["a"]}}),
]


@pytest.mark.parametrize(("expression", "changed"), UPDATES)
def test_updates(db, table, expression, changed):
    before = {
        **key(),
        "n": {"N": "1"},
        "o": {"N": "10"},
        "l": {"L": [{"S": "a"}, {"S": "b"}]},
        "m": {"M": {"x": {"N": "1"}}},
        "ss": {"SS": ["a", "b"]},
    }
    values = {
        ":two": {"N": "2"},
        ":list": {"L": [{"S": "z"}]},
        ":set": {"SS": ["b", "c"]},
        ":all": {"SS": ["a", "b"]},
    }
    db.put_item(TableName=table, Item=before)
    used = {name: value for name, value in values.items() if name in expression}
    arguments = {"ExpressionAttributeValues": used} if used else {}
    reply = db.update_item(
        TableName=table, Key=key(), UpdateExpression=expression, ReturnValues="ALL_NEW", **arguments
    )
    after = reply["Attributes"]
    if "ss" in after:
        after["ss"]["SS"].sort()
    wanted = {name: value for name, value in {**before, **changed}.items() if value is not None}
    assert after == wanted


def test_what_an_update_returns(db, table):
    def update(values, returned):
        return db.update_item(
            TableName=table,
            Key=key(),
            UpdateExpression="SET a = :a",
            ExpressionAttributeValues={":a": {"N": values}},
            ReturnValues=returned,
        ).get("Attributes")

    assert update("1", "ALL_OLD") is None  # it was created by this update
    assert update("2", "UPDATED_OLD") == {"a": {"N": "1"}}
    assert update("3", "UPDATED_NEW") == {"a": {"N": "3"}}
    assert update("4", "ALL_OLD") == {**key(), "a": {"N": "3"}}
    assert update("5", "NONE") is None


def test_an_update_without_expression_makes_the_item(db, table):
    db.update_item(TableName=table, Key=key())
    assert db.get_item(TableName=table, Key=key())["Item"] == key()


def test_counters_lose_nothing(db, table):
    def count():
        for _ in range(25):
            db.update_item(
                TableName=table,
                Key=key(),
                UpdateExpression="ADD n :one",
                ExpressionAttributeValues={":one": {"N": "1"}},
            )

    threads = [threading.Thread(target=count) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert db.get_item(TableName=table, Key=key(), ConsistentRead=True)["Item"]["n"]["N"] == "200"


def test_one_of_many_wins_a_condition(db, table):
    wins = []

    def claim(index):
        try:
            db.put_item(
                TableName=table,
                Item={**key(), "owner": {"N": str(index)}},
                ConditionExpression="attribute_not_exists(pk)",
            )
            wins.append(index)
        except db.exceptions.ConditionalCheckFailedException:
            pass

    threads = [threading.Thread(target=claim, args=(index,)) for index in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(wins) == 1
    assert db.get_item(TableName=table, Key=key())["Item"]["owner"]["N"] == str(wins[0])


def fill(db, table, pk, count, **more):
    for start in range(0, count, 25):
        db.batch_write_item(
            RequestItems={
                table: [
                    {"PutRequest": {"Item": {**key(pk, f"{n:04}"), "n": {"N": str(n)}, **more}}}
                    for n in range(start, min(start + 25, count))
                ]
            }
        )


def sort_keys(items):
    return [item["sk"]["S"] for item in items]


QUERIES = [
    ("pk = :p", [f"{n:04}" for n in range(12)]),
    ("pk = :p AND sk = :four", ["0004"]),
    ("pk = :p AND sk < :four", ["0000", "0001", "0002", "0003"]),
    ("pk = :p AND sk >= :ten", ["0010", "0011"]),
    ("pk = :p AND sk BETWEEN :four AND :six", ["0004", "0005", "0006"]),
    ("pk = :p AND begins_with(sk, :tens)", ["0010", "0011"]),
    ("sk > :ten AND pk = :p", ["0011"]),
    ("(pk = :p) AND (sk = :four)", ["0004"]),
]


def test_queries(db, table):
    fill(db, table, "p", 12)
    fill(db, table, "other", 3)
    values = {":p": "p", ":four": "0004", ":six": "0006", ":ten": "0010", ":tens": "001"}
    for expression, wanted in QUERIES:
        used = {
            name: {"S": value}
            for name, value in values.items()
            if name in expression.replace("(", " ").replace(")", " ").replace(",", " ").split()
        }
        for forward in (True, False):
            reply = db.query(
                TableName=table,
                KeyConditionExpression=expression,
                ExpressionAttributeValues=used,
                ScanIndexForward=forward,
            )
            assert sort_keys(reply["Items"]) == (wanted if forward else wanted[::-1]), expression


def test_a_query_in_pages(db, table):
    fill(db, table, "p", 10)
    pages = list(
        db.get_paginator("query").paginate(
            TableName=table,
            KeyConditionExpression="pk = :p",
            FilterExpression="n <> :three",
            ExpressionAttributeValues={":p": {"S": "p"}, ":three": {"N": "3"}},
            PaginationConfig={"PageSize": 4},
        )
    )
    # The limit counts what was read, not what the filter left.
    assert [page["ScannedCount"] for page in pages] == [4, 4, 2]
    assert [page["Count"] for page in pages] == [3, 4, 2]
    assert pages[0]["LastEvaluatedKey"] == key("p", "0003")
    found = [sort_key for page in pages for sort_key in sort_keys(page["Items"])]
    assert found == [f"{n:04}" for n in range(10) if n != 3]


def test_counting_and_projecting(db, table):
    fill(db, table, "p", 5, m={"M": {"a": {"N": "1"}, "b": {"N": "2"}}})
    counted = db.query(
        TableName=table,
        KeyConditionExpression="pk = :p",
        ExpressionAttributeValues={":p": {"S": "p"}},
        Select="COUNT",
    )
    assert counted["Count"] == 5
    assert "Items" not in counted
    item = db.get_item(
        TableName=table,
        Key=key("p", "0000"),
        ProjectionExpression="#n, m.b, absent",
        ExpressionAttributeNames={"#n": "n"},
    )["Item"]
    assert item == {"n": {"N": "0"}, "m": {"M": {"b": {"N": "2"}}}}


def test_a_page_is_one_megabyte(db, table):
    for n in range(8):
        db.put_item(
            TableName=table, Item={**key("big", str(n)), "data": {"B": b"x" * 300_000}}
        )
    pages = list(
        db.get_paginator("query").paginate(
            TableName=table,
            KeyConditionExpression="pk = :p",
            ExpressionAttributeValues={":p": {"S": "big"}},
        )
    )
    assert {len(page["Items"]) for page in pages[:2]} <= {3, 4}
    assert sort_keys([item for page in pages for item in page["Items"]]) == list("01234567")


def test_a_scan_sees_everything_once(db, table):
    for pk in ("a", "b", "c"):
        fill(db, table, pk, 10)
    pages = db.get_paginator("scan").paginate(
        TableName=table,
        FilterExpression="n >= :five",
        ExpressionAttributeValues={":five": {"N": "5"}},
        PaginationConfig={"PageSize": 7},
    )
    found = [(item["pk"]["S"], item["sk"]["S"]) for page in pages for item in page["Items"]]
    assert sorted(found) == [(pk, f"{n:04}") for pk in "abc" for n in range(5, 10)]


def test_batches(db, table):
    fill(db, table, "p", 25)
    keys = [key("p", f"{n:04}") for n in range(25)] + [key("p", "missing")]
    reply = db.batch_get_item(RequestItems={table: {"Keys": keys, "ConsistentRead": True}})
    assert sorted(sort_keys(reply["Responses"][table])) == [f"{n:04}" for n in range(25)]
    assert reply["UnprocessedKeys"] == {}

    reply = db.batch_write_item(
        RequestItems={
            table: [
                {"DeleteRequest": {"Key": key("p", "0000")}},
                {"PutRequest": {"Item": {**key("p", "0001"), "n": {"N": "100"}}}},
            ]
        }
    )
    assert reply["UnprocessedItems"] == {}
    left = db.batch_get_item(RequestItems={table: {"Keys": keys[:2]}})["Responses"][table]
    assert left == [{**key("p", "0001"), "n": {"N": "100"}}]


def test_batches_that_are_too_much(db, table):
    puts = [{"PutRequest": {"Item": key("p", str(n))}} for n in range(26)]
    assert refused(db.batch_write_item, RequestItems={table: puts})[0] == "ValidationException"
    twice = [puts[0], {"DeleteRequest": {"Key": key("p", "0")}}]
    code, message, _ = refused(db.batch_write_item, RequestItems={table: twice})
    assert code == "ValidationException"
    assert message == "Provided list of item keys contains duplicates"


def test_consumed_capacity_when_asked(db, table):
    reply = db.put_item(TableName=table, Item=key(), ReturnConsumedCapacity="TOTAL")
    assert reply["ConsumedCapacity"] == {"TableName": table, "CapacityUnits": 1.0}
    assert "ConsumedCapacity" not in db.put_item(TableName=table, Item=key())


def test_parameters_older_than_expressions(db, table):
    """What SDKs and frameworks of before 2014 send says the same as expressions."""
    absent = {"pk": {"Exists": False}}
    db.put_item(TableName=table, Item={**key(), "n": {"N": "1"}}, Expected=absent)
    with pytest.raises(db.exceptions.ConditionalCheckFailedException):
        db.put_item(TableName=table, Item=key(), Expected=absent)
    updated = db.update_item(
        TableName=table,
        Key=key(),
        AttributeUpdates={
            "n": {"Action": "ADD", "Value": {"N": "4"}},
            "list": {"Action": "ADD", "Value": {"L": [{"S": "x"}]}},
        },
        Expected={"n": {"ComparisonOperator": "BETWEEN", "AttributeValueList": [
            {"N": "0"}, {"N": "1"},
        ]}},
        ReturnValues="UPDATED_NEW",
    )
    assert updated["Attributes"] == {"n": {"N": "5"}, "list": {"L": [{"S": "x"}]}}
    equal = {"ComparisonOperator": "EQ", "AttributeValueList": [{"S": "p"}]}
    starts = {"ComparisonOperator": "BEGINS_WITH", "AttributeValueList": [{"S": "s"}]}
    more = {"ComparisonOperator": "GT", "AttributeValueList": [{"N": "4"}]}
    found = db.query(
        TableName=table,
        KeyConditions={"pk": equal, "sk": starts},
        QueryFilter={"n": more, "none": {"ComparisonOperator": "NOT_NULL"}},
        ConditionalOperator="OR",
        AttributesToGet=["n", "none"],
    )
    assert found["Items"] == [{"n": {"N": "5"}}]
    none = {"ComparisonOperator": "NULL"}
    assert db.scan(TableName=table, ScanFilter={"n": none})["Count"] == 0
    wanted = "Can not use both expression and non-expression parameters in the same request: " \
        "Non-expression parameters: {ScanFilter} Expression parameters: {FilterExpression}"
    mixed = {"ScanFilter": {"n": none}, "FilterExpression": "attribute_exists(n)"}
    assert refused(db.scan, TableName=table, **mixed) == ("ValidationException", wanted, 400)


def test_the_resource_api(table):
    items = boto3.resource("dynamodb").Table(table)
    items.put_item(Item={"pk": "p", "sk": "s", "price": Decimal("0.1"), "tags": {"a", "b"}})
    found = items.get_item(Key={"pk": "p", "sk": "s"})["Item"]
    assert found == {"pk": "p", "sk": "s", "price": Decimal("0.1"), "tags": {"a", "b"}}


MISTAKES = [
    ("put_item", {"Item": {"pk": {"S": "p"}}},
     "One or more parameter values were invalid: Missing the key sk in the item"),
    ("put_item", {"Item": {"pk": {"N": "1"}, "sk": {"S": "s"}}},
     "One or more parameter values were invalid: Type mismatch for key pk expected: S actual: N"),
    ("put_item", {"Item": key("", "s")},
     "One or more parameter values are not valid. The AttributeValue for a key attribute cannot "
     "contain an empty string value. Key: pk"),
    ("get_item", {"Key": {"pk": {"S": "p"}}},
     "The provided key element does not match the schema"),
    ("put_item", {"Item": {**key(), "s": {"SS": []}}},
     "One or more parameter values were invalid: An string set  may not be empty"),
    ("put_item", {"Item": {**key(), "s": {"SS": ["a", "a"]}}},
     "One or more parameter values were invalid: Input collection [a, a] contains duplicates."),
    ("update_item", {"Key": key(), "UpdateExpression": "SET status = :v",
                     "ExpressionAttributeValues": {":v": {"N": "1"}}},
     "Invalid UpdateExpression: Attribute name is a reserved keyword; reserved keyword: status"),
    ("update_item", {"Key": key(), "UpdateExpression": "SET a = :v"},
     "Invalid UpdateExpression: An expression attribute value used in expression is not defined; "
     "attribute value: :v"),
    ("update_item", {"Key": key(), "UpdateExpression": "SET #a = :v",
                     "ExpressionAttributeValues": {":v": {"N": "1"}}},
     "Invalid UpdateExpression: An expression attribute name used in the document path is not "
     "defined; attribute name: #a"),
    ("update_item", {"Key": key(), "UpdateExpression": "SET a = :v",
                     "ExpressionAttributeValues": {":v": {"N": "1"}, ":w": {"N": "2"}}},
     "Value provided in ExpressionAttributeValues unused in expressions: keys: {:w}"),
    ("update_item", {"Key": key(), "UpdateExpression": "SET pk = :v",
                     "ExpressionAttributeValues": {":v": {"S": "q"}}},
     "One or more parameter values were invalid: Cannot update attribute pk. This attribute is "
     "part of the key"),
    ("update_item", {"Key": key(), "UpdateExpression": "SET a = :v, a = :v",
                     "ExpressionAttributeValues": {":v": {"N": "1"}}},
     "Invalid UpdateExpression: Two document paths overlap with each other; must remove or "
     "rewrite one of these paths; path one: [a], path two: [a]"),
    ("query", {"KeyConditionExpression": "sk = :v",
               "ExpressionAttributeValues": {":v": {"S": "s"}}},
     "Query condition missed key schema element: pk"),
    ("query", {"KeyConditionExpression": "pk > :v",
               "ExpressionAttributeValues": {":v": {"S": "s"}}},
     "Query key condition not supported"),
    ("scan", {"FilterExpression": "a ="},
     'Invalid FilterExpression: Syntax error; token: "<EOF>", near: "="'),
]


@pytest.mark.parametrize(("operation", "arguments", "wanted"), MISTAKES)
def test_mistakes_are_named_as_aws_names_them(db, table, operation, arguments, wanted):
    code, message, status = refused(getattr(db, operation), TableName=table, **arguments)
    assert (code, status) == ("ValidationException", 400)
    assert message.endswith(wanted)  # AWS counts the errors in front of some of them
