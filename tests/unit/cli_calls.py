"""Calls the command line as a person does, against the project and the function of the fixtures in conftest.py."""

from __future__ import annotations

from typer.testing import CliRunner, Result

from functions.cli import app

URL = "http://supabase.test"
FUNCTION = "http://function.test/"


def crontick(*arguments: str, stdin: str | None = None) -> Result:
    return CliRunner().invoke(app, list(arguments), input=stdin)
