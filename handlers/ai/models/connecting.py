"""Opens the service that the settings name; says which of them is missing before anything is sent."""

from __future__ import annotations

import importlib

from handlers.ai.models.service import Service
from handlers.ai.models.trouble import Misconfigured
from handlers.ai.settings import AiSettings


def connect(settings: AiSettings) -> Service:
    """The service, with its SDK imported only now. Raises `Misconfigured`."""
    provider = settings.ai_provider
    if settings.ai_model is None:
        raise Misconfigured("AI_MODEL", f"no model is set for {provider}")
    if settings.ai_api_key is None and settings.ai_base_url is None:
        raise Misconfigured("AI_API_KEY", f"no key is set for {provider}")
    name, service = {
        "openai": ("handlers.ai.models.openai_service", "OpenAiService"),
        "anthropic": ("handlers.ai.models.anthropic_service", "AnthropicService"),
    }[provider]
    try:
        module = importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name != provider:
            raise
        raise Misconfigured(
            "AI_PROVIDER",
            f"the package for {provider} is not installed (uv sync --extra {provider})",
        ) from None
    opened: Service = getattr(module, service)(settings, settings.ai_model)
    return opened
