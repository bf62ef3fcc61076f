"""What the Auth stand-in is told about its project."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class AuthConfig:
    issuer: str  # <project URL>/auth/v1
    jwt_secret: str
    signing_key: str  # a private JSON Web Key, as text
    passwords: dict[str, str]  # of the users, by address
    site_url: str  # where links lead that do not say where to, or to where they must not
    mail_path: Path  # a JSON line for each mail that the real one would send
    sign_in_secret: str  # part of the address that signs the local admin in without a password
    now: Callable[[], float] = time.time
