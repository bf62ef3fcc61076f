"""Finds the handler of a job by the job's type: the file `handlers/<type>.py` and the handler of that name.

Handlers are imported when their first job comes, so a tick never pays for decoders that it does not use.
"""

from __future__ import annotations

import importlib
import pkgutil

import handlers
from functions.errors import HandlerUnavailable
from functions.redact import message_of
from handlers.contract import Handler


class Registry:
    """The handlers of this deployment. A type comes from the database: only files that exist are imported."""

    def __init__(self, package: str = handlers.__name__) -> None:
        self._package = package
        self._found: dict[str, Handler] = {}

    def find(self, job_type: str) -> Handler:
        """The handler of that type. Raises `HandlerUnavailable` if it is missing or cannot be imported."""
        found = self._found.get(job_type)
        if found is None:
            if job_type not in self._modules():
                raise HandlerUnavailable(
                    f"no handler named {job_type} in this deployment; is a deploy under way? "
                    f"(it would be {self._package}/{job_type}.py)"
                )
            found = self._found[job_type] = self._load(job_type)
        return found

    def names(self) -> list[str]:
        """The job types that have a handler here: each module that holds a handler of its own name."""
        names = []
        for module in self._modules():
            try:
                names.append(self.find(module).job_type)
            except HandlerUnavailable:
                continue
        return names

    def _load(self, job_type: str) -> Handler:
        where = f"{self._package}/{job_type}.py"
        try:
            module = importlib.import_module(f"{self._package}.{job_type}")
        except (Exception, SystemExit) as error:
            raise HandlerUnavailable(
                f"{where} cannot be imported: {type(error).__name__}: {message_of(error)}; "
                "fix it and deploy again"
            ) from error
        found = getattr(module, job_type, None)
        if not isinstance(found, Handler):
            raise HandlerUnavailable(
                f"{where} has no handler named {job_type}; mark a function of that name with @handler"
            )
        return found

    def _modules(self) -> list[str]:
        package = importlib.import_module(self._package)
        return sorted(
            module.name
            for module in pkgutil.iter_modules(package.__path__)
            if not module.ispkg and not module.name.startswith("_")
        )
