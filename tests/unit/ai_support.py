"""What the tests of AI providers share: a fake one, settings that point to it, and a file to ask about."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import SecretStr

from handlers.ai.models.model_provider import ModelProvider
from handlers.ai.provider import Description, ExtractedFile
from handlers.outputs import Analysis, Cards, Passage
from handlers.settings import HandlerSettings
from handlers.testing import FakeContext
from tests.fixtures.fake_openai import FakeProvider

Protocol = Literal["openai", "anthropic"]
PROTOCOLS: tuple[Protocol, ...] = ("openai", "anthropic")
KEY = "sk-test-0123456789abcdefghij"
NOTE = """# Cells

A ribosome is a machine that makes proteins from amino acids. The nucleus is the part that holds the DNA of the
cell. Cells were first described by Robert Hooke in 1665, when he looked at cork.
"""
ANSWER = {
    "title": "Cells",
    "language": "en",
    "summary": "About cells.",
    "topics": ["Biology"],
    "key_terms": ["DNA"],
}


def settings_for(fake: FakeProvider, protocol: Protocol = "openai", **more: Any) -> HandlerSettings:
    url = fake.base_url if protocol == "openai" else fake.anthropic_url
    values = {"ai_model": "small", "ai_api_key": SecretStr(KEY), "ai_base_url": url, **more}
    return HandlerSettings(ai_provider=protocol, **values)


def context(folder: Path, settings: HandlerSettings, **more: Any) -> FakeContext:
    return FakeContext(folder, settings=settings, **more)


def file_of(*texts: str, **more: Any) -> ExtractedFile:
    return ExtractedFile("text", "cells.md", [Passage(text=text) for text in texts or (NOTE,)], **more)


def analyze(ctx: FakeContext, source: ExtractedFile | None = None) -> Description:
    return ModelProvider(ctx.settings).analyze(source or file_of(), ctx)


def analysis_of(*texts: str, **more: Any) -> Analysis:
    return Analysis(
        kind="text",
        mime_type="text/markdown",
        title="Cells",
        language="en",
        summary="About cells.",
        content=[Passage(text=text) for text in texts or (NOTE,)],
        content_sha256="0" * 64,
        **more,
    )


def cards(ctx: FakeContext, analysis: Analysis | None = None) -> Cards:
    return ModelProvider(ctx.settings).cards(analysis or analysis_of(), ctx)
