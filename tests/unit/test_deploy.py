"""`scripts/deploy.sh` against a stand-in of gcloud: a first run, a second one, and what changes in between."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.unit.deploying import FUNCTIONS, RUN, RUNNER_SECRET, SECRET_KEY, Google

READER = "serviceAccount:{}@demo-project.iam.gserviceaccount.com"


@pytest.fixture
def google(tmp_path: Path) -> Google:
    folder = tmp_path / "a folder with $paces; and 'more'"
    folder.mkdir()
    return Google.empty(folder)


@pytest.fixture
def deployed(google: Google) -> Google:
    done = google.deploy(*RUN, "--admin", "--yes")
    assert done.returncode == 0, done.stderr
    google.forget_calls()
    return google


def test_a_first_run_makes_everything_in_an_empty_project(google: Google) -> None:
    done = google.deploy(*RUN, "--admin", "--yes", process=True)

    assert done.returncode == 0, done.stderr
    assert set(google.state["secrets"]) == {
        "crontick-supabase-secret-key",
        "crontick-job-queue-runner-secret",
    }
    assert set(google.state["services"]) == {"crontick", "crontick-admin"}
    assert "crontick connect --url https://crontick-123456789012.example.run.app" in done.stdout
    assert "https://crontick-admin-123456789012.example.run.app/dashboard" in done.stdout


def test_the_worker_gets_what_a_tick_needs(deployed: Google) -> None:
    flags = deployed.service()["flags"]
    assert flags["--timeout"] == "60", "a tick of 45 s, the caller's 55 s, and the schedule's minute"
    assert (flags["--concurrency"], flags["--max-instances"]) == ("1", "5")
    assert (flags["--memory"], flags["--execution-environment"]) == ("2Gi", "gen2")
    assert "--no-invoker-iam-check" in flags, "the database can make no Google token"
    assert flags["--set-secrets"] == (
        "JOB_QUEUE_RUNNER_SECRET=crontick-job-queue-runner-secret:1,SUPABASE_SECRET_KEY=crontick-supabase-secret-key:1"
    )
    assert deployed.service()["variables"] == {
        "CRONTICK_ENVIRONMENT": "production",
        "FUNCTION_TARGET": "cron_tick",
        "GOOGLE_CLOUD_PROJECT": "demo-project",
        "SUPABASE_URL": "https://abcdefgh.supabase.co",
    }


def test_the_jobs_api_is_the_same_image_and_knows_the_worker(deployed: Google) -> None:
    admin = deployed.service("crontick-admin")
    assert admin["flags"]["--image"] == deployed.service()["flags"]["--image"]
    assert admin["variables"]["FUNCTION_TARGET"] == "jobs_admin"
    assert admin["variables"]["JOB_QUEUE_WORKER_ENDPOINT"] == "https://crontick-123456789012.example.run.app"


def test_a_longer_tick_gets_a_longer_request(google: Google) -> None:
    google.write_env(TICK_BUDGET_SECONDS="120")
    google.deploy(*RUN, "--yes")
    assert google.service()["flags"]["--timeout"] == "135"


def test_a_second_run_changes_nothing(deployed: Google) -> None:
    done = deployed.deploy(*RUN, "--admin", "--yes")

    assert done.returncode == 0, done.stderr
    assert deployed.changes() == []
    assert "nothing to do" in done.stdout
    assert "crontick is up to date" in done.stdout


def test_a_dry_run_says_the_steps_and_changes_nothing(google: Google) -> None:
    done = google.deploy(*RUN, "--dry-run")

    assert done.returncode == 0, done.stderr
    assert google.changes() == []
    for said in (
        "switch on the APIs",
        "create the secret crontick-",
        "create the service account",
        "build",
        "deploy",
    ):
        assert said in done.stdout


def test_a_dry_run_of_a_changed_project_changes_nothing_either(deployed: Google) -> None:
    deployed.write_env(SUPABASE_SECRET_KEY="sb_secret_" + "n" * 22)
    done = deployed.deploy(*RUN, "--admin", "--dry-run")
    assert "add a version to the secret crontick-supabase-secret-key" in done.stdout
    assert deployed.changes() == []


def test_without_yes_nothing_is_done_unless_somebody_says_so(google: Google) -> None:
    done = google.deploy(*RUN, stdin="y\n")
    assert done.returncode == 2
    assert "--yes" in done.stderr
    assert google.changes() == []


def test_a_changed_secret_gets_a_new_version_that_the_services_are_moved_to(deployed: Google) -> None:
    deployed.write_env(SUPABASE_SECRET_KEY="sb_secret_" + "n" * 22)

    done = deployed.deploy(*RUN, "--admin", "--yes")

    assert deployed.changes() == [
        "secrets versions add crontick-supabase-secret-key", "run deploy crontick", "run deploy crontick-admin",
    ]  # fmt: skip
    assert (
        "SUPABASE_SECRET_KEY=crontick-supabase-secret-key:2" in deployed.service()["flags"]["--set-secrets"]
    )
    assert "gcloud secrets versions disable 1 --secret=crontick-supabase-secret-key" in done.stdout
    assert "PREVIOUS" not in deployed.service()["flags"]["--set-secrets"]


def test_a_changed_secret_of_the_tick_leaves_the_old_one_open_until_its_version_is_disabled(
    deployed: Google,
) -> None:
    secret = "crontick-job-queue-runner-secret"
    deployed.write_env(JOB_QUEUE_RUNNER_SECRET="the new one")

    rotated = deployed.deploy(*RUN, "--admin", "--yes")

    both = f"JOB_QUEUE_RUNNER_SECRET={secret}:2,JOB_QUEUE_RUNNER_SECRET_PREVIOUS={secret}:1"
    assert both in deployed.service()["flags"]["--set-secrets"]
    assert both in deployed.service("crontick-admin")["flags"]["--set-secrets"]
    (command,) = re.findall(r"gcloud (secrets versions disable 1 \S+)", rotated.stdout)

    deployed.forget_calls()
    again = deployed.deploy(*RUN, "--admin", "--yes")
    assert deployed.changes() == [], "a further run does not end it"
    assert command in again.stdout

    deployed.gcloud(*command.split())
    deployed.deploy(*RUN, "--admin", "--yes")
    assert f"JOB_QUEUE_RUNNER_SECRET={secret}:2" in deployed.service()["flags"]["--set-secrets"]
    assert "PREVIOUS" not in deployed.service()["flags"]["--set-secrets"]


def test_a_value_before_that_is_given_counts_and_not_the_older_version(google: Google) -> None:
    google.write_env(JOB_QUEUE_RUNNER_SECRET_PREVIOUS="another one")
    google.deploy(*RUN, "--yes")
    google.write_env(JOB_QUEUE_RUNNER_SECRET="the new one", JOB_QUEUE_RUNNER_SECRET_PREVIOUS="another one")

    google.deploy(*RUN, "--yes")

    named = google.service()["flags"]["--set-secrets"]
    assert "JOB_QUEUE_RUNNER_SECRET=crontick-job-queue-runner-secret:2" in named
    assert "JOB_QUEUE_RUNNER_SECRET_PREVIOUS=crontick-job-queue-runner-secret-previous:1" in named


def test_a_secret_without_a_live_version_is_asked_for(deployed: Google) -> None:
    deployed.gcloud("secrets", "versions", "disable", "1", "--secret=crontick-supabase-secret-key")
    deployed.write_env(SUPABASE_SECRET_KEY="")
    done = deployed.deploy(*RUN, "--yes")
    assert done.returncode == 2
    assert "crontick-supabase-secret-key has no version that is enabled" in done.stderr


def test_a_changed_setting_is_deployed_without_another_build(deployed: Google) -> None:
    deployed.write_env(TICK_BATCH_SIZE="20")
    deployed.deploy(*RUN, "--yes")
    assert deployed.changes() == ["run deploy crontick"]
    assert deployed.service()["variables"]["TICK_BATCH_SIZE"] == "20"


def test_force_deploys_what_is_up_to_date(deployed: Google) -> None:
    deployed.deploy(*RUN, "--yes", "--force")
    assert deployed.changes() == [], "the same state again"
    assert any(call["argv"][:2] == ["run", "deploy"] for call in deployed.state["calls"])


def test_each_account_may_read_its_own_secrets_and_nothing_else(google: Google) -> None:
    google.write_env(AI_API_KEY="an AI key", SUPABASE_JWT_SECRET="j" * 40, CRON_SECRET="cron's own secret")
    google.deploy(*RUN, "--admin", "--yes")

    readers = {name: at["readers"] for name, at in google.state["secrets"].items()}
    worker, admin = READER.format("crontick"), READER.format("crontick-admin")
    assert readers == {
        "crontick-ai-api-key": [worker],
        "crontick-cron-secret": [worker],
        "crontick-job-queue-runner-secret": [worker, admin],
        "crontick-supabase-jwt-secret": [admin],
        "crontick-supabase-secret-key": [worker, admin],
    }
    roles = dict(google.state["roles"])
    assert roles == {READER.format("crontick-build"): "roles/cloudbuild.builds.builder"}


def test_no_secret_is_in_a_command_line_an_output_or_a_variable(google: Google) -> None:
    done = google.deploy(*RUN, "--admin", "--yes", process=True)

    assert google.state["secrets"]["crontick-job-queue-runner-secret"]["versions"] == [RUNNER_SECRET]
    calls = json.dumps([call["argv"] for call in google.state["calls"]])
    variables = json.dumps([at["variables"] for at in google.state["services"].values()])
    for secret in (SECRET_KEY, RUNNER_SECRET, json.dumps(RUNNER_SECRET)[1:-1]):
        assert secret not in calls + variables + done.stdout + done.stderr


def test_staging_and_production_share_no_name(deployed: Google) -> None:
    before = deployed.state
    deployed.write_env(".env.staging", SUPABASE_SECRET_KEY="sb_secret_" + "s" * 22)

    done = deployed.deploy(*RUN, "--admin", "--environment", "staging", "--yes")

    after = deployed.state
    assert done.returncode == 0, done.stderr
    for kind in ("secrets", "services", "accounts"):
        assert before[kind].items() <= after[kind].items(), f"production's {kind} are as they were"
    assert set(after["services"]) - set(before["services"]) == {"crontick-staging", "crontick-staging-admin"}
    assert after["services"]["crontick-staging"]["variables"]["CRONTICK_ENVIRONMENT"] == "staging"
    assert "--job-name crontick-staging --endpoint-secret staging_worker_endpoint" in done.stdout


def test_a_service_of_another_environment_is_not_overwritten(deployed: Google) -> None:
    deployed.deploy(*RUN, "--environment", "staging", "--yes")
    done = deployed.deploy(*RUN, "--service", "crontick-staging", "--yes")
    assert done.returncode == 2
    assert "belongs to the environment staging" in done.stderr


def test_a_service_that_somebody_made_by_hand_is_taken_over_only_by_force(google: Google) -> None:
    google.set(apis=["run.googleapis.com"], services={"crontick": {"labels": {}}})
    refused = google.deploy(*RUN, "--yes")
    assert refused.returncode == 2
    assert "--force" in refused.stderr
    assert google.deploy(*RUN, "--yes", "--force").returncode == 0


def test_what_is_stored_and_not_given_is_kept_but_for_the_values_before(google: Google) -> None:
    google.write_env(AI_API_KEY="an AI key", JOB_QUEUE_RUNNER_SECRET_PREVIOUS="the one before")
    google.deploy(*RUN, "--yes")
    assert "JOB_QUEUE_RUNNER_SECRET_PREVIOUS=" in google.service()["flags"]["--set-secrets"]
    (google.folder / ".env").write_text("SUPABASE_URL=https://abcdefgh.supabase.co\n")

    google.deploy(*RUN, "--yes")

    secrets = google.service()["flags"]["--set-secrets"]
    assert "AI_API_KEY=crontick-ai-api-key:1" in secrets
    assert "SUPABASE_SECRET_KEY=" in secrets
    assert "PREVIOUS" not in secrets


def test_a_runner_secret_is_made_up_where_there_is_none(google: Google) -> None:
    google.write_env(JOB_QUEUE_RUNNER_SECRET="")
    done = google.deploy(*RUN, "--yes")
    (made,) = google.state["secrets"]["crontick-job-queue-runner-secret"]["versions"]
    assert len(made) >= 40
    assert made not in done.stdout
    assert "gcloud secrets versions access latest --secret=crontick-job-queue-runner-secret" in done.stdout


def test_values_come_from_stdin_too(google: Google) -> None:
    text = (google.folder / ".env").read_text()
    (google.folder / ".env").unlink()
    done = google.deploy(*RUN, "--yes", "--env-file", "-", stdin=text)
    assert done.returncode == 0, done.stderr
    assert google.state["secrets"]["crontick-supabase-secret-key"]["versions"] == [SECRET_KEY]


def test_a_secret_of_a_handler_s_own_travels_when_it_is_named(google: Google) -> None:
    google.write_env(MY_CRM_KEY="crm", MY_OTHER="x")
    done = google.deploy(*RUN, "--yes", "--secret", "MY_CRM_KEY")
    assert "MY_CRM_KEY=crontick-my-crm-key:1" in google.service()["flags"]["--set-secrets"]
    assert "none of crontick's settings: MY_OTHER" in done.stdout


def test_what_only_this_machine_uses_stays_here(google: Google) -> None:
    google.write_env(PORT="9000", BIND="127.0.0.1", HEALTH_CHECK_PORT="3001", JOB_POLL_INTERVAL_MS="900")
    assert google.deploy(*RUN, "--yes").returncode == 0
    assert not {"PORT", "BIND", "HEALTH_CHECK_PORT"} & google.service()["variables"].keys()


def test_the_extras_are_built_into_the_image(google: Google) -> None:
    google.deploy(*RUN, "--yes", "--extras", "video ocr")
    (image,) = google.state["images"].values()
    assert "EXTRAS=video ocr" in image["steps"][0]["args"]
    assert "Dockerfile" in image["files"]
    google.deploy(*RUN, "--yes")
    assert len(google.state["images"]) == 2, "another content, another name"


def test_only_the_image_s_own_files_leave_this_machine(google: Google) -> None:
    google.deploy(*RUN, "--yes")
    (image,) = google.state["images"].values()
    assert {path.split("/")[0] for path in image["files"]} == {
        ".dockerignore", "Dockerfile", "LICENSE", "NOTICE", "README.md", "functions", "handlers", "pyproject.toml",
        "uv.lock",
    }  # fmt: skip
    assert not [path for path in image["files"] if "__pycache__" in path or "/." in path]


def test_google_s_own_builder_gets_the_source_without_a_dockerfile(google: Google) -> None:
    done = google.deploy(*FUNCTIONS, "--admin", "--yes")

    assert done.returncode == 0, done.stderr
    service = google.service()
    assert service["flags"]["--function"] == "cron_tick"
    assert service["flags"]["--set-build-env-vars"] == "GOOGLE_FUNCTION_SOURCE=functions/main.py,UV_NO_DEV=1"
    assert "Dockerfile" not in service["files"]
    assert {"functions/main.py", "pyproject.toml", "uv.lock", "README.md"} <= set(service["files"])
    assert google.service("crontick-admin")["flags"]["--function"] == "jobs_admin"
    assert google.state["images"] == {}


def test_a_second_run_with_google_s_builder_changes_nothing(google: Google) -> None:
    google.deploy(*FUNCTIONS, "--yes")
    google.forget_calls()
    google.deploy(*FUNCTIONS, "--yes")
    assert google.changes() == []
