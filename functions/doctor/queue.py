"""Link: the queue at work: paused, stuck, failing, or slowed down by what holds old rows."""

from __future__ import annotations

from collections.abc import Iterator

from functions.doctor.findings import Check, Verdict, note, ok, warning
from functions.doctor.look import Seen
from functions.redact import redact

_STUCK_SECONDS = 300  # a lease is taken over by the next claim, which is a minute away
_LATE_SECONDS = 900
_FEW_JOBS = 20  # below this a share says nothing
_FAILED_SHARE = 0.1
_DEAD_SHARE = 0.5
_FEW_ROWS = 10_000


def _switch(seen: Seen) -> Iterator[Verdict]:
    settings = seen.known().settings.get()
    if settings.processing_enabled:
        yield ok("processing is on")
    else:
        minutes = (settings.paused_seconds or 0) // 60
        yield warning(
            f"processing has been paused for {minutes} min: {redact(settings.paused_reason or 'no reason given')}",
            "crontick resume",
        )


def _late(seen: Seen) -> Iterator[Verdict]:
    facts = seen.known()
    if not facts.settings.get().processing_enabled:
        return
    due = facts.queue.get().due
    oldest = max(due, key=lambda one: one.oldest_seconds, default=None)
    if oldest is not None and oldest.oldest_seconds > _LATE_SECONDS:
        yield warning(
            f"jobs have been due for {oldest.oldest_seconds // 60} min ({oldest.type})",
            "If the links above are whole: more workers, crontick connect --url https://<your function> --workers 4",
        )
    else:
        yield ok(", ".join(f"{one.counted} of {one.type}" for one in due) or "none")


def _leases(seen: Seen) -> Iterator[Verdict]:
    expired = seen.known().queue.get().expired
    if expired.jobs and (expired.oldest_seconds or 0) > _STUCK_SECONDS:
        yield warning(
            f"{expired.jobs} lease(s) ran out, the oldest {(expired.oldest_seconds or 0) // 60} min ago, and "
            "nobody took the jobs over",
            "The next claim does: see that the schedule runs and the worker answers, or crontick tick",
        )
    else:
        yield ok("no lease is stuck")


def _failed(seen: Seen) -> Iterator[Verdict]:
    queue = seen.known().queue.get()
    done, failed = queue.ended.done, queue.ended.failed
    types = ", ".join(queue.failed_types)
    if failed and done + failed >= _FEW_JOBS and failed > _FAILED_SHARE * (done + failed):
        yield warning(
            f"{failed} of the last {done + failed} jobs of 24 hours failed ({types})",
            "crontick status\ncrontick retry --failed",
        )
    elif failed:
        yield note(f"{failed} job(s) failed in 24 hours ({types})", "crontick status")
    else:
        yield ok("no job failed in 24 hours")


def _snapshots(seen: Seen) -> Iterator[Verdict]:
    snapshots = seen.known().snapshots.get()
    for one in snapshots:
        yield warning(
            f"a transaction of {one.user} ({redact(one.application or 'no name')}, {one.state}) has been open for "
            f"{one.seconds} s: dead rows stay, and claims get slower",
            f"select pg_terminate_backend({one.pid});",
        )
    if not snapshots:
        yield ok("no transaction is open for long")


def _bloat(seen: Seen) -> Iterator[Verdict]:
    for one in seen.known().bloat.get():
        if one.dead > _FEW_ROWS and one.dead > _DEAD_SHARE * (one.live + one.dead):
            yield warning(
                f"{one.dead:,} of {one.live + one.dead:,} rows of {one.table} are dead: vacuum is late",
                f"vacuum (analyze) public.{one.table};",
            )


def _alerts(seen: Seen) -> Iterator[Verdict]:
    secrets = seen.known().secrets.value
    if secrets is None:
        return  # that Vault cannot be read is said of the worker's link
    if not secrets.alert_webhook.present:
        yield note(
            "nobody is told when the queue needs a person",
            "select vault.create_secret('https://<a Slack webhook or the like>', 'job_queue_alert_webhook');",
        )
    else:
        yield ok("alerts go to a webhook")


CHECKS = (
    Check("switch", _switch),
    Check("due jobs", _late),
    Check("leases", _leases),
    Check("failures", _failed),
    Check("snapshots", _snapshots),
    Check("dead rows", _bloat),
    Check("alerts", _alerts),
)
