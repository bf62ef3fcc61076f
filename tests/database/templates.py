"""Databases cloned from others."""

from __future__ import annotations

from typing import Any

import psycopg
from psycopg import sql

TEMPLATE = "crontick_template"


def clone(admin: psycopg.Connection[Any], name: str, template: str) -> None:
    admin.execute(
        sql.SQL("create database {} template {} owner postgres").format(
            sql.Identifier(name), sql.Identifier(template)
        )
    )
