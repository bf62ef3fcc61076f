"""What the deployed function is told: from an env file, told apart into what may be read and what may not."""

from __future__ import annotations

import io
import sys
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from dotenv import dotenv_values
from pydantic import SecretStr

from functions.errors import ConfigurationError
from functions.settings import Settings, load_settings
from handlers.settings import HandlerSettings
from scripts.deploy.errors import DeployError

# Cloud Run decides these, or only a machine of one's own uses them; the endpoint is what is being made.
LEFT_OUT = frozenset({"BIND", "ENABLE_HEALTH_CHECK", "HEALTH_CHECK_PORT", "JOB_POLL_INTERVAL_MS", "PORT"})
MADE_HERE = frozenset({"CRONTICK_ENVIRONMENT", "GOOGLE_CLOUD_PROJECT", "JOB_QUEUE_WORKER_ENDPOINT"})
KEYS = ("SUPABASE_SECRET_KEY", "SUPABASE_SERVICE_ROLE_KEY")
TICK_SECRETS = ("JOB_QUEUE_RUNNER_SECRET", "CRON_SECRET")
OF_ADMIN_ONLY = frozenset({"SUPABASE_JWT_SECRET"})
OF_WORKER_ONLY = frozenset({"CRON_SECRET", "CRON_SECRET_PREVIOUS"})
HANDLERS = frozenset(name.upper() for name in HandlerSettings.model_fields)
_ON_THIS_MACHINE = ("localhost", "127.0.0.1", "::1", "host.docker.internal")


def _is_secret(name: str) -> bool:
    annotation = Settings.model_fields[name.lower()].annotation
    return annotation is SecretStr or SecretStr in typing.get_args(annotation)


SECRETS = frozenset(name.upper() for name in Settings.model_fields if _is_secret(name))


@dataclass(frozen=True)
class Values:
    """`unknown` are names that crontick has no use for: they stay where they are."""

    plain: Mapping[str, str]
    secret: Mapping[str, str]
    unknown: tuple[str, ...]
    timeout: int

    def plain_of_admin(self) -> dict[str, str]:
        return {name: value for name, value in self.plain.items() if name not in HANDLERS}


def read_values(file: str, further_secrets: tuple[str, ...] = ()) -> Values:
    """Reads KEY=VALUE lines, never the shell's own environment. Raises DeployError."""
    found = _read(file)
    try:
        settings = load_settings({**found, "K_SERVICE": "read nothing else"})
    except ConfigurationError as error:
        raise DeployError(f"{file}: {error}") from None
    if settings.supabase_url is None:
        raise DeployError(f"{file}: SUPABASE_URL is missing; copy it from the project's API settings")
    if urlsplit(settings.supabase_url).hostname in _ON_THIS_MACHINE:
        raise DeployError(
            f"{file}: SUPABASE_URL is this machine, which Google cannot reach; give the project's own"
        )
    known = {name.upper() for name in Settings.model_fields}
    secrets = SECRETS | set(further_secrets)
    plain = {
        name: value for name, value in sorted(found.items()) if name in known - secrets - LEFT_OUT - MADE_HERE
    }
    return Values(
        plain=plain,
        secret={name: value for name, value in sorted(found.items()) if name in secrets},
        unknown=tuple(sorted(set(found) - known - secrets)),
        timeout=round(settings.tick_budget_seconds) + 15,
    )


def used_by_admin(name: str) -> bool:
    return name in SECRETS - OF_WORKER_ONLY and name not in HANDLERS


def used_by_worker(name: str) -> bool:
    return name not in OF_ADMIN_ONLY


def _read(file: str) -> dict[str, str]:
    if file == "-":
        read = dotenv_values(stream=io.StringIO(sys.stdin.read()), interpolate=False)
    elif Path(file).is_file():
        read = dotenv_values(file, interpolate=False)
    else:
        raise DeployError(
            f"there is no {file}: copy .env.example to it and fill it in, or name one with --env-file"
        )
    return {name: value.strip() for name, value in read.items() if value and value.strip()}
