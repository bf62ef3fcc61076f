"""What can go wrong between us and an AI provider, and what that makes of a job.

    Trouble
    ├── Misconfigured   an operator has to act: AI_API_KEY, AI_MODEL, AI_BASE_URL, ...; never has the key in it
    ├── Unavailable     this may pass by itself: too many requests, overload, time-outs, dropped connections
    ├── Unusable        the answers fit no schema, even after a repair
    ├── OutOfTime       there is no time left in this attempt to wait for another answer
    ├── FormRefused     the request's form is not understood: another rung of the ladder may be
    ├── NoPictures      the model does not take pictures
    └── TooLong         the material does not fit the model: its halves may

A refusal is none of these: it is an answer, and asking again would be paid again (see `service.Reply`).
"""

from __future__ import annotations

import math
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

LONGEST_WAIT_SECONDS = 3600.0


class Trouble(Exception):  # noqa: N818 - the family's name; each leaf says what it is
    """Base of all. `note` is for the file's owner, who reads it with a result that was made offline."""

    note = "ai: offline rules instead, the provider did not answer"


class Misconfigured(Trouble):
    """Nothing works until an operator changes the setting that it names."""

    def __init__(self, setting: str, sentence: str) -> None:
        super().__init__(f"{sentence}; check {setting}")
        self.setting = setting
        self.note = f"ai: offline rules instead, {setting} has to be corrected"


class Unavailable(Trouble):
    """The same request may be answered later; `after` is in seconds, where the provider said when."""

    def __init__(self, reason: str, *, after: float | None = None) -> None:
        super().__init__(reason)
        self.after = after


class Unusable(Trouble):
    """The provider answered, and twice not what it was asked for."""

    note = "ai: offline rules instead, the provider's answer could not be used"


class OutOfTime(Trouble):
    """The attempt ends before another answer could come."""


class FormRefused(Trouble):
    """The provider refuses the request as it was put, not what it says."""


class NoPictures(FormRefused):
    """It would take the request without the pictures."""


class TooLong(FormRefused):
    """It would take a shorter text."""


def seconds_of_retry_after(value: str | None, now: datetime | None = None) -> float | None:
    """The header Retry-After in seconds, given as seconds or as an HTTP date; at most an hour."""
    if not value:
        return None
    try:
        seconds = float(value)
    except ValueError:
        try:
            when = parsedate_to_datetime(value)
        except (ValueError, OverflowError):
            return None
        when = when if when.tzinfo else when.replace(tzinfo=UTC)
        seconds = (when - (now or datetime.now(UTC))).total_seconds()
    return min(max(seconds, 0.0), LONGEST_WAIT_SECONDS) if math.isfinite(seconds) else None
