"""Picks the AI provider that the settings name."""

from __future__ import annotations

from handlers.ai.models.model_provider import ModelProvider
from handlers.ai.offline import OfflineProvider
from handlers.ai.provider import Provider
from handlers.ai.settings import AiSettings


def provider_of(settings: AiSettings) -> Provider:
    """The provider of AI_PROVIDER. What it lacks it says when it is asked."""
    return OfflineProvider() if settings.ai_provider == "offline" else ModelProvider(settings)
