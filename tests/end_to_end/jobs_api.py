"""The jobs API as a process of its own, and those who come to it with what really opens it."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import httpx

from scripts.local_supabase import Leg, LocalSupabase, function_process
from scripts.local_supabase.auth_stand_in.users import ADMIN_EMAIL, MEMBER_EMAIL
from scripts.local_supabase.function_process import Target
from scripts.local_supabase.ports import free_port
from scripts.local_supabase.processes import Child
from scripts.local_supabase.state import Keys, LegFolder

SECRET_BEFORE = "the-runner-secret-before-this-one"
CRON_SECRET = "the-secret-of-the-tick-alone"


@dataclass
class JobsApi:
    """`url` has no slash at its end."""

    url: str
    supabase: LocalSupabase
    child: Child

    @cached_property
    def keys(self) -> Keys:
        return LegFolder(Path(self.supabase.directory), Leg(self.supabase.leg)).keys()

    @property
    def issuer(self) -> str:
        return f"{self.supabase.url}/auth/v1"

    @property
    def passwords(self) -> dict[str, str]:
        return {ADMIN_EMAIL: self.keys.admin_password, MEMBER_EMAIL: self.keys.member_password}

    def token_of(self, email: str) -> str:
        """As the sign-in by password hands it out."""
        answer = httpx.post(
            f"{self.issuer}/token?grant_type=password",
            json={"email": email, "password": self.passwords[email]},
            headers={"apikey": self.supabase.publishable_key},
            trust_env=False,
        )
        token: str = answer.raise_for_status().json()["access_token"]
        return token

    @contextmanager
    def client(self, token: str | None = None) -> Iterator[httpx.Client]:
        """Somebody with a token or the runner secret, or with nothing."""
        headers = {"authorization": f"Bearer {token}"} if token else {}
        with httpx.Client(base_url=self.url, headers=headers, timeout=30, trust_env=False) as http:
            yield http

    @contextmanager
    def admin(self) -> Iterator[httpx.Client]:
        with self.client(self.token_of(ADMIN_EMAIL)) as http:
            yield http


@contextmanager
def running_jobs_api(supabase: LocalSupabase, **settings: str) -> Iterator[JobsApi]:
    """Ends with the block; settings given by name win."""
    port = free_port()
    environment = {
        "SUPABASE_URL": supabase.url,
        "SUPABASE_SECRET_KEY": supabase.secret_key,
        "SUPABASE_PUBLISHABLE_KEY": supabase.publishable_key,
        "JOB_QUEUE_RUNNER_SECRET": supabase.runner_secret,
        "JOB_QUEUE_RUNNER_SECRET_PREVIOUS": SECRET_BEFORE,
        "CRON_SECRET": CRON_SECRET,
        "K_SERVICE": "jobs-admin",  # so that no file of the developer is read
    }
    log_path = Path(supabase.log_directory) / f"jobs_admin-{port}.log"
    child = function_process.start(environment | settings, port, log_path, target=Target.ADMIN)
    try:
        yield JobsApi(function_process.function_url(port).rstrip("/"), supabase, child)
    finally:
        child.stop(signal.SIGTERM, 12.0, signal.SIGKILL)
