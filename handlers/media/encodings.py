"""Turns the bytes of a text into characters: the sniffing asks for a file's head, the decoders for all of it.

UTF-8, UTF-16 with its byte order mark, and Windows-1252 (of which Latin-1 is a part) where the result reads
like a text in a western language. That is a guess, so it is noted; no other 8-bit encoding can be told
from it by the bytes alone.
"""

from __future__ import annotations

import codecs
import re
import string
from dataclasses import dataclass

WINDOWS_NOTE = "text: read as Windows-1252"
DAMAGED_NOTE = "text: damaged characters were replaced"
LEAST_PLAIN = 0.6  # of a text in Windows-1252: its languages write most letters without accents
MOST_DAMAGED = 0.001  # of a text's characters, besides those at its end, where a copy broke off
MOST_CONTROLS = 0.001

_REPLACED = "\ufffd"
_UNUSED = re.compile(rb"[\x81\x8d\x8f\x90\x9d]")  # bytes that Windows-1252 gives no meaning
# Accented letters side by side: another alphabet, taken for this one. Two do stand together: "créée".
_LETTER_RUN = re.compile(rb"[\xc0-\xd6\xd8-\xf6\xf8-\xff\x8a\x8c\x8e\x9a\x9c\x9e\x9f]{3}")
_PLAIN = (string.ascii_letters + string.digits + string.whitespace + ".,;:!?'\"()/%&-").encode("ascii")
_CONTROLS = tuple(chr(code) for code in range(32) if chr(code) not in "\t\n\r\f")


@dataclass(frozen=True)
class Characters:
    """A text without its byte order mark, and what is to be said about how it was read."""

    text: str
    note: str | None = None


def decode_text(data: bytes, *, complete: bool = True) -> Characters | None:
    """The characters of a text; None if the bytes are none. The last one may be cut if not `complete`."""
    utf16 = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    decoder = codecs.getincrementaldecoder("utf-16" if utf16 else "utf-8-sig")
    try:
        return _unless_binary(Characters(decoder().decode(data, final=complete)))
    except UnicodeDecodeError:
        text = decoder("replace").decode(data, final=complete)
    damaged = text.count(_REPLACED)
    if not utf16 and damaged >= sum(map(_is_beyond_ascii, text)) - damaged:
        return _unless_binary(Characters(data.decode("cp1252"), WINDOWS_NOTE)) if _is_windows(data) else None
    text = text.rstrip(_REPLACED)
    if not text or text.count(_REPLACED) > MOST_DAMAGED * len(text):
        return None
    return _unless_binary(Characters(text, DAMAGED_NOTE))


def _is_beyond_ascii(character: str) -> bool:
    return character > "\x7f"


def _is_windows(data: bytes) -> bool:
    if _UNUSED.search(data) or _LETTER_RUN.search(data):
        return False
    return len(data) - len(data.translate(None, _PLAIN)) >= LEAST_PLAIN * len(data)


def _unless_binary(read: Characters) -> Characters | None:
    controls = sum(map(read.text.count, _CONTROLS))
    if controls > MOST_CONTROLS * len(read.text):
        return None
    if "\x00" in read.text:
        return Characters(read.text.replace("\x00", ""), read.note or DAMAGED_NOTE)
    return read
