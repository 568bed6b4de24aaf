"""What the benches need and do not bring: programs that are compiled, packages that are installed.
All of it is kept in `~/.cache/cumulet` and may be deleted."""

import functools
import os
import pathlib
import shutil
import subprocess

from lib import HERE, running
from table import waiting

SHARED = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "cumulet"
CACHE = SHARED / "bench"
SDKS = ["@aws-sdk/client-dynamodb@3.1162.0", "aws-sdk@2.1693.0"]
OFFLINE = ["serverless@3.40.0", "serverless-offline@13.10.1"]
DYNALITE = ["dynalite@4.0.0"]
# Its native part builds curl. The tests use the same folder.
RIC = "aws-lambda-ric@3.3.0"
RIC_NEEDS = ["npm", "autoreconf", "libtoolize", "cmake", "make", "g++"]
RIC_SECONDS_MAX = 900


class Unavailable(Exception):
    """A peer that cannot be had here: why. The bench goes on without it."""


@functools.cache
def sdks() -> pathlib.Path:
    return npm(CACHE / "sdk", SDKS)


def offline() -> pathlib.Path:
    try:
        return npm(CACHE / "offline", OFFLINE)
    except (OSError, subprocess.CalledProcessError) as error:
        raise Unavailable(f"serverless-offline cannot be installed: {error}") from error


def dynalite() -> pathlib.Path:
    try:
        return npm(CACHE / "dynalite", DYNALITE)
    except (OSError, subprocess.CalledProcessError) as error:
        raise Unavailable(f"dynalite cannot be installed: {error}") from error


def ric() -> pathlib.Path:
    """Lambda's own runtime client for Node, built once."""
    folder = SHARED / "aws-lambda-ric"
    client = folder / "node_modules" / "aws-lambda-ric"
    if (client / "dist" / "rapid-client.node").exists():
        return client
    missing = [program for program in RIC_NEEDS if not shutil.which(program)]
    if missing:
        raise Unavailable(
            f"aws-lambda-ric cannot be built without {', '.join(missing)}: "
            "apt-get install autoconf automake libtool cmake g++"
        )
    folder.mkdir(parents=True, exist_ok=True)
    log = CACHE / "aws-lambda-ric.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    argv = ["npm", "install", "--foreground-scripts", "--prefix", str(folder), RIC]
    with open(log, "w") as out, waiting(f"building {RIC}, once, in about two minutes"):
        with running(argv, stdout=out, stderr=out) as process:
            try:
                done = f"npm ended with {process.wait(RIC_SECONDS_MAX)}"
            except subprocess.TimeoutExpired:
                done = f"not within {RIC_SECONDS_MAX} s"
    if not (client / "dist" / "rapid-client.node").exists():
        raise Unavailable(f"aws-lambda-ric could not be built ({done}): see {log}")
    return client


def npm(folder: pathlib.Path, packages: list) -> pathlib.Path:
    """Its `node_modules` with these packages."""
    done, wanted = folder / "installed", "\n".join(packages)
    if not done.exists() or done.read_text() != wanted:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "package.json").write_text('{"private": true}')
        argv = ["npm", "install", "--no-audit", "--no-fund", "--loglevel=error", *packages]
        with waiting(f"installing {' '.join(packages)}"):
            subprocess.run(argv, cwd=folder, check=True, stdout=subprocess.DEVNULL)
        done.write_text(wanted)
    return folder / "node_modules"


@functools.cache
def compile_rust(name: str) -> pathlib.Path:
    """A program of one file, and the module they share, without a package."""
    out, source = CACHE / name, HERE / f"{name}.rs"
    newest = max(each.stat().st_mtime for each in (source, HERE / "http.rs"))
    if not out.exists() or out.stat().st_mtime < newest:
        out.parent.mkdir(parents=True, exist_ok=True)
        argv = ["rustc", "-O", "-C", "strip=symbols", "--edition", "2024", source, "-o", out]
        with waiting(f"compiling {name}.rs"):
            subprocess.run(argv, check=True)
    return out


@functools.cache
def lambda_runtime() -> pathlib.Path:
    """The sample function with the runtime that AWS publishes for Rust."""
    manifest = HERE / "lambda-runtime" / "Cargo.toml"
    target = CACHE / "target"
    argv = ["cargo", "build", "--quiet", "--release", "--locked", "--manifest-path", str(manifest),
            "--target-dir", str(target)]
    with waiting("compiling lambda-runtime, once, in about a minute"):
        subprocess.run(argv, check=True)
    return target / "release" / "bootstrap"


def wrk() -> str:
    """The load generator of `warm`."""
    if not (found := shutil.which("wrk")):
        raise SystemExit("warm: wrk is not installed: apt-get install wrk")
    return found


def install_all():
    sdks()
    lambda_runtime()
    for name in ("client", "load", "tables", "bootstrap"):
        compile_rust(name)
    for peer in (dynalite, offline, ric):
        try:
            peer()
        except Unavailable as why:
            print(why)
    wrk()
