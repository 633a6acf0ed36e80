"""The child's side of docs/commands.md: batches of requests in, answers out.

    for batch in command.batches():
        for request in batch:
            command.answer(request["id"], score=0.5)
"""

import json
import sys


def batches():
    """Lists of requests, each as Plumb wrote it; ends with the input."""
    batch = []
    for line in sys.stdin.buffer:
        if not line.strip():
            continue
        batch.append(json.loads(line))
        if batch[-1]["left"] == 0:
            yield batch
            batch = []
            sys.stdout.flush()


def answer(request_id, **members):
    json.dump({"id": request_id, **members}, sys.stdout)
    sys.stdout.write("\n")
