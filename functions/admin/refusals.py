"""What the jobs API refuses, and how it says so: `{"code", "message", "field"}` and a status, never a stack."""

from __future__ import annotations

import re

from functions.errors import (
    AnswerUnknown,
    ConfigurationError,
    CrontickError,
    KeysUnavailable,
    QueueUnavailable,
    RequestRefused,
)

_BAD_INPUT = "22"  # the class of SQLSTATEs that say that the caller has to change something
_CONFLICT = "PT409"
_MISSING = re.compile(r"\bthere is no (job|file) \d+")
_FIELD = re.compile(r"(?:^|: )([a-z][a-z_]{1,40})(?:[:\[]| is missing| may have| must )")


class Refusal(Exception):  # noqa: N818 - what the API does, not what went wrong in it
    """An answer that is an error. `code` is for programs, `message` for people, `field` what has to change."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        field: str | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.field = field
        self.headers = headers or {}

    def as_json(self) -> dict[str, str | None]:
        """The body; those who may not enter are told nothing more."""
        if self.status in (401, 403):
            return {"code": self.code}
        return {"code": self.code, "message": self.message, "field": self.field}


def unauthorized() -> Refusal:
    return Refusal(401, "unauthorized", "", headers={"WWW-Authenticate": "Bearer"})


def forbidden() -> Refusal:
    return Refusal(403, "forbidden", "")


def invalid(message: str, field: str | None) -> Refusal:
    """Bad input: a query, a path or a body that is not what the route takes."""
    return Refusal(400, "invalid", message, field=field)


def not_found(what: str, *, field: str | None = None) -> Refusal:
    return Refusal(404, "not_found", f"there is no {what}", field=field)


def refusal_of(error: CrontickError) -> Refusal:
    """What an error of the queue means to the caller of the API."""
    if isinstance(error, RequestRefused):
        return _of_database(error)
    if isinstance(error, AnswerUnknown):
        return Refusal(
            500,
            "misconfigured",
            "the database answered in a shape that this version does not know: "
            "deploy the version that fits the migrations; the function's log says more",
        )
    if isinstance(error, QueueUnavailable):
        return _unavailable("the database cannot be reached or is too slow right now; try again in a moment")
    if isinstance(error, KeysUnavailable):
        return _unavailable("the keys that tokens are signed with cannot be had right now; try again")
    if isinstance(error, ConfigurationError):
        return Refusal(500, "misconfigured", "the function is misconfigured; its log says how")
    return internal()


def internal() -> Refusal:
    return Refusal(500, "internal", "this failed unexpectedly; the function's log says why")


def _unavailable(message: str) -> Refusal:
    return Refusal(503, "unavailable", message, headers={"Retry-After": "5"})


def _of_database(error: RequestRefused) -> Refusal:
    said = error.said
    if error.sqlstate == _CONFLICT:
        return Refusal(409, "conflict", said)
    if not (error.sqlstate or "").startswith(_BAD_INPUT):
        return internal()
    if missing := _MISSING.search(said):
        return Refusal(404, "not_found", said, field=f"{missing[1]}_id")
    named = _FIELD.search(said)
    return invalid(said, named[1] if named else None)
