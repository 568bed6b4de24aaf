"""Deployment packages made in memory."""

import io
import zipfile


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
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        info = zipfile.ZipInfo(name, (2000, 1, 1, 0, 0, 0))
        info.external_attr = 0o755 << 16
        archive.writestr(info, text)
    return buffer.getvalue()
