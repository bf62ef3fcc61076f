"""Kinds of files that are known and not read, so that the owner is told the name of what was uploaded."""

from __future__ import annotations

import re

AS_PDF = "export it as PDF and upload that"
AS_JPEG = "save it as JPEG or PNG"
AS_MP4 = "convert it to MP4"
AS_MP3 = "convert it to MP3 or M4A"
ONE_BY_ONE = "upload the files in it one by one"

# What the first bytes are -> what to tell. Only files that are no text get this far.
_BINARY: tuple[tuple[bytes, str], ...] = (
    (b"BM", f"BMP pictures are not supported: {AS_JPEG}"),
    (b"8BPS", f"Photoshop files are not supported: {AS_JPEG}"),
    (b"\x00\x00\x01\x00", f"icons are not supported: {AS_JPEG}"),
    (b"\xff\x0a", f"JPEG XL pictures are not supported: {AS_JPEG}"),
    (b"\x00\x00\x00\x0cJXL ", f"JPEG XL pictures are not supported: {AS_JPEG}"),
    (b"\x00\x00\x00\x0cjP  ", f"JPEG 2000 pictures are not supported: {AS_JPEG}"),
    (b"\xff\x4f\xff\x51", f"JPEG 2000 pictures are not supported: {AS_JPEG}"),
    (b"FUJIFILMCCD-RAW", f"camera raw files are not supported: {AS_JPEG}"),
    (b"AT&TFORM", f"DjVu files are not supported: {AS_PDF}"),
    (b"%!PS", f"PostScript is not supported: {AS_PDF}"),
    (b"\xc5\xd0\xd3\xc6", f"PostScript is not supported: {AS_PDF}"),
    (b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", f"Windows Media files are not supported: {AS_MP4} or MP3"),
    (b"FLV\x01", f"Flash videos are not supported: {AS_MP4}"),
    (b"\x00\x00\x01\xba", f"MPEG program streams are not supported: {AS_MP4}"),
    (b"\x00\x00\x01\xb3", f"MPEG streams are not supported: {AS_MP4}"),
    (b".RMF", f"RealMedia files are not supported: {AS_MP4}"),
    (b"#!AMR", f"AMR recordings are not supported: {AS_MP3}"),
    (b"MThd", "MIDI files are not supported: they hold notes and no sound"),
    (b"caff", f"CAF sounds are not supported: {AS_MP3}"),
    (b"MAC ", f"Monkey's Audio is not supported: {AS_MP3}"),
    (b"wvpk", f"WavPack sounds are not supported: {AS_MP3}"),
    (b"DSD ", f"DSD sounds are not supported: {AS_MP3}"),
    (b"Rar!\x1a\x07", f"RAR archives are not supported: {ONE_BY_ONE}"),
    (b"7z\xbc\xaf\x27\x1c", f"7-Zip archives are not supported: {ONE_BY_ONE}"),
    (b"\x1f\x8b", f"gzip archives are not supported: {ONE_BY_ONE}"),
    (b"BZh", f"bzip2 archives are not supported: {ONE_BY_ONE}"),
    (b"\xfd7zXZ\x00", f"xz archives are not supported: {ONE_BY_ONE}"),
    (b"\x28\xb5\x2f\xfd", f"Zstandard archives are not supported: {ONE_BY_ONE}"),
    (b"MSCF", f"cabinet archives are not supported: {ONE_BY_ONE}"),
    (b"\x7fELF", "programs are not supported"),
    (b"MZ", "programs are not supported"),
    *((magic, "programs are not supported") for magic in (b"\xcf\xfa\xed\xfe", b"\xce\xfa\xed\xfe")),
    *((magic, "programs are not supported") for magic in (b"\xca\xfe\xba\xbe", b"\x00asm", b"dex\n03")),
    (b"SQLite format 3\x00", "databases are not supported: export a table as CSV"),
    (b"\x00\x01\x00\x00Standard ", "databases are not supported: export a table as CSV"),
    (b"PAR1", "Parquet files are not supported: export the table as CSV"),
    *((magic, "fonts are not supported") for magic in (b"OTTO", b"wOFF", b"wOF2", b"\x00\x01\x00\x00\x00")),
    (b"AC10", f"AutoCAD drawings are not supported: {AS_PDF}"),
    (b"bplist00", "property lists are not supported"),
)
_AT_AN_OFFSET: tuple[tuple[int, bytes, str], ...] = (
    (257, b"ustar", f"tar archives are not supported: {ONE_BY_ONE}"),
    (128, b"DICM", f"DICOM pictures are not supported: {AS_JPEG}"),
    (8, b"AVI ", f"AVI videos are not supported: {AS_MP4}"),
    (8, b"AIFF", f"AIFF sounds are not supported: {AS_MP3}"),
    (8, b"AIFC", f"AIFF sounds are not supported: {AS_MP3}"),
)
_BRANDS = {
    b"crx ": f"camera raw files are not supported: {AS_JPEG}",
    b"jxl ": f"JPEG XL pictures are not supported: {AS_JPEG}",
    b"jp2 ": f"JPEG 2000 pictures are not supported: {AS_JPEG}",
}
_TEXTUAL = (
    ("{\\rtf", "RTF files are not supported: save it as .docx or PDF"),
    ("%!PS", f"PostScript is not supported: {AS_PDF}"),
)
_MARKUP = re.compile(r"<(!doctype|html|head|body|script|iframe|\?xml|svg)\b", re.I)
_SVG = re.compile(r"<(?:[a-z]{1,20}:)?svg\b", re.I)
_DOCTYPE = re.compile(r"<!doctype\s+svg\b", re.I)


def refusal_of_binary(head: bytes) -> str | None:
    """What to tell about a file that is neither read nor text; None if it is not known either."""
    for magic, sentence in _BINARY:
        if head.startswith(magic):
            return sentence
    for offset, magic, sentence in _AT_AN_OFFSET:
        if head.startswith(magic, offset):
            return sentence
    if head[:1] == b"G" == head[188:189] == head[376:377]:
        return f"MPEG transport streams are not supported: {AS_MP4}"
    return None


def refusal_of_brand(brand: bytes) -> str | None:
    """The same for a file of the family of MP4, by its major brand."""
    return _BRANDS.get(brand)


def refusal_of_text(text: str) -> str | None:
    """The same for what consists of characters: markup and page descriptions, by their beginning."""
    for beginning, sentence in _TEXTUAL:
        if text.startswith(beginning):
            return sentence
    text = _without_comments(text)
    markup = _MARKUP.match(text)
    if markup is None:
        return None
    tag = markup[1].lower()
    if tag == "svg" or _DOCTYPE.match(text) or (tag == "?xml" and _SVG.search(text)):
        return "SVG drawings are not supported: save it as PNG or PDF"
    name = "XML" if tag == "?xml" else "HTML"
    return f"{name} files are not supported: export it as PDF or plain text"


def _without_comments(text: str) -> str:
    text = text.lstrip()
    while text.startswith("<!--"):
        text = text.partition("-->")[2].lstrip()
    return text
