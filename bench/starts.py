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
# The kernel tells the start of a process to 10 ms.
TICK_SECONDS = 0.02


class Missed(AssertionError):
    """A start that came about in another way than was claimed."""


def expect(run, path: str):
    if run.path != path:
        raise Missed(f"the start was {run.path}, not {path}")


def born(functions: Functions, name: str, run) -> float:
    """When the process began that has run this: it is idle, and the last one used is the next."""
    again = functions.invoke(name, {"born": True})
    if again.stream != run.stream:
        raise Missed("another environment answered")
    expect(again, "warm")
    return again.born


def cold_starts(functions: Functions, sample, name: str):
    """One start in each way that the sample has, by way; and what did not come as claimed. Deploys
    it and removes it."""
    runs, missed = {}, []
    functions.create(name, sample)
    try:
        runs["first"] = functions.invoke(name)
        expect(runs["first"], "loaded")
        forks = sample.forks and functions.start_path(name) == "fork"
    finally:
        functions.delete(name)
    again = f"{name}-again"
    try:
        if forks:
            runs["template"] = from_template(functions, sample, again)
            runs["spare"] = from_spare(functions, again)
        else:
            functions.create(again, sample, AGAIN)
            time.sleep(SPARE_SECONDS)
            runs["settled"] = functions.invoke(again)
            expect(runs["settled"], "loaded")
    except Missed as why:
        missed.append(why)
    finally:
        functions.delete(again)
    return runs, missed


def from_template(functions: Functions, sample, name: str):
    """Of another function: this one's first start left an environment."""
    functions.create(name, sample, AGAIN)
    way = functions.start_path(name)
    if way != "fork":
        raise Missed(f"the second one has no template: {way}")
    run = functions.invoke(name)
    expect(run, "forked")
    if born(functions, name, run) < run.began - TICK_SECONDS:
        raise Missed("its process was there before the event")
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
                break
        finally:
            holder.join()
    expect(run, "forked")
    if born(functions, name, run) > run.began - TICK_SECONDS:
        raise Missed("its process began with the event")
    return run
