"""Cold starts of one sample function, each by a way that is proven and not hoped for.

`first`     right after the deploy: nothing of the function was ever loaded
`template`  its template is there, and no copy of it
`spare`     a copy waits that nobody has used
`settled`   a while after the deploy, of what cannot be forked
"""

import time

from host import Functions
from lib import wait_for

WAYS = ["first", "template", "spare", "settled"]
# How long a spare is given to be made, off the critical path. It is proven that it was there.
SPARE_SECONDS = 0.3
# How long an environment is kept busy while the next one is started.
HOLD_MS = 400
TRIES = 5
# The code of all second functions: what unpacking it once more costs is no part of a start.
AGAIN = "again"
# What the host calls them.
FORK, SPARE = "fork of template", "spare fork of template"
# The kernel tells the start of a process to 10 ms.
TICK_SECONDS = 0.02


class Missed(AssertionError):
    """A start that came about in another way than was claimed."""


def expect(run, path: str):
    if run.path != path:
        raise Missed(f"the start was {run.path}, not {path}")


def prove(functions: Functions, name: str, run, way: str):
    """That the host says so, and that the process tells no other story: it began with the event,
    or before it. It must be the last one used: that is the next."""
    expect(run, "forked")
    run.way = functions.way(name, run.stream)
    if run.way != way:
        raise Missed(f"the host says: {run.way}, and not: {way}")
    again = functions.invoke(name, {"born": True})
    if again.stream != run.stream:
        raise Missed("another environment answered")
    expect(again, "warm")
    was_there = again.born < run.began - TICK_SECONDS
    if was_there != (way == SPARE):
        raise Missed(f"{way}: its process was {'' if was_there else 'not '}there before the event")


def cold_starts(functions: Functions, sample, name: str):
    """One start in each way that the sample has, by way; and why others did not come as claimed.
    Deploys it and removes it."""
    runs, missed = {}, {}
    functions.create(name, sample)
    try:
        runs["first"] = functions.invoke(name)
        expect(runs["first"], "loaded")
        runs["first"].way = functions.way(name, runs["first"].stream)
        if sample.forks and (way := functions.start_path(name)) != "fork":
            missed["template"] = f"it has no template: {way}"
    finally:
        functions.delete(name)
    if missed:
        return runs, missed
    again = f"{name}-again"
    way = None
    try:
        functions.create(again, sample, AGAIN)
        for way in sample.ways[1:]:
            runs[way] = STARTS[way](functions, again)
    except Missed as why:
        missed[way] = str(why)
    finally:
        functions.delete(again)
    return runs, missed


def settled(functions: Functions, name: str):
    time.sleep(SPARE_SECONDS)
    run = functions.invoke(name)
    expect(run, "loaded")
    run.way = functions.way(name, run.stream)
    return run


def from_template(functions: Functions, name: str):
    """Of another function: the first one's start left an environment."""
    way = functions.start_path(name)
    if way != "fork":
        raise Missed(f"the second one has no template: {way}")
    # A template is followed by a place for its first copy, off the critical path, too.
    time.sleep(SPARE_SECONDS)
    run = functions.invoke(name)
    prove(functions, name, run, FORK)
    return run


def from_spare(functions: Functions, name: str):
    """After `from_template`: what was used makes the host keep a spare."""
    for _ in range(TRIES):
        time.sleep(SPARE_SECONDS)
        holder = functions.hold(name, HOLD_MS)
        try:
            wait_for(lambda: functions.live(name).get("busy") == 1)
            run = functions.invoke(name)
            # Where the machine has too much to do the event waits for a busy environment.
            if run.path != "warm":
                # While the other one is busy: once it is idle it is the next to be used.
                prove(functions, name, run, SPARE)
                return run
        finally:
            holder.join()
    raise Missed(f"the event waited for a busy environment {TRIES} times")


STARTS = {"template": from_template, "spare": from_spare, "settled": settled}
