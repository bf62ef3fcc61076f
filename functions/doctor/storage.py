"""Link: from an upload to its jobs: Storage, the triggers on its table, buckets and routes."""

from __future__ import annotations

import re
from collections.abc import Iterator

from functions.doctor.facts import Bucket, Route, Trigger
from functions.doctor.findings import Check, Verdict, broken, note, ok, quoted, warning
from functions.doctor.look import Seen
from functions.redact import redact

_DASHBOARD = "https://supabase.com/dashboard/project/_"
_PICTURES = "thumbnails"  # the bucket that create_thumbnail writes into
_STORED = """create or replace trigger crontick_ingest_stored after insert or update on storage.objects
for each row when (new.version is distinct from '1') execute function public.ingest_stored_object();"""
_DELETED = """create or replace trigger crontick_ingest_deleted after delete on storage.objects
referencing old table as gone for each statement execute function public.retire_deleted_objects();"""
_STORED_FORM = re.compile(
    r"AFTER INSERT OR UPDATE ON storage\.objects FOR EACH ROW WHEN \(.*version IS DISTINCT FROM '1'::text.*\) "
    r"EXECUTE FUNCTION (public\.)?ingest_stored_object\(\)"
)
_DELETED_FORM = re.compile(
    r"AFTER DELETE ON storage\.objects REFERENCING OLD TABLE AS gone FOR EACH STATEMENT "
    r"EXECUTE FUNCTION (public\.)?retire_deleted_objects\(\)"
)
_TRIGGERS = {
    "crontick_ingest_stored": (_STORED_FORM, _STORED, "uploads start no jobs"),
    "crontick_ingest_deleted": (_DELETED_FORM, _DELETED, "what was made from deleted files stays"),
}


def _storage_answers(seen: Seen) -> Iterator[Verdict]:
    if seen.storage_problem is None:
        yield ok("Storage answers")
    else:
        yield broken(
            f"Storage: {seen.storage_problem}", f"Check SUPABASE_URL and key, and {_DASHBOARD}/storage"
        )


def _triggers(seen: Seen) -> Iterator[Verdict]:
    there = {one.name: one for one in seen.known().triggers.get()}
    problems = [problem for name in _TRIGGERS for problem in _problem_of(name, there.get(name))]
    yield from problems or [ok("both triggers are on storage.objects")]


def _problem_of(name: str, found: Trigger | None) -> Iterator[Verdict]:
    form, create, effect = _TRIGGERS[name]
    if found is None:
        yield broken(f"the trigger {name} is missing: {effect}", create)
    elif not form.search(found.definition):
        yield broken(f"the trigger {name} is not ours any more: {found.definition}", create)
    elif not found.enabled:
        yield broken(
            f"the trigger {name} is disabled: {effect}",
            f"{create}\n-- If it stays disabled, ask Supabase's support: only the table's owner may enable it.",
        )


def _buckets(seen: Seen) -> Iterator[Verdict]:
    there = {one.id: one for one in seen.known().buckets.get()}
    wanted = {route.bucket for route in _active(seen)} | {_PICTURES}
    for missing in sorted(wanted - there.keys()):
        yield broken(
            f"the bucket {missing} does not exist",
            f"insert into storage.buckets (id, name, public) values ({quoted(missing)}, {quoted(missing)}, false);",
        )
    public = sorted(name for name in wanted & there.keys() if there[name].public)
    for name in public:
        yield warning(
            f"the bucket {name} is public: whoever guesses a path reads the file",
            f"update storage.buckets set public = false where id = {quoted(name)};",
        )
    yield from _pictures_fit(there.get(_PICTURES))
    if wanted <= there.keys() and not public:
        yield ok(", ".join(sorted(wanted)))


def _pictures_fit(bucket: Bucket | None) -> Iterator[Verdict]:
    allowed = bucket.allowed_mime_types if bucket else None
    if allowed and not {"image/webp", "image/*", "*/*"} & set(allowed):
        yield broken(
            f"the bucket {_PICTURES} takes no image/webp, which thumbnails are",
            f"update storage.buckets set allowed_mime_types = null where id = '{_PICTURES}';",
        )


def _limits(seen: Seen) -> Iterator[Verdict]:
    bytes_here = seen.settings.max_file_mb * 1024 * 1024
    there = {one.id: one for one in seen.known().buckets.get()}
    for name in sorted({route.bucket for route in _active(seen)}):
        limit = there[name].file_size_limit if name in there else None
        if limit is not None and limit > bytes_here:
            yield note(
                f"the bucket {name} takes files of {limit // 1024**2} MB, a worker set up as this machine is only "
                f"{seen.settings.max_file_mb} MB",
                f"update storage.buckets set file_size_limit = {bytes_here} where id = {quoted(name)};",
            )


def _routes(seen: Seen) -> Iterator[Verdict]:
    routes = seen.known().routes.get()
    active = _active(seen)
    if not active:
        how = "every route is switched off" if routes else "there is no route"
        yield broken(
            f"{how}: an upload starts nothing",
            "update public.ingest_routes set active = true where name = 'uploads';"
            if routes
            else "insert into public.ingest_routes (name, bucket_id, flow) values "
            """('uploads', 'ingest', '[{"type": "analyze_file"}]');""",
        )
    else:
        yield ok("; ".join(f"{one.name}: {one.bucket} → {', '.join(one.types)}" for one in active))


def _active(seen: Seen) -> list[Route]:
    return [one for one in seen.known().routes.get() if one.active]


def _ingest(seen: Seen) -> Iterator[Verdict]:
    failures = seen.known().queue.get().ingest_failures
    if failures.uploads:
        yield warning(
            f"{failures.uploads} upload(s) of the last 24 hours were stored but not enqueued: "
            f"{redact(failures.error or 'no reason given')}",
            "select * from public.ingest_failures order by created_at desc;\ncrontick reconcile",
        )


CHECKS = (
    Check("Storage", _storage_answers),
    Check("triggers", _triggers),
    Check("buckets", _buckets),
    Check("size limits", _limits),
    Check("routes", _routes),
    Check("ingest", _ingest),
)
