"""Node's functions, of which slots are forked from a template: its filter allows it more than
others, and so what it is forked into inherits more.
"""

import socket
import threading
import time
import uuid

import pytest

from platforms import Platform
from server import free_port

# The template is made beside the deployment.
TEMPLATE_SECONDS = 1.5
# A worker that was not forked is number 2.
FIRST_SLOT = 100

IN_A_SLOT = """
    kernel.mount_tmpfs kernel.mount_proc kernel.mount_bind kernel.mount_sysfs kernel.mount_cgroup
    kernel.remount_root_writable kernel.umount kernel.pivot_root kernel.chroot kernel.unshare
    kernel.clone kernel.clone3 kernel.slot_namespaces kernel.setns kernel.mknod kernel.sysctl
    kernel.bpf kernel.sys_cgroup kernel.kallsyms kernel.limits_raised
    processes.capset processes.capabilities processes.setuid processes.setgroups
    processes.setuid_program processes.host_processes_seen processes.environment_of_others
    processes.memory_of_others processes.ptrace_attach processes.process_vm_readv
    processes.namespaces_of_others processes.mem_of_init processes.kill_server
    files.shadow files.host_tmp files.host_file_through_proc files.server_data files.other_code
    files.system_written files.overwrite_program files.anything_writable
    network.loopback_ports network.host_addresses network.abstract_socket network.raw_socket
    network.netlink_write network.device_flags network.other_devices
""".split()


def node(platform, handler="node.handler", **more):
    """A function whose next slot is forked, where there is forking."""
    function = platform.deploy(handler, runtime="nodejs20.x", **more)
    if platform.confined:
        # An event whose slot stays would be given the next one too.
        time.sleep(TEMPLATE_SECONDS)
    return function


@pytest.fixture(scope="session")
def shared(platforms):
    """A function for all probes that leave nothing behind."""
    function = node(platforms)
    platforms.functions.remove(function)
    return function


@pytest.mark.parametrize("probe", IN_A_SLOT)
def test_in_a_slot(platform, shared, probe):
    if not platform.confined and not platform.is_root:
        pytest.skip("most of it only root could do without a sandbox")
    told = shared.probe("python", inner=probe)
    forked(platform, told)
    platform.judge_result(told)


def forked(platform, told):
    assert not platform.confined or told.get("pid", 0) >= FIRST_SLOT, f"it was not forked: {told}"


def test_namespaces_while_slots_are_ordered(platform):
    """One slot asks and asks for what its template is allowed just then."""
    if not platform.confined and not platform.is_root:
        pytest.skip("only root could do it without a sandbox")
    function = node(platform)
    told = []

    def ask():
        told.append(function.probe("python", inner="kernel.slot_namespaces", seconds=6))

    asking = threading.Thread(target=ask)
    asking.start()
    time.sleep(1)
    failed = []

    def use():
        value = function.probe("hold", seconds=0.5)
        if value["detail"] != '"held"':
            failed.append(value)

    while asking.is_alive():
        users = [threading.Thread(target=use) for _ in range(6)]
        for each in users:
            each.start()
        for each in users:
            each.join()
    platform.judge_result(told[0])
    assert not failed, f"other slots could not be made: {failed[:3]} of {len(failed)}"


@pytest.mark.parametrize("probe", [
    "kernel.slot_namespaces", "kernel.mount_tmpfs", "kernel.clone", "processes.capset",
])
def test_while_loading(platform, probe):
    """Before the template is one, when it has the rights of one."""
    if not platform.confined and not platform.is_root:
        pytest.skip("only root could do it without a sandbox")
    env = {"WHILE_LOADING": probe, "CONTROL": "0" if platform.confined else "1"}
    function = node(platform, env=env)
    told = function.probe("whileLoading")
    assert "nothing was tried" not in told["detail"], told
    platform.judge_result(told)


def test_orders_while_loading(platform):
    """Into the socket over which a template is told to make slots."""
    if not platform.confined:
        pytest.skip("nothing is forked")
    function = node(platform, env={"ORDERS_WHILE_LOADING": "1"})
    for _ in range(3):
        told = function.probe("whileLoading")
        assert "written" in told["detail"] or "EBADF" in told["detail"], told


def test_daemon_of_a_template(platform, survivors, again):
    """Started while the template loads; it must end with the function at the latest."""
    token = f"token-{uuid.uuid4().hex}"
    function = node(platform, env={"WHILE_LOADING": "processes.daemon", "TOKEN": token})
    function.probe("hold", seconds=0)
    assert again(lambda: survivors(token)), "it was not started"
    function.delete()
    time.sleep(2)
    platform.judge(survivors(token))


def test_thief_of_orders(platform, survivors):
    """A daemon of a template that takes its orders and drops them: its own function's events fail
    in time, it ends with the function, and so does the server when asked to."""
    if not platform.confined:
        pytest.skip("nothing is forked")
    token = f"token-{uuid.uuid4().hex}"
    env = {"WHILE_LOADING": "processes.thief_of_orders", "TOKEN": token}
    with Platform(platform.name, read_seconds=15) as own:
        function = node(own, env=env, timeout=3)
        for _ in range(2):
            function.probe("hold", seconds=0)
        own.whole()
        function.delete()
        time.sleep(2)
        assert not survivors(token), "it survived its function"


@pytest.mark.parametrize("probe", ["orders", "descriptors", "addon"])
def test_descriptors_of_a_slot(platform, probe):
    """What its template had: only pipes are left. Without a sandbox nothing is forked."""
    if not platform.confined:
        pytest.skip("nothing is forked")
    function = node(platform)
    told = function.probe(probe)
    if probe != "addon":  # it may be the last thing its worker does
        forked(platform, told)
    platform.judge_result(told)


def test_signals(platform):
    """A signal has Node open a debugger: nobody else's process can be sent one."""
    platform.judge_result(node(platform).probe("inspector"))


def test_debugger_port(platform):
    """Opened by an option, on every address."""
    port = free_port()
    env = {"NODE_OPTIONS": f"--inspect=0.0.0.0:{port}"}
    node(platform, env=env).probe("environment")
    with socket.socket() as peer:
        peer.settimeout(2)
        platform.judge(peer.connect_ex(("127.0.0.1", port)) == 0)


def test_memory(platform):
    """More than the function has, in its first event, when it has only just been forked."""
    platform.judge_result(node(platform, memory_mb=128).probe("memory"))


@pytest.mark.parametrize("probe", ["forks", "tmp"])
def test_quantities(platform, probe):
    """A slot's own, not its template's."""
    function = node(platform, memory_mb=128 if probe == "forks" else 2048)
    platform.judge_result(function.probe("python", inner=f"limits.{probe}"))


def test_copies_differ(platform):
    """Two slots of one template share no random numbers, and nothing that one of them set."""
    function = node(platform)
    told = []

    def use():
        told.append(function.probe("random"))

    users = [threading.Thread(target=use) for _ in range(4)]
    for each in users:
        each.start()
    for each in users:
        each.join()
    drawn = {(one["pid"], one["detail"], one["uuid"]) for one in told}
    assert len({detail for _, detail, _ in drawn}) == len(told), told
    assert len({unique for _, _, unique in drawn}) == len(told), told


def test_globals_of_another_slot(platform):
    """Set in one, not seen in others that run beside it."""
    function = node(platform)
    first = function.probe("poisoned")
    assert first["detail"] == '"clean"', first
    # While slots are busy, others are made.
    busy = [threading.Thread(target=lambda: function.probe("hold", seconds=2)) for _ in range(2)]
    for each in busy:
        each.start()
    time.sleep(0.5)
    other = function.probe("poisoned")
    for each in busy:
        each.join()
    assert other["pid"] == first["pid"] or other["detail"] == '"clean"', (first, other)
