"""The function of a local Supabase: what Cloud Run would run, under gunicorn on a free port."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import httpx

from handlers.settings import HandlerSettings
from scripts.local_supabase import processes
from scripts.local_supabase.errors import LocalSupabaseError
from scripts.local_supabase.processes import Child

REPOSITORY = Path(__file__).resolve().parents[2]
APPLICATION = "functions_framework:create_app(target='cron_tick', source='functions/main.py')"
START_SECONDS = 60.0
# Of the caller's environment the function sees the system's part, its own tuning and what handlers are told,
# the AI provider's key too; never the keys of another project.
SYSTEM_VARIABLES = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "TZ", "LD_LIBRARY_PATH", "PYTHONPATH")
TUNING_PREFIXES = (
    "CRONTICK_HANDLERS",
    "JOB_MAX_",
    "JOB_QUEUE_BACKEND",
    "LEASE_",
    "LOG_LEVEL",
    "MAX_",
    "SHUTDOWN_",
    "TICK_",
)
HANDLER_VARIABLES = frozenset(name.upper() for name in HandlerSettings.model_fields)


@contextmanager
def running_function(settings: Mapping[str, str], port: int, log_path: Path) -> Iterator[Child]:
    child = start(settings, port, log_path)
    try:
        yield child
    finally:
        child.stop(signal.SIGTERM, 12.0, signal.SIGKILL)


def start(settings: Mapping[str, str], port: int, log_path: Path, directory: Path = REPOSITORY) -> Child:
    """Starts the function of a deployment's folder, and waits until it answers."""
    command = [sys.executable, "-m", "gunicorn", "-c", "functions/gunicorn.conf.py"]
    child = processes.spawn(
        "The function",
        [*command, "--bind", f"127.0.0.1:{port}", APPLICATION],
        log_path,
        {**inherited_environment(), **settings, "PORT": str(port)},
        death_signal=signal.SIGQUIT,
        directory=directory,
    )
    try:
        wait_until_ready(child, function_url(port))
    except BaseException:
        child.stop(signal.SIGTERM, 1.0, signal.SIGKILL)
        raise
    return child


def function_url(port: int) -> str:
    return f"http://127.0.0.1:{port}/"


def inherited_environment() -> dict[str, str]:
    return {
        name: value
        for name, value in os.environ.items()
        if name in SYSTEM_VARIABLES or name in HANDLER_VARIABLES or name.startswith(TUNING_PREFIXES)
    }


def wait_until_ready(child: Child, url: str) -> None:
    """A call without a secret is refused: that answer shows that the application itself is loaded."""
    deadline = time.monotonic() + START_SECONDS
    with httpx.Client(timeout=5, trust_env=False) as client:
        while True:
            try:
                status = client.post(url).status_code
            except httpx.TransportError:
                status = 0
            if status == 401:
                return
            child.require_alive()
            if time.monotonic() > deadline:
                raise LocalSupabaseError(f"The function answers {status or 'nothing'}; see {child.log_path}")
            time.sleep(0.1)
