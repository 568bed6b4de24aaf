"""From the edit of a handler to the first answer by the new code."""

import argparse
import http.client
import pathlib
import shutil
import tempfile
import time

from lib import CLEARED, HERE, Server
from table import Bound, Progress, Table

LATEST_MS = Bound(1000)
HANDLER = """\
exports.handler = async () => ({{ statusCode: 200, body: 'edit {number}' }});
"""


def main(argv) -> bool:
    options = argparse.ArgumentParser(prog="reload")
    options.add_argument("--rounds", type=int, default=20)
    options = options.parse_args(argv)
    progress = Progress("reload", options.rounds)
    with tempfile.TemporaryDirectory() as folder, Table("reload") as table:
        app = pathlib.Path(folder) / "app"
        shutil.copytree(HERE / "app", app)
        handler = app / "handler.js"
        handler.write_text(HANDLER.format(number=0))
        with Server(command="dev", args=[str(app)], env=CLEARED) as server:
            deadline = time.monotonic() + 30
            while not server.stacks():
                assert time.monotonic() < deadline, server.log()
                time.sleep(0.05)
            api = server.stacks()[0]["outputs"]["HttpApiId"]
            connection = http.client.HTTPConnection("127.0.0.1", server.port)

            def answer():
                connection.request("POST", f"/_aws/execute-api/{api}/$default/echo", "{}")
                return connection.getresponse().read().decode()

            assert answer() == "edit 0"
            took = []
            for number in range(1, options.rounds + 1):
                time.sleep(0.5)  # an editor, not a machine gun
                began = time.perf_counter()
                handler.write_text(HANDLER.format(number=number))
                while answer() != f"edit {number}":
                    assert time.perf_counter() - began < 30, server.log()
                    time.sleep(0.002)
                took.append((time.perf_counter() - began) * 1000)
                progress.step("edits")
        table.row("edit to new code", took, "ms", bound=LATEST_MS)
    return table.good
