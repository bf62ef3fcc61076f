"""The examples beside scripts/deploy.sh, each read by its own tool as far as that runs without a host.

Compose's command line, systemd's checker, and a parser of Terraform's language.
"""

from __future__ import annotations

import configparser
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import hcl2
import pytest

from functions.settings import Settings
from scripts.deploy.deployment import ADMIN_SIZE
from scripts.deploy.options import read
from scripts.deploy.values import OF_ADMIN_ONLY, SECRETS, used_by_admin
from tests.unit.deploying import RUN

DEPLOY = Path(__file__).parents[2] / "scripts" / "deploy"
UNIT = DEPLOY / "systemd" / "crontick.service"
SETTINGS = {name.upper(): field for name, field in Settings.model_fields.items()}
NOT_OURS = {"FUNCTION_TARGET", "MALLOC_ARENA_MAX", "PYTHONDONTWRITEBYTECODE"}


@pytest.fixture
def services(tmp_path: Path) -> dict[str, Any]:
    """The Compose file as Compose understands it, beside an env file as people have it."""
    folder = tmp_path / "scripts" / "deploy"
    folder.mkdir(parents=True)
    shutil.copy(DEPLOY / "compose.yaml", folder)
    (tmp_path / ".env").write_text("SUPABASE_URL=https://a.test\nPORT=9000\n")
    compose = Path(sys.executable).with_name("docker-compose")
    command = [str(compose), "--file", str(folder / "compose.yaml"), "config", "--format", "json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, done.stderr
    read: dict[str, Any] = json.loads(done.stdout)["services"]
    return read


def test_compose_runs_a_worker_and_the_jobs_api_of_one_image(services: dict[str, Any]) -> None:
    assert set(services) == {"worker", "admin"}
    assert services["worker"]["command"] == ["crontick", "run"]
    assert services["admin"]["environment"]["FUNCTION_TARGET"] == "jobs_admin"
    assert {service["image"] for service in services.values()} == {"crontick"}
    assert services["worker"]["environment"]["SUPABASE_URL"] == "https://a.test"


def test_compose_lets_neither_write_its_root_nor_gain_privileges(services: dict[str, Any]) -> None:
    for service in services.values():
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]


def test_compose_shows_the_dashboard_to_this_machine_only(services: dict[str, Any]) -> None:
    (port,) = services["admin"]["ports"]
    assert (port["host_ip"], port["target"]) == ("127.0.0.1", 8080)
    assert services["admin"]["environment"]["PORT"] == "8080", "whatever .env says"
    assert "ports" not in services["worker"]


def test_compose_asks_the_worker_where_it_answers_and_gives_it_time_to_stop(services: dict[str, Any]) -> None:
    worker = services["worker"]
    assert f":{worker['environment']['HEALTH_CHECK_PORT']}/health" in worker["healthcheck"]["test"][-1]
    assert worker["environment"]["ENABLE_HEALTH_CHECK"] == "true"
    assert (
        int(worker["stop_grace_period"].removesuffix("s"))
        > Settings.model_fields["shutdown_seconds"].default + 2
    )


def unit() -> configparser.SectionProxy:
    parser = configparser.ConfigParser(strict=False, interpolation=None)
    parser.optionxform = str  # type: ignore[method-assign,assignment]
    parser.read(UNIT)
    return parser["Service"]


def test_the_systemd_unit_is_one_to_systemd(tmp_path: Path) -> None:
    """And its sandbox's calls are all known to it: an unknown one would be refused to the sandbox."""
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        pytest.skip("systemd-analyze is not installed")
    program = tmp_path / "crontick"
    program.symlink_to(Path(sys.executable).with_name("crontick"))  # whose own path may hold a space
    text = UNIT.read_text().replace("/opt/crontick/.venv/bin/crontick", str(program))
    copy = tmp_path / UNIT.name
    copy.write_text(text.replace("=/opt/crontick", f"={tmp_path}"))

    done = subprocess.run([analyze, "verify", copy], capture_output=True, text=True, timeout=60)

    about_ours = [line for line in done.stderr.splitlines() if UNIT.name in line]
    assert (done.returncode, about_ours) == (0, [])


def test_the_systemd_unit_confines_the_worker_and_leaves_the_sandbox_its_own_means() -> None:
    service = unit()
    assert service["NoNewPrivileges"] == "yes"
    assert service["DynamicUser"] == "yes"
    assert service["CapabilityBoundingSet"] == ""
    assert "MemoryDenyWriteExecute" not in service
    calls = set(service["SystemCallFilter"].split())
    assert {"seccomp", "landlock_create_ruleset", "landlock_add_rule", "landlock_restrict_self"} <= calls


def test_the_systemd_unit_gives_the_worker_time_to_hand_its_jobs_back() -> None:
    assert int(unit()["TimeoutStopSec"]) > Settings.model_fields["shutdown_seconds"].default + 2
    assert unit()["KillMode"] == "mixed"


def test_systemd_is_told_by_the_worker_itself_that_it_is_ready_and_alive() -> None:
    service = unit()
    assert (service["Type"], service["NotifyAccess"]) == ("notify", "main")
    assert int(service["WatchdogSec"]) >= 60, "a call of the queue and its repetitions take their time"
    assert "AF_UNIX" in service["RestrictAddressFamilies"].split(), "which is how it is told"


def test_the_examples_set_variables_that_exist(services: dict[str, Any]) -> None:
    by_systemd = re.findall(r"(\w+)=", unit()["Environment"])
    by_compose = {name for service in services.values() for name in service["environment"]}
    assert {*by_systemd, *by_compose} - NOT_OURS <= SETTINGS.keys()


def terraform_text() -> str:
    return "\n".join(path.read_text() for path in sorted((DEPLOY / "terraform").glob("*.tf")))


def terraform() -> dict[str, Any]:
    read: dict[str, Any] = hcl2.loads(terraform_text())
    return read


def names(blocks: list[dict[str, Any]]) -> set[str]:
    return {name.strip('"') for block in blocks for name in block}


def test_terraform_s_variables_are_all_declared_and_all_used() -> None:
    used = set(re.findall(r"\bvar\.(\w+)", terraform_text()))
    assert used == names(terraform()["variable"])


def test_terraform_refers_to_what_there_is() -> None:
    text = terraform_text()
    made = {
        f"{kind.strip(chr(34))}.{name.strip(chr(34))}"
        for block in terraform()["resource"]
        for kind, resources in block.items()
        for name in resources
    }
    assert set(re.findall(r"\b(google_\w+\.\w+)\b(?=[.\[\]])", text)) <= made
    (local,) = terraform()["locals"]
    assert set(re.findall(r"\blocal\.(\w+)", text)) <= local.keys()


def resource(kind: str, name: str) -> dict[str, Any]:
    for block in terraform()["resource"]:
        found = block.get(f'"{kind}"', {}).get(f'"{name}"')
        if found:
            return dict(found)
    raise AssertionError(f"no {kind} {name}")


def test_terraform_makes_what_the_script_makes() -> None:
    options = read(RUN)
    worker = resource("google_cloud_run_v2_service", "worker")["template"][0]
    admin = resource("google_cloud_run_v2_service", "admin")["template"][0]
    defaults = {
        name.strip('"'): body.get("default")
        for block in terraform()["variable"]
        for name, body in block.items()
    }

    assert worker["timeout"] == '"60s"'
    assert worker["max_instance_request_concurrency"] == options.concurrency
    assert defaults["memory"] == f'"{options.memory}"'
    assert defaults["max_instances"] == options.max_instances
    assert admin["max_instance_request_concurrency"] == ADMIN_SIZE.concurrency
    assert admin["scaling"][0]["max_instance_count"] == ADMIN_SIZE.max_instances
    assert ADMIN_SIZE.memory in str(admin["containers"])


def test_terraform_gives_each_service_the_secrets_that_the_script_gives_it() -> None:
    (local,) = terraform()["locals"]
    listed = set(re.findall(r'"(\w+)"', local["admin_secrets"]))
    assert listed == {name for name in SECRETS if used_by_admin(name)}
    assert set(re.findall(r'!= "(\w+)"', local["of_worker"])) == OF_ADMIN_ONLY


def test_no_value_of_a_secret_passes_through_terraform() -> None:
    assert "google_secret_manager_secret_version" not in terraform_text()


def test_terraform_s_own_formatter_changes_nothing() -> None:
    program = shutil.which("terraform")
    if program is None:
        pytest.skip("terraform is not installed")
    done = subprocess.run(
        [program, "fmt", "-check", DEPLOY / "terraform"], capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stdout) == (0, "")
