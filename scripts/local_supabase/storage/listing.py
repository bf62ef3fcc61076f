"""The two routes that list a bucket: one level of a folder by page number, or names by cursor."""

from __future__ import annotations

import base64
from typing import Any

from psycopg import sql
from starlette.requests import Request
from starlette.responses import Response

from . import errors
from .context import body_of, caller_of, number_of, storage_of
from .errors import StorageJSON
from .files import timestamp
from .rows import Row, times

SORTABLE = ("name", "updated_at", "created_at", "last_accessed_at")
ORDERS = {"asc": sql.SQL("asc"), "desc": sql.SQL("desc")}
MOST_ENTRIES = 1000

# One row per file directly below what was asked for, and one per folder that holds something further down.
# Files and folders stand in one order by name; by time the folders, which have none, come first.
LIST = """
with matched as (
    select o.*, position('/' in substr(o.name, length(%(needle)s) + 1)) as slash
    from storage.objects as o
    where o.bucket_id = %(bucket)s and starts_with(lower(o.name), lower(%(needle)s))
),
entries as (
    select distinct
        left(m.name, length(%(needle)s) + m.slash - 1) as name, null::uuid as id,
        null::timestamptz as updated_at, null::timestamptz as created_at,
        null::timestamptz as last_accessed_at, null::jsonb as metadata, '/' as tail
    from matched as m
    where m.slash > 0
    union all
    select m.name, m.id, m.updated_at, m.created_at, m.last_accessed_at, m.metadata, '' as tail
    from matched as m
    where m.slash = 0
)
select
    substr(e.name, length(%(prefix)s) + 1) as name,
    e.id, e.updated_at, e.created_at, e.last_accessed_at, e.metadata
from entries as e
"""


async def list_objects(request: Request) -> Response:
    caller, body = caller_of(request), await body_of(request)
    prefix, search = _text(body, "prefix"), _text(body, "search")
    if prefix and not prefix.endswith("/"):
        prefix += "/"
    column, order = _sort(body)
    by_name = sql.SQL("""lower(e.name || e.tail) collate "C" {}""").format(order)
    ordering = by_name
    if column != "name":
        ordering = sql.SQL("e.tail desc, e.{} {}, {}").format(sql.Identifier(column), order, by_name)
    query = sql.SQL("{} order by {} limit %(limit)s offset %(offset)s").format(sql.SQL(LIST), ordering)
    parameters = {
        "bucket": request.path_params["bucket"],
        "prefix": prefix,
        "needle": prefix + search,
        "limit": min(number_of(body, "limit", 100), MOST_ENTRIES),
        "offset": number_of(body, "offset", 0),
    }
    async with storage_of(request).database.transaction(caller) as connection:
        cursor = await connection.execute(query, parameters)
        found = await cursor.fetchall()
    return StorageJSON([_entry(row) for row in found])


def _entry(row: Row) -> dict[str, Any]:
    object_id = row["id"] and str(row["id"])
    return {"name": row["name"], "id": object_id, **times(row), "metadata": row["metadata"]}


# `place` is what the cursor remembers: the name, a folder's with its slash. A folder has no times of its own.
LIST_V2 = """
with entries as (
    select distinct on (place)
        (case when slash > 0 then left(o.name, length(%(prefix)s) + slash) else o.name end) collate "C"
            as place,
        slash > 0 as is_folder, o.id, o.metadata, o.updated_at, o.created_at, o.last_accessed_at
    from storage.objects as o
    cross join lateral (
        select
            case when %(folders)s then position('/' in substr(o.name, length(%(prefix)s) + 1)) else 0 end
            as slash
    ) as s
    where o.bucket_id = %(bucket)s and starts_with(o.name, %(prefix)s)
    order by place, o.created_at
)
select
    e.place, e.is_folder, e.id, e.metadata, e.updated_at, e.created_at, e.last_accessed_at,
    e.{column}::text as key
from entries as e
where %(after)s::text is null or (e.{column}, e.place) {beyond} (%(key)s::{type}, %(after)s)
order by e.{column} {order}, e.place {order}
limit %(limit)s + 1
"""


async def list_objects_v2(request: Request) -> Response:
    caller, body = caller_of(request), await body_of(request)
    column, order = _sort(body)
    after, key = _read_cursor(body.get("cursor"))
    by_name = column == "name"
    limit = max(1, min(number_of(body, "limit", MOST_ENTRIES), MOST_ENTRIES))
    query = sql.SQL(LIST_V2).format(
        column=sql.Identifier("place" if by_name else column),
        type=sql.SQL("text" if by_name else "timestamptz"),
        beyond=sql.SQL(">") if order == ORDERS["asc"] else sql.SQL("<"),
        order=order,
    )
    parameters = {
        "bucket": request.path_params["bucket"],
        "prefix": _text(body, "prefix"),
        "folders": bool(body.get("with_delimiter", False)),
        "after": after,
        "key": key or after if by_name else key,
        "limit": limit,
    }
    async with storage_of(request).database.transaction(caller) as connection:
        cursor = await connection.execute(query, parameters)
        found = await cursor.fetchall()
    return StorageJSON(_page(found, limit, by_name=by_name, with_keys=bool(parameters["folders"])))


def _page(found: list[Row], limit: int, *, by_name: bool, with_keys: bool) -> dict[str, Any]:
    shown = found[:limit]
    page: dict[str, Any] = {"hasNext": len(found) > limit}
    if page["hasNext"]:
        last = shown[-1]
        cursor = f"l:{last['place']}" if by_name else f"l:{last['place']}\na:{last['key']}"
        page["nextCursor"] = base64.b64encode(cursor.encode()).decode()
        page["nextCursorKey"] = last["place"]
    page["folders"] = [{"name": row["place"], **_key(row, with_keys)} for row in shown if row["is_folder"]]
    page["objects"] = [
        {
            "id": str(row["id"]),
            "name": row["place"],
            **_key(row, with_keys),
            "metadata": row["metadata"],
            "updated_at": timestamp(row["updated_at"]),
            "created_at": timestamp(row["created_at"]),
            "last_accessed_at": timestamp(row["last_accessed_at"]),
        }
        for row in shown
        if not row["is_folder"]
    ]
    return page


def _key(row: Row, wanted: bool) -> dict[str, str]:
    return {"key": row["place"].rstrip("/").rsplit("/", 1)[-1]} if wanted else {}


def _read_cursor(cursor: object) -> tuple[str | None, str | None]:
    if not cursor:
        return None, None
    try:
        lines = base64.b64decode(str(cursor), validate=True).decode().split("\n")
    except ValueError as error:
        raise errors.invalid_request("Invalid cursor") from error
    parts = dict(line.split(":", 1) for line in lines if ":" in line)
    return parts.get("l"), parts.get("a")


def _sort(body: dict[str, Any]) -> tuple[str, sql.SQL]:
    sort = body.get("sortBy") or {}
    column, order = sort.get("column") or "name", str(sort.get("order") or "asc").lower()
    if column not in SORTABLE or order not in ORDERS:
        raise errors.invalid_request("body/sortBy must be equal to one of the allowed values")
    return column, ORDERS[order]


def _text(body: dict[str, Any], name: str) -> str:
    value = body.get(name)
    return value if isinstance(value, str) else ""
