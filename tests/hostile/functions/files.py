"""Files that are not the function's."""

import glob
import os
import stat
import time

from probe import attempt, first, others, processes


def _read(path):
    def read():
        with open(path, "rb") as file:
            return f"{len(file.read(64))} bytes"
    return attempt(read)


def _write(folder):
    """A file that is gone again at once."""
    path = os.path.join(folder, f"cumulet-hostile-{os.getpid()}")
    def write():
        with open(path, "w") as file:
            file.write("x")
        os.unlink(path)
        return "written"
    return attempt(write)


def _first_read(paths):
    return first((path, _read(path)) for path in paths)


def shadow(_):
    return _first_read(["/etc/shadow", "/etc/gshadow", "/proc/1/root/etc/shadow"])


def home_of_root(_):
    return attempt(lambda: f"{len(os.listdir('/root'))} entries")


def homes(_):
    def look():
        return f"{len(os.listdir('/home'))} entries"
    return attempt(look)


def host_tmp(event):
    """A file that everybody outside may read."""
    return _first_read(event["world"]["files"])


def host_file_through_proc(event):
    """By the roots and working directories of other processes."""
    paths = [
        f"/proc/{pid}/{way}{file}"
        for pid in others(event) for way in ("root", "cwd") for file in event["world"]["files"]
    ]
    return _first_read(paths)


def host_file_by_link(event):
    links = []
    for number, file in enumerate(event["world"]["files"]):
        link = f"/tmp/link-{os.getpid()}-{number}"
        os.symlink(file, link)
        links.append(link)
    found = _first_read(links)
    for link in links:
        os.unlink(link)
    return found


def host_file_by_hardlink(event):
    def link(file):
        place = f"/tmp/hard-{os.getpid()}"
        os.link(file, place)
        os.unlink(place)
    return first((file, attempt(lambda: link(file))) for file in event["world"]["files"])


def host_file_upwards(event):
    """Past the root, by many steps up from an open folder."""
    tried = []
    for start in ("/", "/tmp", "/proc/self", "/proc/self/root"):
        for file in event["world"]["files"]:
            path = start + "/.." * 30 + file
            tried.append((path, _read(path)))
    return first(tried)


def server_data(event):
    return _first_read(event["world"]["server_files"])


def other_code(event):
    """The package of another function."""
    return _first_read(event["world"]["function"]["code"])


def other_code_written(event):
    folders = [os.path.dirname(path) for path in event["world"]["function"]["code"]]
    return first((folder, _write(folder)) for folder in folders)


def other_tmp(event):
    function = event["world"]["function"]
    ways = [f"/proc/{pid}/root{function['tmp']}" for pid in others(event)]
    return _first_read([function["tmp"], *ways])


def own_code_written(_):
    return _write(os.path.dirname(os.path.abspath(__file__)))


def runtime_written(_):
    import cumulet_runtime

    folder = os.path.dirname(os.path.abspath(cumulet_runtime.__file__))
    places = [folder, os.path.dirname(folder), "/var/runtime", "/var/fork"]
    return first((place, _write(place)) for place in places)


def system_written(_):
    import json

    places = ["/usr/local/bin", "/usr/lib", "/opt", "/etc", "/bin", "/", "/var", "/dev",
              os.path.dirname(json.__file__)]
    return first((place, _write(place)) for place in places)


def system_chmod(_):
    """Gives a program the mode it has."""
    def change():
        os.chmod("/usr/bin/env", stat.S_IMODE(os.stat("/usr/bin/env").st_mode))
    return attempt(change)


def overwrite_program(_):
    """Our init and library, and what interpreters load: opened for writing."""
    import json

    def touch(path):
        os.close(os.open(path, os.O_WRONLY))
    paths = ("/var/fork/init", "/var/fork/fork.so", "/var/runtime/nodejs/bootstrap.js",
             "/var/runtime/python/bootstrap.py", json.__file__)
    return first((path, attempt(lambda: touch(path))) for path in paths)


def anything_writable(_):
    """All of the file system that is shown: only /tmp may be written to."""
    deadline = time.monotonic() + 4
    for folder, folders, _ in os.walk("/"):
        skipped = ("/proc", "/sys", "/tmp", "/root", "/home", "/work", "/run")
        if folder == "/":
            folders[:] = [name for name in folders if f"/{name}" not in skipped]
        if os.access(folder, os.W_OK):
            return True, folder
        if time.monotonic() > deadline:
            break
    return False, "nothing"


def mounts_tell_of_host(event):
    """Where the server keeps its files, from the list of mounts."""
    with open("/proc/self/mountinfo") as file:
        text = file.read()
    if event["control"]:
        return True, "the file system is the host's"
    folder = event["world"]["server_folder"]
    return folder in text, [line for line in text.splitlines() if folder in line]


def core_dump(event):
    """A process that crashes leaves nothing of itself behind."""
    import resource
    import signal

    folder = f"/tmp/core-{os.getpid()}"
    os.mkdir(folder)
    child = os.fork()
    if child == 0:
        os.chdir(folder)
        _, hard = resource.getrlimit(resource.RLIMIT_CORE)
        resource.setrlimit(resource.RLIMIT_CORE, (hard, hard))
        os.kill(os.getpid(), signal.SIGQUIT)
        os._exit(0)
    os.waitpid(child, 0)
    found = glob.glob(f"{folder}/*")
    for file in found:
        os.unlink(file)
    os.rmdir(folder)
    return found, found
