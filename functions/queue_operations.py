"""What people change in the queue, and the sweeps they start. A part of `OperatorsQueue`.

Whatever an operator does goes through `operate`, which writes down who did it in the same transaction.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from functions.health_rows import FileSweep
from functions.operator_rows import Operation
from functions.queue_calls import QueueCalls

_NOT_TWICE = ("retry", "tick")  # a second retry would be refused, though the first one worked


class QueueOperations(QueueCalls):
    """Changes for operators; each is one HTTP call."""

    def operate(
        self,
        actor: str,
        action: Operation,
        parameters: Mapping[str, Any] | None = None,
        *,
        dry_run: bool = False,
    ) -> dict[str, Any]:
        """Does what `actor` asks for and returns what came of it; a dry run is undone, and writes nothing.

        `parameters` are those of the function underneath: enqueue takes an element of `enqueue_jobs`, retry and
        cancel a job_id, retry_failed and cancel_jobs the type and organisation, pause a reason. Raises
        `RequestRefused` where the queue says no: 22023 for what is wrong, PT409 for what cannot be done now.
        """
        wanted = {
            "actor": actor,
            "action": action,
            "parameters": dict(parameters or {}),
            "dry_run": dry_run,
        }
        again: dict[str, Any] | None = None if action in _NOT_TWICE and not dry_run else {}
        return self._call("operate", wanted, _object, again=again)

    def reconcile(self, *, restart: bool = False) -> FileSweep:
        """About a second of comparing Storage with the files we know. A repetition only goes on."""
        return self._call("reconcile_files", {"restart": restart}, FileSweep.model_validate, again={})

    def backfill(self, route: str, *, priority: int) -> FileSweep:
        """About a second of giving older files the jobs of a route that they lack. A repetition only goes on."""
        return self._call(
            "backfill_files", {"route": route, "priority": priority}, FileSweep.model_validate, again={}
        )


def _object(data: Any) -> dict[str, Any]:
    if not isinstance(data, dict):
        raise ValueError(f"expected an object, got {type(data).__name__}")
    return data
