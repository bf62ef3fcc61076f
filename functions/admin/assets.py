"""The dashboard's files, as the jobs API serves them: the page, what it loads, and the header that fences it in.

Everything comes from `functions/dashboard/`, and nothing from anywhere else: the page runs no script but these,
and talks to nobody but this function and the project's Auth. Open to all, since nothing in these files is secret;
what they show is fetched with the token of whoever signed in.
"""

from __future__ import annotations

import functools
import gzip
import hashlib
import json
from dataclasses import dataclass
from importlib import resources
from urllib.parse import urlsplit

import flask

from functions.settings import Settings, load_settings
from functions.this_machine import is_on_this_machine

PAGE = "index.html"
CONFIG = "config.json"
KINDS = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
# Smaller than this a file does not get smaller on its way.
WORTH_COMPRESSING_BYTES = 1024


@dataclass(frozen=True)
class Asset:
    """One file, ready to be sent."""

    content: bytes
    compressed: bytes
    kind: str
    etag: str


def asset(name: str, settings: Settings | None = None) -> flask.Response | None:
    """The file below `/dashboard` of that name, "" for the page itself; None when there is none.

    Answers 304 without a body to whoever has the file already. The settings are the environment's, unless they are
    given. Raises `ConfigurationError` when those are wrong.
    """
    if name == CONFIG:
        return _config(settings or load())
    found = files().get(name or PAGE)
    if found is None:
        return None
    if name in ("", PAGE):
        return _page(found, settings or load())
    response = _response(found, flask.request)
    response.headers["Cache-Control"] = "no-cache"  # kept, and asked for again: a deployment shows at once
    response.set_etag(found.etag, weak=True)  # the same for either encoding
    response.make_conditional(flask.request)
    return response


@functools.cache
def files() -> dict[str, Asset]:
    """Every file that is served, by its name. What is not listed here does not exist, whatever a path says."""
    folder = resources.files("functions").joinpath("dashboard")
    return {
        entry.name: _read(entry.read_bytes(), kind)
        for entry in folder.iterdir()
        if (kind := KINDS.get("." + entry.name.rpartition(".")[2])) is not None
    }


@functools.cache
def load() -> Settings:
    return load_settings()


def content_security_policy(settings: Settings) -> str:
    """What the page may do: its own files, blobs for thumbnails, this function, and the project's Auth.

    `require-trusted-types-for` makes the browser refuse to read text as markup, wherever a script might try.
    """
    return "; ".join(
        (
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            "img-src 'self' blob: data:",
            f"connect-src 'self' {_origin(settings)}".rstrip(),
            "form-action 'none'",
            "base-uri 'none'",
            "frame-ancestors 'none'",
            "require-trusted-types-for 'script'",
            "trusted-types 'none'",
        )
    )


def _read(content: bytes, kind: str) -> Asset:
    compressed = gzip.compress(content, 9, mtime=0) if len(content) >= WORTH_COMPRESSING_BYTES else b""
    return Asset(content, compressed, kind, hashlib.sha256(content).hexdigest()[:32])


def _page(page: Asset, settings: Settings) -> flask.Response:
    response = _response(page, flask.request)
    response.headers["Cache-Control"] = "no-store"
    response.headers["Content-Security-Policy"] = content_security_policy(settings)
    response.headers["Cross-Origin-Opener-Policy"] = "same-origin"
    response.headers["Permissions-Policy"] = "camera=(), geolocation=(), microphone=(), payment=(), usb=()"
    response.headers["X-Frame-Options"] = "DENY"  # for browsers that do not know frame-ancestors
    return response


def _config(settings: Settings) -> flask.Response:
    """What the page has to know before anybody signed in. The key is the public one."""
    body = {
        "supabase_url": settings.supabase_url,
        "publishable_key": settings.public_key(),
        "local": settings.supabase_url is not None and is_on_this_machine(settings.supabase_url),
        "environment": settings.crontick_environment,
    }
    response = _fenced(flask.Response(json.dumps(body), mimetype="application/json"))
    response.headers["Cache-Control"] = "no-store"
    return response


def _response(found: Asset, request: flask.Request) -> flask.Response:
    smaller = bool(found.compressed) and request.accept_encodings["gzip"] > 0
    response = flask.Response(found.compressed if smaller else found.content, content_type=found.kind)
    if smaller:
        response.headers["Content-Encoding"] = "gzip"
    response.headers["Vary"] = "Accept-Encoding"
    return _fenced(response)


def _fenced(response: flask.Response) -> flask.Response:
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Referrer-Policy"] = "no-referrer"
    response.headers["Cross-Origin-Resource-Policy"] = "same-origin"
    return response


def _origin(settings: Settings) -> str:
    parts = urlsplit(settings.supabase_url or "")
    return f"{parts.scheme}://{parts.netloc}" if parts.netloc else ""
