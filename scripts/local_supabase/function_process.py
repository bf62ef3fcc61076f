"""The functions of a local Supabase: what Cloud Run would run, each under gunicorn on a free port."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import httpx

from handlers.settings import HandlerSettings
from scripts.local_supabase import processes
from scripts.local_supabase.errors import LocalSupabaseError
from scripts.local_supabase.processes import Child


class Target(StrEnum):
    """The entry points of `functions/main.py`."""

    TICK = "cron_tick"
    ADMIN = "jobs_admin"


REPOSITORY = Path(__file__).resolve().parents[2]
APPLICATION = "functions_framework:create_app(target='{target}', source='functions/main.py')"
START_SECONDS = 60.0
# Of the caller's environment the function sees the system's part, its own tuning and what handlers are told,
# the AI provider's key too; never the keys of another project.
SYSTEM_VARIABLES = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "TZ", "LD_LIBRARY_PATH", "PYTHONPATH")
TUNING_PREFIXES = (
    "CRONTICK_",
    "JOB_MAX_",
    "JOB_QUEUE_BACKEND",
    "LEASE_",
    "LOG_LEVEL",
    "MAX_",
    "OTEL_",
    "SHUTDOWN_",
    "TICK_",
)
LOG_NAMES = {Target.TICK: "function.log", Target.ADMIN: "jobs_admin.log"}
NAMES = {Target.TICK: "The function", Target.ADMIN: "The jobs API"}
# What each is asked until it answers as expected: a tick without a secret is refused.
SIGNS_OF_LIFE = {Target.TICK: ("POST", "", 401), Target.ADMIN: ("GET", "health?live", 200)}
HANDLER_VARIABLES = frozenset(name.upper() for name in HandlerSettings.model_fields)


@dataclass(frozen=True)
class Ports:
    """Where the functions will listen: known before they start, since others have to be told."""

    function: int
    admin: int

    @property
    def function_url(self) -> str:
        return function_url(self.function)

    @property
    def admin_url(self) -> str:
        return function_url(self.admin).rstrip("/")


@contextmanager
def running_functions(
    settings: Mapping[str, str], ports: Mapping[Target, int], log_directory: Path
) -> Iterator[list[Child]]:
    """All of them at once, since each takes its time to start."""
    with ExitStack() as stack:
        children = []
        for target, port in ports.items():
            child = spawn(settings, port, log_directory / LOG_NAMES[target], REPOSITORY, target)
            stack.callback(child.stop, signal.SIGTERM, 12.0, signal.SIGKILL)
            children.append(child)
        for child, (target, port) in zip(children, ports.items(), strict=True):
            wait_until_ready(child, target, function_url(port))
        yield children


def start(
    settings: Mapping[str, str],
    port: int,
    log_path: Path,
    directory: Path = REPOSITORY,
    *,
    target: Target = Target.TICK,
) -> Child:
    """Starts one of the functions of a deployment's folder, and waits until it answers."""
    child = spawn(settings, port, log_path, directory, target)
    try:
        wait_until_ready(child, target, function_url(port))
    except BaseException:
        child.stop(signal.SIGTERM, 1.0, signal.SIGKILL)
        raise
    return child


def spawn(settings: Mapping[str, str], port: int, log_path: Path, directory: Path, target: Target) -> Child:
    command = [sys.executable, "-m", "gunicorn", "-c", "functions/gunicorn.conf.py"]
    return processes.spawn(
        NAMES[target],
        [*command, "--bind", f"127.0.0.1:{port}", APPLICATION.format(target=target)],
        log_path,
        {**inherited_environment(), **settings, "PORT": str(port)},
        death_signal=signal.SIGQUIT,
        directory=directory,
    )


def function_url(port: int) -> str:
    return f"http://127.0.0.1:{port}/"


def inherited_environment() -> dict[str, str]:
    return {
        name: value
        for name, value in os.environ.items()
        if name in SYSTEM_VARIABLES or name in HANDLER_VARIABLES or name.startswith(TUNING_PREFIXES)
    }


def wait_until_ready(child: Child, target: Target, url: str) -> None:
    """The answer has to be the application's own, which shows that it is loaded."""
    method, path, expected = SIGNS_OF_LIFE[target]
    deadline = time.monotonic() + START_SECONDS
    with httpx.Client(timeout=5, trust_env=False) as client:
        while True:
            try:
                status = client.request(method, f"{url}{path}").status_code
            except httpx.TransportError:
                status = 0
            if status == expected:
                return
            child.require_alive()
            if time.monotonic() > deadline:
                raise LocalSupabaseError(f"{child.name} answers {status or 'nothing'}; see {child.log_path}")
            time.sleep(0.1)
