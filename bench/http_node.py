"""(b) HTTP → warm Node function, against a bare Node HTTP server with the same handler."""

import re
import shutil
import subprocess
import sys

from lib import CLEARED, HERE, Server, median, result, spread

ROUNDS = 15
SECONDS = 3
CONNECTIONS = 8
APP = HERE / "app"


def wrk(url) -> float:
    argv = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{SECONDS}s", "-s", str(APP / "post.lua"), url]
    done = subprocess.run(argv, text=True, capture_output=True, check=True)
    assert "Non-2xx" not in done.stdout, done.stdout
    assert "Socket errors" not in done.stdout, done.stdout
    return float(re.search(r"Requests/sec:\s+([\d.]+)", done.stdout)[1])


def main() -> bool:
    if not shutil.which("wrk"):
        print("http: wrk is not installed (apt-get install wrk)")
        return False
    bare = subprocess.Popen(
        ["node", str(APP / "bare.js")], env=CLEARED, stdout=subprocess.PIPE, text=True
    )
    try:
        bare_url = f"http://127.0.0.1:{bare.stdout.readline().strip()}/echo"
        with Server(env=CLEARED) as server:
            deployed = server.cli("deploy", APP)
            assert deployed.returncode == 0, deployed.stderr
            [stack] = server.stacks()
            api = stack["outputs"]["HttpApiId"]
            url = f"{server.url}/_aws/execute-api/{api}/$default/echo"
            wrk(url), wrk(bare_url)  # both warm
            ours, theirs = [], []
            for _ in range(ROUNDS):
                ours.append(wrk(url))
                theirs.append(wrk(bare_url))
    finally:
        bare.kill()
        bare.wait()
    result("HTTP API to Node function", median(ours), "1/s", note=spread(ours, 0))
    result("bare Node HTTP server", median(theirs), "1/s", note=spread(theirs, 0))
    ratios = [a / b for a, b in zip(ours, theirs)]
    return result("ratio http ÷ bare node", median(ratios), at_least=0.6,
                  note=f"goal ≥ 1.0; {spread(ratios, 2)}")


if __name__ == "__main__":
    sys.exit(0 if main() else 1)
