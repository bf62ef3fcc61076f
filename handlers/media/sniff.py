"""Says what a file is from its first bytes, before anything is decoded.

Runs in the worker itself, so it only looks at bytes. What the uploader claimed (name, MIME type) never
decides what a file is: it is compared, and a plain text that claims to be a picture or a video is refused.
The decoder has the last word: it confirms the kind or refuses the file.
"""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Literal

from handlers.media.refused import Refused

Kind = Literal["image", "pdf", "video", "audio", "text"]

HEAD_BYTES = 4096
MEGABYTE = 1024 * 1024
MAX_BYTES: dict[Kind, int] = {
    "image": 25 * MEGABYTE,
    "pdf": 50 * MEGABYTE,
    "video": 500 * MEGABYTE,
    "audio": 200 * MEGABYTE,
    "text": 5 * MEGABYTE,
}
MAX_FILE_BYTES = max(MAX_BYTES.values())

NOT_SUPPORTED = "this kind of file is not supported"
NOT_MEDIA = "the file is named like a picture, video, sound or PDF, but it contains plain text"


@dataclass(frozen=True)
class Sniffed:
    """What the bytes say. `kind` picks the decoder."""

    kind: Kind
    mime_type: str


SIGNATURES: tuple[tuple[bytes, Sniffed], ...] = (
    (b"\xff\xd8\xff", Sniffed("image", "image/jpeg")),
    (b"\x89PNG\r\n\x1a\n", Sniffed("image", "image/png")),
    (b"GIF87a", Sniffed("image", "image/gif")),
    (b"GIF89a", Sniffed("image", "image/gif")),
    (b"II*\x00", Sniffed("image", "image/tiff")),
    (b"MM\x00*", Sniffed("image", "image/tiff")),
    *((b"ID3" + bytes([version]), Sniffed("audio", "audio/mpeg")) for version in (2, 3, 4)),
    (b"fLaC", Sniffed("audio", "audio/flac")),
)
RIFF_FORMS = {b"WEBP": Sniffed("image", "image/webp"), b"WAVE": Sniffed("audio", "audio/wav")}
BRANDS: dict[bytes, Sniffed] = {
    b"avif": Sniffed("image", "image/avif"),
    b"avis": Sniffed("image", "image/avif"),
    **dict.fromkeys((b"heic", b"heix", b"hevc", b"heim", b"heis", b"mif1"), Sniffed("image", "image/heic")),
    b"M4A ": Sniffed("audio", "audio/mp4"),
    b"M4B ": Sniffed("audio", "audio/mp4"),
    b"qt  ": Sniffed("video", "video/quicktime"),
}
# Known and refused, so that the owner reads the name of what was uploaded.
REFUSED_SIGNATURES: tuple[tuple[bytes, str], ...] = (
    (b"PK\x03\x04", "ZIP archives and Office documents are not supported: export the document as PDF"),
    (b"\xd0\xcf\x11\xe0", "old Office documents are not supported: export the document as PDF"),
    (b"{\\rtf", "RTF documents are not supported: export the document as PDF"),
    (b"%!PS", "PostScript is not supported: export the document as PDF"),
)
MEDIA_SUFFIXES = frozenset(
    (
        *(".jpg", ".jpeg", ".png", ".gif", ".webp", ".avif", ".heic", ".tif", ".tiff", ".pdf"),
        *(".mp4", ".m4v", ".mov", ".webm", ".mkv", ".avi"),
        *(".mp3", ".m4a", ".wav", ".flac", ".ogg", ".oga", ".opus"),
    )
)
PDF_HEADER = re.compile(rb"(?:^|[\r\n])%PDF-\d")  # some writers put a few lines before it
MARKUP = re.compile(r"<(!doctype|html|head|body|script|iframe|\?xml|svg)\b", re.I)
MEDIA_CLAIM = re.compile(r"(?:image|audio|video)/(?!mp2t|svg)|application/pdf")  # mp2t: TypeScript's .ts


def sniff(head: bytes, size: int) -> Sniffed:
    """What the file is, from its first 4 kB and its size in bytes; raises `Refused` for the rest."""
    if size == 0:
        raise Refused("the file is empty")
    head = head[:HEAD_BYTES]
    found = _by_signature(head)
    if found is None:
        found = _text(head, complete=size <= len(head))
    if size > MAX_BYTES[found.kind]:
        raise Refused(f"the file is larger than {MAX_BYTES[found.kind] // MEGABYTE} MB")
    return found


def sniff_file(source: Path, *, name: str, claimed: str | None) -> Sniffed:
    """Sniffs a downloaded file and refuses a text that claims to be media by its name or MIME type.

    A picture under another picture's name is harmless, so only its true type is reported. A text is
    different: nothing but a disguise (or a mistake worth telling) brings it under the name of a video.
    """
    with source.open("rb") as file:
        found = sniff(file.read(HEAD_BYTES), source.stat().st_size)
    named = PurePosixPath(name).suffix.lower() in MEDIA_SUFFIXES
    if found.kind == "text" and (named or MEDIA_CLAIM.match((claimed or "").lower())):
        raise Refused(NOT_MEDIA)
    return found


def _by_signature(head: bytes) -> Sniffed | None:
    for signature, found in SIGNATURES:
        if head.startswith(signature):
            return found
    if head[4:8] == b"ftyp":
        return _brand(head)
    if head.startswith(b"RIFF") and head[8:12] in RIFF_FORMS:
        return RIFF_FORMS[head[8:12]]
    if head.startswith(b"\x1a\x45\xdf\xa3"):
        return Sniffed("video", "video/webm" if b"webm" in head[:64] else "video/x-matroska")
    if head.startswith(b"OggS"):
        return Sniffed("video", "video/ogg") if b"theora" in head[:256] else Sniffed("audio", "audio/ogg")
    if PDF_HEADER.search(head[:1024]):
        return Sniffed("pdf", "application/pdf")
    return _mpeg_audio(head)


def _brand(head: bytes) -> Sniffed:
    """ISO base media: the major brand decides, and for `mif1` (any HEIF) the compatible ones."""
    box = head[: min(int.from_bytes(head[:4], "big"), 256)]
    brands = [head[8:12], *(box[start : start + 4] for start in range(16, len(box), 4))]
    if brands[0] == b"mif1" and b"avif" in brands:
        return BRANDS[b"avif"]
    return BRANDS.get(brands[0], Sniffed("video", "video/mp4"))


def _mpeg_audio(head: bytes) -> Sniffed | None:
    """A bare MPEG audio or AAC stream: no signature, only a frame header whose fields make sense."""
    if len(head) < 4 or head[0] != 0xFF or head[1] & 0xE0 != 0xE0 or head.startswith(codecs.BOM_UTF16_LE):
        return None
    version, layer = head[1] >> 3 & 3, head[1] >> 1 & 3
    if layer == 0:
        return Sniffed("audio", "audio/aac") if head[1] & 0xF0 == 0xF0 else None
    if version == 1 or head[2] >> 4 == 15 or head[2] >> 2 & 3 == 3:
        return None
    return Sniffed("audio", "audio/mpeg")


def _text(head: bytes, *, complete: bool) -> Sniffed:
    for signature, sentence in REFUSED_SIGNATURES:
        if head.startswith(signature):
            raise Refused(sentence)
    utf16 = head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    decoder = codecs.getincrementaldecoder("utf-16" if utf16 else "utf-8-sig")()
    try:
        text = decoder.decode(head, final=complete)
    except UnicodeDecodeError:
        raise Refused(NOT_SUPPORTED) from None
    controls = sum(ord(char) < 32 and char not in "\t\n\r\f" for char in text)
    if "\x00" in text or controls * 1000 > len(text):
        raise Refused(NOT_SUPPORTED)
    markup = MARKUP.match(_without_comments(text))
    if markup:
        name = {"svg": "SVG", "?xml": "XML"}.get(markup[1].lower(), "HTML")
        raise Refused(f"{name} files are not supported: export the document as PDF or plain text")
    return Sniffed("text", "text/plain")


def _without_comments(text: str) -> str:
    text = text.lstrip()
    while text.startswith("<!--"):
        text = text.partition("-->")[2].lstrip()
    return text
