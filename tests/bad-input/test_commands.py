"""Commands and folders that are wrong. Each ends with a message that names place and remedy."""

import socket
import textwrap

import pytest

from server import Server, cumulet

HANDLER = "exports.handler = async () => ({ statusCode: 200, body: 'ok' });\n"

GOOD = """\
service: shop
provider:
  name: aws
  runtime: nodejs20.x
functions:
  hello:
    handler: src/hello.handler
    events:
      - httpApi: GET /hello
"""


def without(line):
    assert line in GOOD
    return GOOD.replace(line, "")


def instead(old, new):
    assert old in GOOD
    return GOOD.replace(old, new)


def plus(text):
    return GOOD + textwrap.dedent(text)


# What stands in serverless.yml, the line the message must name, and words it must hold.
TEMPLATES = {
    "a tab": (instead("  name: aws", "\tname: aws"), 3, ["tab"]),
    "a quote left open": (instead("service: shop", "service: 'shop"), None, []),
    "a bracket left open": (plus("custom:\n  list: [1, 2\n"), None, []),
    "a key twice": (plus("service: other\n"), 10, ["service"]),
    "a list for a map": (instead("functions:\n  hello:", "functions:\n  - hello:"), 6, []),
    "no text at all": ("", None, ["service"]),
    "no service": (without("service: shop\n"), None, ["service"]),
    "no provider": (
        "service: shop\nfunctions:\n  hello:\n    handler: src/hello.handler\n",
        None, ["provider"],
    ),
    "another provider": (instead("name: aws", "name: azure"), 3, ["azure"]),
    "an unknown variable source": (
        instead("service: shop", "service: ${coffee:shop}"), 1, ["coffee"]
    ),
    "a variable that is not there": (
        instead("nodejs20.x", "${self:custom.runtime}"), 4, ["custom.runtime"]
    ),
    "an environment variable that is not set": (
        instead("nodejs20.x", "${env:SURELY_NOT_SET}"), 4, ["SURELY_NOT_SET"]
    ),
    "an option that is not given": (instead("nodejs20.x", "${opt:colour}"), 4, ["colour"]),
    "a variable without an end": (instead("shop", "${self:provider.name"), 1, []),
    "variables in a circle": (
        plus("custom:\n  a: ${self:custom.b}\n  b: ${self:custom.a}\n"), None, ["custom."]
    ),
    "no handler": (without("    handler: src/hello.handler\n"), 6, ["handler", "hello"]),
    "a handler file that is not there": (
        instead("src/hello.handler", "src/nowhere.handler"), 7, ["src/nowhere"]
    ),
    "a handler without an export": (instead("src/hello.handler", "hello"), 7, ["hello"]),
    "a runtime nobody has": (instead("nodejs20.x", "cobol85"), 4, ["cobol85"]),
    "a timeout of an hour": (
        instead("    events:", "    timeout: 3600\n    events:"), 8, ["timeout", "900"]
    ),
    "a timeout of letters": (
        instead("    events:", "    timeout: long\n    events:"), 8, ["Timeout"]
    ),
    "an unknown event": (instead("- httpApi: GET /hello", "- pigeon: post"), 9, ["pigeon"]),
    "a route without a path": (instead("GET /hello", "GET"), 9, ["GET"]),
    "a route with an unknown method": (instead("GET /hello", "FETCH /hello"), 9, ["FETCH"]),
    "a schedule of nonsense": (
        instead("httpApi: GET /hello", "schedule: rate(1 fortnight)"), 9, ["ScheduleExpression"]
    ),
    "an unknown resource type": (
        plus("""\
        resources:
          Resources:
            Car:
              Type: AWS::Cars::Car
        """), 13, ["AWS::Cars::Car"],
    ),
    "an unknown property": (
        plus("""\
        resources:
          Resources:
            Q:
              Type: AWS::SQS::Queue
              Properties:
                Colour: red
        """), 15, ["Colour"],
    ),
    "a reference to nothing": (
        plus("""\
        resources:
          Outputs:
            Url:
              Value: !Ref Nothing
        """), 13, ["Nothing"],
    ),
    "an attribute nobody has": (
        plus("""\
        resources:
          Resources:
            Q:
              Type: AWS::SQS::Queue
          Outputs:
            Url:
              Value: !GetAtt Q.Colour
        """), 16, ["Colour"],
    ),
    "resources in a circle": (
        plus("""\
        resources:
          Resources:
            A:
              Type: AWS::SQS::Queue
              Properties:
                QueueName: !Sub "${B}-x"
            B:
              Type: AWS::SQS::Queue
              Properties:
                QueueName: !Sub "${A}-x"
        """), None, ["A", "B"],
    ),
    "an unknown tag": (plus("custom:\n  a: !Coffee black\n"), 11, ["!Coffee"]),
}


@pytest.fixture(scope="module")
def server():
    with Server() as server:
        yield server


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "hello.js").write_text(HANDLER)
    (tmp_path / "serverless.yml").write_text(GOOD)
    return tmp_path


def failed(done, *words):
    text = done.stdout + done.stderr
    assert done.returncode not in (0, 101), text
    assert "panicked" not in text
    for word in words:
        assert word in text, text
    return text


def test_the_good_one_deploys(server, folder):
    done = server.cli("deploy", folder)
    assert done.returncode == 0, done.stderr
    assert server.cli("remove", folder).returncode == 0


@pytest.mark.parametrize("case", TEMPLATES)
def test_a_template_that_is_wrong(server, folder, case):
    text, line, words = TEMPLATES[case]
    (folder / "serverless.yml").write_text(text)
    place = f"serverless.yml:{line}:" if line else "serverless.yml"
    failed(server.cli("deploy", folder), place, "help:", *words)
    assert [each["name"] for each in server.stacks()] == []  # nothing is left half made
    assert server.healthy()


def test_typescript_that_is_none(server, folder):
    (folder / "src" / "hello.js").unlink()
    broken = "export const handler = async () => {\n  return 1 +;\n}\n"
    (folder / "src" / "hello.ts").write_text(broken)
    failed(server.cli("deploy", folder), "src/hello.ts:2:")


def test_an_import_that_is_not_installed(server, folder):
    (folder / "src" / "hello.js").unlink()
    lacking = "import x from 'left-pad';\nexport const handler = x;\n"
    (folder / "src" / "hello.ts").write_text(lacking)
    failed(server.cli("deploy", folder), "src/hello.ts:1:", "left-pad", "npm install")


def test_a_handler_that_throws_at_import_is_told_when_it_is_called(server, folder):
    (folder / "src" / "hello.js").write_text("throw new Error('not today');\n")
    assert server.cli("deploy", folder).returncode == 0
    failed(server.cli("invoke", "hello"), "not today")
    (folder / "src" / "hello.js").write_text(HANDLER)
    assert server.cli("deploy", folder).returncode == 0
    assert server.cli("invoke", "hello").returncode == 0
    assert server.cli("remove", folder).returncode == 0


def test_strict_refuses_what_is_not_honoured(server, folder):
    text = GOOD.replace("- httpApi: GET /hello", """\
- http:
          method: get
          path: hello
          authorizer: aws_iam""")
    (folder / "serverless.yml").write_text(text)
    failed(server.cli("deploy", folder, "--strict"), "serverless.yml:12", "authorizer")
    done = server.cli("deploy", folder)
    assert done.returncode == 0
    assert "authorizer" in done.stdout + done.stderr
    assert server.cli("remove", folder).returncode == 0


def test_remove_says_what_stays(server, folder):
    def template(protected):
        return plus(f"""\
        resources:
          Resources:
            Kept:
              Type: AWS::DynamoDB::Table
              Properties:
                BillingMode: PAY_PER_REQUEST
                DeletionProtectionEnabled: {protected}
                KeySchema: [{{ AttributeName: PK, KeyType: HASH }}]
                AttributeDefinitions: [{{ AttributeName: PK, AttributeType: S }}]
        """)

    (folder / "serverless.yml").write_text(template("true"))
    assert server.cli("deploy", folder).returncode == 0
    for _ in range(2):
        failed(server.cli("remove", folder), "Kept (AWS::DynamoDB::Table)", "protect", "help:")
        assert [each["name"] for each in server.stacks()] == ["shop-dev"]
    (folder / "serverless.yml").write_text(template("false"))
    assert server.cli("deploy", folder).returncode == 0
    done = server.cli("remove", folder)
    assert done.returncode == 0, done.stderr
    assert server.stacks() == []


def test_remove_of_nothing(server, folder):
    failed(server.cli("remove", folder), "shop-dev does not exist", "help:")


COMMANDS = {
    "an unknown command": (["coffee"], ["coffee"]),
    "an unknown option": (["serve", "--coffee"], ["--coffee"]),
    "a port of letters": (["serve", "--port", "many"], ["many", "--port"]),
    "a port too high": (["serve", "--port", "70000"], ["70000", "--port"]),
    "memory and data": (["serve", "--memory", "--data", "x"], ["--memory", "--data"]),
    "a folder that is not there": (["deploy", "/nowhere/at/all"], ["/nowhere/at/all", "help:"]),
    "a function that is not there": (["invoke", "nobody"], ["nobody", "help:"]),
    "logs of nobody": (["logs", "nobody"], ["nobody", "help:"]),
    "an event file that is not there": (["invoke", "f", "--file", "/nowhere.json"],
                                        ["/nowhere.json"]),
    "an event that is no json": (["invoke", "f", "--data", "{"], ["--data:1:", "JSON"]),
    "an event twice": (["invoke", "f", "--data", "1", "--file", "x"], ["--data", "--file"]),
}


@pytest.mark.parametrize("case", COMMANDS)
def test_a_command_that_is_wrong(server, case, tmp_path):
    words, wanted = COMMANDS[case]
    failed(server.cli(*words, cwd=tmp_path), *wanted)
    assert server.healthy()


def test_a_folder_without_a_template(server, tmp_path):
    failed(server.cli("deploy", tmp_path), "serverless.yml", "help:")


def test_no_server_there(folder):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, not listening: nobody answers
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        done = cumulet("deploy", folder, env={"AWS_ENDPOINT_URL": url})
    failed(done, url, "help:")


def test_the_port_is_in_use(server):
    done = cumulet("serve", "--memory", "--port", server.port, timeout=20)
    failed(done, str(server.port), "help:", "--port")
    assert server.healthy()


def test_the_data_is_in_use(tmp_path):
    with Server(data=tmp_path / "data") as first:
        done = cumulet("serve", "--port", 0, "--data", tmp_path / "data", timeout=20)
        failed(done, str(tmp_path / "data"), str(first.process.pid))
        assert first.healthy()


def test_the_data_is_of_another_version(tmp_path):
    data = tmp_path / "data"
    Server(data=data).start().stop()
    format_file = data / "format"
    saved = format_file.read_text()
    format_file.write_text("999\n")
    failed(cumulet("serve", "--port", 0, "--data", data, timeout=20), str(data), "999")
    assert format_file.read_text() == "999\n"  # it was only looked at
    format_file.write_text(saved)
    Server(data=data).start().stop()


def test_the_data_is_a_file(tmp_path):
    (tmp_path / "data").write_text("mine")
    done = cumulet("serve", "--port", 0, "--data", tmp_path / "data", timeout=20)
    failed(done, str(tmp_path / "data"))
    assert (tmp_path / "data").read_text() == "mine"


def test_the_data_is_somebody_elses(tmp_path):
    (tmp_path / "thesis.txt").write_text("mine")
    done = cumulet("serve", "--port", 0, "--data", tmp_path, timeout=20)
    failed(done, str(tmp_path))
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_the_data_cannot_be_written():
    failed(cumulet("serve", "--port", 0, "--data", "/proc/cumulet", timeout=20), "/proc/cumulet")


def test_flipped_bits_are_found(tmp_path):
    """A checksum is there to be checked: what was changed on disk is never served."""
    import boto3

    data = tmp_path / "data"
    server = Server(data=data).start()
    options = {
        "endpoint_url": server.url, "region_name": "us-east-1",
        "aws_access_key_id": "x", "aws_secret_access_key": "x",
    }
    sqs = boto3.client("sqs", **options)
    url = sqs.create_queue(QueueName="q")["QueueUrl"]
    needle = "a needle in the hay stack " * 20
    sqs.send_message(QueueUrl=url, MessageBody=needle)
    server.kill()

    changed = 0
    for path in data.rglob("*"):
        if path.is_file() and b"a needle" in (content := path.read_bytes()):
            at = content.index(b"a needle")
            path.write_bytes(content[:at] + b"A" + content[at + 1 :])
            changed += 1
    if not changed:
        pytest.skip("the engine compresses: the needle is not found on disk")

    try:
        server.start()
    except RuntimeError as refusal:
        assert "panicked" not in str(refusal)
        return  # found at the start: refused
    try:
        bodies = [
            message["Body"]
            for message in sqs.receive_message(QueueUrl=url, WaitTimeSeconds=1).get("Messages", [])
        ]
        assert not any(body.startswith("A needle") for body in bodies)
    except sqs.exceptions.ClientError:
        pass  # found when it was read: an error
    finally:
        server.kill()
