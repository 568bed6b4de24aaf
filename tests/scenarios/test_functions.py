"""What a function has beside its code: packages, layers, a URL, versions, the ends of its events."""

import json
import re
import urllib.request
import zipfile

import boto3
import botocore.config
import pytest

from server import Server, client_env

TEMPLATE = """\
service: extras
provider:
  name: aws
  runtime: python3.11
plugins: [serverless-python-requirements]
custom: { pythonRequirements: { dockerizePip: non-linux } }
package: { patterns: ['!wheels/**', '!layer/**'] }
layers:
  common: { path: layer, compatibleRuntimes: [python3.11] }
functions:
  hello:
    handler: src/hello.handler
    layers: [!Ref CommonLambdaLayer]
    url: { cors: true }
    reservedConcurrency: 5
    versionFunction: true
  fails:
    handler: src/hello.fails
    maximumRetryAttempts: 0
    destinations: { onFailure: !GetAtt Dead.Arn }
  streams:
    handler: src/streams.handler
    runtime: nodejs20.x
    url: { invokeMode: RESPONSE_STREAM }
  held:
    handler: src/hello.handler
    layers: [!Ref CommonLambdaLayer]
    provisionedConcurrency: 1
    events: [{ httpApi: GET /held }]
resources:
  Resources: { Dead: { Type: AWS::SQS::Queue } }
  Outputs: { Dead: { Value: !Ref Dead } }
"""

CODE = """\
import greeting


def handler(event, context):
    return {"said": greeting.word, "arn": context.invoked_function_arn}


def fails(event, context):
    raise ValueError("as it is meant to")
"""


STREAMS = """\
exports.handler = awslambda.streamifyResponse(async (event, out) => {
  out = awslambda.HttpResponseStream.from(out, { statusCode: 203 });
  out.write('in ');
  out.end('parts');
});
"""


def wheel(path, word):
    """A package `greeting` as pip installs it, so that no network is needed."""
    path.mkdir(parents=True, exist_ok=True)
    info = "greeting-1.0.dist-info/"
    with zipfile.ZipFile(path / "greeting-1.0-py3-none-any.whl", "w") as archive:
        archive.writestr("greeting/__init__.py", f"word = '{word}'\n")
        archive.writestr(info + "METADATA", "Metadata-Version: 2.1\nName: greeting\nVersion: 1.0\n")
        archive.writestr(
            info + "WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr(info + "RECORD", "")


@pytest.fixture(scope="module")
def app(tmp_path_factory):
    folder = tmp_path_factory.mktemp("extras") / "extras"
    wheel(folder / "wheels", "hello")
    for path, text in {
        "serverless.yml": TEMPLATE,
        "requirements.txt": "--no-index\n--find-links wheels\ngreeting==1.0\n",
        "src/hello.py": CODE,
        "src/streams.js": STREAMS,
        "layer/python/shared.py": "value = 'from the layer'\n",
    }.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    env = {"XDG_CACHE_HOME": str(tmp_path_factory.mktemp("cache"))}
    with Server() as server:
        def deploy(*args):
            return server.cli("deploy", folder, *args, env=env)

        done = deploy()
        assert done.returncode == 0, done.stderr
        yield server, folder, deploy, done


def client(server, service):
    env = client_env(server.url)
    config = botocore.config.Config(retries={"total_max_attempts": 1})
    return boto3.client(
        service, endpoint_url=server.url, region_name=env["AWS_REGION"], config=config,
        aws_access_key_id="test", aws_secret_access_key="test",
    )


def get(server, path):
    with urllib.request.urlopen(server.url + path, timeout=30) as reply:
        return json.load(reply)


def outputs(server):
    [stack] = server.stacks()
    return stack["outputs"]


def test_the_function_imports_its_packages_at_its_url(app):
    server, _, _, done = app
    plain = re.sub(r"\x1b\[[0-9;]*m", "", done.stdout + done.stderr)
    url = outputs(server)["HelloLambdaFunctionUrl"]
    assert re.search(rf"ANY\s+{re.escape(url)}\s+→ extras-dev-hello", plain), plain
    assert "installing the packages of requirements.txt" in plain
    name = re.match(r"http://(\w+)\.", url).group(1)
    answer = get(server, f"/_aws/lambda-url/{name}/")
    assert answer["said"] == "hello"


def test_a_url_streams_that_the_template_wants_to(app):
    server, *_ = app
    url = outputs(server)["StreamsLambdaFunctionUrl"]
    name = re.match(r"http://(\w+)\.", url).group(1)
    with urllib.request.urlopen(f"{server.url}/_aws/lambda-url/{name}/", timeout=30) as reply:
        assert (reply.status, reply.read()) == (203, b"in parts")


def test_nothing_is_installed_or_published_again(app):
    server, _, deploy, _ = app
    before = outputs(server)
    done = deploy()
    assert done.returncode == 0, done.stderr
    assert "installing" not in done.stdout + done.stderr
    assert "updated" not in done.stdout + done.stderr
    assert outputs(server) == before


def test_settings_are_those_of_the_template(app):
    server, *_ = app
    functions = client(server, "lambda")
    reserved = functions.get_function_concurrency(FunctionName="extras-dev-hello")
    assert reserved["ReservedConcurrentExecutions"] == 5
    held = functions.get_provisioned_concurrency_config(
        FunctionName="extras-dev-held", Qualifier="provisioned"
    )
    assert held["RequestedProvisionedConcurrentExecutions"] == 1
    api = outputs(server)["HttpApiId"]
    answer = get(server, f"/_aws/execute-api/{api}/$default/held")
    assert re.search(r":extras-dev-held:(provisioned|1)$", answer["arn"]), answer


def test_an_event_that_fails_goes_to_its_destination(app):
    server, *_ = app
    client(server, "lambda").invoke(
        FunctionName="extras-dev-fails", InvocationType="Event", Payload=b'{"n": 1}'
    )
    queue = outputs(server)["Dead"]
    received = client(server, "sqs").receive_message(QueueUrl=queue, WaitTimeSeconds=15)
    record = json.loads(received["Messages"][0]["Body"])
    assert record["requestPayload"] == {"n": 1}
    assert record["requestContext"]["approximateInvokeCount"] == 1


def test_functions_shows_what_they_did(app):
    server, *_ = app
    done = server.cli("functions")
    assert done.returncode == 0, done.stderr
    head, *rows = (line.split() for line in done.stdout.splitlines())
    assert head[:3] == ["FUNCTION", "RUNS", "ERRORS"]
    figures = {name: [int(runs), int(errors)] for name, runs, errors, *_ in rows}
    runs, errors = figures["extras-dev-fails"]
    assert runs == errors >= 1
    assert figures["extras-dev-hello"] == [1, 0]
    wrong = server.cli("functions", "--minutes", "0")
    assert wrong.returncode == 1
    assert "minutes is a number from 1 to 20160" in wrong.stderr


def test_one_function_is_described(app):
    server, *_ = app
    done = server.cli("describe", "fails")
    assert done.returncode == 0, done.stderr
    title, *sections = done.stdout.split("\n\n")
    assert title.splitlines()[0] == "extras-dev-fails"
    parts = {part.splitlines()[0]: part.splitlines()[1:] for part in sections}
    assert re.search(r"runtime +python3\.11, (on 3\.11|not installed: it runs on 3\.)", title)
    assert "timeout" in title and "sandbox" in title
    assert any("ValueError: as it is meant to" in line for line in parts["Last errors"])
    assert re.match(r" +\$LATEST +python3\.11 +template: (yes|no, \w)", parts["Versions"][0])
    head, *rows = parts["Environments"]
    assert head.split()[:2] == ["VERSION", "STATE"]
    started = r"(spare )?fork of template|(booted worker|fresh process)( with code pack)? \(.+\)"
    assert rows and all(re.search(started, row) for row in rows), rows
    held = server.cli("describe", "held").stdout
    assert "provisioned  1 of 1 ready  ready" in held
    assert re.search(r"1 +(idle|frozen|busy) .*, provisioned", held), held
    logged = server.cli("logs", "fails").stdout
    assert re.search(r"^(INIT|RESTORE)_START .*\tStart: ", logged), logged
    unknown = server.cli("describe", "nobody")
    assert unknown.returncode == 1 and "there is no function 'nobody'" in unknown.stderr


def test_a_change_publishes_another_version_and_keeps_the_first(app):
    server, folder, deploy, _ = app
    (folder / "src" / "hello.py").write_text(CODE.replace('"said"', '"told"'))
    (folder / "layer" / "python" / "shared.py").write_text("value = 'changed'\n")
    assert deploy().returncode == 0
    assert outputs(server)["HelloLambdaFunctionQualifiedArn"].endswith(":extras-dev-hello:2")
    functions = client(server, "lambda")

    def answer(version):
        reply = functions.invoke(FunctionName="extras-dev-hello", Qualifier=version)
        return json.loads(reply["Payload"].read())

    assert answer("2")["told"] == "hello"
    assert answer("1")["said"] == "hello"
    # Another content of the layer is another version of it, and the one before is deleted.
    versions = functions.list_layer_versions(LayerName="common")["LayerVersions"]
    assert [version["Version"] for version in versions] == [2]
    for function in ("hello", "held"):
        settings = functions.get_function_configuration(FunctionName=f"extras-dev-{function}")
        layers = [layer["Arn"] for layer in settings["Layers"]]
        assert layers == [versions[0]["LayerVersionArn"]], function


def test_a_mistake_names_the_line_of_the_requirement(app):
    _, folder, deploy, _ = app
    requirements = folder / "requirements.txt"
    good = requirements.read_text()
    requirements.write_text(good + "\nno-such-package>=3\n")
    done = deploy()
    requirements.write_text(good)
    assert done.returncode != 0
    assert "requirements.txt:5:1: pip failed: " in done.stderr, done.stderr
    assert "help: " in done.stderr


def test_removed_nothing_is_left(app):
    server, folder, _, _ = app
    done = server.cli("remove", folder)
    assert done.returncode == 0, done.stderr
    functions = client(server, "lambda")
    assert functions.list_functions()["Functions"] == []
    assert functions.list_layers()["Layers"] == []
