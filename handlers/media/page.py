"""Draws simple pages as PDF, with the standard fonts that every PDF renderer brings along.

Used for the previews of text files: no font has to be installed where the job runs, and rendering goes
through the same library as any other PDF. Words that the standard fonts cannot show are drawn as bars.
"""

from __future__ import annotations

from typing import Literal

Font = Literal["regular", "bold", "italic"]
Colour = tuple[float, float, float]

FONT_NAMES: dict[Font, str] = {
    "regular": "Helvetica",
    "bold": "Helvetica-Bold",
    "italic": "Helvetica-Oblique",
}
BLACK: Colour = (0.13, 0.14, 0.17)
BAR: Colour = (0.80, 0.82, 0.86)
BOLD_FACTOR = 1.08
OTHER_WIDTH = 556
# Advance widths of Helvetica, in thousandths of the font size, for the characters 32 to 126.
WIDTHS = (
    *(278, 278, 355, 556, 556, 889, 667, 191, 333, 333, 389, 584, 278, 333, 278, 278),
    *((556,) * 10),
    *(278, 278, 584, 584, 584, 556, 1015),
    *(667, 667, 722, 722, 667, 611, 778, 722, 278, 500, 667, 556, 833),
    *(722, 778, 667, 778, 722, 667, 611, 722, 667, 944, 667, 667, 611),
    *(278, 278, 278, 469, 556, 333),
    *(556, 556, 500, 556, 556, 278, 556, 556, 222, 222, 500, 222, 833),
    *(556, 556, 556, 556, 333, 500, 278, 556, 500, 722, 500, 500, 500),
    *(334, 260, 334, 584),
)


def text_width(text: str, size: float, font: Font = "regular") -> float:
    """The width of `text` in points; an estimate for anything beyond ASCII."""
    units = sum(WIDTHS[ord(char) - 32] if 32 <= ord(char) <= 126 else OTHER_WIDTH for char in text)
    return units / 1000 * size * (BOLD_FACTOR if font == "bold" else 1)


def wrap(text: str, size: float, width: float, font: Font = "regular") -> list[str]:
    """Breaks `text` into lines that fit `width` points; a word longer than a line is cut."""
    lines: list[str] = []
    line = ""
    for word in text.split():
        rest = word
        while text_width(rest, size, font) > width and len(rest) > 1:
            cut = max(1, int(len(rest) * width / text_width(rest, size, font)))
            lines, line = [*lines, *([line] if line else []), rest[:cut]], ""
            rest = rest[cut:]
        candidate = f"{line} {rest}" if line else rest
        if line and text_width(candidate, size, font) > width:
            lines.append(line)
            candidate = rest
        line = candidate
    return [*lines, line] if line else lines


class Page:
    """One page; positions are in points from the top left corner."""

    def __init__(self, width: float, height: float) -> None:
        self.width = width
        self.height = height
        self._operations: list[bytes] = []

    def rectangle(self, x: float, y: float, width: float, height: float, colour: Colour) -> None:
        """Fills a rectangle whose top left corner is (x, y)."""
        bottom = self.height - y - height
        self._add(f"{_colour(colour)} rg {x:.2f} {bottom:.2f} {width:.2f} {height:.2f} re f")

    def bar(self, x: float, y: float, height: float, width: float, colour: Colour) -> None:
        """Draws an upright line with round ends from (x, y) down."""
        top, bottom = self.height - y, self.height - y - height
        self._add(f"{_colour(colour)} RG {width:.2f} w 1 J {x:.2f} {top:.2f} m {x:.2f} {bottom:.2f} l S")

    def text(
        self, x: float, y: float, text: str, size: float, font: Font = "regular", colour: Colour = BLACK
    ) -> None:
        """Writes one line with its baseline at `y`."""
        for run, shown in _runs(text):
            if shown:
                name = list(FONT_NAMES).index(font) + 1
                position = f"{x:.2f} {self.height - y:.2f} Td"
                data = run.rstrip().encode("cp1252").hex()
                self._add(f"BT {_colour(colour)} rg /F{name} {size} Tf {position} <{data}> Tj ET")
            else:
                width = text_width(run.strip(), size, font)
                self.rectangle(x, y - 0.6 * size, width, 0.6 * size, BAR)
            x += text_width(run, size, font)

    def paragraph(
        self,
        x: float,
        y: float,
        text: str,
        size: float,
        width: float,
        *,
        font: Font = "regular",
        colour: Colour = BLACK,
        leading: float = 1.4,
        bottom: float | None = None,
    ) -> float:
        """Writes wrapped lines from baseline `y` down to `bottom` and returns the next baseline."""
        for line in wrap(text, size, width, font):
            if bottom is not None and y > bottom:
                break
            self.text(x, y, line, size, font, colour)
            y += size * leading
        return y

    def content(self) -> bytes:
        """The page's content stream."""
        return b"\n".join(self._operations)

    def _add(self, operation: str) -> None:
        self._operations.append(operation.encode("ascii"))


def write_pdf(pages: list[Page], title: str = "") -> bytes:
    """A complete PDF file; the same pages always give the same bytes."""
    fonts = " ".join(
        f"/F{number} << /Type /Font /Subtype /Type1 /BaseFont /{name} /Encoding /WinAnsiEncoding >>"
        for number, name in enumerate(FONT_NAMES.values(), 1)
    )
    kids = " ".join(f"{4 + 2 * index} 0 R" for index in range(len(pages)))
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        f"<< /Type /Pages /Count {len(pages)} /Kids [{kids}] >>".encode("ascii"),
        b"<< /Title <" + title.encode("utf-16-be", "replace").hex().join(("feff", "")).encode() + b"> >>",
    ]
    for index, page in enumerate(pages):
        stream = page.content()
        box = f"[0 0 {page.width:g} {page.height:g}]"
        objects.append(
            f"<< /Type /Page /Parent 2 0 R /MediaBox {box} /Contents {5 + 2 * index} 0 R"
            f" /Resources << /Font << {fonts} >> >> >>".encode("ascii")
        )
        objects.append(b"<< /Length %d >>\nstream\n%b\nendstream" % (len(stream), stream))
    return assemble_pdf(objects, b"/Root 1 0 R /Info 3 0 R")


def assemble_pdf(objects: list[bytes], trailer: bytes) -> bytes:
    """Numbers the objects from 1 and adds the cross-reference table."""
    data = b"%PDF-1.4\n"
    offsets: list[int] = []
    for number, body in enumerate(objects, 1):
        offsets.append(len(data))
        data += b"%d 0 obj\n%b\nendobj\n" % (number, body)
    table = b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    head = b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    size = b"/Size %d " % (len(objects) + 1)
    return data + head + table + b"trailer\n<< %b%b >>\nstartxref\n%d\n%%%%EOF\n" % (size, trailer, len(data))


def _colour(colour: Colour) -> str:
    return " ".join(f"{part:.3f}" for part in colour)


def _runs(text: str) -> list[tuple[str, bool]]:
    """Splits a line into runs that the standard fonts can show, and words that they cannot."""
    runs: list[tuple[str, bool]] = []
    for word in text.split(" "):
        piece, shown = f"{word} ", _encodable(word)
        if runs and runs[-1][1] and shown:
            piece = runs.pop()[0] + piece
        runs.append((piece, shown))
    return runs


def _encodable(word: str) -> bool:
    try:
        word.encode("cp1252")
    except UnicodeEncodeError:
        return False
    return True
