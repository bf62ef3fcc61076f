"""The environment, read once into one frozen object: nothing else in the project looks at `os.environ`.

On a laptop `.env` and then `.local/env` (which the local Supabase writes while it runs) fill in what the
environment lacks; a file that names another SUPABASE_URL is about another project and left out, so that
one project's key never meets another's URL. On Cloud Run, where `K_SERVICE` is set, only the environment
counts.
"""

from __future__ import annotations

import base64
import binascii
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Literal, NamedTuple
from urllib.parse import SplitResult, urlsplit

from dotenv import dotenv_values
from pydantic import ConfigDict, Field, SecretStr, ValidationError, field_validator

from functions.errors import ConfigurationError
from functions.operator_settings import OperatorSettings
from handlers.settings import HandlerSettings

LOCAL_FILES = (".env", ".local/env")


class Variable(NamedTuple):
    """One row of the table of environment variables: what `.env.example` and the README show."""

    name: str
    default: str  # "" when there is none
    description: str


class Settings(OperatorSettings, HandlerSettings):
    """Every setting there is. A field's name in lower case is its variable's name in upper case."""

    model_config = ConfigDict(frozen=True, alias_generator=str.upper, hide_input_in_errors=True)

    supabase_url: str | None = Field(None, description="URL of the project, as https://abcdefgh.supabase.co")
    supabase_secret_key: SecretStr | None = Field(None, description="Secret API key (sb_secret_...)")
    supabase_service_role_key: SecretStr | None = Field(
        None, description="Legacy service_role key, used when SUPABASE_SECRET_KEY is not set"
    )
    cron_secret: SecretStr | None = Field(None, description="Secret that a tick's caller has to present")
    cron_secret_previous: SecretStr | None = Field(
        None, description="The value before, still accepted while you rotate CRON_SECRET"
    )
    job_queue_runner_secret: SecretStr | None = Field(
        None, description="Another such secret: the one in Vault as job_queue_runner_secret"
    )
    job_queue_runner_secret_previous: SecretStr | None = Field(
        None, description="The value before, still accepted while you rotate JOB_QUEUE_RUNNER_SECRET"
    )
    job_queue_worker_endpoint: str | None = Field(
        None,
        description="URL of the deployed function, called by crontick tick and scripts/trigger-worker.sh",
    )
    job_queue_backend: Literal["table", "cron"] = Field(
        "table",
        description="table: work on what is due. cron: also run, at once, the job that a call brings along",
    )
    job_max_attempts: int | None = Field(
        None,
        ge=1,
        le=100,
        description="A job that failed so often is given up, whatever its type allows (5 by default)",
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        "INFO", description="How much is logged: DEBUG, INFO, WARNING or ERROR"
    )
    job_poll_interval_ms: int = Field(
        5000,
        ge=100,
        le=3_600_000,
        description="Pause of the poller (crontick run) when nothing is due, in ms",
    )
    tick_batch_size: int = Field(
        10, ge=1, le=100, description="Jobs per claim when the request does not say limit"
    )
    tick_budget_seconds: float = Field(
        45, ge=1, le=3600, description="How long a tick works; below the caller's HTTP timeout (55 s)"
    )
    tick_concurrency: int = Field(4, ge=1, le=64, description="Jobs that one tick runs at the same time")
    lease_seconds: int = Field(
        120, ge=10, le=3600, description="After this long without a heartbeat another tick takes a job over"
    )
    shutdown_seconds: float = Field(
        8, ge=0, le=300, description="What running jobs get after SIGTERM; Cloud Run kills after 10 s"
    )
    max_file_mb: int = Field(
        512, ge=1, le=51_200, description="Stored files above this size are refused, in MB"
    )
    crontick_handlers: str | None = Field(
        None, description="More handlers: importable modules or packages, separated by commas"
    )
    bind: str = Field("0.0.0.0", description="Address the function listens on")  # noqa: S104
    port: int = Field(8080, ge=1, le=65_535, description="Port the function listens on; Cloud Run sets it")

    @field_validator("supabase_url")
    @classmethod
    def _project_url(cls, value: str | None) -> str | None:
        if value is None:
            return None
        parts = _http_url(value)
        if parts.username is not None or parts.path.strip("/") or parts.query or parts.fragment:
            raise ValueError("use the bare project URL: scheme and host, and nothing before or after them")
        if parts.scheme == "http" and (parts.hostname or "").endswith((".supabase.co", ".supabase.in")):
            raise ValueError("use https, or the key travels in clear text")
        return value.rstrip("/")

    @field_validator("job_queue_worker_endpoint")
    @classmethod
    def _endpoint_url(cls, value: str | None) -> str | None:
        if value is not None:
            _http_url(value)
        return value

    @field_validator("log_level", mode="before")
    @classmethod
    def _any_case(cls, value: object) -> object:
        return value.upper() if isinstance(value, str) else value

    @field_validator("supabase_secret_key", "supabase_service_role_key")
    @classmethod
    def _secret_key(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not value.get_secret_value().isascii():
            raise ValueError("it has a character that no key has; copy it again")
        if value is not None and _is_public_key(value.get_secret_value()):
            raise ValueError("this is the public key; the function needs the secret one (sb_secret_...)")
        return value

    def supabase(self) -> tuple[str, str]:
        """URL and secret key, for whatever talks to the project."""
        key = self.supabase_secret_key or self.supabase_service_role_key
        if self.supabase_url is None or key is None:
            missing = "SUPABASE_URL" if self.supabase_url is None else "SUPABASE_SECRET_KEY"
            raise ConfigurationError(
                f"{missing} is not set: copy it from the project's API settings into the environment "
                "or .env, or start the local Supabase with: crontick up"
            )
        return self.supabase_url, key.get_secret_value()

    def tick_secrets(self) -> tuple[SecretStr, ...]:
        """The values that open the function: two live ones of each kind, so that both can be rotated."""
        secrets = (self.cron_secret, self.cron_secret_previous)
        return (*(secret for secret in secrets if secret is not None), *self.runner_secrets())

    def runner_secrets(self) -> tuple[SecretStr, ...]:
        """Those that open the jobs API too. CRON_SECRET does not: it lies with whoever calls the tick."""
        secrets = (self.job_queue_runner_secret, self.job_queue_runner_secret_previous)
        return tuple(secret for secret in secrets if secret is not None)

    def secrets(self) -> list[str]:
        """Every value that no log line may hold."""
        values = (getattr(self, name) for name in type(self).model_fields)
        return [value.get_secret_value() for value in values if isinstance(value, SecretStr)]

    def handler_modules(self) -> tuple[str, ...]:
        """Where to look for handlers besides `handlers/`."""
        return tuple(name.strip() for name in (self.crontick_handlers or "").split(",") if name.strip())

    def for_handlers(self) -> HandlerSettings:
        """The part that handlers get to see: nothing that opens the project."""
        return HandlerSettings(**{name: getattr(self, name) for name in HandlerSettings.model_fields})


def load_settings(environment: Mapping[str, str] | None = None, directory: Path | None = None) -> Settings:
    """Reads the settings. Raises `ConfigurationError` with one line for each variable that is wrong."""
    values = _present(os.environ if environment is None else environment)
    if "K_SERVICE" not in values:
        for file in LOCAL_FILES:
            found = _present(dotenv_values((directory or Path.cwd()) / file))
            url = values.get("SUPABASE_URL")
            if url is None or found.get("SUPABASE_URL", url).rstrip("/") == url.rstrip("/"):
                values = found | values
    known = {variable.name for variable in variables()}
    try:
        return Settings.model_validate({name: value for name, value in values.items() if name in known})
    except ValidationError as error:
        raise ConfigurationError(_explain(error)) from None


def variables() -> list[Variable]:
    """The table of environment variables: the worker's own, then the operators' and the handlers'."""
    others = (*OperatorSettings.model_fields, *HandlerSettings.model_fields)
    own = [name for name in Settings.model_fields if name not in others]
    return [_variable(name) for name in (*own, *others)]


def _variable(name: str) -> Variable:
    field = Settings.model_fields[name]
    return Variable(
        name.upper(), "" if field.default is None else str(field.default), field.description or ""
    )


def _present(values: Mapping[str, str | None]) -> dict[str, str]:
    """An empty variable counts as one that is not set; what surrounds a value was pasted with it."""
    return {name: value.strip() for name, value in values.items() if value and value.strip()}


def _explain(error: ValidationError) -> str:
    descriptions = {variable.name: variable.description for variable in variables()}
    lines = []
    for item in error.errors(include_url=False, include_input=False, include_context=False):
        name = str(item["loc"][0])
        problem = item["msg"].removeprefix("Value error, ").removeprefix("Input ")
        verb = "" if problem.startswith("should ") else "is wrong: "
        lines.append(f"{name} {verb}{problem} ({descriptions[name]})")
    return "\n".join(lines)


def _http_url(value: str) -> SplitResult:
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.port == 0:
        raise ValueError("it has to be a URL such as https://example.com")
    return parts


def _is_public_key(key: str) -> bool:
    if key.startswith("sb_publishable_"):
        return True
    try:
        body = key.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    except (IndexError, ValueError, binascii.Error):
        return False
    return isinstance(claims, dict) and claims.get("role") == "anon"
