"""What is read from the queue's tables and views as they are, without a function of the database between."""

from __future__ import annotations

from typing import Any

from pydantic import TypeAdapter

from functions.queue_answers import asked
from functions.queue_calls import QueueCalls

_ALL_OTHERS = "*"  # the policy of the types without one

_ROWS = TypeAdapter(list[dict[str, Any]]).validate_python


class QueueTables(QueueCalls):
    """For operators. Threads may share one."""

    def job_stats(self) -> list[dict[str, Any]]:
        """The rows of the view `job_stats`: how many jobs of each type stand where."""
        return self._read("job_stats", "*", order="type")

    def known_types(self) -> list[str]:
        """The job types that have a policy in `job_types`, whether or not this deployment runs them."""
        types = [str(row["type"]) for row in self._read("job_types", "type", order="type")]
        return [one for one in types if one != _ALL_OTHERS]

    def _read(self, table: str, columns: str, *, order: str) -> list[dict[str, Any]]:
        query = self._client.rest.from_(table).select(columns).order(order)
        return self._repeat(lambda _: asked(table, {}, lambda: query.execute().data, _ROWS), None)
