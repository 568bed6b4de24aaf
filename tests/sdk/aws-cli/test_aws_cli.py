"""The `aws` command with nothing but AWS_ENDPOINT_URL, but for one flaw of its version 1:

In regions older than 2022 it overrides the variable for `aws sqs` by a host name of its own
(awscli/customizations/overridesslcommonname.py). There the option says it.
"""

import json
import pathlib
import subprocess
import sys

import pytest

from package import package

AWS = str(pathlib.Path(sys.executable).with_name("aws"))


def command(endpoint, words):
    option = ["--endpoint-url", endpoint] if words[0] == "sqs" else []
    return [AWS, "--output", "json", *option, *map(str, words)]


@pytest.fixture
def aws(endpoint):
    """`aws("sqs", "list-queues")` gives the parsed output."""

    def run(*words):
        done = subprocess.run(
            command(endpoint, words), text=True, capture_output=True, timeout=60
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout) if done.stdout.strip() else None

    return run


@pytest.fixture
def aws_fails(endpoint):
    """`aws_fails(…)` gives what a failing command wrote, and its exit code."""

    def run(*words):
        done = subprocess.run(
            command(endpoint, words), text=True, capture_output=True, timeout=60
        )
        assert done.returncode != 0
        return done.returncode, done.stderr

    return run


def test_caller_identity(aws):
    assert aws("sts", "get-caller-identity")["Account"] == "000000000000"


def test_a_queue(aws, aws_fails, name):
    url = aws("sqs", "create-queue", "--queue-name", name)["QueueUrl"]
    sent = aws("sqs", "send-message", "--queue-url", url, "--message-body", "hello")
    [message] = aws("sqs", "receive-message", "--queue-url", url)["Messages"]
    assert (message["Body"], message["MessageId"]) == ("hello", sent["MessageId"])
    handle = message["ReceiptHandle"]
    aws("sqs", "delete-message", "--queue-url", url, "--receipt-handle", handle)
    assert aws("sqs", "receive-message", "--queue-url", url) is None
    aws("sqs", "delete-queue", "--queue-url", url)
    code, error = aws_fails("sqs", "get-queue-url", "--queue-name", name)
    assert code in (254, 255)  # version 2, version 1
    assert "(AWS.SimpleQueueService.NonExistentQueue)" in error


def test_a_table(aws, name):
    aws(
        "dynamodb", "create-table", "--table-name", name,
        "--billing-mode", "PAY_PER_REQUEST",
        "--attribute-definitions", "AttributeName=id,AttributeType=S",
        "--key-schema", "AttributeName=id,KeyType=HASH",
    )
    aws("dynamodb", "wait", "table-exists", "--table-name", name)
    item = {"id": {"S": "a"}, "n": {"N": "1"}}
    aws("dynamodb", "put-item", "--table-name", name, "--item", json.dumps(item))
    found = aws("dynamodb", "get-item", "--table-name", name, "--key", '{"id":{"S":"a"}}')
    assert found["Item"] == item
    assert aws("dynamodb", "scan", "--table-name", name)["Count"] == 1
    aws("dynamodb", "delete-table", "--table-name", name)


def test_a_topic_with_a_queue(aws, name):
    url = aws("sqs", "create-queue", "--queue-name", name)["QueueUrl"]
    topic = aws("sns", "create-topic", "--name", name)["TopicArn"]
    aws(
        "sns", "subscribe", "--topic-arn", topic, "--protocol", "sqs",
        "--notification-endpoint", f"arn:aws:sqs:us-east-1:000000000000:{name}",
    )
    sent = aws("sns", "publish", "--topic-arn", topic, "--message", "hello")
    got = aws("sqs", "receive-message", "--queue-url", url, "--wait-time-seconds", "5")
    envelope = json.loads(got["Messages"][0]["Body"])
    assert (envelope["Message"], envelope["MessageId"]) == ("hello", sent["MessageId"])


def test_a_function_and_its_log(aws, name, tmp_path):
    code = tmp_path / "code.zip"
    code.write_bytes(package(index_js="exports.handler = async (e) => ({ got: e });"))
    aws(
        "lambda", "create-function", "--function-name", name, "--runtime", "nodejs20.x",
        "--role", "arn:aws:iam::000000000000:role/any", "--handler", "index.handler",
        "--zip-file", f"fileb://{code}",
    )
    aws("lambda", "wait", "function-active-v2", "--function-name", name)
    out = tmp_path / "out.json"
    reply = aws(
        "lambda", "invoke", "--function-name", name, "--payload", '{"a":1}', out,
    )
    assert reply["StatusCode"] == 200
    assert json.loads(out.read_text()) == {"got": {"a": 1}}
    lines = aws("logs", "filter-log-events", "--log-group-name", f"/aws/lambda/{name}")
    texts = [event["message"] for event in lines["events"]]
    assert any(text.startswith("START RequestId: ") for text in texts), texts
    assert any("REPORT RequestId: " in text for text in texts), texts
