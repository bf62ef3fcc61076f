"""What outlives a run of the local Supabase: the folder of a leg, its keys, and the lock on it."""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import shutil
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Self

import jwt

from scripts.local_supabase.auth_stand_in.signing import new_signing_key
from scripts.local_supabase.errors import LocalSupabaseError
from scripts.local_supabase.leg import Leg

TEN_YEARS_SECONDS = 10 * 365 * 86_400
STOP_SECONDS = 30.0
RESET_SIGNAL = signal.SIGUSR1  # a SIGTERM that tells who sent it


@dataclass(frozen=True)
class Keys:
    """Made once per leg and kept, so that a resumed project still answers to the keys its users know."""

    jwt_secret: str
    publishable_key: str
    secret_key: str
    anon_key: str
    service_role_key: str
    runner_secret: str
    cron_secret: str
    database_password: str
    signing_key: str
    admin_password: str
    member_password: str

    @classmethod
    def generate(cls) -> Self:
        jwt_secret = secrets.token_urlsafe(32)
        return cls(
            jwt_secret=jwt_secret,
            publishable_key=f"sb_publishable_{secrets.token_urlsafe(16)}_{secrets.token_hex(4)}",
            secret_key=f"sb_secret_{secrets.token_urlsafe(16)}_{secrets.token_hex(4)}",
            anon_key=legacy_key("anon", jwt_secret),
            service_role_key=legacy_key("service_role", jwt_secret),
            runner_secret=secrets.token_urlsafe(32),
            cron_secret=secrets.token_urlsafe(32),
            database_password=secrets.token_hex(16),
            signing_key=new_signing_key(),
            admin_password=secrets.token_urlsafe(12),
            member_password=secrets.token_urlsafe(12),
        )


def legacy_key(role: str, jwt_secret: str) -> str:
    now = int(time.time())
    claims = {"iss": "supabase", "ref": "local", "role": role, "iat": now, "exp": now + TEN_YEARS_SECONDS}
    return jwt.encode(claims, jwt_secret, algorithm="HS256")


@dataclass(frozen=True)
class LegFolder:
    """`<directory>/<leg>`: everything that `crontick reset` throws away."""

    directory: Path
    leg: Leg

    @property
    def path(self) -> Path:
        return self.directory / self.leg

    @property
    def data(self) -> Path:
        return self.path / "postgres_data"

    @property
    def files(self) -> Path:
        return self.path / "files"

    @property
    def logs(self) -> Path:
        return self.path / "logs"

    @property
    def mail(self) -> Path:
        """The mails that the Auth stand-in does not send."""
        return self.path / "mail.jsonl"

    def create(self) -> None:
        for path in (self.path, self.files, self.logs):
            path.mkdir(mode=0o755, parents=True, exist_ok=True)

    def keys(self) -> Keys:
        """Those of the runs before, and new ones for what was not there yet when they were made."""
        path = self.path / "keys.json"
        kept = json.loads(path.read_text()) if path.exists() else {}
        known = {one.name for one in fields(Keys)}
        if kept.keys() >= known:
            return Keys(**{name: kept[name] for name in known})
        keys = asdict(Keys.generate()) | kept
        descriptor = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            json.dump(keys, file, indent=2)
        return Keys(**{name: keys[name] for name in known})

    @property
    def socket_note(self) -> Path:
        """Names the directory of the socket, which lies elsewhere and is left behind by kill -9."""
        return self.path / "socket_directory"

    def remove_old_socket(self) -> None:
        if self.socket_note.exists():
            shutil.rmtree(self.socket_note.read_text(), ignore_errors=True)

    def remove(self) -> None:
        self.remove_old_socket()
        if self.path.exists():
            shutil.rmtree(self.path)


class Lock:
    """One supervisor per folder. The kernel lets go of the lock when its holder dies, however it dies."""

    def __init__(self, folder: LegFolder) -> None:
        self.folder = folder
        self.path = folder.directory / f"{folder.leg}.lock"
        self.descriptor = -1

    def __enter__(self) -> Self:
        if not self.try_take():
            raise LocalSupabaseError(
                f"A local Supabase (leg {self.folder.leg}, process {self.holder()}) already runs in "
                f"{self.folder.directory}. Stop it first, or choose another --directory."
            )
        return self

    def __exit__(self, *_: object) -> None:
        self.release()

    def release(self) -> None:
        self.path.unlink(missing_ok=True)
        os.close(self.descriptor)

    def try_take(self) -> bool:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        while True:
            descriptor = os.open(self.path, os.O_CREAT | os.O_RDWR, 0o644)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(descriptor)
                return False
            if self.path.exists() and os.fstat(descriptor).st_ino == self.path.stat().st_ino:
                break
            # Its last holder removed the file between our open and our lock.
            os.close(descriptor)
        os.ftruncate(descriptor, 0)
        os.write(descriptor, str(os.getpid()).encode())
        self.descriptor = descriptor
        return True

    def holder(self) -> str:
        return self.path.read_text().strip() or "unknown" if self.path.exists() else "unknown"

    @contextmanager
    def taken_from_holder(self) -> Iterator[None]:
        """For as long as the block lasts, after stopping whoever holds the lock, politely first."""
        taken = self.try_take()
        for number in (RESET_SIGNAL, signal.SIGKILL):
            if not taken:
                self.signal_holder(number)
                taken = self.wait_and_take(STOP_SECONDS)
        if not taken:
            raise LocalSupabaseError(f"process {self.holder()} does not stop")
        try:
            yield
        finally:
            self.release()

    def wait_and_take(self, seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if self.try_take():
                return True
            time.sleep(0.05)
        return False

    def signal_holder(self, number: signal.Signals) -> None:
        holder = self.holder()
        if not holder.isdigit():
            return
        try:
            os.kill(int(holder), number)
        except ProcessLookupError:
            return
        except PermissionError as error:
            raise LocalSupabaseError(f"process {holder} belongs to another user") from error
