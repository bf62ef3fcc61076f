from __future__ import annotations

import codecs
from pathlib import Path

import pytest

from handlers.media.archives import DOCX
from handlers.media.limits import MEGABYTE, Limits
from handlers.media.refused import Refused
from handlers.media.sniff import Sniffed, sniff, sniff_file, type_of
from tests.fixtures import broken_files
from tests.fixtures.docx_files import word_document

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


@pytest.mark.parametrize("head", [b"II+\x00\x08\x00\x00\x00", b"MM\x00+\x00\x08\x00\x00"])
def test_a_tiff_with_long_offsets_is_a_tiff(head: bytes) -> None:
    assert sniff(head, 1000).mime_type == "image/tiff"


@pytest.mark.parametrize("beginning", [b"RF64", b"BW64"])
def test_a_long_recording_is_a_wav_and_nothing_else(beginning: bytes) -> None:
    assert sniff(beginning + b"\xff\xff\xff\xffWAVEds64\x1c\x00\x00\x00", 1000).mime_type == "audio/wav"
    with pytest.raises(Refused, match="not supported"):
        sniff(beginning + b"\xff\xff\xff\xffWEBPVP8 \x00\x00", 1000)


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
        (broken_files.svg(), "SVG"),
        (b"<?xml version='1.0'?><rss/>", "XML"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "SVG"),
        (b"  \n<HTML><body>", "HTML"),
        (b"<!-- one --><!-- two --> <script>alert(1)</script>", "HTML"),
        (b"{\\rtf1 hello}", "RTF"),
        (b"%!PS-Adobe-3.0", "PostScript"),
        (b"PK\x03\x04\x14\x00\x06\x00", "ZIP"),
        (b"PK\x05\x06" + bytes(18), "ZIP"),
        (b"PK\x03\x04" + bytes(26) + b"mimetypeapplication/epub+zip", "EPUB"),
        (
            b"PK\x03\x04" + bytes(26) + b"mimetypeapplication/vnd.oasis.opendocument.textPK",
            "OpenDocument texts",
        ),
        (b"PK\x03\x04" + bytes(26) + b"[Content_Types].xml..xl/workbook.xml", "Excel"),
        (b"PK\x03\x04" + bytes(26) + b"[Content_Types].xml..ppt/presentation.xml", "PowerPoint"),
        (b"PK\x03\x04" + bytes(26) + b"META-INF/MANIFEST.MF", "programs"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "Office"),
        (b"BM\x36\x00\x00\x00\x00\x00\x00\x00\x36", "BMP"),
        (b"RIFF\x24\x00\x00\x00AVI LIST", "AVI"),
        (b"\x30\x26\xb2\x75\x8e\x66\xcf\x11\xa6\xd9", "Windows Media"),
        (b"MZ\x90\x00\x03\x00\x00\x00", "programs"),
        (b"\x7fELF\x02\x01\x01" + bytes(9), "programs"),
        (b"Rar!\x1a\x07\x01\x00", "RAR"),
        (bytes(257) + b"ustar\x0000", "tar"),
        ((b"G" + bytes(187)) * 4, "transport"),
        (FTYP + b"crx \x00\x00\x00\x01crx isom" + bytes(8), "camera raw"),
    ],
)
def test_markup_and_archives_are_refused_by_their_name(data: bytes, name: str) -> None:
    with pytest.raises(Refused, match=name):
        sniff(data, len(data))


def test_many_comments_before_markup_cost_no_time() -> None:
    assert sniff(b"<!---->" * 580 + b"text", 4064).kind == "text"


@pytest.mark.parametrize(
    ("stream", "name"),
    [
        ("EncryptedPackage", "protected by a password"),
        ("WordDocument", r"old Word documents \(\.doc\)"),
        ("Workbook", r"old Excel spreadsheets"),
        ("PowerPoint Document", "old PowerPoint"),
    ],
)
def test_the_directory_of_a_compound_file_names_the_program(tmp_path: Path, stream: str, name: str) -> None:
    header = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(22) + b"\x09\x00" + bytes(16) + b"\x14\x00\x00\x00"
    path = tmp_path / "1"
    path.write_bytes(header.ljust(512 * 21, b"\0") + f"{stream}\0".encode("utf-16-le") + bytes(100))

    with pytest.raises(Refused, match=name):
        sniff_file(path, name="x.docx", claimed=None)


def test_a_word_document_is_text_whichever_of_its_parts_comes_first(tmp_path: Path) -> None:
    for first in ("[Content_Types].xml", "word/document.xml"):
        path = tmp_path / "1"
        path.write_bytes(word_document(first_part=first))
        assert sniff_file(path, name="x", claimed=None) == Sniffed("text", DOCX)


@pytest.mark.parametrize(
    ("text", "mime_type"),
    [
        ("WEBVTT\n\n00:01.000 --> 00:02.000\nHi", "text/vtt"),
        ("\ufeff1\r\n00:00:01,000 --> 00:00:02,000\r\nHi\r\n", "application/x-subrip"),
        ("1\nTimes are written as 00:00:01 --> 00:00:02", "text/plain"),
        ("WEBVTTS are not subtitles", "text/plain"),
    ],
)
def test_subtitles_are_told_from_their_first_lines(text: str, mime_type: str) -> None:
    assert sniff(text.encode(), 10_000).mime_type == mime_type


@pytest.mark.parametrize(
    ("name", "claimed", "mime_type"),
    [
        ("a.csv", None, "text/csv"),
        ("a.TSV", "text/plain", "text/tab-separated-values"),
        ("a.md", "application/octet-stream", "text/markdown"),
        ("a", "text/csv; charset=utf-8", "text/csv"),
        ("a.txt", "text/x-python", "text/plain"),
    ],
)
def test_among_plain_texts_the_name_and_then_the_claim_pick_the_reader(
    tmp_path: Path, name: str, claimed: str | None, mime_type: str
) -> None:
    path = tmp_path / "1"
    path.write_bytes(b"term,definition\n")

    assert sniff_file(path, name=name, claimed=claimed).mime_type == mime_type


@pytest.mark.parametrize("text", ["GIF89a is a format.", "The ftyp box", "I'm free", "BM and MZ", "Rar! 7z"])
def test_a_text_may_begin_like_a_binary_format(text: str) -> None:
    assert sniff(text.encode(), len(text)).kind == "text"


def test_a_film_from_before_the_first_box_had_a_name_is_quicktime() -> None:
    assert sniff(b"\x00\x00\x00\x08wide\x00\x01\x00\x00mdat", 70_000).mime_type == "video/quicktime"


@pytest.mark.parametrize(
    ("behind", "mime_type"),
    [(b"fLaC\x00\x00\x00\x22", "audio/flac"), (b"\xff\xf1\x50\x80\x00\x1f\xfc", "audio/aac")],
)
def test_an_id3_tag_hides_no_other_kind_of_sound(tmp_path: Path, behind: bytes, mime_type: str) -> None:
    path = tmp_path / "1"
    path.write_bytes(b"ID3\x04\x00\x00\x00\x00\x01\x00" + bytes(128) + behind + bytes(100))

    assert type_of(path).mime_type == mime_type


def test_an_id3_tag_that_claims_to_be_longer_than_the_file_is_harmless(tmp_path: Path) -> None:
    path = tmp_path / "1"
    path.write_bytes(b"ID3\x04\x00\x00\x7f\x7f\x7f\x7f" + bytes(128))

    assert type_of(path).mime_type == "audio/mpeg"


def test_text_in_windows_1252_is_text_and_other_8_bit_alphabets_are_not() -> None:
    western = "Die Größe der Zelle: ein Überblick für Schüler.".encode("cp1252")
    assert sniff(western, len(western)).kind == "text"
    russian = "Клетка есть основная единица жизни.".encode("cp1251")
    with pytest.raises(Refused, match="not supported"):
        sniff(russian, len(russian))


def test_a_limit_is_what_the_settings_say() -> None:
    with pytest.raises(Refused, match="larger than 1 MB"):
        sniff(b"x", MEGABYTE + 1, limits=Limits(max_text_mb=1))
    assert sniff(b"x", 6 * MEGABYTE, limits=Limits(max_text_mb=7)).kind == "text"


def test_an_empty_file_is_refused() -> None:
    with pytest.raises(Refused, match=r"^the file is empty$"):
        sniff(broken_files.zero_bytes(), 0)


def test_each_kind_has_its_own_size_limit() -> None:
    assert sniff(HEADS["video/mp4"], 25 * MEGABYTE + 1).kind == "video"
    with pytest.raises(Refused, match="larger than 25 MB"):
        sniff(HEADS["image/png"], 25 * MEGABYTE + 1)


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
