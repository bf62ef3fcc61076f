"""Lays out the beginning of a text as a page, for its thumbnails."""

from __future__ import annotations

from collections.abc import Sequence

from handlers.media.page import Colour, Page, text_width, wrap
from handlers.media.sections import Section

PAGE_WIDTH, PAGE_HEIGHT, MARGIN = 420.0, 560.0, 38.0
ACCENT: Colour = (0.23, 0.36, 0.78)
GREY: Colour = (0.42, 0.45, 0.50)


def page_of(sections: Sequence[Section]) -> Page:
    """The page: a title if there is one, then headings and paragraphs as far as they fit."""
    page = Page(PAGE_WIDTH, PAGE_HEIGHT)
    page.rectangle(0, 0, PAGE_WIDTH, PAGE_HEIGHT, (1, 1, 1))
    page.rectangle(0, 0, PAGE_WIDTH, 7, ACCENT)
    width, bottom = PAGE_WIDTH - 2 * MARGIN, PAGE_HEIGHT - MARGIN
    y = MARGIN + 26
    title = sections[0].heading if sections else None
    if title:
        y = _title_lines(page, y, title, width)
    for section in sections:
        if section.heading and section.heading is not title:
            y = page.paragraph(
                MARGIN, y + 8, section.heading, 14.5, width, font="bold", colour=ACCENT, bottom=bottom
            )
        for paragraph in section.paragraphs:
            for line in paragraph.split("\n"):
                y = page.paragraph(MARGIN, y, line, 11.5, width, leading=1.42, bottom=bottom)
            y += 6
    return page


def _title_lines(page: Page, y: float, title: str, width: float) -> float:
    size = 25.0 if text_width(title, 25, "bold") <= 2 * width else 18.0
    for line in wrap(title, size, width, "bold")[:4]:
        page.text(MARGIN, y, line, size, "bold")
        y += size * 1.2
    page.rectangle(MARGIN, y - size * 0.75, width, 1, GREY)
    return y + 12
