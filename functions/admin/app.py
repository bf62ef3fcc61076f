"""One request to the jobs API, from its path to its answer."""

from __future__ import annotations

import json

import flask


def answer(request: flask.Request) -> flask.Response:
    """Answers one call. Never raises; every error is `{"code", "message", "field"}`."""
    if request.path == "/health" and request.method == "GET" and "live" in request.args:
        return _json(200, {"status": "alive"})
    return _json(
        404,
        {"code": "unknown_route", "message": f"there is no {request.method} {request.path}", "field": None},
    )


def _json(status: int, body: object) -> flask.Response:
    return flask.Response(json.dumps(body), status=status, mimetype="application/json")
