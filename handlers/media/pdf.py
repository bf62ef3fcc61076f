"""Reads PDFs with PDFium, in the sandboxed child: their text page by page, and pictures of pages.

PDFium is not safe to use from several threads, which one child per call takes care of.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pypdfium2

from handlers.media.pdf_text import blocks, drop_running_lines
from handlers.media.pixels import SIZES, from_rgba, write_thumbnails
from handlers.media.refused import Refused

MAX_TEXT_PAGES = 200
MAX_CHARACTERS = 2_000_000
MAX_PICTURE_SIDE = 2400
SCAN_CHARACTERS = 20  # a page with fewer, and with a picture on it, is taken for a scan
POINTS_PER_INCH = 72

DAMAGED = "the PDF is damaged and cannot be opened"
WHY_NOT_OPENED = {
    pypdfium2.raw.FPDF_ERR_PASSWORD: "the PDF is protected by a password",
    # PDFium does not open a sound document without pages, and leaves its last error as it was: none, in a
    # process that has opened nothing else.
    pypdfium2.raw.FPDF_ERR_SUCCESS: "the PDF has no pages",
}


def extract(
    source: Path,
    folder: Path,  # noqa: ARG001
    max_pages: int = MAX_TEXT_PAGES,
    max_characters: int = MAX_CHARACTERS,
) -> dict[str, Any]:
    """Title, number of pages, and of the first pages their text, size and whether they are scans.

    Paragraphs and headings of a page are separated by an empty line; headers and footers are left out.
    """
    with _open(source) as document:
        pages: list[dict[str, Any]] = []
        texts: list[list[str]] = []
        left = max_characters
        for number in range(1, min(len(document), max_pages) + 1):
            if left <= 0:
                break
            facts, found = _read_page(document, number)
            left -= sum(map(len, found))
            pages.append(facts)
            texts.append(found)
        title = str(document.get_metadata_value("Title") or "").strip()
        count = len(document)
    if all(facts["damaged"] for facts in pages):
        raise Refused("the PDF is damaged and cannot be read")
    for facts, found in zip(pages, drop_running_lines(texts), strict=True):
        facts["text"] = "\n\n".join(found)
    return {
        "title": title or None,
        "pages": count,
        "content": pages,
        "scans": [facts["page"] for facts in pages if facts["scan"]],
        "truncated": len(pages) < count,
    }


def thumbnails(source: Path, folder: Path, sizes: Sequence[int] = SIZES) -> dict[str, Any]:
    """Writes `<size>.webp` of the first page for each size."""
    with _open(source) as document:
        image = render(document, 1, max(sizes))
        return {"pages": len(document)} | write_thumbnails(image, folder, sizes)


def page_image(source: Path, folder: Path, page: int = 1, dpi: int = 110) -> dict[str, Any]:
    """Writes one page as `page.png`, for text recognition and for AI providers that look at pages."""
    with _open(source) as document:
        image = render_at(document, page, dpi)
        image.write_to_file(str(folder / "page.png"), keep=0)
        return {"page": page, "width": image.width, "height": image.height, "name": "page.png"}


def open_document(source: Path) -> Any:
    """Opens a PDF, or refuses it with the reason."""
    try:
        return pypdfium2.PdfDocument(source)
    except pypdfium2.PdfiumError as error:
        raise Refused(WHY_NOT_OPENED.get(error.err_code, DAMAGED)) from None


def render_at(document: Any, number: int, dpi: int) -> Any:
    """A page at a resolution, which gives way where the page is huge."""
    with _page(document, number) as page:
        longest = max(page.get_size())
    return render(document, number, min(round(longest * dpi / POINTS_PER_INCH), MAX_PICTURE_SIDE))


def render(document: Any, number: int, side: int) -> Any:
    """A page, its longer side `side` pixels whatever its size on paper."""
    with _page(document, number) as page:
        bitmap = page.render(
            scale=side / max(*page.get_size(), 1.0),
            may_draw_forms=False,
            prefer_bgrx=True,
            rev_byteorder=True,
        )
        try:
            return from_rgba(bytes(bitmap.buffer), bitmap.width, bitmap.height).copy_memory()
        finally:
            bitmap.close()


@contextmanager
def _open(source: Path) -> Iterator[Any]:
    document = open_document(source)
    try:
        yield document
    finally:
        document.close()


@contextmanager
def _page(document: Any, number: int) -> Iterator[Any]:
    if not 1 <= number <= len(document):
        raise Refused(f"the PDF has no page {number}")
    try:
        page = document[number - 1]
    except pypdfium2.PdfiumError:
        raise Refused(f"page {number} of the PDF is damaged") from None
    try:
        yield page
    finally:
        page.close()


def _read_page(document: Any, number: int) -> tuple[dict[str, Any], list[str]]:
    """A page's facts and blocks; a damaged one has none, which does not spoil the others."""
    facts: dict[str, Any] = {"page": number, "width": 0, "height": 0, "scan": False, "damaged": False}
    try:
        with _page(document, number) as page:
            found = _blocks(page)
            width, height = page.get_size()
            scan = sum(map(len, found)) < SCAN_CHARACTERS and _has_picture(page)
    except Refused:
        return facts | {"damaged": True}, []
    return facts | {"width": round(width), "height": round(height), "scan": scan}, found


def _blocks(page: Any) -> list[str]:
    layer = page.get_textpage()
    try:
        return blocks(layer)
    finally:
        layer.close()


def _has_picture(page: Any) -> bool:
    kinds = pypdfium2.raw.FPDF_PAGEOBJ_IMAGE
    return any(True for _ in page.get_objects(filter=[kinds], max_depth=3))
