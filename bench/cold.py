"""(d) The first call of a trivial Node function, against `node -e 0` with a cleared environment.

Measured from outside: the whole HTTP request counts, which is more than the start alone.
"""

import base64
import http.client
import json
import subprocess
import sys
import time

from lib import CLEARED, Server, median, result, spread
from package import package

ROUNDS = 40
# Templates are made off the critical path; this is more than that takes.
TEMPLATE_SECONDS = 1.0


def call(connection, method, path, body) -> float:
    began = time.perf_counter()
    connection.request(method, path, body, {"Content-Type": "application/json"})
    reply = connection.getresponse()
    text = reply.read()
    took = (time.perf_counter() - began) * 1000
    assert reply.status in (200, 201), text
    assert reply.getheader("x-amz-function-error") is None, text
    return took


def node_ms() -> float:
    began = time.perf_counter()
    subprocess.run(["node", "-e", "0"], env=CLEARED, check=True)
    return (time.perf_counter() - began) * 1000


def main() -> bool:
    functions = "/2015-03-31/functions"
    node_ms()
    with Server(env=CLEARED) as server:
        connection = http.client.HTTPConnection("127.0.0.1", server.port)
        cold, warm, node = [], [], []
        for number in range(ROUNDS):
            name = f"cold-{number}"
            # Different code each time: nothing prepared for another function helps.
            code = package(index_js=f"exports.handler = async () => {number};")
            body = {
                "FunctionName": name, "Runtime": "nodejs20.x", "Handler": "index.handler",
                "Role": "arn:aws:iam::000000000000:role/any",
                "Code": {"ZipFile": base64.b64encode(code).decode()},
            }
            call(connection, "POST", functions, json.dumps(body))
            time.sleep(TEMPLATE_SECONDS)
            cold.append(call(connection, "POST", f"{functions}/{name}/invocations", "{}"))
            warm.append(call(connection, "POST", f"{functions}/{name}/invocations", "{}"))
            node.append(node_ms())
    result("first call", median(cold), "ms", note=spread(cold, 2))
    result("second call", median(warm), "ms", note=spread(warm, 2))
    result("node -e 0", median(node), "ms", note=spread(node, 2))
    return result("ratio cold ÷ node -e 0", median(cold) / median(node), at_most=0.15)


if __name__ == "__main__":
    sys.exit(0 if main() else 1)
