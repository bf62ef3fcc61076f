"""Which AI provider describes files and writes cards, and what it may cost."""

from __future__ import annotations

from typing import Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator

ProviderName = Literal["offline", "openai", "anthropic"]


class AiSettings(BaseModel):
    """Offline by default: rules, no network. A provider needs a model, and mostly a key."""

    model_config = ConfigDict(frozen=True)

    ai_provider: ProviderName = Field(
        "offline",
        description="offline, openai (with AI_BASE_URL: whatever speaks its protocol) or anthropic",
    )
    ai_model: str | None = Field(None, description="The provider's name of the model, as gpt-4.1-mini")
    ai_api_key: SecretStr | None = Field(None, description="The provider's key; a local one needs none")
    ai_base_url: str | None = Field(
        None, description="Where the provider is: Gemini, Ollama, vLLM, OpenRouter, ... (default: its own)"
    )
    ai_fallback: Literal["none", "offline"] = Field(
        "none", description="offline: what the provider cannot do is done by rules and says degraded"
    )
    ai_timeout_seconds: float = Field(30, gt=0, description="How long one request to the provider may take")
    ai_max_output_tokens: int = Field(4_000, ge=256, description="The longest answer to ask for")
    ai_chunk_tokens: int = Field(2_500, ge=200, description="Longer files are sent in parts of this size")
    ai_max_chunks: int = Field(40, ge=1, description="At most so many parts of a file are sent")
    ai_parallel_requests: int = Field(
        4, ge=1, le=32, description="So many parts of one file are sent at the same time"
    )
    ai_send_pictures: bool = Field(True, description="Whether the provider gets to see pictures and scans")
    ai_price_input: float | None = Field(
        None, ge=0, description="Price of a million tokens sent: with it, what is spent is counted"
    )
    ai_price_output: float | None = Field(None, ge=0, description="Price of a million tokens answered")

    @field_validator("ai_base_url")
    @classmethod
    def _is_url(cls, value: str | None) -> str | None:
        parts = urlsplit(value or "https://default")
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("it has to be a URL such as https://api.example.com/v1")
        try:
            parts.hostname.encode("idna")
        except UnicodeError:
            raise ValueError(
                "its host cannot exist: each part between the dots has 1 to 63 characters"
            ) from None
        return value.rstrip("/") if value else None

    @field_validator("ai_api_key")
    @classmethod
    def _is_key(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not (
            value.get_secret_value().isascii() and value.get_secret_value().isprintable()
        ):
            raise ValueError("it has a character that no key has; copy it again")
        return value
