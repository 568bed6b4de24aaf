"""Requests that are wrong. Each gets the answer AWS gives, and the server goes on.

A case is what is sent, the status, the error code (None: none is promised), and words that must
stand in the body.
"""

import base64

import pytest

from package import package
from server import Server
from wire import everything, json_call, query_call, request, rest_call, send, signed

TABLE = "bad-input"
QUEUE = "bad-input"
FUNCTION = "bad-input"
QUEUE_URL = f"http://localhost/000000000000/{QUEUE}"
TOPIC = "arn:aws:sns:us-east-1:000000000000:bad-input"
KEY = {"pk": {"S": "p"}}
ADD = {"TableName": TABLE, "Key": KEY}


def db(operation, body, code="ValidationException", words="", status=400):
    return (json_call("dynamodb", operation, body), status, code, words)


def put(item, words):
    return db("PutItem", {"TableName": TABLE, "Item": {**KEY, **item}}, words=words)


def sqs(operation, body, code, words="", status=400):
    return (json_call("sqs", operation, body), status, code, words)


def entries(*ids, body="x"):
    return {"QueueUrl": QUEUE_URL, "Entries": [{"Id": i, "MessageBody": body} for i in ids]}


def sns(code, words="", status=400, **form):
    return (query_call("sns", Version="2010-03-31", **form), status, code, words)


def fn(method, path, body=b"", code=None, words="", status=400, **headers):
    return (rest_call(method, f"/2015-03-31/functions{path}", body, **headers), status, code, words)


def raw(data, status, words="", code=None):
    return (data, status, code, words)


def nested(depth):
    value = {"S": "x"}
    for _ in range(depth):
        value = {"L": [value]}
    return value


def function(**change):
    body = {
        "FunctionName": "bad-input-new",
        "Runtime": "nodejs20.x",
        "Role": "arn:aws:iam::000000000000:role/any",
        "Handler": "index.handler",
        "Code": {"ZipFile": base64.b64encode(package(index_js="exports.handler = 1")).decode()},
    }
    return {**body, **change}


CASES = {
    # Bodies that are not what their protocol says.
    "json cut short": db("PutItem", b'{"TableName": "t"', "SerializationException"),
    "json that is a list": db("PutItem", [], "SerializationException"),
    "json that is text": db("PutItem", b"hello", "SerializationException"),
    "no utf-8": db("PutItem", b'{"TableName":"\xff\xfe"}', "SerializationException"),
    "a number for a string": db("DescribeTable", {"TableName": 5}, "SerializationException"),
    "a string for a list": db("CreateTable", {"KeySchema": "id"}, "SerializationException"),
    "a string for a number": db(
        "Scan", {"TableName": TABLE, "Limit": "ten"}, "SerializationException"
    ),
    "base64 that is none": db(
        "PutItem", {"TableName": TABLE, "Item": {**KEY, "b": {"B": "***"}}},
        "SerializationException",
    ),
    "100,000 brackets": db("PutItem", b"[" * 100_000, "SerializationException"),
    "100,000 open objects": db(
        "PutItem", b'{"Item":' + b'{"a":' * 100_000, "SerializationException"
    ),
    # Operations nobody has.
    "an unknown operation": db("MakeCoffee", {}, "UnknownOperationException"),
    "an unknown service": raw(
        request("POST", "/", {**signed("dynamodb"), "X-Amz-Target": "Coffee_20260101.Make"}),
        400, code="UnknownOperationException",
    ),
    "a target without a dot": raw(
        request("POST", "/", {**signed("dynamodb"), "X-Amz-Target": "GetItem"}),
        400, code="UnknownOperationException",
    ),
    "an unknown action": (
        query_call("sqs", Version="2012-11-05", Action="MakeCoffee"), 400, "InvalidAction",
        "MakeCoffee",
    ),
    "no action": (
        query_call("sns", Version="2010-03-31", Message="x"), 400, "MissingAction", "",
    ),
    "an operation that is not served": (
        rest_call("GET", "/2025-11-30/functions/f/function-scaling-config", b""), 400,
        "UnknownOperationException", "lambda.GetFunctionScalingConfig is not served",
    ),
    "an unknown path": fn("GET", "/x/coffee", status=404, code="UnknownOperationException"),
    # Requests that say neither what they want nor who they are.
    "no operation": raw(
        request("POST", "/", {}), 400, '{"__type":"com.amazon.coral.service#',
        code="UnknownOperationException",
    ),
    "no operation, and no json": raw(
        request("POST", "/", {"Content-Type": "application/json; charset=utf-8"}, b"hi"), 400,
        code="SerializationException",
    ),
    "no operation, and no json said": raw(
        request("POST", "/", {"Content-Type": "text/plain"}, b"{}"), 404,
        "<UnknownOperationException/>",
    ),
    "a put of nothing": raw(request("PUT", "/", {}), 404, "<UnknownOperationException/>"),
    "no signature": raw(
        request("POST", "/", {"X-Amz-Target": "DynamoDB_20120810.ListTables"}, b"{}"), 400,
        "Request is missing Authentication Token", code="MissingAuthenticationTokenException",
    ),
    "half a signature": raw(
        request("POST", "/", {
            "X-Amz-Target": "DynamoDB_20120810.ListTables", "Date": "a",
            "Authorization": "AWS4- Signature=b, Credential=a",
        }, b"{}"), 400,
        "Authorization header requires 'SignedHeaders' parameter. Authorization=AWS4- Signature=b,"
        " Credential=a", code="IncompleteSignatureException",
    ),
    "two signatures": raw(
        request("POST", "/?X-Amz-Algorithm=x", {
            "X-Amz-Target": "DynamoDB_20120810.ListTables", **signed("dynamodb"),
        }, b"{}"), 400, "Found both", code="InvalidSignatureException",
    ),
    "16 MB and one byte": raw(
        request("POST", "/", {}, b"a" * (16 * 1024 * 1024 + 1)), 413,
    ),
    # Tables.
    "no table": db("GetItem", {"TableName": "nowhere", "Key": KEY}, "ResourceNotFoundException"),
    "no table name": db("GetItem", {"Key": KEY}, words="tableName"),
    "a table name too short": db("DescribeTable", {"TableName": "a!"}),
    "an item above 400 KB": put(
        {"big": {"S": "x" * 409_600}}, "Item size has exceeded the maximum allowed size"
    ),
    "a key above 2,048 bytes": db(
        "PutItem", {"TableName": TABLE, "Item": {"pk": {"S": "x" * 2049}}},
        words="Size of hashkey has exceeded the maximum size limit of2048 bytes",
    ),
    "a value of no type": put({"a": {}}, "must contain exactly one of the supported datatypes"),
    "a value of two types": put(
        {"a": {"S": "x", "N": "1"}}, "must contain exactly one of the supported datatypes"
    ),
    "a number of letters": put(
        {"a": {"N": "abc"}}, "The parameter cannot be converted to a numeric value: abc"
    ),
    "a number of 39 digits": put(
        {"a": {"N": "1" * 39}}, "Attempting to store more than 38 significant digits in a Number"
    ),
    "a number too large": put({"a": {"N": "1e126"}}, "Number overflow"),
    "a number too small": put({"a": {"N": "1e-131"}}, "Number underflow"),
    "33 levels": put({"a": nested(40)}, "Nesting Levels have exceeded supported limits"),
    "an expression that ends early": db(
        "UpdateItem", {**ADD, "UpdateExpression": "SET a ="}, words="Syntax error; token: \"<EOF>\""
    ),
    "an expression of nonsense": db(
        "UpdateItem", {**ADD, "UpdateExpression": "FROB a"}, words="Syntax error; token: \"FROB\""
    ),
    "an unknown function": db(
        "PutItem",
        {"TableName": TABLE, "Item": KEY, "ConditionExpression": "explode(pk)"},
        words="Invalid function name; function: explode",
    ),
    "an expression above 4 KB": db(
        "UpdateItem", {**ADD, "UpdateExpression": "SET a = " + "b + " * 1100 + "c"},
        words="Expression size has exceeded the maximum allowed size",
    ),
    "an expression 3,000 deep": db(
        "PutItem",
        {"TableName": TABLE, "Item": KEY, "ConditionExpression": "(" * 1500 + "a" + ")" * 1500},
        words="Invalid ConditionExpression",
    ),
    "an empty expression": db(
        "UpdateItem", {**ADD, "UpdateExpression": ""}, words="The expression can not be empty"
    ),
    "101 keys": db(
        "BatchGetItem",
        {"RequestItems": {TABLE: {"Keys": [{"pk": {"S": str(n)}} for n in range(101)]}}},
    ),
    "a start key of another shape": db(
        "Scan", {"TableName": TABLE, "ExclusiveStartKey": {"x": {"S": "y"}}},
        words="The provided starting key is invalid",
    ),
    # Queues.
    "sqs: json cut short": sqs("SendMessage", b"{", "SerializationException"),
    "sqs: no queue url": sqs("SendMessage", {"MessageBody": "x"}, "MissingParameter"),
    "sqs: no queue": sqs(
        "SendMessage", {"QueueUrl": f"{QUEUE_URL}-none", "MessageBody": "x"},
        "AWS.SimpleQueueService.NonExistentQueue", "The specified queue does not exist",
    ),
    "sqs: a bad name": sqs("CreateQueue", {"QueueName": "no spaces"}, "InvalidParameterValue",
                           "alphanumeric"),
    "sqs: a long name": sqs("CreateQueue", {"QueueName": "x" * 81}, "InvalidParameterValue"),
    "sqs: a message above 1 MiB": sqs(
        "SendMessage", {"QueueUrl": QUEUE_URL, "MessageBody": "x" * 1_048_577},
        "InvalidParameterValue",
    ),
    "sqs: an empty message": sqs(
        "SendMessage", {"QueueUrl": QUEUE_URL, "MessageBody": ""}, "MissingParameter"
    ),
    "sqs: a control character": sqs(
        "SendMessage", {"QueueUrl": QUEUE_URL, "MessageBody": "\u0001"}, "InvalidMessageContents"
    ),
    "sqs: a receipt handle of nonsense": sqs(
        "DeleteMessage", {"QueueUrl": QUEUE_URL, "ReceiptHandle": "nonsense"},
        "ReceiptHandleIsInvalid",
    ),
    "sqs: an id twice": sqs(
        "SendMessageBatch", entries("a", "a"), "AWS.SimpleQueueService.BatchEntryIdsNotDistinct"
    ),
    "sqs: an id of nonsense": sqs(
        "SendMessageBatch", entries("a b"), "AWS.SimpleQueueService.InvalidBatchEntryId"
    ),
    "sqs: eleven entries": sqs(
        "SendMessageBatch", entries(*map(str, range(11))),
        "AWS.SimpleQueueService.TooManyEntriesInBatchRequest",
    ),
    "sqs: no entries": sqs(
        "SendMessageBatch", entries(), "AWS.SimpleQueueService.EmptyBatchRequest"
    ),
    "sqs: a wait of an hour": sqs(
        "ReceiveMessage", {"QueueUrl": QUEUE_URL, "WaitTimeSeconds": 3600}, "InvalidParameterValue"
    ),
    # Topics.
    "sns: no topic": sns(
        "NotFound", "Topic does not exist", 404, Action="Publish", TopicArn=f"{TOPIC}-none",
        Message="x",
    ),
    "sns: no arn": sns("InvalidParameter", "TopicArn", Action="Publish", TopicArn="x",
                       Message="x"),
    "sns: an empty message": sns("InvalidParameter", "Empty message", Action="Publish",
                                 TopicArn=TOPIC, Message=""),
    "sns: a filter policy that is no json": sns(
        "InvalidParameter", "FilterPolicy", Action="Subscribe", TopicArn=TOPIC, Protocol="sqs",
        Endpoint=f"arn:aws:sqs:us-east-1:000000000000:{QUEUE}",
        **{"Attributes.entry.1.key": "FilterPolicy", "Attributes.entry.1.value": "{"},
    ),
    "sns: a name of nonsense": sns("InvalidParameter", "Topic Name", Action="CreateTopic",
                                   Name="no spaces"),
    # Functions.
    "lambda: no function": fn(
        "POST", "/nowhere/invocations", b"{}", "ResourceNotFoundException",
        "Function not found: arn:aws:lambda:us-east-1:000000000000:function:nowhere", 404,
    ),
    "lambda: an event that is no json": fn(
        "POST", f"/{FUNCTION}/invocations", b"{", "InvalidRequestContentException"
    ),
    "lambda: an event above 6 MB": fn(
        "POST", f"/{FUNCTION}/invocations", b'"' + b"x" * 6_291_456 + b'"',
        "RequestTooLargeException", status=413,
    ),
    "lambda: an asynchronous event above 1 MB": fn(
        "POST", f"/{FUNCTION}/invocations", b'"' + b"x" * 1_048_576 + b'"',
        "RequestTooLargeException", status=413, X_Amz_Invocation_Type="Event",
    ),
    "lambda: an unknown kind of invocation": fn(
        "POST", f"/{FUNCTION}/invocations", b"{}", "ValidationException",
        X_Amz_Invocation_Type="Sometimes",
    ),
    "lambda: a name of nonsense": fn("GET", "/a%20b", code="ValidationException"),
    "lambda: json cut short": fn("POST", "", b"{", "SerializationException"),
    "lambda: no zip": fn(
        "POST", "", function(Code={"ZipFile": "AAAA"}), "InvalidParameterValueException",
        "Could not unzip uploaded file",
    ),
    "lambda: an unknown runtime": fn(
        "POST", "", function(Runtime="cobol85"), "InvalidParameterValueException", "cobol85"
    ),
    "lambda: a timeout of a day": fn(
        "POST", "", function(Timeout=86_400), "ValidationException", "timeout"
    ),
    # HTTP that is none, or that two servers could read differently.
    "garbage": raw(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400),
    "an unknown version": raw(b"GET / HTTP/9.9\r\nHost: localhost\r\n\r\n", 400),
    "a header above the limit": raw(
        request("GET", "/_cumulet/health", {"X-Big": "x" * 200_000}), 431
    ),
    "a thousand headers": raw(
        request("GET", "/_cumulet/health", {f"X-{n}": "x" for n in range(1000)}), 431
    ),
    "two lengths": raw(
        b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n"
        b"Content-Length: 6\r\n\r\nhello", 400,
    ),
    "the same length twice": raw(
        b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n"
        b"Content-Length: 5\r\n\r\nhello", 400,
    ),
    "a length and chunks": raw(
        b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n"
        b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400,
    ),
    "chunks and a length": raw(
        b"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n"
        b"Content-Length: 5\r\n\r\n0\r\n\r\n", 400,
    ),
    "a line that ends without CR": raw(
        b"GET /_cumulet/health HTTP/1.1\r\nHost: localhost\nX-A: a\r\n\r\n", 400
    ),
    "a head that ends without CR": raw(b"GET /_cumulet/health HTTP/1.1\nHost: localhost\n\n", 400),
    "a CR in a header": raw(
        b"GET /_cumulet/health HTTP/1.1\r\nHost: localhost\r\nX-A: a\rX-B: b\r\n\r\n", 400
    ),
    "a chunk that ends without CR": raw(
        b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded"
        b"\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"5\r\nhello\n0\r\n\r\n", 400,
    ),
    "a trailer that ends without CR": raw(
        b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded"
        b"\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"5\r\nhello\r\n0\r\nX-A: a\n\r\n", 400,
    ),
    "a length of letters": raw(
        b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: many\r\n\r\n", 400
    ),
    "a chunk size of letters": raw(
        b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded"
        b"\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\nhello\r\n0\r\n\r\n", 400,
    ),
    "an unknown transfer encoding": raw(
        b"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: rot13\r\n\r\n", 400
    ),
    "a folded header": raw(
        b"GET /_cumulet/health HTTP/1.1\r\nHost: localhost\r\nX-A: a\r\n b\r\n\r\n", 400
    ),
    "a space before the colon": raw(
        b"GET /_cumulet/health HTTP/1.1\r\nHost : localhost\r\n\r\n", 400
    ),
    "a body of a gigabyte": raw(
        b"POST / HTTP/1.1\r\nHost: localhost\r\nX-Amz-Target: DynamoDB_20120810.PutItem\r\n"
        b"Content-Length: 1073741824\r\n\r\n", 413,
    ),
    "another's host name": raw(request("GET", "/_cumulet/health", {}, host="evil.example"), 421),
    "an api that is not there": raw(
        request("GET", "/", {}, host="nothere.execute-api.localhost"), 404, "Not Found"
    ),
    "a path that climbs": raw(
        request("GET", "/_aws/execute-api/../../etc/passwd", {}), 404
    ),
}


@pytest.fixture(scope="module")
def server():
    with Server() as server:
        for data in [
            json_call("dynamodb", "CreateTable", {
                "TableName": TABLE,
                "BillingMode": "PAY_PER_REQUEST",
                "AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "S"}],
                "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
            }),
            json_call("sqs", "CreateQueue", {"QueueName": QUEUE}),
            query_call("sns", Version="2010-03-31", Action="CreateTopic", Name="bad-input"),
            rest_call("POST", "/2015-03-31/functions", function(FunctionName=FUNCTION)),
        ]:
            reply = send(server.url, data)
            assert reply.status in (200, 201), reply
        yield server


@pytest.mark.parametrize("case", CASES)
def test_a_wrong_request_is_told_so(server, case):
    data, status, code, words = CASES[case]
    reply = send(server.url, data)
    assert reply.status == status, reply
    if code is not None:
        assert reply.code == code, reply
        assert reply.headers.get("x-amzn-requestid") or "<RequestId>" in reply.text, reply
    assert words in reply.text.replace('\\"', '"'), reply
    assert server.healthy()
    assert server.process.poll() is None, server.log()


def test_a_request_that_smuggles_closes_the_connection(server):
    """What follows an ambiguous request is never read as a request of its own."""
    health = b"GET /_cumulet/health HTTP/1.1\r\nHost: localhost\r\n\r\n"
    for wrong in (
        "two lengths", "the same length twice", "a length and chunks", "chunks and a length",
        "a line that ends without CR", "a head that ends without CR", "a CR in a header",
        "a folded header", "a chunk size of letters", "a chunk that ends without CR",
        "a trailer that ends without CR",
    ):
        answers = everything(server.url, health + CASES[wrong][0] + health)
        assert [answer[:3] for answer in answers.split(b"HTTP/1.1 ")[1:]] == [b"200", b"400"], wrong


def test_what_a_body_holds_is_no_head(server):
    """Line ends, lengths and whole requests, in bodies of either kind, between other requests."""
    health = b"GET /_cumulet/health HTTP/1.1\r\nHost: localhost\r\n\r\n"
    evil = health + b"\n\nContent-Length: 1\nTransfer-Encoding: chunked\n\n"
    head = b"POST /2015-03-31/functions/" + FUNCTION.encode() + b"/invocations?x HTTP/1.1\r\n"
    head += b"Host: localhost\r\nAuthorization: " + signed("lambda")["Authorization"].encode()
    head += b"\r\nX-Amz-Date: 20260101T000000Z\r\n"
    whole = head + b"Content-Length: %d\r\n\r\n%b" % (len(evil), evil)
    chunks = b"".join(b"1;x=y\r\n%c\r\n" % byte for byte in evil)
    chunked = head + b"Transfer-Encoding: chunked\r\n\r\n" + chunks + b"0\r\nX-A: a\r\n\r\n"
    last = health.replace(b"Host", b"Connection: close\r\nHost")
    answers = everything(server.url, health + whole + chunked + whole + last)
    statuses = [answer[:3] for answer in answers.split(b"HTTP/1.1 ")[1:]]
    # Such an event is not JSON: refused, once for each request.
    assert statuses == [b"200", b"400", b"400", b"400", b"200"], answers


def test_clients_that_go_away(server):
    """Half a head, half a body, and one that does not wait for its answer."""
    put = json_call("dynamodb", "PutItem", {"TableName": TABLE, "Item": KEY})
    for part in (b"GET / HT", put[: len(put) // 3], put[:-5]):
        send(server.url, part, half_close=True)
    long_poll = json_call("sqs", "ReceiveMessage", {"QueueUrl": QUEUE_URL, "WaitTimeSeconds": 20})
    for _ in range(50):
        try:
            send(server.url, long_poll, timeout=0.02)
        except TimeoutError:
            pass
    assert server.healthy()


def test_only_pages_of_this_machine_are_let_in(server):
    """Without --auth credentials prove nothing: a page of the web must not get at the tables."""
    ask = {"Access-Control-Request-Headers": "x-amz-target", "Access-Control-Request-Method": "POST"}
    for origin, granted in [
        ("http://localhost:3000", True), ("http://[::1]:3000", True), ("http://127.0.0.1", True),
        ("http://evil.example", False), ("http://localhost.evil.example", False), ("null", False),
        ("https://user@evil.example", False),
    ]:
        preflight = send(server.url, request("OPTIONS", "/", {**ask, "Origin": origin}))
        allowed = preflight.headers.get("access-control-allow-headers") == "x-amz-target"
        assert allowed == granted, (origin, preflight)
        call = json_call("dynamodb", "ListTables", {})
        call = call.replace(b"\r\n", b"\r\nOrigin: " + origin.encode() + b"\r\n", 1)
        answer = send(server.url, call)
        assert answer.status == (200 if granted else 403), answer
        allowed = answer.headers.get("access-control-allow-origin") == "*"
        assert allowed == granted, (origin, answer)
        # What browsers send without asking first.
        form = query_call("sns", Version="2010-03-31", Action="CreateTopic", Name="page")
        rest = rest_call("GET", "/2015-03-31/functions", b"")
        for call in form, rest:
            call = call.replace(b"\r\n", b"\r\nOrigin: " + origin.encode() + b"\r\n", 1)
            assert send(server.url, call).status == (200 if granted else 403), (origin, call)
    image = query_call("sns", Version="2010-03-31", Action="ListTopics")
    for site, status in [(b"cross-site", 403), (b"same-origin", 200), (b"none", 200)]:
        call = image.replace(b"\r\n", b"\r\nSec-Fetch-Site: " + site + b"\r\n", 1)
        assert send(server.url, call).status == status, site


FAULTY_HANDLERS = {
    "throws": ("exports.handler = async () => { throw new Error('x') };", "Error"),
    "throws at import": ("throw new Error('x');", "Error"),
    "exits": ("exports.handler = () => process.exit(1);", "Runtime.ExitError"),
    "kills itself": (
        "exports.handler = () => process.kill(process.pid, 'SIGKILL');", "Runtime.ExitError"
    ),
    "never ends": ("exports.handler = () => new Promise(() => setInterval(() => {}, 99));", None),
    "loops": ("exports.handler = () => { for (;;); };", None),
    "eats its memory": (
        "exports.handler = () => { const all = []; for (;;) all.push('x'.repeat(1e6) + all.length)"
        " };", None,
    ),
    "closes its own pipes": (
        "exports.handler = () => { const fs = require('fs');\n"
        "  for (let fd = 3; fd < 64; fd++) try { fs.closeSync(fd) } catch {} return 1; };", None,
    ),
    "writes a flood": (
        "exports.handler = () => { for (let n = 0; n < 2e4; n++) console.log('x'.repeat(500)) };",
        "",
    ),
    "answers with a loop": (
        "exports.handler = async () => { const a = {}; a.a = a; return a };",
        "Error",
    ),
}


@pytest.mark.parametrize("kind", FAULTY_HANDLERS)
def test_a_faulty_function_harms_only_itself(server, kind):
    code, error = FAULTY_HANDLERS[kind]
    name = "bad-input-" + kind.replace(" ", "-")
    zip_file = base64.b64encode(package(index_js=code)).decode()
    made = send(server.url, rest_call("POST", "/2015-03-31/functions", function(
        FunctionName=name, Timeout=2, MemorySize=128, Code={"ZipFile": zip_file}
    )))
    assert made.status == 201, made
    reply = send(server.url, rest_call("POST", f"/2015-03-31/functions/{name}/invocations", b"{}"))
    assert reply.status == 200, reply
    if error != "":
        assert reply.headers["x-amz-function-error"] == "Unhandled", reply
    if error:
        assert f'"errorType":"{error}"' in reply.text.replace(" ", ""), reply
    assert server.healthy()
    assert server.process.poll() is None, server.log()
