"""The Storage stand-in's routes, and how a refusal becomes an answer."""

from __future__ import annotations

import re

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from . import buckets, downloads, listing, objects, signing
from .context import Storage
from .database import request_scope
from .errors import StorageError, StorageJSON

BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")


def create_storage_app(storage: Storage) -> ASGIApp:
    app = Starlette(
        routes=_routes(),
        exception_handlers={StorageError: _refuse, HTTPException: _not_found, ClientDisconnect: _nobody_left},
    )
    app.state.storage = storage
    return _BadUrls(app)


def _routes() -> list[BaseRoute]:
    """In this order: a word such as `list` wins over a bucket of that name."""
    at_key = "{bucket}/{key:path}"
    return [
        Route("/bucket", buckets.create_bucket, methods=["POST"]),
        Route("/bucket", buckets.list_buckets, methods=["GET"]),
        Route("/bucket/{bucket}", buckets.get_bucket, methods=["GET"]),
        Route("/bucket/{bucket}", buckets.update_bucket, methods=["PUT"]),
        Route("/bucket/{bucket}", buckets.delete_bucket, methods=["DELETE"]),
        Route("/bucket/{bucket}/empty", buckets.empty_bucket, methods=["POST"]),
        Route("/object/move", objects.move, methods=["POST"]),
        Route("/object/copy", objects.copy, methods=["POST"]),
        Route("/object/list/{bucket}", listing.list_objects, methods=["POST"]),
        Route("/object/list-v2/{bucket}", listing.list_objects_v2, methods=["POST"]),
        Route("/object/sign/{bucket}", signing.sign_downloads, methods=["POST"]),
        Route(f"/object/sign/{at_key}", signing.sign_download, methods=["POST"]),
        Route(f"/object/sign/{at_key}", signing.download_signed, methods=["GET"]),
        Route(f"/object/upload/sign/{at_key}", signing.sign_upload, methods=["POST"]),
        Route(f"/object/upload/sign/{at_key}", signing.upload_signed, methods=["PUT"]),
        Route(f"/object/info/public/{at_key}", downloads.info_public, methods=["GET"]),
        Route(f"/object/info/authenticated/{at_key}", downloads.info, methods=["GET"]),
        Route(f"/object/info/{at_key}", downloads.info, methods=["GET"]),
        Route(f"/object/public/{at_key}", downloads.download_public, methods=["GET"]),
        Route(f"/object/authenticated/{at_key}", downloads.download, methods=["GET"]),
        Route("/object/{bucket}", objects.delete_many, methods=["DELETE"]),
        Route(f"/object/{at_key}", objects.upload, methods=["POST", "PUT"]),
        Route(f"/object/{at_key}", downloads.download, methods=["GET"]),
        Route(f"/object/{at_key}", objects.delete_one, methods=["DELETE"]),
    ]


async def _refuse(_request: Request, error: Exception) -> Response:
    assert isinstance(error, StorageError)
    return error.response()


async def _not_found(request: Request, _error: Exception) -> Response:
    path = request.url.path.removeprefix(request.scope.get("root_path", ""))
    body = {"message": f"Route {request.method}:{path} not found", "error": "Not Found", "statusCode": 404}
    return StorageJSON(body, 404)


async def _nobody_left(_request: Request, _error: Exception) -> Response:
    """An upload that its client broke off; what had arrived of it is gone already."""
    return Response(status_code=499)


class _BadUrls:
    """The real API decodes a path that was decoded before it, so a percent sign in a key breaks it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and BAD_ESCAPE.search(scope["path"]):
            path = scope["path"].removeprefix(scope.get("root_path", ""))
            body = {
                "error": "Bad Request",
                "code": "FST_ERR_BAD_URL",
                "message": f"'{path}' is not a valid url component",
                "statusCode": 400,
            }
            await JSONResponse(body, 400)(scope, receive, send)
            return
        if scope["type"] == "http":
            request_scope.set(scope)  # of this request's own asyncio task
        await self._app(scope, receive, send)
