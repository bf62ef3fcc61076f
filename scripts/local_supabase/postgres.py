"""The Postgres of a local Supabase: makes the cluster once, then starts, resumes and stops it."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
from psycopg.conninfo import make_conninfo

from scripts.local_supabase import installations, processes
from scripts.local_supabase.errors import LocalSupabaseError, OutdatedDataError
from scripts.local_supabase.installations import Installation
from scripts.local_supabase.ports import free_port
from scripts.local_supabase.privileges import Identity, postgres_identity
from scripts.local_supabase.processes import Child
from scripts.local_supabase.state import LegFolder

ADMIN = "supabase_admin"
START_SECONDS = 60.0
START_ATTEMPTS = 3
ENVIRONMENT = {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C.UTF-8", "TZ": "UTC"}
# Whoever may enter the private directory of the socket is the owner; the network needs the password.
AUTHENTICATION = "local all all trust\nhost all all 127.0.0.1/32 scram-sha-256\n"
LONGEST_SOCKET_DIRECTORY = 80


@dataclass(frozen=True)
class Cluster:
    """A running Postgres. The socket trusts its users; the port asks for the password."""

    child: Child
    socket_directory: Path
    port: int
    password: str
    cron_is_real: bool

    def socket_dsn(self, user: str) -> str:
        return make_conninfo(host=str(self.socket_directory), port=self.port, user=user, dbname="postgres")

    def url(self, user: str) -> str:
        return f"postgresql://{user}:{self.password}@127.0.0.1:{self.port}/postgres"

    def connect(self, user: str = ADMIN) -> psycopg.Connection[tuple[object, ...]]:
        return psycopg.connect(self.socket_dsn(user), autocommit=True)


@contextmanager
def running_cluster(folder: LegFolder, password: str, *, fsync: bool) -> Iterator[Cluster]:
    installation = installations.prepare(folder)
    identity = postgres_identity(folder.data, (*installation.reads, folder.path))
    made_by = version_of(folder.data)
    if made_by is None:
        make_cluster(folder, installation, identity)
    elif made_by != installation.major_version:
        raise OutdatedDataError(
            f"The data in {folder.path} was made by PostgreSQL {made_by}, and this is "
            f"{installation.major_version}: it needs a reset."
        )
    end_predecessor(folder.data)
    with private_directory(folder, identity) as socket_directory:
        child, port = start(folder, installation, identity, socket_directory, fsync=fsync)
        try:
            yield Cluster(child, socket_directory, port, password, installation.cron_is_real)
        finally:
            child.stop(signal.SIGINT, 8.0, signal.SIGQUIT)


def make_cluster(folder: LegFolder, installation: Installation, identity: Identity | None) -> None:
    """In a folder beside its final one, so that an interrupted initdb is never taken for a cluster."""
    unfinished = folder.data.with_name("postgres_data_unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(mode=0o700)
    if identity is not None:
        os.chown(unfinished, identity.uid, identity.gid)
    command: list[str | Path] = [
        installation.initdb,
        "-D",
        unfinished,
        f"--username={ADMIN}",
        "--encoding=UTF8",
        "--no-sync",
    ]
    options = [*installation.locale_options, "--auth=trust", "--no-instructions"]
    processes.run("initdb", [*command, *options], ENVIRONMENT, identity)
    (unfinished / "pg_hba.conf").write_text(AUTHENTICATION)
    shutil.rmtree(folder.data, ignore_errors=True)
    unfinished.rename(folder.data)


def version_of(data: Path) -> int | None:
    """The major version that made the cluster; None when there is none yet."""
    try:
        return int((data / "PG_VERSION").read_text())
    except FileNotFoundError:
        return None
    except PermissionError as error:
        raise LocalSupabaseError(f"{data} was made by another user (or by root).") from error


def end_predecessor(data: Path) -> None:
    """After kill -9 of a supervisor its Postgres is still on its way out, or only its pid file is left."""
    pid_file = data / "postmaster.pid"
    deadline = time.monotonic() + START_SECONDS
    asked = False
    while pid_file.exists():
        lines = pid_file.read_text().splitlines()
        pid = int(lines[0]) if lines and lines[0].strip().isdigit() else 0
        if not is_postmaster_of(pid, data):
            pid_file.unlink(missing_ok=True)
            return
        if not asked:
            os.kill(pid, signal.SIGQUIT)
            asked = True
        if time.monotonic() > deadline:
            raise LocalSupabaseError(f"process {pid} still uses {data}")
        time.sleep(0.05)


def is_postmaster_of(pid: int, data: Path) -> bool:
    """A postmaster works in its data directory; a process that merely got the number back does not."""
    try:
        return Path(f"/proc/{pid}/cwd").samefile(data)
    except OSError:
        return False


@contextmanager
def private_directory(folder: LegFolder, identity: Identity | None) -> Iterator[Path]:
    """Short and without blanks, because the path of a Unix socket ends after 107 bytes."""
    folder.remove_old_socket()
    parent = tempfile.gettempdir()
    if len(parent) > LONGEST_SOCKET_DIRECTORY or " " in parent:
        parent = "/tmp"
    path = Path(tempfile.mkdtemp(prefix="crontick-", dir=parent))
    folder.socket_note.write_text(str(path))
    try:
        if identity is not None:
            os.chown(path, identity.uid, identity.gid)
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


def start(
    folder: LegFolder,
    installation: Installation,
    identity: Identity | None,
    socket_directory: Path,
    *,
    fsync: bool,
) -> tuple[Child, int]:
    """A port can be taken between our look and Postgres's bind, so a failed start gets another one."""
    for attempt in range(START_ATTEMPTS):
        port = free_port()
        settings = server_settings(installation, socket_directory, port, fsync=fsync)
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        child = processes.spawn(
            "Postgres",
            [installation.postgres, "-D", folder.data, *options],
            folder.logs / "postgres.log",
            ENVIRONMENT,
            death_signal=signal.SIGQUIT,
            identity=identity,
        )
        try:
            wait_until_ready(child, make_conninfo(host=str(socket_directory), port=port, user=ADMIN))
        except BaseException as error:
            child.stop(signal.SIGQUIT, 5.0, signal.SIGKILL)
            if attempt == START_ATTEMPTS - 1 or not isinstance(error, LocalSupabaseError):
                raise
            continue
        return child, port
    raise AssertionError("unreachable")


def server_settings(
    installation: Installation, socket_directory: Path, port: int, *, fsync: bool
) -> dict[str, str]:
    settings = {
        "listen_addresses": "127.0.0.1",
        "port": str(port),
        "unix_socket_directories": str(socket_directory),
        "unix_socket_permissions": "0700",
        "max_connections": "100",
        "shared_buffers": "128MB",
        "jit": "off",
        "timezone": "UTC",
        "log_timezone": "UTC",
        "fsync": "on" if fsync else "off",
        **installation.settings,
    }
    if installation.cron_is_real:
        settings["cron.host"] = str(socket_directory)
    return settings


def wait_until_ready(child: Child, dsn: str) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            psycopg.connect(dsn, dbname="postgres", connect_timeout=5).close()
        except psycopg.OperationalError as error:
            child.require_alive()
            if time.monotonic() > deadline:
                raise LocalSupabaseError(f"Postgres does not answer: {error}") from error
            time.sleep(0.03)
        else:
            return
