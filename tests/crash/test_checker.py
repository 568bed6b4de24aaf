"""The checker must see every kind of fault: a checker that cannot fail proves nothing."""

import copy
import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent))

from checker import check, unfinished  # noqa: E402


def order(id_, status, *history):
    history = history or (("PENDING",) if status == "PENDING" else ("PENDING", status))
    return {
        "PK": f"ORDER#{id_}", "SK": "METADATA", "id": id_, "status": status,
        "history": [{"status": each} for each in history],
    }


def confirmation(id_, count=1):
    return {"PK": f"ORDER#{id_}", "SK": "CONFIRMATION", "confirmations": count}


def entry(id_):
    return {"PK": "USER#ada", "SK": f"ORDER#now#{id_}", "id": id_}


ACKNOWLEDGED = {"good": True, "bad": False}
ITEMS = [
    order("good", "PAID"), confirmation("good"), entry("good"),
    order("bad", "PAYMENT_FAILED"), entry("bad"),
    order("unseen", "PENDING"), entry("unseen"),  # no 201 was seen: nothing is promised
    {"PK": "USER#ada", "SK": "PAYMENT_METHOD"},
]


def test_good_books_are_good():
    verdict = check(ITEMS, ACKNOWLEDGED)
    assert verdict.good, verdict
    assert verdict.figures["PAID"] == 1
    assert verdict.figures["written without a 201"] == 1
    assert unfinished(ITEMS, ACKNOWLEDGED) == 0


FAULTS = {
    "acknowledged and lost": lambda items: [i for i in items if i["PK"] != "ORDER#good"],
    "acknowledged and never settled": lambda items: [order("good", "PENDING"), *items[2:]],
    "settled wrongly": lambda items: [order("good", "PAYMENT_FAILED"), *items[2:]],
    "settled more than once": lambda items: [
        order("good", "PAID", "PENDING", "PAID", "PAID"), *items[1:]
    ],
    "paid and never confirmed": lambda items: [items[0], *items[2:]],
    "confirmed more than once": lambda items: [items[0], confirmation("good", 2), *items[2:]],
    "confirmed and not paid": lambda items: [*items, confirmation("bad")],
    "confirmed and unknown": lambda items: [*items, confirmation("nobody")],
    "missing in the user's list": lambda items: [items[0], items[1], *items[3:]],
}


@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_is_seen(fault):
    items = FAULTS[fault](copy.deepcopy(ITEMS))
    assert check(items, ACKNOWLEDGED).faults[fault] == 1


def test_what_is_on_its_way():
    items = [order("good", "PAID"), order("bad", "PENDING"), order("unseen", "PENDING")]
    assert unfinished(items, ACKNOWLEDGED) == 2
