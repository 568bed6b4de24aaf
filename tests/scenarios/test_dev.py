"""`cumulet dev`: deploys, watches, redeploys, shows logs; and the small commands."""

import json
import re
import shutil
import threading
import time
import urllib.error
import urllib.request

import pytest

from server import Server, cumulet

TEMPLATE = """\
service: hot
provider:
  name: aws
  runtime: nodejs20.x
functions:
  hello:
    handler: src/hello.handler
    events:
      - httpApi: GET /hello
"""


def handler(word):
    return (
        "import { twice } from './lib/twice';\n"
        f"export const handler = async () => {{ console.log('said {word}');\n"
        f"  return twice('{word}'); }};\n"
    )


@pytest.fixture
def dev(tmp_path):
    folder = tmp_path / "app"
    (folder / "src" / "lib").mkdir(parents=True)
    (folder / "serverless.yml").write_text(TEMPLATE)
    (folder / "src" / "hello.ts").write_text(handler("old"))
    (folder / "src" / "lib" / "twice.ts").write_text(
        "export const twice = (s: string): string => s + s;\n"
    )
    with Server(command="dev", args=[str(folder)]) as server:
        yield server, folder


def get(server, path="/hello"):
    for stack in server.stacks():
        api = stack["outputs"]["HttpApiId"]
        request = f"{server.url}/_aws/execute-api/{api}/$default{path}"
        try:
            with urllib.request.urlopen(request, timeout=10) as reply:
                return reply.read().decode()
        except urllib.error.HTTPError as error:
            return error.code
    return None


def until(check, wanted, seconds):
    started = time.monotonic()
    while (got := check()) != wanted:
        assert time.monotonic() - started < seconds, f"{got}, not {wanted}, after {seconds} s"
        time.sleep(0.01)
    return time.monotonic() - started


def test_an_edit_is_served_within_a_second(dev):
    server, folder = dev
    until(lambda: get(server), "oldold", 30)
    (folder / "src" / "hello.ts").write_text(handler("new"))
    assert until(lambda: get(server), "newnew", 10) < 1.0
    # A file the handler imports counts as much as the handler.
    (folder / "src" / "lib" / "twice.ts").write_text("export const twice = (s: string) => s;\n")
    assert until(lambda: get(server), "new", 10) < 1.0


def test_a_broken_edit_keeps_what_ran(dev):
    server, folder = dev
    until(lambda: get(server), "oldold", 30)
    (folder / "src" / "hello.ts").write_text("export const handler = async () => { return 1 + };")
    until(lambda: "hello.ts:1:" in server.log(), True, 10)
    assert get(server) == "oldold"
    (folder / "serverless.yml").write_text(TEMPLATE.replace("  name: aws", "\tname: aws"))
    until(lambda: "serverless.yml:3:" in server.log(), True, 10)
    (folder / "serverless.yml").write_text(TEMPLATE)
    (folder / "src" / "hello.ts").write_text(handler("fixed"))
    until(lambda: get(server), "fixedfixed", 10)


def test_a_new_route_appears(dev):
    server, folder = dev
    until(lambda: get(server), "oldold", 30)
    more = TEMPLATE + "      - httpApi: GET /again\n"
    (folder / "serverless.yml").write_text(more)
    until(lambda: get(server, "/again"), "oldold", 10)


def test_what_is_printed(dev):
    server, _ = dev
    until(lambda: get(server), "oldold", 30)
    plain = lambda: re.sub(r"\x1b\[[0-9;]*m", "", server.log())
    until(lambda: "said old" in plain(), True, 5)
    [line] = [line for line in plain().splitlines() if "said old" in line]
    assert "hello" in line  # whose line it is
    assert re.search(r"GET\s.*/hello\s.*hello", plain())
    assert server.stop() == 0


def test_it_ends_while_requests_run(tmp_path):
    folder = tmp_path / "slow"
    shutil.copytree(__file__.rpartition("/")[0] + "/echo", folder)
    (folder / "handlers.js").write_text(
        "exports.event = exports.answer = exports.fallback = async () => {\n"
        "  await new Promise((done) => setTimeout(done, 700)); return 'done' };\n"
    )
    with Server(command="dev", args=[str(folder)]) as server:
        until(lambda: len(server.stacks()), 1, 30)
        answers = []
        caller = threading.Thread(target=lambda: answers.append(get(server, "/x")))
        caller.start()
        time.sleep(0.3)
        assert server.stop() == 0
        caller.join()
        assert answers == ["done"]  # what was accepted was finished


@pytest.mark.parametrize("command", ["dev", "serve"])
def test_data_below_the_project_is_no_part_of_it(tmp_path, command):
    folder = tmp_path / "app"
    (folder / "src").mkdir(parents=True)
    (folder / "serverless.yml").write_text(TEMPLATE)
    (folder / "src" / "hello.js").write_text(
        "exports.handler = async () => require('fs').readdirSync('.').sort().join(' ');\n"
    )
    args = [str(folder)] if command == "dev" else []
    with Server(data=folder / "state [1]", command=command, args=args) as server:
        if command == "serve":
            assert server.cli("deploy", folder).returncode == 0
        until(lambda: get(server), "src", 30)
        (folder / "words.txt").write_text("new")
        if command == "serve":
            assert server.cli("deploy", folder).returncode == 0
        until(lambda: get(server), "src words.txt", 10)
        time.sleep(0.5)
        assert server.log().count("redeployed") == (command == "dev")


def test_ready_is_the_last_word(tmp_path):
    with Server(data=tmp_path / "data") as server:
        assert server.log().strip().splitlines()[-1] == "ready"
        for path in ("/_cumulet/health", "/_localstack/health"):
            with urllib.request.urlopen(server.url + path) as reply:
                assert json.load(reply)["services"]["sqs"] == "running"


def test_the_version():
    done = cumulet("--version")
    assert done.returncode == 0
    assert re.fullmatch(r"cumulet \d+\.\d+\.\d+\n", done.stdout)
