"""How organisations are named to others: told apart, but not told who they are."""

from __future__ import annotations

import hashlib


def org_hash(org_id: str | None) -> str:
    """16 hexadecimal digits; in SQL: left(encode(sha256(convert_to(org_id, 'UTF8')), 'hex'), 16)."""
    return hashlib.sha256((org_id or "").encode()).hexdigest()[:16]
