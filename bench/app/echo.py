"""As `handler.js`, in Python."""

import json


def handler(event, context):
    order = json.loads(event["body"])
    return {
        "statusCode": 200,
        "headers": {"content-type": "application/json"},
        "body": json.dumps({"id": order["id"], "lines": len(order["lines"])}),
    }
