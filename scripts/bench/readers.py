"""One process that looks at the dashboard as many people do, until it is told to stop: started by dashboard.py.

Each reader does what an open page does: every three seconds the overview, then the list that it has open.
"""

from __future__ import annotations

import http.client
import json
import sys
import threading
import time
from collections.abc import Iterator
from itertools import cycle
from typing import Any
from urllib.parse import urlsplit

EVERY_SECONDS = 3.0  # as functions/dashboard/live.js
LISTS = ("pending", "active", "failed", "all")
PATIENCE_SECONDS = 30.0


def pages(number: int) -> Iterator[tuple[str, str]]:
    """What reader `number` asks for in turn, by name and path."""
    action = LISTS[number % len(LISTS)]
    return cycle((("overview", "/overview?hours=6"), ("list", f"/jobs?action={action}&limit=50")))


class Reader(threading.Thread):
    """One open page. `seconds` holds how long each of its requests took, by what was asked for."""

    def __init__(self, options: dict[str, Any], number: int, stop: threading.Event) -> None:
        super().__init__(daemon=True)
        self.address = urlsplit(options["url"])
        self.headers = {"x-job-runner-secret": options["secret"]}
        self.first_wait = EVERY_SECONDS * number / options["readers"]
        self.pages = pages(number)
        self.stop = stop
        self.seconds: dict[str, list[float]] = {"overview": [], "list": []}
        self.failure: str | None = None

    def run(self) -> None:
        due = time.monotonic() + self.first_wait
        while not self.stop.wait(max(0.0, due - time.monotonic())):
            due = max(due + EVERY_SECONDS, time.monotonic())
            for _ in range(len(self.seconds)):
                self.read(*next(self.pages))

    def read(self, name: str, path: str) -> None:
        began = time.monotonic()
        connection = http.client.HTTPConnection(
            self.address.hostname or "", self.address.port, timeout=PATIENCE_SECONDS
        )
        try:
            connection.request("GET", path, headers=self.headers)
            answer = connection.getresponse()
            body = answer.read()
            if answer.status != 200:
                self.failure = f"{path}: {answer.status} {body[:300].decode(errors='replace')}"
        except OSError as error:
            self.failure = f"{path}: {error!r}"
        finally:
            connection.close()
        self.seconds[name].append(time.monotonic() - began)


def main() -> None:
    options = json.loads(sys.stdin.readline())
    stop = threading.Event()
    readers = [Reader(options, number, stop) for number in range(options["readers"])]
    print("ready", flush=True)
    sys.stdin.readline()
    for reader in readers:
        reader.start()
    sys.stdin.readline()
    stop.set()
    for reader in readers:
        reader.join(PATIENCE_SECONDS)
    failures = [reader.failure for reader in readers if reader.failure]
    seconds = {
        name: [took for reader in readers for took in reader.seconds[name]] for name in ("overview", "list")
    }
    print(json.dumps({"seconds": seconds, "failure": failures[0] if failures else None}), flush=True)


if __name__ == "__main__":
    main()
