"""What the handlers can be told by the environment: the part of `functions.settings` that they get to see.

A handler reads it as `ctx.settings`. The project's keys are not in it.
"""

from __future__ import annotations

import httpx
from pydantic import Field, SecretStr, field_validator

from handlers.ai.settings import AiSettings
from handlers.media.limits import Limits
from handlers.webhooks.allowed_urls import parse_allowed
from handlers.webhooks.secret import check_secret

LARGEST_THUMBNAIL = 4096


class HandlerSettings(Limits, AiSettings):
    """Frozen; with the defaults of every field it is what a test needs."""

    thumbnail_sizes: str = Field(
        "256,1024", description="The boxes that thumbnails are fitted into, in pixels, separated by commas"
    )
    webhook_urls: str | None = Field(
        None, description="What call_webhook may call: beginnings of URLs, separated by commas"
    )
    webhook_secret: SecretStr | None = Field(
        None,
        description="What call_webhook signs with (whsec_..., see standardwebhooks.com); two while you rotate it",
    )

    @field_validator("thumbnail_sizes")
    @classmethod
    def _sizes(cls, value: str) -> str:
        sizes = [part.strip() for part in value.split(",")]
        if not all(size.isdecimal() and 16 <= int(size) <= LARGEST_THUMBNAIL for size in sizes):
            raise ValueError(f"it has to be numbers from 16 to {LARGEST_THUMBNAIL}, as 256,1024")
        return value

    @field_validator("webhook_urls")
    @classmethod
    def _beginnings(cls, value: str | None) -> str | None:
        for text in _listed(value):
            parse_allowed(text)
        return value

    @field_validator("webhook_secret")
    @classmethod
    def _signing_secret(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None:
            check_secret(value.get_secret_value())
        return value

    def allowed_webhooks(self) -> tuple[httpx.URL, ...]:
        """The beginnings of the addresses that call_webhook may call."""
        return tuple(parse_allowed(text) for text in _listed(self.webhook_urls))

    def sizes(self) -> tuple[int, ...]:
        """The boxes of the thumbnails, each once, the smallest first."""
        return tuple(sorted({int(size) for size in self.thumbnail_sizes.split(",")}))

    def limits(self) -> dict[str, float]:
        """The limits alone, as a decoder gets them through the sandbox: `limits=ctx.settings.limits()`."""
        return {name: getattr(self, name) for name in Limits.model_fields}


def _listed(value: str | None) -> list[str]:
    return [text.strip() for text in (value or "").split(",") if text.strip()]
