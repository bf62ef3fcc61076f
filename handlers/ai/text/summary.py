"""The best one to three sentences of a text, or a plain sentence of facts where there is no text.

A sentence scores by four things that a reader can check:

    frequent  how often its words, stop words left out, occur in the whole text
    early     writers say what a text is about at its beginning
    titled    words of the title or the headings
    defines   it says what something is
"""

# ruff: noqa: RUF001, RUF002
# Curly quotes and dashes are meant: they are what texts contain.

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

from handlers.ai.provider import ExtractedFile
from handlers.ai.text.grammars import grammar_of
from handlers.ai.text.languages import stop_words, words_of
from handlers.ai.text.sentences import points_away
from handlers.ai.text.structure import Sentence

MAX_SENTENCES = 3
MAX_CHARACTERS = 480
WORDS_PER_SENTENCE = 90  # of text: a note of 80 words gets one sentence


def summarise(sentences: Sequence[Sentence], language: str | None, titles: Sequence[str]) -> str | None:
    """Up to three sentences in reading order, `None` if no sentence can stand by itself."""
    fitting = [
        (index, sentence.text) for index, sentence in enumerate(sentences) if _fits(sentence, language)
    ]
    if not fitting:
        return None
    ignored = stop_words(language)
    texts = {index: _content_words(text, ignored) for index, text in fitting}
    frequency = Counter(word for words in texts.values() for word in words)
    titled = {word for title in titles for word in _content_words(title, ignored)}
    most = max(frequency.values(), default=0)
    scores = {
        index: _score(texts[index], frequency, most, titled, index, sentences[index], language)
        for index, _ in fitting
    }
    wanted = max(1, min(MAX_SENTENCES, sum(map(len, texts.values())) // (WORDS_PER_SENTENCE // 2)))
    return _join(_pick(scores, texts, sentences, wanted), sentences)


def state_facts(source: ExtractedFile) -> str:
    """What is known without understanding: "A picture in landscape format, 1600 × 1200 pixels." """
    noun = {"image": "picture", "pdf": "PDF", "video": "video", "audio": "sound recording", "text": "text"}
    parts = [f"A {noun[source.kind]}"]
    if source.width and source.height:
        if source.kind == "image":
            parts[0] += f" in {_format(source.width, source.height)} format"
        parts.append(f"{source.width} × {source.height} pixels")
    if source.duration_seconds:
        parts.append(f"{_duration(source.duration_seconds)} long")
    if source.pages and source.kind == "pdf":
        parts.append(f"{source.pages} page{'s' if source.pages != 1 else ''}")
    if not source.passages and source.kind == "pdf":
        parts.append("without readable text")
    return ", ".join(parts) + "."


def _format(width: int, height: int) -> str:
    ratio = width / height
    if 0.95 <= ratio <= 1.05:
        return "square"
    return "landscape" if ratio > 1 else "portrait"


def _fits(sentence: Sentence, language: str | None) -> bool:
    words = words_of(sentence.text)
    if sentence.kind != "prose" or not 5 <= len(words) <= 40 or len(sentence.text) > MAX_CHARACTERS:
        return False
    if not sentence.text[0].isupper() or not sentence.text.rstrip("\"'”’»)").endswith((".", "!", "。")):
        return False
    grammar = grammar_of(language)
    if words[0].lower() in grammar.leans_back or points_away(sentence.text):
        return False
    return (grammar.talks | grammar.reader).isdisjoint(word.lower() for word in words)


def _content_words(text: str, ignored: frozenset[str]) -> list[str]:
    return [word for word in words_of(text.lower()) if len(word) > 2 and word not in ignored]


def _score(
    words: Sequence[str],
    frequency: Counter[str],
    most: int,
    titled: set[str],
    index: int,
    sentence: Sentence,
    language: str | None,
) -> float:
    if not words:
        return 0.0
    top = math.log1p(most)
    frequent = sum(math.log1p(frequency[word]) for word in set(words)) / (len(set(words)) * top)
    early = 1 / (1 + index / 3)
    title = len(titled.intersection(words)) / max(1, len(titled))
    defines = any(f" {verb} " in sentence.text for verb in grammar_of(language).questions)
    return frequent + 0.8 * early + 0.6 * title + (0.3 if defines else 0.0)


def _pick(
    scores: dict[int, float], texts: dict[int, list[str]], sentences: Sequence[Sentence], wanted: int
) -> list[int]:
    """The best ones that do not repeat each other."""
    picked: list[int] = []
    room = MAX_CHARACTERS
    for index in sorted(scores, key=lambda index: (-scores[index], index)):
        words = set(texts[index])
        repeats = any(len(words & set(texts[other])) > 0.6 * len(words) for other in picked)
        if repeats or len(sentences[index].text) > room:
            continue
        picked.append(index)
        room -= len(sentences[index].text) + 1
        if len(picked) == wanted:
            break
    return sorted(picked)


def _join(indices: Sequence[int], sentences: Sequence[Sentence]) -> str:
    return " ".join(sentences[index].text for index in indices)


def _duration(seconds: float) -> str:
    whole = max(1, round(seconds))
    minutes, rest = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} second{'s' if rest != 1 else ''}"
