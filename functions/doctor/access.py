"""Link: who may do what: the secret key enough, browsers no more than the design says."""

from __future__ import annotations

from collections.abc import Iterator

from functions.doctor import expected
from functions.doctor.findings import Check, Verdict, broken, ok
from functions.doctor.look import Seen

_SHOWN = 5  # names in one sentence
_READ_BY_COMMANDS = frozenset(
    ("jobs", "job_runs", "job_queue_settings", "ingested_files", "file_analyses", "thumbnails", "cards")
)


def _role(seen: Seen) -> Iterator[Verdict]:
    role = seen.known().caller.get().role
    if role == "service_role":
        yield ok("the key acts as service_role")
    else:
        yield broken(f"the key acts as {role}", "SUPABASE_SECRET_KEY has to be a secret key of this project.")


def _secret_key_may(seen: Seen) -> Iterator[Verdict]:
    wanted = {name for name, one in expected.functions().items() if "service_role" in one.roles}
    refused = [
        one.name for one in seen.known().functions.get() if one.name in wanted and not one.service_role
    ]
    unread = [
        one.name
        for one in seen.known().tables.get()
        if one.name in expected.tables() and one.name in _READ_BY_COMMANDS and not one.service_role
    ]
    if refused:
        yield broken(
            f"service_role may not call {_some(refused)}",
            _lines(f"grant execute on function public.{name} to service_role;" for name in refused),
        )
    if unread:
        yield broken(
            f"service_role may not read {_some(unread)}",
            _lines(f"grant select on public.{name} to service_role;" for name in unread),
        )
    if not refused and not unread:
        yield ok(f"service_role may call {len(wanted)} functions")


def _browsers_may_not(seen: Seen) -> Iterator[Verdict]:
    ours = expected.functions()
    open_to = [
        (one.name, role)
        for one in seen.known().functions.get()
        if one.name in ours
        for role, may in (("anon", one.anon), ("authenticated", one.authenticated))
        if may and role not in ours[one.name].roles
    ]
    if not open_to:
        yield ok("browsers may call nothing of the queue")
        return
    names = sorted({name for name, _ in open_to})
    yield broken(
        f"anybody with the publishable key may call {_some(names)}",
        _lines(
            f"revoke all on function public.{name} from "
            f"{'public, anon' if 'authenticated' in ours[name].roles else 'public, anon, authenticated'};"
            for name in names
        ),
    )


def _row_security(seen: Seen) -> Iterator[Verdict]:
    ours = [one for one in seen.known().tables.get() if one.name in expected.tables()]
    without = [one.name for one in ours if not one.row_security]
    exposed = [one.name for one in ours if one.anon or one.members_write]
    if without:
        yield broken(
            f"row-level security is off on {_some(without)}",
            _lines(f"alter table public.{name} enable row level security;" for name in without),
        )
    if exposed:
        yield broken(
            f"browsers were granted {_some(exposed)}",
            _lines(
                f"revoke insert, update, delete, truncate on public.{name} from anon, authenticated;\n"
                f"revoke select on public.{name} from anon;"
                for name in exposed
            ),
        )
    if not without and not exposed:
        yield ok(f"row-level security is on for {len(ours)} tables")


def _some(names: list[str]) -> str:
    more = len(names) - _SHOWN
    return ", ".join(sorted(names)[:_SHOWN]) + (f" and {more} more" if more > 0 else "")


def _lines(statements: Iterator[str]) -> str:
    return "\n".join(sorted(statements))


CHECKS = (
    Check("role of the key", _role),
    Check("what the key may", _secret_key_may),
    Check("what browsers may", _browsers_may_not),
    Check("row security", _row_security),
)
