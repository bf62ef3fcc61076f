from __future__ import annotations

from pathlib import Path

import pytest
import pyvips

from handlers.media import text
from handlers.media.refused import Refused
from tests.fixtures import broken_files

SAMPLE = broken_files.SAMPLES / "plate-tectonics.md"


def save(tmp_path: Path, data: str | bytes) -> Path:
    path = tmp_path / "upload"
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return path


def test_markdown_becomes_sections_with_plain_paragraphs(tmp_path: Path) -> None:
    facts = text.extract(SAMPLE, tmp_path)

    assert (facts["title"], facts["markdown"]) == ("Plate tectonics", True)
    headings = [(section["heading"], section["level"]) for section in facts["sections"]]
    assert headings[:2] == [("Plate tectonics", 1), ("Key terms", 2)]
    assert facts["sections"][1]["paragraphs"][2] == (
        "Subduction: the process in which one plate slides under another and sinks into the mantle"
    )


def test_plain_text_keeps_its_lines_in_paragraphs(tmp_path: Path) -> None:
    facts = text.extract(save(tmp_path, "First line,\r\nsecond line.\r\n\r\nNext paragraph."), tmp_path)

    assert facts["markdown"] is False
    assert facts["sections"][0]["paragraphs"] == ["First line,\nsecond line.", "Next paragraph."]
    assert facts["title"] == "First line,"


@pytest.mark.parametrize(
    ("markdown", "plain"),
    [
        ("**bold** and *slanted* and `code`", "bold and slanted and code"),
        ("a [link](https://example.org 'x') here", "a [link](https://example.org 'x') here"),
        ("a [link](https://example.org) here", "a link here"),
        ("![a picture](x.png)", "a picture"),
        ("snake_case_name and 2*3*4", "snake_case_name and 2*3*4"),
        ("> a quotation", "a quotation"),
        ("two\nlines of one paragraph", "two lines of one paragraph"),
    ],
)
def test_markup_is_removed(tmp_path: Path, markdown: str, plain: str) -> None:
    facts = text.extract(save(tmp_path, f"# Title\n\n{markdown}\n"), tmp_path)

    assert facts["sections"][0]["paragraphs"] == [plain]


def test_code_keeps_its_lines_and_its_hashes_are_no_headings(tmp_path: Path) -> None:
    facts = text.extract(save(tmp_path, "# Title\n\n```sh\n# a comment\nls\n\nend\n```\nafter\n"), tmp_path)

    assert len(facts["sections"]) == 1
    assert facts["sections"][0]["paragraphs"] == ["# a comment\nls\n\nend", "after"]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_encodings_with_a_clear_sign_are_read(tmp_path: Path, encoding: str) -> None:
    facts = text.extract(save(tmp_path, "Größe: groß".encode(encoding)), tmp_path)

    assert facts["sections"][0]["paragraphs"] == ["Größe: groß"]


def test_a_western_text_of_8_bits_is_read_and_that_is_noted(tmp_path: Path) -> None:
    facts = text.extract(save(tmp_path, "Die Größe der Zelle".encode("cp1252")), tmp_path)

    assert facts["sections"][0]["paragraphs"] == ["Die Größe der Zelle"]
    assert facts["notes"] == ["text: read as Windows-1252"]


def test_a_single_broken_character_spoils_no_text(tmp_path: Path) -> None:
    data = "Größe und Länge. ".encode() * 500
    facts = text.extract(save(tmp_path, data + b"\xff" + data), tmp_path)

    assert facts["notes"] == ["text: damaged characters were replaced"]
    assert "Größe und Länge. \ufffdGröße" in facts["sections"][0]["paragraphs"][0]


def test_a_few_control_characters_are_left_out(tmp_path: Path) -> None:
    facts = text.extract(save(tmp_path, b"Cells divide. " * 1000 + b"\x00Then"), tmp_path)

    assert facts["sections"][0]["paragraphs"][0].endswith("divide. Then")
    assert facts["notes"] == ["text: damaged characters were replaced"]


def test_headings_are_bounded_since_each_takes_room_in_the_answer(tmp_path: Path) -> None:
    facts = text.extract(save(tmp_path, "# a\n" * 100_000), tmp_path)

    assert (len(facts["sections"]), facts["truncated"]) == (20_000, True)


def test_a_text_damaged_behind_its_head_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="damaged"):
        text.extract(save(tmp_path, b"a" * 5000 + b"\xff\xfe\xfa"), tmp_path)


def test_a_text_of_nothing_but_space_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="empty"):
        text.extract(save(tmp_path, " \n\t\n"), tmp_path)


def test_a_long_text_is_cut_and_that_is_said(tmp_path: Path) -> None:
    facts = text.extract(save(tmp_path, "word " * 1000), tmp_path, limits={"max_text_characters": 100})

    assert facts["truncated"] is True
    assert len(facts["sections"][0]["paragraphs"][0]) <= 100


def test_the_preview_is_a_white_page_with_dark_writing(tmp_path: Path) -> None:
    facts = text.thumbnails(SAMPLE, tmp_path)

    assert [(made["width"], made["height"]) for made in facts["thumbnails"]] == [(192, 256), (768, 1024)]
    page = pyvips.Image.new_from_file(str(tmp_path / "1024.webp")).colourspace("b-w")
    margin, title = page.crop(0, 30, 60, 990), page.crop(60, 60, 400, 60)
    assert margin.min() > 245
    assert (title.min(), title.max()) == (pytest.approx(35, abs=25), pytest.approx(255, abs=10))


def test_words_the_standard_fonts_lack_are_drawn_as_bars(tmp_path: Path) -> None:
    text.thumbnails(save(tmp_path, "Вода покрывает семьдесят процентов Земли. " * 20), tmp_path)

    page = pyvips.Image.new_from_file(str(tmp_path / "1024.webp")).colourspace("b-w")
    assert page.crop(60, 100, 600, 300).avg() < 245


def test_the_longest_words_break_and_do_not_hang_the_preview(tmp_path: Path) -> None:
    assert text.thumbnails(save(tmp_path, "x" * 100_000), tmp_path)["thumbnails"]
