"""Responses that are passed on as they are produced: by the API and by URLs."""

import base64
import http.client
import json
from urllib.parse import urlsplit

import pytest
from botocore.exceptions import ClientError

from package import executable

# `gate(url)` waits until somebody has sent a message to the queue.
GATE = """
const gate = (QueueUrl) => fetch(process.env.AWS_ENDPOINT_URL, {
  method: 'POST',
  headers: { 'x-amz-target': 'AmazonSQS.ReceiveMessage',
             'content-type': 'application/x-amz-json-1.0' },
  body: JSON.stringify({ QueueUrl, WaitTimeSeconds: 20 }),
}).then((reply) => reply.json()).then((reply) => {
  if (!reply.Messages?.length) throw new Error('nobody opened the gate');
});
"""


@pytest.fixture
def lambda_(aws):
    return aws("lambda")


@pytest.fixture
def queue(aws, name):
    """`queue.url`; `queue.open()` opens the gate."""

    class Queue:
        url = aws("sqs").create_queue(QueueName=name)["QueueUrl"]

        def open(self):
            aws("sqs").send_message(QueueUrl=self.url, MessageBody="open")

    queue = Queue()
    yield queue
    aws("sqs").delete_queue(QueueUrl=queue.url)


@pytest.fixture
def streams(function):
    """`streams("out.end()")` makes a function with this for its body and gives its name."""

    def make(body, **more):
        code = f"{GATE}exports.handler = awslambda.streamifyResponse(async (event, out) => {{{body}}});"
        return function(code, **more)

    return make


@pytest.fixture
def url(endpoint, lambda_):
    """`url(function)` gives it a URL that streams; `url(…).get(path)` an open response."""

    class Url:
        def __init__(self, function, **more):
            config = {"AuthType": "NONE", "InvokeMode": "RESPONSE_STREAM", **more}
            made = lambda_.create_function_url_config(FunctionName=function, **config)
            assert made["InvokeMode"] == config["InvokeMode"]
            self.host = urlsplit(made["FunctionUrl"]).netloc

        def get(self, path="/", method="GET", body=None, **headers):
            self.connection = http.client.HTTPConnection(urlsplit(endpoint).netloc, timeout=30)
            self.connection.request(method, path, body, {"Host": self.host, **headers})
            return self.connection.getresponse()

    return Url


def events(reply):
    return list(reply["EventStream"])


def chunks(events):
    return b"".join(e["PayloadChunk"]["Payload"] for e in events if "PayloadChunk" in e)


def test_a_chunk_is_there_before_the_handler_has_ended(lambda_, streams, queue):
    made = streams("out.write('first'); await gate(event.queue); out.end('second');")
    payload = json.dumps({"queue": queue.url})
    reply = lambda_.invoke_with_response_stream(
        FunctionName=made, Payload=payload, LogType="Tail"
    )
    assert (reply["StatusCode"], reply["ExecutedVersion"]) == (200, "$LATEST")
    assert reply["ResponseStreamContentType"] == "application/vnd.amazon.eventstream"
    stream = iter(reply["EventStream"])
    assert next(stream)["PayloadChunk"]["Payload"] == b"first"
    queue.open()
    *rest, last = stream
    assert chunks(rest) == b"second"
    complete = last["InvokeComplete"]
    assert "REPORT RequestId" in base64.b64decode(complete.pop("LogResult")).decode()
    assert complete == {}


def test_failures_are_told_at_the_end(lambda_, streams, function):
    def run(made, **more):
        *rest, last = events(lambda_.invoke_with_response_stream(FunctionName=made, **more))
        return chunks(rest), last["InvokeComplete"]

    amid = streams("out.write('a'); throw new TypeError('no');")
    read, complete = run(amid)
    assert (read, complete["ErrorCode"]) == (b"a", "Unhandled")
    assert json.loads(complete["ErrorDetails"])["errorType"] == "TypeError"
    late = streams("out.write('a'); await new Promise((done) => setTimeout(done, 1e6));", Timeout=1)
    read, complete = run(late)
    assert (read, complete["ErrorCode"]) == (b"a", "Unhandled")
    assert "Task timed out after 1.00 seconds" in complete["ErrorDetails"]
    # The same by Invoke is the error alone.
    reply = lambda_.invoke(FunctionName=amid)
    assert reply["FunctionError"] == "Unhandled"
    assert json.loads(reply["Payload"].read())["errorMessage"] == "no"
    # A function that does not stream answers in one chunk, or with its error.
    plain = function("exports.handler = async (e) => { if (e.no) throw new Error('no'); return e; };")
    assert run(plain, Payload='{"a":1}') == (b'{"a":1}', {})
    read, complete = run(plain, Payload='{"no":1}')
    assert (read, complete["ErrorCode"]) == (b"", "Unhandled")
    # A function that streams answers Invoke whole.
    whole = streams("out.write('a'); out.end('b');")
    assert lambda_.invoke(FunctionName=whole)["Payload"].read() == b"ab"


def test_what_a_streamed_invocation_may_ask(lambda_, function):
    made = function()
    invoke = lambda_.invoke_with_response_stream
    version = lambda_.publish_version(FunctionName=made)["Version"]
    reply = invoke(FunctionName=made, Qualifier=version, Payload="1")
    assert (reply["ExecutedVersion"], chunks(events(reply))) == (version, b"1")
    assert invoke(FunctionName=made, InvocationType="DryRun")["StatusCode"] == 204
    for more, code, status in [
        ({"InvocationType": "Event"}, "ValidationException", 400),
        ({"Payload": "{"}, "InvalidRequestContentException", 400),
        ({"Payload": '"%s"' % ("x" * 6291456)}, "RequestTooLargeException", 413),
        ({"Qualifier": "none"}, "ResourceNotFoundException", 404),
        ({"TenantId": "t"}, "NotImplemented", 501),
    ]:
        with pytest.raises(ClientError) as caught:
            invoke(FunctionName=made, **more)
        found = caught.value.response
        assert (found["Error"]["Code"], found["ResponseMetadata"]["HTTPStatusCode"]) == (code, status)
    lambda_.put_function_concurrency(FunctionName=made, ReservedConcurrentExecutions=0)
    with pytest.raises(ClientError, match="TooManyRequestsException"):
        invoke(FunctionName=made)


def test_a_program_with_its_own_runtime_streams(lambda_, function):
    program = r"""#!/usr/bin/env python3
import http.client, os, socket
api = os.environ['AWS_LAMBDA_RUNTIME_API']
while True:
    connection = http.client.HTTPConnection(api)
    connection.request('GET', '/2018-06-01/runtime/invocation/next')
    reply = connection.getresponse()
    reply.read()
    id = reply.getheader('lambda-runtime-aws-request-id')
    headers = {'Lambda-Runtime-Function-Response-Mode': 'streaming', 'Transfer-Encoding': 'chunked'}
    pieces = iter([b'one ', b'two ', b'three'])
    path = f'/2018-06-01/runtime/invocation/{id}/response'
    connection.request('POST', path, pieces, headers, encode_chunked=True)
    connection.getresponse().read()
"""
    made = function(Runtime="provided.al2023", Code={"ZipFile": executable("bootstrap", program)})
    *rest, last = events(lambda_.invoke_with_response_stream(FunctionName=made))
    assert (chunks(rest), last) == (b"one two three", {"InvokeComplete": {}})


HEAD = """out = awslambda.HttpResponseStream.from(out, {
  statusCode: 201, headers: { 'Content-Type': 'text/event-stream', 'x-a': '1' },
  cookies: ['a=1', 'b=2'],
});"""


def test_a_url_answers_before_the_handler_has_ended(streams, url, queue):
    made = streams(f"{HEAD} out.write('first'); await gate('{queue.url}'); out.end('second');")
    cors = {"AllowOrigins": ["http://page"], "ExposeHeaders": ["x-a"]}
    response = url(made, Cors=cors).get(Origin="http://page")
    assert (response.status, response.getheader("x-a")) == (201, "1")
    assert response.getheader("content-type") == "text/event-stream"
    assert response.headers.get_all("set-cookie") == ["a=1", "b=2"]
    assert response.getheader("transfer-encoding") == "chunked"
    assert response.getheader("access-control-allow-origin") == "http://page"
    assert response.getheader("access-control-expose-headers") == "x-a"
    assert response.getheader("x-amzn-requestid")
    assert response.read(5) == b"first"
    queue.open()
    assert response.read() == b"second"


def test_a_url_answers_what_was_written_or_is_cut_off(streams, function, url):
    body = """const head = (head) => { out = awslambda.HttpResponseStream.from(out, head); };
    const how = event.rawPath.slice(1);
    if (how === 'early') throw new Error('no');
    if (how === 'plain') return out.end('as it is');
    if (how === 'typed') { out.setContentType('text/x'); return out.end('t'); }
    if (how === 'empty') { head({ statusCode: 204 }); return out.end(); }
    if (how === 'bad') { head({ statusCode: 'x' }); return out.end('b'); }
    if (how === 'amid') { out.write('a'); throw new Error('no'); }
    head({ statusCode: 202 }); out.write('x'.repeat(100000)); out.end('y');"""
    served = url(streams(body))

    def get(path):
        response = served.get(path)
        return response.status, response.getheader("content-type"), response.read()

    assert get("/plain") == (200, "application/octet-stream", b"as it is")
    assert get("/typed") == (200, "text/x", b"t")
    assert get("/empty")[::2] == (204, b"")
    assert get("/long") == (202, "application/octet-stream", b"x" * 100000 + b"y")
    assert get("/early")[0] == 502
    assert get("/bad")[0] == 502
    response = served.get("/amid")
    assert (response.status, response.read(1)) == (200, b"a")
    with pytest.raises(http.client.IncompleteRead):
        response.read()
    # A function that does not stream is not looked into.
    result = "{ statusCode: 201, body: 'b' }"
    plain = url(function(f"exports.handler = async () => ({result});")).get()
    assert (plain.status, plain.getheader("content-type")) == (200, "application/json")
    assert plain.read() == b'{"statusCode":201,"body":"b"}'
    # A URL that does not stream gives what was written in the end.
    buffered = url(streams("out.write('a'); out.end('b');"), InvokeMode="BUFFERED").get()
    assert (buffered.status, buffered.read()) == (200, b"ab")


# Writes 20 MB and tells a queue when it has.
FLOOD = """
    const tell = (QueueUrl) => fetch(process.env.AWS_ENDPOINT_URL, {
      method: 'POST',
      headers: { 'x-amz-target': 'AmazonSQS.SendMessage',
                 'content-type': 'application/x-amz-json-1.0' },
      body: JSON.stringify({ QueueUrl, MessageBody: 'written' }),
    });
    for (let n = 0; n < 320; n++) {
      if (!out.write(Buffer.alloc(65536))) await require('events').once(out, 'drain');
    }
    out.end();
    await tell(%r);"""


def written(aws, queue, seconds):
    answer = aws("sqs").receive_message(QueueUrl=queue.url, WaitTimeSeconds=seconds)
    return "Messages" in answer


def test_a_slow_client_holds_the_handler_up_and_loses_nothing(aws, streams, url, queue):
    served = url(streams(FLOOD % queue.url))
    response = served.get()
    assert len(response.read(1)) == 1
    assert not written(aws, queue, 1)
    assert len(response.read()) == 320 * 65536 - 1
    assert written(aws, queue, 10)


def test_a_client_that_leaves_does_not_end_the_handler(aws, lambda_, streams, url, queue):
    made = streams(FLOOD % queue.url)
    served = url(made)
    response = served.get()
    assert len(response.read(1)) == 1
    response.close()
    served.connection.close()
    assert written(aws, queue, 20)
    reply = lambda_.invoke_with_response_stream(FunctionName=made)
    assert len(chunks(events(reply))) == 320 * 65536


def test_an_invoke_mode_is_changed(lambda_, function, url):
    made = function("exports.handler = async () => ({ statusCode: 201 });")
    served = url(made)
    assert served.get().status == 200
    changed = lambda_.update_function_url_config(FunctionName=made, InvokeMode="BUFFERED")
    assert changed["InvokeMode"] == "BUFFERED"
    assert served.get().status == 201
    assert lambda_.update_function_url_config(FunctionName=made)["InvokeMode"] == "BUFFERED"
