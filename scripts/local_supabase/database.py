"""Makes an empty cluster look like a hosted project; keeps its migrations, buckets and secrets up to date."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import psycopg
from psycopg import sql

from scripts.local_supabase.errors import LocalSupabaseError, OutdatedDataError
from scripts.local_supabase.installations import STAND_INS
from scripts.local_supabase.postgres import ADMIN, Cluster

HERE = Path(__file__).parent
SUPABASE = HERE.parents[1] / "supabase"
PLATFORM_FILES = ("roles.sql", "auth.sql", "storage.sql", "realtime.sql", "extensions.sql")
LOGIN_ROLES = (ADMIN, "postgres", "authenticator", "supabase_storage_admin")
MIGRATION_NAME = re.compile(r"([0-9]+)_(.*)\.sql")
BUCKETS = ("ingest", "thumbnails")

Connection = psycopg.Connection[tuple[object, ...]]


def prepare_platform(cluster: Cluster) -> None:
    """Roles, schemas and extensions: made once; a newer version of their files asks for a reset."""
    with cluster.connect() as admin:
        if not platform_is_there(admin):
            make_platform(admin, cluster.password)
        (made_by,) = one_row(admin, "select fingerprint from crontick_local.platform")
        if made_by != fingerprint():
            raise OutdatedDataError(
                "The local Supabase's roles or stand-ins changed after this data was made: it needs a reset."
            )
        if cluster.cron_is_real:
            # pg_cron remembers with each job where its server was when the job was made.
            admin.execute(
                "update cron.job set nodename = %s, nodeport = %s",
                (str(cluster.socket_directory), cluster.port),
            )


def platform_is_there(admin: Connection) -> bool:
    return one_row(admin, "select to_regclass('crontick_local.platform') is not null") == (True,)


def make_platform(admin: Connection, password: str) -> None:
    with admin.transaction():
        for name in PLATFORM_FILES:
            run_script(admin, (HERE / "sql" / name).read_text("utf-8"))
        for role in LOGIN_ROLES:
            admin.execute(sql.SQL("alter role {} password {}").format(sql.Identifier(role), password))
        admin.execute("create schema crontick_local")
        admin.execute(
            "create table crontick_local.platform as select %s::text as fingerprint", (fingerprint(),)
        )


def fingerprint() -> str:
    """Of every file that made_platform ran, the stand-ins' included."""
    digest = hashlib.sha256()
    for path in [HERE / "sql" / name for name in PLATFORM_FILES] + sorted(STAND_INS.iterdir()):
        if path.is_file():
            digest.update(path.read_bytes())
    return digest.hexdigest()


def migrate(cluster: Cluster) -> None:
    """Pending files of supabase/migrations as role postgres, one transaction each; then seed and buckets."""
    with cluster.connect("postgres") as connection:
        connection.execute("create schema if not exists supabase_migrations")
        connection.execute(
            "create table if not exists supabase_migrations.schema_migrations "
            "(version text primary key, statements text[], name text)"
        )
        rows = connection.execute("select version, statements[1] from supabase_migrations.schema_migrations")
        recorded = {str(version): str(text) for version, text in rows.fetchall()}
        files = migration_files(SUPABASE / "migrations")
        refuse_changed_history(recorded, files)
        pending = [version for version in files if version not in recorded]
        for version in pending:
            apply_migration(connection, version, files[version])
        seed = SUPABASE / "seed.sql"
        if not recorded and seed.exists():
            apply_file(connection, seed)
        make_buckets(connection)


def migration_files(folder: Path) -> dict[str, Path]:
    matches = [(MIGRATION_NAME.fullmatch(path.name), path) for path in sorted(folder.glob("*.sql"))]
    return {match.group(1): path for match, path in matches if match}


def refuse_changed_history(recorded: Mapping[str, str], files: Mapping[str, Path]) -> None:
    """What is applied stays applied: a laptop's data is never patched up to a rewritten migration."""
    for version, text in recorded.items():
        path = files.get(version)
        if path is None:
            raise OutdatedDataError(
                f"Migration {version} was applied to this data and is gone: it needs a reset."
            )
        if path.read_text("utf-8") != text:
            raise OutdatedDataError(
                f"{path.name} has changed since it was applied to this data: it needs a reset."
            )


def apply_migration(connection: Connection, version: str, path: Path) -> None:
    apply_file(
        connection,
        path,
        "insert into supabase_migrations.schema_migrations (version, name, statements) values (%s, %s, %s)",
        (version, path.stem.partition("_")[2], [path.read_text("utf-8")]),
    )


def apply_file(
    connection: Connection, path: Path, record: str | None = None, values: Sequence[object] | None = None
) -> None:
    text = path.read_text("utf-8")
    try:
        with connection.transaction():
            run_script(connection, text)
            connection.execute("reset all")
            if record is not None:
                connection.execute(record.encode(), values)
    except psycopg.Error as error:
        raise LocalSupabaseError(f"{path.name}{line_of(error, text)}: {describe(error)}") from error


def line_of(error: psycopg.Error, text: str) -> str:
    position = error.diag.statement_position
    return f" line {text[: int(position)].count(chr(10)) + 1}" if position else ""


def describe(error: psycopg.Error) -> str:
    parts = (error.diag.message_primary or str(error), error.diag.message_detail, error.diag.message_hint)
    context = error.diag.context
    return "\n".join(part for part in (*parts, context) if part)


def make_buckets(connection: Connection) -> None:
    with connection.transaction():
        for name in BUCKETS:
            connection.execute(
                "insert into storage.buckets (id, name, public) values (%s, %s, false) "
                "on conflict (id) do nothing",
                (name, name),
            )


def store_secrets(cluster: Cluster, secrets: dict[str, str]) -> None:
    """Vault, as an operator would fill it: by name, created once and updated from then on."""
    with cluster.connect("postgres") as connection:
        for name, value in secrets.items():
            found = connection.execute("select id from vault.secrets where name = %s", (name,)).fetchone()
            if found is None:
                connection.execute("select vault.create_secret(%s, %s)", (value, name))
            else:
                connection.execute("select vault.update_secret(%s, %s)", (found[0], value))


def schedule_ticks(cluster: Cluster, schedule: str) -> None:
    """Has cron call the function, and prune, alert and enqueue recurring jobs, as in a project that is set up."""
    try:
        with cluster.connect("postgres") as connection:
            connection.execute(
                "select public.schedule_cron_tick("
                "job_name => 'process-flashcard-jobs', schedule => %s, batch_size => 5, delay_ms => 0)",
                (schedule,),
            )
            connection.execute("select public.schedule_maintenance()")
    except psycopg.errors.InvalidParameterValue as error:
        raise LocalSupabaseError(
            f"{error.diag.message_primary}. Write five fields such as '* * * * *'"
            + (
                " (Debian's pg_cron knows no seconds)."
                if cluster.cron_is_real
                else ", or '1 second' to '59 seconds'."
            )
        ) from error


def run_script(connection: Connection, text: str) -> None:
    # As bytes: the text is not a template, and a per cent sign in it is nobody's placeholder.
    connection.execute(text.encode())


def one_row(connection: Connection, query: str) -> tuple[object, ...]:
    row = connection.execute(query.encode()).fetchone()
    if row is None:
        raise LocalSupabaseError(f"no answer to: {query}")
    return row
