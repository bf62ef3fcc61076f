"""Splits running text into sentences: a regular expression and the abbreviations it would trip over."""

# ruff: noqa: RUF001
# Curly quotes and dashes are meant: they are what texts contain.

from __future__ import annotations

import re

from handlers.ai.text.languages import word_set
from handlers.ai.text.pieces import pieces

_BOUNDARY = re.compile(  # an end mark, space, then a capital or digit
    r"(?<![.!?…])[.!?…]++[\"'”’»)\]]*+\s++(?=[\"'“‘„«(\[¿¡]?[^\W_a-zß-öø-ÿ])"
    r"|[。！？]++\s*+"
)
_POINTS_AWAY = re.compile(
    r"\b(?:(?:see|as|shown|described|mentioned|listed|discussed|the) (?:above|below|also|shown)"
    r"|(?:above|below)[.:]?$|the (?:former|latter|following)|respectively|et al|of (?:it|them|these|those|this)"
    r"|and (?:this|these|those|that)"
    r"|(?:years?|months?|weeks?|days?|decades?|centuries) (?:earlier|later|before|afterwards|ago)"
    r"|(?:Jahre|Jahren|Monate|Tage|Jahrhunderte) (?:später|zuvor|vorher|danach)"
    r"|(?:ans|années|mois|jours|siècles) (?:plus tôt|plus tard|après|avant)"
    r"|(?:años|meses|días|siglos) (?:antes|después|más tarde)"
    r"|siehe|oben|unten|ci-dessus|ci-dessous|véase|https?:|www\.)\b",
    re.I,
)
_LAST_WORD = re.compile(r"[^\s(\[\"'“„«]{1,20}$")

_ABBREVIATIONS = word_set(
    """
    approx. ca. cf. ch. dr. e.g. ed. eds. eg. est. etc. fig. figs. gen. i.e. inc. jr. lt. ltd. mr.
    mrs. ms. mt. no. nos. op. p. pp. prof. rev. sr. st. vol. vs. abb. bd. bzw. d.h. evtl. ggf. geb.
    gest. inkl. jh. jhd. nr. o.ä. s. sog. u.a. usw. v.chr. n.chr. vgl. z.b. zzgl. av. apr. chap.
    mme. mlle. m. p.ex. j.-c. a.c. d.c. ee.uu. núm. p.ej. pág. sra. srta. ud. uds.
    """
)
_MONTHS = re.compile(
    r"(?:Januar|Februar|März|April|Mai|Juni|Juli|August|September|Oktober|November|Dezember|Jahrhundert)\b"
)


def split_sentences(text: str) -> list[tuple[int, str]]:
    """The sentences of a text with their offsets; white space around them is left out."""
    return [(offset + start, sentence) for offset, piece in pieces(text) for start, sentence in _split(piece)]


def points_away(text: str) -> bool:
    """Whether a sentence needs another one, a figure or a link to be understood."""
    return _POINTS_AWAY.search(text) is not None


def _split(piece: str) -> list[tuple[int, str]]:
    sentences: list[tuple[int, str]] = []
    start = 0
    for match in _BOUNDARY.finditer(piece):
        if _is_inside_sentence(piece, match):
            continue
        _append(sentences, piece, start, match.end())
        start = match.end()
    _append(sentences, piece, start, len(piece))
    return sentences


def _append(sentences: list[tuple[int, str]], text: str, start: int, end: int) -> None:
    piece = text[start:end]
    stripped = piece.strip()
    if stripped:
        sentences.append((start + len(piece) - len(piece.lstrip()), stripped))


def _is_inside_sentence(text: str, match: re.Match[str]) -> bool:
    mark = match.group().rstrip()
    if mark != ".":
        return False
    before = _LAST_WORD.search(text, max(0, match.start() - 20), match.start())
    if before is None:
        return False
    word = before.group().lower() + "."
    if word in _ABBREVIATIONS:
        return True
    if len(word) == 2 and word[0].isalpha():
        return _is_initial(text[max(0, match.start() - 40) : match.start() - 1])
    # German ordinals: "14. Juli", "19. Jahrhundert".
    return word[:-1].isdigit() and len(word) <= 3 and bool(_MONTHS.match(text, match.end()))


def _is_initial(before: str) -> bool:
    """Whether a lone letter after `before` is a name's ("by J. S. Bach") and not a word ("vitamin C")."""
    previous = before.split()
    return not previous or not previous[-1][0].islower() or len(previous[-1]) <= 3
