"""The checker of balances must see every kind of fault."""

import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent))

from balance import check_events, check_messages  # noqa: E402

EVENTS = {"sent": {"a", "b", "c"}, "succeeded": ["a", "b"], "failed": ["c"], "dead": ["c"]}
MESSAGES = {"sent": {"a", "b", "c", "d"}, "done": ["a", "a", "b"], "dead": ["b", "c"], "waiting": 1}

EVENT_FAULTS = {
    "accepted and lost": {"succeeded": ["a"]},
    "ended in two ways": {"succeeded": ["a", "b", "c"]},
    "ended more than once": {"succeeded": ["a", "b", "b"]},
    "failed and no dead letter": {"dead": []},
    "a dead letter that did not fail": {"dead": ["b", "c"]},
    "never sent": {"succeeded": ["a", "b", "z"]},
}
MESSAGE_FAULTS = {
    "sent and lost": {"waiting": 0},
    "waits and is done or dead": {"waiting": 2},
    "dead-lettered more than once": {"dead": ["b", "c", "c"]},
    "never sent": {"done": ["a", "b", "z"]},
}


def test_good_balances_are_good():
    events, messages = check_events(**EVENTS), check_messages(**MESSAGES)
    assert events.good and messages.good, (events, messages)
    assert events.figures["done"] + events.figures["failed"] == events.figures["sent"]
    # Sent is done, dead-lettered and waiting: what is done and dead counts as dead.
    figures = messages.figures
    total = figures["done"] + figures["dead-lettered"] + figures["waiting"]
    assert total == figures["sent"]


@pytest.mark.parametrize("fault", EVENT_FAULTS)
def test_each_fault_of_events_is_seen(fault):
    assert check_events(**{**EVENTS, **EVENT_FAULTS[fault]}).faults[fault] == 1


@pytest.mark.parametrize("fault", MESSAGE_FAULTS)
def test_each_fault_of_messages_is_seen(fault):
    assert check_messages(**{**MESSAGES, **MESSAGE_FAULTS[fault]}).faults[fault] == 1
