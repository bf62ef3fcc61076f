"""A folder with a bare Debian in it, and commands that run inside as if it were the whole machine. For root.

It stands in for the base image, which only a registry of images carries. What differs from python:3.11-slim: Python is
Debian's own (the same minor version, another patch level, in /usr instead of /usr/local), it comes with what Debian's
pip needs, and `pip install` outside of an environment is allowed, as there.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

ENTER = Path(__file__).with_name("enter_root.sh")
SUITE = "bookworm"
PACKAGES = ("ca-certificates", "python3", "python3-pip", "python3-venv")
BASE_PATH = "/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin"
# How this machine reaches package registries; an engine would be configured with the same.
PASSED_ON = ("PIP_", "SSL_CERT_", "REQUESTS_CA_", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY")
_NO_MIRROR = "Failed getting release file"
LEFT_BEHIND = ("var/cache/apt/archives", "var/lib/apt/lists")


class RootError(Exception):
    """A step failed, or this machine cannot run one; the text says which and why."""


class NoMirrorError(RootError):
    """No mirror of Debian can be reached, so there is nothing to make a base of."""


def why_not() -> str | None:
    """Why no root can be made here; None if one can."""
    if os.geteuid() != 0:
        return "only root may change its root folder"
    for program in ("debootstrap", "unshare", "chroot"):
        if shutil.which(program) is None:
            return f"{program} is not installed (apt-get install debootstrap)"
    if subprocess.run(["unshare", "--mount", "--pid", "--fork", "true"], capture_output=True).returncode:
        return "this machine does not allow namespaces"
    return None


def make_base(folder: Path) -> Path:
    """The stand-in for the base image: made once, then copied. Takes about a minute."""
    if folder.exists():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    # debootstrap cannot work in a path with a space.
    place = None if " " in str(folder.resolve()) else folder.parent
    unfinished = Path(tempfile.mkdtemp(prefix="base-", dir=place))
    command = ["debootstrap", "--variant=minbase", f"--include={','.join(PACKAGES)}", SUITE, str(unfinished)]
    try:
        _run(command, "debootstrap")
    except RootError as error:
        shutil.rmtree(unfinished, ignore_errors=True)
        raise NoMirrorError(str(error)) if _NO_MIRROR in str(error) else error from None
    for left in LEFT_BEHIND:
        shutil.rmtree(unfinished / left, ignore_errors=True)
        (unfinished / left).mkdir()
    for marker in unfinished.glob("usr/lib/python3.*/EXTERNALLY-MANAGED"):
        marker.unlink()
    (unfinished / "usr/local/bin/python").symlink_to("/usr/bin/python3")
    (unfinished / "etc/resolv.conf").touch()
    unfinished.chmod(0o755)
    _run(["mv", "--no-target-directory", str(unfinished), str(folder)], "mv")
    return folder


@dataclass(frozen=True)
class Root:
    """A copy of the base, or of another stage, that may be changed."""

    folder: Path

    @classmethod
    def copy_of(cls, base: Path, folder: Path) -> Root:
        _run(["cp", "--archive", "--reflink=auto", str(base), str(folder)], "cp")
        return cls(folder)

    def path(self, inside: str) -> Path:
        return self.folder / inside.lstrip("/")

    def run(
        self,
        command: Sequence[str],
        variables: Mapping[str, str],
        directory: str,
        cache: Path | None = None,
    ) -> None:
        """One step, as root, to its end; `cache` is uv's, and nothing of it stays."""
        if cache is not None:
            self.path("/root/.cache/uv").mkdir(parents=True, exist_ok=True)
        known = {name: value for name, value in os.environ.items() if name.upper().startswith(PASSED_ON)}
        environment = {"PATH": BASE_PATH, "HOME": "/root", **known, **variables}
        try:
            _run(self.entering(command, environment, directory, "0:0", "rw", cache), " ".join(command))
        finally:
            shutil.rmtree(self.path("/root/.cache"), ignore_errors=True)

    def entering(
        self,
        command: Sequence[str],
        variables: Mapping[str, str],
        directory: str,
        user: str,
        mode: str,
        cache: Path | None = None,
    ) -> list[str]:
        """The command line, to be started from outside, that runs `command` inside."""
        inside = [str(self.folder), mode, user, directory, str(cache or "-")]
        settings = [f"{name}={value}" for name, value in variables.items()]
        own = ["unshare", "--mount", "--pid", "--fork", "--kill-child=SIGKILL"]
        return [*own, str(ENTER), *inside, *settings, *command]


def _run(command: Sequence[str], what: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    if done.returncode:
        said = "\n".join((done.stdout + done.stderr).splitlines()[-25:])
        raise RootError(f"{what.splitlines()[0][:200]} ended with {done.returncode}:\n{said}")
