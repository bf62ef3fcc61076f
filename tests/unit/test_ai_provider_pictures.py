"""`analyze_file` and `create_cards` with a provider: which pictures are sent, and what comes of them."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest

from handlers.ai.models.answers import FileAnswer
from handlers.ai.models.description import READ_BY_PROVIDER, describe
from handlers.ai.models.pictures import PAGES
from handlers.ai.provider import Description, ExtractedFile, Picture
from handlers.analyze_file import analyze_file
from handlers.contract import Decoded, Reject
from handlers.create_cards import create_cards
from handlers.outputs import Analysis, Cards
from handlers.settings import HandlerSettings
from handlers.testing import FakeContext, file_job
from tests.fixtures.fake_openai import FakeProvider, Seen, card, says
from tests.unit.ai_support import ANSWER, Protocol, settings_for

SAMPLES = Path(__file__).parents[2] / "scripts" / "samples" / "files"
NO_OCR: dict[str, Any] = {
    "handlers.media.ocr:read": {"available": False},
    "handlers.media.ocr:read_pages": {"available": False},
}
SAID = "An acid is a substance that gives protons to another one."
READ = ANSWER | {"picture_texts": [{"page": 2, "text": SAID}]}


def run(
    folder: Path, settings: HandlerSettings, name: str, data: bytes, **decoded: Any
) -> tuple[Analysis, FakeContext]:
    ctx = FakeContext(
        folder, objects={f"ingest/acme/{name}": data}, decoded={**NO_OCR, **decoded}, settings=settings
    )
    analysis = analyze_file(file_job("analyze_file", f"acme/{name}"), ctx)
    assert isinstance(analysis, Analysis)
    return analysis, ctx


def jpeg_of(seen: Seen) -> bytes:
    (picture,) = (part for part in seen.turns[0]["content"] if part["type"] != "text")
    data = picture["source"]["data"] if seen.is_anthropic else picture["image_url"]["url"].partition(",")[2]
    return base64.b64decode(data)


def test_a_photo_is_sent_small_and_as_jpeg(tmp_path: Path, fake: FakeProvider, protocol: Protocol) -> None:
    fake.will(says(ANSWER))
    photo = (SAMPLES / "lake-at-dawn.jpg").read_bytes()
    analysis, _ = run(tmp_path, settings_for(fake, protocol), "lake.jpg", photo)
    sent = jpeg_of(fake.requests[0])
    assert sent.startswith(b"\xff\xd8\xff")
    assert sent != photo
    assert (analysis.title, analysis.provider, analysis.use.requests) == ("Cells", f"{protocol}/small", 1)


@pytest.mark.parametrize(
    ("settings", "text"),
    [({"ai_send_pictures": False}, "Short."), ({}, "Long enough. " * 60)],
    ids=["off", "texts"],
)
def test_pictures_stay_here_where_the_settings_say_so_or_the_text_says_enough(
    tmp_path: Path, fake: FakeProvider, settings: dict[str, Any], text: str
) -> None:
    line = {"text": text, "x": 0, "y": 0, "width": 10, "height": 20, "score": 0.99}
    facts = {"available": True, "lines": [line], "text": text, "width": 800, "height": 600}
    photo = (SAMPLES / "lake-at-dawn.jpg").read_bytes()
    _, ctx = run(
        tmp_path, settings_for(fake, **settings), "a.jpg", photo, **{"handlers.media.ocr:read": facts}
    )
    assert [seen.pictures for seen in fake.requests] == [0]
    assert "handlers.media.image:picture" not in [decoder for decoder, _ in ctx.decoder_calls]


def test_pages_without_text_are_sent_and_what_the_provider_reads_there_becomes_cards(
    tmp_path: Path, fake: FakeProvider
) -> None:
    pages = [
        {"page": number, "text": text, "width": 595, "height": 842}
        for number, text in enumerate(
            ("The first page is about acids and bases.", "", "3", "The last page has sources."), 1
        )
    ]
    facts = {"title": None, "pages": 4, "content": pages, "scans": [2, 3], "truncated": False}
    decoded = {
        "handlers.media.pdf:extract": facts,
        "handlers.media.pdf:picture": Decoded({"width": 1, "height": 1}, {"picture.jpg": b"\xff\xd8\xff"}),
    }
    front = card("What is an acid?", "a substance that gives protons to another one", SAID)
    fake.will(says(READ), says({"cards": [front]}))
    analysis, ctx = run(tmp_path, settings_for(fake), "scan.pdf", b"%PDF-1.7\n", **decoded)
    asked = [
        options["page"] for decoder, options in ctx.decoder_calls if decoder == "handlers.media.pdf:picture"
    ]
    assert (asked, fake.requests[0].pictures) == ([2, 3], 2)
    assert '"pictures": ["page 2", "page 3"]' in fake.requests[0].user
    assert [(passage.page, passage.text) for passage in analysis.content][1] == (2, SAID)
    assert (analysis.notes, analysis.degraded) == ([READ_BY_PROVIDER], False)

    ctx.parents["analyze_file"] = analysis.model_dump(mode="json")
    deck = create_cards(file_job("create_cards", "acme/scan.pdf"), ctx)
    assert isinstance(deck, Cards)
    assert [(found.front, found.source.page) for found in deck.cards] == [("What is an acid?", 2)]
    assert deck.provider == "openai/small"


@pytest.mark.parametrize(
    ("sent", "named", "stored"),
    [((2, 3), 3, 3), ((2, 3), 7, None), ((2, 3), None, None), ((2,), 9, 2), ((None,), 4, None)],
    ids=["sent", "not sent", "not said", "the only one", "a photo"],
)
def test_a_page_that_was_not_sent_is_not_believed(
    sent: tuple[int | None, ...], named: int | None, stored: int | None
) -> None:
    answer = FileAnswer.model_validate(ANSWER | {"picture_texts": [{"page": named, "text": SAID}]})
    source = ExtractedFile("pdf", "a.pdf", pictures=[Picture(b"", page) for page in sent])
    made = describe(source, answer, [answer], Description("", ""))
    assert [(passage.text, passage.page) for passage in made.readings] == [(SAID, stored)]


@pytest.mark.parametrize("name", ["water-cycle.pdf", "phases-of-the-moon.mp4"])
def test_pages_and_films_are_seen_through_the_real_decoders(
    tmp_path: Path, fake: FakeProvider, name: str
) -> None:
    empty = {"page": 1, "text": "", "width": 595, "height": 842}
    scan = {"title": None, "pages": 1, "content": [empty], "scans": [1], "truncated": False}
    decoded = {"handlers.media.pdf:extract": scan} if name.endswith("pdf") else {}
    run(tmp_path, settings_for(fake), name, (SAMPLES / name).read_bytes(), **decoded)
    assert jpeg_of(fake.requests[0]).startswith(b"\xff\xd8\xff")


def test_of_a_long_scan_only_the_first_pages_are_sent(tmp_path: Path, fake: FakeProvider) -> None:
    pages = [{"page": number, "text": "", "width": 595, "height": 842} for number in range(1, 10)]
    scan = {"title": None, "pages": 9, "content": pages, "scans": list(range(1, 10)), "truncated": False}
    picture = Decoded({"width": 1, "height": 1}, {"picture.jpg": b"\xff\xd8\xff"})
    decoded = {"handlers.media.pdf:extract": scan, "handlers.media.pdf:picture": picture}
    run(tmp_path, settings_for(fake), "scan.pdf", b"%PDF-1.7\n", **decoded)
    assert [seen.pictures for seen in fake.requests] == [PAGES]


def test_a_picture_that_cannot_be_made_is_left_out(tmp_path: Path, fake: FakeProvider) -> None:
    line = {"text": "A slide.", "x": 0, "y": 0, "width": 10, "height": 20, "score": 0.99}
    facts = {"available": True, "lines": [line], "text": "", "width": 800, "height": 600}
    decoded = {"handlers.media.ocr:read": facts, "handlers.media.image:picture": Reject("too large")}
    photo = (SAMPLES / "lake-at-dawn.jpg").read_bytes()
    analysis, _ = run(tmp_path, settings_for(fake), "a.jpg", photo, **decoded)
    assert [seen.pictures for seen in fake.requests] == [0]
    assert analysis.provider == "openai/small"


def test_without_a_provider_no_picture_is_made(tmp_path: Path) -> None:
    photo = (SAMPLES / "lake-at-dawn.jpg").read_bytes()
    _, ctx = run(tmp_path, HandlerSettings(), "lake.jpg", photo)
    assert "handlers.media.image:picture" not in [decoder for decoder, _ in ctx.decoder_calls]


def test_a_degraded_analysis_says_which_setting_and_who_did_it_instead(tmp_path: Path) -> None:
    settings = HandlerSettings(ai_provider="openai", ai_model="small", ai_fallback="offline")
    analysis, _ = run(tmp_path, settings, "note.md", b"# Cells\n\nA cell is a small thing that lives.\n")
    assert (analysis.provider, analysis.degraded, analysis.title) == ("offline", True, "Cells")
    assert analysis.notes == ["ai: offline rules instead, AI_API_KEY has to be corrected"]
