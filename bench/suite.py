"""Runs the benches named, or all, one after the other; ends with 1 if one of them missed a required
figure or failed, and with 130 after Ctrl-C.

    bench/run                       all
    bench/run cold warm             some
    bench/run cold --rounds 5       one, with options of its own: bench/run cold --help
    bench/run install               only what the benches need: programs, packages, peers
"""

import importlib
import signal
import sys
import traceback

import tools
from table import spent

# Module and first arguments, by name.
BENCHES = {
    "start": ("start", []),
    "services": ("services", []),
    "tables": ("tables", []),
    "growth": ("growth", []),
    "reload": ("reload", []),
    "cold": ("cold", []),
    "sandbox": ("sandbox", []),
    "warm": ("warm", []),
    "requests": ("clients", ["requests"]),
    "cut": ("clients", ["cut"]),
    "memory": ("memory", []),
    "burst": ("burst", []),
}


def main(argv) -> int:
    if argv == ["install"]:
        tools.install_all()
        return 0
    if len(argv) > 1 and argv[0] in BENCHES and argv[1].startswith("-"):
        return 0 if run(argv[0], argv[1:]) else 1
    if any(name not in BENCHES for name in argv):
        print(__doc__.strip(), "\n\nbenches:", " ".join(BENCHES))
        return 0 if argv in (["--help"], ["-h"]) else 2
    missed = [name for name in argv or BENCHES if not run(name, [])]
    if missed:
        print(f"missed or failed: {' '.join(missed)}")
    return 1 if missed else 0


def run(name: str, options: list) -> bool:
    print(f"== {name}", flush=True)
    module, first = BENCHES[name]
    try:
        with spent():
            return importlib.import_module(module).main([*first, *options])
    except Exception:
        traceback.print_exc()
        return False


def end(*_):
    """As Ctrl-C does, so that what was started is ended."""
    raise KeyboardInterrupt


if __name__ == "__main__":
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, end)
    # A shell starts what is in its background deaf to Ctrl-C.
    signal.signal(signal.SIGINT, end)
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
