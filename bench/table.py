"""One form of result for all benches: a table at the end, and what is under way meanwhile."""

import contextlib
import math
import statistics
import sys
import threading
import time

COLUMNS = ["n", "median", "p99", "unit", "÷", "ratio", "required", "goal", "verdict"]


def median(values):
    return statistics.median(values)


def p99(values):
    """The nearest rank: of fewer than a hundred, the greatest."""
    ordered = sorted(values)
    return ordered[math.ceil(0.99 * len(ordered)) - 1]


class Bound:
    """What is required, and what is aimed at; either may be nothing."""

    def __init__(self, required=None, goal=None, at_least=False):
        self.required, self.goal, self.at_least = required, goal, at_least

    def holds(self, bound, value) -> bool:
        return value >= bound if self.at_least else value <= bound

    def show(self, bound) -> str:
        return "" if bound is None else f"{'≥' if self.at_least else '≤'}{bound:g}"

    def verdict(self, value) -> str:
        if self.required is not None and not self.holds(self.required, value):
            return "MISSED"
        if self.goal is not None and not self.holds(self.goal, value):
            return "goal missed"
        return "" if self.required is None and self.goal is None else "met"


class Table:
    """Rows of what was measured, printed at the end, also after an error: what is there is there.

    `good` is whether every required bound holds; a goal is only reported.
    """

    def __init__(self, title: str):
        self.title, self.rows, self.good = title, [], True

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.print()

    def row(self, name, values, unit="", ratio=None, base="", bound=None, high=None, n=None, note=""):
        """`values` are all that was measured, or one figure. The bound is that of the ratio, where
        there is one. `high` takes the place of the 99th of a hundred; NaN leaves it out."""
        values = values if isinstance(values, list) else [values]
        middle = median(values)
        if high is None and len(values) > 1:
            high = p99(values)
        bound = bound or Bound()
        verdict = bound.verdict(middle if ratio is None else ratio)
        self.good &= verdict != "MISSED"
        self.rows.append([
            name, str(n or len(values)), figure(middle), figure(high), unit, base, figure(ratio),
            bound.show(bound.required), bound.show(bound.goal), verdict, note,
        ])

    def against(self, name, values, reference, unit="", base="", bound=None, note="", **more):
        """A row with the ratio of both medians."""
        ratio = median(values) / median(reference)
        self.row(name, values, unit, ratio=ratio, base=base, bound=bound, note=note, **more)

    def print(self):
        if not self.rows:
            return
        rows = [[self.title, *COLUMNS, ""], *self.rows]
        widths = [max(len(row[at]) for row in rows) for at in range(len(rows[0]))]
        for row in rows:
            cells = [row[0].ljust(widths[0])]
            for at in range(1, len(row) - 1):
                left = COLUMNS[at - 1] in ("unit", "÷", "verdict")
                cells.append(row[at].ljust(widths[at]) if left else row[at].rjust(widths[at]))
            print("  ".join([*cells, row[-1]]).rstrip(), flush=True)


def figure(value) -> str:
    """Three digits that count, or all before the point."""
    if value is None or math.isnan(value):
        return ""
    if value == 0 or abs(value) >= 100:
        return f"{value:.0f}"
    return f"{value:.{max(0, 2 - math.floor(math.log10(abs(value))))}f}"


class Progress:
    """Tells about once a second, on standard error, how far a bench is."""

    def __init__(self, name: str, total: int):
        self.name, self.total, self.done = name, total, 0
        self.began = self.told = time.monotonic()

    def step(self, what: str, count: int = 1):
        """So much more is done; `what` is next."""
        self.done += count
        now = time.monotonic()
        if now - self.told >= 1:
            self.told = now
            left = (now - self.began) / max(self.done, 1) * (self.total - self.done)
            about = f", about {clock(left)} left" if self.done else ""
            tell(f"{self.name}: {self.done}/{self.total} {what}, {clock(now - self.began)}{about}")


@contextlib.contextmanager
def waiting(what: str):
    """Tells each second that something that cannot tell it itself still goes on."""
    ended = threading.Event()
    began = time.monotonic()

    def run():
        while not ended.wait(1):
            tell(f"{what}, {clock(time.monotonic() - began)}")

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


@contextlib.contextmanager
def spent():
    began = time.monotonic()
    yield
    print(f"took {clock(time.monotonic() - began)}", flush=True)


def clock(seconds: float) -> str:
    return f"{int(seconds) // 60}:{int(seconds) % 60:02}"


def tell(line: str):
    """On a terminal in one line, which the next one overwrites."""
    if sys.stderr.isatty():
        sys.stderr.write(f"\r{line[:100]:<100}\r")
    else:
        sys.stderr.write(f"{line}\n")
    sys.stderr.flush()
