"""A card's texts as Anki takes them: HTML in which nothing that came from a file is more than text.

Used by both formats that Anki imports. A field is HTML there, braces make gaps, brackets play sounds and
run LaTeX, and a spreadsheet would run a cell that begins with an equals sign: all of these are written as
entities, which show the same and do nothing.
"""

from __future__ import annotations

import html
import re

from functions.cli.rows import ExportedCard

GAP = "[…]"
FIELDS = ("Front", "Back", "Hint", "Source", "Quote", "Picture")  # of both note types; the first one sorts
LONGEST_TAG = 100

_DANGEROUS = str.maketrans({"{": "&#123;", "}": "&#125;", "[": "&#91;", "]": "&#93;", "\t": " "})
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_FORMULA = "=+-@"


def fields_of(card: ExportedCard, title: str, picture: str | None) -> list[str]:
    """The values of `FIELDS`: for a cloze, the answer stands in the gap of the first one."""
    front, back = escaped(card.front), escaped(card.back)
    if card.type == "cloze":
        answer = escaped(card.back).replace(":", "&#58;")  # two colons would begin a hint
        front, back = front.replace(escaped(GAP), f"{{{{c1::{answer}}}}}", 1), ""
    image = f'<img src="{html.escape(picture)}">' if picture else ""
    return [
        front,
        back,
        escaped(card.hint or ""),
        escaped(source_of(card, title)),
        escaped(card.source.quote or ""),
        image,
    ]


def escaped(text: str) -> str:
    """Foreign text as HTML that shows it."""
    lines = html.escape(_CONTROL.sub("", text)).translate(_DANGEROUS).splitlines()
    whole = "<br>".join(line.strip() for line in lines)
    return f"&#{ord(whole[0])};{whole[1:]}" if whole[:1] and whole[0] in _FORMULA else whole


def source_of(card: ExportedCard, title: str) -> str:
    """The file, and the page or the minute in it."""
    if card.source.page is not None:
        return f"{title}, page {card.source.page}"
    if card.source.time_s is not None:
        minutes, seconds = divmod(int(card.source.time_s), 60)
        hours, minutes = divmod(minutes, 60)
        clock = f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"
        return f"{title}, at {clock}"
    return title


def tags_of(card: ExportedCard) -> list[str]:
    """The tags as Anki has them: without spaces, and none that a spreadsheet would run."""
    tags = ("-".join(_CONTROL.sub("", tag).split()).lstrip(_FORMULA)[:LONGEST_TAG] for tag in card.tags)
    return list(dict.fromkeys(tag for tag in tags if tag))
