"""The slide and the PDF, drawn with the standard fonts of PDF, so that no font has to be installed."""

from __future__ import annotations

import pypdfium2

from handlers.media import pdf
from handlers.media.page import Page, write_pdf
from scripts.samples import texts

SLIDE_WIDTH, SLIDE_HEIGHT = 1280, 720
GREEN = (0.09, 0.45, 0.27)
PALE = (0.90, 0.96, 0.91)
BLUE = (0.10, 0.33, 0.62)
PALE_BLUE = (0.90, 0.94, 0.99)
GREY = (0.40, 0.44, 0.50)
A4 = (595.0, 842.0)
MARGIN = 68.0


def slide() -> bytes:
    """A lecture's slide as a PNG: five terms with their definitions, to be read by text recognition."""
    page = Page(SLIDE_WIDTH, SLIDE_HEIGHT)
    page.rectangle(0, 0, SLIDE_WIDTH, SLIDE_HEIGHT, (0.99, 0.99, 0.98))
    page.rectangle(0, 0, SLIDE_WIDTH, 128, GREEN)
    page.text(64, 84, texts.SLIDE_TITLE, 58, "bold", (1, 1, 1))
    for index, line in enumerate(texts.SLIDE_LINES):
        y = 208 + index * 76
        page.rectangle(64, y - 22, 10, 28, GREEN)
        page.text(96, y, line, 31)
    page.rectangle(64, 580, SLIDE_WIDTH - 128, 84, PALE)
    page.text(96, 633, texts.SLIDE_NOTE, 33, "bold", GREEN)
    document = pypdfium2.PdfDocument(write_pdf([page]))
    try:
        image = pdf.render(document, 1, SLIDE_WIDTH)
        return bytes(image.write_to_buffer(".png", compression=9, palette=True, Q=90, keep=0))
    finally:
        document.close()


def prose() -> bytes:
    """An article of three pages as a PDF with a text layer and a title."""
    total = len(texts.PDF_PAGES)
    pages = [_page(number, total) for number in range(1, total + 1)]
    return write_pdf(pages, texts.PDF_TITLE)


def _page(number: int, total: int) -> Page:
    width, height = A4
    page = Page(width, height)
    y = MARGIN + 16
    if number == 1:
        page.rectangle(0, 0, width, 150, PALE_BLUE)
        page.rectangle(0, 150, width, 4, BLUE)
        page.text(MARGIN, 92, texts.PDF_TITLE, 38, "bold", BLUE)
        page.text(MARGIN, 122, "How water travels between sea, sky and land", 14, "italic", GREY)
        y = 190
    for block in texts.PDF_PAGES[number - 1].split("\n\n"):
        if block.startswith("#"):
            y += 14
            page.text(MARGIN, y, block.lstrip("# "), 21, "bold", BLUE)
            y += 33
        else:
            y = page.paragraph(MARGIN, y, block, 15.5, width - 2 * MARGIN, leading=1.5) + 11
    page.text(MARGIN, height - 40, f"{texts.PDF_TITLE} - page {number} of {total}", 10, colour=GREY)
    return page
