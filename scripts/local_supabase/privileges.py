"""As whom Postgres runs: it refuses to be root, so a supervisor that is root hands it to somebody else.

The other user must still reach a repository, a virtual environment or data below a directory that is closed
to it (`/root` has mode 0700). One capability does that, chosen as narrow as the machine allows.
"""

from __future__ import annotations

import os
import pwd
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from scripts.local_supabase.errors import LocalSupabaseError

CAP_DAC_OVERRIDE = 1
CAP_DAC_READ_SEARCH = 2
CAP_SETGID = 6
CAP_SETUID = 7
CAP_SETPCAP = 8
NOBODY = 65534


@dataclass(frozen=True)
class Identity:
    """A user to become, and the one capability (or none) that it keeps."""

    uid: int
    gid: int
    capability: int | None


def postgres_identity(data_directory: Path, needed: Sequence[Path]) -> Identity | None:
    """None when the supervisor's own user will do. `needed` are the paths that Postgres has to reach."""
    if os.geteuid() != 0:
        return None
    permitted = permitted_capabilities()
    if not (permitted >> CAP_SETUID) & (permitted >> CAP_SETGID) & 1:
        raise LocalSupabaseError(
            "Postgres refuses to run as root, and this root may not become another user "
            "(capabilities SETUID and SETGID are missing). Run the command as an ordinary user."
        )
    uid, gid = unprivileged_user(data_directory)
    if all(reachable(path, uid) for path in needed):
        return Identity(uid, gid, None)
    for capability in (CAP_DAC_READ_SEARCH, CAP_DAC_OVERRIDE):
        if (permitted >> capability) & (permitted >> CAP_SETPCAP) & 1:
            return Identity(uid, gid, capability)
    closed = next(path for path in needed if not reachable(path, uid))
    raise LocalSupabaseError(
        f"Postgres refuses to run as root, and the user it would run as (uid {uid}) cannot enter {closed}. "
        "Open its parent directories with chmod o+x, move the repository, or run as an ordinary user."
    )


def unprivileged_user(data_directory: Path) -> tuple[int, int]:
    """Whoever owns the data already, so that root can resume what an ordinary user began; else nobody."""
    if data_directory.exists() and data_directory.stat().st_uid != 0:
        owner = data_directory.stat()
        return owner.st_uid, owner.st_gid
    try:
        entry = pwd.getpwnam("nobody")
        uid, gid = entry.pw_uid, entry.pw_gid
    except KeyError:
        uid = gid = NOBODY
    if not mapped(uid):
        raise LocalSupabaseError(
            f"Postgres refuses to run as root, and uid {uid} does not exist in this user namespace. "
            "Run the command as an ordinary user."
        )
    return uid, gid


def mapped(uid: int) -> bool:
    ranges = [line.split() for line in Path("/proc/self/uid_map").read_text().splitlines()]
    return any(int(first) <= uid < int(first) + int(count) for first, _, count in ranges)


def permitted_capabilities() -> int:
    status = Path("/proc/self/status").read_text()
    return next(int(line.split()[1], 16) for line in status.splitlines() if line.startswith("CapPrm:"))


def reachable(path: Path, uid: int) -> bool:
    """Whether a user in none of our groups may enter every directory above the path and read it."""
    resolved = path.resolve()
    entered = all(grants(parent, uid, stat.S_IXUSR, stat.S_IXOTH) for parent in resolved.parents)
    return entered and (not resolved.exists() or grants(resolved, uid, stat.S_IRUSR, stat.S_IROTH))


def grants(path: Path, uid: int, owner_bit: int, other_bit: int) -> bool:
    if not path.exists():
        return True
    status = path.stat()
    return bool(status.st_mode & (owner_bit if status.st_uid == uid else other_bit))
