"""Says what a file is from its first bytes, before anything is decoded.

Runs in the worker itself, so it only looks at bytes, and at a bounded number of them. What the uploader
claimed (name, MIME type) never decides what a file is: it picks the reader among texts, which all look
alike, and a plain text that claims to be a picture or a video is refused. The decoder has the last word:
it confirms the kind or refuses the file.
"""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import BinaryIO, Literal

from handlers.media.archives import DOCX, ZIP_SIGNATURES, name_of_compound, type_of_zip
from handlers.media.encodings import Characters, decode_text
from handlers.media.limits import MEGABYTE, Limits
from handlers.media.not_supported import refusal_of_binary, refusal_of_brand, refusal_of_text
from handlers.media.refused import Refused

Kind = Literal["image", "pdf", "video", "audio", "text"]

HEAD_BYTES = 4096
TAIL_BYTES = 256 * 1024  # an archive's directory: 2,000 entries and their names
MAX_FILE_BYTES = Limits().largest_mb() * MEGABYTE

NOT_SUPPORTED = "this kind of file is not supported"
NOT_MEDIA = "the file is named like a picture, video, sound or PDF, but it contains plain text"


@dataclass(frozen=True)
class Sniffed:
    """What the bytes say. `kind` picks the handlers' way, `mime_type` the decoder."""

    kind: Kind
    mime_type: str


SIGNATURES: tuple[tuple[bytes, Sniffed], ...] = (
    (b"\xff\xd8\xff", Sniffed("image", "image/jpeg")),
    (b"\x89PNG\r\n\x1a\n", Sniffed("image", "image/png")),
    (b"GIF87a", Sniffed("image", "image/gif")),
    (b"GIF89a", Sniffed("image", "image/gif")),
    (b"II*\x00", Sniffed("image", "image/tiff")),
    (b"MM\x00*", Sniffed("image", "image/tiff")),
    (b"II+\x00", Sniffed("image", "image/tiff")),  # BigTIFF: the same with longer offsets
    (b"MM\x00+", Sniffed("image", "image/tiff")),
    *((b"ID3" + bytes([version]), Sniffed("audio", "audio/mpeg")) for version in (2, 3, 4)),
    (b"fLaC", Sniffed("audio", "audio/flac")),
)
WAV = Sniffed("audio", "audio/wav")
RIFF_FORMS = {
    (b"RIFF", b"WEBP"): Sniffed("image", "image/webp"),
    (b"RIFF", b"WAVE"): WAV,
    (b"RF64", b"WAVE"): WAV,  # what recorders write that may go on beyond 4 GB
    (b"BW64", b"WAVE"): WAV,
}
BRANDS: dict[bytes, Sniffed] = {
    b"avif": Sniffed("image", "image/avif"),
    b"avis": Sniffed("image", "image/avif"),
    **dict.fromkeys((b"heic", b"heix", b"hevc", b"heim", b"heis", b"mif1"), Sniffed("image", "image/heic")),
    **dict.fromkeys((b"M4A ", b"M4B ", b"M4P "), Sniffed("audio", "audio/mp4")),
    b"qt  ": Sniffed("video", "video/quicktime"),
}
OLD_QUICKTIME = (b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot")  # films older than `ftyp`
PLAIN = Sniffed("text", "text/plain")
TEXT_TYPES = {
    ".csv": "text/csv",
    ".tsv": "text/tab-separated-values",
    ".tab": "text/tab-separated-values",
    ".md": "text/markdown",
    ".markdown": "text/markdown",
}
MEDIA_SUFFIXES = frozenset(
    (
        *(".jpg", ".jpeg", ".png", ".gif", ".webp", ".avif", ".heic", ".tif", ".tiff", ".pdf"),
        *(".mp4", ".m4v", ".mov", ".webm", ".mkv", ".avi"),
        *(".mp3", ".m4a", ".wav", ".flac", ".ogg", ".oga", ".opus", ".aac"),
    )
)
PDF_HEADER = re.compile(rb"(?:^|[\r\n])%PDF-\d")  # some writers put a few lines before it
MEDIA_CLAIM = re.compile(r"(?:image|audio|video)/(?!mp2t|svg)|application/pdf")  # mp2t: TypeScript's .ts
SUBRIP = re.compile(r"\s*\d{1,6}[ \t]*\n\s*\d{1,3}:\d\d:\d\d[,.]\d{1,3}[ \t]*-->")
WEBVTT = re.compile(r"WEBVTT(?:[ \t\n]|$)")


def sniff(head: bytes, size: int, *, tail: bytes = b"", limits: Limits | None = None) -> Sniffed:
    """What the file is; raises `Refused` for what is not read here, and above the limit of its kind.

    From its first 4 kB, its size in bytes and, which only matters for an archive, its last bytes.
    """
    if size == 0:
        raise Refused("the file is empty")
    found = _type_of(head[:HEAD_BYTES], size, tail)
    most = _most_megabytes(found, limits or Limits())
    if size > most * MEGABYTE:
        raise Refused(f"the file is larger than {most} MB")
    return found


def sniff_file(source: Path, *, name: str, claimed: str | None, limits: Limits | None = None) -> Sniffed:
    """Sniffs a downloaded file and refuses a text that claims to be media by its name or MIME type.

    A picture under another picture's name is harmless, so only its true type is reported. A text is
    different: nothing but a disguise (or a mistake worth telling) brings it under the name of a video.
    """
    with source.open("rb") as file:
        head = _head(file)
        found = sniff(head, source.stat().st_size, tail=_tail(file, head), limits=limits)
    suffix, claim = PurePosixPath(name).suffix.lower(), (claimed or "").partition(";")[0].strip().lower()
    if found.mime_type.startswith("text/") and (suffix in MEDIA_SUFFIXES or MEDIA_CLAIM.match(claim)):
        raise Refused(NOT_MEDIA)
    if found == PLAIN:
        return Sniffed(
            "text", TEXT_TYPES.get(suffix, claim if claim in TEXT_TYPES.values() else "text/plain")
        )
    return found


def type_of(source: Path) -> Sniffed:
    """What a decoder's file is, by its bytes alone; its size was looked at before it got here."""
    with source.open("rb") as file:
        head = _head(file)
        if not head:
            raise Refused("the file is empty")
        return _type_of(head, source.stat().st_size, _tail(file, head))


def _head(file: BinaryIO) -> bytes:
    """The first bytes. Behind an ID3 tag, which other sounds than MP3 carry too, those that tell them apart."""
    head = file.read(HEAD_BYTES)
    if head[:3] != b"ID3" or len(head) < 10:
        return head
    length = sum((byte & 0x7F) << shift for byte, shift in zip(head[6:10], (21, 14, 7, 0), strict=True))
    file.seek(10 + length)
    behind = file.read(HEAD_BYTES)
    is_aac = len(behind) > 4 and behind[0] == 0xFF and behind[1] & 0xF6 == 0xF0
    return behind if is_aac or behind.startswith(b"fLaC") else head


def _tail(file: BinaryIO, head: bytes) -> bytes:
    if head.startswith(ZIP_SIGNATURES):
        file.seek(0, 2)
        file.seek(max(0, file.tell() - TAIL_BYTES))
        return file.read(TAIL_BYTES)
    if head.startswith(b"\xd0\xcf\x11\xe0") and len(head) >= 52:
        # A compound file: the size of its sectors stands at 30, the number of the directory's first at 48.
        sector = 4096 if head[30] == 12 else 512
        file.seek(sector * (1 + int.from_bytes(head[48:52], "little")))
        return file.read(HEAD_BYTES)
    return b""


def _most_megabytes(found: Sniffed, limits: Limits) -> int:
    if found.mime_type == DOCX:
        return limits.max_docx_mb
    return {
        "image": limits.max_image_mb,
        "pdf": limits.max_pdf_mb,
        "video": limits.max_video_mb,
        "audio": limits.max_audio_mb,
        "text": limits.max_text_mb,
    }[found.kind]


def _type_of(head: bytes, size: int, tail: bytes) -> Sniffed:
    """Formats that begin with letters ("GIF89a", "BM") are only thought of for what is no text."""
    characters = decode_text(head, complete=size <= len(head))
    is_pdf = PDF_HEADER.search(head[:1024]) is not None
    if characters is not None and characters.note is None and not is_pdf:
        return _text(characters)
    found = _by_signature(head, size, tail)
    if found is not None:
        return found
    if is_pdf:
        return Sniffed("pdf", "application/pdf")
    found = _mpeg_audio(head)
    if found is not None:
        return found
    sentence = refusal_of_binary(head)
    if sentence is None and characters is not None:
        return _text(characters)
    raise Refused(sentence or NOT_SUPPORTED)


def _by_signature(head: bytes, size: int, tail: bytes) -> Sniffed | None:
    for signature, found in SIGNATURES:
        if head.startswith(signature):
            return found
    if head.startswith(ZIP_SIGNATURES):
        return Sniffed("text", type_of_zip(head, tail))
    if head.startswith(b"\xd0\xcf\x11\xe0"):
        raise Refused(name_of_compound(tail))
    riff = RIFF_FORMS.get((head[:4], head[8:12]))
    if riff is not None:
        return riff
    if head.startswith(b"\x1a\x45\xdf\xa3"):
        return Sniffed("video", "video/webm" if b"webm" in head[:64] else "video/x-matroska")
    if head.startswith(b"OggS"):
        return Sniffed("video", "video/ogg") if b"theora" in head[:256] else Sniffed("audio", "audio/ogg")
    return _by_box(head, size)


def _by_box(head: bytes, size: int) -> Sniffed | None:
    """ISO base media: the major brand decides, and for `mif1` (any HEIF) the compatible ones."""
    length = int.from_bytes(head[:4], "big")
    if head[4:8] in OLD_QUICKTIME and (length in (0, 1) or 8 <= length <= size):
        return BRANDS[b"qt  "]
    if head[4:8] != b"ftyp":
        return None
    box = head[: min(length, 256)]
    brands = [head[8:12], *(box[start : start + 4] for start in range(16, len(box), 4))]
    sentence = refusal_of_brand(brands[0])
    if sentence:
        raise Refused(sentence)
    if brands[0] in (b"mif1", b"msf1") and {b"avif", b"avis"} & {*brands}:
        return BRANDS[b"avif"]
    if brands[0] == b"msf1":
        return BRANDS[b"heic"]
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


def _text(characters: Characters) -> Sniffed:
    text = characters.text.replace("\r\n", "\n").replace("\r", "\n")
    sentence = refusal_of_text(text)
    if sentence:
        raise Refused(sentence)
    if WEBVTT.match(text):
        return Sniffed("text", "text/vtt")
    return Sniffed("text", "application/x-subrip") if SUBRIP.match(text) else PLAIN
