"""Card rule 3: "long form (ABC)", where the letters have to come from the words before the bracket."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from handlers.ai.languages import word_set

_SHORT_FORM = re.compile(r"\(([^\W\d_][\w.&/-]{1,9})\)")
LINK_WORDS = word_set("of the and for in on to de la le les des du et y e der die das und für von")
_QUOTES = "\"'“”„«»,"


def find_abbreviations(text: str) -> Iterator[tuple[str, str]]:
    """The short forms of a sentence, each with the words that it stands for."""
    for match in _SHORT_FORM.finditer(text):
        short = match[1]
        if sum(character.isupper() for character in short) < 2:
            continue
        long_form = _long_form(text[: match.start()].split(), short)
        if long_form:
            yield short, long_form


def _long_form(before: Sequence[str], short: str) -> str | None:
    """The shortest run of words just before the bracket whose letters spell the short form."""
    letters = [character.lower() for character in short if character.isalnum()]
    if short.endswith("s") and len(letters) > 2:
        letters = letters[:-1]  # "RNAs"
    for length in range(1, min(len(before), len(letters) + 3) + 1):
        words = before[-length:]
        parts = [part.lower() for word in words for part in re.split(r"[-/]", word.strip(_QUOTES)) if part]
        opens_with_link = words[0].lower() in LINK_WORDS
        if not opens_with_link and not _crosses_clause(words) and _spells(parts, letters):
            return " ".join(words).strip(_QUOTES)
    return None


def _crosses_clause(words: Sequence[str]) -> bool:
    return any(word.endswith((".", ":", ";")) for word in words)


def _spells(parts: Sequence[str], letters: Sequence[str]) -> bool:
    """Every full word gives its first letter; letters in between may come from inside a word (DNA)."""
    position = 0
    for index, part in enumerate(parts):
        if position < len(letters) and part[0] == letters[position]:
            still_needed = sum(word not in LINK_WORDS for word in parts[index + 1 :])
            position = _take_inner_letters(part[1:], letters, position + 1, len(letters) - still_needed)
        elif part not in LINK_WORDS:
            return False
    return bool(parts) and position == len(letters)


def _take_inner_letters(rest: str, letters: Sequence[str], position: int, limit: int) -> int:
    while position < limit and letters[position] in rest:
        rest = rest[rest.index(letters[position]) + 1 :]
        position += 1
    return position
