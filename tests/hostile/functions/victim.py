"""A function that does nothing wrong and has something to hide."""

import os


def handler(event, _context):
    if event and event.get("work"):
        import limits

        return limits.work(event)[1]
    path = f"/tmp/{os.environ['SECRET']}"
    with open(path, "w") as file:
        file.write(os.environ["SECRET"])
    with open(f"/proc/{os.getpid()}/environ", "rb") as own:
        inherited = os.environ["SECRET"].encode() in own.read()
    return {"pid": os.getpid(), "code": os.path.abspath(__file__), "tmp": path,
            "inherited": inherited, "environment": dict(os.environ)}
