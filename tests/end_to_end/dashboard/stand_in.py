"""Stands in for the jobs API and Supabase Auth where a test wants a state that is hard to bring about for real.

The page and its headers are the real ones; what it is told is fixture data, and what it changes is written down.
"""

from __future__ import annotations

import base64
import functools
import io
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import flask
from PIL import Image, ImageOps
from werkzeug.serving import WSGIRequestHandler, make_server

from functions.admin import assets
from functions.settings import Settings
from tests.end_to_end.dashboard import nasty

PASSWORD = "a good password"
LISTS = {"failed": nasty.FAILED, "pending": nasty.PENDING, "active": nasty.ACTIVE}


@dataclass
class JobsApiStandIn:
    """Its address, what it answers, which faults it has, and what it was asked to change."""

    url: str = ""
    overview: Any = nasty.overview
    down: bool = False
    forbidden: bool = False
    token_life: int = 3600
    refreshes: int = 0
    failures_left: int = 0
    empty: bool = False
    dead_letters: int = 24
    changes: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    settings: dict[str, Any] = field(default_factory=dict)
    paused: str | None = None
    tokens: set[str] = field(default_factory=set)

    def token(self, email: str = "admin@example.com") -> str:
        claims = {"email": email, "sub": "6f1", "exp": time.time() + self.token_life, "n": len(self.tokens)}
        middle = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
        made = f"head.{middle}.signature"
        self.tokens.add(made)
        return made

    def fragment(self) -> str:
        return f"#access_token={self.token()}&expires_in=3600&refresh_token=again&token_type=bearer&type=magiclink"


class _Quiet(WSGIRequestHandler):
    def log_request(self, *_arguments: Any) -> None:
        """What was asked stands in `asked`."""


@contextmanager
def running() -> Iterator[JobsApiStandIn]:
    stand_in = JobsApiStandIn()
    application = _application(stand_in)
    server = make_server("127.0.0.1", 0, application, threaded=True, request_handler=_Quiet)
    stand_in.url = f"http://127.0.0.1:{server.port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield stand_in
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _application(stand_in: JobsApiStandIn) -> flask.Flask:
    application = flask.Flask("jobs_api_stand_in", static_folder=None)
    application.before_request(lambda: _gate(stand_in))
    _add_page(application, stand_in)
    _add_auth(application, stand_in)
    _add_reads(application, stand_in)
    _add_changes(application, stand_in)
    return application


def _gate(stand_in: JobsApiStandIn) -> tuple[dict[str, Any], int] | None:
    path = flask.request.path
    stand_in.asked.append(f"{flask.request.method} {path}")
    if path.startswith(("/dashboard", "/auth/", "/favicon")):
        return None
    if stand_in.down:
        return {"code": "unavailable", "message": "the database cannot be reached", "field": None}, 503
    if flask.request.headers.get("Authorization", "").removeprefix("Bearer ") not in stand_in.tokens:
        return {"code": "unauthorized"}, 401
    if stand_in.forbidden:
        return {"code": "forbidden"}, 403
    return None


def _add_page(application: flask.Flask, stand_in: JobsApiStandIn) -> None:
    @application.get("/dashboard")
    @application.get("/dashboard/<name>")
    def page(name: str = "") -> Any:
        given = {
            "SUPABASE_URL": stand_in.url,
            "SUPABASE_PUBLISHABLE_KEY": "sb_publishable_x",
        } | stand_in.settings
        settings = Settings.model_validate({key: value for key, value in given.items() if value})
        return assets.asset(name, settings) or ({"code": "not_found"}, 404)


def _add_auth(application: flask.Flask, stand_in: JobsApiStandIn) -> None:
    @application.post("/auth/v1/token")
    def token() -> Any:
        asked = flask.request.get_json()
        if flask.request.args["grant_type"] == "password" and asked["password"] != PASSWORD:
            return {"code": 400, "error_code": "invalid_credentials", "msg": "Invalid login credentials"}, 400
        if flask.request.args["grant_type"] == "refresh_token":
            stand_in.refreshes += 1
            if asked["refresh_token"] != "again":
                return {
                    "code": 400,
                    "error_code": "refresh_token_not_found",
                    "msg": "Invalid Refresh Token",
                }, 400
        return {"access_token": stand_in.token(), "refresh_token": "again", "expires_in": stand_in.token_life}

    @application.post("/auth/v1/otp")
    def otp() -> Any:
        stand_in.changes.append(("otp", flask.request.get_json() | dict(flask.request.args)))
        return {}

    @application.post("/auth/v1/logout")
    def logout() -> Any:
        stand_in.changes.append(("logout", {}))
        return "", 204


def _add_reads(application: flask.Flask, stand_in: JobsApiStandIn) -> None:
    @application.get("/me")
    def me() -> Any:
        return {"actor": "user admin@example.com (6f1)", "kind": "user"}

    @application.get("/overview")
    def overview() -> Any:
        answer = stand_in.overview(int(flask.request.args["hours"]))
        answer["health"] |= {"processing_enabled": stand_in.paused is None, "paused_reason": stand_in.paused}
        return answer

    @application.get("/jobs")
    def jobs() -> Any:
        every = [*nasty.FAILED, *nasty.PENDING, *nasty.ACTIVE]
        rows = LISTS.get(flask.request.args["action"], every)
        wanted = {name: flask.request.args.get(name) for name in ("type", "org_id", "status")}
        rows = [
            row for row in rows if all(value is None or row[name] == value for name, value in wanted.items())
        ]
        return {"jobs": [] if stand_in.empty else rows, "next": None}

    @application.get("/jobs/<int:number>")
    def job(number: int) -> Any:
        if number == 404:
            return {"code": "not_found", "message": "there is no job 404", "field": "job_id"}, 404
        return nasty.detail(number)

    @application.get("/files")
    def files() -> Any:
        return {"files": [] if stand_in.empty else nasty.FILES, "next": None}

    @application.get("/files/<int:number>")
    def file(number: int) -> Any:
        return nasty.file_detail(number)

    @application.get("/files/<int:number>/thumbnails/<int:size>")
    def thumbnail(number: int, size: int) -> Any:
        return flask.Response(_picture(size), mimetype="image/webp")

    @application.get("/operations")
    def operations() -> Any:
        return {"operations": [] if stand_in.empty else nasty.OPERATIONS, "next": None}


def _add_changes(application: flask.Flask, stand_in: JobsApiStandIn) -> None:
    @application.post("/<path:path>")
    def change(path: str) -> Any:
        body = flask.request.get_json()
        stand_in.changes.append((path, body))
        if stand_in.failures_left:
            stand_in.failures_left -= 1
            return {"code": "conflict", "message": f"the job cannot: {nasty.MARKUP}", "field": None}, 409
        if path in ("pause", "resume"):
            stand_in.paused = body.get("reason", "") if path == "pause" else None
        if path == "jobs/retry-failed":
            return _retried(stand_in, dry_run=body.get("dry_run", False))
        if path == "jobs/cancel":
            return {"cancelled": 13, "left": 0}
        if path == "tick":
            results = [{"id": 1, "status": "failed", "attempts": 2, "lastError": nasty.MARKUP}]
            return {"status": "ok", "processed": 1, "succeeded": 0, "failed": 1, "results": results}
        return {"status": "ok"}


def _retried(stand_in: JobsApiStandIn, *, dry_run: bool) -> dict[str, Any]:
    """As the real one: 1,000 a call, and how many are left."""
    retried = min(stand_in.dead_letters, 1000)
    left = stand_in.dead_letters - retried
    if not dry_run:
        stand_in.dead_letters = left
    return {"retried": retried, "skipped": [], "left": left}


@functools.cache
def _picture(size: int) -> bytes:
    held = io.BytesIO()
    picture = Image.linear_gradient("L").resize((size, size * 3 // 4))
    ImageOps.colorize(picture, "#123a4f", "#9bd3c0").save(held, "WEBP")
    return held.getvalue()


for _size in (256, 1024):  # here, and not in threads that Pillow would have to share its first steps with
    _picture(_size)
