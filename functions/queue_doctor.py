"""What an operator asks of a project as a whole, and joining a worker to it: a part of `OperatorsQueue`."""

from __future__ import annotations

from typing import Any

from pydantic import TypeAdapter

from functions.queue_calls import QueueCalls
from functions.repetition import TimeLeft

_OBJECT = TypeAdapter(dict[str, Any]).validate_python


class DoctorCalls(QueueCalls):
    """Answers stay JSON here: a tick must not pay for the types that only `functions.doctor` needs."""

    def inspect_project(
        self, *, snapshot_seconds: int = 300, time_left: TimeLeft | None = None
    ) -> dict[str, Any]:
        """The facts of `functions.doctor.facts.Facts`; `snapshot_seconds`: which open transactions are long."""
        parameters = {"snapshot_seconds": snapshot_seconds}
        return self._call("inspect_project", parameters, _OBJECT, again={}, time_left=time_left)

    def worker_answers(
        self, endpoint_secret: str, runner_secret: str, *, time_left: TimeLeft | None = None
    ) -> dict[str, Any]:
        """What becomes of a ping that the database sends to the worker. Up to 6 s."""
        parameters = {"endpoint_secret": endpoint_secret, "runner_secret": runner_secret}
        return self._call("worker_answers", parameters, _OBJECT, again={}, time_left=time_left)

    def connect_worker(self, **parameters: Any) -> dict[str, Any]:
        """Joins a worker to the project: {"steps": [{"what", "change", "paused"?}], "dry_run"}. Again is harmless."""
        return self._call("connect_worker", parameters, _OBJECT, again={})

    def forget_probe(self, path: str) -> dict[str, Any]:
        """Removes what a probe upload left behind: {"files", "jobs"}."""
        return self._call("forget_probe", {"path": path}, _OBJECT, again={})
