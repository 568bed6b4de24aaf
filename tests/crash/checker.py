"""What must be true of the shop's table after any number of crashes. Knows nothing of the server.

Only orders a client saw a 201 for are promised to be there. What is there must be consistent,
promised or not.
"""

from collections import Counter
from dataclasses import dataclass, field

FINAL = {"PAID", "PAYMENT_FAILED"}


@dataclass
class Verdict:
    faults: Counter = field(default_factory=Counter)
    examples: dict = field(default_factory=dict)
    figures: Counter = field(default_factory=Counter)

    def fault(self, kind: str, order: str, detail=""):
        self.faults[kind] += 1
        self.examples.setdefault(kind, f"{order} {detail}".strip())

    @property
    def good(self) -> bool:
        return not self.faults


def check(items: list, acknowledged: dict) -> Verdict:
    """`items` is the whole table; `acknowledged` maps an order's id to whether its card is good."""
    orders, confirmations, listed = {}, {}, set()
    for item in items:
        kind, _, key = item["PK"].partition("#")
        if kind == "ORDER" and item["SK"] == "METADATA":
            orders[key] = item
        elif kind == "ORDER" and item["SK"] == "CONFIRMATION":
            confirmations[key] = item
        elif kind == "USER" and item["SK"].startswith("ORDER#"):
            listed.add(item["id"])

    verdict = Verdict()
    verdict.figures["acknowledged"] = len(acknowledged)
    verdict.figures["in the table"] = len(orders)
    verdict.figures["written without a 201"] = len(orders.keys() - acknowledged.keys())

    for order, good_card in acknowledged.items():
        if order not in orders:
            verdict.fault("acknowledged and lost", order)
            continue
        status = orders[order]["status"]
        if status not in FINAL:
            verdict.fault("acknowledged and never settled", order, status)
        elif (status == "PAID") != good_card:
            verdict.fault("settled wrongly", order, status)
        if order not in listed:
            verdict.fault("missing in the user's list", order)

    for order, item in orders.items():
        status = item["status"]
        verdict.figures[status] += 1
        history = [entry["status"] for entry in item["history"]]
        wanted = ["PENDING"] if status == "PENDING" else ["PENDING", status]
        if history != wanted:
            verdict.fault("settled more than once", order, history)
        confirmation = confirmations.get(order)
        if status == "PAID" and confirmation is None:
            verdict.fault("paid and never confirmed", order)
        if status != "PAID" and confirmation is not None:
            verdict.fault("confirmed and not paid", order, status)

    for order, item in confirmations.items():
        verdict.figures["confirmed"] += 1
        if item["confirmations"] != 1:
            verdict.fault("confirmed more than once", order, item["confirmations"])
        if order not in orders:
            verdict.fault("confirmed and unknown", order)
    return verdict


def unfinished(items: list, acknowledged: dict) -> int:
    """How many acknowledged orders are still on their way."""
    confirmed = {item["PK"] for item in items if item["SK"] == "CONFIRMATION"}
    return sum(
        1
        for item in items
        if item["SK"] == "METADATA"
        and item["id"] in acknowledged
        and (
            item["status"] == "PENDING"
            or (item["status"] == "PAID" and item["PK"] not in confirmed)
        )
    )
