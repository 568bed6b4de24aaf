"""(e) From the edit of a handler to the first answer by the new code."""

import http.client
import pathlib
import shutil
import sys
import tempfile
import time

from lib import HERE, Server, median, result, spread

ROUNDS = 20
HANDLER = """\
exports.handler = async () => ({{ statusCode: 200, body: 'edit {number}' }});
"""


def main() -> bool:
    with tempfile.TemporaryDirectory() as folder:
        app = pathlib.Path(folder) / "app"
        shutil.copytree(HERE / "app", app)
        handler = app / "handler.js"
        handler.write_text(HANDLER.format(number=0))
        with Server(command="dev", args=[str(app)]) as server:
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
            for number in range(1, ROUNDS + 1):
                time.sleep(0.5)  # an editor, not a machine gun
                began = time.perf_counter()
                handler.write_text(HANDLER.format(number=number))
                while answer() != f"edit {number}":
                    assert time.perf_counter() - began < 30, server.log()
                    time.sleep(0.002)
                took.append((time.perf_counter() - began) * 1000)
    return result("edit to new code", median(took), "ms", at_most=1000, note=spread(took, 0))


if __name__ == "__main__":
    sys.exit(0 if main() else 1)
