"""Functions: made, invoked, failing in every way, fed by a queue."""

import base64
import hashlib
import json
import re
import time

import pytest
from botocore.exceptions import ClientError

from package import boto, executable, package, zipped


@pytest.fixture
def lambda_(aws):
    return aws("lambda")


@pytest.fixture
def invoke(lambda_):
    """`invoke(name, event)` gives the reply with its payload parsed."""

    def call(function, event=None, **more):
        reply = lambda_.invoke(FunctionName=function, Payload=json.dumps(event), **more)
        text = reply["Payload"].read()
        reply["Payload"] = json.loads(text) if text else None
        return reply

    return call


def refused(call, **arguments):
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    response = caught.value.response
    return response["Error"]["Code"], response["ResponseMetadata"]["HTTPStatusCode"]


def tail(reply):
    return base64.b64decode(reply["LogResult"]).decode()


def test_a_function_is_made_described_listed_and_deleted(lambda_, function, name):
    code = package(index_js="exports.handler = async (event) => event;")
    made = function(
        Description="echo",
        MemorySize=256,
        Environment={"Variables": {"COLOUR": "red"}},
    )
    arn = f"arn:aws:lambda:us-east-1:000000000000:function:{made}"
    found = lambda_.get_function(FunctionName=made)
    configuration = found["Configuration"]
    assert configuration["FunctionArn"] == arn
    assert configuration["Runtime"] == "nodejs20.x"
    assert configuration["Handler"] == "index.handler"
    assert configuration["Description"] == "echo"
    assert configuration["MemorySize"] == 256
    assert configuration["Timeout"] == 10
    assert configuration["State"] == "Active"
    assert configuration["Version"] == "$LATEST"
    assert configuration["PackageType"] == "Zip"
    assert configuration["CodeSize"] == len(code)
    wanted = base64.b64encode(hashlib.sha256(code).digest()).decode()
    assert configuration["CodeSha256"] == wanted
    assert configuration["Environment"] == {"Variables": {"COLOUR": "red"}}
    assert found["Code"]["RepositoryType"] == "S3"
    by_arn = lambda_.get_function_configuration(FunctionName=arn)
    assert by_arn["CodeSha256"] == wanted

    listed = [each["FunctionName"] for page in lambda_.get_paginator("list_functions").paginate()
              for each in page["Functions"]]
    assert listed.count(made) == 1
    assert refused(
        lambda_.create_function,
        FunctionName=made,
        Runtime="nodejs20.x",
        Role=configuration["Role"],
        Handler="index.handler",
        Code={"ZipFile": code},
    ) == ("ResourceConflictException", 409)

    lambda_.delete_function(FunctionName=made)
    for operation in (lambda_.get_function, lambda_.delete_function, lambda_.invoke):
        assert refused(operation, FunctionName=made) == ("ResourceNotFoundException", 404)


def test_an_event_goes_in_and_a_result_comes_out(function, invoke):
    made = function()
    for event in [{"a": [1, "ü", None]}, [], "text", 0, None, {"big": "x" * 1_000_000}]:
        reply = invoke(made, event)
        assert reply["StatusCode"] == 200
        assert reply["ExecutedVersion"] == "$LATEST"
        assert "FunctionError" not in reply
        assert reply["Payload"] == event


HANDLERS = {
    "callback": ("index_js", "exports.handler = (event, context, done) => done(null, event.n + 1)"),
    "late callback": (
        "index_js",
        "exports.handler = (e, c, done) => { setTimeout(() => done(null, e.n + 1), 20) }",
    ),
    "promise": ("index_js", "exports.handler = (event) => Promise.resolve(event.n + 1)"),
    "es module": ("index_mjs", "export const handler = async (event) => event.n + 1"),
    "top-level await": (
        "index_mjs",
        "const one = await Promise.resolve(1); export const handler = async (e) => e.n + one",
    ),
    "import of a built-in": (
        "index_mjs",
        "import { readFile } from 'node:fs/promises';\n"
        "export const handler = async (e) => e.n + (readFile ? 1 : 0)",
    ),
}


@pytest.mark.parametrize("kind", HANDLERS)
def test_handlers_of_every_kind(function, invoke, kind):
    file, code = HANDLERS[kind]
    assert invoke(function(code, file=file), {"n": 41})["Payload"] == 42


def test_a_handler_in_a_folder(lambda_, function, invoke):
    made = function("exports.deep = { er: async () => 'found' };", file="index_js")
    lambda_.update_function_configuration(FunctionName=made, Handler="index.deep.er")
    lambda_.get_waiter("function_updated_v2").wait(FunctionName=made)
    assert invoke(made)["Payload"] == "found"


def test_state_lives_on_while_warm(function, invoke):
    made = function("let n = 0; exports.handler = async () => ++n;")
    assert [invoke(made)["Payload"] for _ in range(3)] == [1, 2, 3]


def test_the_context(function, invoke):
    made = function(
        """exports.handler = async (event, context) => ({
            ...context,
            left: context.getRemainingTimeInMillis(),
            trace: process.env._X_AMZN_TRACE_ID,
        });""",
        MemorySize=512,
        Timeout=7,
    )
    reply = invoke(made)
    context = reply["Payload"]
    assert context["functionName"] == made
    assert context["functionVersion"] == "$LATEST"
    assert context["memoryLimitInMB"] == "512"
    assert context["invokedFunctionArn"].endswith(f":function:{made}")
    assert context["logGroupName"] == f"/aws/lambda/{made}"
    assert "[$LATEST]" in context["logStreamName"]
    assert context["awsRequestId"] == reply["ResponseMetadata"]["RequestId"]
    assert context["callbackWaitsForEmptyEventLoop"] is True
    assert 5000 < context["left"] <= 7000
    traced = "Root=1-[0-9a-f]{8}-[0-9a-f]{24};Parent=[0-9a-f]{16};Sampled=0;Lineage=[0-9a-f]{8}:1"
    assert re.fullmatch(traced, context["trace"])


def test_the_environment(function, invoke, endpoint):
    made = function(
        "exports.handler = async () => process.env;",
        MemorySize=256,
        Environment={"Variables": {"COLOUR": "red"}},
    )
    env = invoke(made)["Payload"]
    assert env["COLOUR"] == "red"
    assert env["AWS_LAMBDA_FUNCTION_NAME"] == made
    assert env["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"] == "256"
    assert env["AWS_LAMBDA_FUNCTION_VERSION"] == "$LATEST"
    assert env["AWS_LAMBDA_LOG_GROUP_NAME"] == f"/aws/lambda/{made}"
    assert env["AWS_REGION"] == env["AWS_DEFAULT_REGION"] == "us-east-1"
    assert env["_HANDLER"] == "index.handler"
    assert env["AWS_EXECUTION_ENV"] == "AWS_Lambda_nodejs20.x"
    assert env["AWS_LAMBDA_INITIALIZATION_TYPE"] == "on-demand"
    assert env["LAMBDA_TASK_ROOT"]
    assert env["TZ"] == ":UTC"
    assert env["AWS_XRAY_CONTEXT_MISSING"] == "LOG_ERROR"
    assert env["AWS_XRAY_DAEMON_ADDRESS"] == "127.0.0.1:2000"
    assert env["AWS_ACCESS_KEY_ID"] and env["AWS_SECRET_ACCESS_KEY"]
    assert env["AWS_ENDPOINT_URL"].rpartition(":")[2] == endpoint.rpartition(":")[2]
    assert "HOME" not in env or env["HOME"] != "/root"  # nothing of the server's own leaks


def test_new_code_and_new_settings(lambda_, function, invoke):
    made = function("exports.handler = async () => 'old';")
    assert invoke(made)["Payload"] == "old"
    code = package(index_js="exports.handler = async () => process.env.WORD ?? 'new';")
    updated = lambda_.update_function_code(FunctionName=made, ZipFile=code)
    assert updated["CodeSha256"] == base64.b64encode(hashlib.sha256(code).digest()).decode()
    lambda_.get_waiter("function_updated_v2").wait(FunctionName=made)
    assert invoke(made)["Payload"] == "new"

    lambda_.update_function_configuration(
        FunctionName=made, Environment={"Variables": {"WORD": "newer"}}, Timeout=9
    )
    lambda_.get_waiter("function_updated_v2").wait(FunctionName=made)
    assert invoke(made)["Payload"] == "newer"
    assert lambda_.get_function_configuration(FunctionName=made)["Timeout"] == 9


def test_the_end_of_the_log(function, invoke):
    made = function(
        "exports.handler = async () => { console.log('one\\ntwo', { a: 1 }); console.error('e') };"
    )
    reply = invoke(made, LogType="Tail")
    request_id = reply["ResponseMetadata"]["RequestId"]
    log = tail(reply)
    assert f"START RequestId: {request_id} Version: $LATEST" in log
    assert "one" in log and "two { a: 1 }" in log
    assert f"{request_id}\tERROR\te" in log
    assert f"END RequestId: {request_id}" in log
    assert f"REPORT RequestId: {request_id}\tDuration: " in log
    assert "Max Memory Used: " in log
    assert "LogResult" not in invoke(made)


FAILURES = {
    "throws": (
        "exports.handler = async () => { throw new TypeError('no good') };",
        "TypeError", "no good",
    ),
    "throws at once": (
        "exports.handler = () => { throw new RangeError('at once') };",
        "RangeError", "at once",
    ),
    "calls back with an error": (
        "exports.handler = (e, c, done) => done(new Error('called back'));",
        "Error", "called back",
    ),
    "throws a class of its own": (
        "class Sold extends Error { name = 'SoldOut' }\n"
        "exports.handler = async () => { throw new Sold('out') };",
        "SoldOut", "out",
    ),
    "rejects in the background": (
        "exports.handler = () => new Promise(() => { Promise.reject(new Error('lost')) });",
        "Runtime.UnhandledPromiseRejection", "Error: lost",
    ),
    "throws in the background": (
        "exports.handler = () => new Promise(() => {\n"
        "  setTimeout(() => { throw new Error('stray') }) });",
        "Error", "stray",
    ),
    "exits": (
        "exports.handler = async () => process.exit(3);",
        "Runtime.ExitError", "Runtime exited with error: exit status 3",
    ),
    "is killed": (
        "exports.handler = async () => { process.kill(process.pid, 'SIGKILL');\n"
        "  await new Promise(() => {}) };",
        "Runtime.ExitError", "signal: killed",
    ),
    "throws at import": (
        "throw new Error('not today');",
        "Error", "not today",
    ),
    "has a syntax error": (
        "exports.handler = async () => { return 1 +; };",
        "Runtime.UserCodeSyntaxError", "SyntaxError: Unexpected token ';'",
    ),
    "has no such handler": (
        "exports.hundler = async () => 1;",
        "Runtime.HandlerNotFound", "index.handler is undefined or not exported",
    ),
    "imports what is not there": (
        "require('left-pad');",
        "Runtime.ImportModuleError", "Error: Cannot find module 'left-pad'",
    ),
    "returns what is no JSON": (
        "exports.handler = async () => 1n;",
        "Error", "Unable to stringify response body",
    ),
    "returns too much": (
        "exports.handler = async () => 'x'.repeat(6.1 * 1024 * 1024);",
        "Function.ResponseSizeTooLarge", "Response payload size exceeded maximum allowed",
    ),
}


@pytest.mark.parametrize("kind", FAILURES)
def test_failures_are_reported_as_lambda_reports_them(function, invoke, kind):
    code, kind_of_error, message = FAILURES[kind]
    made = function(code)
    reply = invoke(made)
    assert reply["StatusCode"] == 200
    assert reply["FunctionError"] == "Unhandled"
    assert reply["Payload"]["errorType"] == kind_of_error
    assert message in reply["Payload"]["errorMessage"]


def test_a_stack_trace_names_the_users_file(function, invoke):
    reply = invoke(function("exports.handler = async () => { null.x };"))
    trace = reply["Payload"].get("trace") or reply["Payload"]["stackTrace"]
    assert any("index.js:1" in line for line in trace)


def test_a_function_that_takes_too_long(function, invoke):
    made = function(
        """exports.handler = async (event) => {
            if (event?.quick) return 'quick';
            console.log('before the end');
            await new Promise(() => setInterval(() => {}, 1000));
        };""",
        Timeout=1,
    )
    started = time.monotonic()
    reply = invoke(made, LogType="Tail")
    assert 0.9 < time.monotonic() - started < 4
    assert reply["FunctionError"] == "Unhandled"
    assert "Task timed out after 1.00 seconds" in reply["Payload"]["errorMessage"]
    assert "before the end" in tail(reply)
    assert invoke(made, {"quick": True})["Payload"] == "quick"  # a fresh environment


def test_a_busy_loop_is_ended_too(function, invoke):
    made = function("exports.handler = async () => { for (;;); };", Timeout=1)
    assert "Task timed out after 1.00 seconds" in invoke(made)["Payload"]["errorMessage"]


def test_a_crash_harms_nothing_that_follows(function, invoke):
    made = function(
        "let n = 0; exports.handler = async (e) => { if (e.die) process.exit(1); return ++n; };"
    )
    assert invoke(made, {})["Payload"] == 1
    assert invoke(made, {"die": True})["FunctionError"] == "Unhandled"
    assert invoke(made, {})["Payload"] == 1


def test_a_dry_run_runs_nothing(lambda_, function):
    made = function("throw new Error('it ran');")
    reply = lambda_.invoke(FunctionName=made, InvocationType="DryRun")
    assert reply["StatusCode"] == 204


def test_an_event_is_taken_now_and_run_later(aws, function, invoke, eventually):
    made = function("exports.handler = async (event) => console.log('ran', event.word);")
    reply = invoke(made, {"word": "zebra"}, InvocationType="Event")
    assert reply["StatusCode"] == 202
    assert reply["Payload"] is None

    def ran():
        found = aws("logs").filter_log_events(
            logGroupName=f"/aws/lambda/{made}", filterPattern="zebra"
        )["events"]
        return [event["message"] for event in found]

    def attempt():
        try:
            return ran() or None
        except aws("logs").exceptions.ResourceNotFoundException:
            return None  # it has not written yet

    [message] = eventually(attempt)
    assert reply["ResponseMetadata"]["RequestId"] in message


def test_permissions_are_kept(lambda_, function):
    made = function()
    permission = {
        "FunctionName": made,
        "StatementId": "topic",
        "Action": "lambda:InvokeFunction",
        "Principal": "sns.amazonaws.com",
        "SourceArn": "arn:aws:sns:us-east-1:000000000000:t",
    }
    lambda_.add_permission(**permission)
    assert refused(lambda_.add_permission, **permission) == ("ResourceConflictException", 409)
    [statement] = json.loads(lambda_.get_policy(FunctionName=made)["Policy"])["Statement"]
    assert statement["Sid"] == "topic"
    assert statement["Effect"] == "Allow"
    assert statement["Principal"] == {"Service": "sns.amazonaws.com"}
    assert statement["Condition"] == {"ArnLike": {"AWS:SourceArn": permission["SourceArn"]}}
    lambda_.remove_permission(FunctionName=made, StatementId="topic")
    assert refused(lambda_.get_policy, FunctionName=made) == ("ResourceNotFoundException", 404)


@pytest.fixture
def fed(aws, lambda_, function, name, eventually):
    """A function fed by a queue, and the lines it has written."""
    sqs = aws("sqs")
    arn = f"arn:aws:sqs:us-east-1:000000000000:{name}"
    dead = sqs.create_queue(QueueName=f"{name}-dead")["QueueUrl"]
    queue = sqs.create_queue(
        QueueName=name,
        Attributes={
            "VisibilityTimeout": "1",
            "RedrivePolicy": json.dumps(
                {"deadLetterTargetArn": f"{arn}-dead", "maxReceiveCount": 2}
            ),
        },
    )["QueueUrl"]
    mappings = []

    def make(code, **more):
        made = function(code, Timeout=1)
        mapping = lambda_.create_event_source_mapping(
            EventSourceArn=arn, FunctionName=made, BatchSize=10, **more
        )
        mappings.append(mapping["UUID"])

        def enabled():
            state = lambda_.get_event_source_mapping(UUID=mapping["UUID"])["State"]
            return state == "Enabled"

        eventually(enabled)
        return made, queue, dead

    yield make
    for uuid in mappings:
        lambda_.delete_event_source_mapping(UUID=uuid)
    for url in (queue, dead):
        sqs.delete_queue(QueueUrl=url)


def test_a_queue_feeds_a_function(aws, lambda_, fed, eventually):
    made, queue, _ = fed(
        "exports.handler = async (e) => { for (const r of e.Records) console.log('got', "
        "JSON.stringify(r)) };"
    )
    [mapping] = lambda_.list_event_source_mappings(FunctionName=made)["EventSourceMappings"]
    assert mapping["BatchSize"] == 10
    assert mapping["FunctionArn"].endswith(f":{made}")

    attributes = {"a": {"DataType": "String", "StringValue": "1"}}
    sent = aws("sqs").send_message(
        QueueUrl=queue, MessageBody="hello", MessageAttributes=attributes
    )

    def record():
        try:
            found = aws("logs").filter_log_events(
                logGroupName=f"/aws/lambda/{made}", filterPattern="got"
            )["events"]
        except aws("logs").exceptions.ResourceNotFoundException:
            return None
        return json.loads(found[0]["message"].partition("got ")[2]) if found else None

    got = eventually(record)
    assert got["messageId"] == sent["MessageId"]
    assert got["body"] == "hello"
    assert got["md5OfBody"] == sent["MD5OfMessageBody"]
    assert got["eventSource"] == "aws:sqs"
    assert got["eventSourceARN"] == mapping["EventSourceArn"]
    assert got["awsRegion"] == "us-east-1"
    assert got["attributes"]["ApproximateReceiveCount"] == "1"
    assert got["messageAttributes"]["a"]["stringValue"] == "1"
    assert got["messageAttributes"]["a"]["dataType"] == "String"

    def empty():
        counts = aws("sqs").get_queue_attributes(QueueUrl=queue, AttributeNames=["All"])
        return all(
            value == "0" for name, value in counts["Attributes"].items()
            if name.startswith("ApproximateNumber")
        )

    eventually(empty)


def test_only_the_failed_messages_come_back(aws, fed, eventually):
    _, queue, dead = fed(
        "exports.handler = async (e) => ({ batchItemFailures: e.Records\n"
        "  .filter((r) => r.body === 'bad').map((r) => ({ itemIdentifier: r.messageId })) });",
        FunctionResponseTypes=["ReportBatchItemFailures"],
    )
    sqs = aws("sqs")
    entries = [
        {"Id": str(n), "MessageBody": "bad" if n == 4 else "good"} for n in range(10)
    ]
    sqs.send_message_batch(QueueUrl=queue, Entries=entries)

    def dead_letters():
        return sqs.receive_message(QueueUrl=dead, WaitTimeSeconds=1).get("Messages")

    [message] = eventually(dead_letters, seconds=20)
    assert message["Body"] == "bad"
    counts = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["All"])["Attributes"]
    assert counts["ApproximateNumberOfMessages"] == "0"
    assert counts["ApproximateNumberOfMessagesNotVisible"] == "0"


def test_a_function_that_throws_gets_its_whole_batch_again(aws, fed, eventually):
    _, queue, dead = fed("exports.handler = async () => { throw new Error('never') };")
    sqs = aws("sqs")
    for n in range(3):
        sqs.send_message(QueueUrl=queue, MessageBody=str(n))
    bodies = set()

    def all_dead():
        for message in sqs.receive_message(
            QueueUrl=dead, MaxNumberOfMessages=10, WaitTimeSeconds=1
        ).get("Messages", []):
            bodies.add(message["Body"])
        return bodies == {"0", "1", "2"}

    eventually(all_dead, seconds=20)


MISTAKES = [
    ({"Handler": None}, "InvalidParameterValueException"),
    ({"Runtime": "cobol85"}, "InvalidParameterValueException"),
    ({"Timeout": 901}, "ValidationException"),
    ({"MemorySize": 20000}, "ValidationException"),
    ({"Code": {"ZipFile": b"this is no zip"}}, "InvalidParameterValueException"),
    ({"Environment": {"Variables": {"AWS_REGION": "x"}}}, "InvalidParameterValueException"),
    ({"Environment": {"Variables": {"BIG": "x" * 5000}}}, "InvalidParameterValueException"),
]


@pytest.mark.parametrize(("change", "code"), MISTAKES)
def test_mistakes_are_named_as_aws_names_them(lambda_, name, change, code):
    arguments = {
        "FunctionName": name,
        "Runtime": "nodejs20.x",
        "Role": "arn:aws:iam::000000000000:role/any",
        "Handler": "index.handler",
        "Code": {"ZipFile": package(index_js="exports.handler = async () => 1;")},
        **change,
    }
    arguments = {key: value for key, value in arguments.items() if value is not None}
    assert refused(lambda_.create_function, **arguments) == (code, 400)
    assert refused(lambda_.get_function, FunctionName=name)[0] == "ResourceNotFoundException"


def test_payloads_that_are_too_big_or_no_json(lambda_, function):
    made = function()
    big = json.dumps("x" * (6 * 1024 * 1024))
    code, status = refused(lambda_.invoke, FunctionName=made, Payload=big)
    # The model has the one name, the service itself says the other.
    assert code in ("RequestTooLargeException", "RequestEntityTooLargeException")
    assert status == 413
    assert refused(lambda_.invoke, FunctionName=made, Payload="{") == (
        "InvalidRequestContentException",
        400,
    )


def test_many_at_once(function, invoke):
    from concurrent.futures import ThreadPoolExecutor

    made = function(
        "exports.handler = async (e) => { await new Promise((r) => setTimeout(r, 50)); return e };"
    )
    with ThreadPoolExecutor(16) as pool:
        replies = list(pool.map(lambda n: invoke(made, n)["Payload"], range(64)))
    assert replies == list(range(64))


def test_a_python_function_calls_home(aws, function, invoke, name):
    code = """
import logging
import boto3

def handler(event, context):
    logging.getLogger().warning("seen %s", event["n"])
    boto3.client("sqs").create_queue(QueueName=event["queue"])
    if event["n"] > 1:
        raise ValueError("too many")
    return {"n": event["n"], "name": context.function_name}
"""
    files = {"index.py": code, **boto("sqs")}
    made = function(
        code,
        Code={"ZipFile": zipped(files)},
        Runtime="python3.12",
        Timeout=30,
    )
    reply = invoke(made, {"n": 1, "queue": name}, LogType="Tail")
    assert reply["Payload"] == {"n": 1, "name": made}
    assert "[WARNING]\t" in tail(reply) and "\tseen 1\n" in tail(reply)
    assert aws("sqs").get_queue_url(QueueName=name)["QueueUrl"].endswith(name)
    reply = invoke(made, {"n": 2, "queue": name})
    assert reply["FunctionError"] == "Unhandled"
    assert reply["Payload"]["errorType"] == "ValueError"
    assert reply["Payload"]["requestId"] == reply["ResponseMetadata"]["RequestId"]
    assert 'raise ValueError("too many")' in reply["Payload"]["stackTrace"][0]


BOOTSTRAP = """#!/usr/bin/env python3
import http.client, os
api = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
base = "/2018-06-01/runtime/invocation/"
while True:
    api.request("GET", base + "next")
    event = api.getresponse()
    body = event.read()
    api.request("POST", base + event.headers["lambda-runtime-aws-request-id"] + "/response", body)
    api.getresponse().read()
"""


def test_a_function_brings_its_own_runtime(lambda_, function, invoke):
    made = function(
        BOOTSTRAP, Code={"ZipFile": executable("bootstrap", BOOTSTRAP)}, Runtime="provided.al2023"
    )
    for n in range(3):
        assert invoke(made, {"n": n})["Payload"] == {"n": n}
