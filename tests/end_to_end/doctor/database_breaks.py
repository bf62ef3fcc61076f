"""The database's own links: extensions, migrations, grants."""

from __future__ import annotations

from tests.end_to_end.doctor.breaks import Break

DATABASE = {
    "the http extension is gone": Break(
        "drop extension http",
        "database",
        "extensions",
        "broken",
        "the extension http is not installed",
        mend="create extension http with schema extensions",
    ),
    "http lies in another schema": Break(
        "drop extension http; create extension http with schema public",
        "database",
        "extensions",
        "broken",
        "in the schema public",
        mend="drop extension http; create extension http with schema extensions",
    ),
    "a function is missing": Break(
        "alter function public.post_alert(text, jsonb) rename to post_alert_of_yore",
        "database",
        "migrations",
        "broken",
        "(post_alert), of the migration(s) 20261122000085_alerts",
        mend="alter function public.post_alert_of_yore(text, jsonb) rename to post_alert",
    ),
    "statements end too soon": Break(
        "alter role service_role set statement_timeout = '2s'; notify pgrst, 'reload config'",
        "database",
        "statement timeout",
        "warning",
        "end after 2000 ms",
        mend="alter role service_role reset statement_timeout; notify pgrst, 'reload config'",
    ),
    "a grant was revoked": Break(
        "revoke execute on function public.prune_jobs(int) from service_role",
        "access",
        "what the key may",
        "broken",
        "service_role may not call prune_jobs",
    ),
    "a table cannot be read": Break(
        "revoke select on public.cards from service_role",
        "access",
        "what the key may",
        "broken",
        "not read cards",
    ),
    "browsers may enqueue": Break(
        "grant execute on function public.cancel_job(bigint) to anon, authenticated",
        "access",
        "what browsers may",
        "broken",
        "may call cancel_job",
    ),
    "row security is off": Break(
        "alter table public.job_runs disable row level security",
        "access",
        "row security",
        "broken",
        "is off on job_runs",
    ),
    "browsers read the jobs": Break(
        "grant select on public.job_runs to anon", "access", "row security", "broken", "granted job_runs"
    ),
}
