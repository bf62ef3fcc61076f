"""One request to the jobs API, from its path to its answer.

    path and method → who asks → query and body → the view → JSON

Nothing of a body is read before its sender is admitted. Every error is `{"code", "message", "field"}`.
"""

from __future__ import annotations

from typing import Any

import flask

from functions import log
from functions.admin import reads
from functions.admin.answers import finished, json_answer
from functions.admin.call import Call
from functions.admin.desk import the_desk
from functions.admin.refusals import Refusal, forbidden, internal, refusal_of, unauthorized
from functions.admin.requests import read_body, read_path, read_query
from functions.admin.routes import PATH_PARAMETERS, Route, find
from functions.errors import ConfigurationError, CrontickError, NotAllowed, NotSignedIn, RequestRefused


def answer(request: flask.Request) -> flask.Response:
    """Answers one call. Never raises."""
    try:
        response = _answer(request)
    except Exception as error:
        refusal = _refusal(error)
        response = json_answer(refusal.status, refusal.as_json(), refusal.headers)
    return finished(response)


def _answer(request: flask.Request) -> flask.Response:
    if "%2f" in request.environ.get("RAW_URI", "").partition("?")[0].lower():
        raise Refusal(404, "unknown_route", "there is no such path; none has an encoded slash in it")
    route, texts = find(request.method, request.path)
    if route.is_open:
        return _as_response(route.view(**_arguments(request, route, texts)))
    if route.open_with is not None and route.open_with in request.args:
        _arguments(request, route, texts)
        return _as_response(reads.alive())
    desk = the_desk()
    call = Call(desk, desk.doorkeeper.admit(request.headers))
    return _as_response(route.view(call, **_arguments(request, route, texts)))


def _arguments(request: flask.Request, route: Route, texts: dict[str, str]) -> dict[str, Any]:
    """What the view takes besides the call. Raises a `Refusal` for what is not as the route wants it."""
    arguments = {name: read_path(name, PATH_PARAMETERS[name], text) for name, text in texts.items()}
    query = read_query(request, route.takes_query)
    if route.query is not None:
        arguments["query"] = query
    if route.body is not None:
        arguments["body"] = read_body(request, route.body)
    return arguments


def _as_response(said: object) -> flask.Response:
    return said if isinstance(said, flask.Response) else json_answer(200, said)


def _refusal(error: Exception) -> Refusal:
    match error:
        case Refusal():
            return error
        case NotSignedIn():
            log.info("admin_refused", error=error)
            return unauthorized()
        case NotAllowed():
            log.info("admin_refused", error=error)
            return forbidden()
        case ConfigurationError():
            log.error("configuration_error", error=error)
        case CrontickError():
            say = log.info if isinstance(error, RequestRefused) else log.error
            say("admin_call_failed", error=error)
        case _:
            log.error("admin_crashed", exception=error)
            return internal()
    return refusal_of(error)
