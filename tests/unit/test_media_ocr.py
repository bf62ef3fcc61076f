from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pytest
import pyvips

from functions.sandbox import Sandbox
from handlers.media import image, ocr, pdf
from handlers.media.limits import Limits
from handlers.media.recognised import Lines, recognise
from handlers.media.refused import Refused
from tests.fixtures import broken_files
from tests.fixtures.scans import LINES, scanned_pdf

SLIDE = broken_files.SAMPLES / "photosynthesis-slide.png"
MEMORY_MB = 2560

with_models = pytest.mark.skipif(importlib.util.find_spec("rapidocr") is None, reason="needs the extra `ocr`")


@with_models
def test_the_slide_is_read_line_by_line_inside_the_sandbox(tmp_path: Path) -> None:
    facts = (
        Sandbox(child_seconds=120)
        .run("handlers.media.ocr:read", SLIDE, timeout=120, memory_mb=MEMORY_MB)
        .facts
    )

    lines = [line["text"] for line in facts["lines"]]
    assert lines[0] == "Photosynthesis"
    assert "Chlorophyll: the green pigment that absorbs light" in lines
    assert len(lines) == 7
    assert (facts["width"], facts["height"]) == (1280, 720)
    assert all(line["x"] >= 0 and line["x"] + line["width"] <= 1280 for line in facts["lines"])


@with_models
def test_what_lies_on_either_side_is_read() -> None:
    part = image.load(SLIDE, 1280).crop(0, 0, 1280, 300)  # the title and two lines
    engine = ocr._engine()

    upright = ocr._recognise(engine, part)

    assert upright["lines"][0]["text"] == "Photosynthesis"
    assert len(upright["lines"]) == 3
    for turn in ("d90", "d270"):
        facts = ocr._recognise(engine, part.rot(turn))
        assert facts["text"] == upright["text"]
        assert (facts["width"], facts["height"]) == (1280, 300)


@with_models
def test_a_scanned_page_is_read_in_the_sandbox_without_a_single_wrong_letter(tmp_path: Path) -> None:
    source = tmp_path / "scan.pdf"
    source.write_bytes(scanned_pdf([LINES]))

    decoded = Sandbox(child_seconds=120).run(
        "handlers.media.ocr:read_pages", source, timeout=120, memory_mb=MEMORY_MB, options={"pages": [1]}
    )

    (page,) = decoded.facts["pages"]
    assert page["text"].splitlines() == LINES
    assert page["score"] > 0.9


@pytest.mark.parametrize(("decoder", "options"), [(ocr.read, {}), (ocr.read_pages, {"pages": [1]})])
def test_without_the_extra_the_answer_is_that_it_is_unavailable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, decoder: Any, options: dict[str, Any]
) -> None:
    monkeypatch.setattr(ocr, "_installed", lambda: False)

    assert decoder(SLIDE, tmp_path, **options) == {"available": False}


class Engine:
    """Reads only what stands upright; `upright` is the width of the picture when it does."""

    def __init__(self, upright: int) -> None:
        self.upright = upright
        self.seen: list[tuple[int, ...]] = []

    def __call__(self, pixels: Any, *, use_cls: bool) -> Any:
        assert use_cls is False
        self.seen.append(pixels.shape)
        width = pixels.shape[1]

        class Result:
            txts = ("clear", "|") if width == self.upright else ("rubbish",)
            scores = (0.99, 0.9) if width == self.upright else (0.55,)
            long, short = [[5, 5], [90, 5], [90, 15], [5, 15]], [[5, 5], [15, 5], [15, 90], [5, 90]]
            boxes = (long, long) if width == self.upright else (short,)

        return Result


def test_a_picture_lying_on_its_side_is_turned() -> None:
    picture = image.load(SLIDE, 400).rot("d90")
    engine = Engine(upright=400)

    facts = ocr._recognise(engine, picture)

    assert facts["text"] == "clear"  # the line without a letter or a digit is dropped
    assert (facts["width"], facts["height"]) == (400, 225)
    assert engine.seen == [(400, 225, 3), (225, 400, 3), (225, 400, 3)]


def test_lines_that_are_read_well_but_sideways_are_read_again_in_their_order() -> None:
    def read(picture: Any) -> Lines:
        tall, wide = {"width": 20, "height": 200}, {"width": 200, "height": 20}
        if picture.width == 90:
            return [{"text": text, "score": 0.99, **tall} for text in ("last", "first")]
        return [{"text": text, "score": 0.95, **wide} for text in ("first", "last")]

    facts = recognise(pyvips.Image.black(90, 60), read, doubt=ocr._lies_on_its_side, turns=("d90", "d270"))

    assert facts["text"] == "first\nlast"


def test_writing_that_runs_downwards_is_not_turned_into_rubbish() -> None:
    def read(picture: Any) -> Lines:
        upright = picture.width == 90
        box = {"width": 20, "height": 200} if upright else {"width": 200, "height": 20}
        return [{"text": "hotel" if upright else "#~l", "score": 0.99 if upright else 0.6, **box}]

    facts = recognise(pyvips.Image.black(90, 60), read, doubt=ocr._lies_on_its_side, turns=("d90", "d270"))

    assert facts["text"] == "hotel"


@pytest.mark.parametrize(("width", "height"), [(2000, 1), (7, 7), (1, 900), (1240, 40)])
def test_a_picture_too_flat_for_a_line_of_text_is_not_given_to_the_models(width: int, height: int) -> None:
    facts = ocr._recognise(
        lambda *_, **__: pytest.fail("was asked"), pyvips.Image.black(width, height, bands=3)
    )

    assert (facts["lines"], facts["text"]) == ([], "")


def test_a_narrow_picture_that_may_hold_a_line_is_read() -> None:
    engine = Engine(upright=240)

    assert ocr._recognise(engine, pyvips.Image.black(240, 8, bands=3))["text"] == "clear"


def test_a_picture_on_which_the_models_fail_is_refused_and_not_tried_again() -> None:
    def fail(*_: Any, **__: Any) -> Any:
        raise RuntimeError("Insufficient memory")

    with pytest.raises(Refused, match="could not be recognised"):
        ocr._recognise(fail, pyvips.Image.black(100, 100, bands=3))


def test_an_exhausted_memory_is_told_apart_from_a_failing_model() -> None:
    def exhaust(*_: Any, **__: Any) -> Any:
        raise MemoryError

    with pytest.raises(MemoryError):
        ocr._recognise(exhaust, pyvips.Image.black(100, 100, bands=3))


@with_models
@pytest.mark.parametrize(("width", "height"), [(2000, 1), (10_000, 2), (16_384, 1), (1, 3000)])
def test_a_flat_picture_is_read_without_finding_text(tmp_path: Path, width: int, height: int) -> None:
    source = tmp_path / "flat.png"
    pyvips.Image.black(width, height).write_to_file(str(source))

    assert ocr.read(source, tmp_path)["lines"] == []


def test_several_pages_are_read_with_one_engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pdf.opened(broken_files.SAMPLES / "water-cycle.pdf", Limits()) as document:
        engine = Engine(upright=pdf.render_at(document, 1, ocr.DPI).width)
    monkeypatch.setattr(ocr, "_installed", lambda: True)
    monkeypatch.setattr(ocr, "_engine", lambda: engine)

    facts = ocr.read_pages(broken_files.SAMPLES / "water-cycle.pdf", tmp_path, pages=[1, 3])

    assert [(page["page"], page["text"]) for page in facts["pages"]] == [(1, "clear"), (3, "clear")]
