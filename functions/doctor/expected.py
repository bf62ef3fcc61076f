"""What the migrations of this version make, from `expected.txt`: `kind name migration roles-that-may-execute` a line.

The file is made from the migrations, which are not part of an installed package; a test keeps the two together.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path

_LIST = Path(__file__).with_name("expected.txt")


@dataclass(frozen=True)
class ExpectedFunction:
    migration: str
    roles: frozenset[str]


@functools.cache
def functions() -> dict[str, ExpectedFunction]:
    """By name; there are no overloads."""
    return {
        name: ExpectedFunction(migration, frozenset(roles.split(",")) - {"-"})
        for kind, name, migration, roles in _rows()
        if kind == "function"
    }


@functools.cache
def tables() -> dict[str, str]:
    """Name and migration."""
    return {name: migration for kind, name, migration, _ in _rows() if kind == "table"}


def _rows() -> list[list[str]]:
    return [line.split() for line in _LIST.read_text().splitlines()]
