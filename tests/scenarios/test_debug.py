"""`cumulet dev --debug`: breakpoints, and the time that does not pass at them."""

import base64
import importlib.util
import json
import pathlib
import re
import shutil
import sys
import threading
import time
import urllib.error
import urllib.request

import pytest

from debuggers import Adapter, Inspector
from server import Server, cumulet, free_port

PYTHON = f"python{sys.version_info.major}.{sys.version_info.minor}"
TEMPLATE = f"""\
service: debugged
provider:
  name: aws
  runtime: nodejs20.x
  timeout: 1
custom:
  esbuild: {{ minify: true }}
functions:
  pay:
    handler: src/pay.handler
    events: [httpApi: GET /pay]
  slow:
    handler: src/pay.slow
    events: [httpApi: GET /slow]
  snake:
    runtime: {PYTHON}
    memorySize: 128
    handler: py/snake.handler
    events: [httpApi: GET /snake]
"""
PAY = """\
import { twice } from './lib/twice';
const wait = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
let running = 0;
export const handler = async (event: { rawPath: string }, context: any) => {
  const others = running++;
  const word: string = twice('ab');
  const left: number = context.getRemainingTimeInMillis();
  await wait(5);
  running--;
  return { word, left, others, pid: process.pid, version: 'VERSION' };
};
export const slow = async () => wait(3000);
"""
SNAKE = """\
import os

def handler(event, context):
    word = "ab" * 2
    left = context.get_remaining_time_in_millis()
    return {"word": word, "left": left, "pid": os.getpid()}
"""


def write(folder):
    (folder / "src" / "lib").mkdir(parents=True)
    (folder / "serverless.yml").write_text(TEMPLATE)
    (folder / "src" / "pay.ts").write_text(PAY)
    (folder / "src" / "lib" / "twice.ts").write_text(
        "export const twice = (s: string): string => s + s;\n"
    )
    (folder / "py").mkdir()
    (folder / "py" / "snake.py").write_text(SNAKE)
    return folder


def add_debugpy(folder):
    package = pathlib.Path(importlib.util.find_spec("debugpy").origin).parent
    shutil.copytree(package, folder / "debugpy", ignore=shutil.ignore_patterns("__pycache__"))


class App:
    """An application whose `pay` and `snake` can be debugged."""

    def __init__(self, folder, sandbox, python=True):
        self.folder = folder
        self.node, self.python = free_port(), free_port()
        wanted = ["--debug", f"pay={self.node}"]
        if python:
            wanted += ["--debug", f"debugged-dev-snake={self.python}"]
        self.server = Server(command="dev", args=[str(folder), *wanted, "--sandbox", sandbox])

    def get(self, name):
        """The answer of a function, and how many seconds it took."""
        [stack] = self.server.stacks()
        api = stack["outputs"]["HttpApiId"]
        url = f"{self.server.url}/_aws/execute-api/{api}/$default/{name}"
        started = time.monotonic()
        try:
            with urllib.request.urlopen(url, timeout=60) as reply:
                status, text = reply.status, reply.read()
        except urllib.error.HTTPError as error:
            status, text = error.code, error.read()
        return status, json.loads(text), time.monotonic() - started

    def start(self, name):
        """The same, in the background: a function that waits for the answer."""
        answers = []
        thread = threading.Thread(target=lambda: answers.append(self.get(name)))
        thread.start()

        def answer():
            thread.join(60)
            return answers[0]

        return answer

    def until_ready(self):
        deadline = time.monotonic() + 60
        while "\nready\n" not in self.server.log():
            assert time.monotonic() < deadline, self.server.log()
            time.sleep(0.05)


@pytest.fixture(scope="module", params=["linux", "none"])
def app(request, tmp_path_factory):
    folder = write(tmp_path_factory.mktemp(f"debug-{request.param}") / "app")
    add_debugpy(folder)
    app = App(folder, request.param)
    with app.server:
        app.until_ready()
        yield app


def stop_at(inspector, line, column=0):
    inspector.ask("Runtime.enable")
    inspector.ask("Debugger.enable")
    place = {"urlRegex": r".*/src/pay\.js$", "lineNumber": line, "columnNumber": column}
    found = inspector.ask("Debugger.setBreakpointByUrl", **place)
    assert found["locations"], "the script is loaded before the first event"


def line_of(code, text):
    [line] = [number for number, line in enumerate(code.splitlines()) if text in line]
    return line


def bundle(inspector):
    """The script, and its map."""
    inspector.ask("Debugger.enable")
    while True:
        script = inspector.wait("Debugger.scriptParsed")["params"]
        if script["url"].endswith("/src/pay.js"):
            break
    source = inspector.ask("Debugger.getScriptSource", scriptId=script["scriptId"])
    head, data = script["sourceMapURL"].split(",", 1)
    assert head == "data:application/json;base64"
    return source["scriptSource"], json.loads(base64.b64decode(data))


def test_node_stands_at_a_breakpoint_longer_than_its_timeout(app):
    with Inspector(app.node) as inspector:
        code, _ = bundle(inspector)
        stop_at(inspector, line_of(code, "getRemainingTimeInMillis"))
        answer = app.start("pay")
        paused = inspector.wait("Debugger.paused")["params"]
        frame = paused["callFrames"][0]
        time.sleep(2.5)
        asked = inspector.ask(
            "Debugger.evaluateOnCallFrame", callFrameId=frame["callFrameId"],
            expression="[word, context.getRemainingTimeInMillis()].join()",
        )
        word, left = asked["result"]["value"].split(",")
        assert word == "abab" and 0 < int(left) <= 1000
        inspector.ask("Debugger.resume")
        status, body, took = answer()
    assert (status, body["word"]) == (200, "abab")
    assert took > 2.5 and 0 < body["left"] <= 1000
    report = [line for line in app.server.cli("logs", "pay").stdout.splitlines() if "REPORT" in line]
    assert float(re.search(r"\tDuration: ([\d.]+) ms", report[-1]).group(1)) < 1000


def test_it_times_out_where_nobody_stops_it(app):
    status, _, took = app.get("slow")
    assert status == 500 and took < 3
    # Nor does a debugger that is there keep a function that runs.
    with Inspector(app.node) as inspector:
        code, _ = bundle(inspector)
        stop_at(inspector, line_of(code, "getRemainingTimeInMillis"))
        answer = app.start("pay")
        frame = inspector.wait("Debugger.paused")["params"]["callFrames"][0]
        time.sleep(1.5)
        # The rest of its second passes while the loop runs.
        inspector.ask(
            "Debugger.evaluateOnCallFrame", callFrameId=frame["callFrameId"],
            expression="globalThis.stuck = true; setTimeout(() => { for (;;); }, 0); 0",
        )
        inspector.ask("Debugger.resume")
        status, _, took = answer()
    assert status == 500 and 1.5 < took < 6, took
    assert app.get("pay")[0] == 200


def test_a_debugger_that_leaves_lets_the_function_go_on(app):
    with Inspector(app.node) as inspector:
        code, _ = bundle(inspector)
        stop_at(inspector, line_of(code, "getRemainingTimeInMillis"))
        answer = app.start("pay")
        inspector.wait("Debugger.paused")
        time.sleep(1.5)
    assert answer()[0] == 200


def test_there_is_one_environment_and_it_stays(app):
    answers = [app.start("pay") for _ in range(6)]
    bodies = [answer()[1] for answer in answers]
    assert len({body["pid"] for body in bodies}) == 1
    assert {body["others"] for body in bodies} == {0}
    time.sleep(0.5)
    with Inspector(app.node) as inspector:  # it is not frozen
        assert inspector.ask("Runtime.evaluate", expression="6 * 7")["result"]["value"] == 42
    assert app.get("pay")[1]["pid"] == bodies[0]["pid"]
    [row] = environments(app, "pay")
    assert "fresh process (it is debugged)" in row


def environments(app, name):
    shown = app.server.cli("describe", name).stdout
    section = shown.split("\nEnvironments\n", 1)[1].split("\n\n", 1)[0]
    return section.splitlines()[1:]


def test_its_sources_are_those_of_the_project(app):
    with Inspector(app.node) as inspector:
        code, sources = bundle(inspector)
    # Relative to the bundle, which lies where its source does.
    assert "../src/pay.ts" in sources["sources"] or "pay.ts" in sources["sources"]
    assert any(source.endswith("lib/twice.ts") for source in sources["sources"])
    assert not any(".cumulet" in source for source in sources["sources"])
    assert PAY.split("VERSION")[0] in "".join(sources["sourcesContent"])
    assert "getRemainingTimeInMillis" in code and "const others" in code, "it is not minified"


def test_python_stands_at_a_breakpoint_longer_than_its_timeout(app):
    with Adapter(app.python) as adapter:
        adapter.ask("initialize", adapterID="test", clientID="test", pathFormat="path")
        attached = adapter.send(
            "attach", justMyCode=False,
            pathMappings=[{"localRoot": str(app.folder), "remoteRoot": remote_root(app, "snake")}],
        )
        adapter.wait("initialized")
        line = 1 + line_of(SNAKE, "get_remaining")
        bound = adapter.ask(
            "setBreakpoints", breakpoints=[{"line": line}],
            source={"path": str(app.folder / "py" / "snake.py")},
        )
        assert bound["breakpoints"][0]["verified"], bound
        adapter.ask("configurationDone")
        adapter.answered(attached)
        answer = app.start("snake")
        thread = adapter.wait("stopped")["body"]["threadId"]
        [frame, *_] = adapter.ask("stackTrace", threadId=thread)["stackFrames"]
        assert frame["line"] == line and frame["source"]["path"].endswith("py/snake.py")
        time.sleep(2.5)
        found = adapter.ask("evaluate", expression="word", frameId=frame["id"], context="repl")
        assert found["result"] == "'abab'"
        adapter.ask("continue", threadId=thread)
        status, body, took = answer()
        assert (status, body["word"]) == (200, "abab")
        assert took > 2.5 and 0 < body["left"] <= 1000
    # Nobody is there any more, and the environment stays.
    assert app.get("snake")[1]["pid"] == body["pid"]


def remote_root(app, name):
    """As the settings that were printed have it."""
    said = app.server.log().split(f'"name": "cumulet: {name}"', 1)[1]
    return re.search(r'"remoteRoot": "([^"]+)"', said).group(1)


def test_an_edit_is_debugged_at_the_same_port(app):
    before = app.get("pay")[1]
    with Inspector(app.node) as inspector:
        source = app.folder / "src" / "pay.ts"
        source.write_text(source.read_text().replace("VERSION", "NEXT"))
        with pytest.raises(ConnectionError):
            inspector.wait("never")
    with Inspector(app.node) as inspector:
        code, _ = bundle(inspector)
        assert "NEXT" in code
        stop_at(inspector, line_of(code, "getRemainingTimeInMillis"))
        answer = app.start("pay")
        inspector.wait("Debugger.paused")
        inspector.ask("Debugger.resume")
        after = answer()[1]
    assert after["version"] == "NEXT" and before["version"] == "VERSION"


def test_it_ends_although_a_function_is_stopped(tmp_path):
    app = App(write(tmp_path / "app"), "linux", python=False)
    with app.server:
        app.until_ready()
        with Inspector(app.node) as inspector:
            code, _ = bundle(inspector)
            stop_at(inspector, line_of(code, "getRemainingTimeInMillis"))
            answer = app.start("pay")
            inspector.wait("Debugger.paused")
            assert app.server.stop() == 0
            assert answer()[0] == 200


def test_what_cannot_be_debugged_is_said(tmp_path):
    folder = write(tmp_path / "app")

    def refused(*args):
        done = cumulet("dev", folder, "--memory", "--port", "0", *args)
        assert done.returncode != 0
        return done.stderr

    assert "there is no function 'nobody'\nhelp: there are pay, slow, snake" in refused(
        "--debug", "nobody"
    )
    assert "'x' is no port" in refused("--debug", "pay=x")
    assert "named twice" in refused("--debug", "pay", "--debug", "debugged-dev-pay")
    with Server() as other:
        said = refused("--debug", f"pay={other.port}")
    assert f"port {other.port} cannot be listened on" in said and "help: " in said
    assert "unexpected argument '--debug'" in cumulet("serve", "--debug", "pay").stderr


def test_python_without_debugpy_says_what_to_install(tmp_path):
    if importlib.util.find_spec("debugpy") and sys.prefix == sys.base_prefix:
        pytest.skip("the interpreter itself has debugpy")
    folder = write(tmp_path / "app")
    with Server(command="dev", args=[str(folder), "--debug", f"snake={free_port()}"]) as server:
        deadline = time.monotonic() + 30
        while "cannot be debugged" not in server.log():
            assert time.monotonic() < deadline, server.log()
            time.sleep(0.05)
        assert "add debugpy to the packages of the function" in server.log()
        assert "python3 -m pip install debugpy" in server.log()
