"""The functions under measure. Each answers with the name of its environment's log stream, which
no other environment has, and the program that runs it; `{"hold_ms": n}` keeps it busy, and
`{"born": true}` asks when its process began.

An answer of ours, and not a constant: that is how the benches know whom they have met.
"""

import dataclasses
import io
import pathlib
import subprocess
import sys
import zipfile

import tools
from package import boto

NODE = """\
{setup}
const fs = require('node:fs');
const hold = (ms) => new Promise((done) => setTimeout(done, ms));
exports.handler = async (event, context) => {{
  if (event.hold_ms) await hold(event.hold_ms);
  const born = event.born ? fs.readFileSync('/proc/self/stat', 'utf8') : undefined;
  return {{ stream: context.logStreamName, program: process.execPath, born }};
}};
"""
PYTHON = """\
import sys
import time
{setup}

def handler(event, context):
    if "hold_ms" in event:
        time.sleep(event["hold_ms"] / 1000)
    answer = {{"stream": context.log_stream_name, "program": sys.executable}}
    if "born" in event:
        with open("/proc/self/stat") as stat:
            answer["born"] = stat.read()
    return answer
"""
SDK_V3 = """\
const { DynamoDBClient } = require('@aws-sdk/client-dynamodb');
exports.client = new DynamoDBClient({ region: 'us-east-1' });"""
SDK_V2 = """\
const AWS = require('aws-sdk');
exports.client = new AWS.DynamoDB({ region: 'us-east-1' });"""
BOTO3 = """\
import boto3
client = boto3.client("dynamodb", region_name="us-east-1")"""
PROGRAMS = {"native": lambda: tools.compile_rust("bootstrap"), "lambda_runtime": tools.lambda_runtime}


@dataclasses.dataclass(frozen=True)
class Sample:
    """A function, and the process that its start is measured against."""

    name: str
    language: str
    code: str
    """The source of its handler, or nothing where it is a program."""
    package: str = ""
    """What it needs of `node_modules`, or of boto3's data."""

    @property
    def runtime(self) -> str:
        return {"node": node_runtime, "python": python_runtime, "native": native_runtime}[
            self.language
        ]()

    @property
    def handler(self) -> str:
        return {"node": "index.handler", "python": "main.handler", "native": "any"}[self.language]

    @property
    def reference(self) -> str:
        """What its start is divided by."""
        return {"node": "node -e 0", "python": "python3 -c 0", "native": "/bin/true"}[
            self.language
        ]

    @property
    def forks(self) -> bool:
        """Whether its environments may be forked; a program cannot."""
        return self.language != "native"

    @property
    def ways(self) -> list:
        """Of being started, in the order in which they come about (`starts.py`)."""
        return ["first", "template", "spare"] if self.forks else ["first", "settled"]

    def source(self, salt: str = "") -> dict:
        if self.language == "native":
            return {"bootstrap": PROGRAMS[self.name]().read_bytes()}
        name, comment = ("index.js", "//") if self.language == "node" else ("main.py", "#")
        return {name: f"{self.code}\n{comment} {salt}\n".encode()}

    def zip(self, salt: str) -> bytes:
        """The package, other than with any other salt: nothing prepared for one helps another."""
        if self.name not in _zips:
            _zips[self.name] = zipped(packaged(self))
        archive = io.BytesIO(_zips[self.name])
        add(archive, {**self.source(salt), "salt": salt.encode()})
        return archive.getvalue()

    def unpack(self, folder: pathlib.Path) -> pathlib.Path:
        """The package as a folder, for those who take none."""
        for name, content in {**self.source(), **packaged(self)}.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
            path.chmod(0o755)
        return folder


_zips = {}

SAMPLES = [
    Sample("node", "node", NODE.format(setup="")),
    Sample("node-sdk-v3", "node", NODE.format(setup=SDK_V3), package="v3"),
    Sample("node-sdk-v2", "node", NODE.format(setup=SDK_V2), package="v2"),
    Sample("python", "python", PYTHON.format(setup="")),
    Sample("python-boto3", "python", PYTHON.format(setup=BOTO3), package="dynamodb"),
    Sample("native", "native", ""),
    Sample("lambda_runtime", "native", ""),
]


def chosen(names: str) -> list:
    """Those named, with commas between, or all."""
    known = {sample.name: sample for sample in SAMPLES}
    return [known[name] for name in names.split(",")] if names else SAMPLES


def node_runtime() -> str:
    version = subprocess.run(["node", "--version"], text=True, capture_output=True, check=True)
    return f"nodejs{version.stdout.strip().lstrip('v').split('.')[0]}.x"


def python_runtime() -> str:
    return f"python3.{sys.version_info.minor}"


def native_runtime() -> str:
    return "provided.al2023"


def packaged(sample: Sample) -> dict:
    if not sample.package:
        return {}
    if sample.language == "python":
        return boto(sample.package)
    modules = tools.sdks()
    v2 = modules / "aws-sdk"
    files = {}
    for path in modules.rglob("*"):
        name = path.relative_to(modules).as_posix()
        parts = name.split("/")
        # What no function loads: types, other module systems, browsers, other services' models.
        if not path.is_file() or path.suffix in (".ts", ".map", ".md") or ".bin" in parts:
            continue
        if {"dist-es", "dist-types"} & set(parts) or path.is_relative_to(v2 / "dist"):
            continue
        is_v2 = path.is_relative_to(v2)
        if is_v2 and parts[1] == "apis" and not wanted_model(parts[-1]):
            continue
        if sample.package == "v3" and is_v2:
            continue
        if sample.package == "v2" and parts[0] in ("@aws", "@aws-sdk", "@smithy"):
            continue
        files[f"node_modules/{name}"] = path.read_bytes()
    return files


def wanted_model(name: str) -> bool:
    return name.startswith(("dynamodb-", "metadata.")) or name == "metadata.json"


def zipped(files: dict) -> bytes:
    archive = io.BytesIO()
    add(archive, files)
    return archive.getvalue()


def add(archive: io.BytesIO, files: dict):
    archive.seek(0, io.SEEK_END)
    with zipfile.ZipFile(archive, "a", zipfile.ZIP_DEFLATED) as more:
        for name, content in files.items():
            info = zipfile.ZipInfo(name, (2000, 1, 1, 0, 0, 0))
            info.compress_type = zipfile.ZIP_DEFLATED
            info.external_attr = (0o755 if name == "bootstrap" else 0o644) << 16
            more.writestr(info, content)
