"""What a running local Supabase tells about itself: the JSON line of the command, and the file `env`."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from scripts.local_supabase.auth_stand_in.users import ADMIN_EMAIL, MEMBER_EMAIL
from scripts.local_supabase.state import Keys

ENVIRONMENT_FILE = "env"


@dataclass(frozen=True)
class Details:
    """Addresses and keys. The database URLs are for tests and operators; the function never gets them."""

    leg: str
    directory: str
    url: str
    publishable_key: str
    secret_key: str
    anon_key: str
    service_role_key: str
    jwt_secret: str
    database_url: str
    admin_database_url: str
    function_url: str | None
    admin_url: str | None  # of the jobs API
    sign_in_url: str  # opens the dashboard as the local admin: as good as the password
    runner_secret: str
    log_directory: str

    def to_json(self) -> str:
        return json.dumps({name: value for name, value in asdict(self).items() if name in FIELDS})

    @classmethod
    def from_json(cls, line: str) -> dict[str, Any]:
        return {name: value for name, value in json.loads(line).items() if name in FIELDS}


FIELDS = frozenset(Details.__dataclass_fields__)


def settings_of(details: Details, keys: Keys) -> dict[str, str]:
    """What the functions read, and the file `env` tells too."""
    settings = {
        "SUPABASE_URL": details.url,
        "SUPABASE_SECRET_KEY": details.secret_key,
        "SUPABASE_PUBLISHABLE_KEY": details.publishable_key,
        "JOB_QUEUE_RUNNER_SECRET": keys.runner_secret,
        "CRON_SECRET": keys.cron_secret,
    }
    if details.function_url is not None:
        settings["JOB_QUEUE_WORKER_ENDPOINT"] = details.function_url
    return settings


def for_people(details: Details, keys: Keys) -> dict[str, str]:
    """What the functions never get: the database for psql, and the accounts to sign in with."""
    facts = {
        "DATABASE_URL": details.database_url,
        "LOCAL_ADMIN_EMAIL": ADMIN_EMAIL,
        "LOCAL_ADMIN_PASSWORD": keys.admin_password,
        "LOCAL_MEMBER_EMAIL": MEMBER_EMAIL,
        "LOCAL_MEMBER_PASSWORD": keys.member_password,
    }
    return facts | ({"DASHBOARD_URL": details.sign_in_url} if details.admin_url else {})


def write_environment_file(directory: Path, values: dict[str, str]) -> None:
    """The dotenv file that `functions/settings.py` and scripts find; readable by its owner only."""
    path = directory / ENVIRONMENT_FILE
    temporary = path.with_name(f".{ENVIRONMENT_FILE}.{os.getpid()}")
    descriptor = os.open(temporary, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.writelines(f"{name}={value}\n" for name, value in values.items())
    temporary.replace(path)


def remove_environment_file(directory: Path, url: str) -> None:
    """Only when it is ours: another leg may have started in the same directory since."""
    path = directory / ENVIRONMENT_FILE
    if path.exists() and f"SUPABASE_URL={url}\n" in path.read_text("utf-8"):
        path.unlink()
