"""What a worker does to become a template: a process that has loaded its function and is forked
into slots. The forking is native (crates/fork); here is what only Python can know: whether copies of
this process would share what they must not, and what each copy has to have anew.
"""

import ctypes
import gc
import json
import os
import sys
import threading
from typing import Dict, List, Optional

CONTROL = 5
NATIVE_THREADS_MAX = 64
TRACE_NAME = b"_X_AMZN_TRACE_ID"

_folder = os.environ.get("CUMULET_FORK")
_is_template = "CUMULET_TEMPLATE" in os.environ
_draws = 0
_before: Dict[str, List[str]] = {}
_library: Optional[ctypes.PyDLL] = None


def install() -> None:
    """To be called before anything else is loaded: what draws random bytes is not to find the
    function that nobody counts."""
    if not _is_template:
        return
    drawn = os.urandom

    def urandom(size: int, /) -> bytes:
        global _draws
        _draws += 1
        return drawn(size)

    os.urandom = urandom


def is_wanted() -> bool:
    """Whether this worker is to be a template."""
    return _is_template


def settle() -> None:
    """To be called when all is loaded but the function."""
    global _before, _draws, _library
    if not _folder:
        return
    try:
        # It holds the interpreter's lock while it waits: nobody else is to run.
        _library = ctypes.PyDLL(os.path.join(_folder, "fork.so"))
    except OSError:
        # Made for another C library. Whoever is not to be forked can do without.
        if _is_template:
            raise
        return
    _library.cumulet_set_trace.argtypes = [ctypes.c_char_p, ctypes.c_size_t]
    _library.cumulet_set_trace.restype = ctypes.c_bool
    if not _is_template:
        return
    _before = _look()
    _draws = 0


def serve() -> dict:
    """Waits for orders; returns in every slot, with what came with its order."""
    gc.collect()
    gc.freeze()
    text = ctypes.c_char_p()
    init = os.path.join(_folder or "", "init").encode()
    ctypes.pythonapi.PyOS_BeforeFork()
    length = _library.cumulet_serve(CONTROL, init, ctypes.byref(text)) if _library else -1
    if length < 0:
        os._exit(1)
    told = json.loads(ctypes.string_at(text, length))
    # Runs what was registered with os.register_at_fork: `random` seeds itself again there.
    ctypes.pythonapi.PyOS_AfterFork_Child()
    # A key that every process draws for its own children.
    processes = sys.modules.get("multiprocessing.process")
    if processes is not None:
        processes.current_process().authkey = os.urandom(32)
    numbers = sys.modules.get("numpy.random")
    if numbers is not None:
        numbers.seed()
    return told


def unfit() -> Optional[str]:
    """Why this process cannot be a template."""
    now = _look()
    fresh = {kind: [one for one in found if one not in _before[kind]] for kind, found in now.items()}
    if threading.active_count() > 1:
        return "loading it left threads"
    if fresh["sockets"]:
        return "loading it left a socket open"
    if fresh["unknown"]:
        return f"loading it left something open that cannot be copied: {fresh['unknown'][0]}"
    if fresh["others"]:
        return "loading it left a child process"
    if len(now["threads"]) > NATIVE_THREADS_MAX:
        return "loading it left threads"
    if fresh["files"]:
        return "loading it left files in /tmp"
    if _draws:
        return "loading it drew random bytes, which all copies would share"
    return None


_OURS = ("1", str(os.getpid()))


def set_trace(text: str) -> None:
    """Sets _X_AMZN_TRACE_ID. Where it can, without what C libraries keep of every value."""
    value = os.fsencode(text)
    if _library and b"\0" not in value and _library.cumulet_set_trace(value, len(value)):
        # Where os.environ keeps what it has read: its own way ends in `setenv`.
        os.environ._data[TRACE_NAME] = value
    else:
        os.environ[TRACE_NAME.decode()] = text


def _look() -> Dict[str, List[str]]:
    links = []
    for descriptor in os.listdir("/proc/self/fd"):
        try:
            links.append(os.readlink(f"/proc/self/fd/{descriptor}"))
        except OSError:
            pass  # the folder itself, closed by now
    known = ("anon_inode:[eventfd]", "anon_inode:[eventpoll]")
    tasks = os.listdir("/proc/self/task")
    # But for us and the first process of the sandbox, whoever is there was started by us.
    others = [name for name in os.listdir("/proc") if name.isdigit() and name not in _OURS]
    return {
        "sockets": [link for link in links if link.startswith("socket:")],
        "unknown": [link for link in links if link.startswith("anon_inode:") and link not in known],
        "others": others,
        "threads": tasks,
        "files": os.listdir("/tmp"),
    }

