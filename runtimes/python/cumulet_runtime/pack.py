"""Code packs: the compiled form of all modules that loading a function imports of its package, in
one file. A package cannot be written to, so that without one each process compiles them again. A
pack is made once by a worker that loads the function in the background, and read by those that load
it later. What it does not have is compiled as ever.

  magic (16 bytes), bodies (marshal), index (JSON), bytes of the index, CRC-32 of all before it
"""

import importlib.util
import json
import marshal
import os
import sys
import zlib
from importlib.machinery import SourceFileLoader
from struct import Struct
from typing import Callable, Dict, List, Optional, Tuple

MAGIC = b"cumulet pack 01\n"
# Less code than this is compiled as quickly.
CODE_BYTES_MIN = 32 * 1024
LOW_PRIORITY = 19

_number = Struct("<I")
_footer = Struct("<II")
_get_code = SourceFileLoader.get_code


def use(assigned: dict) -> bool:
    """Has the function be loaded of its pack; False if that is not there, damaged or of others."""
    opened = _open(assigned)
    if opened is None:
        return False
    places, whole = opened

    def get_code(loader: SourceFileLoader, name: str):
        place = places.get(loader.path) if type(loader) is SourceFileLoader else None
        if place is None:
            return _get_code(loader, name)
        return marshal.loads(whole[place[0] : place[1]])

    SourceFileLoader.get_code = get_code
    return True


def record(assigned: dict) -> Dict[str, bytes]:
    """Notes what is compiled from now on, for `finish`."""
    found: Dict[str, bytes] = {}
    is_ours = _of_function(assigned)
    if not assigned["template"]:
        _yield_to_others()

    def get_code(loader: SourceFileLoader, name: str):
        code = _get_code(loader, name)
        # Whoever changes what is compiled has a loader of its own.
        if type(loader) is SourceFileLoader and is_ours(loader.path):
            found[loader.path] = marshal.dumps(code)
        return code

    SourceFileLoader.get_code = get_code
    return found


def close() -> None:
    """Loading is over."""
    SourceFileLoader.get_code = _get_code


def finish(found: Dict[str, bytes], assigned: dict, write: Callable[[bytes], None]) -> None:
    """Writes the pack of what was noted, unless it would be of no use."""
    if sum(map(len, found.values())) < CODE_BYTES_MIN:
        return
    places: Dict[str, Tuple[int, int]] = {}
    at, checksum = 0, 0

    def put(body: bytes) -> None:
        nonlocal at, checksum
        at, checksum = at + len(body), zlib.crc32(body, checksum)
        write(body)

    put(MAGIC)
    for path, body in found.items():
        places[path] = (at, at + len(body))
        put(body)
    index = json.dumps([_key(assigned), places]).encode()
    put(index)
    put(_number.pack(len(index)))
    write(_number.pack(checksum))


def _open(assigned: dict) -> Optional[Tuple[Dict[str, Tuple[int, int]], memoryview]]:
    try:
        with open(assigned["pack"]["path"], "rb") as file:
            whole = memoryview(file.read())
        end = len(whole) - _footer.size
        length, checksum = _footer.unpack_from(whole, end)
        if whole[: len(MAGIC)] != MAGIC or zlib.crc32(whole[: -_number.size]) != checksum:
            return None
        key, places = json.loads(bytes(whole[end - length : end]))
        return (places, whole) if key == _key(assigned) else None
    except Exception:
        return None  # it is not there, or no pack


def _key(assigned: dict) -> List:
    """For what a pack is good: for the same code in the same version of Python."""
    magic = importlib.util.MAGIC_NUMBER.hex()
    flags = [sys.flags.optimize, sys.flags.dev_mode]
    folders = [assigned["code"], assigned["layers"]]
    return [assigned["pack"]["name"], sys.version, magic, flags, folders]


def _of_function(assigned: dict) -> Callable[[str], bool]:
    """Whether a file is of the function's package or layers, which do not change."""
    folders = [assigned["code"], *assigned["layers"]]
    starts = tuple(start + os.sep for folder in folders for start in (folder, os.path.realpath(folder)))
    return lambda path: path.startswith(starts)


def _yield_to_others() -> None:
    """Nobody waits for this process."""
    try:
        os.nice(LOW_PRIORITY)
    except OSError:
        pass  # it is not allowed here
