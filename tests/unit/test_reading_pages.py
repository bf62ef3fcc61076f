"""How scans are recognised: by which program, for how long, and what becomes of a scan that takes several ticks."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pytest

from handlers.ai.reading import recognition
from handlers.ai.reading.pages import read_image, read_pdf
from handlers.ai.reading.recognition import OCR_FAILED, OCR_NO_TIME, OCR_UNAVAILABLE, depends_on
from handlers.contract import Decoded, Reject, Retry, Snooze
from handlers.settings import HandlerSettings
from handlers.testing import FakeContext
from tests.fixtures.broken_files import SAMPLES
from tests.fixtures.scans import LINES, scanned_pdf

EXTRACT = "handlers.media.pdf:extract"
RAPID_READ, RAPID_PAGES = "handlers.media.ocr:read", "handlers.media.ocr:read_pages"
TESSERACT_READ, TESSERACT_PAGES = "handlers.media.tesseract:read", "handlers.media.tesseract:read_pages"
LAKE = SAMPLES / "lake-at-dawn.jpg"


def line(text: str) -> dict[str, Any]:
    return {"text": text, "width": 10 * len(text), "height": 20, "score": 0.99}


def pages(*numbers: int, score: float = 0.95, by: str = "") -> dict[str, Any]:
    found = [{"page": one, "score": score, "lines": [line(f"Page {one} {by}".strip())]} for one in numbers]
    return {"available": True, "pages": found}


def scans(count: int) -> dict[str, Any]:
    content = [{"page": number, "text": "", "width": 595, "height": 842} for number in range(1, count + 1)]
    numbers = list(range(1, count + 1))
    return {"title": None, "pages": count, "content": content, "scans": numbers, "truncated": False}


@pytest.fixture
def scan(tmp_path: Path) -> Path:
    source = tmp_path / "scan.pdf"
    source.write_bytes(b"%PDF-1.7")
    return source


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> Any:
    def install(*, rapidocr: bool, tesseract: bool) -> None:
        monkeypatch.setattr(recognition, "has_rapidocr", lambda: rapidocr)
        monkeypatch.setattr(
            recognition, "find_tesseract", lambda: "/usr/bin/tesseract" if tesseract else None
        )

    return install


class Slow(FakeContext):
    """Recognises whatever pages it is asked for; each call takes some of the attempt's seconds."""

    takes = 10.0

    def decode(self, decoder: str, source: Path, **options: Any) -> Decoded:
        if decoder == EXTRACT:
            return super().decode(decoder, source, **options)
        self.decoder_calls.append((decoder, options))
        self.seconds -= self.takes
        return Decoded(pages(*options["pages"]), {})


def asked(context: FakeContext) -> list[str]:
    return [decoder for decoder, _ in context.decoder_calls if decoder != EXTRACT]


@pytest.mark.parametrize(
    ("rapidocr", "tesseract", "of_pictures", "of_scans"),
    [
        (True, True, RAPID_READ, TESSERACT_PAGES),
        (True, False, RAPID_READ, RAPID_PAGES),
        (False, True, TESSERACT_READ, TESSERACT_PAGES),
    ],
)
def test_pictures_go_to_the_models_and_scans_to_tesseract_where_both_are_there(
    tmp_path: Path,
    scan: Path,
    installed: Any,
    rapidocr: bool,
    tesseract: bool,
    of_pictures: str,
    of_scans: str,
) -> None:
    installed(rapidocr=rapidocr, tesseract=tesseract)
    read = {"available": True, "lines": [line("A slide")]}
    decoded = {RAPID_READ: read, TESSERACT_READ: read, RAPID_PAGES: pages(1), TESSERACT_PAGES: pages(1)}
    context = FakeContext(tmp_path, decoded={**decoded, EXTRACT: scans(1)})

    assert read_image(LAKE, context).passages[0].text == "A slide"
    assert read_pdf(scan, context).passages[0].text == "Page 1"

    assert [call for call in asked(context) if "image" not in call] == [of_pictures, of_scans]


def test_each_program_is_told_what_it_may_use(tmp_path: Path, scan: Path, installed: Any) -> None:
    installed(rapidocr=True, tesseract=True)
    settings = HandlerSettings(ocr_memory_mb=3000, ocr_page_seconds=7)
    decoded = {RAPID_READ: {"available": True, "lines": []}, TESSERACT_PAGES: pages(1, 2), EXTRACT: scans(2)}
    context = FakeContext(tmp_path, decoded=decoded, settings=settings)

    read_image(LAKE, context)
    read_pdf(scan, context)

    calls = dict(context.decoder_calls)
    assert (calls[RAPID_READ]["memory_mb"], calls[RAPID_READ]["seconds"]) == (3000, 7)
    assert (calls[TESSERACT_PAGES]["memory_mb"], calls[TESSERACT_PAGES]["seconds"]) == (None, 14)
    assert calls[TESSERACT_PAGES]["program"] == "/usr/bin/tesseract"
    assert calls["handlers.media.image:inspect"]["seconds"] == settings.image_seconds
    assert all(options["limits"] == settings.limits() for options in calls.values())


def test_without_any_program_the_result_says_so(tmp_path: Path, scan: Path, installed: Any) -> None:
    installed(rapidocr=False, tesseract=False)
    context = FakeContext(tmp_path, decoded={EXTRACT: scans(3)})

    assert read_image(LAKE, context).notes == [OCR_UNAVAILABLE]
    assert read_pdf(scan, context).notes == [OCR_UNAVAILABLE]


def test_recognition_can_be_switched_off(tmp_path: Path, scan: Path, installed: Any) -> None:
    installed(rapidocr=True, tesseract=True)
    context = FakeContext(tmp_path, decoded={EXTRACT: scans(3)}, settings=HandlerSettings(max_ocr_pages=0))

    assert (read_image(LAKE, context).notes, read_pdf(scan, context).notes) == (
        [OCR_UNAVAILABLE],
        [OCR_UNAVAILABLE],
    )


def test_pages_of_which_tesseract_is_not_sure_are_read_by_the_models_too(
    tmp_path: Path, scan: Path, installed: Any
) -> None:
    installed(rapidocr=True, tesseract=True)
    first = {"available": True, "pages": [*pages(1)["pages"], *pages(2, score=0.7)["pages"]]}
    context = FakeContext(
        tmp_path, decoded={EXTRACT: scans(2), TESSERACT_PAGES: first, RAPID_PAGES: pages(2, by="again")}
    )

    assert [passage.text for passage in read_pdf(scan, context).passages] == ["Page 1", "Page 2 again"]
    assert context.decoder_calls[-1][1]["pages"] == [2]


def test_what_tesseract_read_stays_where_the_models_find_nothing(
    tmp_path: Path, scan: Path, installed: Any
) -> None:
    installed(rapidocr=True, tesseract=True)
    nothing = {"available": True, "pages": [{"page": 1, "score": 0.0, "lines": []}]}
    decoded = {EXTRACT: scans(1), TESSERACT_PAGES: pages(1, score=0.6), RAPID_PAGES: nothing}

    assert read_pdf(scan, FakeContext(tmp_path, decoded=decoded)).passages[0].text == "Page 1"


def test_so_many_pages_are_read_and_a_note_tells_how_many_there_are(
    tmp_path: Path, scan: Path, installed: Any
) -> None:
    installed(rapidocr=True, tesseract=False)
    context = Slow(tmp_path, decoded={EXTRACT: scans(9)}, settings=HandlerSettings(max_ocr_pages=3))
    context.takes = 0

    reading = read_pdf(scan, context)

    assert [options["pages"] for _, options in context.decoder_calls[1:]] == [[1, 2], [3]]
    assert reading.notes == ["ocr: only 3 of 9 scanned pages"]


def test_a_long_scan_goes_on_in_the_next_tick_where_the_time_ran_out(
    tmp_path: Path, scan: Path, installed: Any
) -> None:
    installed(rapidocr=True, tesseract=False)
    context = Slow(tmp_path, decoded={EXTRACT: scans(6)}, seconds=45)

    with pytest.raises(Snooze, match="read up to page 4"):
        read_pdf(scan, context)
    context.seconds = 45
    reading = read_pdf(scan, context)

    assert [passage.text for passage in reading.passages] == [f"Page {number}" for number in range(1, 7)]
    assert [options["pages"] for _, options in context.decoder_calls if "pages" in options] == [
        [1, 2],
        [3, 4],
        [5, 6],
    ]
    assert reading.notes == []


def test_a_scan_is_not_put_off_for_ever_where_nothing_can_be_kept(
    tmp_path: Path, scan: Path, installed: Any
) -> None:
    installed(rapidocr=True, tesseract=False)

    class Forgetful(Slow):
        def keep(self, key: str, value: Any) -> None:
            """Stores nothing, as without a database."""

    context = Forgetful(tmp_path, decoded={EXTRACT: scans(6)}, seconds=45, is_last_attempt=True)

    reading = read_pdf(scan, context)

    assert (len(reading.passages), reading.notes) == (4, [OCR_NO_TIME])


def test_a_job_that_comes_late_in_a_tick_is_tried_again_but_not_for_ever(
    tmp_path: Path, scan: Path, installed: Any
) -> None:
    installed(rapidocr=True, tesseract=False)
    context = FakeContext(tmp_path, decoded={EXTRACT: scans(1)}, seconds=5)

    for read, source in ((read_image, LAKE), (read_pdf, scan)):
        context.is_last_attempt = False
        with pytest.raises(Retry, match="too little time"):
            read(source, context)
        context.is_last_attempt = True
        assert read(source, context).notes == [OCR_NO_TIME]


def test_what_was_recognised_before_a_failure_is_in_the_result(
    tmp_path: Path, scan: Path, installed: Any
) -> None:
    installed(rapidocr=True, tesseract=False)
    context = FakeContext(tmp_path, decoded={EXTRACT: scans(4), RAPID_PAGES: pages(1, 2)})
    first = read_pdf(scan, context)  # which keeps the first two pages
    context.decoded = {EXTRACT: scans(6), RAPID_PAGES: Reject("it exceeds the memory limit")}

    reading = read_pdf(scan, context)

    assert [passage.text for passage in first.passages[:2]] == ["Page 1", "Page 2"]
    assert [passage.text for passage in reading.passages] == ["Page 1", "Page 2"]
    assert reading.notes == [OCR_FAILED]


def test_the_longer_of_text_layer_and_recognised_text_stands(
    tmp_path: Path, scan: Path, installed: Any
) -> None:
    installed(rapidocr=True, tesseract=False)
    facts = scans(2)
    facts["content"][0]["text"], facts["content"][1]["text"] = "app", "A caption that is longer"
    context = FakeContext(tmp_path, decoded={EXTRACT: facts, RAPID_PAGES: pages(1, 2)})

    assert [passage.text for passage in read_pdf(scan, context).passages] == [
        "Page 1",
        "A caption that is longer",
    ]


def test_a_result_is_worth_reading_anew_with_another_program_or_limit(installed: Any) -> None:
    installed(rapidocr=False, tesseract=False)
    without = depends_on(HandlerSettings())
    installed(rapidocr=True, tesseract=True)

    assert without.startswith("none ")
    assert depends_on(HandlerSettings()).startswith("rapidocr+tesseract ")
    assert depends_on(HandlerSettings()) != depends_on(HandlerSettings(max_ocr_pages=3))


@pytest.mark.skipif(importlib.util.find_spec("rapidocr") is None, reason="needs the extra `ocr`")
def test_of_a_mixed_pdf_only_the_scans_are_recognised(tmp_path: Path) -> None:
    """With the real decoders."""
    source = tmp_path / "mixed.pdf"
    source.write_bytes(
        scanned_pdf([LINES[:2], LINES[2:]], written=["This page was written and has a text layer."])
    )
    context = FakeContext(tmp_path)

    reading = read_pdf(source, context)

    assert [(passage.page, passage.text.split("\n")) for passage in reading.passages] == [
        (1, ["This page was written and has a text layer."]),
        (2, LINES[:2]),
        (3, LINES[2:]),
    ]
    assert context.decoder_calls[-1][1]["pages"] == [2, 3]
