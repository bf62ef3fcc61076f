"""What one process of the jobs API holds: settings, the queue, who may enter, and what readers share."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from functions import log
from functions.admin.answers import as_bytes
from functions.admin.identity import Doorkeeper, Operator
from functions.admin.models import JobsQuery
from functions.admin.snapshot import Shared
from functions.operator_rows import HistoryHours, Operation
from functions.operators_queue import OperatorsQueue
from functions.queue_tables import QueueTables
from functions.registry import Registry
from functions.settings import Settings, load_settings
from functions.supabase_client import SupabaseClient

_LIST_SECONDS = 1.0  # open pages ask every three
_PATIENCE_SECONDS = 6.0  # people wait for these answers, and so do proxies with limits of their own


@dataclass(frozen=True)
class Overview:
    """What queue_overview answered: as JSON values, and as the bytes that every reader gets."""

    facts: dict[str, Any]
    content: bytes


class Desk:
    """Threads share one; nothing is connected before the first question."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.client = SupabaseClient.from_settings(settings)
        self.queue = OperatorsQueue(self.client, patience_seconds=_PATIENCE_SECONDS)
        self.tables = QueueTables(self.client, patience_seconds=_PATIENCE_SECONDS)
        self.doorkeeper = Doorkeeper(settings)
        self.overviews: Shared[HistoryHours, Overview] = Shared(self._overview)
        self.lists: Shared[JobsQuery, bytes] = Shared(self._list, shortest=_LIST_SECONDS)

    @cached_property
    def registry(self) -> Registry:
        """The handlers of this deployment: what a trigger's parameters are held against."""
        return Registry(more=self.settings.handler_modules())

    def operate(
        self, operator: Operator, action: Operation, parameters: dict[str, Any], *, dry_run: bool = False
    ) -> dict[str, Any]:
        """Carries out one change, with its row in the audit trail; readers see it at once."""
        answer = self.queue.operate(operator.actor, action, parameters, dry_run=dry_run)
        job_id = answer.get("job_id")
        log.info("operator_action", actor=operator.actor, action=action, dry_run=dry_run, job_id=job_id)
        if not dry_run:
            self.overviews.forget()
            self.lists.forget()
        return answer

    def close(self) -> None:
        """Closes the connections."""
        self.client.close()
        self.doorkeeper.close()

    def _list(self, query: JobsQuery) -> bytes:
        assert query.action != "stats"  # which is another table
        page = self.queue.list_jobs(query.action, query.filter(), page_size=query.limit, cursor=query.cursor)
        return as_bytes(page)

    def _overview(self, hours: HistoryHours) -> Overview:
        facts = self.queue.overview(hours).model_dump(mode="json")
        return Overview(facts, as_bytes(facts))


_making = threading.Lock()
_made: list[Desk] = []


def the_desk() -> Desk:
    """The process's own, made on the first request: never before a server forks.

    Raises `ConfigurationError`, each time until the settings are right.
    """
    with _making:
        if not _made:
            log.configure()
            settings = load_settings()
            log.configure(
                settings.log_level, project=settings.google_cloud_project, secrets=settings.secrets()
            )
            _made.append(Desk(settings))
        return _made[0]
