"""Job type `create_cards`: the analysis of a file in, its cards out.

The last job of an upload's flow. It needs no bytes: `analyze_file` has read them, and its output waits
here as the parent's. A file without enough text has no cards, and that is a result.
"""

from __future__ import annotations

from handlers.ai.cards.schedule import new_schedule
from handlers.ai.providers import provider_of
from handlers.contract import Context, FilePayload, Job, handler
from handlers.outputs import Analysis, Cards
from handlers.settings import HandlerSettings


def _version(_: FilePayload, settings: HandlerSettings) -> str:
    return f"3 {provider_of(settings).version}"


@handler(timeout=120, reuse="parents", version=_version)
def create_cards(job: Job[FilePayload], ctx: Context) -> Cards:  # noqa: ARG001
    """Questions and answers whose every quote stands in the file, ready for their first review."""
    analysis = ctx.parent("analyze_file", Analysis)
    ctx.progress(0.1, "looking for facts")
    deck = provider_of(ctx.settings).cards(analysis, ctx)
    cards = [card.model_copy(update={"fsrs": new_schedule()}) for card in deck.cards]
    return deck.model_copy(update={"cards": cards})
