"""The jobs API is what its OpenAPI document says: schemathesis asks the real process, rightly and wrongly."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import pytest

from functions.admin.routes import ROUTES
from scripts.local_supabase import LocalSupabase
from tests.end_to_end.jobs_api import JobsApi
from tests.end_to_end.storage_clients import storage_client

pytestmark = pytest.mark.leg_debian  # the API is the same on both

SEED = 5
EXAMPLES = 15  # for each operation, on top of the systematic ones; half a minute in all
# Every check but these: whether data that fits is accepted cannot be told from the document where
# a cursor, another job, a file or a handler's own parameters have to exist, too.
CONFIGURATION = """
continue-on-failure = true

[auth.openapi.token]
bearer = "${CRONTICK_TEST_TOKEN}"

[auth.openapi.runnerSecret]
api_key = "${CRONTICK_TEST_TOKEN}"

[[operations]]
include-name = ["GET /jobs", "GET /files", "GET /operations", "POST /jobs", "POST /trigger/{type}"]
checks.positive_data_acceptance.enabled = false

[[operations]]
include-path = ["/jobs/{job_id}", "/jobs/{job_id}/retry", "/jobs/{job_id}/cancel"]
parameters = { job_id = JOB }

[[operations]]
include-path = ["/files/{file_id}"]
parameters = { file_id = FILE }

[[operations]]
include-path = "/dashboard/{asset}"
parameters = { asset = "icon.svg" }
"""


@pytest.fixture
def job_and_file(
    supabase: LocalSupabase, jobs_api: JobsApi, postgres: psycopg.Connection[Any]
) -> Iterator[tuple[int, int]]:
    """What some of the operations need to have anything to tell; what they did to the queue is undone."""
    path = f"contract/{uuid4()}.txt"
    with storage_client(supabase) as storage:
        storage.from_("ingest").upload(path, b"text", {"content-type": "text/plain"})
        found = postgres.execute(
            "select j.id, f.id from public.jobs j join public.ingested_files f on f.id = j.file_id "
            "where f.path = %s order by j.id limit 1",
            [path],
        ).fetchone()
        assert found is not None
        yield found
        storage.from_("ingest").remove([path])
    postgres.execute("delete from public.jobs where true")
    postgres.execute("select public.resume_processing()")


def test_the_api_is_as_its_document_says(
    jobs_api: JobsApi, job_and_file: tuple[int, int], tmp_path: Path
) -> None:
    job_id, file_id = job_and_file
    configuration = tmp_path / "schemathesis.toml"
    configuration.write_text(
        CONFIGURATION.replace("JOB }", f"{job_id} }}").replace("FILE }", f"{file_id} }}")
    )
    run = subprocess.run(
        [
            str(Path(sys.executable).with_name("schemathesis")),
            "--config-file",
            str(configuration),
            "run",
            f"{jobs_api.url}/openapi.json",
            f"--seed={SEED}",
            f"--max-examples={EXAMPLES}",
            "--phases=examples,coverage,fuzzing",
            "--generation-database=none",
            "--suppress-health-check=all",  # those are about time, which a busy machine has less of
            "--no-color",
        ],
        cwd=tmp_path,
        env=os.environ | {"CRONTICK_TEST_TOKEN": jobs_api.supabase.runner_secret},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert run.returncode == 0, run.stdout[-20_000:] + run.stderr
    assert f"Tested: {len(ROUTES) - 1}\n" in run.stdout  # all but the document itself
