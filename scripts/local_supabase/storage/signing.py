"""The routes around signed URLs: making them, downloading by them, uploading by them.

A signed URL carries its permission with it, so whoever holds one needs no key.
"""

from __future__ import annotations

from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response

from . import errors, rows
from .context import body_of, caller_of, number_of, storage_of
from .database import SERVICE
from .downloads import send_object
from .errors import StorageJSON
from .objects import PROBED_VERSION, announced_length, asks_for_upsert, probe_write, store_upload
from .rows import ObjectWrite

SECONDS_TO_UPLOAD = 2 * 60 * 60
NOT_SIGNED = "Either the object does not exist or you do not have access to it"


async def sign_download(request: Request) -> Response:
    storage, caller, body = storage_of(request), caller_of(request), await body_of(request)
    bucket, key = request.path_params["bucket"], request.path_params["key"]
    seconds = number_of(body, "expiresIn", 0)
    async with storage.database.transaction(caller) as connection:
        await rows.get(connection, bucket, key)
    return StorageJSON({"signedURL": _signed_url(request, f"{bucket}/{key}", seconds)})


async def sign_downloads(request: Request) -> Response:
    storage, caller, body = storage_of(request), caller_of(request), await body_of(request)
    bucket, paths = request.path_params["bucket"], body.get("paths")
    seconds = number_of(body, "expiresIn", 0)
    if not isinstance(paths, list):
        raise errors.invalid_request("body must have required property 'paths'")
    async with storage.database.transaction(caller) as connection:
        cursor = await connection.execute(
            "select name from storage.objects where bucket_id = %s and name = any(%s)", [bucket, paths]
        )
        found = {row["name"] for row in await cursor.fetchall()}
    return StorageJSON(
        [
            {
                "error": None if path in found else NOT_SIGNED,
                "path": path,
                "signedURL": _signed_url(request, f"{bucket}/{path}", seconds) if path in found else None,
            }
            for path in paths
        ]
    )


def _signed_url(request: Request, url: str, seconds: int) -> str:
    token = storage_of(request).tokens.sign({"url": url, "scope": "download"}, seconds)
    return f"/object/sign/{quote(url)}?token={token}"


async def download_signed(request: Request) -> Response:
    bucket, key = request.path_params["bucket"], request.path_params["key"]
    token = request.query_params.get("token", "")
    claims = storage_of(request).tokens.permits(token, "download", f"{bucket}/{key}")
    return await send_object(request, SERVICE, expires=int(claims.get("exp", 0)))


async def sign_upload(request: Request) -> Response:
    """Asks now whether the caller may write the key: whoever uses the URL later is not asked again."""
    storage, caller = storage_of(request), caller_of(request)
    bucket, key = request.path_params["bucket"], request.path_params["key"]
    upsert = asks_for_upsert(request)
    await storage.bucket(bucket)
    rows.check_key(key)
    announced = announced_length(request)
    write = ObjectWrite(bucket, key, PROBED_VERSION, dict(announced), None, caller.owner)
    await probe_write(storage, caller, write, upsert=upsert)
    url = f"{bucket}/{key}"
    owner = {"owner": caller.owner} if caller.owner else {}
    claims = {**owner, "url": url, "upsert": upsert, "scope": "upload"}
    token = storage.tokens.sign(claims, SECONDS_TO_UPLOAD)
    return StorageJSON({"url": f"/object/upload/sign/{quote(url)}?token={token}", "token": token})


async def upload_signed(request: Request) -> Response:
    bucket, key = request.path_params["bucket"], request.path_params["key"]
    token = request.query_params.get("token", "")
    claims = storage_of(request).tokens.permits(token, "upload", f"{bucket}/{key}")
    upsert = claims.get("upsert") is True
    await store_upload(request, bucket, key, SERVICE, claims.get("owner"), upsert=upsert)
    return StorageJSON({"Key": f"{bucket}/{key}"})
