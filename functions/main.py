"""The HTTP edge: functions-framework loads this file by its path and calls one of its targets for every request:

cron_tick     works jobs off
jobs_admin    the jobs API and its dashboard, a function of its own

It is loaded as a module named `main`, so nothing imports it: a second import would run it twice. Every
path and method arrives here, and so may anybody: the secret is checked before a byte of the body is read.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import json
import threading
from typing import Any

import flask

from functions import log, shutdown, trace_context
from functions.auth import is_authorized
from functions.dispatch import parse_dispatch
from functions.errors import ConfigurationError, CrontickError, QueueUnavailable, RequestRefused
from functions.observer import Observer
from functions.redact import redact
from functions.reports import observer_for
from functions.settings import Settings, load_settings
from functions.tick_options import BadRequest, parse_body
from functions.worker import Worker

MAX_BODY_BYTES = 64 * 1024
BAD_INPUT = "22"  # the class of SQLSTATEs that say that the caller has to change something

_FLUSH_SECONDS = 2.0

_making_worker = threading.Lock()


def cron_tick(request: flask.Request) -> flask.Response:
    """Answers one call: `POST /` with the secret runs a tick or the job in its body; the rest is refused."""
    with trace_context.belonging_to(trace_context.trace_of_request(request.headers)):
        if request.path != "/":
            return _answer(404)
        if request.method != "POST":  # a redirected POST arrives as GET
            return _answer(405, headers={"Allow": "POST"})
        try:
            settings = _settings()
            if not is_authorized(request.headers, settings):
                return _answer(401)
            return _run(request, settings)
        except ConfigurationError as error:
            log.error("configuration_error", error=error)
            _report_trouble(error)
            return _answer(500, _error("the function is misconfigured; its log says how"))
        except Exception as error:
            log.error("tick_crashed", exception=error)
            _report_trouble(error)
            return _answer(500, _error("the tick failed unexpectedly; the function's log says why"))


def jobs_admin(request: flask.Request) -> flask.Response:
    """Answers one call of the jobs API. What it needs besides is loaded here: a tick does without."""
    with trace_context.belonging_to(trace_context.trace_of_request(request.headers)):
        response: flask.Response = importlib.import_module("functions.admin.app").answer(request)
        return response


def _run(request: flask.Request, settings: Settings) -> flask.Response:
    try:
        body = _read_body(request)
    except Exception as error:  # whatever the server says of a body that is cut off or wrongly chunked
        log.info("body_unreadable", error=type(error).__name__)
        return _answer(400, _error("body: could not be read"))
    if body is None:
        return _answer(413)
    try:
        answer = _answer_to(body, settings)
    except BadRequest as error:
        return _answer(400, _error(str(error)))
    except RequestRefused as error:
        log.error("tick_refused", error=error)
        return _answer(
            400 if (error.sqlstate or "").startswith(BAD_INPUT) else 500, _error(redact(str(error)))
        )
    except QueueUnavailable as error:
        log.error("queue_unavailable", error=error)
        return _answer(503, _error(redact(str(error))))
    except CrontickError as error:
        log.error("tick_refused", error=error)
        _report_trouble(error)
        return _answer(500, _error(redact(str(error))))
    return _answer(200, answer)


def _answer_to(body: bytes, settings: Settings) -> dict[str, Any]:
    """Runs the job that the body holds, or else a tick; a ping reaches neither the worker nor the database."""
    if dispatch := parse_dispatch(body, backend=settings.job_queue_backend):
        return _worker().dispatch(dispatch.job, force=dispatch.force, stop=shutdown.stop).as_json()
    options = parse_body(body, default_limit=settings.tick_batch_size)
    if options.ping:
        pong: dict[str, Any] = importlib.import_module("functions.ping").ping_answer(settings)
        return pong
    return _worker().tick(options, stop=shutdown.stop).as_json()


def _read_body(request: flask.Request) -> bytes | None:
    """The body, or None if it is larger than a tick's body can be; then the rest of it stays unread."""
    if (request.content_length or 0) > MAX_BODY_BYTES:
        return None
    body = request.stream.read(MAX_BODY_BYTES + 1)  # a chunked body does not say how long it is
    return body if len(body) <= MAX_BODY_BYTES else None


@functools.cache
def _settings() -> Settings:
    log.configure()
    settings = load_settings()
    log.configure(settings.log_level, project=settings.google_cloud_project, secrets=settings.secrets())
    return settings


@functools.cache
def _observer() -> Observer:
    return observer_for(_settings())


def _report_trouble(error: Exception) -> None:
    """Tells whoever observes the function, unless it is the settings themselves that cannot be read."""
    with contextlib.suppress(ConfigurationError):
        _observer().trouble(error)
        _observer().flush(_FLUSH_SECONDS)


def _worker() -> Worker:
    with _making_worker:
        return _only_worker()


@functools.cache
def _only_worker() -> Worker:
    return Worker(_settings(), _observer())


def _error(text: str) -> dict[str, Any]:
    return {"status": "error", "error": text}


def _answer(
    status: int, body: dict[str, Any] | None = None, headers: dict[str, str] | None = None
) -> flask.Response:
    """An answer that counts as streamed: before any other the framework would read the whole request."""
    content = b"" if body is None else json.dumps(body).encode()
    response = flask.Response(iter((content,)), status=status, headers=headers, mimetype="application/json")
    response.headers["Content-Length"] = str(len(content))
    if body is None:
        del response.headers["Content-Type"]
    return response
