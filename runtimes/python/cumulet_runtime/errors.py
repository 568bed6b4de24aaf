"""Errors by the names Lambda gives them, and the form in which they are reported."""

import os
import traceback
from typing import List, Optional

BYTES_MAX = 6_291_556  # of a response; 100 more than of a request, as on Lambda
RESPONSE_TOO_LARGE = {
    "errorType": "Function.ResponseSizeTooLarge",
    "errorMessage": "Response payload size exceeded maximum allowed payload size "
    f"({BYTES_MAX} bytes).",
}

_OURS = os.path.dirname(os.path.abspath(__file__)) + os.sep


class Fault(Exception):
    """A failure that has one of Lambda's own names."""

    def __init__(self, kind: str, message: str, trace: Optional[List[str]] = None):
        super().__init__(message)
        self.kind = kind
        self.message = message
        self.trace = trace


def report(error: BaseException, request_id: str) -> dict:
    """What the caller gets."""
    if isinstance(error, Fault):
        kind, message, trace = error.kind, error.message, error.trace or []
    else:
        kind, message, trace = type(error).__name__, str(error), _trace(error)
    return {
        "errorMessage": message,
        "errorType": kind,
        "requestId": request_id,
        "stackTrace": trace,
    }


def _trace(error: BaseException) -> List[str]:
    """From the first line on that is not ours. Without the columns that newer versions mark."""
    frames = [
        (frame.filename, frame.lineno, frame.name, frame.line)
        for frame in traceback.extract_tb(error.__traceback__)
    ]
    while frames and frames[0][0].startswith(_OURS):
        frames.pop(0)
    return traceback.format_list(frames)
