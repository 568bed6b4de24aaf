"""What an HTTP request becomes for a function, and what its result becomes for the client."""

import base64
import json
import pathlib
import re
import shutil
import urllib.parse

import pytest

from server import Server
from wire import everything, request, send

ECHO = pathlib.Path(__file__).parent / "echo"


@pytest.fixture(scope="module")
def apis(tmp_path_factory):
    """`apis("http", …)` or `apis("rest", …)` sends a request to the one or the other API."""
    folder = tmp_path_factory.mktemp("echo") / "echo"
    shutil.copytree(ECHO, folder)
    with Server() as server:
        done = server.cli("deploy", folder)
        assert done.returncode == 0, done.stderr
        [stack] = server.stacks()
        ids = {
            "http": stack["outputs"]["HttpApiId"],
            "rest": urllib.parse.urlsplit(stack["outputs"]["ServiceEndpoint"]).path
            .split("/")[3],
        }

        def call(kind, method, path, body=b"", source=None, **headers):
            host = f"{ids[kind]}.execute-api.localhost:{server.port}"
            stage = "/dev" if kind == "rest" else ""
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            data = request(method, stage + path, named, body, host=host)
            return send(server.url, data, source=source)

        call.server = server
        call.ids = ids
        yield call
        assert server.cli("remove", folder).returncode == 0


def test_an_event_of_an_http_api(apis):
    reply = apis(
        "http", "PUT", "/v2/one/two%20x/three?a=1&a=2&b=%C3%BC", b'{"x":1}',
        Content_Type="application/json", X_Twice="1", Cookie="c=1; d=2", User_Agent="tests",
    )
    assert reply.status == 200, reply
    event = json.loads(reply.text)
    assert event["version"] == "2.0"
    assert event["routeKey"] == "ANY /v2/{first}/{rest+}"
    assert event["rawPath"] == "/v2/one/two x/three"
    assert event["rawQueryString"] == "a=1&a=2&b=%C3%BC"
    assert event["queryStringParameters"] == {"a": "1,2", "b": "ü"}
    assert event["pathParameters"] == {"first": "one", "rest": "two x/three"}
    assert event["headers"]["content-type"] == "application/json"
    assert event["headers"]["x-twice"] == "1"
    assert "cookie" not in event["headers"]
    assert event["cookies"] == ["c=1", "d=2"]
    assert event["body"] == '{"x":1}'
    assert event["isBase64Encoded"] is False
    context = event["requestContext"]
    assert context["apiId"] == apis.ids["http"]
    assert context["stage"] == "$default"
    assert context["accountId"] == "000000000000"
    assert context["requestId"]
    assert context["http"]["method"] == "PUT"
    assert context["http"]["path"] == "/v2/one/two x/three"
    assert context["http"]["protocol"] == "HTTP/1.1"
    assert context["http"]["sourceIp"] == "127.0.0.1"
    assert context["http"]["userAgent"] == "tests"
    assert isinstance(context["timeEpoch"], int)


def test_an_event_without_anything(apis):
    event = json.loads(apis("http", "GET", "/v2/a/b").text)
    for absent in ("body", "cookies", "queryStringParameters"):
        assert absent not in event
    assert event["rawQueryString"] == ""


def test_where_a_request_came_from(apis):
    event = json.loads(apis("http", "GET", "/v2/a/b", source="127.0.0.2").text)
    assert event["requestContext"]["http"]["sourceIp"] == "127.0.0.2"
    event = json.loads(apis("rest", "GET", "/v1/a/b", source="127.0.0.2").text)
    assert event["requestContext"]["identity"]["sourceIp"] == "127.0.0.2"


def test_the_way_of_a_request(apis):
    own = {}
    for kind, path in (("http", "/v2/a/b"), ("rest", "/v1/a/b")):
        headers = json.loads(apis(kind, "GET", path).text)["headers"]
        own[kind] = {name: value for name, value in headers.items() if name.lower()[:2] == "x-"}
        trace = own[kind].pop("x-amzn-trace-id" if kind == "http" else "X-Amzn-Trace-Id")
        assert re.fullmatch("Root=1-[0-9a-f]{8}-[0-9a-f]{24}", trace)
        asked = {"X_Forwarded_For": "1.2.3.4", "X_Amzn_Trace_Id": "Root=1-a-b"}
        headers = json.loads(apis(kind, "GET", path, **asked).text)["headers"]
        headers = {name.lower(): value for name, value in headers.items()}
        assert headers["x-forwarded-for"] == "1.2.3.4, 127.0.0.1"
        assert headers["x-amzn-trace-id"] == "Root=1-a-b"
    port = str(apis.server.port)
    assert own["rest"] == {
        "X-Forwarded-For": "127.0.0.1", "X-Forwarded-Port": port, "X-Forwarded-Proto": "http"
    }
    assert own["http"] == {name.lower(): value for name, value in own["rest"].items()}


def test_a_trace_reaches_the_function(apis):
    for method in ("GET", "POST"):
        reply = json.loads(apis("http", method, "/trace").text)
        root = reply["header"].split(";")[0]
        begun = f"{root};Parent=[0-9a-f]{{16}};Sampled=0;Lineage=[0-9a-f]{{8}}:1"
        assert re.fullmatch(begun, reply["environment"])


def test_a_rest_api_passes_names_as_they_were_spelled(apis):
    sent = {"X_aPi_KEY": "1", "x_low": "2", "Content_TYPE": "text/plain", "user_agent": "3"}
    event = json.loads(apis("rest", "POST", "/v1/a/b", b"x", **sent).text)
    for name, value in (("X-aPi-KEY", "1"), ("x-low", "2"), ("Content-TYPE", "text/plain"),
                        ("User-Agent", "3")):
        assert event["headers"][name] == value
        assert event["multiValueHeaders"][name] == [value]
    assert "Host" in event["headers"]
    headers = json.loads(apis("http", "POST", "/v2/a/b", b"x", **sent).text)["headers"]
    assert all(name == name.lower() for name in headers)


def test_the_spelling_is_that_of_each_request_on_a_connection(apis):
    path = f"/_aws/execute-api/{apis.ids['rest']}/dev/v1/a/b"
    chunked = request("POST", path, {"X-oNE": "1", "Transfer-Encoding": "chunked"})
    chunked = chunked.replace(b"Content-Length: 0\r\n", b"")
    requests = [
        request("POST", path, {"X-One": "1", "Expect": "100-continue"}, b"X-ONE: 2\r\n\r\n"),
        chunked + b"1\r\nx\r\n0\r\nX-TRAILER: y\r\n\r\n",
        request("GET", path, {"x-one": "1"}),
        request("GET", path, {"X-ONE": "1", "Connection": "close"}),
    ]
    answers = everything(apis.server.url, b"".join(requests)).decode()
    named = re.findall(r'"headers":\{[^}]*?"(x-one)":"1"', answers, re.IGNORECASE)
    assert named == ["X-One", "X-oNE", "x-one", "X-ONE"], answers


def test_a_binary_body(apis):
    data = bytes(range(256))
    for kind in ("http", "rest"):
        path = "/v2/a/b" if kind == "http" else "/v1/a/b"
        event = json.loads(apis(kind, "POST", path, data, Content_Type="image/png").text)
        if kind == "http":
            assert event["isBase64Encoded"] is True
            assert base64.b64decode(event["body"]) == data


def test_a_rest_api_passes_any_text(apis):
    form = "application/x-www-form-urlencoded"
    event = json.loads(apis("rest", "POST", "/v1/a/b", b"a=1&b=2", Content_Type=form).text)
    assert (event["body"], event["isBase64Encoded"]) == ("a=1&b=2", False)
    event = json.loads(apis("http", "POST", "/v2/a/b", b"a=1&b=2", Content_Type=form).text)
    assert event["isBase64Encoded"] is True
    event = json.loads(apis("http", "POST", "/v2/a/b", b"a=1&b=2").text)
    assert event["isBase64Encoded"] is True


def test_an_event_of_a_rest_api(apis):
    reply = apis("rest", "PUT", "/v1/one/two%20x/three?a=1&a=2", b"{}", X_One="1")
    assert reply.status == 200, reply
    event = json.loads(reply.text)
    assert event["resource"] == "/v1/{first}/{rest+}"
    assert event["path"].replace("%20", " ") == "/v1/one/two x/three"
    assert event["httpMethod"] == "PUT"
    assert event["queryStringParameters"] == {"a": "2"}
    assert event["multiValueQueryStringParameters"] == {"a": ["1", "2"]}
    assert event["pathParameters"]["first"] == "one"
    headers = {name.lower(): value for name, value in event["headers"].items()}
    assert headers["x-one"] == "1"
    many = {name.lower(): value for name, value in event["multiValueHeaders"].items()}
    assert many["x-one"] == ["1"]
    assert event["body"] == "{}"
    assert event["isBase64Encoded"] is False
    assert event["stageVariables"] is None
    context = event["requestContext"]
    assert context["stage"] == "dev"
    assert context["resourcePath"] == "/v1/{first}/{rest+}"
    assert context["path"].startswith("/dev/v1/")
    assert context["httpMethod"] == "PUT"
    assert context["identity"]["sourceIp"] == "127.0.0.1"

    bare = json.loads(apis("rest", "GET", "/v1/a/b").text)
    assert bare["body"] is None
    assert bare["queryStringParameters"] is None
    assert bare["multiValueQueryStringParameters"] is None


NOBODY = {
    "accessKey", "accountId", "caller", "cognitoAuthenticationProvider",
    "cognitoAuthenticationType", "cognitoIdentityId", "cognitoIdentityPoolId", "principalOrgId",
    "user", "userArn",
}


def test_a_caller_who_is_not_known(apis, tmp_path):
    event = json.loads(apis("rest", "GET", "/v1/a/b").text)
    identity = event["requestContext"]["identity"]
    assert {name for name, value in identity.items() if value is None} == NOBODY | {"apiKey"}
    assert "version" not in event
    for name in ("resourceId", "deploymentId"):
        assert re.fullmatch("[a-z0-9]{6}", event["requestContext"][name])

    folder = tmp_path / "old"
    shutil.copytree(ECHO, folder)
    template = (folder / "serverless.yml").read_text()
    template = template.replace("service: echo", "service: old")
    (folder / "serverless.yml").write_text(
        template.replace("  httpApi:\n", "  httpApi:\n    payload: '1.0'\n", 1)
    )
    done = apis.server.cli("deploy", folder)
    assert done.returncode == 0, done.stderr
    [api] = [
        stack["outputs"]["HttpApiId"] for stack in apis.server.stacks()
        if stack["outputs"]["HttpApiId"] != apis.ids["http"]
    ]
    path = f"/_aws/execute-api/{api}/$default/v2/a/b"
    event = json.loads(send(apis.server.url, request("GET", path, {})).text)
    assert apis.server.cli("remove", folder).returncode == 0
    identity = event["requestContext"]["identity"]
    assert {name for name, value in identity.items() if value is None} == NOBODY | {"cognitoAmr"}
    assert event["version"] == "1.0"
    assert event["requestContext"]["resourceId"] is None
    assert "deploymentId" not in event["requestContext"]


def test_by_path_as_well_as_by_host(apis):
    path = f"/_aws/execute-api/{apis.ids['http']}/$default/v2/a/b"
    event = json.loads(send(apis.server.url, request("GET", path, {})).text)
    assert event["rawPath"] == "/v2/a/b"


# A body without a type would reach the function in base64.
JSON = {"Content_Type": "application/json"}

# What a handler returns to an HTTP API; then status, body, and a header.
ANSWERS = {
    "a whole answer": (
        {"statusCode": 201, "headers": {"X-A": "b"}, "body": "made"}, 201, "made", ("x-a", "b")
    ),
    "a value is an answer": ({"a": 1}, 200, '{"a":1}', ("content-type", "application/json")),
    "text is an answer": ("plain", 200, "plain", ("content-type", "application/json")),
    "a list is an answer": ([1, 2], 200, "[1,2]", ("content-type", "application/json")),
    "bytes": (
        {"statusCode": 200, "body": base64.b64encode(b"hello").decode(), "isBase64Encoded": True},
        200, "hello", None,
    ),
    "no type": (
        {"statusCode": 200, "body": "{}"}, 200, "{}", ("content-type", "text/plain")
    ),
    "no body": ({"statusCode": 204}, 204, "", None),
    "a cookie": ({"statusCode": 200, "cookies": ["a=b"]}, 200, "", ("set-cookie", "a=b")),
    "a status of letters": (
        {"statusCode": "many"}, 500, '{"message":"Internal Server Error"}', None
    ),
}


@pytest.mark.parametrize("kind", ANSWERS)
def test_answers_of_an_http_api(apis, kind):
    result, status, body, header = ANSWERS[kind]
    reply = apis("http", "POST", "/answer", json.dumps(result).encode(), **JSON)
    assert reply.status == status, reply
    assert reply.text.replace(" ", "" if status < 500 else " ") == body
    if header:
        assert reply.headers[header[0]].split(";")[0] == header[1]


REST_ANSWERS = {
    "a whole answer": (
        {"statusCode": 201, "headers": {"X-A": "b"}, "body": "made"}, 201, "made", ("x-a", "b")
    ),
    "many values": (
        {"statusCode": 200, "multiValueHeaders": {"X-A": ["b"]}, "body": ""}, 200, "", ("x-a", "b")
    ),
    "bytes that are not called binary": (
        {"statusCode": 200, "body": "aGVsbG8=", "isBase64Encoded": True}, 200, "aGVsbG8=", None
    ),
    "no type": (
        {"statusCode": 200, "body": "{}"}, 200, "{}", ("content-type", "application/json")
    ),
    "cookies, which are of HTTP APIs": (
        {"statusCode": 200, "cookies": ["a=b"]}, 502, '{"message": "Internal server error"}', None
    ),
    "no status": ({"body": "x"}, 502, '{"message": "Internal server error"}', None),
    "text": ("plain", 502, '{"message": "Internal server error"}', None),
}


def test_many_values_are_not_of_format_two(apis):
    answer = {"statusCode": 200, "multiValueHeaders": {"X-A": ["b"]}, "body": "c"}
    reply = apis("http", "POST", "/answer", json.dumps(answer).encode(), **JSON)
    assert (reply.status, reply.text) == (200, "c")
    assert "x-a" not in reply.headers


@pytest.mark.parametrize("kind", REST_ANSWERS)
def test_answers_of_a_rest_api(apis, kind):
    result, status, body, header = REST_ANSWERS[kind]
    reply = apis("rest", "POST", "/answer", json.dumps(result).encode(), **JSON)
    assert reply.status == status, reply
    assert reply.text.replace('":"', '": "') == body
    if header:
        assert reply.headers[header[0]] == header[1]


def test_a_handler_that_throws(apis):
    reply = apis("http", "POST", "/answer", b"not json")
    assert (reply.status, reply.text) == (500, '{"message":"Internal Server Error"}')
    reply = apis("rest", "POST", "/answer", b"not json")
    assert (reply.status, json.loads(reply.text)) == (502, {"message": "Internal server error"})


def test_what_is_not_routed(apis):
    assert apis("http", "GET", "/nothing").text == "fallback /nothing"
    reply = apis("rest", "GET", "/nothing")
    assert (reply.status, json.loads(reply.text)) == (
        403, {"message": "Missing Authentication Token"}
    )


def test_cors(apis):
    asked = {"Access_Control_Request_Method": "PUT"}
    reply = apis("http", "OPTIONS", "/v2/a/b", Origin="https://shop.example", **asked)
    assert reply.status in (200, 204), reply
    assert reply.headers["access-control-allow-origin"] == "https://shop.example"
    assert reply.headers["access-control-allow-credentials"] == "true"
    assert "PUT" in reply.headers["access-control-allow-methods"]
    assert reply.headers["access-control-max-age"] == "60"
    reply = apis("http", "GET", "/v2/a/b", Origin="https://evil.example")
    assert reply.status == 200
    assert "access-control-allow-origin" not in reply.headers


def test_a_body_above_ten_megabytes(apis):
    reply = apis("http", "POST", "/answer", b"x" * (10 * 1024 * 1024 + 1))
    assert reply.status == 413, reply
