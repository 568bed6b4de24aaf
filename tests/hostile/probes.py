"""The probes that say by themselves whether they escaped. What each does is in functions/, by the
same name; those whose effect only shows outside are in test_outside.py.
"""

from dataclasses import dataclass


# The kernel has none, or the hardware does not.
NOT_THERE = ("ENOSYS", "EAFNOSUPPORT", "EPROTONOSUPPORT", "EOPNOTSUPP", "ESOCKTNOSUPPORT")


@dataclass(frozen=True)
class Probe:
    name: str
    """What an unconfined server must run as for the act to succeed there."""
    root: bool = False
    memory_mb: int = 256
    """Errors that say that this machine has no such thing, with or without a sandbox."""
    absent: tuple = ()

    def __str__(self):
        return self.name


def plain(module, names):
    return [Probe(f"{module}.{name}") for name in names.split()]


def for_root(module, names):
    return [Probe(f"{module}.{name}", root=True) for name in names.split()]


def optional(module, names, *more):
    absent = (*NOT_THERE, *more)
    return [Probe(f"{module}.{name}", root=True, absent=absent) for name in names.split()]


PROBES = [
    # The machine and its kernel.
    *for_root("kernel", """
        reboot swapon swapoff settimeofday clock_settime acct open_by_handle_at fanotify bpf sethostname
        mount_tmpfs mount_proc mount_bind mount_sysfs mount_cgroup remount_root_writable umount
        open_tree fsopen mount_setattr pivot_root chroot unshare clone clone3 slot_namespaces setns
        mknod devices sysctl kernel_log kallsyms sys_cgroup realtime nice limits_raised
    """),
    *optional("kernel", """
        quotactl perf_event_open io_uring modify_ldt memory_shared_by_key message_queue
        add_key request_key keyctl keys other_abi userfaultfd init_module finit_module
        delete_module kexec_load kexec_file_load iopl ioperm
    """),
    *optional("kernel", "sysrq kcore", "ENOENT"),
    # Root may lack the capability where it is a guest itself.
    *optional("kernel", "oom_score", "EACCES"),
    *plain("kernel", "syslog personality sys_files"),
    # Files.
    *for_root("files", """
        shadow home_of_root own_code_written runtime_written system_written system_chmod
        overwrite_program anything_writable
    """),
    *plain("files", """
        homes host_tmp host_file_through_proc host_file_by_link host_file_by_hardlink
        host_file_upwards server_data other_code other_code_written other_tmp mounts_tell_of_host
        core_dump
    """),
    # Processes.
    *for_root("processes", "setuid setgroups capset capabilities setuid_program"),
    *plain("processes", """
        host_processes_seen first_process_of_host environment_of_others environment_of_init
        memory_of_others mem_of_init descriptors_of_others program_of_others namespaces_of_others
        ptrace_attach ptrace_me process_vm_readv process_vm_writev kill_server kill_all
        kill_all_for_good stop_init
    """),
    *optional("processes", "pidfd_getfd kcmp process_madvise"),
    # The network.
    *for_root("network", """
        raw_socket raw_socket_v6 packet_socket netlink_write device_flags privileged_port
    """),
    *optional("network", "alg_socket vsock xdp_socket key_socket netlink_firewall"),
    *plain("network", """
        loopback_ports loopback_ports_v6 host_addresses other_loopback_addresses abstract_socket
        abstract_socket_dgram path_socket path_socket_through_proc broadcast multicast other_devices
    """),
    # Quantities.
    *plain("limits", "threads descriptors locked_memory tmp_files"),
    *[Probe(f"limits.{name}", memory_mb=128) for name in (
        "forks", "forks_in_forks", "memory", "memory_of_children", "memory_of_files",
        "memory_of_maps", "memory_of_sockets",
    )],
    Probe("limits.tmp", memory_mb=2048),
]
