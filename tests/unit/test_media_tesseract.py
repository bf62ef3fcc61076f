"""Recognition by tesseract: with the real program where it is installed, and its table where it is not."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import pyvips

from functions.sandbox import Sandbox
from handlers.contract import Reject
from handlers.media import image, tesseract
from handlers.media.refused import Refused
from tests.fixtures.broken_files import SAMPLES
from tests.fixtures.scans import LINES, scanned_pdf

PROGRAM = shutil.which("tesseract") or ""
SLIDE = SAMPLES / "photosynthesis-slide.png"
COLUMNS = (
    *("level", "page_num", "block_num", "par_num", "line_num", "word_num"),
    *("left", "top", "width", "height", "conf", "text"),
)

with_tesseract = pytest.mark.skipif(not PROGRAM, reason="needs the program tesseract on PATH")


def table(*rows: str) -> str:
    return "\n".join("\t".join(row) for row in (COLUMNS, *(row.split("|") for row in rows)))


def scan(tmp_path: Path, rotation: int = 0) -> Path:
    source = tmp_path / "scan.pdf"
    source.write_bytes(scanned_pdf([LINES], rotation=rotation))
    return source


def script(tmp_path: Path, body: str) -> str:
    """A program that stands in for tesseract."""
    program = tmp_path / "tesseract"
    program.write_text(f"#!/bin/sh\n{body}\n")
    program.chmod(0o755)
    return str(program)


@with_tesseract
def test_a_scanned_page_is_read_inside_the_sandbox(tmp_path: Path) -> None:
    options = {"pages": [1], "program": PROGRAM}

    decoded = Sandbox(child_seconds=60).run(
        "handlers.media.tesseract:read_pages", scan(tmp_path), timeout=60, options=options
    )

    (page,) = decoded.facts["pages"]
    assert page["text"].splitlines() == LINES
    assert page["score"] > 0.9
    assert decoded.files == {}


@with_tesseract
@pytest.mark.parametrize("rotation", [90, 180, 270])
def test_a_scan_that_lay_turned_in_the_scanner_is_read(tmp_path: Path, rotation: int) -> None:
    (page,) = tesseract.read_pages(scan(tmp_path, rotation), tmp_path, [1], PROGRAM)["pages"]

    assert page["text"].splitlines() == LINES
    assert all(line["width"] > 5 * line["height"] for line in page["lines"])


@with_tesseract
def test_a_slide_is_read_and_a_photo_without_text_has_none(tmp_path: Path) -> None:
    slide = tesseract.read(SLIDE, tmp_path, PROGRAM)

    assert slide["lines"][0]["text"].startswith("Photosynthesis")
    assert "Chlorophyll: the green pigment that absorbs light" in slide["text"]
    assert tesseract.read(SAMPLES / "lake-at-dawn.jpg", tmp_path, PROGRAM)["lines"] == []


def test_words_are_put_together_to_lines_with_their_mean_score() -> None:
    lines = tesseract._lines(
        table(
            "4|1|1|1|1|0|10|10|200|20|-1|",
            "5|1|1|1|1|1|10|10|90|18|96|Cells",
            '5|1|1|1|1|2|110|12|100|20|90|"divide',
            "5|1|1|1|2|1|10|40|50|20|80|Twice",
            "5|1|2|1|1|1|10|80|50|20|95| ",
        )
    )

    assert lines == [
        {"text": 'Cells "divide', "width": 200, "height": 22, "score": 0.93},
        {"text": "Twice", "width": 50, "height": 20, "score": 0.8},
    ]


def test_the_lines_of_a_sideways_page_are_as_high_as_their_letters() -> None:
    (line,) = tesseract._lines(
        table("5|1|1|1|1|1|10|10|20|90|96|Cells", "5|1|1|1|1|2|12|110|18|100|90|divide")
    )

    assert (line["width"], line["height"]) == (200, 20)


def test_english_is_read_and_of_the_other_languages_those_that_are_installed(tmp_path: Path) -> None:
    program = script(
        tmp_path, "echo 'List of available languages (4):'; echo deu; echo eng; echo osd; echo jpn"
    )

    assert tesseract._languages(program) == "eng+deu"


def test_the_program_gets_one_thread_and_nothing_else_of_an_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SUPABASE_SECRET_KEY", "sb_secret_x")

    told = tesseract._run(script(tmp_path, "/usr/bin/env"))

    assert "OMP_THREAD_LIMIT=1" in told
    assert "SECRET" not in told


def test_a_picture_on_which_the_program_fails_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="could not be recognised"):
        tesseract.read(SLIDE, tmp_path, script(tmp_path, "exit 1"))


def test_a_damaged_picture_is_refused_before_the_program_sees_it(tmp_path: Path) -> None:
    source = tmp_path / "half.png"
    source.write_bytes(SLIDE.read_bytes()[:5000])

    with pytest.raises(Reject, match="damaged or incomplete"):
        Sandbox().run("handlers.media.tesseract:read", source, timeout=30, options={"program": "/bin/true"})


def test_a_transparent_picture_is_read_on_white() -> None:
    clear = image.load(SLIDE, 300).bandjoin(0)

    assert tesseract._png(clear)[:4] == b"\x89PNG"
    assert pyvips.Image.new_from_buffer(tesseract._png(clear), "").avg() == 255
