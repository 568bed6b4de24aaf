"""The runtime clients that AWS publishes for images of one's own, against our Runtime API.

Their own tests run a handler that echoes its event behind the client. Here it is that, and what a
client does besides: errors, the context, a handler that does not load.
"""

import json
import os
import pathlib
import subprocess
import sys

import pytest

from package import executables

CACHE = pathlib.Path(os.environ.get("XDG_CACHE_HOME", "~/.cache")).expanduser() / "cumulet"
# Native code is built when the client for Node is installed: see tools/install.sh.
NODE_CLIENT = CACHE / "aws-lambda-ric" / "node_modules" / "aws-lambda-ric"
PYTHON_CLIENT = "awslambdaric==4.2.2"
# What functions find in their sandbox.
NODE, PYTHON = "/usr/bin/node", "/usr/bin/python3"

APP_JS = """
exports.handler = async (event, context) => {
    if (event.boom) throw new TypeError(event.boom);
    if (event.about) return [context.awsRequestId, context.invokedFunctionArn,
        context.getRemainingTimeInMillis() > 0, process.env._X_AMZN_TRACE_ID];
    return event;
};
"""
APP_PY = """
import os
def handler(event, context):
    if event.get("boom"):
        raise TypeError(event["boom"])
    if event.get("about"):
        return [context.aws_request_id, context.invoked_function_arn,
                context.get_remaining_time_in_millis() > 0, os.environ.get("_X_AMZN_TRACE_ID")]
    return event
"""


def tree(folder, below=""):
    """The files of a folder, by their path in a package."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return {f"{below}{path.relative_to(folder)}": path.read_bytes() for path in files}


def node(_):
    if not os.access(NODE, os.X_OK):
        pytest.skip(f"functions have no {NODE} here")
    assert NODE_CLIENT.is_dir(), "./test installs it"
    client = {}
    for part in ("bin", "dist"):
        client |= tree(NODE_CLIENT / part, f"client/{part}/")
    start = f"#!/bin/sh\nexec {NODE} client/bin/index.mjs app.handler\n"
    return {"bootstrap": start, "app.js": APP_JS, **client}


def python(tmp):
    version = subprocess.run([PYTHON, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"],
                             capture_output=True, text=True, check=True).stdout.strip()
    subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", "--target", tmp,
                    "--disable-pip-version-check", "--python-version", version,
                    "--only-binary=:all:", PYTHON_CLIENT], check=True)
    start = f"#!/bin/sh\nexec {PYTHON} -m awslambdaric app.handler\n"
    return {"bootstrap": start, "app.py": APP_PY, **tree(tmp)}


@pytest.fixture(scope="module", params=[node, python], ids=["node", "python"])
def client(request, tmp_path_factory):
    return request.param(tmp_path_factory.mktemp("client"))


@pytest.fixture
def invoke(aws, client, name):
    """`invoke(event)`: the reply with its payload read. `files` replace those of the package."""
    lambda_ = aws("lambda")

    def deploy(**files):
        code = {**client, **{name.replace("_", "."): text for name, text in files.items()}}
        lambda_.create_function(
            FunctionName=name, Runtime="provided.al2023", Handler="app.handler", Timeout=20,
            Role="arn:aws:iam::000000000000:role/any", Code={"ZipFile": executables(code)},
        )
        lambda_.get_waiter("function_active_v2").wait(FunctionName=name)

        def invoke(event):
            reply = lambda_.invoke(FunctionName=name, Payload=json.dumps(event))
            return {**reply, "Payload": json.loads(reply["Payload"].read())}

        return invoke

    yield deploy
    lambda_.delete_function(FunctionName=name)


EVENTS = [
    {}, {"text": "ein größeres ☃"}, {"deep": [{"er": [1, 2.5, None, True]}]}, {"x": "y" * 500_000},
]


def test_what_goes_in_comes_out(invoke):
    run = invoke()
    for event in EVENTS * 2:
        reply = run(event)
        assert "FunctionError" not in reply, reply
        assert reply["Payload"] == event


def test_an_error_is_the_callers_and_the_next_event_runs(invoke):
    run = invoke()
    reply = run({"boom": "bang"})
    assert reply["FunctionError"] == "Unhandled"
    assert reply["Payload"]["errorType"] == "TypeError"
    assert reply["Payload"]["errorMessage"] == "bang"
    assert run({"n": 1})["Payload"] == {"n": 1}


def test_the_context(invoke):
    reply = invoke()({"about": True})
    request_id, arn, left, trace = reply["Payload"]
    assert request_id == reply["ResponseMetadata"]["RequestId"]
    assert ":function:" in arn and left is True
    assert trace.startswith("Root=1-") and ";Sampled=0" in trace


def test_a_handler_that_does_not_load(invoke):
    reply = invoke(app_js="throw new Error('broken')", app_py="raise Exception('broken')")({})
    assert reply["FunctionError"] == "Unhandled"
    assert "broken" in reply["Payload"]["errorMessage"]
