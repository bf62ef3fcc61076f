"""What the local Supabase tells its user when it cannot run: always a sentence with the way out."""

from __future__ import annotations


class LocalSupabaseError(Exception):
    """Printed as it is by the command, without a traceback."""


class OutdatedDataError(LocalSupabaseError):
    """The data was made by other files than those that are here: only a reset helps."""

    exit_code = 3  # what functions/cli/local.py recognises it by
