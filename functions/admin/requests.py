"""Reads a request: the query and the body become the models of their route, or a `Refusal` names the field."""

from __future__ import annotations

import json
from typing import Any, TypeVar

import flask
from pydantic import BaseModel, TypeAdapter, ValidationError

from functions import log
from functions.admin.refusals import Refusal, invalid
from functions.admin.values import problem_of

MAX_BODY_BYTES = 1_000_000

Model = TypeVar("Model", bound=BaseModel)


def read_query(request: flask.Request, model: type[Model]) -> Model:
    """The query; a key that is given twice or that the route does not know is refused."""
    given: dict[str, str] = {}
    for name, values in request.args.lists():
        if len(values) > 1:
            raise invalid(f"{_shown(name)}: is given {len(values)} times; give it once", _shown(name))
        given[name] = values[0]
    try:
        return model.model_validate(given)
    except ValidationError as error:
        raise _refused(error, model) from None


def read_path(name: str, kind: TypeAdapter[Any], value: str) -> Any:
    """One parameter out of the path."""
    try:
        return kind.validate_python(value)
    except ValidationError as error:
        raise invalid(f"{name}: {_sentence(error.errors()[0])}", name) from None


def read_body(request: flask.Request, model: type[Model]) -> Model:
    """The body, which may be missing where nothing in it is required."""
    content = _content(request)
    said = _parsed(content)
    if not isinstance(said, dict):
        raise invalid("the body should be a JSON object", None)
    try:
        return model.model_validate_json(content.strip() or b"{}")
    except ValidationError as error:
        raise _refused(error, model) from None


def _content(request: flask.Request) -> bytes:
    if (request.content_length or 0) > MAX_BODY_BYTES:
        raise _too_large()
    try:
        content = request.stream.read(MAX_BODY_BYTES + 1)  # a chunked body does not say how long it is
    except Exception as error:  # whatever the server says of a body that is cut off or wrongly chunked
        log.info("body_unreadable", error=type(error).__name__)
        raise invalid("the body could not be read", None) from None
    if len(content) > MAX_BODY_BYTES:
        raise _too_large()
    if len(content) < (request.content_length or 0):
        raise invalid("the body is shorter than its Content-Length says", None)
    return content


def _too_large() -> Refusal:
    return Refusal(413, "too_large", "the body may have 1 MB; put more into Storage and name its path")


def _parsed(content: bytes) -> Any:
    """As strict as it gets: UTF-8, no key twice, no NaN, nothing that Postgres could not store."""
    try:
        said = json.loads(
            content.strip().decode() or "{}", object_pairs_hook=_once, parse_constant=_no_number
        )
    except Refusal:
        raise
    except UnicodeDecodeError:
        raise _no_json("it is not UTF-8") from None
    except json.JSONDecodeError as error:
        raise _no_json(f"{error.msg} at line {error.lineno}, column {error.colno}") from None
    except (ValueError, RecursionError):
        raise _no_json("a number or the nesting in it is beyond all measure") from None
    if problem := problem_of(said):
        field, text = problem
        raise invalid(f"{_shown(field) or 'the body'}: {text}", _shown(field) or None)
    return said


def _no_json(why: str) -> Refusal:
    return Refusal(400, "invalid_json", f"the body is not JSON: {why}")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = _shown(next(name for name in names if names.count(name) > 1))
        raise invalid(f"{twice}: is in the body twice", twice)
    return found


def _no_number(name: str) -> Any:
    raise _no_json(f"{name} is no number in JSON")


def problem_in(error: ValidationError, model: type[BaseModel]) -> tuple[str | None, str]:
    """The first field that is wrong, None if it is not one field alone, and what is wrong with it."""
    problem = error.errors(include_url=False, include_input=False)[0]
    field = _shown(".".join(map(str, problem["loc"]))) or _named(problem)
    if problem["type"] == "extra_forbidden":
        known = ", ".join(model.model_fields) or "none at all"
        return field, f"there is no such field; there are: {known}"
    return field, _sentence(problem)


def _refused(error: ValidationError, model: type[BaseModel]) -> Refusal:
    field, text = problem_in(error, model)
    return invalid(f"{field}: {text}" if field else text, field)


def _named(problem: Any) -> str | None:
    """The field that a check of the whole model names, by raising `FieldProblem`."""
    raised = problem.get("ctx", {}).get("error")
    return raised.field if isinstance(raised, FieldProblem) else None


class FieldProblem(ValueError):  # noqa: N818 - it is what the field has
    """For checks of a whole model: which field is wrong, and how."""

    def __init__(self, field: str, text: str) -> None:
        super().__init__(text)
        self.field = field


def _sentence(problem: Any) -> str:
    if problem["type"] == "missing":
        return "is required"
    text: str = problem["msg"]
    return text.removeprefix("Value error, ").removeprefix("Input ")


def _shown(name: str) -> str:
    """A name that the caller chose, short and storable, for an error message."""
    clean = name.encode("utf-8", "replace").decode().replace("\x00", "?")
    return clean if len(clean) <= 80 else clean[:77] + "..."
