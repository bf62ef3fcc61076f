from __future__ import annotations

import io
import re
from pathlib import Path
from typing import Any

import pypdfium2
import pytest
import pyvips

from functions.sandbox import Sandbox
from handlers.contract import Reject
from handlers.media import pdf
from handlers.media.limits import Limits
from handlers.media.page import Page, assemble_pdf, write_pdf
from handlers.media.pdf_text import drop_running_lines
from handlers.media.refused import Refused
from tests.fixtures import broken_files

SAMPLE = broken_files.SAMPLES / "water-cycle.pdf"


def save(tmp_path: Path, data: bytes) -> Path:
    path = tmp_path / "upload.pdf"
    path.write_bytes(data)
    return path


def written(lines: list[str]) -> Page:
    page = Page(400, 400)
    for index, line in enumerate(lines):
        page.text(20, 40 + 20 * index, line, 12)
    return page


def scanned_pdf(more: bytes = b"", side: int = 300) -> bytes:
    """One page that is nothing but a picture, and `more`."""
    pixels = bytes(range(256)) * 4
    content = b"q %d 0 0 %d 50 50 cm /Im1 Do Q\n%b" % (side, side, more)
    return assemble_pdf(
        [
            b"<< /Type /Catalog /Pages 2 0 R >>",
            b"<< /Type /Pages /Count 1 /Kids [3 0 R] >>",
            b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 400 400] /Contents 4 0 R"
            b" /Resources << /XObject << /Im1 5 0 R >>"
            b" /Font << /F1 << /Type /Font /Subtype /Type1 /BaseFont /Helvetica >> >> >> >>",
            b"<< /Length %d >>\nstream\n%b\nendstream" % (len(content), content),
            b"<< /Type /XObject /Subtype /Image /Width 32 /Height 32 /ColorSpace /DeviceGray"
            b" /BitsPerComponent 8 /Length %d >>\nstream\n%b\nendstream" % (len(pixels), pixels),
        ],
        b"/Root 1 0 R",
    )


def broken_pages(data: bytes, *numbers: int) -> bytes:
    """The same PDF, of whose pages these cannot be opened any more."""
    pages = list(re.finditer(rb"/Type /Page ", data))
    for number in numbers:
        start = pages[number - 1].start()
        data = data[:start] + b"/Type /Rage " + data[start + 12 :]
    return data


def turned_pdf(data: bytes, degrees: int) -> bytes:
    """The same pages, stored turned one way and shown turned the other."""
    document = pypdfium2.PdfDocument(data)
    for page in document:
        width, height = page.get_size()
        turn = {
            90: pypdfium2.PdfMatrix(0, 1, -1, 0, height, 0),
            180: pypdfium2.PdfMatrix(-1, 0, 0, -1, width, height),
            270: pypdfium2.PdfMatrix(0, -1, 1, 0, 0, width),
        }[degrees]
        for found in page.get_objects():
            found.transform(turn)
        page.gen_content()
        if degrees != 180:
            page.set_mediabox(0, 0, height, width)
        page.set_rotation(degrees)
    written = io.BytesIO()
    document.save(written)
    document.close()
    return written.getvalue()


def test_the_sample_is_read_with_its_title_pages_and_facts(tmp_path: Path) -> None:
    facts = pdf.extract(SAMPLE, tmp_path)

    assert (facts["title"], facts["pages"], facts["scans"]) == ("The Water Cycle", 3, [])
    assert facts["truncated"] is False
    assert "97 percent" in facts["content"][0]["text"]
    assert "In 1674 Pierre Perrault" in facts["content"][2]["text"].replace("\n", " ")
    assert (facts["content"][0]["width"], facts["content"][0]["height"]) == (595, 842)


@pytest.mark.parametrize(
    ("title", "read"),
    [(b"<FEFF00410000D8000042>", None), (b"<FEFF0041000000420020>", "AB"), (b"<FEFF00530065006500>", "See")],
)
def test_a_title_of_broken_characters_does_not_cost_the_pdf(
    tmp_path: Path, title: bytes, read: str | None
) -> None:
    data = SAMPLE.read_bytes()
    start = data.index(b"/Title ") + len(b"/Title ")
    end = data.index(b">", start) + 1

    facts = pdf.extract(save(tmp_path, data[:start] + title + data[end:]), tmp_path)

    assert (facts["title"], facts["pages"]) == (read, 3)


def test_headings_and_paragraphs_are_kept_apart(tmp_path: Path) -> None:
    blocks = pdf.extract(SAMPLE, tmp_path)["content"][0]["text"].split("\n\n")

    assert "Evaporation" in blocks
    assert blocks[blocks.index("Evaporation") + 1].startswith("Evaporation is the change")


def test_the_running_footer_is_left_out(tmp_path: Path) -> None:
    text = "\n".join(page["text"] for page in pdf.extract(SAMPLE, tmp_path)["content"])

    assert "page 1 of" not in text


def test_a_last_line_that_differs_from_page_to_page_stays() -> None:
    pages = [["Title", f"{word} ends here"] for word in ("One", "Two", "Three")]

    assert drop_running_lines(pages) == [[f"{word} ends here"] for word in ("One", "Two", "Three")]


def test_the_pages_of_a_form_letter_keep_their_text(tmp_path: Path) -> None:
    letters = [
        written([f"Dear customer {number}, you still owe us {number}00 euros."]) for number in (1, 2, 3)
    ]

    content = pdf.extract(save(tmp_path, write_pdf(letters)), tmp_path)["content"]

    assert [page["text"] for page in content] == [
        f"Dear customer {number}, you still owe us {number}00 euros." for number in (1, 2, 3)
    ]


def test_a_page_is_never_left_without_text_and_a_paragraph_never_taken_for_a_header() -> None:
    alike = [["Report 1", "Page 1"], ["Report 2", "Page 2"], ["Report 3", "Page 3"]]
    paragraphs = [[f"Title {word}", f"In the year {year}, " + "the same was done again. " * 5] for year, word in
                  ((1900, "one"), (1901, "two"), (1902, "three"))]  # fmt: skip

    assert drop_running_lines(alike) == alike
    assert drop_running_lines(paragraphs) == paragraphs


def test_a_pdf_without_pages_is_not_called_damaged(tmp_path: Path) -> None:
    with pytest.raises(Reject, match=r"^the PDF has no pages$"):
        Sandbox().run("handlers.media.pdf:extract", save(tmp_path, write_pdf([])), timeout=30)


def test_a_page_that_is_only_a_picture_is_a_scan(tmp_path: Path) -> None:
    facts = pdf.extract(save(tmp_path, scanned_pdf()), tmp_path)

    assert facts["scans"] == [1]
    assert facts["content"][0]["text"] == ""


def test_an_empty_page_is_no_scan(tmp_path: Path) -> None:
    assert pdf.extract(save(tmp_path, write_pdf([Page(200, 200)])), tmp_path)["scans"] == []


def test_only_the_first_pages_of_a_long_pdf_are_read_and_that_is_said(tmp_path: Path) -> None:
    source = save(tmp_path, write_pdf([written([f"This is page {number}."]) for number in range(9)]))

    facts = pdf.extract(source, tmp_path, limits={"max_pdf_text_pages": 4})

    assert (facts["pages"], len(facts["content"]), facts["truncated"]) == (9, 4, True)


def test_reading_stops_when_there_is_enough_text(tmp_path: Path) -> None:
    source = save(tmp_path, write_pdf([written(["Twenty-five characters ok"]) for _ in range(9)]))

    facts = pdf.extract(source, tmp_path, limits={"max_text_characters": 50})

    assert (len(facts["content"]), facts["truncated"]) == (2, True)


def test_a_damaged_page_does_not_spoil_the_others(tmp_path: Path) -> None:
    data = SAMPLE.read_bytes().replace(b"6 0 obj\n<< /Type /Page ", b"6 0 obj\n<< /Type /Rage ")
    source = save(tmp_path, data)

    content = pdf.extract(source, tmp_path)["content"]

    assert [page["damaged"] for page in content] == [False, True, False]
    assert content[1]["text"] == ""


def test_the_first_page_becomes_the_thumbnail(tmp_path: Path) -> None:
    facts = pdf.thumbnails(SAMPLE, tmp_path)

    assert [(made["width"], made["height"]) for made in facts["thumbnails"]] == [(181, 256), (724, 1024)]
    band = pyvips.Image.new_from_file(str(tmp_path / "1024.webp")).getpoint(700, 184)
    assert band[2] > band[0] + 80  # the blue line under the title: colours are in the right order


def test_a_page_as_large_as_a_house_is_scaled_down(tmp_path: Path) -> None:
    facts = pdf.thumbnails(save(tmp_path, write_pdf([Page(14_400, 7_200)])), tmp_path)

    assert facts["thumbnails"][-1]["width"] == 1024
    assert (facts["width"], facts["height"]) == (14_400, 7_200)
    with pdf.opened(tmp_path / "upload.pdf", Limits()) as document:
        assert pdf.render_at(document, 1, dpi=600).width == 2400


def test_a_page_can_be_had_as_a_picture_for_a_provider(tmp_path: Path) -> None:
    facts = pdf.picture(SAMPLE, tmp_path, page=2)

    made = pyvips.Image.new_from_file(str(tmp_path / "picture.jpg"))
    assert facts == {"width": 1109, "height": 1568} == {"width": made.width, "height": made.height}
    assert made.get("vips-loader") == "jpegload"


def test_a_page_beyond_the_last_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="no page 4"):
        pdf.picture(SAMPLE, tmp_path, page=4)


@pytest.mark.parametrize("decoder", [pdf.extract, pdf.thumbnails, pdf.picture])
def test_a_pdf_of_too_many_pages_is_refused_with_the_limit(tmp_path: Path, decoder: Any) -> None:
    source = save(tmp_path, write_pdf([Page(100, 100)] * 1001))

    with pytest.raises(Refused, match=r"^the PDF has 1,001 pages: at most 1,000 are read$"):
        decoder(source, tmp_path, limits={"max_pdf_pages": 1000})
    decoder(source, tmp_path, limits={"max_pdf_pages": 1001})


def test_the_page_after_a_damaged_first_one_stands_for_the_pdf(tmp_path: Path) -> None:
    source = save(tmp_path, broken_pages(SAMPLE.read_bytes(), 1))

    facts = pdf.thumbnails(source, tmp_path)

    assert (facts["page"], facts["thumbnails"][0]["height"]) == (2, 256)


def test_a_pdf_of_damaged_pages_only_has_no_thumbnail(tmp_path: Path) -> None:
    source = save(tmp_path, broken_pages(SAMPLE.read_bytes(), 1, 2, 3))

    with pytest.raises(Refused, match="damaged"):
        pdf.thumbnails(source, tmp_path)


def test_the_lines_of_a_page_that_is_turned_to_be_shown_keep_their_order(tmp_path: Path) -> None:
    """The page lies on its side and says that it is to be shown turned by a quarter."""
    upright = pdf.extract(SAMPLE, tmp_path)["content"][0]["text"]
    for quarters in (1, 2, 3):
        source = save(tmp_path, turned_pdf(SAMPLE.read_bytes(), 90 * quarters))

        assert pdf.extract(source, tmp_path)["content"][0]["text"] == upright


def test_a_pdf_that_only_its_owner_may_change_is_read_by_anybody(tmp_path: Path) -> None:
    source = save(tmp_path, broken_files.encrypted_pdf(password=b""))

    assert pdf.extract(source, tmp_path)["content"][0]["text"] == "Nobody should read this"


def test_a_page_signed_by_the_app_that_scanned_it_is_still_a_scan(tmp_path: Path) -> None:
    signed = scanned_pdf(b"BT /F1 8 Tf 60 40 Td (Scanned with an app that signs pages) Tj ET")
    facts = pdf.extract(save(tmp_path, signed), tmp_path)

    assert (facts["scans"], facts["content"][0]["text"]) == ([1], "Scanned with an app that signs pages")


def test_a_page_with_a_small_picture_and_few_words_is_no_scan(tmp_path: Path) -> None:
    drawn = scanned_pdf(b"BT /F1 8 Tf 60 40 Td (A title page with a logo on it) Tj ET", side=100)

    assert pdf.extract(save(tmp_path, drawn), tmp_path)["scans"] == []


@pytest.mark.parametrize("decoder", [pdf.extract, pdf.thumbnails, pdf.picture])
def test_a_protected_pdf_is_refused(tmp_path: Path, decoder: object) -> None:
    assert callable(decoder)
    with pytest.raises(Refused, match="protected by a password"):
        decoder(save(tmp_path, broken_files.encrypted_pdf()), tmp_path)


@pytest.mark.parametrize("decoder", [pdf.extract, pdf.thumbnails, pdf.picture])
def test_a_corrupt_pdf_is_refused(tmp_path: Path, decoder: object) -> None:
    assert callable(decoder)
    with pytest.raises(Refused, match="damaged"):
        decoder(save(tmp_path, broken_files.corrupt_pdf()), tmp_path)


def test_the_protected_fixture_opens_with_its_password(tmp_path: Path) -> None:
    document = pypdfium2.PdfDocument(broken_files.encrypted_pdf(), password="open sesame")

    assert len(document) == 1
    document.close()
