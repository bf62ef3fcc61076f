"""What a check says. A check is a function that judges what was seen and yields a verdict for everything it found."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Any, Generic, Literal, TypeVar

Seen = TypeVar("Seen")
Severity = Literal["ok", "note", "warning", "broken"]
SEVERITIES: tuple[Severity, ...] = ("ok", "note", "warning", "broken")  # in ascending order
EXIT_CODES: dict[Severity, int] = {"ok": 0, "note": 0, "warning": 3, "broken": 1}  # 2 is wrong usage


@dataclass(frozen=True)
class Verdict:
    """One sentence, and the SQL or command that mends it: a remedy of several lines is one command a line."""

    severity: Severity
    what: str
    remedy: str = ""


@dataclass(frozen=True)
class Finding:
    """A verdict and whose it is."""

    group: str
    check: str
    severity: Severity
    what: str
    remedy: str = ""

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


class Unknown(Exception):  # noqa: N818 - what a fact is, not what went wrong
    """A fact that cannot be had; the message says why. It becomes a note, and spoils no other check."""


def ok(what: str) -> Verdict:
    return Verdict("ok", what)


def note(what: str, remedy: str = "") -> Verdict:
    return Verdict("note", what, remedy)


def warning(what: str, remedy: str) -> Verdict:
    return Verdict("warning", what, remedy)


def broken(what: str, remedy: str) -> Verdict:
    return Verdict("broken", what, remedy)


@dataclass(frozen=True)
class Check(Generic[Seen]):
    """A check by its name, as the table shows it."""

    name: str
    judge: Callable[[Seen], Iterator[Verdict]]

    def findings(self, group: str, seen: Seen) -> list[Finding]:
        """At least one unless the check does not apply here."""
        try:
            verdicts = list(self.judge(seen))
        except Unknown as reason:
            verdicts = [note(f"unknown: {reason}")]
        return [Finding(group, self.name, v.severity, v.what, v.remedy) for v in verdicts]


def quoted(text: str) -> str:
    """A text as SQL writes it: remedies are pasted, and names may come from elsewhere."""
    return "'" + text.replace("'", "''") + "'"


def worst(findings: list[Finding]) -> Severity:
    return max((finding.severity for finding in findings), key=SEVERITIES.index, default="ok")
