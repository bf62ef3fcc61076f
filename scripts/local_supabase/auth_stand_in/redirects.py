"""Where a link may lead: to programs on this machine and nowhere else, as the real one's allow list says."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit


def allowed(wanted: str | None, site_url: str) -> str:
    """The address that was asked for, or else the site's own."""
    return wanted if wanted and _is_here(wanted) else site_url


def _is_here(url: str) -> bool:
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        if parts.scheme not in ("http", "https") or parts.username is not None:
            return False
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
