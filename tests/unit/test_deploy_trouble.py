"""`scripts/deploy.sh` when something is wrong: with what it is told, with this machine, or at Google."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest

from scripts.deploy.accounts import ATTEMPTS
from scripts.deploy.options import EXTRAS
from scripts.deploy.source import PACKAGES, SINGLE_FILES, source_files
from tests.fixtures.gcloud_stand_in import COMMON, FLAGS
from tests.unit.deploying import RUN, Google

ROOT = Path(__file__).parents[2]


@pytest.fixture
def google(tmp_path: Path) -> Google:
    return Google.empty(tmp_path)


def test_without_gcloud_it_says_where_to_get_it(google: Google) -> None:
    done = google.deploy(*RUN, path=str(google.folder), process=True)
    assert done.returncode == 2
    assert "gcloud is not installed" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--service", "a b; rm -rf /"], "--service takes small letters"),
        (["--service", "--project=x"], "expected one argument"),
        (["--environment", "$(id)"], "--environment takes small letters"),
        (["--environment", "admin"], "choose another name"),
        (["--service", "crontick-admin"], "choose another name"),
        (["--service", "a" * 25], "6 to 24 letters"),
        (["--service", "tick"], "6 to 24 letters"),
        (["--project", "Not An Id"], "--project takes a project's id"),
        (["--region", "europe west"], "--region takes a name"),
        (["--memory", "2GB"], "--memory takes a size"),
        (["--max-instances", "0"], "a number from 1 to 100"),
        (["--concurrency", "many"], "a number from 1 to 100"),
        (["--extras", "video;id"], "--extras knows"),
        (["--env-file", "nowhere"], "there is no nowhere"),
    ],
)
def test_a_wrong_option_is_refused_before_google_is_asked_anything(
    google: Google, arguments: list[str], said: str
) -> None:
    done = google.deploy(*RUN, "--yes", *arguments)
    assert done.returncode == 2
    assert said in done.stderr
    assert google.state["calls"] == []


def test_extras_and_google_s_own_builder_do_not_go_together(google: Google) -> None:
    done = google.deploy("cloud-functions", *RUN[1:], "--extras", "video")
    assert (done.returncode, "use cloud-run" in done.stderr) == (2, True)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"SUPABASE_URL": ""}, "SUPABASE_URL is missing"),
        ({"SUPABASE_URL": "http://127.0.0.1:54321"}, "Google cannot reach"),
        ({"SUPABASE_SECRET_KEY": "sb_publishable_" + "a" * 22}, "this is the public key"),
        ({"SUPABASE_SECRET_KEY": ""}, "SUPABASE_SECRET_KEY is missing"),
        ({"TICK_BUDGET_SECONDS": "soon"}, "TICK_BUDGET_SECONDS"),
    ],
)
def test_wrong_values_are_named_and_nothing_is_changed(
    google: Google, values: dict[str, str], said: str
) -> None:
    google.write_env(**values)
    done = google.deploy(*RUN, "--yes")
    assert done.returncode == 2
    assert said in done.stderr
    assert google.changes() == []


def test_project_and_region_come_from_gcloud_s_own_configuration_or_are_asked_for(google: Google) -> None:
    assert "which project?" in google.deploy("cloud-run", "--yes").stderr
    google.set(config={"core/project": "demo-project"})
    assert "which region?" in google.deploy("cloud-run", "--yes").stderr
    google.set(config={"core/project": "demo-project", "run/region": "europe-west4"})
    assert google.deploy("cloud-run", "--yes").returncode == 0
    assert google.service()["flags"]["--region"] == "europe-west4"


@pytest.mark.parametrize(
    ("fault", "said", "remedy"),
    [
        ("run deploy", "RESOURCE_EXHAUSTED: Quota exceeded for max instances", "another --region"),
        ("run deploy", "PERMISSION_DENIED: Permission 'run.services.create' denied", "roles/run.admin"),
        (
            "run deploy",
            "Operation denied by org policy: [constraints/run.managed.requireInvokerIam]",
            "--allow-unauth",
        ),
        ("builds submit", 'build 1a2b completed with status "FAILURE"', "link to its log"),
        (
            "services enable",
            "FAILED_PRECONDITION: Billing account for project is not found.",
            "billing account",
        ),
        (
            "secrets create",
            "PERMISSION_DENIED: The API was not enabled. reason: SERVICE_DISABLED",
            "wait a minute",
        ),
    ],
)
def test_a_step_that_fails_stops_the_rest_and_the_next_run_goes_on_from_there(
    google: Google, fault: str, said: str, remedy: str
) -> None:
    google.set(faults={fault: said})

    failed = google.deploy(*RUN, "--yes")
    done_before = google.changes()

    assert failed.returncode == 1
    assert said in failed.stderr
    assert remedy in failed.stderr
    assert "run the same command again" in failed.stderr
    google.set(faults={}, calls=[])
    assert google.deploy(*RUN, "--yes").returncode == 0
    assert not set(done_before) & set(google.changes()), "nothing is done twice"
    assert "crontick" in google.state["services"]


def test_somebody_who_is_not_signed_in_is_told_so_and_nothing_is_changed(google: Google) -> None:
    google.set(faults={"services list": "You do not currently have an active account selected."})
    done = google.deploy(*RUN, "--yes")
    assert done.returncode == 1
    assert "gcloud auth login" in done.stderr
    assert "Nothing was changed" in done.stderr


def test_a_stored_secret_that_may_not_be_read_is_no_reason_to_overwrite_it(google: Google) -> None:
    google.deploy(*RUN, "--yes")
    google.set(
        calls=[], faults={"secrets versions access": "PERMISSION_DENIED: secretmanager.versions.access"}
    )
    done = google.deploy(*RUN, "--yes")
    assert done.returncode == 1
    assert "roles/secretmanager.secretAccessor" in done.stderr
    assert google.changes() == []


def test_a_new_account_that_is_not_known_everywhere_yet_is_waited_for(google: Google) -> None:
    google.set(config={"calls until known": 2})
    pauses: list[float] = []

    assert google.deploy(*RUN, "--yes", sleep=pauses.append).returncode == 0
    assert len(pauses) == 4, "twice for each of the two accounts"


def test_an_account_that_never_becomes_known_is_a_failure(google: Google) -> None:
    google.set(config={"calls until known": 99})
    pauses: list[float] = []

    assert google.deploy(*RUN, "--yes", sleep=pauses.append).returncode == 1
    assert len(pauses) == ATTEMPTS - 1


def test_the_script_itself_runs_from_any_folder_and_shows_its_options(tmp_path: Path) -> None:
    script = ROOT / "scripts" / "deploy.sh"
    done = subprocess.run([script, "--help"], cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert "--dry-run" in done.stdout


def test_a_service_with_another_content_is_deployed_again(google: Google) -> None:
    google.deploy(*RUN, "--yes")
    service = google.service()
    google.set(
        calls=[], services={"crontick": service | {"labels": service["labels"] | {"crontick-content": "x"}}}
    )
    google.deploy(*RUN, "--yes")
    assert google.changes() == ["run deploy crontick"]


def test_a_service_that_did_not_become_ready_is_deployed_again(google: Google) -> None:
    google.deploy(*RUN, "--yes")
    google.set(calls=[], services={"crontick": google.service() | {"ready": "False"}})
    google.deploy(*RUN, "--yes")
    assert google.changes() == ["run deploy crontick"]


def test_a_role_that_holds_on_a_condition_is_not_taken_for_the_role(google: Google) -> None:
    google.deploy(*RUN, "--yes")
    (member, role), *others = google.state["roles"]
    google.set(calls=[], roles=[[member, role, "request.time < timestamp('2020-01-01T00:00:00Z')"], *others])
    google.deploy(*RUN, "--yes")
    assert google.changes() == ["projects add-iam-policy-binding demo-project"]
    assert [member, role] in google.state["roles"]


def test_the_extras_are_those_of_the_package() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert set(EXTRAS) == project["optional-dependencies"].keys()


def test_the_files_that_leave_this_machine_are_those_that_git_knows() -> None:
    wanted = [*SINGLE_FILES, *PACKAGES]
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", *wanted],
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout.splitlines()  # fmt: skip
    assert {str(path) for path in source_files()} == {path for path in listed if (ROOT / path).is_file()}


def test_the_stand_in_knows_no_flag_that_the_real_gcloud_lacks() -> None:
    gcloud = shutil.which("gcloud")
    tables = (
        []
        if gcloud is None
        else list(Path(gcloud).resolve().parents[1].glob("data/cli/gcloud_completions.py"))
    )
    if not tables:
        pytest.skip("gcloud is not installed, or without its table of flags")
    spec = importlib.util.spec_from_file_location("gcloud_completions", tables[0])
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    tree = module.STATIC_COMPLETION_CLI_TREE
    for command, flags in FLAGS.items():
        real = real_flags(tree, command.split()) | tree["flags"].keys()
        assert {flag.replace("--no-", "--") for flag in flags | COMMON} <= real, command


def real_flags(tree: dict[str, Any], command: list[str]) -> set[str]:
    for word in command:
        tree = tree["commands"][word]
    return set(tree["flags"])
