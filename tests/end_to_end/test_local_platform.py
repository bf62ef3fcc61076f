"""What a hosted project promises, kept by both legs: roles, grants, Vault, pg_cron's rules, http's behaviour."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import psycopg
import pytest
from psycopg import errors

Connection = psycopg.Connection[Any]
PATIENCE_SECONDS = 75.0


def one(connection: Connection, query: str, *values: object) -> Any:
    row = connection.execute(query, values).fetchone()
    assert row is not None
    return row[0] if len(row) == 1 else row


@contextmanager
def rolled_back(connection: Connection) -> Iterator[None]:
    with connection.transaction(force_rollback=True):
        yield


def test_the_role_postgres_is_no_superuser_but_bypasses_row_level_security(postgres: Connection) -> None:
    query = (
        "select rolsuper, rolcreaterole, rolcreatedb, rolbypassrls from pg_roles where rolname = current_user"
    )

    assert one(postgres, query) == (False, True, True, True)
    assert one(postgres, "show search_path") == '"$user", public, extensions'
    assert one(postgres, "show statement_timeout") == "2min"


def test_new_tables_get_no_grants_and_new_functions_only_those_of_postgresql(postgres: Connection) -> None:
    with rolled_back(postgres):
        postgres.execute("create table public.fresh (id int)")
        postgres.execute("create function public.fresh_function() returns int language sql as 'select 1'")
        for role in ("anon", "authenticated", "service_role"):
            assert not one(postgres, "select has_table_privilege(%s, 'public.fresh', 'select')", role)
            assert one(
                postgres, "select has_function_privilege(%s, 'public.fresh_function()', 'execute')", role
            )


def test_auth_functions_read_the_claims_of_the_request(postgres: Connection) -> None:
    subject = "0b5b2a3e-6f5c-4a8f-9d0e-0a1b2c3d4e5f"
    with rolled_back(postgres):
        claims = f'{{"sub": "{subject}", "role": "authenticated"}}'
        postgres.execute("select set_config('request.jwt.claims', %s, true)", (claims,))

        assert str(one(postgres, "select auth.uid()")) == subject
        assert one(postgres, "select auth.role()") == "authenticated"


def test_vault_gives_back_by_name_what_was_stored_and_refuses_direct_inserts(postgres: Connection) -> None:
    with rolled_back(postgres):
        postgres.execute("set local role service_role")
        secret_id = one(postgres, "select vault.create_secret('first', 'test_secret')")
        postgres.execute("select vault.update_secret(%s, 'second')", (secret_id,))
        read = (
            "select decrypted_secret, secret <> decrypted_secret from vault.decrypted_secrets where name = %s"
        )
        assert one(postgres, read, "test_secret") == ("second", True)

        with pytest.raises(errors.UniqueViolation), postgres.transaction():
            postgres.execute("select vault.create_secret('third', 'test_secret')")
        with pytest.raises(errors.InsufficientPrivilege), postgres.transaction():
            postgres.execute("insert into vault.secrets (secret) values ('direct')")


def test_the_extensions_are_there_for_migrations_that_create_them(postgres: Connection) -> None:
    for name in ("http", "pg_cron", "supabase_vault"):
        postgres.execute(f"create extension if not exists {name}".encode())
        assert one(postgres, "select count(*) from pg_extension where extname = %s", name) == 1


def test_scheduling_the_same_name_again_keeps_the_job_paused(postgres: Connection) -> None:
    with rolled_back(postgres):
        first = one(postgres, "select cron.schedule('nightly', '0 3 * * *', 'select 1')")
        postgres.execute("select cron.alter_job(%s, active => false)", (first,))
        again = one(postgres, "select cron.schedule('nightly', '0 4 * * *', 'select 2')")

        assert again == first
        row = one(
            postgres, "select schedule, command, active, username from cron.job where jobid = %s", first
        )
        assert row == ("0 4 * * *", "select 2", False, "postgres")


def test_cron_job_is_read_only_and_unknown_names_are_refused(postgres: Connection) -> None:
    with pytest.raises(errors.InsufficientPrivilege):
        postgres.execute("update cron.job set active = false where true")
    with pytest.raises(psycopg.Error, match="could not find valid entry for job 'unheard of'"):
        postgres.execute("select cron.unschedule('unheard of')")
    postgres.execute("delete from cron.job_run_details where end_time < now() - interval '1 day'")


@pytest.mark.parametrize("schedule", ["* * * *", "60 * * * *", "5/10 * * * *", "0 0 * * 8", "every minute"])
def test_a_wrong_schedule_is_refused(postgres: Connection, schedule: str) -> None:
    with pytest.raises(errors.InvalidParameterValue, match="invalid schedule"):
        postgres.execute("select cron.schedule('wrong', %s, 'select 1')", (schedule,))


@pytest.mark.parametrize("schedule", ["*/5 0-6 1,15 jan-mar mon", "@hourly", "*/30 * * * * *", "0 0 * * 7"])
def test_a_right_schedule_is_accepted_even_with_a_sixth_field(postgres: Connection, schedule: str) -> None:
    with rolled_back(postgres):
        assert one(postgres, "select cron.schedule('right', %s, 'select 1')", schedule) > 0


@contextmanager
def scheduled(connection: Connection, schedule: str, command: str) -> Iterator[int]:
    jobid = one(connection, "select cron.schedule('end-to-end', %s, %s)", schedule, command)
    try:
        yield jobid
    finally:
        connection.execute("select cron.unschedule(jobid) from cron.job where jobname = 'end-to-end'")


def wait_for_run(connection: Connection, jobid: int, status: str) -> Any:
    deadline = time.monotonic() + PATIENCE_SECONDS
    query = (
        "select return_message, username from cron.job_run_details where jobid = %s and status = %s limit 1"
    )
    while (row := connection.execute(query, (jobid, status)).fetchone()) is None:
        assert time.monotonic() < deadline, f"no run of job {jobid} became {status}"
        time.sleep(0.05)
    return row


@pytest.mark.leg_wheel
def test_a_job_runs_as_its_owner_and_its_details_tell_the_truth(postgres: Connection) -> None:
    with scheduled(postgres, "1 second", "select current_user where 1 = 1; select 1 / 1") as jobid:
        assert wait_for_run(postgres, jobid, "succeeded") == ("1 row", "postgres")
    with scheduled(postgres, "1 second", "select 1 / 0") as jobid:
        assert wait_for_run(postgres, jobid, "failed") == ("ERROR:  division by zero\n", "postgres")
    with scheduled(postgres, "1 second", "create role mallory superuser") as jobid:
        message, _ = wait_for_run(postgres, jobid, "failed")
        assert "permission denied" in message


@pytest.mark.leg_debian
def test_the_real_pg_cron_runs_jobs_of_this_installation(postgres: Connection) -> None:
    with scheduled(postgres, "* * * * *", "select 1 / 0") as jobid:
        assert wait_for_run(postgres, jobid, "failed") == ("ERROR:  division by zero\n", "postgres")


@pytest.mark.leg_wheel
def test_pausing_a_job_cancels_its_running_run(postgres: Connection) -> None:
    with scheduled(postgres, "1 second", "select pg_sleep(60)") as jobid:
        wait_for_run(postgres, jobid, "running")
        postgres.execute("select cron.alter_job(%s, active => false)", (jobid,))

        assert wait_for_run(postgres, jobid, "failed")[0] == "job canceled"


class Worker(BaseHTTPRequestHandler):
    """Answers with what it saw; its paths name its behaviour."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        if self.path == "/slow":
            time.sleep(1)
        self.answer(body)

    def do_GET(self) -> None:
        self.answer(b"")

    def answer(self, body: bytes) -> None:
        status = {"/broken": 500, "/moved": 302, "/forever": 302}.get(self.path, 200)
        token = self.headers.get("x-token", "")
        content = (
            f"{self.command} {self.path} {self.headers.get('content-type')} {token} {body.decode()}".encode()
        )
        self.send_response(status)
        if status == 302:
            self.send_header("Location", "/target" if self.path == "/moved" else "/forever")
        self.send_header("Content-Type", "text/plain; charset=utf-8")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Silent."""


@pytest.fixture(scope="module")
def worker() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Worker) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def post(connection: Connection, url: str, body: str = "{}") -> Any:
    return one(
        connection,
        "select r.status, r.content_type, r.content from extensions.http(('POST', %s, "
        "array[extensions.http_header('x-token', 'geheim')], 'application/json', %s)::extensions.http_request) r",
        url,
        body,
    )


def test_http_sends_json_and_headers_and_returns_error_statuses(postgres: Connection, worker: str) -> None:
    sent = 'POST /ok application/json geheim {"grüße": 1}'

    assert post(postgres, f"{worker}/ok", '{"grüße": 1}') == (200, "text/plain; charset=utf-8", sent)
    assert post(postgres, f"{worker}/broken")[0] == 500


def test_http_turns_a_redirected_post_into_a_get_and_stops_after_five(
    postgres: Connection, worker: str
) -> None:
    assert post(postgres, f"{worker}/moved")[2].startswith("GET /target ")
    with pytest.raises(errors.InternalError_, match=r"Maximum \(5\) redirects followed"):
        post(postgres, f"{worker}/forever")


def test_http_raises_when_nobody_answers_or_not_in_time(postgres: Connection, worker: str) -> None:
    with pytest.raises(errors.InternalError_, match="Failed to connect"):
        post(postgres, "http://127.0.0.1:1/")
    postgres.execute("select extensions.http_set_curlopt('CURLOPT_TIMEOUT_MS', '200')")
    with pytest.raises(errors.InternalError_, match="timed out after"):
        post(postgres, f"{worker}/slow")
    postgres.execute("select extensions.http_reset_curlopt()")


def test_http_post_with_jsonb_sends_a_form(postgres: Connection, worker: str) -> None:
    query = "select content from extensions.http_post(%s, jsonb_build_object('a', 'b c', 'd', 1, 'e', null))"

    assert one(postgres, query, f"{worker}/form").strip() == (
        "POST /form application/x-www-form-urlencoded  a=b+c&d=1&e="
    )
