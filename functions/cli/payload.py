"""What `enqueue` and `dispatch` are told about a job, and where its payload comes from."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from functions.cli.terminal import Misuse

JobType = Annotated[
    str, typer.Argument(metavar="TYPE", show_default=False, help="Job type: a file in handlers/.")
]
OwnerOrg = Annotated[
    str,
    typer.Option("--org", metavar="ORG", help="Organisation that the job belongs to.", show_default=False),
]
Payload = Annotated[
    str, typer.Option(metavar="JSON", help="A JSON object, @FILE with one in it, or - for stdin.")
]
Key = Annotated[
    str | None,
    typer.Option(
        metavar="KEY", help="Idempotency key. Default: the same work is one job.", show_default=False
    ),
]


def read_payload(text: str) -> dict[str, Any]:
    """The payload that an option's text means. Raises `Misuse` for what is no JSON object."""
    source = "--payload"
    if text == "-":
        source, text = "stdin", sys.stdin.read()
    elif text.startswith("@"):
        source, text = text[1:], _content(Path(text[1:]))
    try:
        value = json.loads(text)
    except json.JSONDecodeError as error:
        raise Misuse(
            f"{source} is not JSON: {error.msg} (line {error.lineno}, column {error.colno})",
            """Write it as --payload '{"name": "value"}', or put it into a file: --payload @payload.json""",
        ) from error
    if not isinstance(value, dict):
        raise Misuse(f"{source} is not a JSON object", """Wrap it: {"items": [...]}""")
    return value


def _content(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise Misuse(
            f"cannot read the payload from {path}: {error}", "Check the path after the @."
        ) from error
