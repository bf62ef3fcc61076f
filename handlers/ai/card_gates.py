"""Decides which candidates become cards: each gate drops one kind of bad card and is counted by name.

    sentence    the sentence leans on its neighbours, talks to the reader, is a question or a fragment
    length      the question or the answer is too short or too long to be one fact
    ungrounded  the answer or the quote is not literally in the source
    leak        the question already contains its answer
    quality     several facts at once, hard to read, or code
    duplicate   asks what a better card asks
    over_limit  more cards than a text of this length deserves; the best ones stay

Nothing in them is about rules: candidates that a model proposes can pass through the same gates.
"""

# ruff: noqa: RUF001
# Curly quotes and dashes are meant: they are what texts contain.

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from handlers.ai.candidates import GAP, MAX_DEFINITION_WORDS, Candidate
from handlers.ai.grammars import Grammar, grammar_of
from handlers.ai.languages import stop_words, word_set
from handlers.ai.sentences import points_away

LONGEST_DECK = 40
WORDS_PER_CARD = 25
LEAST_QUALITY = 0.55
MAX_ANSWER_WORDS = 12
SENTENCE_WORDS = range(5, 41)
SIMILAR = 0.8  # Jaccard over the words of two questions

_WORD = re.compile(r"[^\W_]+(?:['’-][^\W_]+)*")
PERSONS = word_set("he she him er ihn ihm él ella")
THINGS = word_set("it they them es sie ils elles ellos ellas")
_CODE = re.compile(
    r"\w=\w|=>|::|[{}\\]|\w\(\)|\w_\w|\w\.\w+\(|\w/\w[\w-]*[./]\w|\w\.(?:md|py|sql|sh|js|json|toml|ya?ml|html?|txt)\b"
)
_CLAUSE = re.compile(
    r"[;:]\s|\s[–—]\s|, (?:and|but|or|so|which|while|und|aber|oder|et|mais|ou|y|pero|o)\b", re.I
)


@dataclass(frozen=True)
class Graded:
    """A candidate that passed the gates that look at one card alone."""

    candidate: Candidate
    quality: float


@dataclass(frozen=True)
class _Kept:
    """A card in the deck, and the words that the next one has to differ from."""

    index: int
    card: Graded
    words: frozenset[str]


def normalise(text: str) -> str:
    """Lower case, one space between words, no punctuation: how questions are compared."""
    return " ".join(_WORD.findall(text.lower()))


def choose(
    candidates: Sequence[Candidate], source: str, language: str | None
) -> tuple[list[Graded], dict[str, int]]:
    """The cards of a file in reading order, and how many candidates each gate dropped."""
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
        words = frozenset(normalise(card.candidate.front).split())
        if any(_similarity(words, other.words) >= SIMILAR for other in kept):
            dropped["duplicate"] += 1
        elif len(kept) == limit:
            dropped["over_limit"] += 1
        else:
            kept.append(_Kept(index, card, words))
    return [entry.card for entry in sorted(kept, key=lambda entry: entry.index)], dict(dropped)


def _limit(passed: Sequence[Graded], words: int) -> int:
    """Few cards for little prose; what its writer noted as "Term: definition" is a card already."""
    written = {
        normalise(card.candidate.front): len(card.candidate.sentence.text.split())
        for card in passed
        if _is_written_card(card.candidate)
    }
    prose_words = words - sum(written.values())
    return max(1, min(LONGEST_DECK, len(written) + math.ceil(prose_words / WORDS_PER_CARD)))


def _worth(card: Graded) -> tuple[bool, float]:
    return not _is_written_card(card.candidate), -card.quality


def _is_written_card(candidate: Candidate) -> bool:
    is_question = candidate.type == "basic" or candidate.sentence.kind == "row"
    return candidate.rule == "entry" and is_question


def refuse(candidate: Candidate, grounds: str, language: str | None) -> str | None:
    """The gate that a candidate fails by itself, if any. `grounds` is the source through `flat`."""
    if not _is_sentence_fit(candidate, grammar_of(language)):
        return "sentence"
    if not _is_length_fit(candidate):
        return "length"
    quote = flat(candidate.sentence.text)
    if flat(candidate.back) not in quote or quote not in grounds:
        return "ungrounded"
    return "leak" if _leaks(candidate, language) else None


def flat(text: str) -> str:
    """The text with every run of white space as one space, so that line breaks do not hide a quote."""
    return " ".join(text.split())


def grade(candidate: Candidate, language: str | None) -> float:
    """Quality from 0 to 1: one fact (half of it), a short answer, an easy question."""
    asked = candidate.back if candidate.type == "basic" else candidate.front
    if _CODE.search(candidate.front) or _CODE.search(candidate.back):
        return 0.0
    listed = max(0, candidate.back.count(",") - 1)
    facts = (
        1.0 - 0.3 * len(_CLAUSE.findall(asked)) - (0.2 if len(asked.split()) > 20 else 0.0) - 0.15 * listed
    )
    length = len(candidate.back.split())
    short = 1.0 if length <= 10 else 0.7 if length <= 20 else 0.4
    words = _WORD.findall(candidate.front)
    long_words = sum(len(word) > 13 for word in words) / max(1, len(words))
    easy = (
        1.0
        - min(0.6, long_words)
        - (0.3 if len(words) > 25 else 0.0)
        - (0.2 if "(" in candidate.front else 0.0)
    )
    trust = {"entry": 1.0, "definition": 0.95, "abbreviation": 1.0, "gap": 0.8, "name": 0.65}[candidate.rule]
    if language is None or (candidate.rule == "entry" and not _is_written_card(candidate)):
        trust -= 0.15
    return round(max(0.0, min(1.0, trust * (0.5 * max(0.0, facts) + 0.3 * short + 0.2 * max(0.0, easy)))), 2)


def _is_sentence_fit(candidate: Candidate, grammar: Grammar) -> bool:
    text = candidate.sentence.text
    if text.count("(") != text.count(")") or candidate.back.count("(") != candidate.back.count(")"):
        return False
    if candidate.rule == "entry":
        return not points_away(text) and not text.endswith(("?", "…"))
    words = [word.lower() for word in _WORD.findall(text)]
    if len(words) not in SENTENCE_WORDS or points_away(text) or text.rstrip("\"'”»)").endswith("?"):
        return False
    if not (text[0].isupper() or text[0].isdigit()) or not _is_complete(candidate, grammar, words):
        return False
    if candidate.rule == "abbreviation":
        return True
    talk = grammar.talks | grammar.reader if candidate.rule in ("gap", "name") else grammar.talks
    if words[0] in grammar.leans_back or not talk.isdisjoint(words):
        return False
    return not _has_lone_pronoun(text, grammar)


def _is_complete(candidate: Candidate, grammar: Grammar, words: Sequence[str]) -> bool:
    """Running text has to end like a sentence; a list item may also just contain a verb."""
    if re.search(r"[.!。！][\"'”’»)\]]*$", candidate.sentence.text):
        return True
    return candidate.sentence.is_whole and any(verb.split()[0] in words for verb in grammar.questions)


def _has_lone_pronoun(text: str, grammar: Grammar) -> bool:
    """Whether the first pronoun comes before anything it could stand for ("In 1804 he ...")."""
    tokens = _WORD.findall(text)
    for index, token in enumerate(tokens):
        pronoun = token.lower()
        if pronoun in PERSONS or pronoun in THINGS:
            before = [word for word in tokens[:index] if word.lower() not in grammar.prepositions]
            named = any(word[0].isupper() and word.lower() not in grammar.months for word in before)
            thing = any(word.lower() in grammar.articles or word.endswith("s") for word in before)
            return not (named if pronoun in PERSONS or not grammar.lowercase_nouns else thing)
    return False


def _is_length_fit(candidate: Candidate) -> bool:
    answer, front = len(candidate.back.split()), len(_WORD.findall(candidate.front))
    longest = MAX_DEFINITION_WORDS if candidate.rule in ("entry", "definition") else MAX_ANSWER_WORDS
    return 1 <= answer <= longest and 1 <= front <= max(SENTENCE_WORDS) and bool(normalise(candidate.back))


def _leaks(candidate: Candidate, language: str | None) -> bool:
    front, back = f" {normalise(candidate.front.replace(GAP, ' '))} ", normalise(candidate.back)
    if f" {back} " in front:
        return True
    if candidate.rule == "abbreviation" or not candidate.term or candidate.rule == "gap":
        return False
    # "Carbon dioxide: a dioxide of carbon": an answer made of the question's own words explains nothing.
    ignored = stop_words(language)
    term = {_stem(word) for word in normalise(candidate.term).split() if word not in ignored}
    answer = {_stem(word) for word in back.split() if word not in ignored}
    return bool(term) and term <= answer


def _stem(word: str) -> str:
    return word[:-1] if len(word) > 3 and word.endswith("s") else word


def _similarity(one: frozenset[str], other: frozenset[str]) -> float:
    return len(one & other) / len(one | other) if one or other else 1.0
