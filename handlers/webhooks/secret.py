"""What a signing secret looks like; read with the settings, so it imports nothing of what signs."""

from __future__ import annotations

import base64
import binascii

PREFIX = "whsec_"
_KEY_BYTES = range(24, 65)  # what the convention allows


def check_secret(secret: str) -> None:
    """Raises `ValueError` unless each of the secrets, separated by spaces, is one of the convention."""
    for one in secret.split():
        try:
            key = base64.b64decode(one.removeprefix(PREFIX), validate=True)
        except (binascii.Error, ValueError):
            key = b""
        if not one.startswith(PREFIX) or len(key) not in _KEY_BYTES:
            raise ValueError(
                "it has to be whsec_ and 24 to 64 random bytes in base64 (openssl rand -base64 32)"
            )
