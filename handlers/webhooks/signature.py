"""Signs a call by the convention of standardwebhooks.com, so that receivers need no code of ours."""

from __future__ import annotations

from datetime import datetime

from standardwebhooks import Webhook


def signed_headers(secret: str, call_id: str, now: datetime, body: str) -> dict[str, str]:
    """The three headers of the convention; with several secrets one signature of each, for rotation.

    `call_id` is the same for every attempt at one call: receivers know by it what they have seen already.
    """
    signatures = [Webhook(one).sign(call_id, now, body) for one in secret.split()]
    return {
        "webhook-id": call_id,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": " ".join(signatures),
    }
