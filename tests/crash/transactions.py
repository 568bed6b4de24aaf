"""64 clients use items and transactions of DynamoDB while the server is killed at random moments;
then everything they were told is checked: registers and counters must be linearizable, transactions
on lists strictly serializable, money constant, tokens used once.

    python3 tests/crash/transactions.py --operations 1000000
    python3 tests/crash/transactions.py --planted lost-update     the checker must notice each of
                                                                  them, or it is worth nothing
"""

import argparse
import collections
import http.client
import json
import multiprocessing
import os
import pathlib
import random
import sys
import tempfile
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))

from history import (  # noqa: E402
    NEVER, Add, Read, Txn, Write, check_counter, check_lists, check_register, check_sums,
)
from planted import BUGS, Plain  # noqa: E402

from server import Server  # noqa: E402
from wire import signed  # noqa: E402

TABLE = "items"
OTHER_TABLE = "others"
ACCOUNTS = 8
BALANCE = 1_000
KEYS = 4
# Planted in the server, not in front of it.
SERVERS_BUG = "ack-before-commit"
# Keys are left behind after this many operations of all clients: lists stay short.
EPOCH_OPERATIONS = 2_000
PROCESSES = 4
TIMEOUT_SECONDS = 30
# A transaction with a token is asked for until it is answered.
ANSWER_SECONDS = 60


class Client:
    """One client: a connection, and what it was told, by kind of operation."""

    def __init__(self, port, number, seed, bug, done):
        self.port = port
        self.number = number
        self.rng = random.Random(f"{seed}-{number}")
        self.connection = None
        self.api = BUGS.get(bug, Plain)(self.call)
        self.done = done
        self.serial = 0
        self.told = collections.defaultdict(list)
        self.refused = collections.Counter()

    def call(self, operation, given):
        """The status and the reply. Raises where there is none."""
        try:
            self.connection = self.connection or http.client.HTTPConnection(
                "127.0.0.1", self.port, timeout=TIMEOUT_SECONDS
            )
            self.connection.request("POST", "/", json.dumps(given), {
                "X-Amz-Target": f"DynamoDB_20120810.{operation}",
                "Content-Type": "application/x-amz-json-1.0",
                **signed("dynamodb"),
            })
            reply = self.connection.getresponse()
            text = reply.read()
            return reply.status, json.loads(text)
        except (OSError, http.client.HTTPException):
            self.connection = None
            time.sleep(0.01)
            raise

    def ask(self, operation, given):
        """When it was sent, when answered, and the reply; None where there was none."""
        sent = time.monotonic_ns()
        try:
            status, reply = self.api(operation, given)
        except (OSError, http.client.HTTPException):
            return sent, NEVER, None
        answered = time.monotonic_ns()
        canceled = reply.get("__type", "").endswith("TransactionCanceledException")
        if status != 200 and not canceled:
            self.refused[reply.get("__type", "?"), reply.get("message", "?")[:100]] += 1
            return sent, NEVER, None
        return sent, answered, {"canceled": True} if canceled else reply

    def unique(self):
        self.serial += 1
        return self.number * 1_000_000_000 + self.serial

    def run(self, operations):
        kinds = [
            self.write_register, self.read_register, self.add, self.count, self.transfer,
            self.look_at_money, self.append, self.append, self.read_lists, self.read_list,
        ]
        for _ in range(operations):
            self.rng.choice(kinds)()
            with self.done.get_lock():
                self.done.value += 1

    def key(self, kind):
        return f"{kind}-{self.done.value // EPOCH_OPERATIONS}-{self.rng.randrange(KEYS)}"

    def write_register(self):
        key, value = self.key("register"), self.unique()
        item = {**named(key), "n": {"N": str(value)}}
        sent, answered, _ = self.ask("PutItem", {"TableName": TABLE, "Item": item})
        self.told[key].append(Write(sent, answered, value))

    def read_number(self, key):
        wanted = {"TableName": TABLE, "Key": named(key), "ConsistentRead": True}
        sent, answered, reply = self.ask("GetItem", wanted)
        if reply is not None:
            number = reply.get("Item", {}).get("n")
            self.told[key].append(Read(sent, answered, int(number["N"]) if number else None))

    def read_register(self):
        self.read_number(self.key("register"))

    def count(self):
        self.read_number(self.key("counter"))

    def add(self):
        key = self.key("counter")
        sent, answered, reply = self.ask("UpdateItem", {
            "TableName": TABLE, "Key": named(key), "UpdateExpression": "ADD n :one",
            "ExpressionAttributeValues": {":one": {"N": "1"}}, "ReturnValues": "UPDATED_NEW",
        })
        value = None if reply is None else int(reply["Attributes"]["n"]["N"])
        self.told[key].append(Add(sent, answered, value))

    def transfer(self):
        one, two = self.rng.sample(range(ACCOUNTS), 2)
        amount = {":n": {"N": str(self.rng.randint(1, 9))}}
        self.ask("TransactWriteItems", {"TransactItems": [
            {"Update": {
                **account(one), "UpdateExpression": "SET n = n - :n",
                "ConditionExpression": "n >= :n", "ExpressionAttributeValues": amount,
            }},
            {"Update": {
                **account(two), "UpdateExpression": "SET n = n + :n",
                "ExpressionAttributeValues": amount,
            }},
        ]})

    def look_at_money(self):
        _, _, reply = self.ask("TransactGetItems", ALL_MONEY)
        if reply is not None:
            self.told["money"].append(money_in(reply))

    def append(self):
        """To some lists at once, or not at all where a check fails. Asked for until there is an
        answer, and sometimes once more."""
        element = self.unique()
        keys = {self.key("list") for _ in range(self.rng.randint(1, 3))}
        appends = dict.fromkeys(keys, element)
        items = [{"Update": {
            "TableName": OTHER_TABLE if key.endswith("0") else TABLE, "Key": named(key),
            "UpdateExpression": "SET l = list_append(if_not_exists(l, :none), :e)",
            "ExpressionAttributeValues":
                {":none": {"L": []}, ":e": {"L": [{"N": str(element)}]}},
        }} for key in keys]
        if self.rng.random() < 0.2:
            items.append({"ConditionCheck": {
                **account(0), "ConditionExpression": "attribute_not_exists(n)",
            }})
        given = {"TransactItems": items, "ClientRequestToken": f"t-{element}"}
        first = time.monotonic_ns()
        answered, reply = NEVER, None
        deadline = time.monotonic() + ANSWER_SECONDS
        while reply is None and time.monotonic() < deadline:
            _, answered, reply = self.ask("TransactWriteItems", given)
        status = "unknown"
        if reply is not None:
            status = "canceled" if "canceled" in reply else "done"
        if status == "done" and self.rng.random() < 0.1:
            self.ask("TransactWriteItems", given)
        self.told["lists"].append(Txn(first, answered, status, appends, {}))

    def read_lists(self):
        keys = sorted({self.key("list") for _ in range(self.rng.randint(2, KEYS))})
        sent, answered, reply = self.ask("TransactGetItems", {
            "TransactItems": [{"Get": {**listed(key)}} for key in keys],
        })
        if reply is not None:
            reads = dict(zip(keys, map(elements_of, reply["Responses"])))
            self.told["lists"].append(Txn(sent, answered, "done", {}, reads))

    def read_list(self):
        key = self.key("list")
        sent, answered, reply = self.ask("GetItem", {**listed(key), "ConsistentRead": True})
        if reply is not None:
            self.told["lists"].append(Txn(sent, answered, "done", {}, {key: elements_of(reply)}))


def named(key):
    return {"id": {"S": key}}


def account(number):
    return {"TableName": OTHER_TABLE if number % 2 else TABLE, "Key": named(f"account-{number}")}


def listed(key):
    return {"TableName": OTHER_TABLE if key.endswith("0") else TABLE, "Key": named(key)}


def elements_of(response):
    return [int(each["N"]) for each in response.get("Item", {}).get("l", {"L": []})["L"]]


ALL_MONEY = {"TransactItems": [{"Get": account(number)} for number in range(ACCOUNTS)]}


def money_in(reply):
    return sum(int(each["Item"]["n"]["N"]) for each in reply["Responses"])


def work(port, numbers, operations, seed, bug, done, results):
    """One process of clients."""
    clients = [Client(port, number, seed, bug, done) for number in numbers]
    threads = [threading.Thread(target=each.run, args=(operations,)) for each in clients]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    told, refused = collections.defaultdict(list), collections.Counter()
    for client in clients:
        refused += client.refused
        for key, events in client.told.items():
            told[key] += events
    results.put((dict(told), refused))


def main() -> int:
    options = arguments()
    with tempfile.TemporaryDirectory(prefix="cumulet-transactions-") as tmp:
        env = {"CUMULET_FAULT": options.planted} if options.planted == SERVERS_BUG else {}
        server = Server(data=pathlib.Path(tmp) / "data", env=env).start()
        try:
            return run(server, options)
        finally:
            server.kill()
            os.unlink(server.log_path)


def prepare(client):
    for table in (TABLE, OTHER_TABLE):
        status, reply = client.call("CreateTable", {
            "TableName": table, "BillingMode": "PAY_PER_REQUEST",
            "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
            "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
        })
        assert status == 200, reply
    for number in range(ACCOUNTS):
        where = account(number)
        item = {**where["Key"], "n": {"N": str(BALANCE)}}
        status, reply = client.call("PutItem", {"TableName": where["TableName"], "Item": item})
        assert status == 200, reply


def run(server, options) -> int:
    rng = random.Random(options.seed)
    context = multiprocessing.get_context("fork")
    done, results = context.Value("q", 0), context.Queue()
    prepare(Client(server.port, 0, options.seed, None, done))
    numbers = range(1, options.clients + 1)
    each = max(1, options.operations // options.clients)
    processes = [
        context.Process(target=work, args=(
            server.port, list(numbers[start::PROCESSES]), each, options.seed, options.planted, done,
            results,
        ))
        for start in range(PROCESSES)
    ]
    began = time.monotonic()
    for process in processes:
        process.start()
    kills, total = 0, each * options.clients
    while done.value < total * 0.95 and any(process.is_alive() for process in processes):
        if kills < options.kills and done.value > total * (kills + rng.random()) / (options.kills + 1):
            server.kill()
            server.start()
            kills += 1
        time.sleep(0.05)
    told, refused = collections.defaultdict(list), collections.Counter()
    for _ in processes:
        part, faults = results.get()
        refused += faults
        for key, events in part.items():
            told[key] += events
    for process in processes:
        process.join()
    seconds = time.monotonic() - began
    faults = check(told, Client(server.port, 0, options.seed, None, done))
    unanswered = sum(
        event.answered == NEVER for key, events in told.items() if key != "money" for event in events
    )
    print(f"{total:>9,}  operations of {options.clients} clients in {seconds:.1f} s")
    print(f"{kills:>9,}  times killed; {unanswered} operations without an answer")
    for (kind, message), count in refused.items():
        faults.append(f"refused {count} times: {kind} {message}")
    for fault in faults[:10]:
        print(f"FAULT {fault}")
    if options.planted:
        print("ok: the planted bug was noticed" if faults else "not ok: it was not noticed")
        return 0 if faults else 1
    enough = kills >= options.kills and len(told["lists"]) > 0 and len(told["money"]) > 0
    print("ok" if not faults and enough else "not ok")
    return 0 if not faults and enough else 1


def check(told, observer) -> list:
    """All faults there are, in the state at the end and in what was told before."""
    faults = []
    for key, events in told.items():
        of = collections.defaultdict(list)
        for event in events:
            of[type(event)].append(event)
        if key.startswith("register"):
            faults += [f"{key}: {each}" for each in check_register(of[Write], of[Read])]
        if key.startswith("counter"):
            faults += [f"{key}: {each}" for each in check_counter(of[Add], of[Read])]
    status, reply = observer.call("TransactGetItems", ALL_MONEY)
    assert status == 200, reply
    faults += check_sums([*told["money"], money_in(reply)], ACCOUNTS * BALANCE)
    final = {}
    for txn in told["lists"]:
        for key in (*txn.appends, *txn.reads):
            if key not in final:
                _, reply = observer.call("GetItem", {**listed(key), "ConsistentRead": True})
                final[key] = elements_of(reply)
    return faults + check_lists(told["lists"], final)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--operations", type=int, default=10_000)
    parser.add_argument("--clients", type=int, default=64)
    parser.add_argument("--kills", type=int, default=3)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--planted", choices=[*BUGS, SERVERS_BUG])
    options = parser.parse_args()
    print(f"seed {options.seed}, planted: {options.planted or 'nothing'}", flush=True)
    return options


if __name__ == "__main__":
    sys.exit(main())
