"""Counts what the requests of a job used, and what that costs at the configured prices."""

from __future__ import annotations

from collections.abc import Iterable

from handlers.ai.settings import AiSettings
from handlers.outputs import AiUse

_MILLION = 1_000_000


def priced(use: AiUse, settings: AiSettings) -> AiUse:
    """The same with its cost, in the currency of the prices; without prices nobody knows it."""
    if settings.ai_price_input is None and settings.ai_price_output is None:
        return use
    cost = use.tokens_in * (settings.ai_price_input or 0) + use.tokens_out * (settings.ai_price_output or 0)
    return use.model_copy(update={"cost": cost / _MILLION})


def total(uses: Iterable[AiUse]) -> AiUse:
    """All together; the cost is unknown where none of them has one."""
    uses = list(uses)
    costs = [use.cost for use in uses if use.cost is not None]
    return AiUse(
        requests=sum(use.requests for use in uses),
        tokens_in=sum(use.tokens_in for use in uses),
        tokens_out=sum(use.tokens_out for use in uses),
        cost=sum(costs) if costs else None,
    )


def counted(value: object) -> int:
    """A number of tokens as the provider gives it; nonsense counts nothing."""
    return value if isinstance(value, int) and 0 < value < 10**9 else 0
