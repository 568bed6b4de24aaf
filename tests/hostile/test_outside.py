"""Acts whose effect shows outside: what stays, what is reached, what others get of the machine."""

import io
import os
import pathlib
import socket
import statistics
import subprocess
import threading
import time
import zipfile

import pytest

from package import zipped
from platforms import Platform
from server import free_port


def background(act):
    """Runs an act beside the test; `join` waits for it."""
    thread = threading.Thread(target=act, daemon=True)
    thread.start()
    return thread


# What stays.


def test_daemon_survives_timeout(platform, survivors):
    function = platform.deploy(timeout=2)
    event = {**platform.event(), "probe": "processes.daemon_and_hang"}
    function.invoke(event)
    time.sleep(1)
    platform.judge(survivors(event["token"]))


def test_daemon_survives_deletion(platform, survivors, again):
    function = platform.deploy()
    event = {**platform.event(), "probe": "processes.daemon"}
    function.invoke(event)
    assert again(lambda: survivors(event["token"])), "it was not started"
    function.delete()
    time.sleep(2)
    platform.judge(survivors(event["token"]))


def test_daemon_survives_new_code(platform, survivors, again):
    function = platform.deploy()
    event = {**platform.event(), "probe": "processes.daemon"}
    function.invoke(event)
    assert again(lambda: survivors(event["token"])), "it was not started"
    files = {"probe.py": "def handler(event, context):\n    return {}\n"}
    aws = platform.aws("lambda")
    aws.update_function_code(FunctionName=function.name, ZipFile=zipped(files))
    aws.get_waiter("function_updated_v2").wait(FunctionName=function.name)
    function.invoke({})
    time.sleep(2)
    platform.judge(survivors(event["token"]))


def test_daemon_survives_exit_of_worker(platform, survivors):
    """The worker ends by itself; what it started has a session of its own."""
    function = platform.deploy()
    event = {**platform.event(), "probe": "processes.daemon_and_exit"}
    function.invoke(event)
    time.sleep(1)
    platform.judge(survivors(event["token"]))


def test_daemon_survives_server(platform, survivors, again):
    """A server that is killed takes its functions with it."""
    with Platform(platform.name) as own:
        function = own.deploy()
        event = {**own.event(), "probe": "processes.daemon"}
        function.invoke(event)
        assert again(lambda: survivors(event["token"])), "it was not started"
        own.server.kill()
        time.sleep(1)
        platform.judge(survivors(event["token"]))


@pytest.mark.parametrize("probe", ["background_thread", "background_child"])
def test_work_after_the_reply(platform, probe):
    """Between two events a function has no processor."""
    function = platform.deploy()
    event = {**platform.event(), "probe": f"processes.{probe}"}
    function.invoke(event)
    time.sleep(1.5)
    platform.judge_result(function.invoke({**event, "again": True}))


def test_port_left_listening(platform):
    function, port = platform.deploy(), free_port()
    told = function.probe("network.listen", port=port)
    assert told["detail"] == "listening", told
    reached = []
    for address in ("127.0.0.1", *(a for a in platform.world.tcp if "." in a)):
        with socket.socket() as peer:
            peer.settimeout(2)
            reached.append(peer.connect_ex((address, port)) == 0)
    platform.judge(any(reached))


def test_port_of_the_server(platform):
    """Whoever listened there would be sent what others say to it."""
    if not platform.confined:
        pytest.skip("without a sandbox there is one port, and the server has it")
    function = platform.deploy()
    platform.judge_result(function.probe("network.server_port_taken"))


def test_udp(platform, again):
    function = platform.deploy()
    event = {**platform.event(), "probe": "network.udp"}
    function.invoke(event)
    arrived = again(lambda: event["token"] in platform.world.heard, seconds=1)
    platform.judge(arrived)


def test_groups_left_behind(platforms):
    """Every sandbox has a group of the kernel's that limits it: none stays when all has ended."""
    with Platform(platforms.name) as own:
        launcher = own.event()["world"]["launcher"]
        for _ in range(5):
            function = own.deploy()
            function.probe("processes.daemon", token="left")
            function.delete()
        if not groups(launcher):
            pytest.skip("this server makes no groups")
    time.sleep(1)
    left = groups(launcher)
    assert not left, f"{len(left)} are left: {left[:4]}"


def groups(launcher):
    # Other servers' come and go meanwhile, which `os.walk` does not mind.
    folders = (pathlib.Path(folder) for folder, _, _ in os.walk("/sys/fs/cgroup"))
    return [folder for folder in folders if f"cumulet-{launcher}" in folder.parts]


# What others get of the machine.


def median_of_work(function, times=3):
    return statistics.median(function.call({"work": True})[1] for _ in range(times))


def test_processors(platform):
    """Many processes of a small function beside one of a large one."""
    if platform.name == "user":
        pytest.skip("without cgroups processors are shared by process, not by function")
    victim = platform.deploy("victim.handler", memory_mb=1769, env={"SECRET": "none"})
    alone = median_of_work(victim)
    function = platform.deploy(memory_mb=128)
    hogs = background(lambda: function.probe("limits.hog", processes=40, seconds=6))
    time.sleep(1)
    began = time.monotonic()
    beside = victim.call({"work": True})[1]
    waited = time.monotonic() - began
    hogs.join()
    assert waited < 20, f"it waited for {waited} s"
    platform.judge(beside > 5 * alone, f"{alone:.3f} s alone, {beside:.3f} s beside it")


# Run outside, as the server's user: fails where nothing of the kind is left for it.
STARVED = {
    "inotify": "import ctypes, sys; sys.exit(ctypes.CDLL(None).inotify_init1(0) < 0)",
    "watches": """
import ctypes, sys
libc = ctypes.CDLL(None)
sys.exit(libc.inotify_add_watch(libc.inotify_init1(0), b"/usr", 2) < 0)
""",
    "timers": """
import ctypes, sys
libc, timer = ctypes.CDLL(None), ctypes.c_void_p()
sys.exit(libc.timer_create(1, None, ctypes.byref(timer)) != 0)
""",
    "signals": """
import ctypes, os, signal, sys
libc = ctypes.CDLL(None)
signal.pthread_sigmask(signal.SIG_BLOCK, [40])
sys.exit(libc.sigqueue(os.getpid(), 40, ctypes.c_void_p(0)) != 0)
""",
    "flying_descriptors": """
import resource, socket, sys
# As many as most are given; more would hide it from this process only.
resource.setrlimit(resource.RLIMIT_NOFILE, (1024, 1024))
one, other = socket.socketpair()
try:
    for _ in range(3):
        socket.send_fds(one, [b"x"], [0])
except OSError as error:
    print(error)
    sys.exit(1)
""",
    "pipes": """
import fcntl, os, sys
sys.exit(fcntl.fcntl(os.pipe()[0], 1032) < 65536)
""",
}


@pytest.mark.parametrize("what", STARVED)
def test_held(platform, what):
    """One function holds all it gets of something each user of the machine has a number of. The
    server is one of its own: it may be lost."""
    if not platform.confined and platform.is_root and what in ("flying_descriptors", "pipes"):
        pytest.skip("root is not limited")
    with Platform(platform.name) as own:
        held_by_one(own, what)


def held_by_one(platform, what):
    function = platform.deploy(memory_mb=2048, timeout=60)
    assert platform.outside(STARVED[what]).returncode == 0, "there was none before"
    until = pathlib.Path(platform.folder) / "until"
    until.touch()
    seconds = 4 if platform.confined else 50
    event = {**platform.event(), "probe": f"limits.hold_{what}", "until": str(until), "seconds": seconds}
    told, starved, looked = [], None, 0
    holding = background(lambda: told.append(function.invoke(event)))
    while holding.is_alive() and "held" not in function.log():
        time.sleep(0.1)
    while holding.is_alive() and not starved:
        done = platform.outside(STARVED[what])
        starved = done.returncode != 0 and f"{done.returncode} {done.stdout}{done.stderr}"
        looked += holding.is_alive()
        time.sleep(0.1)
    try:
        served = platform.deploy("victim.handler", env={"SECRET": "other"}).invoke({})
    except platform.aws("lambda").exceptions.ClientError as error:
        served = str(error)
    until.unlink()
    holding.join()
    assert looked, f"nobody looked while it was held: {told}"
    assert "'pid'" in str(served), f"no other function could be started: {served}"
    platform.judge(bool(starved), f"starved outside: {starved!r}; held {told}")


# What passes from one function to another.


def test_environment_of_a_booted_worker(platform):
    """Workers are booted before it is known whose they are: nothing of one comes to the next."""
    secret = "SECRET_OF_THE_FIRST"
    first = platform.deploy(env={secret: "x"})
    assert secret in first.probe("network.environment")["detail"]
    for _ in range(3):
        other = platform.deploy()
        detail = other.probe("network.environment")["detail"]
        assert secret not in detail, detail


POISON = """
import os
import cumulet_runtime

PLACE = os.path.join(os.path.dirname(cumulet_runtime.__file__), "poison.txt")

def handler(event, context):
    try:
        if event["act"] == "write":
            with open(PLACE, "w") as file:
                file.write(event["token"])
        if event["act"] == "remove":
            os.unlink(PLACE)
        return {"found": os.path.exists(PLACE)}
    except OSError as error:
        return {"found": False, "error": str(error)}
"""


def test_poisoned_runtime(platform):
    """A file among those that all workers share."""
    files = {"poison.py": POISON}
    first = platform.deploy("poison.handler", files=files)
    first.invoke({"act": "write", "token": "x"})
    found = platform.deploy("poison.handler", files=files).invoke({"act": "look"})
    first.invoke({"act": "remove"})
    platform.judge(found["found"], found)


@pytest.mark.parametrize("folder", ["/tmp", "/var/tmp", "/dev/shm", "/run"])
def test_shared_folder(platform, folder):
    """A message from one function to another."""
    code = POISON.replace("import cumulet_runtime", "").replace(
        "os.path.dirname(cumulet_runtime.__file__)", repr(folder)
    )
    files = {"poison.py": code}
    first = platform.deploy("poison.handler", files=files)
    first.invoke({"act": "write", "token": "x"})
    found = platform.deploy("poison.handler", files=files).invoke({"act": "look"})
    first.invoke({"act": "remove"})
    platform.judge(found["found"], found)


def test_forged_log(platform, again):
    """Lines of one function stay out of the log of another."""
    function = platform.deploy()
    event = {**platform.event(), "probe": "frames.forged_log"}
    told = function.invoke(event)
    victim = platform.hide()["function"]
    victim.invoke({})
    time.sleep(0.5)
    victim.invoke({})
    assert again(lambda: event["token"] in function.log()), "it is not even in its own"
    platform.judge(event["token"] in victim.log(), told)


def test_other_slots(platform):
    """Two events at the same time: neither sees the processes of the other."""
    function = platform.deploy(memory_mb=512)
    told = [None, None]
    def one(number):
        event = {**platform.event(), "token": f"slot-{number}-{time.monotonic_ns()}"}
        told[number] = function.invoke({**event, "probe": "processes.other_slot"})
    both = [background(lambda number=number: one(number)) for number in range(2)]
    for each in both:
        each.join()
    platform.judge(any(each["escaped"] for each in told), told)


# The pipes of a worker: whatever it writes, the host goes on, and others hear nothing of it.


@pytest.mark.parametrize("probe", """
    garbage giant giant_result empty readies half closed closed_both turned log_flood output_flood
    orders
""".split())
def test_frames(platform, probe):
    """Here the confined and the unconfined must stand the same."""
    function = platform.deploy(memory_mb=512, timeout=6)
    before = resident_mb(platform.server.process.pid)
    peak = [before]
    call = background(lambda: function.probe(f"frames.{probe}"))
    while call.is_alive():
        peak.append(resident_mb(platform.server.process.pid))
        time.sleep(0.02)
    assert max(peak) - before < 150, f"the server grew from {before} to {max(peak)} MB"
    # A function that misuses its pipes may lose a worker, not its next events.
    value = {}
    for _ in range(3):
        value = function.probe("network.environment")
        if "AWS_LAMBDA_FUNCTION_NAME" in str(value.get("detail")):
            break
    assert "AWS_LAMBDA_FUNCTION_NAME" in value["detail"], value


def resident_mb(pid):
    with open(f"/proc/{pid}/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS")) >> 10


def test_results_nobody_asked_for(platform):
    """They may become those of its own next events. Not of others."""
    function = platform.deploy()
    function.probe("frames.results")
    value = platform.hide()["function"].invoke({})
    assert "pid" in value, value


def test_stolen_events(platform):
    """A child that stays and reads its parent's pipe takes events of its own function only."""
    function = platform.deploy(timeout=3)
    event = {**platform.event(), "probe": "frames.stolen"}
    function.invoke(event)
    for _ in range(2):
        function.invoke({**event, "again": True})
    value = platform.hide()["function"].invoke({})
    assert "pid" in value, value


# Packages.


def links_and_climbers(target):
    """What an archive should not hold."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name in ("link", "folder"):
            info = zipfile.ZipInfo(name)
            info.create_system, info.external_attr = 3, 0o120777 << 16
            archive.writestr(info, target if name == "link" else "/etc")
        archive.writestr("probe.py", LOOK_AT_LINKS)
    return buffer.getvalue()


LOOK_AT_LINKS = """
import os

def handler(event, context):
    here = os.path.dirname(os.path.abspath(__file__))
    found = []
    for name in ("link", "folder/shadow"):
        try:
            with open(os.path.join(here, name)) as file:
                found.append(file.read(64))
        except OSError as error:
            found.append(str(error))
    return {"escaped": event["secret"] in found, "detail": found}
"""


def test_package_with_links(platform):
    """A link is followed where the function is, not where the server is."""
    package = links_and_climbers(platform.world.files[0])
    try:
        function = platform.deploy(package=package)
    except platform.aws("lambda").exceptions.ClientError as error:
        if platform.confined:
            return  # it is not even taken
        pytest.skip(f"the server does not take such a package: {error}")
    platform.judge_result(function.invoke({"secret": platform.world.token}))


@pytest.mark.parametrize("name", ["../climbed", "../../../../../../../../tmp/climbed", "/tmp/climbed",
                                  "folder/../../climbed", "link/climbed"])
def test_package_that_climbs(platform, name):
    """Without a sandbox too: the server unpacks."""
    name = f"{name}-{platform.world.token}"
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        info = zipfile.ZipInfo("link" if name.startswith("link/") else "probe.py")
        if info.filename == "link":
            info.create_system, info.external_attr = 3, 0o120777 << 16
            archive.writestr(info, "/tmp")
        archive.writestr(name, "x")
    try:
        function = platform.deploy(package=buffer.getvalue())
        function.invoke({})
    except platform.aws("lambda").exceptions.ClientError:
        pass  # refused is as good
    climbed = [
        path for folder in ("/tmp", "/var/tmp", platform.folder, "/")
        for path in pathlib.Path(folder).glob(f"climbed-{platform.world.token}")
    ]
    for path in climbed:
        path.unlink()
    assert not climbed, climbed


PRELOADED = r"""
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
__attribute__((constructor)) static void loaded(void) {
  char path[64], text[8192];
  snprintf(path, sizeof path, "/tmp/preloaded.%d", getpid());
  int status = open("/proc/self/status", O_RDONLY);
  int out = open(path, O_CREAT | O_WRONLY | O_TRUNC, 0600);
  ssize_t got = read(status, text, sizeof text);
  if (out >= 0 && got > 0) (void)!write(out, text, got);
  close(status);
  close(out);
}
"""

LOOK_AT_PRELOADED = """
import glob
import os
import subprocess

def handler(event, context):
    subprocess.run(["/bin/true"])
    found = []
    for path in glob.glob("/tmp/preloaded.*"):
        with open(path) as file:
            lines = dict(line.rstrip().partition(":\\t")[::2] for line in file)
        found.append({name: lines[name] for name in ("Name", "Pid", "CapEff", "NoNewPrivs", "Seccomp")})
        os.unlink(path)
    def free(one):
        return one["Pid"] == "1" or int(one["CapEff"], 16) or one["Seccomp"] == "0"
    return {"escaped": any(map(free, found)), "detail": str(found), "found": len(found)}
"""


def test_preloaded_library(platform, tmp_path):
    """A library that the function's environment has loaded into every program of the worker: none
    of them is one that is still privileged, or process 1."""
    (tmp_path / "preloaded.c").write_text(PRELOADED)
    library = tmp_path / "preloaded.so"
    build = ["gcc", "-shared", "-fPIC", "-o", str(library), str(tmp_path / "preloaded.c")]
    try:
        subprocess.run(build, check=True)
    except FileNotFoundError:
        pytest.skip("there is no compiler")
    place = "/var/task/preloaded.so"
    if not platform.confined:
        place = f"{platform.folder}/preloaded.so"
        pathlib.Path(place).write_bytes(library.read_bytes())
    package = zipped({"probe.py": LOOK_AT_PRELOADED, "preloaded.so": library.read_bytes()})
    function = platform.deploy(package=package, env={"LD_PRELOAD": place})
    told = function.invoke({})
    assert told.get("found"), f"it was not loaded: {told}"
    platform.judge_result(told)


# A server that asks for signatures.


@pytest.fixture(scope="session")
def careful(platforms):
    """One that runs with `--auth`."""
    with Platform(platforms.name, "--auth") as own:
        own.key = own.root_key()
        yield own


@pytest.mark.parametrize("probe", ["anonymous_call", "forged_call", "control_paths"])
def test_call_without_credentials(platform, careful, probe):
    """From within a function too; the sandbox lets it reach the server."""
    told = platform.deploy().invoke({"probe": f"network.{probe}"})
    assert told["escaped"], f"the probe does not work even where everybody may: {told}"
    told = careful.deploy().invoke({"probe": f"network.{probe}"})
    careful.clear()
    assert not told["escaped"], f"served: {told}"
    assert "403" in told["detail"], told
