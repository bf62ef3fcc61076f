"""The OpenAPI document says of every route what it takes, gives and refuses."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from functions.admin.openapi import document
from functions.admin.routes import ROUTES, Route
from tests.unit.admin_calls import Api

# Of JSON Schema, what our models use. pydantic writes limits that it cannot translate under names of its own.
KEYWORDS = {
    "$ref", "additionalProperties", "allOf", "anyOf", "const", "default", "description", "enum", "format",
    "items", "maxItems", "maxLength", "maximum", "minItems", "minLength", "minimum", "not", "oneOf", "pattern",
    "properties", "required", "title", "type",
}  # fmt: skip


def operation(route: Route) -> dict[str, Any]:
    found: dict[str, Any] = document()["paths"][route.path][route.method.lower()]
    return found


def schemas(node: Any) -> Iterator[dict[str, Any]]:
    """Every schema in the document, the schemas within schemas included."""
    if isinstance(node, list):
        for one in node:
            yield from schemas(one)
    elif isinstance(node, dict):
        yield node
        for name, one in node.items():
            if name in ("properties", "$defs"):
                yield from schemas(list(one.values()))
            elif name not in ("default", "enum", "const", "required"):
                yield from schemas(one)


def test_it_is_open_and_names_every_route_once(api: Api) -> None:
    response = api.client.get("/openapi.json")
    assert response.status_code == 200
    assert response.json == json.loads(json.dumps(document()))
    operations = [one for path in document()["paths"].values() for one in path.values()]
    assert len(operations) == len(ROUTES) == len({one["operationId"] for one in operations})


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.method} {route.path}")
def test_every_route_says_who_may_and_what_may_go_wrong(route: Route) -> None:
    found = operation(route)
    statuses = set(found["responses"])
    assert {"200", "400", "500"} <= statuses
    assert ({"401", "403", "503"} <= statuses) is not route.is_open
    assert ("413" in statuses) is (route.body is not None)
    assert bool(found["security"]) is not route.is_open
    for status, response in found["responses"].items():
        if status != "200":
            schema = response["content"]["application/json"]["schema"]
            said = [one["$ref"] for one in schema.get("anyOf", [schema])]
            wanted = ["/Error", "/Health"] if (route.path, status) == ("/health", "503") else ["/Error"]
            assert ["/" + one.rpartition("/")[2] for one in said] == wanted


def test_limits_are_limits_in_json_schema_too() -> None:
    described = document()
    roots = list(described["components"]["schemas"].values())
    for path in described["paths"].values():
        for one in path.values():
            roots += [parameter["schema"] for parameter in one.get("parameters", [])]
    everything = list(schemas(roots))
    assert len(everything) > 200
    assert {name for schema in everything for name in schema} <= KEYWORDS


def test_what_a_query_may_be_is_told() -> None:
    route = next(route for route in ROUTES if route.path == "/jobs" and route.method == "GET")
    parameters = {one["name"]: one["schema"] for one in operation(route)["parameters"]}
    assert parameters["limit"] == {"type": "integer", "minimum": 1, "maximum": 200, "default": 50}
    assert parameters["status"]["enum"][0] == "waiting"
    assert "null" not in json.dumps(parameters)


def test_every_reference_leads_somewhere() -> None:
    text = json.dumps(document())
    for part in text.split('"#/components/schemas/')[1:]:
        assert part.partition('"')[0] in document()["components"]["schemas"]
