"""What functions write with `logging`: one frame per record, in the form of Lambda's Python runtime.
It is sent at once, so that a crash loses nothing. `print` goes through the standard streams.
"""

import logging
import time

from . import pipe

LINE_CHARS_MAX = 256 * 1024
INDENT = "\u00a0"  # as Lambda writes it: log viewers keep it

request_id = ""  # of the event that runs


def write(message: str) -> None:
    if message.endswith("\n"):
        message = message[:-1]
    pipe.log(message[:LINE_CHARS_MAX].encode("utf-8", "replace"))


class LambdaLoggerHandler(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        write(self.format(record))


class LambdaLoggerFilter(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        record.aws_request_id = request_id
        return True


def install() -> None:
    logging.Formatter.converter = time.gmtime
    handler = LambdaLoggerHandler()
    handler.setFormatter(
        logging.Formatter(
            "[%(levelname)s]\t%(asctime)s.%(msecs)03dZ\t%(aws_request_id)s\t%(message)s\n",
            "%Y-%m-%dT%H:%M:%S",
        )
    )
    handler.addFilter(LambdaLoggerFilter())
    logging.getLogger().addHandler(handler)


def failure(report: dict) -> None:
    """An error as one record: what it is, and where."""
    kind, message = report["errorType"], report["errorMessage"]
    lines = [f"[ERROR] {kind}: {message}" if message else f"[ERROR] {kind}"]
    lines.append("Traceback (most recent call last):")
    for entry in report.get("stackTrace", ()):
        lines.extend(map(_indented, entry.splitlines()))
    write("\n".join(lines))


def _indented(line: str) -> str:
    text = line.lstrip(" ")
    return INDENT * (len(line) - len(text)) + text
