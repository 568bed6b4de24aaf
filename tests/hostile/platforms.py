"""A server that confines functions in one way, and what functions must not reach beside it."""

import json
import os
import pathlib
import re
import shutil
import socket
import subprocess
import tempfile
import threading
import uuid

import boto3
import botocore.config
import pytest

from package import zipped
from server import Server, binary, clean_env

FUNCTIONS = pathlib.Path(__file__).parent / "functions"
NOBODY = 65534
# Not of who runs the tests: pyenv's, nvm's and the like lie in homes.
SEARCH_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
# Where everybody may look; the temporary folder of a user is not.
PLACE = "/var/tmp"


class World:
    """What there is outside: a process, files, sockets. They belong to the server's user."""

    def __init__(self, folder, run_as):
        self.folder = folder
        self.heard = set()
        self.token = uuid.uuid4().hex
        self.open = []
        self.files = []
        for place in ("/tmp", PLACE, folder):
            path = pathlib.Path(place) / f"cumulet-hostile-{self.token}"
            path.write_text(self.token)
            path.chmod(0o644)
            self.files.append(str(path))
        self.process = subprocess.Popen([*run_as, "/bin/sleep", "3600"], cwd="/")
        self.tcp, self.udp = {}, {}
        for address in ("127.0.0.1", "::1", *own_addresses()):
            family = socket.AF_INET6 if ":" in address else socket.AF_INET
            try:
                listener = self.listen(family, (address, 0))
            except OSError:
                continue
            self.tcp[address] = listener.getsockname()[1]
            if family == socket.AF_INET:
                self.udp[address] = self.hear(family, (address, 0)).getsockname()[1]
        self.abstract = f"cumulet-hostile-{self.token}"
        self.listen(socket.AF_UNIX, "\0" + self.abstract)
        self.abstract_dgram = self.abstract + "-dgram"
        self.hear(socket.AF_UNIX, "\0" + self.abstract_dgram)
        self.path_socket = f"/tmp/cumulet-hostile-{self.token}.sock"
        self.listen(socket.AF_UNIX, self.path_socket)
        os.chmod(self.path_socket, 0o777)

    def listen(self, family, address):
        listener = socket.socket(family, socket.SOCK_STREAM)
        listener.bind(address)
        listener.listen()
        self.open.append(listener)

        def serve():
            while True:
                try:
                    peer, _ = listener.accept()
                except OSError:
                    return
                with peer:
                    peer.sendall(b"reached")

        threading.Thread(target=serve, daemon=True).start()
        return listener

    def hear(self, family, address):
        box = socket.socket(family, socket.SOCK_DGRAM)
        box.bind(address)
        self.open.append(box)

        def serve():
            while True:
                try:
                    self.heard.add(box.recv(4096).decode("utf-8", "replace"))
                except OSError:
                    return

        threading.Thread(target=serve, daemon=True).start()
        return box

    def close(self):
        self.process.kill()
        self.process.wait()
        for each in self.open:
            each.close()
        for path in [*self.files, self.path_socket]:
            pathlib.Path(path).unlink(missing_ok=True)


def own_addresses():
    """Of this machine, besides loopback."""
    listed = subprocess.run(["hostname", "-I"], capture_output=True, text=True).stdout.split()
    return [address for address in listed if not address.startswith("fe80")][:3]


class Function:
    """One function, deployed. `invoke` gives what it returned, or an error in its place."""

    def __init__(self, platform, name):
        self.platform, self.name = platform, name

    def call(self, payload, client=None):
        reply = (client or self.platform.aws("lambda")).invoke(
            FunctionName=self.name, Payload=json.dumps(payload)
        )
        return reply, json.loads(reply["Payload"].read() or b"null")

    def invoke(self, payload):
        reply, value = self.call(payload)
        if "FunctionError" in reply or not isinstance(value, dict):
            return {"escaped": False, "detail": f"it ended with {value}"}
        return value

    def probe(self, name, **more):
        return self.invoke({**self.platform.event(), **more, "probe": name})

    def log(self):
        logs = self.platform.aws("logs")
        try:
            events = logs.filter_log_events(logGroupName=f"/aws/lambda/{self.name}")["events"]
        except logs.exceptions.ResourceNotFoundException:
            return ""  # it has not run yet
        return "".join(event["message"] for event in events)

    def delete(self):
        self.platform.aws("lambda").delete_function(FunctionName=self.name)


class Platform:
    """A server, how it confines, and who runs it."""

    def __init__(self, name, *args, read_seconds=60):
        self.name = name
        self.confined = name != "none"
        self.folder = tempfile.mkdtemp(prefix="cumulet-hostile-", dir=PLACE)
        self.run_as = []
        os.chmod(self.folder, 0o755)
        env = {"HOME": self.folder, "TMPDIR": f"{self.folder}/tmp", "PATH": SEARCH_PATH}
        os.mkdir(env["TMPDIR"])
        program = binary()
        if name == "user" and os.geteuid() == 0:
            ids = [f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
            self.run_as = ["setpriv", *ids]
            # It may be in somebody's home.
            program = shutil.copy2(program, f"{self.folder}/cumulet")
            for path in (self.folder, env["TMPDIR"], program):
                os.chown(path, NOBODY, NOBODY)
        self.is_root = os.geteuid() == 0 and not self.run_as
        # What a login gives: fewer than a function may hold.
        limited = ["prlimit", "--nofile=1024:16384"]
        sandbox = "linux" if self.confined else "none"
        self.server = Server(
            args=["--sandbox", sandbox, *args], env=env, argv=[*limited, *self.run_as, program],
            cwd=self.folder,
        )
        self.clients = {}
        self.read_seconds = read_seconds
        self.key = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
        self.functions = []
        self.victim = None

    def __enter__(self):
        self.server.start()
        self.world = World(self.folder, self.run_as)
        return self

    def __exit__(self, *_):
        self.world.close()
        try:
            self.server.stop()
        finally:
            shutil.rmtree(self.folder, ignore_errors=True)

    def aws(self, service):
        if service not in self.clients:
            self.clients[service] = boto3.client(
                service, endpoint_url=self.server.url, region_name="us-east-1",
                **self.key,
                config=botocore.config.Config(
                    retries={"total_max_attempts": 1}, read_timeout=self.read_seconds,
                    max_pool_connections=50,
                ),
            )
        return self.clients[service]

    def deploy(self, handler="probe.handler", runtime="python3.12", memory_mb=256, timeout=30,
               env=None, files=None, package=None):
        sources = {path.name: path.read_text() for path in FUNCTIONS.iterdir() if path.is_file()}
        name = f"hostile-{uuid.uuid4().hex[:12]}"
        self.aws("lambda").create_function(
            FunctionName=name, Runtime=runtime, Handler=handler, Timeout=timeout,
            MemorySize=memory_mb, Role="arn:aws:iam::000000000000:role/any",
            Code={"ZipFile": package or zipped({**sources, **(files or {})})},
            Environment={"Variables": env or {}},
        )
        function = Function(self, name)
        self.functions.append(function)
        return function

    def root_key(self):
        """What a server with `--auth` shows at its first start."""
        names = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
        shown = [re.search(rf"{name}=(\S+)", self.server.log()).group(1) for name in names]
        return dict(zip(("aws_access_key_id", "aws_secret_access_key"), shown))

    def clear(self):
        for function in self.functions:
            try:
                function.delete()
            except self.aws("lambda").exceptions.ResourceNotFoundException:
                pass
        self.functions = []

    def hide(self):
        """Another function, with something to hide, that lives as long as the platform."""
        if self.victim:
            return self.victim
        secret = f"secret-{uuid.uuid4().hex}"
        # The second is read by the interpreter: its worker is started with it.
        env = {"SECRET": secret, "PYTHONPYCACHEPREFIX": f"/tmp/{secret}-cache"}
        function = self.deploy("victim.handler", memory_mb=1769, env=env, files={secret: secret})
        self.functions.remove(function)
        told = function.invoke({})
        assert "pid" in told, told
        # Where the package lies outside, and what is seen of it inside.
        code = [str(path) for path in pathlib.Path(self.folder).rglob(secret)]
        told["code"] = [*code, os.path.join(os.path.dirname(told["code"]), secret)]
        if self.confined:
            told["code"] = code
        self.victim = {**told, "secret": secret, "function": function}
        return self.victim

    def event(self):
        """What a probe is told."""
        world, victim = self.world, self.hide()
        function = {name: victim[name] for name in ("pid", "code", "tmp", "secret")}
        data = pathlib.Path(self.folder) / "data-of-the-server"
        data.write_text("secret")
        data.chmod(0o600)
        if self.run_as:
            os.chown(data, NOBODY, NOBODY)
        return {
            "control": not self.confined,
            "token": f"token-{uuid.uuid4().hex}",
            "server_port": self.server.port,
            "world": {
                "server": self.server.process.pid,
                "launcher": children(self.server.process.pid)[0] if self.confined else 0,
                "process": world.process.pid,
                "function": function,
                "files": world.files,
                "server_files": [str(data), victim["code"][0]] if victim["code"] else [str(data)],
                "server_folder": self.folder,
                "tcp": world.tcp,
                "udp": world.udp,
                "abstract": world.abstract,
                "abstract_dgram": world.abstract_dgram,
                "path_socket": world.path_socket,
            },
        }

    def judge(self, escaped, detail=""):
        """Confined nothing escapes; unconfined all does."""
        if self.confined:
            assert not escaped, f"escaped: {detail}"
        else:
            assert escaped, f"the probe does not work even without a sandbox: {detail}"

    def judge_result(self, result, absent=()):
        if not self.confined and not result["escaped"]:
            if any(error in result["detail"] for error in absent):
                pytest.skip(f"this machine has none: {result['detail'][:200]}")
        self.judge(result["escaped"], result["detail"])

    def whole(self):
        """What was outside is there, and others are served."""
        assert self.server.healthy(), self.server.log()
        assert self.world.process.poll() is None, "a process outside was ended"
        with open(f"/proc/{self.world.process.pid}/stat") as stat:
            assert stat.read().rpartition(")")[2].split()[0] in "SR", "it was stopped"
        for file in self.world.files:
            assert pathlib.Path(file).read_text() == self.world.token
        told = self.hide()["function"].invoke({})
        assert "pid" in told, f"another function is not served: {told}"
        # It may have been started anew.
        self.victim["pid"] = told["pid"]

    def outside(self, code, timeout=20):
        """Runs Python beside the server, as its user."""
        return subprocess.run(
            [*self.run_as, "/usr/bin/python3", "-c", code], cwd="/", timeout=timeout, text=True,
            capture_output=True, env=clean_env(),
        )


def children(pid):
    with open(f"/proc/{pid}/task/{pid}/children") as file:
        found = [int(child) for child in file.read().split()]
    for task in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{task}/children") as file:
            found += [int(child) for child in file.read().split()]
    return found or [0]


def with_token(token):
    """Processes of the whole machine that carry a word of ours in their command line."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as file:
                if token.encode() in file.read():
                    found.append(int(pid))
        except OSError:
            pass  # it has ended
    return [pid for pid in found if pid != os.getpid()]
