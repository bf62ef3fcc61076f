"""The views that are open to everybody: the dashboard's files and the API's own description."""

from __future__ import annotations

import importlib

import flask

from functions.admin.refusals import Refusal


def dashboard() -> flask.Response:
    return asset(asset="")


def config() -> flask.Response:
    return asset(asset="config.json")


def asset(*, asset: str) -> flask.Response:
    found: flask.Response | None = importlib.import_module("functions.admin.assets").asset(asset)
    if found is None:
        raise Refusal(404, "not_found", "the dashboard has no such file", field="asset")
    return found


def document() -> object:
    """Made of the route table, which holds this view itself: hence the late import."""
    described: object = importlib.import_module("functions.admin.openapi").document()
    return described
