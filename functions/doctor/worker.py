"""Link: from the database to the worker: what it answers to a ping, and what it can do."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.metadata import version
from urllib.parse import urlsplit

from functions.doctor.answers import Ping, WorkerAnswer
from functions.doctor.findings import Check, Verdict, broken, note, ok, warning
from functions.doctor.look import Seen, WorkerSeen
from functions.doctor.vault import LOCAL_HOSTS, connect_again, store, workers
from functions.redact import redact

_SKEW_SECONDS = 30.0
_SLOW_SECONDS = 3.0


def _answers(seen: Seen) -> Iterator[Verdict]:
    for one in workers(seen):
        if one.problem:
            yield broken(f"the ping did not come back: {one.problem}", "crontick doctor --only worker")
        elif one.answers:
            yield from _judge(one, one.answers[-1])


def _judge(one: WorkerSeen, last: WorkerAnswer) -> Iterator[Verdict]:
    if last.ok and len(one.answers) > 1:
        yield note(
            f"{last.host} answered at the second try only, after {one.answers[0].seconds:.1f} s: a cold start",
            "Keep one instance warm if that matters: --min-instances 1",
        )
    elif last.ok and last.seconds > _SLOW_SECONDS:
        yield note(f"{last.host} took {last.seconds:.1f} s to answer: a cold start?")
    elif last.ok:
        yield ok(f"{last.host} answers the database in {last.seconds:.2f} s")
    elif last.status is None:
        yield _unreached(one, last)
    else:
        yield _refusal(one, last, last.status)


def _unreached(one: WorkerSeen, last: WorkerAnswer) -> Verdict:
    text = redact(last.error or "no reason given")
    if (last.host or "").rsplit(":", 1)[0] in LOCAL_HOSTS[:3]:
        remedy = "An address on this machine is one on the database's machine: deploy the function, or start it there."
    elif "resolve" in text.lower():
        remedy = f"The host does not exist: {connect_again(one)}"
    elif "timed out" in text.lower() or "timeout" in text.lower():
        remedy = "Look at the function's log: it starts slowly, or its host lets nobody in from outside."
    elif "certificate" in text.lower() or "ssl" in text.lower():
        remedy = f"Use the address the certificate is for: {connect_again(one)}"
    else:
        remedy = f"Is it deployed? {connect_again(one)}"
    return broken(f"the database cannot reach {last.host or 'the worker'}: {text}", remedy)


def _refusal(one: WorkerSeen, last: WorkerAnswer, status: int) -> Verdict:
    if status == 401:
        return broken(
            f"{last.host} refuses the secret",
            f"JOB_QUEUE_RUNNER_SECRET=<that of the function> {connect_again(one)}\n"
            f"or: {store(one.secret, '<JOB_QUEUE_RUNNER_SECRET of the function>')}",
        )
    if status == 403:
        return broken(
            f"{last.host} lets nobody in without a Google identity (403)",
            "gcloud run services update <service> --no-invoker-iam-check",
        )
    if status == 404:
        return broken(
            f"{last.host} knows nothing at this path (404)", f"Its address ends in /: {connect_again(one)}"
        )
    if status == 405 or 300 <= status < 400:
        return broken(
            f"the address redirects ({status}), and a redirected call loses its body",
            f"Store the final one: {connect_again(one)}",
        )
    if status == 400:
        return broken(
            f"{last.host} does not know a ping: it runs an older version, or is another function",
            "Deploy this version: scripts/deploy.sh cloud-run",
        )
    if status == 200:
        return broken(f"somebody else answers at {last.host}, or a redirect led there", connect_again(one))
    return broken(f"{last.host} answered {status}", "Look at the function's log, which says why.")


def _pings(seen: Seen) -> list[tuple[WorkerSeen, WorkerAnswer, Ping]]:
    answered = [(one, one.answers[-1]) for one in workers(seen) if one.answers]
    return [(one, last, last.answer) for one, last in answered if last.answer is not None]


def _version(seen: Seen) -> Iterator[Verdict]:
    here = version("crontick")
    for _, last, ping in _pings(seen):
        if ping.version != here:
            yield warning(
                f"{last.host} runs version {ping.version}, this command is {here}",
                "Deploy, or install, the same version.",
            )
        else:
            yield ok(f"version {ping.version}")
        for problem in ping.unusable:
            yield warning(f"a handler cannot be used: {redact(problem)}", "Mend it and deploy again.")


def _same_project(seen: Seen) -> Iterator[Verdict]:
    host = urlsplit(seen.url).hostname
    for _, last, ping in _pings(seen):
        if ping.project is None:
            yield broken(
                f"{last.host} has no SUPABASE_URL", "Set it in the function's environment and deploy."
            )
        elif ping.project != host and not _is_local(host) and not _is_local(ping.project):
            yield broken(
                f"{last.host} works for {ping.project}, not for {host}",
                f"Deploy it with SUPABASE_URL={seen.url}, or store this project's own worker.",
            )


def _is_local(host: str | None) -> bool:
    return host in LOCAL_HOSTS


def _job_types(seen: Seen) -> Iterator[Verdict]:
    """Held against the types of all workers together: they may share the work."""
    pings = [ping for _, _, ping in _pings(seen)]
    if not pings or len(pings) < len(seen.workers):
        return  # what a worker that does not answer can do is not known, and that it does not is said above
    handled = {job_type for ping in pings for job_type in ping.job_types}
    facts = seen.known()
    wanted = {
        kind: f"the route {route.name}"
        for route in facts.routes.get()
        if route.active
        for kind in route.types
    }
    wanted |= dict.fromkeys(facts.recurring_types.get(), "a recurring job")
    for job_type, by in sorted(wanted.items()):
        if job_type not in handled:
            yield broken(
                f"no worker has a handler for {job_type}, which {by} starts",
                f"Add handlers/{job_type}.py and deploy.",
            )
    for due in facts.queue.get().due:
        if due.type not in handled and due.type not in wanted:
            yield warning(
                f"{due.counted} of the type {due.type} are due, and no worker has a handler for it",
                f"Add handlers/{due.type}.py and deploy, or cancel them.",
            )
    if wanted.keys() <= handled:
        yield ok(f"{len(handled)} job types")


def _time_limits(seen: Seen) -> Iterator[Verdict]:
    settings = seen.known().settings.get()
    timeout = settings.http_timeout_ms / 1000
    for _, last, ping in _pings(seen):
        lease = ping.lease_seconds or settings.lease_seconds
        if ping.budget_seconds >= timeout:
            yield broken(
                f"the database hangs up after {timeout:g} s, and {last.host} works up to {ping.budget_seconds:g} s",
                "update public.job_queue_settings set http_timeout_ms = "
                f"{round(ping.budget_seconds + 10) * 1000} where only_row;",
            )
        elif lease <= timeout:
            yield warning(
                f"leases end after {lease} s, before the database hangs up ({timeout:g} s)",
                "Set LEASE_SECONDS=120 in the function's environment.",
            )
        else:
            yield ok(f"tick {ping.budget_seconds:g} s < http {timeout:g} s < lease {lease} s")


def _clock(seen: Seen) -> Iterator[Verdict]:
    for _, last, ping in _pings(seen):
        skew = (ping.time - last.at).total_seconds()
        if abs(skew) > _SKEW_SECONDS + last.seconds:
            yield warning(
                f"the clock of {last.host} is {abs(skew):.0f} s off the database's",
                "Set that machine's clock.",
            )


CHECKS = (
    Check("answer", _answers),
    Check("version", _version),
    Check("project", _same_project),
    Check("job types", _job_types),
    Check("time limits", _time_limits),
    Check("clock of the worker", _clock),
)
