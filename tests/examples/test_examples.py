"""The small examples, each deployed to a server of its own and used as its README says."""

import json
import shutil
import subprocess

import pytest

from server import ROOT, Server, clean_env, client_env

EXAMPLES = ROOT / "examples"
NAMES = json.loads((EXAMPLES / "package.json").read_text())["workspaces"]


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    """A copy of what they share and of each of them, with the packages installed once."""
    copy = tmp_path_factory.mktemp("examples")
    for name in [*NAMES, "package.json", "package-lock.json", "testing.mjs", "tsconfig.json"]:
        source = EXAMPLES / name
        if source.is_dir():
            hidden = shutil.ignore_patterns("node_modules", ".cumulet")
            shutil.copytree(source, copy / name, ignore=hidden)
        else:
            shutil.copy(source, copy / name)
    (copy / "node_modules").symlink_to(EXAMPLES / "node_modules")
    return copy


@pytest.mark.parametrize("name", NAMES)
def test_an_example_keeps_its_promises(workspace, tmp_path, name):
    folder = workspace / name
    with Server(data=tmp_path / "data") as server:
        done = server.cli("deploy", folder)
        assert done.returncode == 0, done.stdout + done.stderr
        checked = subprocess.run(
            ["npm", "test", "--silent"], cwd=folder, text=True, capture_output=True, timeout=120,
            env={**clean_env(), **client_env(server.url)},
        )
        assert checked.returncode == 0, checked.stdout + checked.stderr + server.log()
        assert "fail 0" in checked.stdout
        assert server.cli("remove", folder).returncode == 0
