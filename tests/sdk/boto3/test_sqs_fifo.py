"""FIFO queues through boto3, and functions that are fed from them."""

import json

import pytest
from botocore.exceptions import ClientError


@pytest.fixture
def fifo(aws, name):
    """`fifo(VisibilityTimeout="5")` makes a FIFO queue and gives its URL and ARN."""
    sqs = aws("sqs")
    urls = []

    def make(**attributes):
        each = f"{name}-{len(urls)}.fifo"
        attributes = {"FifoQueue": "true", **attributes}
        urls.append(sqs.create_queue(QueueName=each, Attributes=attributes)["QueueUrl"])
        return urls[-1], f"arn:aws:sqs:us-east-1:000000000000:{each}"

    yield make
    for url in urls:
        sqs.delete_queue(QueueUrl=url)


def send(aws, url, *messages):
    """Sends `group:body` each."""
    for at in range(0, len(messages), 10):
        entries = [
            {
                "Id": str(n),
                "MessageBody": message,
                "MessageGroupId": message.partition(":")[0],
                "MessageDeduplicationId": message,
            }
            for n, message in enumerate(messages[at : at + 10])
        ]
        answer = aws("sqs").send_message_batch(QueueUrl=url, Entries=entries)
        assert "Failed" not in answer


def said(aws, function, word="got"):
    try:
        events = aws("logs").filter_log_events(
            logGroupName=f"/aws/lambda/{function}", filterPattern=word
        )["events"]
    except aws("logs").exceptions.ResourceNotFoundException:
        return []
    return [event["message"].partition(f"{word} ")[2].strip() for event in events]


def enough(aws, function, count):
    """What it said, once that is as much."""
    lines = said(aws, function)
    return lines if len(lines) >= count else None


def test_a_group_is_one_receiver_s_and_nothing_is_twice(aws, fifo):
    sqs = aws("sqs")
    url, _ = fifo()
    send(aws, url, "a:1", "b:1", "a:2")
    sent = sqs.send_message(
        QueueUrl=url, MessageBody="again", MessageGroupId="c", MessageDeduplicationId="a:1"
    )
    assert len(sent["SequenceNumber"]) == 20
    first = sqs.receive_message(QueueUrl=url, AttributeNames=["All"])["Messages"][0]
    assert first["Body"] == "a:1" and first["MessageId"] == sent["MessageId"]
    assert first["Attributes"]["SequenceNumber"] == sent["SequenceNumber"]
    rest = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10)["Messages"]
    assert [message["Body"] for message in rest] == ["b:1"]
    sqs.delete_message(QueueUrl=url, ReceiptHandle=first["ReceiptHandle"])
    rest = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10)["Messages"]
    assert [message["Body"] for message in rest] == ["a:2"]


def test_refusals_are_the_clients_exceptions(aws, fifo, name):
    sqs = aws("sqs")
    url, _ = fifo()

    def code(call, **arguments):
        with pytest.raises(ClientError) as caught:
            call(**arguments)
        return caught.value.response["Error"]["Code"]

    assert code(sqs.create_queue, QueueName=name, Attributes={"FifoQueue": "true"}) == (
        "InvalidParameterValue"
    )
    assert code(sqs.send_message, QueueUrl=url, MessageBody="x") == "MissingParameter"
    assert code(sqs.send_message, QueueUrl=url, MessageBody="x", MessageGroupId="g") == (
        "InvalidParameterValue"
    )


ORDER = """
import time
def handler(event, context):
    for record in event["Records"]:
        attributes = record["attributes"]
        assert attributes["MessageGroupId"] == record["body"].partition(":")[0]
        assert attributes["MessageDeduplicationId"] == record["body"]
        assert len(attributes["SequenceNumber"]) == 20
        print("got", record["body"])
        time.sleep(0.01)
"""


def test_a_function_gets_each_group_in_order(aws, function, fifo, mapping, eventually):
    made = function(ORDER, file="index_py", Runtime="python3.12")
    url, arn = fifo(VisibilityTimeout="60")
    mapping(made, arn, BatchSize=3)
    messages = [f"{group}:{n:02}" for n in range(20) for group in "abcd"]
    send(aws, url, *messages)
    got = eventually(lambda: enough(aws, made, 80), 40)
    for group in "abcd":
        own = [body for body in got if body.startswith(group)]
        assert own == [body for body in messages if body.startswith(group)]


FAILS = """

exports.handler = async (event) => {
  const failures = [];
  for (const { messageId, body, attributes } of event.Records) {
    const first = attributes.ApproximateReceiveCount === '1';
    const fails = failures.length > 0 || (body === 'a:1' && first);
    console.log(fails ? 'failed' : 'got', body);
    if (fails) failures.push({ itemIdentifier: messageId });
  }
  return { batchItemFailures: failures };
};
"""


def test_a_failed_group_holds_up_only_itself(aws, function, fifo, mapping, eventually):
    made = function(FAILS)
    url, arn = fifo(VisibilityTimeout="12")
    mapping(made, arn, BatchSize=1, FunctionResponseTypes=["ReportBatchItemFailures"])
    send(aws, url, "a:1", "a:2", "b:1", "b:2", "c:1")
    got = eventually(lambda: enough(aws, made, 3))
    assert sorted(got) == ["b:1", "b:2", "c:1"] and said(aws, made, "failed") == ["a:1"]
    got = eventually(lambda: enough(aws, made, 5), 30)
    assert [body for body in got if body[0] == "a"] == ["a:1", "a:2"]


def test_reported_failures_come_back_first(aws, function, fifo, mapping, eventually):
    made = function(FAILS)
    url, arn = fifo(VisibilityTimeout="12")
    send(aws, url, "a:0", "a:1", "a:2", "a:3")
    mapping(made, arn, FunctionResponseTypes=["ReportBatchItemFailures"])
    got = eventually(lambda: enough(aws, made, 4), 30)
    assert got == ["a:0", "a:1", "a:2", "a:3"]
    assert said(aws, made, "failed") == ["a:1", "a:2", "a:3"]


def test_what_a_filter_does_not_want_is_gone_and_order_stays(
    aws, function, fifo, mapping, eventually
):
    made = function(ORDER, file="index_py", Runtime="python3.12")
    url, arn = fifo()
    criteria = {"Filters": [{"Pattern": json.dumps({"body": [{"suffix": "x"}]})}]}
    mapping(made, arn, FilterCriteria=criteria)
    send(aws, url, "a:1x", "a:2", "a:3x", "b:4", "a:5x")
    got = eventually(lambda: enough(aws, made, 3))
    assert got == ["a:1x", "a:3x", "a:5x"]

    def left():
        asked = aws("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
        return asked["ApproximateNumberOfMessages"] == "0"

    assert eventually(left)


def test_what_fifo_queues_do_not_have_is_refused(aws, function, fifo):
    made = function()
    _, arn = fifo()
    for more in ({"BatchSize": 11}, {"MaximumBatchingWindowInSeconds": 1}):
        with pytest.raises(aws("lambda").exceptions.InvalidParameterValueException):
            aws("lambda").create_event_source_mapping(
                FunctionName=made, EventSourceArn=arn, **more
            )
