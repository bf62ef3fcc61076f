"""A local Supabase as `crontick up` starts it, and a checkout to run the pages' commands in."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts.local_supabase import Leg, LocalSupabase
from scripts.local_supabase.auth_stand_in.users import ADMIN_EMAIL
from scripts.local_supabase.function_process import inherited_environment
from scripts.local_supabase.state import LegFolder
from tests.end_to_end.documents.blocks import ROOT
from tests.end_to_end.documents.reader import Reader
from tests.end_to_end.upload_to_cards.project import connected
from tests.unit.deploying import Google


@pytest.fixture(scope="session")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What git knows of, without the tests: commands may write into it."""
    folder = tmp_path_factory.mktemp("checkout")
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True)
    for name in filter(None, listed.stdout.split("\0")):
        if not name.startswith("tests/"):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    return folder


@pytest.fixture(scope="session")
def reader(leg: str, checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    """Who does what the pages say, with the environment that they tell one to set."""
    directory = tmp_path_factory.mktemp("documents")
    with (
        LocalSupabase.start(
            directory, Leg(leg), function=True, fsync=False, tick_schedule="1 second"
        ) as supabase,
        connected(supabase) as project,
    ):
        google = Google.empty(tmp_path_factory.mktemp("google")).folder
        shutil.copy(google / ".env", checkout)  # as filled in by somebody
        environment = inherited_environment() | {
            "PATH": os.pathsep.join(
                [str(google / "bin"), str(Path(sys.executable).parent), os.environ["PATH"]]
            ),
            "GCLOUD_STAND_IN": str(google / "state.json"),
            "SUPABASE_URL": supabase.url,
            "SUPABASE_SECRET_KEY": supabase.secret_key,
            "DATABASE_URL": supabase.database_url,
            "SUPABASE_PUBLISHABLE_KEY": supabase.publishable_key,
            "LOCAL_ADMIN_EMAIL": ADMIN_EMAIL,
            "LOCAL_ADMIN_PASSWORD": LegFolder(directory, Leg(leg)).keys().admin_password,
            "JOB_QUEUE_WORKER_ENDPOINT": str(supabase.function_url),
            "JOB_QUEUE_RUNNER_SECRET": supabase.runner_secret,
            "NO_COLOR": "1",
            "COLUMNS": "160",
        }
        placeholders = {
            # Bash around it makes ready an environment, which is there; the rest is the same.
            "./scripts/deploy.sh": "python -m scripts.deploy",
            "https://<the function>": f"{supabase.function_url} --schedule '1 second'",  # a minute is long
            "/srv/studio": str(tmp_path_factory.mktemp("studio")),
            "https://<jobs_admin>": str(supabase.admin_url),
            "<the new value>": supabase.runner_secret,
        }
        yield Reader(project, checkout, environment, placeholders)
