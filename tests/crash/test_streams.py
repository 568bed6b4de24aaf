"""The checker of streams.py notices what it is there for."""

import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent))

from streams import faults_of  # noqa: E402


@pytest.mark.parametrize(
    "told",
    [[1, 2, 3], [1, 1, 2, 3], [1, 2, 1, 2, 3], [1, 2, 3, 2, 3], [1, 2, 3, 4]],
)
def test_what_was_told_again_is_no_fault(told):
    assert faults_of(told, 3) == []


@pytest.mark.parametrize(
    "told, fault",
    [
        ([1, 3], "1 never told, e.g. 2"),
        ([1, 2], "1 never told, e.g. 3"),
        ([1, 3, 2], "told out of order"),
        ([1, 3, 2], "3 told before 2"),
        ([], "3 never told, e.g. 1"),
    ],
)
def test_what_is_missing_or_out_of_order_is(told, fault):
    assert fault in faults_of(told, 3)
