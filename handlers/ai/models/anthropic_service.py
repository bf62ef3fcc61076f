"""Anthropic's messages, through their own SDK: an extra, since few need it besides the OpenAI protocol."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Any

import anthropic

from handlers.ai.models.answers import strict_schema
from handlers.ai.models.pricing import counted
from handlers.ai.models.prompts import in_words, repair_request
from handlers.ai.models.sdk import Filtered, http_client, json_of, our_errors, timeout_of
from handlers.ai.models.service import Finish, Question, Repair, Reply, Rung
from handlers.ai.models.trouble import Unusable
from handlers.ai.settings import AiSettings
from handlers.outputs import AiUse

ANTHROPIC_URL = "https://api.anthropic.com"
NO_KEY = "none"
_FINISH: Mapping[object, Finish] = {
    "refusal": "refused",
    "max_tokens": "cut",
    "model_context_window_exceeded": "cut",
}


class AnthropicService:
    """One model; made for one job and closed after it. There is no "any JSON object" here, only a schema or none."""

    rungs: Sequence[Rung] = ("schema", "prompt")

    def __init__(self, settings: AiSettings, model: str) -> None:
        self._settings = settings
        self._model = model
        base_url = settings.ai_base_url or ANTHROPIC_URL
        self.place = f"{base_url} {model}"
        key = settings.ai_api_key.get_secret_value() if settings.ai_api_key else NO_KEY
        self._http = http_client("x-api-key", key)
        self._client = anthropic.Anthropic(
            api_key=key, base_url=base_url, max_retries=0, http_client=self._http
        )

    def ask(self, question: Question, rung: Rung, *, repair: Repair | None, seconds: float) -> Reply:
        options: dict[str, Any] = {}
        if rung == "schema":
            schema = strict_schema(question.answer)
            options["output_config"] = {"format": {"type": "json_schema", "schema": schema}}
        try:
            with our_errors(anthropic, self._settings):
                response = self._client.messages.with_raw_response.create(
                    model=self._model,
                    max_tokens=self._settings.ai_max_output_tokens,
                    system=_rules(question, rung),
                    messages=_turns(question, repair),
                    timeout=timeout_of(seconds),
                    **options,
                ).http_response
        except Filtered:
            return Reply("", "refused", AiUse(requests=1))
        return _reply(json_of(response.content, response.headers.get("content-type")))

    def close(self) -> None:
        self._http.close()


def _rules(question: Question, rung: Rung) -> str:
    return (
        question.instructions
        if rung == "schema"
        else f"{question.instructions}\n\n{in_words(question.answer)}"
    )


def _turns(question: Question, repair: Repair | None) -> list[Any]:
    content: list[Any] = [
        {
            "type": "image",
            "source": {
                "type": "base64",
                "media_type": "image/jpeg",
                "data": base64.b64encode(picture.jpeg).decode(),
            },
        }
        for picture in question.pictures
    ]
    turns: list[Any] = [{"role": "user", "content": [*content, {"type": "text", "text": question.material}]}]
    if repair:
        # An empty turn is refused, and so is one that ends in white space.
        turns.append({"role": "assistant", "content": repair.said.strip() or "{}"})
        turns.append({"role": "user", "content": repair_request(repair.problem, question.answer)})
    return turns


def _reply(envelope: Mapping[str, Any]) -> Reply:
    blocks = envelope.get("content")
    if not isinstance(blocks, list):
        raise Unusable("the provider's answer has no content")
    texts = [
        block["text"] for block in blocks if isinstance(block, dict) and isinstance(block.get("text"), str)
    ]
    reason = envelope.get("stop_reason")
    finish = _FINISH.get(reason, "complete") if isinstance(reason, str) else "complete"
    return Reply("".join(texts), finish, _use(envelope))


def _use(envelope: Mapping[str, Any]) -> AiUse:
    usage = envelope.get("usage")
    usage = usage if isinstance(usage, dict) else {}
    kinds = ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens")
    return AiUse(
        requests=1,
        tokens_in=sum(counted(usage.get(kind)) for kind in kinds),
        tokens_out=counted(usage.get("output_tokens")),
    )
