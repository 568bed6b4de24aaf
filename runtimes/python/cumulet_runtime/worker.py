"""The worker of a Python function. It boots before anyone needs it, is told once what to run
(Assign), loads it, and then runs one event after the other. Between two events it sleeps in `read`.
"""

import gc
import importlib
import json
import os
import resource
import select
import sys
import time
from struct import Struct
from time import perf_counter
from typing import Callable, Set

from . import aws, context, debug, encode, errors, fork, handler, log, pack, pipe
from .context import LambdaContext
from .encode import to_json

MEMORY_SAMPLE_S = 1.0
REHEARSALS = 8
# Where layers are looked for, also where there is none.
LAYERS = ("/opt",)
# What SDKs and frameworks ask for first. Loaded while nobody waits.
AHEAD = """
    __future__ abc argparse ast asyncio base64 binascii bisect calendar collections.abc
    concurrent.futures configparser contextlib contextvars copy csv dataclasses datetime
    email.message email.parser email.utils encodings.idna enum fnmatch functools getpass glob gzip
    hashlib heapq hmac html http.client http.cookies inspect io ipaddress itertools logging.config
    logging.handlers mimetypes multiprocessing numbers operator pathlib pickle pkgutil platform
    plistlib pprint queue random re secrets shlex shutil signal socket ssl stat string subprocess tempfile textwrap
    threading types typing unicodedata urllib.parse urllib.request urllib.robotparser uuid warnings
    weakref xml.etree.ElementTree xml.sax.saxutils zipfile zlib zoneinfo
""".split()

_number = Struct("<I").unpack_from
_memory_kb = 0
_memory_sampled = float("-inf")


def main(folder: str) -> None:
    fork.install()
    pipe.install()
    log.install()
    sys.path.remove(folder)
    waiting = select.poll()
    # Nobody waits for a template.
    if not fork.is_wanted():
        waiting.register(pipe.FROM_HOST, select.POLLIN)
    ahead = load_ahead(waiting)
    rehearse(waiting, os.path.join(folder, "hello"))
    if not waiting.poll(0):
        gc.collect()
    fork.settle()
    gc.freeze()  # it stays as long as the process: no later collection need look at it
    assigned = json.loads(pipe.read())
    began = perf_counter()
    try:
        prepare(assigned, ahead)
        if assigned["debug"]:
            debug.listen()
            context.is_debugged = True
        function = load(assigned)
    except Exception as error:
        report = errors.report(error, "")
        log.failure(report)
        pipe.init_error(micros(began), to_json(report))
        sys.exit(1)
    if assigned["template"]:
        become_template(assigned, began)
    else:
        pipe.ready(micros(began))
    serve(function, assigned["function"])


def load(assigned: dict) -> Callable:
    """Loads the function of its code pack, if there is one of use; or makes one, if asked to."""
    if not assigned["pack"]:
        return handler.load(assigned["handler"])
    recorded = None
    if assigned["pack"]["path"] is None:
        recorded = pack.record(assigned)
    else:
        pipe.packed(pack.use(assigned))
    try:
        function = handler.load(assigned["handler"])
    finally:
        pack.close()
    if recorded:
        pack.finish(recorded, assigned, pipe.pack)
    return function


def become_template(assigned: dict, began: float) -> None:
    """Returns in every slot that is made of this process, and nowhere else."""
    why = fork.unfit()
    if why:
        pipe.unfit(why)
        os._exit(0)
    pipe.ready(micros(began))
    told = fork.serve()
    name = told["logStreamName"]
    os.environ["AWS_LAMBDA_INITIALIZATION_TYPE"] = told["initializationType"]
    began = perf_counter()
    assigned["function"]["logStreamName"] = os.environ["AWS_LAMBDA_LOG_STREAM_NAME"] = name
    pipe.ready(micros(began))


def rehearse(waiting: "select.poll", hello: str) -> None:
    """Does what every function will need: what is loaded, cached and specialized on first use is
    then there when somebody waits."""
    sys.dont_write_bytecode = True  # a function's code is not ours to write to
    aws.install()
    about = {name: "" for name in FUNCTION}
    event = b"\0\0\0\0" + 4 * b"\0\0\0\0" + b"{}"
    assigned = {"code": hello, "env": {**os.environ, "REHEARSAL": ""}}
    path, folder = list(sys.path), os.getcwd()
    for _ in range(REHEARSALS):
        if waiting.poll(0):
            break
        prepare(assigned, set())
        greet = handler.load("index.handler")
        run(greet, about, event)
        to_json(errors.report(ValueError(""), ""))
        memory()
        del sys.modules["index"], os.environ["REHEARSAL"]
        sys.path[:] = path
        sys.path_importer_cache.clear()
    os.chdir(folder)


FUNCTION = (
    "functionName",
    "functionVersion",
    "invokedFunctionArn",
    "memoryLimitInMB",
    "logGroupName",
    "logStreamName",
)


def load_ahead(waiting: "select.poll") -> Set[str]:
    """Gives the names of what was loaded."""
    own = set(sys.modules)
    for name in AHEAD:
        if waiting.poll(0):
            break
        try:
            importlib.import_module(name)
        except ImportError:
            pass  # not in every version, nor in every build
    return {module.partition(".")[0] for module in sys.modules if module not in own}


def prepare(assigned: dict, ahead: Set[str]) -> None:
    environment, code = assigned["env"], assigned["code"]
    for name in [name for name in os.environ if name not in environment]:
        del os.environ[name]
    zone = os.environ.get("TZ")
    for name, value in environment.items():
        if os.environ.get(name) != value:
            os.environ[name] = value
    if os.environ.get("TZ") != zone:
        time.tzset()
    encode.setup(environment.get("AWS_EXECUTION_ENV", ""))
    os.chdir(code)
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    folders = (f"python/lib/python{version}/site-packages", "python")
    layers = [f"{layer}/{folder}" for layer in assigned.get("layers") or LAYERS for folder in folders]
    sys.path[:0] = [code, *layers]
    forget_what_is_shadowed(code, ahead)


def forget_what_is_shadowed(code: str, ahead: Set[str]) -> None:
    """A module of the function's may have a name that was loaded ahead: it comes first."""
    shadowed = ahead.intersection(entry.partition(".")[0] for entry in os.listdir(code))
    if shadowed:
        for module in list(sys.modules):
            if module.partition(".")[0] in shadowed:
                del sys.modules[module]


def serve(function: Callable, about: dict) -> None:
    while True:
        body = pipe.read()
        began = perf_counter()
        try:
            payload = run(function, about, body)
        except Exception as error:
            report = errors.report(error, log.request_id)
            log.failure(report)
            pipe.error(micros(began), memory(), to_json(report))
            continue
        if len(payload) > errors.BYTES_MAX:
            log.failure(errors.RESPONSE_TOO_LARGE)
            pipe.error(micros(began), memory(), to_json(errors.RESPONSE_TOO_LARGE))
        else:
            pipe.result(micros(began), memory(), payload)


_decode = json.JSONDecoder().decode


def run(function: Callable, about: dict, body: bytes) -> bytes:
    """Runs one event: the body of an Invoke frame; see protocol.rs."""
    began = perf_counter()
    timeout_ms = _number(body, 0)[0]
    at = 8 + _number(body, 4)[0]
    request_id = log.request_id = body[8:at].decode()
    start, at = at + 4, at + 4 + _number(body, at)[0]
    trace = body[start:at].decode()
    start, at = at + 4, at + 4 + _number(body, at)[0]
    client = body[start:at].decode()
    start, at = at + 4, at + 4 + _number(body, at)[0]
    arn = body[start:at].decode()
    set_trace(trace)
    about_event = LambdaContext(about, request_id, client, arn, began, timeout_ms)
    try:
        event = _decode(body[at:].decode()) if len(body) > at else {}
    except ValueError as error:
        message = f"Unable to unmarshal input: {error}"
        raise errors.Fault("Runtime.UnmarshalError", message) from None
    response = function(event, about_event)
    if isinstance(response, bytes):
        return response
    try:
        return to_json(response)
    except Exception as error:
        message = f"Unable to marshal response: {error}"
        raise errors.Fault("Runtime.MarshalError", message) from None


_traced = ""


def set_trace(trace: str) -> None:
    global _traced
    if trace:
        fork.set_trace(trace)
    elif _traced:
        os.environ.pop("_X_AMZN_TRACE_ID", None)
    _traced = trace


def micros(since: float) -> int:
    return int((perf_counter() - since) * 1_000_000)


def memory() -> int:
    """The most memory used so far, in KB; asked of the system once a second."""
    global _memory_kb, _memory_sampled
    now = perf_counter()
    if now - _memory_sampled > MEMORY_SAMPLE_S:
        _memory_sampled = now
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        _memory_kb = peak // 1024 if sys.platform == "darwin" else peak
    return _memory_kb
