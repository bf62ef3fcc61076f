"""One process that empties the queue: started by race.py, which tells it on stdin what to be and when to go."""

from __future__ import annotations

import json
import sys
import time
from typing import Any

from scripts.bench.queue_client import BareClient, DirectClient, QueueClient, RestClient

# Another client may hold the last jobs, or have been faster: a second look settles it.
EMPTY_CLAIMS = 2


def client_of(options: dict[str, Any]) -> QueueClient:
    match options["kind"]:
        case "rest":
            client = RestClient(options["rest_url"], options["key"])
            # PostgREST opens a connection of its own for this one before the clock starts.
            client.call("queue_health", {})
            return client
        case "direct":
            return DirectClient(options["dsn"])
        case _:
            return BareClient(options["dsn"])


def empty_queue(client: QueueClient, batch: int) -> dict[str, float]:
    """Claims and resolves until nothing is left; the clock stops with the last job."""
    began = ended = time.monotonic()
    done = empty = 0
    while empty < EMPTY_CLAIMS:
        jobs = client.claim(batch)
        if not jobs:
            empty += 1
            continue
        empty = 0
        done += client.resolve(jobs)
        ended = time.monotonic()
    return {"jobs": done, "began": began, "ended": ended}


def main() -> None:
    options = json.loads(sys.stdin.readline())
    client = client_of(options)
    print("ready", flush=True)
    sys.stdin.readline()
    print(json.dumps(empty_queue(client, options["batch"])), flush=True)


if __name__ == "__main__":
    main()
