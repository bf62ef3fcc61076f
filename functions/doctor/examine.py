"""All checks in the order a job travels, and what follows from them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from functions.doctor import access, database, keys, queue, reach, schedule, storage, vault, worker
from functions.doctor.findings import EXIT_CODES, SEVERITIES, Check, Finding, Severity, worst
from functions.doctor.look import Seen, look
from functions.doctor.probe import Probe
from functions.settings import Settings
from functions.supabase_client import SupabaseClient

_CHECKS: dict[str, tuple[Check[Seen], ...]] = {
    "keys": keys.CHECKS,
    "reach": reach.CHECKS,
    "database": database.CHECKS,
    "access": access.CHECKS,
    "schedule": schedule.CHECKS,
    "worker": (*vault.CHECKS, *worker.CHECKS),
    "storage": storage.CHECKS,
    "queue": queue.CHECKS,
}
GROUPS = tuple(_CHECKS)


@dataclass(frozen=True)
class Diagnosis:
    """The findings, and what they amount to."""

    findings: list[Finding]

    @property
    def worst(self) -> Severity:
        return worst(self.findings)

    @property
    def exit_code(self) -> int:
        return EXIT_CODES[self.worst]

    def count(self, severity: Severity) -> int:
        return sum(finding.severity == severity for finding in self.findings)

    def as_json(self) -> dict[str, Any]:
        return {
            "ok": self.exit_code == 0,
            "worst": self.worst,
            "counts": {severity: self.count(severity) for severity in SEVERITIES},
            "findings": [finding.as_json() for finding in self.findings],
        }


def diagnose(
    settings: Settings, only: str | None = None, *, probe: bool = False, wait_seconds: float = 0
) -> Diagnosis:
    """Looks, judges and, if wanted, uploads a probe (`functions.doctor.probe`)."""
    seen = look(settings)
    findings = examine(seen, only)
    if probe:
        with SupabaseClient(seen.url, seen.key) as client:
            findings += Probe(seen, client, wait_seconds).findings()
    return Diagnosis(findings)


def examine(seen: Seen, only: str | None = None) -> list[Finding]:
    """The findings of every check, or of one group. Without facts, whole groups are one note each."""
    found: list[Finding] = []
    for group, checks in _CHECKS.items():
        if only in (None, group):
            found += _together([finding for check in checks for finding in check.findings(group, seen)], seen)
    return found


def _together(findings: list[Finding], seen: Seen) -> list[Finding]:
    """What could not be looked at because the database was not to be had is said once a group."""
    if seen.facts is not None:
        return findings
    unknown = [finding for finding in findings if finding.what.startswith("unknown: the database could not")]
    if not unknown:
        return findings
    rest = [finding for finding in findings if finding not in unknown]
    names = ", ".join(finding.check for finding in unknown)
    return [
        *rest,
        Finding(unknown[0].group, "unknown", "note", f"not looked at without the database: {names}"),
    ]


def misconfigured(problems: str, remedy: str = "Correct it in the environment or in .env.") -> Diagnosis:
    """Without usable settings nobody can be asked: one finding for each line of what is wrong with them."""
    return Diagnosis([Finding("keys", "settings", "broken", line, remedy) for line in problems.splitlines()])
