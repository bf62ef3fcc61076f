"""The OpenAPI 3.1 document of the jobs API, made from the route table and the models that check the requests."""

from __future__ import annotations

import functools
from importlib import metadata
from typing import Any, get_args

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from functions.admin.routes import PATH_PARAMETERS, ROUTES, Route
from functions.admin.schemas import Error
from functions.auth import RUNNER_HEADER

_SCHEMA = "#/components/schemas/{model}"
_MEANINGS = {
    400: "Something in the request is not as it should be; `field` says what",
    401: "Nobody is signed in: no token, one that is not valid, or a wrong secret",
    403: "Who is signed in is no admin of this project",
    404: "There is no such thing",
    409: "Things are not so that this could be done; `message` says why",
    413: "The body has more than 1 MB",
    500: "This failed unexpectedly, or the function is misconfigured; its log says why",
    502: "What this function had to ask did not answer as it should",
    503: "The database cannot be reached right now",
    504: "The worker took longer than 55 s; its jobs go on",
}
_DESCRIPTION = """What operators and admins look at and switch: the queue, its jobs and its files.

Sign in as a user of the project whose `app_metadata.role` is `admin`, or present the runner secret. Every
change leaves a row in the audit trail. Lists are read page by page: give the `next` of one answer as the
`cursor` of the next question; a page may be short and still have a next one."""


@functools.cache
def document() -> dict[str, Any]:
    """The whole document; the same for as long as the process runs."""
    paths: dict[str, dict[str, Any]] = {}
    for route in ROUTES:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "crontick jobs API",
            "version": metadata.version("crontick"),
            "description": _DESCRIPTION,
        },
        "paths": paths,
        "components": {
            "schemas": _schemas(),
            "securitySchemes": {
                "token": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "A Supabase user's access token, or the runner secret",
                },
                "runnerSecret": {"type": "apiKey", "in": "header", "name": RUNNER_HEADER},
            },
        },
    }


def _operation(route: Route) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": "_".join(
            (route.method.lower(), *route.path.replace("{", "").replace("}", "").strip("/").split("/"))
        ).replace("-", "_").replace(".", "_"),
        "summary": route.summary,
        "security": _security(route),
        "responses": _responses(route),
    }  # fmt: skip
    if parameters := [*map(_in_path, route.parameters), *_in_query(route)]:
        operation["parameters"] = parameters
    if route.body is not None:
        operation["requestBody"] = {
            "required": any(field.is_required() for field in route.body.model_fields.values()),
            "content": {"application/json": {"schema": _reference(route.body)}},
        }
    return operation


def _security(route: Route) -> list[dict[str, list[str]]]:
    if route.is_open:
        return []
    return [{"token": []}, {"runnerSecret": []}, *([{}] if route.open_with else [])]


def _responses(route: Route) -> dict[str, Any]:
    models = _models(route)
    if models:
        schemas = [_reference(model) for model in models]
        schema = schemas[0] if len(schemas) == 1 else {"anyOf": schemas}
        content: dict[str, Any] = {"application/json": {"schema": schema}}
    else:
        content = {str(route.answers): {}}
    statuses = {400, 500, *route.refuses}
    if not route.is_open:
        statuses |= {401, 403, 503}
    if route.body is not None:
        statuses.add(413)
    responses: dict[str, Any] = {"200": {"description": route.summary, "content": content}}
    refusal: dict[str, Any] = _reference(Error)
    for status in sorted(statuses):
        responses[str(status)] = {
            "description": _MEANINGS[status],
            "content": {"application/json": {"schema": refusal}},
        }
    if route.answers_503:
        either = {"anyOf": [refusal, _reference(route.answers_503)]}
        responses["503"]["content"] = {"application/json": {"schema": either}}
    return responses


def _models(route: Route) -> tuple[type[BaseModel], ...]:
    """What it may answer; none where that is no JSON."""
    if isinstance(route.answers, str):
        return ()
    return get_args(route.answers) or (route.answers,)


def _in_path(name: str) -> dict[str, Any]:
    schema = PATH_PARAMETERS[name].json_schema()
    return {"name": name, "in": "path", "required": True, "schema": schema}


def _in_query(route: Route) -> list[dict[str, Any]]:
    if route.query is None:
        return []
    described = route.query.model_json_schema()
    required = described.get("required", [])
    found = []
    for name, schema in described["properties"].items():
        one = {"name": name, "in": "query", "required": name in required, "schema": _bare(schema)}
        if text := schema.get("description"):
            one["description"] = text
        found.append(one)
    return found


def _bare(schema: dict[str, Any]) -> dict[str, Any]:
    """Without the null that stands for "not given": nobody can put one into a URL."""
    kept = {name: value for name, value in schema.items() if name not in ("title", "description")}
    if choices := [one for one in kept.pop("anyOf", []) if one != {"type": "null"}]:
        kept |= choices[0]
        kept.pop("default", None)
    return kept


def _schemas() -> dict[str, Any]:
    bodies = {route.body for route in ROUTES if route.body is not None}
    answers = {model for route in ROUTES for model in _models(route)} | {Error}
    names = sorted(bodies, key=lambda one: one.__name__) + sorted(answers, key=lambda one: one.__name__)
    _, found = models_json_schema(
        [(one, "validation" if one in bodies else "serialization") for one in names],
        ref_template=_SCHEMA,
    )
    schemas: dict[str, Any] = found["$defs"]
    return schemas


def _reference(model: type[BaseModel]) -> dict[str, str]:
    return {"$ref": _SCHEMA.format(model=model.__name__)}
