"""The powertools example, deployed and used as its README says."""

import subprocess

from server import Server, clean_env, client_env, example


def test_the_example_keeps_its_promises(tmp_path):
    folder = example("powertools", tmp_path)
    with Server(data=tmp_path / "data") as server:
        done = server.cli("deploy", folder, timeout=400)
        assert done.returncode == 0, done.stdout + done.stderr
        checked = subprocess.run(
            ["npm", "test", "--silent"], cwd=folder, text=True, capture_output=True, timeout=200,
            env={**clean_env(), **client_env(server.url)},
        )
        logs = [server.cli("logs", name).stdout for name in
                ("charge", "settleCharges", "refund", "settleRefunds")]
        assert checked.returncode == 0, "\n".join([checked.stdout, *logs, server.log()])
        assert "fail 0" in checked.stdout
