"""How a command reads Supabase: rows of tables and views, objects in buckets.

Commands only read tables here. Whatever moves a job goes through `functions.job_queue`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, cast

import httpx
from postgrest.exceptions import APIError
from storage3.exceptions import StorageApiError

from functions.cli.local import REPOSITORY
from functions.cli.naming import LocalFile
from functions.cli.terminal import Misuse, Problem, command
from functions.operators_queue import OperatorsQueue
from functions.settings import Settings, load_settings
from functions.supabase_client import SupabaseClient

_PAGE = 1000  # PostgREST's max-rows: a longer answer is cut without a word

Condition = str | int | Sequence[int]


class Connection:
    """One Supabase project as a command sees it. Every failure is a `Problem` with the URL in it."""

    def __init__(self, url: str, client: SupabaseClient) -> None:
        self._url = url.rstrip("/")
        self._client = client
        self.queue = OperatorsQueue(client)

    def rows(
        self,
        table: str,
        columns: str,
        where: Mapping[str, Condition],
        order: Sequence[str],
        *,
        limit: int | None = None,
        present: str | None = None,
        absent: Sequence[str] = (),
    ) -> Iterator[dict[str, Any]]:
        """The rows whose columns equal the values (or are among them), all pages of them or `limit`.

        The column `present` must not be null, those of `absent` have to be. A minus before a column's name
        in `order` sorts it descending. The order has to be total: pages follow it.
        """
        offset = 0
        while limit is None or offset < limit:
            size = _PAGE if limit is None else min(_PAGE, limit - offset)
            place = range(offset, offset + size)
            page = self._page(table, columns, where, order, present, absent, place)
            yield from page
            if len(page) < size:
                return
            offset += size

    def _page(
        self,
        table: str,
        columns: str,
        where: Mapping[str, Condition],
        order: Sequence[str],
        present: str | None,
        absent: Sequence[str],
        place: range,
    ) -> list[dict[str, Any]]:
        query = self._client.rest.from_(table).select(columns)
        for column, value in where.items():
            query = (
                query.eq(column, value) if isinstance(value, str | int) else query.in_(column, list(value))
            )
        if present:
            query = query.not_.is_(present, "null")
        for column in absent:
            query = query.is_(column, "null")
        for column in order:
            query = query.order(column.removeprefix("-"), desc=column.startswith("-"))
        try:
            answer = query.range(place.start, place.stop - 1).execute()
        except APIError as error:
            raise Problem(f"reading {table} of {self._url}: {error.message}", _advice(error)) from error
        except httpx.HTTPError as error:
            raise self._unreachable(error) from error
        return cast("list[dict[str, Any]]", answer.data)

    def upload(self, bucket: str, file: LocalFile) -> str | None:
        """Stores a file over whatever is at its path, and returns the version that Storage gave it."""
        objects = self._client.storage.from_(bucket)
        try:
            objects.upload(file.path, file.source, {"content-type": file.mime_type, "upsert": "true"})
            version = objects.info(file.path).get("version")
        except StorageApiError as error:
            raise Problem(
                f"uploading {file.name} to {bucket}/{file.path}: {error.message}",
                f"Check that the bucket {bucket} exists in {self._url} and takes {file.mime_type}.",
            ) from error
        except httpx.HTTPError as error:
            raise self._unreachable(error) from error
        return version if isinstance(version, str) else None

    def download(self, bucket: str, path: str) -> bytes | None:
        """The bytes of an object, or None when it cannot be had (any more)."""
        try:
            return self._client.storage.from_(bucket).download(path)
        except (StorageApiError, httpx.HTTPError):
            return None

    def _unreachable(self, error: httpx.HTTPError) -> Problem:
        return Problem(
            f"cannot reach Supabase at {self._url}: {error or type(error).__name__}",
            f"Start it with: {command('up')}    (or correct SUPABASE_URL)",
        )


def settings() -> Settings:
    """The settings of this folder, or the repository's where these name neither a project nor a function."""
    found = load_settings()
    named = found.supabase_url or found.job_queue_worker_endpoint
    return found if named else load_settings(directory=REPOSITORY)


def project(found: Settings) -> tuple[str, str]:
    """URL and secret key of the project, or how to get them."""
    if found.supabase_url is None:
        raise Misuse(
            "SUPABASE_URL is not set, and no local Supabase is running",
            f"Start one with: {command('up')}\n"
            "Or copy URL and secret key from the project's API settings into the environment or .env.",
        )
    return found.supabase()


@contextmanager
def connect(url: str, secret_key: str) -> Iterator[Connection]:
    """Opens a connection for one command."""
    with SupabaseClient(url, secret_key) as client:
        yield Connection(url, client)


def _advice(error: APIError) -> str:
    if error.code in (None, "401", "42501") or str(error.code).startswith("PGRST30"):
        return "Check SUPABASE_SECRET_KEY: it has to be the secret key of this project."
    if error.code in ("PGRST205", "42P01"):
        return "Are the migrations of supabase/migrations applied? Run: supabase db push"
    return error.hint or "Try again; if it stays, look into the log of the database."
