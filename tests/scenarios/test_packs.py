"""What a server keeps of a function's code between two runs, beside what it can make again."""

import json
import time

import boto3
from package import package
from server import Server, client_env

# Holds a timer, so that it is not forked; and is large enough to have a pack.
CODE = """
setInterval(() => {}, 60000);
const { pad } = require('./pad');
exports.handler = async () => pad.length;
"""
PAD = f"exports.pad = '{'x' * 40_000}';"


def client(server):
    env = client_env(server.url)
    return boto3.client(
        "lambda", endpoint_url=server.url, region_name=env["AWS_REGION"],
        aws_access_key_id="test", aws_secret_access_key="test",
    )


def files(folder):
    """Those that are whole."""
    found = folder.rglob("*")
    return sorted(path for path in found if path.is_file() and path.parent.name != "unfinished")


def until(check, seconds=20):
    deadline = time.monotonic() + seconds
    while not check():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.05)


def deploy(functions, name):
    functions.create_function(
        FunctionName=name, Runtime="nodejs20.x", Role="arn:aws:iam::000000000000:role/r",
        Handler="index.handler", Code={"ZipFile": package(index_js=CODE, pad_js=PAD)},
    )


def test_a_restart_loads_what_is_not_forked_of_its_code_pack(tmp_path):
    packs = tmp_path / "cache" / "packs"
    with Server(data=tmp_path) as server:
        functions = client(server)
        for name in ("one", "two"):
            deploy(functions, name)
        until(lambda: len(files(packs)) == 2)
        server.kill()
        server.start()
        assert len(files(packs)) == 2
        answer = client(server).invoke(FunctionName="one")
        assert json.loads(answer["Payload"].read()) == 40_000
        described = server.cli("describe", "one").stdout
        assert "with code pack (" in described, described
        functions.delete_function(FunctionName="one")
        until(lambda: len(files(packs)) == 1)
        # A change is another revision.
        [old] = files(packs)
        functions.update_function_configuration(FunctionName="two", MemorySize=256)
        answer = functions.invoke(FunctionName="two")
        assert json.loads(answer["Payload"].read()) == 40_000
        until(lambda: len(files(packs)) == 1 and files(packs) != [old])
