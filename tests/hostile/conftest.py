"""Three servers, one after the other: confined and run by root, confined and run by a user, and
not confined at all. Each with what functions must not reach beside it.

On the last the same acts must succeed: a probe that never escapes proves nothing.
"""

import os
import signal
import sys
import time

import pytest

from platforms import Platform, with_token


@pytest.fixture
def survivors():
    """`survivors(token)`: what is left of a probe's processes. They end with the test."""
    asked = []

    def find(token):
        asked.append(token)
        return with_token(token)

    yield find
    for pid in {pid for token in asked for pid in with_token(token)}:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass  # it has ended meanwhile


KINDS = ["root", "user", "none"] if os.geteuid() == 0 else ["user", "none"]


@pytest.fixture(scope="session", params=KINDS)
def platforms(request):
    if sys.platform != "linux":
        pytest.skip("the sandbox is Linux's")
    with Platform(request.param) as platform:
        yield platform


@pytest.fixture
def platform(platforms):
    """One of the three. What a test deployed is removed after it."""
    yield platforms
    platforms.clear()
    platforms.whole()


@pytest.fixture
def again():
    """`again(check)`: the first true result within some seconds, else the last."""

    def wait(check, seconds=10.0):
        deadline = time.monotonic() + seconds
        while not (result := check()) and time.monotonic() < deadline:
            time.sleep(0.05)
        return result

    return wait
