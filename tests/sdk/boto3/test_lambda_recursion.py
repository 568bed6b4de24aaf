"""A function that calls itself through a queue, a topic or directly is stopped after 16 times: the
SDK within it carries the trace on."""

import json
import subprocess
from pathlib import Path

import pytest

from package import boto, zipped

JS = Path(__file__).parents[1]
ROLE = "arn:aws:iam::000000000000:role/any"

PYTHON = """
import boto3, json, os
clients = {name: boto3.client(name) for name in ("sqs", "sns", "lambda")}

def again(way, to, function):
    text = json.dumps({"way": way, "to": to})
    if way == "queue":
        clients["sqs"].send_message(QueueUrl=to, MessageBody=text)
    elif way == "topic":
        clients["sns"].publish(TopicArn=to, Message=text)
    else:
        clients["lambda"].invoke(FunctionName=function, InvocationType="Event", Payload=text)

def handler(event, context):
    print("called", os.environ["_X_AMZN_TRACE_ID"])
    for record in event.get("Records", [event]):
        text = record.get("body") or record.get("Sns", {}).get("Message")
        asked = json.loads(text) if text else record
        again(asked["way"], asked["to"], context.function_name)
"""

NODE = """
const send = require('./send.js');
exports.handler = async (event, context) => {
  console.log('called', process.env._X_AMZN_TRACE_ID);
  for (const record of event.Records ?? [event]) {
    const text = record.body ?? record.Sns?.Message;
    const { way, to } = text ? JSON.parse(text) : record;
    await send(way, to, context.functionName, JSON.stringify({ way, to }));
  }
};
"""

V3 = """
const { SQS } = require('@aws-sdk/client-sqs');
const { SNS } = require('@aws-sdk/client-sns');
const { Lambda } = require('@aws-sdk/client-lambda');
const [sqs, sns, lambda] = [new SQS(), new SNS(), new Lambda()];
module.exports = (way, to, name, text) =>
  way === 'queue' ? sqs.sendMessage({ QueueUrl: to, MessageBody: text })
  : way === 'topic' ? sns.publish({ TopicArn: to, Message: text })
  : lambda.invoke({ FunctionName: name, InvocationType: 'Event', Payload: text });
"""

V2 = """
const { SQS, SNS, Lambda } = require('aws-sdk');
const [sqs, sns, lambda] = [new SQS(), new SNS(), new Lambda()];
module.exports = (way, to, name, text) => (
  way === 'queue' ? sqs.sendMessage({ QueueUrl: to, MessageBody: text })
  : way === 'topic' ? sns.publish({ TopicArn: to, Message: text })
  : lambda.invoke({ FunctionName: name, InvocationType: 'Event', Payload: text })
).promise();
"""


def modules(folder):
    """What a JavaScript test has installed, without what no function loads."""
    root = JS / folder
    if not (root / "node_modules").is_dir():
        subprocess.run(["npm", "ci", "--no-audit", "--no-fund", "--loglevel=error"], cwd=root, check=True)
    files = {}
    for path in (root / "node_modules").rglob("*"):
        parts = path.relative_to(root).parts
        wanted = path.suffix in (".js", ".json", ".cjs") and not {"dist-es", "dist-types"} & set(parts)
        if path.is_file() and wanted and parts[:3] != ("node_modules", "aws-sdk", "dist"):
            files["/".join(parts)] = path.read_bytes()
    return files


@pytest.fixture(scope="session")
def packages():
    """`packages(sdk)`: what CreateFunction is given, made once."""
    made = {}

    def make(sdk):
        if sdk not in made:
            if sdk == "boto3":
                files = {"index.py": PYTHON, **boto("sqs", "sns", "lambda")}
                runtime = "python3.12"
            else:
                files = {"index.js": NODE, "send.js": V3 if sdk == "js-v3" else V2, **modules(sdk)}
                runtime = "nodejs20.x"
            made[sdk] = {"Runtime": runtime, "Code": {"ZipFile": zipped(files)}}
        return made[sdk]

    return make


@pytest.fixture
def loop(aws, name, packages):
    """`loop(sdk)` makes a function that calls itself, with a queue for what is given up."""
    lambda_, sqs = aws("lambda"), aws("sqs")
    dead = sqs.create_queue(QueueName=f"{name}-dead")["QueueUrl"]
    dead_arn = f"arn:aws:sqs:us-east-1:000000000000:{name}-dead"

    def make(sdk):
        lambda_.create_function(
            FunctionName=name, Role=ROLE, Handler="index.handler", Timeout=30, MemorySize=512,
            DeadLetterConfig={"TargetArn": dead_arn}, **packages(sdk),
        )
        lambda_.get_waiter("function_active_v2").wait(FunctionName=name)
        return name, dead, dead_arn

    yield make
    lambda_.delete_function(FunctionName=name)
    sqs.delete_queue(QueueUrl=dead)


def calls(aws, function):
    try:
        pages = aws("logs").get_paginator("filter_log_events").paginate(
            logGroupName=f"/aws/lambda/{function}", filterPattern="called"
        )
        return [event["message"] for page in pages for event in page["events"]]
    except aws("logs").exceptions.ResourceNotFoundException:
        return []


def letter(aws, url, eventually):
    def receive():
        found = aws("sqs").receive_message(
            QueueUrl=url, MessageAttributeNames=["All"], AttributeNames=["All"]
        )
        return found.get("Messages")

    return eventually(receive, 40)[0]


@pytest.mark.parametrize("sdk", ["boto3", "js-v3", "js-v2"])
@pytest.mark.parametrize("way", ["queue", "topic", "invoke"])
def test_a_loop_is_stopped(aws, loop, eventually, sdk, way):
    function, dead, dead_arn = loop(sdk)
    sqs, sns, lambda_ = aws("sqs"), aws("sns"), aws("lambda")
    to = ""
    if way == "queue":
        policy = {"deadLetterTargetArn": dead_arn, "maxReceiveCount": 1}
        attributes = {"VisibilityTimeout": "30", "RedrivePolicy": json.dumps(policy)}
        to = sqs.create_queue(QueueName=function, Attributes=attributes)["QueueUrl"]
        mapping = lambda_.create_event_source_mapping(
            FunctionName=function, EventSourceArn=f"arn:aws:sqs:us-east-1:000000000000:{function}"
        )["UUID"]
    elif way == "topic":
        to = sns.create_topic(Name=function)["TopicArn"]
        sns.subscribe(
            TopicArn=to, Protocol="lambda",
            Endpoint=f"arn:aws:lambda:us-east-1:000000000000:function:{function}",
        )
    first = json.dumps({"way": way, "to": to})
    if way == "queue":
        sqs.send_message(QueueUrl=to, MessageBody=first)
    elif way == "topic":
        sns.publish(TopicArn=to, Message=first)
    else:
        lambda_.invoke(FunctionName=function, InvocationType="Event", Payload=first)
    stopped = letter(aws, dead, eventually)
    said = calls(aws, function)
    assert len(said) == 16, said
    roots = {line.partition("Root=")[2].partition(";")[0] for line in said}
    assert len(roots) == 1, "one chain, one trace"
    if way == "queue":
        assert json.loads(stopped["Body"]) == json.loads(first)
        assert stopped["Attributes"]["AWSTraceHeader"].endswith(":16")
        lambda_.delete_event_source_mapping(UUID=mapping)
        sqs.delete_queue(QueueUrl=to)
    else:
        told = stopped["MessageAttributes"]
        assert told["ErrorCode"]["StringValue"] == "400"
        assert "recursive loop" in told["ErrorMessage"]["StringValue"]
    if way == "topic":
        sns.delete_topic(TopicArn=to)


def test_a_loop_that_is_allowed_goes_on(aws, loop, eventually):
    function, dead, _ = loop("boto3")
    lambda_ = aws("lambda")
    assert lambda_.get_function_recursion_config(FunctionName=function)["RecursiveLoop"] == "Terminate"
    lambda_.put_function_recursion_config(FunctionName=function, RecursiveLoop="Allow")
    event = json.dumps({"way": "invoke", "to": ""})
    lambda_.invoke(FunctionName=function, InvocationType="Event", Payload=event)
    eventually(lambda: len(calls(aws, function)) > 20, 40)
    # From now on the chain is longer than is allowed.
    lambda_.put_function_recursion_config(FunctionName=function, RecursiveLoop="Terminate")
    stopped = letter(aws, dead, eventually)
    assert json.loads(stopped["Body"]) == json.loads(event)
