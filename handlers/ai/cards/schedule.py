"""Where a new card stands in the memory model FSRS, asked of the package that will schedule its reviews."""

from __future__ import annotations

import importlib
from functools import cache

from handlers.outputs import Schedule

_ANY_ID = 1  # without one, fsrs takes the time of day and sleeps to make it unique


@cache
def new_schedule() -> Schedule:
    """A card that nobody has seen yet. The database makes it due at once."""
    # Only a worker that makes cards needs the package, and not before it makes one.
    card = importlib.import_module("fsrs").Card(card_id=_ANY_ID)
    return Schedule(
        state=int(card.state), step=card.step, stability=card.stability, difficulty=card.difficulty
    )
