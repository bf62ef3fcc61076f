"""What one process of the jobs API holds: settings, the queue, who may enter, and what readers share."""

from __future__ import annotations

import threading
from functools import cached_property
from typing import Any

from functions import log
from functions.admin.identity import Doorkeeper, Operator
from functions.admin.snapshot import Shared
from functions.job_queue import JobQueue
from functions.queue_tables import QueueTables
from functions.registry import Registry
from functions.settings import Settings, load_settings
from functions.supabase_client import SupabaseClient

_PATIENCE_SECONDS = 6.0  # people wait for these answers, and so do proxies with limits of their own


class Desk:
    """Threads share one; nothing is connected before the first question."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.client = SupabaseClient.from_settings(settings)
        self.queue: Any = JobQueue(self.client, patience_seconds=_PATIENCE_SECONDS)
        self.tables = QueueTables(self.client, patience_seconds=_PATIENCE_SECONDS)
        self.doorkeeper = Doorkeeper(settings)
        self.overviews: Shared[int, dict[str, Any]] = Shared(self._overview)

    @cached_property
    def registry(self) -> Registry:
        """The handlers of this deployment: what a trigger's parameters are held against."""
        return Registry(more=self.settings.handler_modules())

    def operate(
        self, operator: Operator, action: str, parameters: dict[str, Any], *, dry_run: bool = False
    ) -> dict[str, Any]:
        """Carries out one change, with its row in the audit trail; readers see it at once."""
        answer = as_plain(self.queue.operate(operator.actor, action, parameters, dry_run=dry_run))
        log.info(
            "operator_action", actor=operator.actor, action=action, dry_run=dry_run, job_id=_job_id(answer)
        )
        if not dry_run:
            self.overviews.forget()
        result: dict[str, Any] = answer
        return result

    def close(self) -> None:
        """Closes the connections."""
        self.client.close()
        self.doorkeeper.close()

    def _overview(self, hours: int) -> dict[str, Any]:
        answer: dict[str, Any] = as_plain(self.queue.overview(hours))
        return answer


def as_plain(answer: Any) -> Any:
    """An answer of the queue as JSON values, whether it came typed or as it is."""
    return answer.model_dump(mode="json") if hasattr(answer, "model_dump") else answer


def _job_id(answer: Any) -> int | None:
    return answer.get("job_id") if isinstance(answer, dict) else None


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
            log.configure(settings.log_level)
            _made.append(Desk(settings))
        return _made[0]
