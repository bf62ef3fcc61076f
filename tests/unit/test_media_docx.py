from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import pyvips

from handlers.media import text
from handlers.media.refused import Refused
from tests.fixtures import docx_files
from tests.fixtures.docx_files import WORD, document, paragraph, table, word_document


def read(tmp_path: Path, data: bytes, **limits: float) -> dict[str, Any]:
    path = tmp_path / "upload"
    path.write_bytes(data)
    return text.extract(path, tmp_path, limits=limits)


def paragraphs(facts: dict[str, Any]) -> list[str]:
    return [paragraph for section in facts["sections"] for paragraph in section["paragraphs"]]


def test_headings_are_told_by_their_styles_whatever_the_program_calls_them(tmp_path: Path) -> None:
    facts = read(tmp_path, docx_files.biology())

    assert facts["title"] == "Notes on the cell"
    assert [(section["heading"], section["level"]) for section in facts["sections"]] == [
        ("Cell biology", 1),
        ("The nucleus", 2),
        ("Organelles", 3),
    ]


def test_a_style_inherits_the_rank_of_the_one_it_is_based_on(tmp_path: Path) -> None:
    facts = read(tmp_path, word_document(paragraph("Below", style="Unterkapitel") + paragraph("Text.")))

    assert (facts["sections"][0]["heading"], facts["sections"][0]["level"]) == ("Below", 2)


def test_lists_are_one_paragraph_and_tables_another(tmp_path: Path) -> None:
    assert paragraphs(read(tmp_path, docx_files.biology()))[1:] == [
        "- Ribosome: a particle that makes proteins\n- Lysosome: a vesicle that digests waste",
        "Osmosis\tthe movement of water through a membrane\nMitosis\tcell division",
    ]


def test_the_columns_of_a_wide_table_are_named_in_every_row(tmp_path: Path) -> None:
    rows = [["Symbol", "Name", "Number"], ["He", "Helium", "2"]]

    assert paragraphs(read(tmp_path, word_document(table(rows)))) == ["Symbol: He\tName: Helium\tNumber: 2"]


def test_a_table_inside_a_cell_is_part_of_its_text(tmp_path: Path) -> None:
    inner = table([["x", "y"]])
    body = f"<w:tbl><w:tr><w:tc>{paragraph('a')}</w:tc><w:tc>{inner}{paragraph('b')}</w:tc></w:tr></w:tbl>"

    assert paragraphs(read(tmp_path, word_document(body))) == ["a\tx y b"]


def test_line_breaks_tabs_and_hidden_copies_are_told_apart(tmp_path: Path) -> None:
    body = (
        "<w:p><w:r><w:t>one</w:t><w:br/><w:t>two</w:t><w:tab/><w:t>three</w:t></w:r>"
        "<w:del><w:r><w:t>gone</w:t></w:r></w:del>"
        '<w:r><mc:Fallback xmlns:mc="urn:mc"><w:t>twice</w:t></mc:Fallback></w:r>'
        "<w:r><w:instrText>PAGE</w:instrText></w:r></w:p>"
    )
    assert paragraphs(read(tmp_path, word_document(body))) == ["one\ntwo three"]


def test_the_strict_dialect_and_another_name_of_the_main_part_are_read(tmp_path: Path) -> None:
    strict = document(paragraph("Strictly speaking.")).replace(
        WORD, "http://purl.oclc.org/ooxml/wordprocessingml/main"
    )
    relations = docx_files.RELATIONS.replace("word/document.xml", "/word/document2.xml")
    data = word_document(more={"word/document2.xml": strict, "_rels/.rels": relations})

    assert paragraphs(read(tmp_path, data)) == ["Strictly speaking."]


@pytest.mark.parametrize("make", [docx_files.with_external_relations, docx_files.with_macros])
def test_what_leads_outside_or_could_run_is_passed_over(tmp_path: Path, make: Callable[[], bytes]) -> None:
    assert paragraphs(read(tmp_path, make())) == ["Hello from Word."]


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (docx_files.with_entity_bomb, r"definitions \(a DTD\)"),
        (docx_files.with_document_type, r"definitions \(a DTD\)"),
        (docx_files.with_external_entity, r"definitions \(a DTD\)"),
        (docx_files.with_deep_nesting, "unpacks to more than 100 times"),
        (lambda: docx_files.unpacking_to(101), "unpacks to more than 100 MB"),
        (docx_files.with_lying_directory, "damaged"),
        (lambda: docx_files.with_many_entries(2_000), "more than 2,000 parts"),
        (docx_files.encrypted_part, "protected by a password"),
        (docx_files.without_main_part, "damaged"),
        (lambda: word_document(""), "no text"),
        (lambda: word_document(more={"word/document.xml": "<w:document"}), "damaged"),
    ],
)
def test_a_hostile_document_is_refused_by_the_name_of_its_trouble(
    tmp_path: Path, make: Callable[[], bytes], sentence: str
) -> None:
    data = make()
    begun = time.perf_counter()
    with pytest.raises(Refused, match=sentence):
        read(tmp_path, data)
    assert time.perf_counter() - begun < 5


def test_limits_are_what_the_settings_say(tmp_path: Path) -> None:
    data = docx_files.large_text(3)
    with pytest.raises(Refused, match="unpacks to more than 2 times"):
        read(tmp_path, data, max_docx_ratio=2)
    with pytest.raises(Refused, match="a part of more than 1 MB"):
        read(tmp_path, data, max_docx_xml_mb=1, max_docx_ratio=1_000_000)
    assert read(tmp_path, data, max_text_characters=100)["truncated"] is True


def test_the_answer_is_bounded_whatever_the_text_is_made_of(tmp_path: Path) -> None:
    many = word_document(paragraph("a", style="Kapitel") * 30_000)
    assert len(read(tmp_path, many, max_docx_ratio=10_000)["sections"]) <= 20_001
    names = [f"a long name of column {number}" for number in range(50)]
    wide = word_document(table([names, *([["7"] * 50] * 200)]))
    facts = read(tmp_path, wide, max_docx_ratio=10_000, max_text_characters=50_000)
    assert (len(paragraphs(facts)[0]) < 51_000, facts["truncated"]) == (True, True)
    faces = word_document(paragraph("\U0001f600" * 1000))
    assert len(paragraphs(read(tmp_path, faces, max_text_characters=1000))[0]) <= 1000


@pytest.mark.parametrize("part", [0.3, 0.6, 0.9, 0.99])
def test_a_document_that_was_cut_off_is_damaged(tmp_path: Path, part: float) -> None:
    data = docx_files.biology()
    with pytest.raises(Refused, match="damaged or incomplete"):
        read(tmp_path, data[: int(len(data) * part)])


def test_deep_nesting_within_the_limits_is_no_trouble(tmp_path: Path) -> None:
    body = "<w:sdt>" * 20_000 + paragraph("Deep down.") + "</w:sdt>" * 20_000

    assert paragraphs(read(tmp_path, word_document(body))) == ["Deep down."]


def test_a_document_has_a_preview_of_its_text(tmp_path: Path) -> None:
    path = tmp_path / "upload"
    path.write_bytes(docx_files.biology())

    facts = text.thumbnails(path, tmp_path)

    assert [made["height"] for made in facts["thumbnails"]] == [256, 1024]
    page = pyvips.Image.new_from_file(str(tmp_path / "1024.webp")).colourspace("b-w")
    assert page.crop(60, 60, 400, 60).min() < 80
