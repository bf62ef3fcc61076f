"""OpenAI's chat completions, and whatever speaks their protocol at AI_BASE_URL: Gemini, Ollama, vLLM, OpenRouter."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Any

import openai

from handlers.ai.models.answers import strict_schema
from handlers.ai.models.pricing import counted
from handlers.ai.models.prompts import in_words, repair_request
from handlers.ai.models.sdk import Filtered, http_client, json_of, our_errors, require_no_error, timeout_of
from handlers.ai.models.service import Finish, Question, Repair, Reply, Rung
from handlers.ai.models.trouble import Unusable
from handlers.ai.settings import AiSettings
from handlers.outputs import AiUse

OPENAI_URL = "https://api.openai.com/v1"
NO_KEY = "none"  # what a provider that needs no key gets


class OpenAiService:
    """One provider and model; made for one job and closed after it."""

    rungs: Sequence[Rung] = ("schema", "object", "prompt")

    def __init__(self, settings: AiSettings, model: str) -> None:
        self._settings = settings
        self._model = model
        self._base_url = settings.ai_base_url or OPENAI_URL
        self.place = f"{self._base_url} {model}"
        key = settings.ai_api_key.get_secret_value() if settings.ai_api_key else NO_KEY
        self._http = http_client("authorization", f"Bearer {key}")
        self._client = openai.OpenAI(
            api_key=key, base_url=self._base_url, max_retries=0, http_client=self._http
        )

    def ask(self, question: Question, rung: Rung, *, repair: Repair | None, seconds: float) -> Reply:
        try:
            with our_errors(openai, self._settings):
                response = self._client.chat.completions.with_raw_response.create(
                    model=self._model,
                    messages=_turns(question, rung, repair),
                    timeout=timeout_of(seconds),
                    extra_body=self._options(question, rung),
                ).http_response
            envelope = json_of(response.content, response.headers.get("content-type"))
            require_no_error(response, envelope, self._settings)
        except Filtered:
            return Reply("", "refused", AiUse(requests=1))
        return _reply(envelope)

    def close(self) -> None:
        self._http.close()

    def _options(self, question: Question, rung: Rung) -> dict[str, Any]:
        # OpenAI's newer models refuse max_tokens, and nobody else knows the other name for sure.
        longest = "max_completion_tokens" if self._base_url == OPENAI_URL else "max_tokens"
        options: dict[str, Any] = {longest: self._settings.ai_max_output_tokens}
        if rung == "object":
            options["response_format"] = {"type": "json_object"}
        if rung == "schema":
            schema = {
                "name": question.answer.__name__,
                "strict": True,
                "schema": strict_schema(question.answer),
            }
            options["response_format"] = {"type": "json_schema", "json_schema": schema}
            if "openrouter.ai" in self._base_url:
                options["provider"] = {"require_parameters": True}
        return options


def _turns(question: Question, rung: Rung, repair: Repair | None) -> list[Any]:
    rules = (
        question.instructions
        if rung == "schema"
        else f"{question.instructions}\n\n{in_words(question.answer)}"
    )
    content: Any = question.material
    if question.pictures:
        content = [{"type": "text", "text": question.material}]
        for picture in question.pictures:
            data = base64.b64encode(picture.jpeg).decode()
            content.append({"type": "image_url", "image_url": {"url": f"data:image/jpeg;base64,{data}"}})
    turns: list[Any] = [{"role": "system", "content": rules}, {"role": "user", "content": content}]
    if repair:
        turns.append({"role": "assistant", "content": repair.said})
        turns.append({"role": "user", "content": repair_request(repair.problem, question.answer)})
    return turns


def _reply(envelope: Mapping[str, Any]) -> Reply:
    try:
        choice = envelope["choices"][0]
        message = choice["message"]
        text, refusal = message.get("content"), message.get("refusal")
        reason = choice.get("finish_reason")
    except (KeyError, IndexError, TypeError, AttributeError):
        raise Unusable("the provider's answer has no choices") from None
    finish: Finish = "complete"
    if refusal or reason in ("content_filter", "refusal"):
        finish = "refused"
    elif reason in ("length", "max_tokens"):
        finish = "cut"
    return Reply(text if isinstance(text, str) else "", finish, _use(envelope))


def _use(envelope: Mapping[str, Any]) -> AiUse:
    usage = envelope.get("usage")
    usage = usage if isinstance(usage, dict) else {}
    return AiUse(
        requests=1,
        tokens_in=counted(usage.get("prompt_tokens")),
        tokens_out=counted(usage.get("completion_tokens")),
    )
