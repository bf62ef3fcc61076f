"""What may become a card: a candidate of the rules or a model's proposal, and how a question is worded."""

# ruff: noqa: RUF001
# Curly quotes and dashes are meant: they are what texts contain.

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from handlers.ai.text.grammars import Grammar
from handlers.ai.text.structure import Sentence

Rule = Literal["entry", "definition", "abbreviation", "gap", "name", "proposal"]

GAP = "[…]"
MAX_TERM_WORDS = 6
MAX_DEFINITION_WORDS = 30
LONGEST_SENTENCE = 400  # characters; beyond that nothing is atomic, and the patterns stay cheap


_WORD = re.compile(r"[^\W_][\w'’-]*")


@dataclass(frozen=True)
class ProposedCard:
    """A card as a model answered it: nothing in it is believed before it went through the gates.

    The gap of a cloze is written as `[…]`, `[...]`, `___` or `{{c1::answer}}`. `page` and `time_s` only say
    where to look first: what counts is where the quote stands.
    """

    type: Literal["basic", "cloze"]
    front: str
    back: str
    hint: str | None = None
    tags: Sequence[str] = ()
    quote: str = ""
    page: int | None = None
    time_s: float | None = None
    difficulty: float = 0.5
    confidence: float = 0.5


@dataclass(frozen=True)
class Candidate:
    """A possible card, before the gates. `term` is what it teaches, where that is a term."""

    rule: Rule
    type: Literal["basic", "cloze"]
    front: str
    back: str
    sentence: Sentence
    term: str | None = None
    proposal: ProposedCard | None = None


class Casing:
    """How a text writes a word inside sentences: what tells "Photosynthesis" from "Paris"."""

    def __init__(self, sentences: Sequence[Sentence]) -> None:
        runs = [_WORD.findall(sentence.text) for sentence in sentences if sentence.kind != "row"]
        self._inside = {word for run in runs for word in run[1:]}
        self._pairs = {(run[at].lower(), run[at + 1].lower()) for run in runs for at in range(len(run) - 1)}

    def natural(self, subject: str, grammar: Grammar, meaning: str = "") -> str:
        """The subject as it would stand inside a sentence, by how the text writes it or by what it means."""
        first, _, rest = subject.partition(" ")
        lowered = first.lower()
        if lowered in grammar.articles or first.lower().startswith(("l'", "l’")):
            return lowered[0] + subject[1:]
        if not grammar.lowercase_nouns or not first[1:].islower():
            return subject
        if first in self._inside or not (rest.islower() or not rest):
            return subject
        is_concept = not grammar.concepts.isdisjoint(meaning.lower().split()[:5])
        return f"{lowered} {rest}".strip() if lowered in self._inside or is_concept else subject

    def article(self, term: str, grammar: Grammar, meaning: str) -> str:
        """The article that a listed term lacks: as the text writes it elsewhere, else by its kind (English)."""
        first = term.split()[0]
        if not term.islower() or not grammar.countable:
            return ""
        indefinite = "an" if first[0] in "aeiou" else "a"
        if (indefinite, first) in self._pairs:
            return f"{indefinite} "
        if ("the", first) in self._pairs and " " not in term:
            return "the "
        described = [word.strip(",.;") for word in meaning.lower().split()[:4]]
        return f"{indefinite} " if not grammar.countable.isdisjoint(described) else ""


def ask(template: str, subject: str) -> str:
    """The question with the subject in its place; French elides "que" before a vowel."""
    question = template.format(subject)
    return re.sub(r"\b(Q|q)ue (?=[aeiouyhéèêâîôûAEIOUÉÈ])", r"\1u'", question)


def describes(words: Sequence[str], grammar: Grammar) -> bool:
    """ "Organelles that ..." defines; "counted apart, so that ..." does not."""
    if words[0].lower() in grammar.prepositions:
        return False
    pairs = pairwise(words[:6])
    return any(word.lower() in grammar.relatives and before != "so" for before, word in pairs)
