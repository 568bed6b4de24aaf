"""Ways to break what the server promises, between the checker's clients and the server."""


class Plain:
    """The server as it is. `call` is `(operation, input) -> (status, reply)`."""

    def __init__(self, call):
        self.call = call

    def __call__(self, operation, given):
        return self.call(operation, given)


class LostUpdate(Plain):
    """An addition is a read and a write, and what comes in between is lost."""

    def __call__(self, operation, given):
        if operation != "UpdateItem" or not given["UpdateExpression"].startswith("ADD"):
            return self.call(operation, given)
        _, found = self.call("GetItem", {"TableName": given["TableName"], "Key": given["Key"]})
        count = int(found.get("Item", {}).get("n", {"N": "0"})["N"]) + 1
        item = {**given["Key"], "n": {"N": str(count)}}
        status, _ = self.call("PutItem", {"TableName": given["TableName"], "Item": item})
        return status, {"Attributes": {"n": item["n"]}}


class StaleRead(Plain):
    """A register is now and then answered with what it held when it was last asked for."""

    def __init__(self, call):
        super().__init__(call)
        self.seen = {}

    def __call__(self, operation, given):
        if operation != "GetItem" or not given["Key"]["id"]["S"].startswith("register"):
            return self.call(operation, given)
        key = given["Key"]["id"]["S"]
        if key in self.seen and len(self.seen) % 2:
            return 200, self.seen.pop(key)
        status, reply = self.call(operation, given)
        self.seen[key] = reply
        return status, reply


class DirtyRead(Plain):
    """A transaction that will be canceled shows its first write until it is."""

    def __call__(self, operation, given):
        if operation != "TransactWriteItems" or len(given["TransactItems"]) < 2:
            return self.call(operation, given)
        *writes, last = given["TransactItems"]
        if "ConditionCheck" not in last:
            return self.call(operation, given)
        first = writes[0]["Update"]
        self.call("UpdateItem", first)
        answer = self.call(operation, given)
        where = {"TableName": first["TableName"], "Key": first["Key"]}
        _, found = self.call("GetItem", where)
        elements = found.get("Item", {}).get("l", {"L": []})["L"]
        [element] = first["ExpressionAttributeValues"][":e"]["L"]
        if element in elements:
            at = elements.index(element)
            self.call("UpdateItem", {
                **where, "UpdateExpression": f"REMOVE l[{at}]",
                "ConditionExpression": f"l[{at}] = :e", "ExpressionAttributeValues": {":e": element},
            })
        return answer


class HalfTransaction(Plain):
    """The writes of a transaction are done one after the other; tokens are used once."""

    def __init__(self, call):
        super().__init__(call)
        self.tokens = set()

    def __call__(self, operation, given):
        if operation != "TransactWriteItems":
            return self.call(operation, given)
        updates = [item["Update"] for item in given["TransactItems"] if "Update" in item]
        if len(updates) < len(given["TransactItems"]):
            return self.call(operation, given)
        token = given.get("ClientRequestToken")
        if token in self.tokens:
            return 200, {}
        if token:
            self.tokens.add(token)
        for update in updates:
            status, reply = self.call("UpdateItem", update)
            if status != 200:
                return status, reply
        return 200, {}


class TokenTwice(Plain):
    """A transaction with a token is done, and done once more without."""

    def __call__(self, operation, given):
        answer = self.call(operation, given)
        if "ClientRequestToken" in given and answer[0] == 200:
            self.call(operation, {"TransactItems": given["TransactItems"]})
        return answer


BUGS = {
    "lost-update": LostUpdate,
    "stale-read": StaleRead,
    "dirty-read": DirtyRead,
    "half-transaction": HalfTransaction,
    "token-twice": TokenTwice,
}
