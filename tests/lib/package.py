"""Deployment packages made in memory."""

import importlib.util
import io
import zipfile
from pathlib import Path


def package(**files: str) -> bytes:
    """`package(index_js="…")`: a zip; an underscore before the ending stands for the dot."""
    return zipped({name[::-1].replace("_", ".", 1)[::-1]: text for name, text in files.items()})


def zipped(files: dict) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in files.items():
            # A fixed date: equal files make equal packages, and equal CodeSha256.
            archive.writestr(zipfile.ZipInfo(name, (2000, 1, 1, 0, 0, 0)), text)
    return buffer.getvalue()


def executable(name: str, text: str) -> bytes:
    """A zip of one program."""
    return executables({name: text})


def executables(files: dict) -> bytes:
    """A zip of files that may all be run."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in files.items():
            info = zipfile.ZipInfo(name, (2000, 1, 1, 0, 0, 0))
            info.external_attr = 0o755 << 16
            archive.writestr(info, text)
    return buffer.getvalue()


def boto(*services: str) -> dict:
    """The files of the installed boto3 that a function needs for these services."""
    root = Path(importlib.util.find_spec("boto3").origin).parent.parent
    tops = ["boto3", "botocore", "dateutil", "jmespath", "s3transfer", "six.py", "urllib3"]
    paths = [path for top in tops for path in (root / top, *(root / top).rglob("*"))]
    files = {}
    for path in paths:
        parts = path.relative_to(root).parts
        unneeded = parts[1:2] == ("data",) and len(parts) > 3 and parts[2] not in services
        if path.is_file() and "__pycache__" not in parts and not unneeded:
            files["/".join(parts)] = path.read_bytes()
    return files
