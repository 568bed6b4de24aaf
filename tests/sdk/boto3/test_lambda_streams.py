"""Tables feed functions: what a function is told of a table's changes, and what becomes of those it
fails on."""

import json
import time

import pytest
from botocore.exceptions import ClientError

# Answers with what it was given, in its log.
TELL = """
exports.handler = async (event) => { console.log('got ' + JSON.stringify(event)); };
"""
TELL_PYTHON = """
import json

def handler(event, context):
    print("got " + json.dumps(event))
"""
# Fails on items that are said to be bad, and says so in one way or the other.
PICKY = """
exports.handler = async (event) => {
  const keys = event.Records.map((r) => r.dynamodb.Keys.pk.S);
  console.log('got ' + JSON.stringify(keys));
  const bad = event.Records.find((r) => r.dynamodb.NewImage.bad);
  if (bad && process.env.REPORTS) {
    return { batchItemFailures: [{ itemIdentifier: bad.dynamodb.SequenceNumber }] };
  }
  if (bad) throw new Error('bad');
};
"""
# Adds up through a window.
SUM = """
exports.handler = async (event) => {
  let sum = event.state.sum || 0;
  for (const r of event.Records) sum += Number(r.dynamodb.NewImage.n.N);
  if (event.isFinalInvokeForWindow) console.log('got ' + JSON.stringify(sum));
  return { state: { sum } };
};
"""


@pytest.fixture
def table(aws, name):
    """`table()` makes a table with a stream and gives the stream's ARN."""
    db = aws("dynamodb")
    made = []

    def make(view="NEW_AND_OLD_IMAGES"):
        table = db.create_table(
            TableName=f"{name}-{len(made)}",
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
            KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
            StreamSpecification={"StreamEnabled": True, "StreamViewType": view},
        )["TableDescription"]
        made.append(table["TableName"])
        return table["TableName"], table["LatestStreamArn"]

    yield make
    for each in made:
        db.delete_table(TableName=each)


@pytest.fixture
def got(aws, eventually):
    """`got(function, n)` waits for as many lines of a function's log as it is to have written."""

    def look(function, count):
        try:
            found = aws("logs").filter_log_events(
                logGroupName=f"/aws/lambda/{function}", filterPattern="got"
            )["events"]
        except aws("logs").exceptions.ResourceNotFoundException:
            return None
        told = [json.loads(event["message"].partition("got ")[2]) for event in found]
        return told if len(told) >= count else None

    return lambda function, count: eventually(lambda: look(function, count), 30)


def put(aws, table, pk, **more):
    aws("dynamodb").put_item(TableName=table, Item={"pk": {"S": pk}, **more})


@pytest.mark.parametrize("language", ["nodejs20.x", "python3"])
def test_a_function_is_told_of_every_change(aws, function, table, mapping, got, language):
    if language == "python3":
        made = function(TELL_PYTHON, file="index_py", Runtime="python3.12")
    else:
        made = function(TELL)
    orders, stream = table()
    answer = mapping(made, stream, StartingPosition="TRIM_HORIZON")
    assert answer["BatchSize"] == 100
    assert answer["StartingPosition"] == "TRIM_HORIZON"
    assert answer["LastProcessingResult"] == "No records processed"
    item = {"pk": {"S": "a"}, "b": {"B": b"\x00\xff"}, "l": {"L": [{"NULL": True}, {"N": "1.50"}]}}
    aws("dynamodb").put_item(TableName=orders, Item=item)
    aws("dynamodb").delete_item(TableName=orders, Key={"pk": {"S": "a"}})
    events = got(made, 1)
    records = [record for event in events for record in event["Records"]]
    if len(records) < 2:
        records = [record for event in got(made, 2) for record in event["Records"]]
    first, second = records
    told = first["dynamodb"]
    image = {"pk": {"S": "a"}, "b": {"B": "AP8="}, "l": {"L": [{"NULL": True}, {"N": "1.5"}]}}
    assert first == {
        "eventID": first["eventID"],
        "eventName": "INSERT",
        "eventVersion": "1.1",
        "eventSource": "aws:dynamodb",
        "awsRegion": "us-east-1",
        "dynamodb": {
            "ApproximateCreationDateTime": told["ApproximateCreationDateTime"],
            "Keys": {"pk": {"S": "a"}},
            "NewImage": image,
            "SequenceNumber": told["SequenceNumber"],
            "SizeBytes": told["SizeBytes"],
            "StreamViewType": "NEW_AND_OLD_IMAGES",
        },
        "eventSourceARN": stream,
    }
    assert abs(told["ApproximateCreationDateTime"] - time.time()) < 60
    assert isinstance(told["ApproximateCreationDateTime"], int)
    assert second["eventName"] == "REMOVE"
    assert second["dynamodb"]["OldImage"] == image
    assert "NewImage" not in second["dynamodb"]
    assert told["SequenceNumber"] < second["dynamodb"]["SequenceNumber"]
    uuid = answer["UUID"]
    state = aws("lambda").get_event_source_mapping(UUID=uuid)
    assert (state["State"], state["LastProcessingResult"]) == ("Enabled", "OK")
    listed = aws("lambda").list_event_source_mappings(EventSourceArn=stream)
    assert [each["UUID"] for each in listed["EventSourceMappings"]] == [uuid]


def test_a_record_is_given_as_soon_as_it_is_written(aws, function, table, mapping, got):
    made = function(
        "exports.handler = async (e) => { for (const r of e.Records) "
        "console.log('got ' + (Date.now() - Number(r.dynamodb.NewImage.at.N))) };"
    )
    orders, stream = table()
    mapping(made, stream, StartingPosition="LATEST")
    for n in range(5):
        put(aws, orders, f"k{n}", at={"N": str(int(time.time() * 1000))})
        time.sleep(0.3)
    # The first has the function's start in it.
    assert sorted(got(made, 5))[2] < 200


def test_what_is_given_up_is_told_to_a_queue_or_a_topic(
    aws, function, table, mapping, got, name, eventually
):
    sqs, sns = aws("sqs"), aws("sns")
    url = sqs.create_queue(QueueName=name)["QueueUrl"]
    queue = f"arn:aws:sqs:us-east-1:000000000000:{name}"
    topic = sns.create_topic(Name=name)["TopicArn"]
    raw = {"RawMessageDelivery": "true"}
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue, Attributes=raw)
    for destination in (queue, topic):
        made = function(PICKY)
        orders, stream = table()
        mapping(
            made,
            stream,
            StartingPosition="LATEST",
            MaximumRetryAttempts=0,
            DestinationConfig={"OnFailure": {"Destination": destination}},
        )
        put(aws, orders, "a", bad={"BOOL": True})

        def told():
            messages = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=1).get("Messages", [])
            for message in messages:
                sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
                return json.loads(message["Body"])

        record = eventually(told, 30)
        context = record["requestContext"]
        assert context["condition"] == "RetryAttemptsExhausted"
        assert context["functionArn"].endswith(made)
        assert context["approximateInvokeCount"] == 1
        assert record["responseContext"] == {
            "statusCode": 200,
            "executedVersion": "$LATEST",
            "functionError": "Unhandled",
        }
        about = record["DDBStreamBatchInfo"]
        assert (about["streamArn"], about["batchSize"]) == (stream, 1)
        # By it the record can be found, as its author is meant to.
        streams = aws("dynamodbstreams")
        iterator = streams.get_shard_iterator(
            StreamArn=stream,
            ShardId=about["shardId"],
            ShardIteratorType="AT_SEQUENCE_NUMBER",
            SequenceNumber=about["startSequenceNumber"],
        )["ShardIterator"]
        [found] = streams.get_records(ShardIterator=iterator)["Records"]
        assert found["dynamodb"]["Keys"] == {"pk": {"S": "a"}}
        # The next record goes on.
        put(aws, orders, "a", b={"BOOL": True})
        assert got(made, 2) == [["a"], ["a"]]
    sns.delete_topic(TopicArn=topic)
    sqs.delete_queue(QueueUrl=url)


def test_a_report_says_where_to_go_on(aws, function, table, mapping, got):
    made = function(PICKY, Environment={"Variables": {"REPORTS": "yes"}})
    orders, stream = table()
    # One item, so that all are of one shard; written before there is a mapping.
    put(aws, orders, "a", n={"N": "1"})
    put(aws, orders, "a", bad={"BOOL": True})
    put(aws, orders, "a", n={"N": "2"})
    mapping(
        made,
        stream,
        StartingPosition="TRIM_HORIZON",
        FunctionResponseTypes=["ReportBatchItemFailures"],
        BisectBatchOnFunctionError=True,
        MaximumRetryAttempts=1,
    )
    assert got(made, 5) == [["a", "a", "a"], ["a", "a"], ["a"], ["a"], ["a"]]


def test_only_what_a_filter_wants_reaches_the_function(aws, function, table, mapping, got):
    made = function(TELL)
    orders, stream = table()
    wanted = {"eventName": ["MODIFY"], "dynamodb": {"NewImage": {"n": {"N": ["2"]}}}}
    criteria = {"Filters": [{"Pattern": json.dumps(wanted)}]}
    mapping(made, stream, StartingPosition="LATEST", FilterCriteria=criteria)
    for n in ("2", "1", "2", "3"):
        put(aws, orders, "a", n={"N": n})
    [event] = got(made, 1)
    assert [r["dynamodb"]["OldImage"]["n"] for r in event["Records"]] == [{"N": "1"}]


def test_a_window_carries_a_state(aws, function, table, mapping, got):
    made = function(SUM)
    orders, stream = table()
    mapping(made, stream, StartingPosition="TRIM_HORIZON", TumblingWindowInSeconds=1, BatchSize=2)
    for n in range(1, 8):
        put(aws, orders, "a", n={"N": str(n)})
    total, count = 0, 1
    while total < 28:
        told = got(made, count)
        total, count = sum(told), len(told) + 1
    assert total == 28


def test_a_mapping_is_refused_what_lambda_refuses(aws, function, table, mapping, name):
    made = function()
    _, stream = table()

    def refused(arn=stream, **more):
        with pytest.raises(ClientError) as caught:
            mapping(made, arn, **more)
        error = caught.value.response["Error"]
        assert error["Code"] == "InvalidParameterValueException"
        return error["Message"]

    assert "Value null at 'startingPosition'" in refused()
    expected = f"Unsupported starting position for arn type: {stream}"
    assert refused(StartingPosition="AT_TIMESTAMP") == expected
    expected = "Unsupported ScalingConfig parameter for given event source mapping type."
    scaling = {"MaximumConcurrency": 2}
    assert refused(StartingPosition="LATEST", ScalingConfig=scaling) == expected
    gone = stream.replace(f"table/{name}-0", f"table/{name}-gone")
    assert refused(gone, StartingPosition="LATEST") == f"Stream not found: {gone}"
