"""What histories of operations say about the store that answered them: pure, no I/O.

Times are of one monotonic clock, in nanoseconds. An operation without an answer (the server was
killed) ends at `NEVER`: it may have happened at any time after it was sent, or not at all.
"""

import bisect
import collections
import typing

NEVER = 1 << 62


class Write(typing.NamedTuple):
    """A unique value put into a register."""

    sent: int
    answered: int
    value: int


class Read(typing.NamedTuple):
    """What a register or counter held. None: nothing yet."""

    sent: int
    answered: int
    value: int | None


class Add(typing.NamedTuple):
    """One added to a counter, and what it was then; None if that is not known."""

    sent: int
    answered: int
    value: int | None


class Txn(typing.NamedTuple):
    """A transaction on lists: elements appended by key, lists read by key. `status` is "done",
    "canceled" or "unknown"."""

    sent: int
    answered: int
    status: str
    appends: dict
    reads: dict


def check_register(writes, reads) -> list:
    """Whether a register is linearizable. With unique values it is known which write a read has
    seen, and the test of Gibbons and Korach ("Testing Shared Memories", 1997) is exact: each value
    has a zone, from the first end to the last start of its operations, and two zones in which the
    value must have been there throughout may not overlap, nor one of them hold a whole other."""
    faults = []
    clusters = {None: [Write(-1, -1, None)]}
    for write in writes:
        clusters[write.value] = [write]
    for read in reads:
        if read.value not in clusters:
            faults.append(f"{read.value} was read and never written")
            continue
        if clusters[read.value][0].sent > read.answered:
            faults.append(f"{read.value} was read before it was written")
        clusters[read.value].append(read)
    forward, backward = [], []
    for value, operations in clusters.items():
        if len(operations) == 1 and operations[0].answered == NEVER:
            continue  # nobody has seen it: it need not have happened
        first_end = min(each.answered for each in operations)
        last_start = max(each.sent for each in operations)
        if first_end < last_start:
            forward.append((first_end, last_start, value))
        else:
            backward.append((last_start, first_end, value))
    forward.sort()
    for (_, end, one), (start, _, two) in zip(forward, forward[1:]):
        if start < end:
            faults.append(f"{one} and {two} were both there at one time")
    starts = [start for start, _, _ in forward]
    for start, end, value in backward:
        at = bisect.bisect_left(starts, start) - 1
        if at >= 0 and forward[at][1] > end:
            faults.append(f"{value} was written while {forward[at][2]} stayed there")
    return faults


def check_counter(adds, reads) -> list:
    """Whether a counter is linearizable. The order of its operations is known: an addition to n
    comes before the reads of n, and these before the addition to n + 1. No operation may have been
    sent after a later one was answered."""
    faults = []
    answered = [add for add in adds if add.value is not None]
    counts = collections.Counter(add.value for add in answered)
    for value, count in counts.items():
        if count > 1:
            faults.append(f"{count} additions came to {value}")
    highest = max((add.value for add in answered), default=0)
    seen = max((read.value or 0 for read in reads), default=0)
    if max(highest, seen) > len(adds):
        faults.append(f"{len(adds)} additions were sent and {max(highest, seen)} counted")
    order = [(add.value, 0, add) for add in answered]
    order += [(read.value or 0, 1, read) for read in reads]
    order.sort(key=lambda each: each[:2])
    later, of = NEVER, None
    # From the back: a group of reads of one value may be in any order among themselves.
    group, group_end = None, NEVER
    for value, is_read, operation in reversed(order):
        if (value, is_read) != group:
            if group_end < later:
                later, of = group_end, group
            group, group_end = (value, is_read), NEVER
        if operation.sent > later:
            faults.append(f"{'a read of' if is_read else 'an addition to'} {value} came after {of}")
        group_end = min(group_end, operation.answered)
    return faults


def check_sums(sums, wanted) -> list:
    """Whether all transactions have seen the same amount of money."""
    wrong = [each for each in sums if each != wanted]
    return [f"{len(wrong)} transactions saw other sums than {wanted}, e.g. {wrong[0]}"] if wrong else []


def check_lists(txns, final) -> list:
    """Whether transactions that append to lists and read them are strictly serializable, after
    "Elle" (Kingsbury and Alvaro, 2020): each element is unique, so a list tells the order of those
    who wrote it, and no order may lead from a transaction back to itself. `final` is what the
    lists hold after all was answered."""
    faults = []
    writer = {}
    for index, txn in enumerate(txns):
        for key, element in txn.appends.items():
            writer[key, element] = index
    for key, elements in final.items():
        for element, count in collections.Counter(elements).items():
            if count > 1:
                faults.append(f"{element} is {count} times in {key}")
    faults += _check_elements(txns, final, writer)
    if faults:
        return faults
    edges = _dependencies(txns, final, writer)
    cycle = find_cycle(len(txns), edges, [(txn.sent, txn.answered) for txn in txns])
    if cycle:
        members = ", ".join(_told(txns[index]) for index in cycle[:4])
        faults.append(f"a cycle of {len(cycle)} transactions: {members}")
    return faults


def _told(txn) -> str:
    return f"appends {txn.appends} reads {({key: len(value) for key, value in txn.reads.items()})}"


def _check_elements(txns, final, writer) -> list:
    faults = []
    for txn in txns:
        for key, read in txn.reads.items():
            for element in read:
                by = writer.get((key, element))
                if by is None or txns[by].status == "canceled":
                    faults.append(f"{element} of {key} was read and its transaction never done")
            if read != final.get(key, [])[:len(read)]:
                faults.append(f"{key} was read as no beginning of what it became")
    for index, txn in enumerate(txns):
        there = [element in final.get(key, []) for key, element in txn.appends.items()]
        if txn.status == "done" and not all(there):
            faults.append(f"acknowledged and lost: {txn.appends}")
        if txn.status == "canceled" and any(there):
            faults.append(f"canceled and there: {txn.appends}")
        if txn.status == "unknown" and any(there) and not all(there):
            faults.append(f"half there: {txn.appends}")
    for key, elements in final.items():
        faults += [f"{each} of {key} is nobody's" for each in elements if (key, each) not in writer]
    return faults


def _dependencies(txns, final, writer) -> list:
    """Who must come before whom, by the lists alone."""
    edges = []
    for key, elements in final.items():
        for before, after in zip(elements, elements[1:]):
            edges.append((writer[key, before], writer[key, after]))
    for index, txn in enumerate(txns):
        for key, read in txn.reads.items():
            if read:
                edges.append((writer[key, read[-1]], index))
            rest = final.get(key, [])[len(read):]
            if rest:
                edges.append((index, writer[key, rest[0]]))
    return [(before, after) for before, after in edges if before != after]


def find_cycle(count, edges, times) -> list:
    """The members of a cycle among `count` nodes, or none. A node answered before another was sent
    comes before it, too: a chain of moments stands for these, which would be too many edges."""
    moments = sorted({answered for _, answered in times if answered < NEVER})
    after = [[] for _ in range(count + len(moments))]
    for before, behind in edges:
        after[before].append(behind)
    for index in range(len(moments) - 1):
        after[count + index].append(count + index + 1)
    for node, (sent, answered) in enumerate(times):
        if answered < NEVER:
            after[node].append(count + bisect.bisect_left(moments, answered))
        at = bisect.bisect_left(moments, sent) - 1
        if at >= 0:
            after[count + at].append(node)
    return [node for node in _component(after) if node < count]


def _component(after) -> list:
    """A strongly connected component of more than one node (Tarjan, without recursion)."""
    index, low, on_stack, stack, counter = {}, {}, set(), [], 0
    for root in range(len(after)):
        if root in index:
            continue
        work = [(root, iter(after[root]))]
        index[root] = low[root] = counter
        counter += 1
        stack.append(root)
        on_stack.add(root)
        while work:
            node, rest = work[-1]
            for behind in rest:
                if behind not in index:
                    index[behind] = low[behind] = counter
                    counter += 1
                    stack.append(behind)
                    on_stack.add(behind)
                    work.append((behind, iter(after[behind])))
                    break
                if behind in on_stack:
                    low[node] = min(low[node], index[behind])
            else:
                work.pop()
                if work:
                    low[work[-1][0]] = min(low[work[-1][0]], low[node])
                if low[node] == index[node]:
                    component = []
                    while not component or component[-1] != node:
                        component.append(stack.pop())
                        on_stack.discard(component[-1])
                    if len(component) > 1:
                        return component
    return []
