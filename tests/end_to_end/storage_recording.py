"""The recording of the real Storage API, and the masks under which two runs of it can be compared.

What differs from run to run keeps its identity under the mask: the first uuid that appears is `<uuid 1>` wherever
it appears again, so that "the same object, another version" is part of what is compared.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

RECORDING = Path(__file__).parents[1] / "fixtures" / "storage-recording.jsonl"
UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
MASKS = (
    (re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"), "<time in milliseconds>"),
    (re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?\+00:00"), "<time in microseconds>"),
    (re.compile(r"\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT"), "<http date>"),
    (re.compile(r"datetime\.datetime\((?:[^()…]|\([^()…]*\)?)*\)?"), "<datetime>"),
    (re.compile(r"eyJ[\w-]+(\.[\w-]*)*|<jwt>"), "<token>"),
    (re.compile(r"http://127\.0\.0\.1:\d+"), "<url>"),
    (re.compile(r"boundary=\w+"), "boundary=<boundary>"),
)
LONGEST_RESULT = 200
CUT_OFF = "…"
# `list buckets` shows what else is in the project, of which only this one is every project's.
RECORDED_BUCKETS = ("ingest", "rec")


@dataclass(frozen=True)
class Step:
    name: str
    http: list[dict[str, Any]]
    trigger_events: list[dict[str, Any]]
    python_result: str


@dataclass
class Mask:
    """One for each side; it must see the steps in their order."""

    _uuids: dict[str, str] = field(default_factory=dict)

    def __call__(self, value: Any) -> Any:
        if isinstance(value, str):
            return self._text(value)
        if isinstance(value, list):
            return [self(item) for item in value]
        if isinstance(value, dict):
            return {key: self(item) for key, item in value.items()}
        return value

    def _text(self, text: str) -> str:
        for pattern, mask in MASKS:
            text = pattern.sub(mask, text)
        return UUID.sub(
            lambda match: self._uuids.setdefault(match[0], f"<uuid {len(self._uuids) + 1}>"), text
        )


def recorded_steps() -> list[Step]:
    lines = [json.loads(line) for line in RECORDING.read_text().splitlines()]
    return [Step(line["step"], line["http"], line["trigger_events"], _result(line)) for line in lines]


def _result(line: dict[str, Any]) -> str:
    """A long result was recorded up to some point in the middle of a value; that value is left out."""
    result = str(line["python_result"])
    return result if len(result) < LONGEST_RESULT else result.rpartition(",")[0] + CUT_OFF


def masked(steps: list[Step]) -> list[Step]:
    mask = Mask()
    return [_masked_step(step, mask) for step in steps]


def _masked_step(step: Step, mask: Mask) -> Step:
    events = step.trigger_events
    if step.name == "empty bucket":
        # One statement deletes all rows, in whatever order the plan has.
        events = sorted(events, key=lambda event: str(event["old"]["name"]))
    http = [_comparable(exchange) for exchange in step.http]
    return Step(step.name, mask(http), mask(events), mask(step.python_result))


def _comparable(exchange: dict[str, Any]) -> dict[str, Any]:
    request, response = exchange["request"], exchange["response"]
    body = response["body"]
    headers = response["headers"]
    if (request["method"], request["path"]) == ("GET", "/storage/v1/bucket"):
        # In whatever order the rows lie in their table: an update moves one.
        body = sorted(
            (bucket for bucket in body if bucket["id"] in RECORDED_BUCKETS),
            key=lambda bucket: str(bucket["id"]),
        )
        headers = {"content-type": headers["content-type"]}
    return {
        "request": {"method": request["method"], "path": request["path"]},
        "response": {"status": response["status"], "headers": headers, "body": body},
    }


def assert_same_result(actual: str, expected: str) -> None:
    if expected.endswith(CUT_OFF):
        expected = expected.removesuffix(CUT_OFF)
        actual = actual[: len(expected)]
    assert actual == expected
