"""The default provider: title, language, summary, topics, key terms and cards without network or model.

Everything it says is taken from the text or counted in it; where it is unsure it says less.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from pathlib import PurePosixPath

from handlers.ai.cards.deck import make_cards
from handlers.ai.cards.gaps import proper_names
from handlers.ai.cards.known_terms import called_terms
from handlers.ai.cards.rules import find_terms
from handlers.ai.provider import Description, ExtractedFile
from handlers.ai.text.grammars import grammar_of
from handlers.ai.text.languages import detect_language, stop_words
from handlers.ai.text.structure import Block, Sentence, read_blocks, read_sentences
from handlers.ai.text.summary import state_facts, summarise
from handlers.contract import Context
from handlers.outputs import Analysis, Cards

MAX_TOPICS = 12
MAX_KEY_TERMS = 12
MAX_TITLE = 120

_NO_TITLE = re.compile(
    r"(?:untitled|unbenannt|sans titre|sin título|document|microsoft word|powerpoint|slide \d|presentation"
    r"|pdf)\b"
    r"|.*\.(?:docx?|pptx?|pdf|indd|tex|dvi|html?|jpe?g|png|mp4)$",
    re.I,
)
_STAMP = re.compile(r"^(?:[0-9a-f]{8}(?:-?[0-9a-f]{4}){3}-?[0-9a-f]{12}|\d{10,14})[-_ ]+", re.I)


class OfflineProvider:
    """Rules and word counts only: the same text always gives the same answer."""

    name = "offline"
    version = "offline"
    wants_pictures = False

    def analyze(self, source: ExtractedFile, ctx: Context) -> Description:  # noqa: ARG002
        """Describes a file from its text, or from its bare facts where it has none."""
        blocks = read_blocks(source.passages)
        sentences = read_sentences(blocks)
        language = detect_language(" ".join(block.text for block in blocks))
        headings = [block.text for block in blocks if block.kind == "heading"]
        title = _title(source, headings)
        return Description(
            title=title,
            summary=summarise(sentences, language, [title, *headings]) or _facts_with_text(source, blocks),
            language=language,
            topics=_topics(headings, title),
            key_terms=_key_terms(sentences, language),
        )

    def cards(self, analysis: Analysis, ctx: Context) -> Cards:  # noqa: ARG002
        """Cards by rules; see `card_rules` and `card_gates`."""
        return make_cards(analysis)


def _title(source: ExtractedFile, headings: Sequence[str]) -> str:
    """The file's own title, else its first heading, else its name made readable."""
    given = " ".join((source.title or "").split())[:MAX_TITLE]
    if len(given) > 2 and not _NO_TITLE.match(given):
        return given
    if headings:
        return headings[0][:MAX_TITLE]
    return readable_name(source.file_name)


def readable_name(file_name: str) -> str:
    """A file name as a title: "2024_cell-biology.notes.md" becomes "2024 cell biology notes"."""
    stem = PurePosixPath(file_name).stem or file_name
    words = re.sub(r"[\s_.+-]+", " ", _STAMP.sub("", stem)).strip() or stem
    return (words[0].upper() + words[1:])[:MAX_TITLE]


def _facts_with_text(source: ExtractedFile, blocks: Sequence[Block]) -> str:
    """The bare facts, and the first words of a text that has no whole sentence (a slide, a list)."""
    facts = state_facts(source)
    if source.kind == "text":
        facts = f"A text of {sum(len(block.text.split()) for block in blocks)} words."
    words = [
        block.text.replace("\t", ": ").rstrip(".;:, ")
        for block in blocks
        if block.kind != "heading" and len(block.text) <= 160
    ]
    words = words[:4]
    if not words:
        return facts
    return (
        f"{facts[:-1]}: {'; '.join(words)[:300]}."
        if source.kind == "text"
        else f"{facts[:-1]}, with the text: {'; '.join(words)[:300]}."
    )


def _topics(headings: Sequence[str], title: str) -> list[str]:
    unique: dict[str, str] = {}
    for heading in headings:
        unique.setdefault(heading.casefold(), heading[:MAX_TITLE])
    if len(unique) > 1:
        unique.pop(title.casefold(), None)
    return list(unique.values())[:MAX_TOPICS]


def _key_terms(sentences: Sequence[Sentence], language: str | None) -> list[str]:
    """Terms that the text defines first, then names it keeps coming back to."""
    defined = [candidate.term for candidate in find_terms(sentences, language) if candidate.term]
    counts: Counter[str] = Counter()
    for sentence in sentences:
        for start, end in proper_names(sentence.text[:1000], grammar_of(language)):
            counts[sentence.text[start:end]] += 1
    names = [name for name, count in counts.most_common(40) if count > 1 and len(name) > 3]
    ignored = stop_words(language)
    unique: dict[str, str] = {}
    for term in [*defined, *called_terms(sentences, language), *names]:
        if len(unique) == MAX_KEY_TERMS:
            break
        is_part = any(term.casefold() in longer.split() for longer in unique)
        if term.lower() not in ignored and len(term.split()) <= 5 and not is_part:
            unique.setdefault(term.casefold(), term)
    return list(unique.values())
