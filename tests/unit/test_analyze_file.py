"""`analyze_file` on real and broken files: real decoders in this process, text recognition given."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest

from handlers.ai.reading.read_file import TRANSCRIPT_UNAVAILABLE
from handlers.ai.reading.recognition import OCR_FAILED, OCR_NO_TIME, OCR_UNAVAILABLE
from handlers.analyze_file import analyze_file
from handlers.contract import Reject, Retry
from handlers.media.archives import DOCX
from handlers.outputs import Analysis
from handlers.testing import FakeContext, file_job
from tests.fixtures import broken_files, docx_files

SAMPLES = Path(__file__).parents[2] / "scripts" / "samples" / "files"
READ = "handlers.media.ocr:read"
READ_PAGES = "handlers.media.ocr:read_pages"
NO_OCR: dict[str, Any] = {READ: {"available": False}, READ_PAGES: {"available": False}}


def line(text: str, height: int = 20) -> dict[str, Any]:
    return {"text": text, "x": 0, "y": 0, "width": 10 * len(text), "height": height, "score": 0.99}


def pdf_facts(*texts: str, scans: tuple[int, ...] = (), truncated: bool = False) -> dict[str, Any]:
    content = [
        {"page": number, "text": text, "width": 595, "height": 842} for number, text in enumerate(texts, 1)
    ]
    return {
        "title": None,
        "pages": len(texts),
        "content": content,
        "scans": list(scans),
        "truncated": truncated,
    }


def analyze(context: FakeContext, path: str, data: bytes, **payload: Any) -> Analysis:
    context.objects[f"ingest/{path}"] = data
    output = analyze_file(file_job("analyze_file", path, **payload), context)
    assert isinstance(output, Analysis)
    return output


def analyze_sample(tmp_path: Path, name: str, **decoded: Any) -> Analysis:
    context = FakeContext(tmp_path, decoded=decoded or dict(NO_OCR))
    return analyze(context, f"acme/{name}", (SAMPLES / name).read_bytes())


def test_a_photo_is_described_by_its_facts_when_no_text_can_be_read(tmp_path: Path) -> None:
    analysis = analyze_sample(tmp_path, "lake-at-dawn.jpg")
    assert (analysis.kind, analysis.mime_type, analysis.width, analysis.height) == (
        "image",
        "image/jpeg",
        1600,
        1200,
    )
    assert analysis.title == "Lake at dawn"
    assert analysis.summary == "A picture in landscape format, 1600 × 1200 pixels."  # noqa: RUF001
    assert (analysis.notes, analysis.degraded) == ([OCR_UNAVAILABLE], False)
    assert analysis.content == []


def test_the_large_line_of_a_slide_becomes_its_title(tmp_path: Path) -> None:
    lines = [
        line("The Cell", 60),
        line("Nucleus: the part that holds the DNA"),
        line("Ribosome: makes proteins"),
    ]
    facts = {"available": True, "lines": lines, "text": "", "width": 1280, "height": 720}
    analysis = analyze_sample(tmp_path, "photosynthesis-slide.png", **{READ: facts})
    assert (analysis.title, analysis.topics, analysis.notes) == ("The Cell", ["The Cell"], [])
    assert not analysis.degraded  # so it may be reused
    assert "Ribosome: makes proteins" in analysis.content[0].text


def test_a_pdf_keeps_the_page_of_every_passage(tmp_path: Path) -> None:
    analysis = analyze_sample(tmp_path, "water-cycle.pdf")
    assert (analysis.kind, analysis.pages, analysis.language) == ("pdf", 3, "en")
    assert [passage.page for passage in analysis.content] == [1, 2, 3]
    assert analysis.title == "The Water Cycle"
    assert analysis.summary.startswith("The water cycle is the continuous movement of water")


def test_subtitles_keep_their_time(tmp_path: Path) -> None:
    analysis = analyze_sample(tmp_path, "phases-of-the-moon.mp4")
    assert (analysis.kind, analysis.duration_seconds, analysis.pages) == ("video", 5.0, None)
    times = [passage.time_s for passage in analysis.content if passage.time_s is not None]
    assert len(times) == len(analysis.content) > 1
    assert times == sorted(times)


def test_a_note_in_markdown_has_topics_and_key_terms(tmp_path: Path) -> None:
    analysis = analyze_sample(tmp_path, "plate-tectonics.md")
    assert (analysis.kind, analysis.title) == ("text", "Plate tectonics")
    assert "Key terms" in analysis.topics
    assert "Lithosphere" in analysis.key_terms


def test_the_hash_is_that_of_the_stored_bytes(tmp_path: Path) -> None:
    data = b"A note about nothing in particular."
    analysis = analyze(FakeContext(tmp_path), "acme/note.txt", data)
    assert analysis.content_sha256 == hashlib.sha256(data).hexdigest()


def test_rows_of_a_csv_file_keep_their_cells_apart(tmp_path: Path) -> None:
    data = b'term,definition\nosmosis,"movement of water, through a membrane"\n'
    analysis = analyze(FakeContext(tmp_path), "acme/terms.csv", data, mime_type="text/csv")
    assert analysis.content[0].text.splitlines()[1] == "osmosis\tmovement of water, through a membrane"
    assert (analysis.mime_type, analysis.mime_mismatch) == ("text/csv", False)


@pytest.mark.parametrize(
    ("claimed", "mismatch"),
    [
        ("image/jpeg", False),
        ("image/jpg", False),
        ("image/png", True),
        ("application/octet-stream", False),
        (None, False),
    ],
)
def test_a_wrong_claim_about_the_type_is_recorded_and_the_bytes_win(
    tmp_path: Path, claimed: str | None, mismatch: bool
) -> None:
    context = FakeContext(tmp_path, decoded=dict(NO_OCR))
    data = (SAMPLES / "lake-at-dawn.jpg").read_bytes()
    analysis = analyze(context, "acme/lake.jpg", data, mime_type=claimed)
    assert (analysis.mime_type, analysis.mime_mismatch) == ("image/jpeg", mismatch)
    assert (f"mime type: {claimed} was claimed" in analysis.notes) == mismatch


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("empty.txt", broken_files.zero_bytes()),
        ("half.jpg.bin", b"\x00\x01\x02\x03" * 20),
        ("film.mp4", broken_files.plain_text()),
        ("secret.pdf", broken_files.encrypted_pdf()),
        ("broken.pdf", broken_files.corrupt_pdf()),
        ("page.html", broken_files.html()),
    ],
)
def test_a_file_that_can_never_be_read_is_rejected_with_a_sentence(
    tmp_path: Path, name: str, data: bytes
) -> None:
    with pytest.raises(Reject, match=r"^(?:the|this|HTML) [^/\n]{10,}$"):
        analyze(FakeContext(tmp_path), f"acme/{name}", data)


def test_a_sound_has_no_transcript_and_is_no_video_even_in_a_videos_container(tmp_path: Path) -> None:
    sound_files = pytest.importorskip("tests.fixtures.sound_files", reason="needs the extra `video`")
    data = sound_files.sound("mp4", tags={"title": "Memo"})
    analysis = analyze(FakeContext(tmp_path), "acme/memo.mp4", data)
    assert (analysis.kind, analysis.mime_type, analysis.title) == ("audio", "audio/mp4", "Memo")
    assert analysis.notes == [TRANSCRIPT_UNAVAILABLE]
    assert analysis.summary == "A sound recording, 2 seconds long."


def test_a_song_tells_who_made_it_in_notes_and_topics(tmp_path: Path) -> None:
    sound_files = pytest.importorskip("tests.fixtures.sound_files", reason="needs the extra `video`")
    data = sound_files.sound("m4a", tags=sound_files.TAGS, chapters=sound_files.CHAPTERS)
    analysis = analyze(FakeContext(tmp_path), "acme/3.m4a", data)
    assert (analysis.kind, analysis.title) == ("audio", "The Moon")
    assert analysis.topics == ["Lectures on the Sky", "Ann Author", "Science"]
    assert "artist: Ann Author" in analysis.notes
    assert [(passage.time_s, passage.text) for passage in analysis.content][1:] == [
        (0.0, "Phases"),
        (1.0, "Tides"),
    ]


def test_a_film_in_high_dynamic_range_says_so(tmp_path: Path) -> None:
    sound_files = pytest.importorskip("tests.fixtures.sound_files", reason="needs the extra `video`")
    analysis = analyze(FakeContext(tmp_path), "acme/a.mp4", sound_files.film(hdr=True))
    assert analysis.notes == ["video: HDR", TRANSCRIPT_UNAVAILABLE]


def test_a_word_document_has_topics_and_its_own_title(tmp_path: Path) -> None:
    analysis = analyze(FakeContext(tmp_path), "acme/notes.docx", docx_files.biology(), mime_type=DOCX)
    assert (analysis.kind, analysis.mime_type, analysis.mime_mismatch) == ("text", DOCX, False)
    assert analysis.title == "Notes on the cell"
    assert analysis.topics == ["Cell biology", "The nucleus", "Organelles"]
    assert "Osmosis\tthe movement of water through a membrane" in analysis.content[0].text


def test_a_file_of_subtitles_keeps_its_times(tmp_path: Path) -> None:
    data = b"1\n00:00:01,000 --> 00:00:02,000\nThe Moon is full.\n"
    analysis = analyze(FakeContext(tmp_path), "acme/film.srt", data, mime_type="application/x-subrip")
    assert (analysis.kind, analysis.mime_type) == ("text", "application/x-subrip")
    assert [(passage.time_s, passage.text) for passage in analysis.content] == [(1.0, "The Moon is full.")]


def test_a_guessed_encoding_is_noted(tmp_path: Path) -> None:
    data = "Die Größe der Zelle ist verschieden.".encode("cp1252")
    analysis = analyze(FakeContext(tmp_path), "acme/zelle.txt", data)
    assert analysis.content[0].text == "Die Größe der Zelle ist verschieden."
    assert analysis.notes == ["text: read as Windows-1252"]


@pytest.mark.parametrize(
    ("name", "claimed", "mime_type", "mismatch"),
    [
        ("a.csv", "application/vnd.ms-excel", "text/csv", False),
        ("a.csv", "text/plain", "text/csv", False),
        ("a.json", "application/json", "text/plain", False),
        ("a.py", "text/x-python", "text/x-python", False),
        ("a.docx", DOCX, "text/plain", True),
        ("a.exe", "application/x-msdownload", "text/plain", True),
    ],
)
def test_texts_look_alike_so_a_claim_to_be_one_is_never_wrong(
    tmp_path: Path, name: str, claimed: str, mime_type: str, mismatch: bool
) -> None:
    analysis = analyze(FakeContext(tmp_path), f"acme/{name}", b"x,y\n1,2\n", mime_type=claimed)
    assert (analysis.mime_type, analysis.mime_mismatch) == (mime_type, mismatch)


def test_scanned_pages_are_recognised_a_few_at_a_time(tmp_path: Path) -> None:
    recognised = {
        "available": True,
        "pages": [{"page": 2, "score": 0.99, "lines": [line("Cells divide by mitosis.")]}],
    }
    decoded = {
        "handlers.media.pdf:extract": pdf_facts("Printed.", "", "", "", scans=(2, 3, 4)),
        READ_PAGES: recognised,
    }
    context = FakeContext(tmp_path, decoded=decoded)
    analysis = analyze(context, "acme/scan.pdf", b"%PDF-1.7\n")
    asked = [options["pages"] for decoder, options in context.decoder_calls if decoder == READ_PAGES]
    assert asked == [[2, 3], [4]]
    assert [(passage.page, passage.text) for passage in analysis.content] == [
        (1, "Printed."),
        (2, "Cells divide by mitosis."),
    ]


@pytest.mark.parametrize(
    ("answer", "seconds", "note", "degraded"),
    [
        ({"available": False}, 60.0, OCR_UNAVAILABLE, False),
        (Reject("the file needs more memory than it may have"), 60.0, OCR_FAILED, True),
        ({"available": True, "lines": [line("never asked")]}, 5.0, OCR_NO_TIME, True),
    ],
)
def test_an_image_is_analysed_without_text_recognition_and_a_note_says_why(
    tmp_path: Path, answer: Any, seconds: float, note: str, degraded: bool
) -> None:
    """What was not installed is no reason to read the file again; what failed or ran out of time is."""
    context = FakeContext(tmp_path, decoded={READ: answer}, seconds=seconds, is_last_attempt=True)
    analysis = analyze(context, "acme/lake.jpg", (SAMPLES / "lake-at-dawn.jpg").read_bytes())
    assert (analysis.notes, analysis.content, analysis.degraded) == ([note], [], degraded)


def test_trouble_that_may_pass_is_passed_on(tmp_path: Path) -> None:
    context = FakeContext(tmp_path, decoded={READ: Retry("the machine is busy")})
    with pytest.raises(Retry):
        analyze(context, "acme/lake.jpg", (SAMPLES / "lake-at-dawn.jpg").read_bytes())


def test_what_was_left_out_of_a_long_file_is_noted(tmp_path: Path) -> None:
    facts = pdf_facts("The first page.", truncated=True)
    context = FakeContext(tmp_path, decoded={"handlers.media.pdf:extract": facts})
    assert analyze(context, "acme/long.pdf", b"%PDF-1.7\n").notes == ["text: only the first pages were read"]


def test_progress_only_moves_forward(tmp_path: Path) -> None:
    context = FakeContext(tmp_path, decoded=dict(NO_OCR))
    analyze(context, "acme/lake.jpg", (SAMPLES / "lake-at-dawn.jpg").read_bytes())
    steps = [done for done, _ in context.progress_reports]
    assert len(steps) > 2
    assert steps == sorted(steps)
