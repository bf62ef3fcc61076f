"""Decides which candidates become cards: each gate drops one kind of bad card and is counted by name.

    sentence    the sentence leans on its neighbours, talks to the reader, is a question or a fragment
    length      the question or the answer is too short or too long to be one fact
    ungrounded  the quote or the answer is not in the source
    leak        the question already contains its answer
    atomic      it asks for several things at once
    quality     several facts in one, hard to read, or code
    duplicate   asks what a better card asks
    over_limit  more cards than a text of this length deserves; the best ones stay

The candidates of the rules and those that a model proposed pass through the same gates. They differ in two
things: a rule makes its question out of the sentence, so the sentence has to stand by itself, while a model
words its own, so the question has to; and a model may rephrase an answer, which then has to come close to
words of the quote (`handlers.ai.cards.nearest`), while the answer of a rule or of a gap is literally there.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from handlers.ai.cards.candidates import GAP, MAX_DEFINITION_WORDS, Candidate
from handlers.ai.cards.compare import WORD, flat, normalise, numbers, similarity, stem
from handlers.ai.cards.nearest import WordIndex
from handlers.ai.cards.quality import LEAST_QUALITY, grade, is_written_card
from handlers.ai.cards.sentences import SENTENCE_WORDS, is_question_fit, is_sentence_fit
from handlers.ai.text.grammars import grammar_of
from handlers.ai.text.languages import stop_words

LONGEST_DECK = 40
WORDS_PER_CARD = 25
MAX_ANSWER_WORDS = 12
MAX_LISTED = 2  # commas in an answer: with three it is an enumeration
SIMILAR = 0.8  # Jaccard over the words of two questions

_SECOND_QUESTION = re.compile(
    r"\?.*\?|\b(?:and|und|et|y) (?:what|who|when|where|why|how|which|was|wer|wann|wo|warum|wie|que|qui|quand|où"
    r"|pourquoi|comment|qué|quién|cuándo|dónde|cómo)\b",
    re.I | re.S,
)


@dataclass(frozen=True)
class Graded:
    """A candidate that passed the gates that look at one card alone."""

    candidate: Candidate
    quality: float


@dataclass(frozen=True)
class _Kept:
    """A card in the deck, and what the next one has to differ from."""

    index: int
    card: Graded
    words: frozenset[str]
    numbers: frozenset[str]
    fact: tuple[str, str]  # the answer and what it was taken from


def choose(
    candidates: Sequence[Candidate], source: str, language: str | None
) -> tuple[list[Graded], dict[str, int]]:
    """The cards of a file in the order of the candidates, and how many of those each gate dropped."""
    dropped: Counter[str] = Counter()
    grounds = flat(source)
    passed: list[Graded] = []
    for candidate in candidates:
        reason = refuse(candidate, grounds, language)
        quality = 0.0 if reason else grade(candidate, language)
        reason = reason or ("quality" if quality < LEAST_QUALITY else None)
        if reason:
            dropped[reason] += 1
        else:
            passed.append(Graded(candidate, quality))
    limit = _limit(passed, len(grounds.split()))
    kept: list[_Kept] = []
    for index, card in sorted(enumerate(passed), key=lambda numbered: _worth(numbered[1])):
        entry = _entry(index, card, language)
        if any(_asks_the_same(entry, other) for other in kept):
            dropped["duplicate"] += 1
        elif len(kept) == limit:
            dropped["over_limit"] += 1
        else:
            kept.append(entry)
    return [entry.card for entry in sorted(kept, key=lambda entry: entry.index)], dict(dropped)


def refuse(candidate: Candidate, grounds: str, language: str | None) -> str | None:
    """The gate that a candidate fails by itself, if any. `grounds` is the source through `flat`."""
    grammar = grammar_of(language)
    is_proposal = candidate.rule == "proposal"
    fit = is_question_fit(candidate.front, grammar) if is_proposal else is_sentence_fit(candidate, grammar)
    if not fit:
        return "sentence"
    if not _is_length_fit(candidate):
        return "length"
    if not _is_grounded(candidate, grounds):
        return "ungrounded"
    if _leaks(candidate, language):
        return "leak"
    return "atomic" if is_proposal and _asks_for_several(candidate) else None


def says(text: str, answer: str, language: str | None) -> bool:
    """Whether a question or hint gives an answer away: as a whole, or all of its words that mean something."""
    asked, wanted = normalise(text.replace(GAP, " ")), normalise(answer)
    if f" {wanted} " in f" {asked} ":
        return True
    return _gives_words_away(asked.split(), wanted.split(), language)


def _gives_words_away(said: Sequence[str], wanted: Sequence[str], language: str | None) -> bool:
    """Single words may come back: "What is the capital of France?" is no leak of "a capital"."""
    ignored = stop_words(language)
    meant = {stem(word) for word in wanted if word not in ignored}
    return len(meant) > 1 and meant <= {stem(word) for word in said}


def _limit(passed: Sequence[Graded], words: int) -> int:
    """Few cards for little prose; what its writer defined, in a list or in a sentence, is a card already."""
    defined = {
        normalise(card.candidate.front): card.candidate.sentence.text
        for card in passed
        if _is_defined(card.candidate)
    }
    prose_words = words - sum(len(text.split()) for text in set(defined.values()))
    return max(1, min(LONGEST_DECK, len(defined) + math.ceil(prose_words / WORDS_PER_CARD)))


def _is_defined(candidate: Candidate) -> bool:
    return candidate.rule in ("definition", "abbreviation") or is_written_card(candidate)


def _worth(card: Graded) -> tuple[bool, bool, float]:
    candidate = card.candidate
    return not is_written_card(candidate), not _is_defined(candidate), -card.quality


def _entry(index: int, card: Graded, language: str | None) -> _Kept:
    front, candidate = normalise(card.candidate.front), card.candidate
    words = frozenset(front.split()) - grammar_of(language).articles
    fact = (normalise(candidate.back), normalise(candidate.sentence.text))
    return _Kept(index, card, words, numbers(front), fact)


def _asks_the_same(one: _Kept, other: _Kept) -> bool:
    """The same words but for articles, the same numbers among them; or the same answer out of the same sentence."""
    (answer, quote), (other_answer, other_quote) = one.fact, other.fact
    if answer == other_answer and (quote in other_quote or other_quote in quote):
        return True
    return one.numbers == other.numbers and similarity(one.words, other.words) >= SIMILAR


def _is_length_fit(candidate: Candidate) -> bool:
    answer, front = len(candidate.back.split()), len(WORD.findall(candidate.front))
    may_define = candidate.type == "basic" if candidate.rule == "proposal" else candidate.rule in _DEFINING
    longest = MAX_DEFINITION_WORDS if may_define else MAX_ANSWER_WORDS
    return 1 <= answer <= longest and 1 <= front <= max(SENTENCE_WORDS) and bool(normalise(candidate.back))


_DEFINING = ("entry", "definition")


def _is_grounded(candidate: Candidate, grounds: str) -> bool:
    quote = flat(candidate.sentence.text)
    if quote not in grounds:
        return False
    if candidate.rule != "proposal":
        return flat(candidate.back) in quote
    # A number that the file does not know was not learnt from it.
    return numbers(candidate.front) <= numbers(grounds) and _answers(candidate, quote)


def _answers(candidate: Candidate, quote: str) -> bool:
    said, answer = normalise(quote), normalise(candidate.back)
    if f" {answer} " in f" {said} " or flat(candidate.back) in quote:
        return True
    if candidate.type == "cloze":
        return False
    if f" {' '.join(map(stem, answer.split()))} " in f" {' '.join(map(stem, said.split()))} ":
        return True
    return WordIndex(quote).nearest(candidate.back) is not None


def _leaks(candidate: Candidate, language: str | None) -> bool:
    front, back = normalise(candidate.front.replace(GAP, " ")), normalise(candidate.back)
    if f" {back} " in f" {front} ":
        return True
    if candidate.rule == "proposal":
        return says(candidate.front, candidate.back, language)
    if candidate.rule == "abbreviation" or not candidate.term or candidate.rule == "gap":
        return False
    # "Carbon dioxide: a dioxide of carbon": an answer made of the question's own words explains nothing.
    ignored = stop_words(language)
    term = {stem(word) for word in normalise(candidate.term).split() if word not in ignored}
    answer = {stem(word) for word in back.split() if word not in ignored}
    return bool(term) and term <= answer


def _asks_for_several(candidate: Candidate) -> bool:
    if _SECOND_QUESTION.search(candidate.front) or "\n" in candidate.back:
        return True
    return candidate.back.count(";") > 0 or candidate.back.count(",") > MAX_LISTED
