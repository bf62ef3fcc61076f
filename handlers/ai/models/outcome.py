"""What a provider's trouble makes of a job: another try, or the offline rules with a note that says why."""

from __future__ import annotations

from handlers.ai.models.asking import Asker
from handlers.ai.models.trouble import Misconfigured, OutOfTime, Trouble, Unavailable, Unusable
from handlers.ai.settings import AiSettings
from handlers.contract import Context, Outcome, Retry, Snooze

PATIENCE_SECONDS = 900.0  # who is told to wait longer, and may fall back, does so at once
SOON_SECONDS = 5.0  # the next tick has time again


def falls_back(trouble: Trouble, settings: AiSettings, ctx: Context) -> bool:
    """Whether the offline rules take over now. What may pass is waited for, as long as there are attempts."""
    if settings.ai_fallback != "offline":
        return False
    if isinstance(trouble, Misconfigured | Unusable) or ctx.is_last_attempt:
        return True
    return isinstance(trouble, Unavailable) and (trouble.after or 0) > PATIENCE_SECONDS


def outcome_of(trouble: Trouble) -> Outcome:
    """An operator can correct what is misconfigured, so that is a retry as well."""
    after = SOON_SECONDS if isinstance(trouble, OutOfTime) else None
    if isinstance(trouble, Unavailable):
        # "At once" would use up all attempts within a tick: the job type's backoff knows better.
        after = trouble.after or None
    return Retry(f"ai: {trouble}", after=after)


def goes_on_later(trouble: Trouble, asker: Asker) -> Snooze | None:
    """A file of many parts takes several attempts: none is charged that brought it forward."""
    if isinstance(trouble, OutOfTime) and asker.progressed:
        return Snooze("ai: goes on with the parts that have no answer yet", seconds=0)
    return None
