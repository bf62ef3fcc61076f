"""Answers on their way out: JSON or bytes, with the headers that every answer of the jobs API carries."""

from __future__ import annotations

import json
from collections.abc import Mapping

import flask
from pydantic import BaseModel

_ALWAYS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Frame-Options": "DENY",
}
_UNLESS_SAID = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
}


def json_answer(status: int, body: object, headers: Mapping[str, str] | None = None) -> flask.Response:
    """JSON of plain values, a row or rows of the queue, or bytes that are JSON already."""
    content = body if isinstance(body, bytes) else as_bytes(body)
    return flask.Response(content, status=status, headers=headers, mimetype="application/json")


def as_bytes(body: object) -> bytes:
    plain = body.model_dump(mode="json") if isinstance(body, BaseModel) else body
    return json.dumps(plain, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode(
        "utf-8", "replace"
    )


def finished(response: flask.Response) -> flask.Response:
    """Adds the headers, and makes the answer count as streamed.

    Before any other the framework would read the whole request, however long and whoever sent it.
    """
    for name, value in _ALWAYS.items():
        response.headers[name] = value
    for name, value in _UNLESS_SAID.items():
        response.headers.setdefault(name, value)
    if not response.is_streamed:
        content = response.get_data()
        response.response = iter((content,))
        response.headers["Content-Length"] = str(len(content))  # werkzeug takes it off a 304 again
    return response
