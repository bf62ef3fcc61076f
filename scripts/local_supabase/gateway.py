"""The local Supabase's front door: one port for PostgREST and for the stand-ins of Storage and Auth.

As at the hosted gateway, an API key that is not a JWT (`sb_publishable_…`, `sb_secret_…`) is swapped here for
a short-lived JWT with the key's role; behind the gateway there are only JWTs.
"""

from __future__ import annotations

import re
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import jwt
from starlette.applications import Starlette
from starlette.datastructures import Headers, MutableHeaders, QueryParams
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Mount, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from .auth_stand_in import AuthConfig, create_auth_app
from .auth_stand_in.signing import SigningKey
from .storage import Storage, create_storage_app
from .storage.database import SERVICE, Database
from .storage.errors import StorageError
from .storage.files import FileStore
from .storage.tokens import Tokens

METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
HOP_BY_HOP = {b"connection", b"keep-alive", b"te", b"trailer", b"transfer-encoding", b"upgrade"} | {
    b"proxy-authenticate",
    b"proxy-authorization",
}
# A public object needs no key, a signed URL is one, and whoever follows a link in a mail brings none.
WITHOUT_A_KEY = re.compile(
    r"(GET|HEAD) /storage/v1/object/(public|info/public|sign)/"
    r"|PUT /storage/v1/object/upload/sign/"
    r"|(GET|HEAD) /auth/v1/(\.well-known/jwks\.json$|verify$|sign-in/)"
    r"|(GET|HEAD) /health$"
)
SECONDS_A_JWT_LIVES = 300


@dataclass(frozen=True)
class GatewayConfig:
    postgrest_url: str
    storage_dsn: str
    files_directory: Path
    jwt_secret: str
    publishable_key: str
    secret_key: str
    anon_key: str
    service_role_key: str
    public_url: str
    auth: AuthConfig


def create_app(config: GatewayConfig) -> Starlette:
    tokens = Tokens(config.jwt_secret, SigningKey(config.auth.signing_key).verifying)
    storage = Storage(Database(config.storage_dsn), FileStore(config.files_directory), tokens)
    postgrest = _PostgREST(config.postgrest_url)
    health = _Health(config.public_url, storage, postgrest)
    return Starlette(
        routes=[
            Route("/health", health.answer),
            Mount("/storage/v1", create_storage_app(storage)),
            Mount("/auth/v1", create_auth_app(config.auth)),
            Route("/rest/v1/{path:path}", postgrest.forward, methods=METHODS),
        ],
        middleware=[
            Middleware(CORSMiddleware, allow_origins=["*"], allow_methods=["*"], allow_headers=["*"]),
            Middleware(_KeyExchange, keys=_Keys(config)),
        ],
        lifespan=_lifespan(storage, postgrest),
    )


def _lifespan(
    storage: Storage, postgrest: _PostgREST
) -> Callable[[Starlette], AbstractAsyncContextManager[None]]:
    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        storage.files.prepare()
        yield
        await postgrest.client.aclose()
        await storage.database.close()

    return lifespan


@dataclass
class _PostgREST:
    url: str
    client: httpx.AsyncClient = field(init=False)

    def __post_init__(self) -> None:
        limits = httpx.Limits(max_connections=100, max_keepalive_connections=20)
        self.client = httpx.AsyncClient(timeout=httpx.Timeout(60, connect=5), limits=limits, trust_env=False)

    async def forward(self, request: Request) -> Response:
        """Passes a request on as it comes and the answer back as it comes; neither is kept in memory."""
        path = request.scope["raw_path"].removeprefix(b"/rest/v1") or b"/"
        query = request.scope["query_string"]
        has_body = "content-length" in request.headers or "transfer-encoding" in request.headers
        upstream_request = httpx.Request(
            request.method,
            httpx.URL(self.url).copy_with(raw_path=path + (b"?" + query if query else b"")),
            headers=_end_to_end(request.headers.raw, also_without=b"host"),
            content=request.stream() if has_body else None,
        )
        try:
            upstream = await self.client.send(upstream_request, stream=True)
        except httpx.TimeoutException:
            return JSONResponse({"message": "The upstream server is timing out"}, 504)
        except httpx.TransportError:
            message = "An invalid response was received from the upstream server"
            return JSONResponse({"message": message}, 502)
        response = StreamingResponse(_body(upstream), upstream.status_code)
        response.raw_headers = _end_to_end(upstream.headers.raw, also_without=b"date")
        return response


async def _body(upstream: httpx.Response) -> AsyncIterator[bytes]:
    try:
        async for chunk in upstream.aiter_raw():
            yield chunk
    finally:
        await upstream.aclose()


def _end_to_end(headers: list[tuple[bytes, bytes]], also_without: bytes = b"") -> list[tuple[bytes, bytes]]:
    lowered = [(name.lower(), value) for name, value in headers]
    return [pair for pair in lowered if pair[0] not in HOP_BY_HOP and pair[0] != also_without]


@dataclass(frozen=True)
class _Health:
    """Ready when both ways in are: PostgREST with its schema cache loaded, and Storage with its tables."""

    public_url: str
    storage: Storage
    postgrest: _PostgREST

    async def answer(self, _request: Request) -> Response:
        parts = {"rest": await self._rest(), "storage": await self._storage()}
        ready = all(state == "ok" for state in parts.values())
        body = {"status": "ok" if ready else "starting", "url": self.public_url, **parts}
        return JSONResponse(body, 200 if ready else 503)

    async def _rest(self) -> str:
        try:
            response = await self.postgrest.client.head(self.postgrest.url)
        except httpx.HTTPError as error:
            return type(error).__name__
        return "ok" if response.status_code < 500 else f"status {response.status_code}"

    async def _storage(self) -> str:
        try:
            async with self.storage.database.transaction(SERVICE) as connection:
                await connection.execute("select id from storage.buckets limit 1")
        except StorageError as error:
            return error.message
        return "ok"


class _RefusedKeyError(Exception):
    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.hint = hint


class _Keys:
    """Which role a request gets, from `apikey` and `Authorization`."""

    def __init__(self, config: GatewayConfig) -> None:
        self._secret = config.jwt_secret
        self._secret_key = config.secret_key
        self._roles = {config.publishable_key: "anon", config.secret_key: "service_role"}
        self._legacy = {config.anon_key, config.service_role_key}
        self._minted: dict[str, tuple[float, str]] = {}

    def authorize(self, headers: Headers, query: QueryParams) -> str:
        """The JWT to call the services with. A user's own JWT is passed on, verified by the service."""
        key = headers.get("apikey") or query.get("apikey")
        bearer = re.sub("^bearer +", "", headers.get("authorization", ""), flags=re.IGNORECASE) or None
        if key is None and bearer is None:
            hint = "No `apikey` request header or url param was found."
            raise _RefusedKeyError("No API key found in request", hint)
        if bearer is not None and bearer.startswith("sb_"):
            if bearer != key:
                raise _invalid_key()
            bearer = None
        if key is None or key in self._legacy:
            return str(bearer or key)
        if key in self._roles:
            if key == self._secret_key and _is_browser(headers):
                message = "Forbidden use of secret API key in browser"
                hint = (
                    "Secret API keys belong on servers: with one in hand, row-level security does not apply."
                )
                raise _RefusedKeyError(message, hint)
            return bearer or self._mint(self._roles[key])
        if key.startswith("sb_") or bearer not in (None, key):
            raise _invalid_key()
        return key

    def _mint(self, role: str) -> str:
        now = time.time()
        good_until, token = self._minted.get(role, (0.0, ""))
        if now >= good_until:
            claims = {"iss": "supabase", "role": role, "iat": int(now), "exp": int(now) + SECONDS_A_JWT_LIVES}
            token = jwt.encode(claims, self._secret, algorithm="HS256")
            self._minted[role] = (now + SECONDS_A_JWT_LIVES / 2, token)
        return token


def _invalid_key() -> _RefusedKeyError:
    return _RefusedKeyError("Invalid API key", "Double check your Supabase API key.")


def _is_browser(headers: Headers) -> bool:
    return headers.get("user-agent", "").startswith("Mozilla/")


class _KeyExchange:
    """Puts the JWT in place of whatever key a request came with, or refuses it."""

    def __init__(self, app: ASGIApp, keys: _Keys) -> None:
        self._app = app
        self._keys = keys

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and not WITHOUT_A_KEY.match(f"{scope['method']} {scope['path']}"):
            try:
                token = self._keys.authorize(Headers(scope=scope), QueryParams(scope["query_string"]))
            except _RefusedKeyError as refused:
                response = JSONResponse({"message": str(refused), "hint": refused.hint}, 401)
                await response(scope, receive, send)
                return
            scope = {**scope, "headers": list(scope["headers"])}
            headers = MutableHeaders(scope=scope)
            headers["authorization"] = f"Bearer {token}"
            del headers["apikey"]
        await self._app(scope, receive, send)
