"""Link: from here to the database's functions, by way of the gateway and PostgREST."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
from postgrest.exceptions import APIError

from functions.doctor.findings import Check, Verdict, broken, ok, warning
from functions.doctor.look import Seen
from functions.errors import RequestRefused
from functions.redact import message_of, redact

_PAUSED = 540  # what Supabase's gateway answers for a project that is paused
_SLOW_SECONDS = 3.0
_DASHBOARD = "https://supabase.com/dashboard/project/_"
_MIGRATE = "supabase db push"
_RELOAD = "notify pgrst, 'reload schema';"


def _database_answers(seen: Seen) -> Iterator[Verdict]:
    if seen.error is None:
        if seen.seconds > _SLOW_SECONDS:
            yield warning(
                f"the database took {seen.seconds:.1f} s to tell about itself",
                f"Look for load in {_DASHBOARD}/reports/database",
            )
        else:
            yield ok(f"PostgREST and the database answer, in {seen.seconds:.2f} s")
        return
    cause = seen.error.__cause__
    if isinstance(cause, httpx.HTTPStatusError):
        yield _gateway(cause.response.status_code, seen)
    elif isinstance(cause, APIError):
        yield _refused(seen, cause)
    elif isinstance(cause, httpx.HTTPError):
        yield _unreachable(cause, seen)
    else:
        yield broken(redact(message_of(seen.error)), "Deploy the version whose migrations are applied.")


def _gateway(status: int, seen: Seen) -> Verdict:
    if status == _PAUSED:
        return broken("the project is paused", f"Restore it: {_DASHBOARD}")
    if status == 404:
        return broken(f"{seen.url} answers, but is no Supabase project", "Correct SUPABASE_URL.")
    return broken(
        f"{seen.url} answered {status}: PostgREST or the database is down",
        f"Look at {_DASHBOARD} and https://status.supabase.com",
    )


def _unreachable(cause: httpx.HTTPError, seen: Seen) -> Verdict:
    text = str(cause)
    if any(word in text.upper() for word in ("SSL", "TLS", "CERTIFICATE")):
        return broken(
            f"TLS to {seen.url} fails: {text}", "Correct SUPABASE_URL, this machine's clock or its CA store."
        )
    if any(words in text for words in ("Name or service", "nodename nor", "getaddrinfo", "name resolution")):
        return broken(
            f"the host of {seen.url} does not exist",
            "Correct SUPABASE_URL; a project paused for long, or deleted, has no address any more.",
        )
    if isinstance(cause, httpx.TimeoutException):
        return broken(
            f"{seen.url} did not answer in time", f"Look at {_DASHBOARD} and https://status.supabase.com"
        )
    return broken(
        f"{seen.url} cannot be reached: {text or type(cause).__name__}", "Correct SUPABASE_URL, or start it."
    )


def _refused(seen: Seen, cause: APIError) -> Verdict:
    code = cause.code or ""
    text = redact(cause.message or "no reason given")
    if code in ("", "401", "403") or code.startswith("PGRST30"):
        return broken(
            f"the key was refused: {text}",
            "SUPABASE_SECRET_KEY has to be a secret key of the project at SUPABASE_URL, and not a deleted one.",
        )
    if code == "PGRST106":
        return broken("PostgREST does not expose the schema public", f"Add it: {_DASHBOARD}/settings/api")
    if code in ("PGRST202", "PGRST205", "42883", "42P01"):
        if seen.is_older:
            return broken(
                "the newest migrations are missing, or PostgREST has not noticed them",
                f"{_MIGRATE}\n{_RELOAD}",
            )
        return broken("PostgREST knows none of the queue's functions and tables", f"{_MIGRATE}\n{_RELOAD}")
    if code == "42501":
        return broken(
            f"the role of this key may not call inspect_project: {text}",
            "grant execute on function public.inspect_project(int) to service_role;",
        )
    is_refusal = isinstance(seen.error, RequestRefused)
    return broken(
        f"the database {'refused' if is_refusal else 'failed'}: {text} ({code})",
        f"Look at {_DASHBOARD}/logs/postgres-logs",
    )


CHECKS = (Check("way to the database", _database_answers),)
