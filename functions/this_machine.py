"""Whether an address is this machine's own: no proxy leads there, whatever the environment says."""

from __future__ import annotations

import httpx

_LOOPBACK = ("127.0.0.1", "localhost", "::1")


def is_on_this_machine(url: str) -> bool:
    return httpx.URL(url).host in _LOOPBACK
