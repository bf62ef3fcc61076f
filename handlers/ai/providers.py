"""Picks the AI provider that the settings name."""

from __future__ import annotations

from handlers.ai.offline import OfflineProvider
from handlers.ai.provider import Provider
from handlers.ai.settings import AiSettings
from handlers.contract import Retry


def provider_of(settings: AiSettings) -> Provider:
    """The provider of AI_PROVIDER. Raises `Retry` where the settings do not suffice for it."""
    if settings.ai_provider == "offline":
        return OfflineProvider()
    raise Retry(f"AI_PROVIDER={settings.ai_provider} is not supported here")
