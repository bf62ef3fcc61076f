"""The offline provider's analysis: true statements, taken from the text or from the bare facts."""

from __future__ import annotations

from pathlib import Path

import pytest

from handlers.ai.offline import OfflineProvider, readable_name
from handlers.ai.provider import Description, ExtractedFile
from handlers.ai.text.languages import stop_words
from handlers.outputs import Passage
from handlers.testing import FakeContext

TEXTS = Path(__file__).parents[1] / "fixtures" / "texts"


def describe(text: str = "", *, file_name: str = "notes.txt", title: str | None = None) -> Description:
    passages = [Passage(text=text)] if text else []
    return OfflineProvider().analyze(
        ExtractedFile(kind="text", file_name=file_name, passages=passages, title=title), FakeContext(Path())
    )


@pytest.mark.parametrize(
    ("title", "text", "expected"),
    [
        ("Annual Report", "# Heading\n\nText.", "Annual Report"),
        (None, "# Heading\n\nText.", "Heading"),
        ("untitled", "# Heading\n\nText.", "Heading"),
        ("Microsoft Word - draft.docx", "Just text in here.", "Cell biology notes"),
        (None, "Just text in here.", "Cell biology notes"),
    ],
)
def test_the_title_is_the_files_own_then_its_first_heading_then_its_name(
    title: str | None, text: str, expected: str
) -> None:
    assert describe(text, title=title, file_name="cell-biology_notes.md").title == expected


@pytest.mark.parametrize(
    ("file_name", "title"),
    [
        ("IMG_2034.jpg", "IMG 2034"),
        ("my.lecture-notes.pdf", "My lecture notes"),
        ("0f8fad5b-d9cb-469f-a165-70867728950e_report.pdf", "Report"),
        ("1700000000000-photo.png", "Photo"),
        (".hidden", "Hidden"),
    ],
)
def test_a_file_name_is_made_readable(file_name: str, title: str) -> None:
    assert readable_name(file_name) == title


def test_the_summary_is_made_of_sentences_of_the_text() -> None:
    text = (TEXTS / "history.txt").read_text(encoding="utf-8")
    summary = describe(text).summary
    assert summary.startswith("The French Revolution was a period of political and social change")
    flat = " ".join(text.split())
    assert all(part.strip(". ") in flat for part in summary.split(". "))
    assert len(summary) <= 480


@pytest.mark.parametrize(
    ("source", "summary"),
    [
        (
            ExtractedFile(kind="image", file_name="a.jpg", width=1600, height=1200),
            "A picture in landscape format, 1600 × 1200 pixels.",  # noqa: RUF001
        ),
        (
            ExtractedFile(kind="image", file_name="a.jpg", width=800, height=800),
            "A picture in square format, 800 × 800 pixels.",  # noqa: RUF001
        ),
        (
            ExtractedFile(kind="video", file_name="a.mp4", width=640, height=360, duration_seconds=75.2),
            "A video, 640 × 360 pixels, 1 min 15 s long.",  # noqa: RUF001
        ),
        (
            ExtractedFile(kind="audio", file_name="a.mp3", duration_seconds=3723),
            "A sound recording, 1 h 2 min long.",
        ),
        (ExtractedFile(kind="pdf", file_name="a.pdf", pages=1), "A PDF, 1 page, without readable text."),
    ],
)
def test_a_file_without_text_is_described_by_what_is_known(source: ExtractedFile, summary: str) -> None:
    description = OfflineProvider().analyze(source, FakeContext(Path()))
    assert description.summary == summary
    assert (description.language, list(description.topics), list(description.key_terms)) == (None, [], [])


def test_topics_are_the_headings_below_the_title() -> None:
    description = describe((TEXTS / "biology.md").read_text(encoding="utf-8"))
    assert description.title == "Photosynthesis"
    assert list(description.topics) == ["The two stages", "Numbers to remember"]


def test_key_terms_are_what_the_text_defines_and_no_stop_words() -> None:
    terms = describe((TEXTS / "biology.md").read_text(encoding="utf-8")).key_terms
    assert list(terms)[:5] == ["Photosynthesis", "ATP", "Chlorophyll", "Stroma", "Stomata"]
    assert not {term.lower() for term in terms} & stop_words("en")


def test_a_slide_without_sentences_is_summarised_by_its_lines() -> None:
    summary = describe((TEXTS / "slide.txt").read_text(encoding="utf-8")).summary
    assert summary.startswith("A text of 33 words: Evaporation: liquid water becomes vapour;")


def test_the_same_text_always_gets_the_same_answer() -> None:
    text = (TEXTS / "history.txt").read_text(encoding="utf-8")
    assert describe(text) == describe(text)
