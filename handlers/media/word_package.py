"""Opens a Word document, which is a ZIP archive of XML, and reads single parts of it within limits.

Nothing is unpacked but the few parts that hold text, and these piece by piece. What counts is what comes
out: the sizes in the archive's directory are the file's own claims. Relations to other files and addresses
are never followed, and XML with a document type is refused, so there are no entities to expand.
"""

from __future__ import annotations

import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import Any, Self
from xml.etree.ElementTree import ParseError

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import DefusedXMLParser

from handlers.media.limits import MEGABYTE, Limits
from handlers.media.refused import Refused

DAMAGED = "the Word document is damaged or incomplete"
ENCRYPTED = "the Word document is protected by a password"
PIECE = 256 * 1024
ENCRYPTED_FLAG = 1
USUAL_PACKING = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
SMALL_PART = MEGABYTE  # a short table packs to almost nothing, so the ratio counts from here on
MAIN_PART = "word/document.xml"
BROKEN = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    ParseError,
    EOFError,
    OSError,
    ValueError,
    LookupError,
)


class WordPackage:
    """The parts of one document; a context manager."""

    def __init__(self, source: Path, limits: Limits) -> None:
        """Raises `Refused` for what is no archive, and for one that is larger inside than it may be."""
        self._limits = limits
        self._unpacked = 0
        with _damage():
            self._archive = zipfile.ZipFile(source)
        entries = self._archive.infolist()
        if len(entries) > limits.max_docx_entries:
            raise Refused(f"the Word document has more than {limits.max_docx_entries:,} parts")
        self._check_unpacked(sum(entry.file_size for entry in entries))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._archive.close()

    def feed(self, part: str, target: Any) -> bool:
        """Has `target` hear the elements and characters of a part; False if there is no such part.

        `target` is one of `xml.etree.ElementTree.XMLParser`. It may raise `StopIteration` when it has enough.
        """
        try:
            entry = self._archive.getinfo(part)
        except KeyError:
            return False
        parser = DefusedXMLParser(target=target, forbid_dtd=True)
        with _damage():
            try:
                for piece in self._pieces(entry):
                    parser.feed(piece)
                parser.close()
            except StopIteration:
                pass
        return True

    def main_part(self) -> str:
        """The part that holds the text, as the package's relations name it."""
        relations = _Relations()
        self.feed("_rels/.rels", relations)
        return relations.main if relations.main in self._archive.namelist() else MAIN_PART

    def _pieces(self, entry: zipfile.ZipInfo) -> Iterator[bytes]:
        if entry.flag_bits & ENCRYPTED_FLAG:
            raise Refused(ENCRYPTED)
        if entry.compress_type not in USUAL_PACKING:
            raise Refused("the Word document is packed in a way that is not read here")
        most, read = self._limits.max_docx_xml_mb, 0
        with self._archive.open(entry) as part:
            while piece := part.read(PIECE):
                read += len(piece)
                self._unpacked += len(piece)
                self._check_unpacked(self._unpacked)
                if read > most * MEGABYTE:
                    raise Refused(f"the Word document has a part of more than {most} MB of XML")
                if read > max(SMALL_PART, entry.compress_size * self._limits.max_docx_ratio):
                    ratio = self._limits.max_docx_ratio
                    raise Refused(f"the Word document unpacks to more than {ratio} times its size")
                yield piece

    def _check_unpacked(self, size: int) -> None:
        most = self._limits.max_docx_unpacked_mb
        if size > most * MEGABYTE:
            raise Refused(f"the Word document unpacks to more than {most} MB")


class _Relations:
    """Finds the main part among the package's relations; only a part of the archive counts as one."""

    main: str | None = None

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        is_main = attributes.get("Type", "").endswith("/relationships/officeDocument")
        if tag.endswith("}Relationship") and is_main:
            self.main = str(PurePosixPath(attributes.get("Target", "").lstrip("/")))

    def close(self) -> None:
        """Nothing is left to do at the end."""


@contextmanager
def _damage() -> Iterator[None]:
    """Everything that zipfile, zlib and expat raise for bytes that are not what they should be."""
    try:
        yield
    except DefusedXmlException:
        raise Refused(
            "the Word document contains definitions (a DTD) that none needs: it is not read"
        ) from None
    except BROKEN:
        raise Refused(DAMAGED) from None
    except (NotImplementedError, RuntimeError, OverflowError):
        raise Refused("the Word document is packed in a way that is not read here") from None
