"""Tells Word documents from other archives by the names in them, without unpacking anything.

Runs in the worker, so it searches a bounded number of bytes for names and trusts none of the numbers beside
them: the decoder that unpacks a Word document looks for itself.
"""

from __future__ import annotations

from handlers.media.refused import Refused

DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
ZIP_SIGNATURES = (b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08")
AS_PDF = "export it as PDF and upload that"

_PARTS = (  # of Office's own formats
    (b"xl/", "Excel spreadsheets are not supported: {remedy}, or save it as CSV"),
    (b"ppt/", "PowerPoint presentations are not supported: {remedy}"),
    (b"visio/", "Visio drawings are not supported: {remedy}"),
)
_MIME_TYPES = (  # an uncompressed entry, first in the archive
    (b"application/epub+zip", "EPUB books are not supported: {remedy}"),
    (b"application/vnd.oasis.opendocument.text", "OpenDocument texts are not supported: {remedy}"),
    (
        b"application/vnd.oasis.opendocument.spreadsheet",
        "OpenDocument spreadsheets are not supported: {remedy}, or save it as CSV",
    ),
    (
        b"application/vnd.oasis.opendocument.presentation",
        "OpenDocument presentations are not supported: {remedy}",
    ),
    (b"application/vnd.oasis.opendocument", "OpenDocument files are not supported: {remedy}"),
)
_APPLE = (b"Index/Document.iwa", b"Index.zip", b"index.apxl", b"Metadata/Properties.plist")
_PROGRAMS = (b"META-INF/MANIFEST.MF", b"AndroidManifest.xml", b"classes.dex")
_STREAMS = (  # of a compound file, in its directory
    ("EncryptedPackage", "the Office file is protected by a password; remove it, or {remedy}"),
    ("WordDocument", "old Word documents (.doc) are not supported: save it as .docx or PDF"),
    ("Workbook", "old Excel spreadsheets (.xls) are not supported: save it as CSV or PDF"),
    ("Book", "old Excel spreadsheets (.xls) are not supported: save it as CSV or PDF"),
    ("PowerPoint Document", "old PowerPoint presentations (.ppt) are not supported: {remedy}"),
    ("__properties_version1.0", "Outlook messages are not supported: {remedy}"),
)


def type_of_zip(head: bytes, tail: bytes) -> str:
    """The MIME type of a Word document; raises `Refused` with the name of any other archive."""
    found = head + tail
    for mime_type, sentence in _MIME_TYPES:
        if head[30:].startswith(b"mimetype" + mime_type):
            raise Refused(sentence.format(remedy=AS_PDF))
    if b"[Content_Types].xml" in found:
        if b"word/" in found:
            return DOCX
        for part, sentence in _PARTS:
            if part in found:
                raise Refused(sentence.format(remedy=AS_PDF))
    if any(name in found for name in _APPLE):
        raise Refused(f"Pages, Numbers and Keynote files are not supported: {AS_PDF}")
    if any(name in found for name in _PROGRAMS):
        raise Refused("programs are not supported")
    raise Refused("ZIP archives are not supported: upload the files in it one by one")


def name_of_compound(directory: bytes) -> str:
    """The sentence for a file in the format of Office before 2007, which also wraps encrypted new ones."""
    for name, sentence in _STREAMS:
        if name.encode("utf-16-le") + b"\x00\x00" in directory:
            return sentence.format(remedy=AS_PDF)
    return "old Office files (.doc, .xls, .ppt) are not supported: save it as .docx or PDF"
