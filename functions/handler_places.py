"""Where handlers live: a package with one file per job type, as `handlers/`, or a module that holds several.

`handlers/` is always one of them; CRONTICK_HANDLERS names others, outside of this repository.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Sequence
from types import ModuleType
from typing import Protocol

from functions.errors import HandlerUnavailable
from functions.redact import message_of
from handlers.contract import Handler

_NO_HANDLERS = ("_", "test_", "conftest")  # files of a package that is tested in its own folder


class Place(Protocol):
    """Somewhere to look for a handler. Opening a place imports it, but none of a package's files."""

    def types(self) -> Sequence[str]:
        """The job types that may have a handler here."""
        ...

    def where(self, job_type: str) -> str:
        """What a person calls the place of that type's handler."""
        ...

    def load(self, job_type: str) -> list[Handler]:
        """The handlers of one of `types`: one, unless somebody made a mistake. Raises `HandlerUnavailable`."""
        ...


class HasNoHandler(HandlerUnavailable):
    """There is such a file, but it is something else; a file that cannot be imported is worse than that."""


class Folder:
    """A package whose files are named after job types; each is imported when its first job comes."""

    def __init__(self, package: ModuleType) -> None:
        self._package = package

    def types(self) -> list[str]:
        return sorted(
            module.name
            for module in pkgutil.iter_modules(self._package.__path__)
            if not module.ispkg and not module.name.startswith(_NO_HANDLERS)
        )

    def where(self, job_type: str) -> str:
        return f"{self._package.__name__.replace('.', '/')}/{job_type}.py"

    def load(self, job_type: str) -> list[Handler]:
        module = _import(f"{self._package.__name__}.{job_type}", self.where(job_type))
        found = getattr(module, job_type, None)
        if not isinstance(found, Handler):
            raise HasNoHandler(
                f"{self.where(job_type)} has no handler named {job_type}; "
                "mark a function of that name with @handler"
            )
        return [found]


class Collection:
    """A module with any number of handlers, each of the job type that its function is named after."""

    def __init__(self, module: ModuleType) -> None:
        self._module = module
        self._handlers = [value for value in vars(module).values() if isinstance(value, Handler)]

    def types(self) -> list[str]:
        return sorted({handler.job_type for handler in self._handlers})

    def where(self, job_type: str) -> str:
        return f"{self._module.__name__}:{job_type}"

    def load(self, job_type: str) -> list[Handler]:
        return [handler for handler in self._handlers if handler.job_type == job_type]


def open_place(name: str) -> Place:
    """Imports a module or package by its name. Raises `HandlerUnavailable` that says why it cannot."""
    if not all(part.isidentifier() for part in name.split(".")):
        raise HandlerUnavailable(
            f"CRONTICK_HANDLERS: {name} is not the name of a module; write package.module, without .py"
        )
    module = _import(name, f"CRONTICK_HANDLERS: {name}")
    return Folder(module) if hasattr(module, "__path__") else Collection(module)


def _import(name: str, where: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except (Exception, SystemExit) as error:
        top = name.partition(".")[0]
        is_not_found = isinstance(error, ModuleNotFoundError) and error.name == top
        remedy = (
            f"put the folder that holds {top} on PYTHONPATH" if is_not_found else "fix it and deploy again"
        )
        raise HandlerUnavailable(
            f"{where} cannot be imported: {type(error).__name__}: {message_of(error)}; {remedy}"
        ) from error
