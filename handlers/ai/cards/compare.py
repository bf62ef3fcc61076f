"""How texts are compared: by their words, whatever their case, spacing and punctuation."""

# ruff: noqa: RUF001
# Curly quotes are meant: they are what texts contain.

from __future__ import annotations

import re

from handlers.ai.text.languages import word_set

WORD = re.compile(r"[^\W_]+(?:['’-][^\W_]+)*")
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
_NEGATIONS = word_set(
    """
    not no never none nor neither without cannot nicht nie niemals kein keine keinen keiner keines ohne
    ne pas jamais aucun aucune sans nunca jamás ningún ninguna sin non mai
    """
)


def flat(text: str) -> str:
    """The text with every run of white space as one space, so that line breaks do not hide a quote."""
    return " ".join(text.split())


def normalise(text: str) -> str:
    """Lower case, one space between words, no punctuation: how questions are compared."""
    return " ".join(WORD.findall(text.lower()))


def fold(word: str) -> str:
    """A word without its case and with straight apostrophes."""
    return word.lower().replace("’", "'")


def stem(word: str) -> str:
    """A word without its plural, roughly."""
    return word[:-1] if len(word) > 3 and word.endswith("s") else word


def numbers(text: str) -> frozenset[str]:
    """The numbers in a text, as they are written."""
    return frozenset(_NUMBER.findall(text))


def says_no(text: str) -> bool:
    """Whether there is a negation in it: the one word that turns a quote round and hardly changes its letters."""
    return any(word in _NEGATIONS or word.endswith("n't") for word in map(fold, WORD.findall(text)))


def similarity(one: frozenset[str], other: frozenset[str]) -> float:
    """Jaccard: the share of words that two sets have in common, 0 to 1."""
    return len(one & other) / len(one | other) if one or other else 1.0
