from __future__ import annotations

from pathlib import Path

import pypdfium2
import pytest
import pyvips

from functions.sandbox import Sandbox
from handlers.contract import Reject
from handlers.media import pdf
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


def scanned_pdf() -> bytes:
    """One page that is nothing but a picture."""
    pixels = bytes(range(256)) * 4
    content = b"q 300 0 0 300 50 50 cm /Im1 Do Q"
    return assemble_pdf(
        [
            b"<< /Type /Catalog /Pages 2 0 R >>",
            b"<< /Type /Pages /Count 1 /Kids [3 0 R] >>",
            b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 400 400] /Contents 4 0 R"
            b" /Resources << /XObject << /Im1 5 0 R >> >> >>",
            b"<< /Length %d >>\nstream\n%b\nendstream" % (len(content), content),
            b"<< /Type /XObject /Subtype /Image /Width 32 /Height 32 /ColorSpace /DeviceGray"
            b" /BitsPerComponent 8 /Length %d >>\nstream\n%b\nendstream" % (len(pixels), pixels),
        ],
        b"/Root 1 0 R",
    )


def test_the_sample_is_read_with_its_title_pages_and_facts(tmp_path: Path) -> None:
    facts = pdf.extract(SAMPLE, tmp_path)

    assert (facts["title"], facts["pages"], facts["scans"]) == ("The Water Cycle", 3, [])
    assert facts["truncated"] is False
    assert "97 percent" in facts["content"][0]["text"]
    assert "In 1674 Pierre Perrault" in facts["content"][2]["text"].replace("\n", " ")
    assert (facts["content"][0]["width"], facts["content"][0]["height"]) == (595, 842)


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

    facts = pdf.extract(source, tmp_path, max_pages=4)

    assert (facts["pages"], len(facts["content"]), facts["truncated"]) == (9, 4, True)


def test_reading_stops_when_there_is_enough_text(tmp_path: Path) -> None:
    source = save(tmp_path, write_pdf([written(["Twenty-five characters ok"]) for _ in range(9)]))

    facts = pdf.extract(source, tmp_path, max_characters=50)

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
    assert pdf.page_image(tmp_path / "upload.pdf", tmp_path, dpi=600)["width"] == 2400


def test_a_page_can_be_had_as_a_picture_at_a_resolution(tmp_path: Path) -> None:
    facts = pdf.page_image(SAMPLE, tmp_path, page=2, dpi=72)

    assert facts == {"page": 2, "width": 595, "height": 842, "name": "page.png"}
    assert pyvips.Image.new_from_file(str(tmp_path / "page.png")).width == 595


def test_a_page_beyond_the_last_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="no page 4"):
        pdf.page_image(SAMPLE, tmp_path, page=4)


@pytest.mark.parametrize("decoder", [pdf.extract, pdf.thumbnails, pdf.page_image])
def test_a_protected_pdf_is_refused(tmp_path: Path, decoder: object) -> None:
    assert callable(decoder)
    with pytest.raises(Refused, match="protected by a password"):
        decoder(save(tmp_path, broken_files.encrypted_pdf()), tmp_path)


@pytest.mark.parametrize("decoder", [pdf.extract, pdf.thumbnails, pdf.page_image])
def test_a_corrupt_pdf_is_refused(tmp_path: Path, decoder: object) -> None:
    assert callable(decoder)
    with pytest.raises(Refused, match="damaged"):
        decoder(save(tmp_path, broken_files.corrupt_pdf()), tmp_path)


def test_the_protected_fixture_opens_with_its_password(tmp_path: Path) -> None:
    document = pypdfium2.PdfDocument(broken_files.encrypted_pdf(), password="open sesame")

    assert len(document) == 1
    document.close()
