"""PartiQL: statements with literals and parameters, pages, batches, transactions, and refusals."""

import uuid

import pytest
from botocore.exceptions import ClientError


@pytest.fixture
def table(db, name):
    db.create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[
            {"AttributeName": "artist", "AttributeType": "S"},
            {"AttributeName": "year", "AttributeType": "N"},
        ],
        KeySchema=[
            {"AttributeName": "artist", "KeyType": "HASH"},
            {"AttributeName": "year", "KeyType": "RANGE"},
        ],
    )
    yield name
    db.delete_table(TableName=name)


def refused(call, **arguments):
    """The error of a call that must fail: code and message."""
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    error = caught.value.response["Error"]
    return error["Code"], error["Message"]


def song(table, artist, year):
    return f"INSERT INTO \"{table}\" VALUE {{'artist': '{artist}', 'year': {year}}}"


def years(items):
    return [int(item["year"]["N"]) for item in items]


def test_an_item_of_all_types(db, table):
    insert = (
        f"INSERT INTO \"{table}\" VALUE {{'artist': 'O''Hara', 'year': 1.99e3, 'live': TRUE, "
        "'none': NULL, 'map': {'k': [1, 'two']}, 'strings': <<'a', 'b'>>, 'numbers': <<1, 2>>, "
        "'bytes': ?}"
    )
    db.execute_statement(Statement=insert, Parameters=[{"B": b"\x00\xff"}])
    select = f"SELECT * FROM \"{table}\" WHERE artist = ? AND year = ?"
    found = db.execute_statement(Statement=select, Parameters=[{"S": "O'Hara"}, {"N": "1990"}])
    assert found["Items"] == [{
        "artist": {"S": "O'Hara"},
        "year": {"N": "1990"},
        "live": {"BOOL": True},
        "none": {"NULL": True},
        "map": {"M": {"k": {"L": [{"N": "1"}, {"S": "two"}]}}},
        "strings": {"SS": ["a", "b"]},
        "numbers": {"NS": ["1", "2"]},
        "bytes": {"B": b"\x00\xff"},
    }]
    assert refused(db.execute_statement, Statement=insert, Parameters=[{"B": b""}]) == (
        "DuplicateItemException", "Duplicate primary key exists in table",
    )


def test_update_and_delete(db, table):
    db.execute_statement(Statement=song(table, "a", 1))
    where = "WHERE artist = 'a' AND year = 1"
    update = f"UPDATE \"{table}\" SET plays = 1 SET tags = ['x'] {where} RETURNING MODIFIED NEW *"
    assert db.execute_statement(Statement=update)["Items"] == [
        {"plays": {"N": "1"}, "tags": {"L": [{"S": "x"}]}}
    ]
    db.execute_statement(Statement=f"UPDATE \"{table}\" SET plays = plays + 1 REMOVE tags {where}")
    wrong = f"UPDATE \"{table}\" SET plays = 0 {where} AND plays = 1"
    with pytest.raises(db.exceptions.ConditionalCheckFailedException) as caught:
        db.execute_statement(Statement=wrong, ReturnValuesOnConditionCheckFailure="ALL_OLD")
    assert caught.value.response["Item"]["plays"] == {"N": "2"}
    delete = f"DELETE FROM \"{table}\" {where} RETURNING ALL OLD *"
    [gone] = db.execute_statement(Statement=delete)["Items"]
    assert gone == {"artist": {"S": "a"}, "year": {"N": "1"}, "plays": {"N": "2"}}
    assert db.execute_statement(Statement=delete)["Items"] == []


def test_pages(db, table):
    for year in range(1, 8):
        db.execute_statement(Statement=song(table, "a", year))
    statement = f"SELECT year FROM \"{table}\" WHERE artist = 'a' AND year > 1 ORDER BY year DESC"
    found, more = [], {}
    while True:
        page = db.execute_statement(Statement=statement, Limit=2, ConsistentRead=True, **more)
        found += years(page["Items"])
        if "NextToken" not in page:
            break
        more = {"NextToken": page["NextToken"]}
    assert found == [7, 6, 5, 4, 3, 2]
    paths = f"SELECT * FROM \"{table}\" WHERE artist IN ['a', 'b'] AND year BETWEEN 2 AND 3"
    assert years(db.execute_statement(Statement=paths)["Items"]) == [2, 3]


def test_a_batch(db, table):
    inserts = [{"Statement": song(table, "a", year)} for year in (1, 2, 1)]
    responses = db.batch_execute_statement(Statements=inserts)["Responses"]
    assert responses[:2] == [{"TableName": table}, {"TableName": table}]
    assert responses[2]["Error"]["Code"] == "DuplicateItem"
    reads = [
        {
            "Statement": f"SELECT year FROM \"{table}\" WHERE artist = ? AND year = ?",
            "Parameters": [{"S": "a"}, {"N": str(year)}],
        }
        for year in (2, 9)
    ]
    responses = db.batch_execute_statement(Statements=reads)["Responses"]
    assert responses == [{"TableName": table, "Item": {"year": {"N": "2"}}}, {"TableName": table}]


def test_a_transaction(db, table):
    exists = f"EXISTS(SELECT * FROM \"{table}\" WHERE artist = 'a' AND year = 1 AND p IS MISSING)"
    statements = [{"Statement": exists}, {"Statement": song(table, "a", 2)}]
    with pytest.raises(db.exceptions.TransactionCanceledException) as caught:
        db.execute_transaction(TransactStatements=statements)
    codes = [each["Code"] for each in caught.value.response["CancellationReasons"]]
    assert codes == ["ConditionalCheckFailed", "None"]
    db.execute_statement(Statement=song(table, "a", 1))
    token = str(uuid.uuid4())
    for _ in range(2):
        done = db.execute_transaction(TransactStatements=statements, ClientRequestToken=token)
        assert done["Responses"] == []
    reads = [
        {"Statement": f"SELECT year FROM \"{table}\" WHERE artist = 'a' AND year = {year}"}
        for year in (2, 3)
    ]
    responses = db.execute_transaction(TransactStatements=reads)["Responses"]
    assert responses == [{"Item": {"year": {"N": "2"}}}, {}]


@pytest.mark.parametrize("statement, message", [
    ("SELCT * FROM x", "Statement wasn't well formed, can't be processed: Expected data manipulation"),
    ("SELECT * FROM {0} WHERE artist = 'a' foo",
     "Statement wasn't well formed, can't be processed: Unexpected token after expression"),
    ("SELECT * FROM {0} t", "Aliasing is not supported"),
    ("DELETE FROM {0} WHERE artist = 'a'",
     "Where clause does not contain a mandatory equality on all key attributes"),
    ("SELECT * FROM {0} WHERE artist = ?",
     "Number of parameters in request and statement don't match."),
    ("SELECT * FROM {0} WHERE plays > <<1>>",
     "Incorrect operand type for operator or function; operator or function: >, operand type: NS"),
])
def test_refusals(db, table, statement, message):
    statement = statement.format(f'"{table}"')
    assert refused(db.execute_statement, Statement=statement) == ("ValidationException", message)
