from __future__ import annotations

import codecs
from pathlib import Path

import pytest

from handlers.media.refused import Refused
from handlers.media.sniff import MAX_BYTES, sniff, sniff_file
from tests.fixtures import broken_files

SAMPLES = broken_files.SAMPLES
FTYP = b"\x00\x00\x00\x20ftyp"

HEADS = {
    "image/jpeg": b"\xff\xd8\xff\xe0\x00\x10JFIF",
    "image/png": b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR",
    "image/gif": b"GIF89a\x01\x00\x01\x00",
    "image/webp": b"RIFF\x24\x00\x00\x00WEBPVP8 ",
    "image/avif": FTYP + b"avif\x00\x00\x00\x00mif1miafMA1B",
    "image/heic": FTYP + b"heic\x00\x00\x00\x00mif1heic\x00\x00\x00\x00",
    "video/mp4": FTYP + b"isom\x00\x00\x02\x00isomiso2avc1",
    "video/quicktime": FTYP + b"qt  \x00\x00\x02\x00qt  \x00\x00\x00\x00",
    "audio/mp4": FTYP + b"M4A \x00\x00\x02\x00isomiso2\x00\x00\x00\x00",
    "video/webm": b"\x1a\x45\xdf\xa3\x9f\x42\x86\x81\x01\x42\x82\x84webm",
    "video/x-matroska": b"\x1a\x45\xdf\xa3\xa3\x42\x86\x81\x01\x42\x82\x88matroska",
    "audio/wav": b"RIFF\x24\x00\x00\x00WAVEfmt ",
    "audio/mpeg": b"ID3\x04\x00\x00\x00\x00\x00\x00",
    "audio/flac": b"fLaC\x00\x00\x00\x22",
    "audio/ogg": b"OggS\x00\x02" + bytes(22) + b"\x01\x13OpusHead",
    "audio/aac": b"\xff\xf1\x50\x80\x00\x1f\xfc",
    "application/pdf": b"%PDF-1.7\n%\xe2\xe3\xcf\xd3",
}


@pytest.mark.parametrize(("mime_type", "head"), HEADS.items())
def test_signatures_name_the_type(mime_type: str, head: bytes) -> None:
    assert sniff(head, 1000).mime_type == mime_type


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("lake-at-dawn.jpg", "image"),
        ("photosynthesis-slide.png", "image"),
        ("water-cycle.pdf", "pdf"),
        ("phases-of-the-moon.mp4", "video"),
        ("plate-tectonics.md", "text"),
    ],
)
def test_every_sample_is_what_its_name_says(name: str, kind: str) -> None:
    assert sniff_file(SAMPLES / name, name=name, claimed=None).kind == kind


def test_a_bare_mpeg_frame_is_sound() -> None:
    assert sniff(b"\xff\xfb\x90\x64" + bytes(100), 1000).mime_type == "audio/mpeg"


def test_a_heif_container_is_avif_when_it_says_so_among_its_compatible_brands() -> None:
    assert sniff(FTYP + b"mif1\x00\x00\x00\x00mif1avifmiaf", 1000).mime_type == "image/avif"


@pytest.mark.parametrize("junk", [b"", b"HTTP/1.1 200 OK\r\n\r\n", b"\n\n"])
def test_a_pdf_header_may_come_after_a_few_lines(junk: bytes) -> None:
    assert sniff(junk + b"%PDF-1.4\n", 1000).kind == "pdf"


@pytest.mark.parametrize(
    "text",
    [
        "Just a sentence.",
        "Ünïcödé “quotes” 漢字 🌍",
        "A note on PDF: every file starts with %PDF-1.4 or so.",
        "ID3 is a decision tree algorithm.",
        "BMW is a car maker.",
        "<p align=center>Markdown may start with a tag.</p>",
        "a < b and b > c",
    ],
)
def test_text_is_text_whatever_it_talks_about(text: str) -> None:
    assert sniff(text.encode(), len(text.encode())).kind == "text"


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_text_with_a_byte_order_mark_is_text(encoding: str) -> None:
    data = "Grüße".encode(encoding)

    assert sniff(data, len(data)).kind == "text"


def test_utf16_is_not_taken_for_sound() -> None:
    data = codecs.BOM_UTF16_LE + "hello".encode("utf-16-le")

    assert sniff(data, len(data)).kind == "text"


def test_a_character_cut_by_the_end_of_the_head_is_no_damage() -> None:
    data = ("x" * 4095 + "é").encode()

    assert sniff(data[:4096], len(data)).kind == "text"


def test_a_character_cut_by_the_end_of_the_file_is_damage() -> None:
    with pytest.raises(Refused):
        sniff("é".encode()[:1], 1)


@pytest.mark.parametrize(
    "data", [b"\x00\x01\x02\x03" * 20, b"text with a \x00 byte", b"\x07" * 50, b"\xff\xfe\x00"]
)
def test_binary_rubbish_is_refused(data: bytes) -> None:
    with pytest.raises(Refused, match="not supported"):
        sniff(data, len(data))


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (broken_files.html(), "HTML"),
        (broken_files.svg(), "XML"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "SVG"),
        (b"  \n<HTML><body>", "HTML"),
        (b"<!-- one --><!-- two --> <script>alert(1)</script>", "HTML"),
        (b"PK\x03\x04\x14\x00\x06\x00", "ZIP"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "Office"),
    ],
)
def test_markup_and_archives_are_refused_by_their_name(data: bytes, name: str) -> None:
    with pytest.raises(Refused, match=name):
        sniff(data, len(data))


def test_many_comments_before_markup_cost_no_time() -> None:
    assert sniff(b"<!---->" * 580 + b"text", 4064).kind == "text"


def test_an_empty_file_is_refused() -> None:
    with pytest.raises(Refused, match=r"^the file is empty$"):
        sniff(broken_files.zero_bytes(), 0)


def test_each_kind_has_its_own_size_limit() -> None:
    assert sniff(HEADS["video/mp4"], MAX_BYTES["image"] + 1).kind == "video"
    with pytest.raises(Refused, match="larger than 25 MB"):
        sniff(HEADS["image/png"], MAX_BYTES["image"] + 1)


@pytest.mark.parametrize(
    ("name", "claimed"),
    [("film.mp4", None), ("FILM.MP4", "text/plain"), ("film", "video/mp4"), ("scan", "application/pdf")],
)
@pytest.mark.parametrize("data", [broken_files.plain_text(), broken_files.ffconcat()])
def test_text_that_claims_to_be_media_is_refused(
    tmp_path: Path, data: bytes, name: str, claimed: str | None
) -> None:
    path = tmp_path / "1"
    path.write_bytes(data)

    with pytest.raises(Refused, match="contains plain text"):
        sniff_file(path, name=name, claimed=claimed)


@pytest.mark.parametrize(
    ("name", "claimed"),
    [("notes.md", "text/markdown"), ("list", None), ("main.ts", "video/mp2t"), ("data", "application/json")],
)
def test_text_under_any_other_name_is_text(tmp_path: Path, name: str, claimed: str | None) -> None:
    path = tmp_path / "1"
    path.write_bytes(broken_files.plain_text())

    assert sniff_file(path, name=name, claimed=claimed).kind == "text"


def test_a_picture_under_another_pictures_name_keeps_its_true_type() -> None:
    path = SAMPLES / "lake-at-dawn.jpg"

    assert sniff_file(path, name="lake.png", claimed="image/png").mime_type == "image/jpeg"
