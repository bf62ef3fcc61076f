"""What the local Supabase tells its user when it cannot run: always a sentence with the way out."""

from __future__ import annotations


class LocalSupabaseError(Exception):
    """Printed as it is by the command, without a traceback."""
