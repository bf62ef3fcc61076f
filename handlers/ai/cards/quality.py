"""How good a card is, without a model: one fact, a short answer, an easy question."""

# ruff: noqa: RUF001
# Dashes are meant: they are what texts contain.

from __future__ import annotations

import re

from handlers.ai.cards.candidates import Candidate
from handlers.ai.cards.compare import WORD

LEAST_QUALITY = 0.55
_TRUST = {
    "entry": 1.0,
    "definition": 0.95,
    "abbreviation": 1.0,
    "gap": 0.8,
    "name": 0.65,
    "proposal": 0.9,
}
_CODE = re.compile(
    r"\w=\w|=>|::|[{}\\]|\w\(\)|\w_\w|\w\.\w+\(|\w/\w[\w-]*[./]\w|\w\.(?:md|py|sql|sh|js|json|toml|ya?ml|html?|txt)\b"
)
_CLAUSE = re.compile(
    r"[;:]\s|\s[–—]\s|, (?:and|but|or|so|which|while|und|aber|oder|et|mais|ou|y|pero|o)\b", re.I
)


def trust(candidate: Candidate, language: str | None) -> float:
    """How often what this rule finds is a true and sensible card, 0 to 1: judged by reading."""
    is_guess = language is None or (candidate.rule == "entry" and not is_written_card(candidate))
    return round(_TRUST[candidate.rule] - (0.15 if is_guess else 0.0), 2)


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
    words = WORD.findall(candidate.front)
    long_words = sum(len(word) > 13 for word in words) / max(1, len(words))
    easy = (
        1.0
        - min(0.6, long_words)
        - (0.3 if len(words) > 25 else 0.0)
        - (0.2 if "(" in candidate.front else 0.0)
    )
    worth = trust(candidate, language) * (0.5 * max(0.0, facts) + 0.3 * short + 0.2 * max(0.0, easy))
    return round(max(0.0, min(1.0, worth)), 2)


def is_written_card(candidate: Candidate) -> bool:
    """What its writer noted as "Term: definition" is a card already."""
    is_question = candidate.type == "basic" or candidate.sentence.kind == "row"
    return candidate.rule == "entry" and is_question
