"""The checker must see every kind of fault, and none where there is none."""

import pathlib
import random
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent))

from history import (  # noqa: E402
    NEVER, Add, Read, Txn, Write, check_counter, check_lists, check_register, check_sums,
)


def test_good_registers():
    assert not check_register([], [Read(1, 2, None)])
    assert not check_register([Write(1, 9, 7)], [Read(2, 3, None), Read(4, 5, 7), Read(6, 7, 7)])
    # What was never answered may have happened, late, or not at all.
    assert not check_register([Write(1, NEVER, 7), Write(2, 3, 8)], [Read(4, 5, 8), Read(6, 7, 7)])
    assert not check_register([Write(1, NEVER, 7)], [Read(4, 5, None)])


@pytest.mark.parametrize("writes, reads", [
    ([Write(1, 2, 7)], [Read(3, 4, None)]),  # lost
    ([], [Read(3, 4, 7)]),  # from nowhere
    ([Write(5, 6, 7)], [Read(3, 4, 7)]),  # before it was written
    ([Write(1, 2, 7), Write(3, 4, 8)], [Read(5, 6, 7)]),  # stale
    ([Write(1, 9, 7)], [Read(2, 3, 7), Read(4, 5, None)]),  # gone back
    ([Write(1, 9, 7), Write(1, 9, 8)], [Read(2, 3, 7), Read(4, 5, 8), Read(6, 7, 7)]),
    ([Write(1, NEVER, 7), Write(2, 3, 8)], [Read(4, 5, 7), Read(6, 7, 8)]),
])
def test_bad_registers(writes, reads):
    assert check_register(writes, reads)


def test_registers_of_one_copy_are_good_and_of_two_are_not():
    rng = random.Random(1)
    found = 0
    for round_ in range(200):
        copies = [None, None] if round_ % 2 else [None]
        writes, reads, now = [], [], 0
        for number in range(30):
            sent, at, answered = now, now + rng.randint(1, 9), now + rng.randint(10, 19)
            now += rng.randint(1, 30)
            if rng.random() < 0.4:
                writes.append(Write(sent, answered, number))
                copies[rng.randrange(len(copies))] = number
            else:
                reads.append(Read(sent, answered, copies[rng.randrange(len(copies))]))
            now = max(now, at + 10)
        faults = check_register(writes, reads)
        assert not faults or len(copies) == 2, faults
        found += bool(faults)
    assert found > 90


def test_counters():
    assert not check_counter([Add(1, 5, 2), Add(2, 4, 1)], [Read(1, 9, 1), Read(6, 7, 2)])
    assert not check_counter([Add(1, NEVER, None), Add(4, 5, 2)], [Read(2, 3, 1)])
    for adds, reads in [
        ([Add(1, 2, 1), Add(3, 4, 1)], []),  # lost update
        ([Add(1, 2, 2), Add(3, 4, 1)], []),  # against time
        ([Add(1, 2, 1), Add(3, 4, 2)], [Read(5, 6, 1)]),  # stale
        ([Add(1, 2, 1)], [Read(3, 4, 2)]),  # counted twice
        ([Add(1, 2, 1)], [Read(3, 4, None)]),  # lost
    ]:
        assert check_counter(adds, reads), (adds, reads)


def test_sums():
    assert not check_sums([10, 10], 10)
    assert check_sums([10, 9], 10)


def done(sent, answered, appends=None, reads=None):
    return Txn(sent, answered, "done", appends or {}, reads or {})


def test_good_lists():
    txns = [
        done(1, 9, {"x": 1, "y": 1}),
        done(2, 8, {"x": 2}),
        done(1, 9, reads={"x": [], "y": []}),
        done(3, 9, reads={"x": [1], "y": [1]}),
        Txn(1, NEVER, "unknown", {"y": 2}, {}),
        Txn(1, 2, "canceled", {"y": 3}, {}),
    ]
    assert not check_lists(txns, {"x": [1, 2], "y": [1]})
    assert not check_lists(txns, {"x": [1, 2], "y": [1, 2]})


FAULTS = {
    "lost": ([done(1, 2, {"x": 1})], {"x": []}),
    "twice": ([done(1, 2, {"x": 1})], {"x": [1, 1]}),
    "half": ([Txn(1, NEVER, "unknown", {"x": 1, "y": 1}, {})], {"x": [1], "y": []}),
    "dirty": (
        [Txn(1, 9, "canceled", {"x": 1}, {}), done(2, 3, reads={"x": [1]})], {"x": []},
    ),
    "canceled and there": ([Txn(1, 9, "canceled", {"x": 1}, {})], {"x": [1]}),
    "half seen": (
        [done(1, 9, {"x": 1, "y": 1}), done(2, 3, reads={"x": [1], "y": []})],
        {"x": [1], "y": [1]},
    ),
    "stale": ([done(1, 2, {"x": 1}), done(3, 4, reads={"x": []})], {"x": [1]}),
    "written in two orders": (
        [done(1, 9, {"x": 1, "y": 1}), done(1, 9, {"x": 2, "y": 2})],
        {"x": [1, 2], "y": [2, 1]},
    ),
    "read in two orders": (
        [
            done(1, 9, {"x": 1}), done(1, 9, {"y": 1}),
            done(1, 9, reads={"x": [1], "y": []}), done(1, 9, reads={"x": [], "y": [1]}),
        ],
        {"x": [1], "y": [1]},
    ),
    "nobody's": ([], {"x": [1]}),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_bad_lists(fault):
    txns, final = FAULTS[fault]
    assert check_lists(txns, final)
