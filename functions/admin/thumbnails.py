"""A thumbnail out of Storage, for people who may not read its bucket themselves."""

from __future__ import annotations

import httpx

from functions import log
from functions.admin.refusals import Refusal, not_found
from functions.supabase_client import SupabaseClient, leads_elsewhere

_MAX_BYTES = 4 * 1024 * 1024  # ours have some tens of kilobytes


def fetch_thumbnail(client: SupabaseClient, bucket: str, path: str) -> bytes:
    """Raises a `Refusal`: 404 when it is gone, 502 when Storage does not answer as it should."""
    if leads_elsewhere(bucket, path):  # whoever wrote that row: the secret key opens more than thumbnails
        raise not_found("thumbnail at the place where it was stored", field="size")
    try:
        with client.stream(bucket, path) as response:
            if response.status_code in (400, 404):
                raise not_found("thumbnail at the place where it was stored", field="size")
            response.raise_for_status()
            content = b""
            for part in response.iter_bytes():
                content += part
                if len(content) > _MAX_BYTES:
                    raise _unusable("it is larger than any thumbnail")
            return content
    except httpx.HTTPError as error:
        raise _unusable(type(error).__name__) from error


def _unusable(why: str) -> Refusal:
    log.warning("thumbnail_unreadable", error=why)
    return Refusal(502, "storage_unavailable", "Storage did not hand the thumbnail out; try again")
