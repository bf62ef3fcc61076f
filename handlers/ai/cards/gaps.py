"""Card rule 4: a gap in place of a date, a number, a known term or a name, at most one per sentence.

A gap is worth asking for only if the rest of the sentence says what is asked about, so a name or a known
term has to remain. Never on a frequent word alone: what is frequent is rarely what is worth knowing.
"""

# ruff: noqa: RUF001
# Curly quotes and dashes are meant: they are what texts contain.

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from handlers.ai.cards.candidates import GAP, LONGEST_SENTENCE, Candidate, Rule
from handlers.ai.cards.known_terms import KnownTerms
from handlers.ai.text.abbreviations import LINK_WORDS
from handlers.ai.text.grammars import ALL_MONTHS, Grammar, grammar_of
from handlers.ai.text.languages import stop_words, word_set
from handlers.ai.text.structure import Sentence

_MONTH = "|".join(sorted(ALL_MONTHS, key=len, reverse=True))
_YEAR = r"(?:1[0-9]|20)\d{2}"
_DATE = re.compile(
    rf"\b\d{{1,2}}(?:\.|st|nd|rd|th|er)?\s(?:of\s|de\s)?(?:{_MONTH})(?:\s(?:de\s)?{_YEAR})?\b"
    rf"|\b(?:{_MONTH})\s\d{{1,2}}(?:st|nd|rd|th)?(?:,\s{_YEAR})?\b"
    rf"|\b(?:{_MONTH})\s(?:de\s)?{_YEAR}\b"
    rf"|\b\d{{1,2}}(?:st|nd|rd|th)\scentur(?:y|ies)\b"
    rf"|\b\d{{1,4}}\s(?:BC|AD|BCE|CE|v\. ?Chr\.|n\. ?Chr\.|av\. J\.-C\.|a\. ?C\.)"
    r"|\b(?:AD|CE)\s\d{1,4}\b"
    rf"|\b{_YEAR}\s?[–-]\s?(?:{_YEAR}|\d{{2}})\b|\b{_YEAR}\b(?![.,]\d|\s?(?:%|°|km|kg|metres|meters))",
    re.I,
)
_NUMBER = re.compile(
    r"(?<![\w.,/$€£#-])(?:[$€£]\s?)?\d{1,3}(?:(?:[.,\u202f ]\d{3})+|\d*)(?:[.,]\d+)?(?![\d/:]|\.\d|-\w)"
    r"(?:\s?(?:million|billion|thousand|trillion|Millionen|Milliarden|millions|milliards|millones)\b)?"
)
_UNIT_AFTER = re.compile(r"\s?([^\s\d.,;:!?()]+)")
_NUMBERED = re.compile(
    r"(?:fig(?:ure)?|table|chapter|section|page|step|part|version|level|type|no|nr|phase|stage|equation|question"
    r"|abbildung|tabelle|kapitel|seite|schritt|teil|tableau|chapitre|étape|figura|tabla|capítulo|página|paso)\.?\s$",
    re.I,
)
_HAS = word_set(
    """
    has have contains contain had hat haben hatte besteht possède comporte contient tiene contiene
    tienen
    """
)
_BY = word_set("by von durch par por da door")
_TOKEN = re.compile(r"[^\s]+")
_EDGE = "\"'“”„«»()[],;:.!?…"


_SINGLE_NAME = 4  # the rank of a name of one word: asked for after "by" and "is" only


@dataclass(frozen=True)
class _Gap:
    start: int
    end: int
    rank: int  # smaller is better
    term: str | None = None


def find_gaps(sentences: Sequence[Sentence], language: str | None, terms: KnownTerms) -> list[Candidate]:
    """The best gap of every sentence that has one."""
    grammar = grammar_of(language)
    found: list[Candidate] = []
    for sentence in sentences:
        if sentence.kind != "row" and len(sentence.text) <= LONGEST_SENTENCE:
            gaps = sorted(_gaps(sentence.text, grammar, terms), key=lambda gap: (gap.rank, gap.start))
            best = next((gap for gap in gaps if _has_anchor(sentence.text, gap, terms, language)), None)
            if best:
                found.append(_candidate(sentence, best))
    return found


def proper_names(text: str, grammar: Grammar) -> Iterator[tuple[int, int]]:
    """Spans of capitalised words inside a sentence; its first word says nothing about names."""
    run: list[re.Match[str]] = []
    for token in [*_TOKEN.finditer(text)][1:]:
        bare = token.group().strip(_EDGE)
        is_name = bare[:1].isupper() and bare.lower() not in grammar.months
        is_link = bool(run) and bare in LINK_WORDS and bare == token.group()
        if is_name or is_link:
            run.append(token)
        if (run and not (is_name or is_link)) or (run and token.group()[-1] in ",;:.!?)"):
            yield from _span(text, run, grammar)
            run = []
    yield from _span(text, run, grammar)


def _span(text: str, run: list[re.Match[str]], grammar: Grammar) -> Iterator[tuple[int, int]]:
    while run and run[-1].group() in LINK_WORDS:
        run.pop()
    # German writes every noun with a capital: only a run of two may be a name.
    if not run or (not grammar.lowercase_nouns and len(run) < 2):
        return
    start, end = run[0].start(), run[-1].end()
    while start < end and text[start] in _EDGE:
        start += 1
    while end > start and text[end - 1] in _EDGE:
        end -= 1
    name = text[start:end]
    for suffix in ("'s", "’s"):
        end -= len(suffix) if name.endswith(suffix) else 0
    if end - start > 2:
        yield start, end


def _gaps(text: str, grammar: Grammar, terms: KnownTerms) -> Iterator[_Gap]:
    for match in _DATE.finditer(text):
        if not _NUMBERED.search(text[: match.start()]):
            yield _Gap(match.start(), match.end(), 0)
    for match in _NUMBER.finditer(text):
        end = _number_end(text, match, grammar)
        if end is not None:
            yield _Gap(match.start(), end, 1)
    yield from _counted(text, grammar)
    for start, end in terms.find(text):
        yield _Gap(start, end, 2, text[start:end])
    for start, end in proper_names(text, grammar):
        before = text[:start].split()[-1].lower()
        if " " in text[start:end]:
            yield _Gap(start, end, 3)
        elif before in _BY or before in grammar.questions:
            yield _Gap(start, end, _SINGLE_NAME)


def _number_end(text: str, match: re.Match[str], grammar: Grammar) -> int | None:
    """Where a number worth asking for ends, its unit included; `None` for "Figure 3" and bare digits."""
    if _NUMBERED.search(text[: match.start()]):
        return None
    unit = _UNIT_AFTER.match(text, match.end())
    if unit and (unit[1] in grammar.units or unit[1].lower() in grammar.units):
        return None if _is_elliptic(text[unit.end() :], grammar) else unit.end()
    has_scale = match.group().strip()[-1].isalpha()
    if has_scale or match.group()[0] in "$€£":
        return match.end()
    before = text[: match.start()].rsplit(maxsplit=1)
    is_counted = bool(unit) and unit is not None and unit[1][0].islower() and len(unit[1]) > 3
    return (
        match.end()
        if is_counted and before and before[-1].lower() in _HAS | {"of", "about", "over"}
        else None
    )


def _is_elliptic(after: str, grammar: Grammar) -> bool:
    """ "Less than 3 percent is fresh": of what, an earlier sentence says."""
    return any(word in grammar.questions for word in after.split()[:1])


def _counted(text: str, grammar: Grammar) -> Iterator[_Gap]:
    """Number words: only after "has" and the like, where they count parts of the subject."""
    tokens = [*_TOKEN.finditer(text)]
    for before, token, after in zip(tokens, tokens[1:], tokens[2:], strict=False):
        if (
            token.group().lower() in grammar.counts
            and before.group().lower() in _HAS
            and after.group()[0].isalpha()
        ):
            yield _Gap(token.start(), token.end(), 1)


def _has_anchor(text: str, gap: _Gap, terms: KnownTerms, language: str | None) -> bool:
    """Whether what remains still names something, so that the question makes sense by itself."""
    rest = f"{text[: gap.start]} {text[gap.end :]}"
    if gap.term is None and any(True for _ in terms.find(rest)):
        return True
    grammar = grammar_of(language)
    if any(True for _ in proper_names(rest, grammar)):
        return True
    ignored = stop_words(language)
    content = [word for word in re.findall(r"[^\W\d_]{3,}", rest.lower()) if word not in ignored]
    # Without a name the sentence has to be specific by itself.
    return len(content) >= (3 if gap.rank < 2 else 5)


def _candidate(sentence: Sentence, gap: _Gap) -> Candidate:
    text = sentence.text
    front = f"{text[: gap.start]}{GAP}{text[gap.end :]}"
    rule: Rule = "name" if gap.rank == _SINGLE_NAME else "gap"
    return Candidate(rule, "cloze", front, text[gap.start : gap.end], sentence, gap.term)
