"""Link: the database itself: whether it is writable, complete, and has what the queue builds on."""

from __future__ import annotations

import re
from collections.abc import Iterator

from functions.doctor import expected
from functions.doctor.findings import Check, Verdict, broken, note, ok, warning
from functions.doctor.look import Seen

_MIGRATE = "supabase db push"
_OLDEST_POSTGRES = 15
_ENOUGH_MS = 3_000  # what the slowest statement of a tick needs, with room for a busy database
_CLIENT_MS = 9_000  # when the worker stops waiting for an answer (supabase_client)
_SKEW_SECONDS = 30.0
_CROWDED = 0.9


def _state(seen: Seen) -> Iterator[Verdict]:
    state = seen.known().database.get()
    major = int(re.match(r"\d+", state.version)[0])  # type: ignore[index]
    if state.replica:
        yield broken(
            "this is a read replica: nothing can be claimed here",
            "Set SUPABASE_URL to the primary database's.",
        )
    elif state.read_only:
        yield broken(
            "the database is read-only: its disk is full, or somebody switched it so",
            "Make room or enlarge the disk; see https://supabase.com/docs/guides/platform/database-size",
        )
    elif major < _OLDEST_POSTGRES:
        yield broken(f"PostgreSQL {state.version} is too old", f"Upgrade to {_OLDEST_POSTGRES} or newer.")
    else:
        yield ok(f"PostgreSQL {state.version}, {state.bytes / 1e6:,.0f} MB")
    if state.connections > _CROWDED * state.max_connections:
        yield warning(
            f"{state.connections} of {state.max_connections} connections are in use",
            "select usename, application_name, count(*) from pg_stat_activity group by 1, 2 order by 3 desc;",
        )


def _extensions(seen: Seen) -> Iterator[Verdict]:
    found = {one.name: one for one in seen.known().extensions.get()}
    for name, create in {
        "pg_cron": "create extension if not exists pg_cron;",
        "http": "create extension if not exists http with schema extensions;",
        "supabase_vault": "create extension if not exists supabase_vault;",
    }.items():
        if name not in found:
            yield broken(f"the extension {name} is not installed", create)
    http = found.get("http")
    if http is not None and http.schema_name != "extensions":
        yield broken(
            f"the extension http is in the schema {http.schema_name}: the tick looks for it in extensions",
            "drop extension http;\ncreate extension http with schema extensions;",
        )
    if {"pg_cron", "http", "supabase_vault"} <= found.keys():
        yield ok(", ".join(f"{one.name} {one.version}" for one in found.values()))


def _migrations(seen: Seen) -> Iterator[Verdict]:
    functions = {one.name for one in seen.known().functions.get()}
    tables = {one.name for one in seen.known().tables.get()}
    missing = [(one.migration, name) for name, one in expected.functions().items() if name not in functions]
    missing += [(migration, name) for name, migration in expected.tables().items() if name not in tables]
    if not missing:
        yield ok(f"all {len(expected.functions())} functions and {len(expected.tables())} tables are there")
        return
    files = sorted({migration for migration, _ in missing})
    names = ", ".join(sorted(name for _, name in missing)[:8])
    yield broken(
        f"{len(missing)} function(s) or table(s) are missing ({names}), of the migration(s) {', '.join(files[:8])}",
        f"{_MIGRATE}\nIf it says that all are applied: supabase migration repair --status reverted "
        f"{files[0].partition('_')[0]} && {_MIGRATE}",
    )


def _statement_timeout(seen: Seen) -> Iterator[Verdict]:
    timeout = seen.known().caller.get().statement_timeout_ms
    alter = "alter role service_role set statement_timeout = '8s';\nnotify pgrst, 'reload config';"
    if 0 < timeout < _ENOUGH_MS:
        yield warning(
            f"statements over REST end after {timeout} ms: batches may not be resolved in that", alter
        )
    elif timeout == 0 or timeout > _CLIENT_MS:
        after = "never" if timeout == 0 else f"after {timeout / 1000:g} s"
        yield note(f"statements over REST end {after}, but the worker stops waiting after 9 s", alter)
    else:
        yield ok(f"statements over REST end after {timeout / 1000:g} s")


def _clock(seen: Seen) -> Iterator[Verdict]:
    if seen.asked_at is None:
        return
    skew = (seen.known().now - seen.asked_at).total_seconds()
    if abs(skew) > _SKEW_SECONDS + seen.seconds:
        direction = "ahead of" if skew > 0 else "behind"
        yield warning(
            f"the database's clock is {abs(skew):.0f} s {direction} this machine's",
            "Set this machine's clock (timedatectl set-ntp true): signed URLs and tokens depend on it.",
        )
    else:
        yield ok("its clock and this machine's agree")


CHECKS = (
    Check("state", _state),
    Check("extensions", _extensions),
    Check("migrations", _migrations),
    Check("statement timeout", _statement_timeout),
    Check("clock", _clock),
)
