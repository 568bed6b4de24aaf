"""What must be true of events and messages whose functions were killed at random. Knows nothing of
the server: only what was sent and where it came out.
"""

from collections import Counter
from dataclasses import dataclass, field


@dataclass
class Verdict:
    faults: Counter = field(default_factory=Counter)
    examples: dict = field(default_factory=dict)
    figures: Counter = field(default_factory=Counter)

    def fault(self, kind: str, what: str):
        self.faults[kind] += 1
        self.examples.setdefault(kind, what)

    @property
    def good(self) -> bool:
        return not self.faults


def check_events(sent: set, succeeded: list, failed: list, dead: list) -> Verdict:
    """Asynchronous events, by request id: those accepted, the records at the destinations of
    success and of failure, and the dead letters. Each ends once, and each failure is a dead letter.
    """
    verdict = Verdict()
    good, bad = Counter(succeeded), Counter(failed)
    verdict.figures.update(
        {"sent": len(sent), "done": len(good), "failed": len(bad), "dead-lettered": len(set(dead))}
    )
    for event in sent - good.keys() - bad.keys():
        verdict.fault("accepted and lost", event)
    for event in good.keys() & bad.keys():
        verdict.fault("ended in two ways", event)
    for counts in (good, bad, Counter(dead)):
        for event, count in counts.items():
            if count > 1:
                verdict.fault("ended more than once", event)
    for event in bad.keys() - set(dead):
        verdict.fault("failed and no dead letter", event)
    for event in set(dead) - bad.keys():
        verdict.fault("a dead letter that did not fail", event)
    for event in (good.keys() | bad.keys() | set(dead)) - sent:
        verdict.fault("never sent", event)
    return verdict


def check_messages(sent: set, done: list, dead: list, waiting: int) -> Verdict:
    """Messages of a queue that feeds a function, by body: those sent, those the function has dealt
    with, those in the dead-letter queue, and how many still wait. One whose environment was killed
    between its work and its answer is worked off again, or dead-lettered: at least once.
    """
    verdict = Verdict()
    dead_ids = Counter(dead)
    both = set(done) & dead_ids.keys()
    left = sent - set(done) - dead_ids.keys()
    verdict.figures.update({
        "sent": len(sent), "done": len(set(done) - both), "dead-lettered": len(dead_ids),
        "waiting": waiting, "done again": len(done) - len(set(done)), "done, and dead": len(both),
    })
    for message in sorted(left)[waiting:]:
        verdict.fault("sent and lost", message)
    if waiting > len(left):
        verdict.fault("waits and is done or dead", f"{waiting} wait, {len(left)} may")
    for message, count in dead_ids.items():
        if count > 1:
            verdict.fault("dead-lettered more than once", message)
    for message in (set(done) | dead_ids.keys()) - sent:
        verdict.fault("never sent", message)
    return verdict
