"""Card rule 3: "long form (ABC)", where the letters have to come from the words before the bracket."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from handlers.ai.text.languages import word_set

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
    if not parts or not letters:
        return not letters and all(part in LINK_WORDS for part in parts)
    part, rest = parts[0], parts[1:]
    if part in LINK_WORDS and _spells(rest, letters):
        return True
    if part[0] != letters[0]:
        return False
    # As few letters from inside as possible: "messenger ribonucleic acid" has an r in its first word too.
    return any(_spells(rest, letters[taken:]) for taken in _letters_taken(part, letters))


def _letters_taken(part: str, letters: Sequence[str]) -> Iterator[int]:
    """How many of the letters a word can give, in their order, beginning with its first one."""
    place, taken = 1, 1
    yield taken
    while taken < len(letters) and (found := part.find(letters[taken], place)) >= 0:
        place, taken = found + 1, taken + 1
        yield taken
