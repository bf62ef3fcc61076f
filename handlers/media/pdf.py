"""Reads PDFs with PDFium, in the sandboxed child: their text page by page, and pictures of pages.

A password of the owner's alone (who may print, who may copy) opens like any other PDF. What a form in XFA
shows is whatever its pages say to readers that cannot run it.

PDFium is not safe to use from several threads, which one child per call takes care of.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pypdfium2

from handlers.media.limits import Limits
from handlers.media.pdf_text import blocks, drop_running_lines
from handlers.media.pixels import PICTURE_SIDE, SIZES, from_rgba, write_picture, write_thumbnails
from handlers.media.refused import Refused

MAX_PICTURE_SIDE = 2400
SCAN_CHARACTERS = 20  # a page with fewer, and with a picture on it, is taken for a scan
STAMP_CHARACTERS = 100  # so is one with fewer, as scanners' apps sign their pages, where the picture fills it
FILLS = 0.5  # of the page's area
COVER_PAGES = 10  # so many are tried for a thumbnail
POINTS_PER_INCH = 72

DAMAGED = "the PDF is damaged and cannot be opened"
WHY_NOT_OPENED = {
    pypdfium2.raw.FPDF_ERR_PASSWORD: "the PDF is protected by a password",
    # PDFium does not open a sound document without pages, and leaves its last error as it was: none, in a
    # process that has opened nothing else.
    pypdfium2.raw.FPDF_ERR_SUCCESS: "the PDF has no pages",
}


def extract(source: Path, folder: Path, limits: Mapping[str, Any] | None = None) -> dict[str, Any]:  # noqa: ARG001
    """Title, number of pages, and of the first pages their text, size in points and whether they are scans.

    Paragraphs and headings of a page are separated by an empty line; headers and footers are left out.
    """
    allowed = Limits.of(limits)
    with opened(source, allowed) as document:
        pages: list[dict[str, Any]] = []
        texts: list[list[str]] = []
        left = allowed.max_text_characters
        for number in range(1, min(len(document), allowed.max_pdf_text_pages) + 1):
            if left <= 0:
                break
            facts, found = _read_page(document, number)
            left -= sum(map(len, found))
            pages.append(facts)
            texts.append(found)
        title = _title(document)
        count = len(document)
    if all(facts["damaged"] for facts in pages):
        raise Refused("the PDF is damaged and cannot be read")
    for facts, found in zip(pages, drop_running_lines(texts), strict=True):
        facts["text"] = "\n\n".join(found)
    return {
        "title": title,
        "pages": count,
        "content": pages,
        "scans": [facts["page"] for facts in pages if facts["scan"]],
        "truncated": len(pages) < count,
    }


def thumbnails(
    source: Path, folder: Path, sizes: Sequence[int] = SIZES, limits: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Writes `<size>.webp` of the first page that can be read, for each size; its own size is in points."""
    with opened(source, Limits.of(limits)) as document:
        number, (width, height) = _cover(document)
        image = render(document, number, max(sizes))
        facts = {"pages": len(document), "page": number, "width": round(width), "height": round(height)}
        return facts | write_thumbnails(image, folder, sizes)


def picture(
    source: Path, folder: Path, page: int = 1, limits: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Writes one page as `picture.jpg`, for an AI provider that looks at pages, and says its size in pixels."""
    with opened(source, Limits.of(limits)) as document:
        return write_picture(render(document, page, PICTURE_SIDE), folder)


@contextmanager
def opened(source: Path, limits: Limits) -> Iterator[Any]:
    """A PDF that may be read here, or its refusal with the reason."""
    try:
        document = pypdfium2.PdfDocument(source)
    except pypdfium2.PdfiumError as error:
        raise Refused(WHY_NOT_OPENED.get(error.err_code, DAMAGED)) from None
    try:
        if len(document) > limits.max_pdf_pages:
            raise Refused(f"the PDF has {len(document):,} pages: at most {limits.max_pdf_pages:,} are read")
        yield document
    finally:
        document.close()


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
def _page(document: Any, number: int) -> Iterator[Any]:
    if not 1 <= number <= len(document):
        raise Refused(f"the PDF has no page {number}")
    try:
        page = document[number - 1]
        try:
            yield page
        finally:
            page.close()
    except pypdfium2.PdfiumError:
        raise Refused(f"page {number} of the PDF is damaged") from None


def _cover(document: Any) -> tuple[int, tuple[float, float]]:
    """The page that stands for the PDF and its size: the first, unless it is damaged."""
    damaged = Refused("the PDF is damaged and cannot be read")
    for number in range(1, min(len(document), COVER_PAGES) + 1):
        try:
            with _page(document, number) as page:
                return number, page.get_size()
        except Refused as error:
            damaged = error
    raise damaged


def _title(document: Any) -> str | None:
    try:
        title = str(document.get_metadata_value("Title") or "")
    except UnicodeDecodeError:
        return None  # half a character, which PDFium hands out as it is
    return title.replace("\x00", "").strip() or None


def _read_page(document: Any, number: int) -> tuple[dict[str, Any], list[str]]:
    """A page's facts and blocks; a damaged one has none, which does not spoil the others."""
    facts: dict[str, Any] = {"page": number, "width": 0, "height": 0, "scan": False, "damaged": False}
    try:
        with _page(document, number) as page:
            found = _blocks(page)
            width, height = page.get_size()
            scan = _is_scan(page, sum(map(len, found)))
    except Refused:
        return facts | {"damaged": True}, []
    return facts | {"width": round(width), "height": round(height), "scan": scan}, found


def _blocks(page: Any) -> list[str]:
    layer = page.get_textpage()
    try:
        return blocks(layer, page.get_rotation())
    finally:
        layer.close()


def _is_scan(page: Any, characters: int) -> bool:
    if characters >= STAMP_CHARACTERS:
        return False
    kinds = [pypdfium2.raw.FPDF_PAGEOBJ_IMAGE]
    areas = [_area(found.get_bounds()) for found in page.get_objects(filter=kinds, max_depth=3)]
    if characters < SCAN_CHARACTERS:
        return bool(areas)
    return max(areas, default=0.0) > FILLS * _area(page.get_bbox())


def _area(box: tuple[float, float, float, float]) -> float:
    left, bottom, right, top = box
    return abs(right - left) * abs(top - bottom)
