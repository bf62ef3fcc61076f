"""The local Supabase as a set of processes: it starts anywhere, resumes, and leaves nothing behind."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import httpx
import psycopg
import pytest

from scripts.local_supabase import Leg, LocalSupabase, LocalSupabaseError
from scripts.local_supabase.local_supabase import REPOSITORY
from tests.end_to_end.process_tree import descendants, wait_until_gone


def note(supabase: LocalSupabase, text: str) -> None:
    with psycopg.connect(supabase.database_url) as connection:
        connection.execute("create table if not exists public.notes (note text)")
        connection.execute("insert into public.notes values (%s)", (text,))


def notes(supabase: LocalSupabase) -> list[tuple[str]]:
    with psycopg.connect(supabase.database_url) as connection:
        return connection.execute("select note from public.notes").fetchall()


def scheduled(supabase: LocalSupabase) -> set[str]:
    with psycopg.connect(supabase.admin_database_url) as connection:
        return {name for (name,) in connection.execute("select jobname from cron.job").fetchall()}


def rest_status(supabase: LocalSupabase, key: str) -> int:
    return httpx.get(f"{supabase.url}/rest/v1/jobs", headers={"apikey": key}).status_code


def test_both_kinds_of_keys_open_the_rest_api_and_only_the_secret_ones_read_jobs(
    supabase: LocalSupabase,
) -> None:
    assert rest_status(supabase, supabase.secret_key) == 200
    assert rest_status(supabase, supabase.service_role_key) == 200
    assert rest_status(supabase, supabase.publishable_key) == 401
    assert rest_status(supabase, supabase.anon_key) == 401
    assert rest_status(supabase, "sb_secret_wrong") == 401


def test_the_environment_file_is_for_its_owner_only(supabase: LocalSupabase) -> None:
    path = Path(supabase.directory) / "env"

    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert f"SUPABASE_URL={supabase.url}\n" in path.read_text()
    assert f"DATABASE_URL={supabase.database_url}\n" in path.read_text()


def test_its_functions_answer_cron_maintains_it_and_the_way_into_the_dashboard_is_in_the_environment_file(
    leg: str, tmp_path: Path
) -> None:
    with LocalSupabase.start(
        tmp_path, Leg(leg), function=True, fsync=False, tick_schedule="0 0 1 1 *"
    ) as running:
        assert running.function_url is not None
        assert httpx.post(running.function_url).status_code == 401
        assert httpx.get(f"{running.admin_url}/health?live").json() == {"status": "alive"}
        place = httpx.get(running.sign_in_url).headers["location"]
        assert place.startswith(f"{running.admin_url}/dashboard#access_token=")
        environment = (tmp_path / "env").read_text()
        assert f"DASHBOARD_URL={running.sign_in_url}\n" in environment
        assert "LOCAL_ADMIN_PASSWORD=" in environment
        assert {"process-flashcard-jobs", "crontick-prune", "crontick-cron-tasks"} <= scheduled(running)


def test_kill_9_leaves_no_process_and_loses_no_data_and_no_keys(leg: str, tmp_path: Path) -> None:
    directory = tmp_path / "a path with blanks"
    killed = LocalSupabase.start(directory, Leg(leg))
    note(killed, "committed before the crash")
    pids = descendants(killed.pid)

    os.kill(killed.pid, signal.SIGKILL)
    killed.stop()

    assert len(pids) > 4
    assert wait_until_gone(pids) == []
    with LocalSupabase.start(directory, Leg(leg)) as resumed:
        assert notes(resumed) == [("committed before the crash",)]
        assert rest_status(resumed, killed.secret_key) == 200


PARENT = """
import sys, time
from pathlib import Path
from scripts.local_supabase import Leg, LocalSupabase
print(LocalSupabase.start(Path(sys.argv[1]), Leg(sys.argv[2]), fsync=False).pid, flush=True)
time.sleep(60)
"""


def test_kill_9_of_the_parent_leaves_no_process_and_no_environment_file(leg: str, tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", PARENT, tmp_path, leg], cwd=REPOSITORY, stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        pids = descendants(int(parent.stdout.readline()))
        parent.kill()

    assert len(pids) > 4
    assert wait_until_gone(pids) == []
    assert not (tmp_path / "env").exists()


def test_two_run_side_by_side_and_a_second_one_in_the_same_directory_is_refused(
    supabase: LocalSupabase, leg: str, tmp_path: Path
) -> None:
    with LocalSupabase.start(tmp_path, Leg(leg), fsync=False) as other:
        note(other, "only here")

        assert rest_status(other, other.secret_key) == rest_status(supabase, supabase.secret_key) == 200
        assert rest_status(supabase, other.secret_key) == 401
        with pytest.raises(LocalSupabaseError, match="already runs in"):
            LocalSupabase.start(tmp_path, Leg(leg))
        assert notes(other) == [("only here",)]


def command(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "scripts.local_supabase", *arguments],
        cwd=REPOSITORY,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


def test_reset_stops_what_runs_which_says_so_and_deletes_its_data(leg: str, tmp_path: Path) -> None:
    program = [sys.executable, "-m", "scripts.local_supabase", "up", "--leg", leg, "--no-function"]
    with subprocess.Popen(
        [*program, "--no-fsync", "--directory", tmp_path],
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as running:
        assert running.stdout is not None
        running.stdout.readline()
        pids = descendants(running.pid)

        assert command("reset", "--directory", tmp_path).returncode == 0
        _, said = running.communicate()

    assert (running.returncode, said) == (0, "A reset stops it and deletes its data.\n")
    assert wait_until_gone(pids) == []
    assert list(tmp_path.iterdir()) == []


def test_data_that_other_migrations_made_is_refused_with_an_exit_code_of_its_own(
    leg: str, tmp_path: Path
) -> None:
    with (
        LocalSupabase.start(tmp_path, Leg(leg), fsync=False) as supabase,
        psycopg.connect(supabase.database_url) as connection,
    ):
        connection.execute("update supabase_migrations.schema_migrations set statements = array['select 1']")

    refused = command("up", "--leg", leg, "--directory", tmp_path)

    assert refused.returncode == 3
    assert "it needs a reset" in refused.stderr


def test_a_reset_of_one_leg_leaves_the_others_data_alone(tmp_path: Path) -> None:
    for name in Leg:
        (tmp_path / name).mkdir()

    assert command("reset", "--leg", "wheel", "--directory", tmp_path).returncode == 0
    assert [path.name for path in tmp_path.iterdir()] == ["debian"]


def test_a_directory_that_cannot_be_used_is_refused_in_one_sentence(leg: str, tmp_path: Path) -> None:
    (tmp_path / leg).write_text("a file where the folder should be")

    with pytest.raises(LocalSupabaseError) as refused:
        LocalSupabase.start(tmp_path, Leg(leg))

    assert "Traceback" not in str(refused.value)
