from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from handlers.media import text
from handlers.media.refused import Refused

SRT = """1
00:00:01,000 --> 00:00:02,500
<i>The cell</i> is the unit of life.

2
00:01:00,250 --> 00:01:02,000 X1:40
{\\an8}It has a nucleus
and a membrane.
"""
VTT = """WEBVTT - lecture
Kind: captions

STYLE
::cue { color: red }

NOTE 00:00 --> is no time

intro
00:01.000 --> 00:02.000 align:start
<v Ann>Water &amp; salt</v>

01:00:00.000 --> 01:00:01.000
<00:00:01.000><c>Later</c>
"""


def cues(tmp_path: Path, data: str | bytes) -> list[Any]:
    path = tmp_path / "upload"
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    facts = text.extract(path, tmp_path)
    assert facts["sections"] == []
    return [(cue["time_s"], cue["text"]) for cue in facts["cues"]]


def test_subrip_is_read_with_its_times_and_without_markup(tmp_path: Path) -> None:
    assert cues(tmp_path, SRT) == [
        (1.0, "The cell is the unit of life."),
        (60.25, "It has a nucleus\nand a membrane."),
    ]


def test_webvtt_is_read_without_notes_styles_and_names_of_cues(tmp_path: Path) -> None:
    assert cues(tmp_path, VTT) == [(1.0, "Water & salt"), (3600.0, "Later")]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "cp1252"])
def test_encodings_and_line_ends_of_other_systems_are_read(tmp_path: Path, encoding: str) -> None:
    data = SRT.replace("cell", "größte Zelle").replace("\n", "\r\n").encode(encoding)

    assert cues(tmp_path, data)[0] == (1.0, "The größte Zelle is the unit of life.")


def test_cues_without_an_empty_line_between_them_are_told_apart(tmp_path: Path) -> None:
    data = "1\n00:00:01,000 --> 00:00:02,000\nOne\n2\n00:00:03,000 --> 00:00:04,000\nTwo\n"

    assert cues(tmp_path, data) == [(1.0, "One"), (3.0, "Two")]


def test_lines_that_scroll_on_are_told_once(tmp_path: Path) -> None:
    data = "WEBVTT\n\n00:01.000 --> 00:02.000\nfirst\n\n00:02.000 --> 00:03.000\nfirst\nsecond\n"

    assert cues(tmp_path, data) == [(1.0, "first"), (2.0, "second")]


def test_cues_come_in_the_order_of_their_times(tmp_path: Path) -> None:
    data = "WEBVTT\n\n00:09.000 --> 00:10.000\nlast\n\n00:01.000 --> 00:02.000\nfirst\n"

    assert [text for _, text in cues(tmp_path, data)] == ["first", "last"]


def test_subtitles_that_say_nothing_are_refused(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="no subtitles"):
        cues(tmp_path, "WEBVTT\n\n00:01.000 --> 00:02.000\n<b></b>\n")


def test_too_many_cues_are_cut_and_that_is_said(tmp_path: Path) -> None:
    path = tmp_path / "long.srt"
    path.write_text(
        "".join(f"{n}\n00:00:{n % 60:02},000 --> 00:01:00,000\nline {n}\n\n" for n in range(25_000))
    )
    facts = text.extract(path, tmp_path)

    assert (len(facts["cues"]), facts["truncated"]) == (20_000, True)


@pytest.mark.parametrize("data", ["<" * 500_000, "{<" * 300_000, "-->" * 200_000, "1:" * 300_000])
def test_hostile_subtitles_take_no_time(tmp_path: Path, data: str) -> None:
    begun = time.perf_counter()
    cues(tmp_path, f"WEBVTT\n\n00:01.000 --> 00:02.000\nspoken\n{data}\n")

    assert time.perf_counter() - begun < 5


def test_subtitles_have_a_preview(tmp_path: Path) -> None:
    path = tmp_path / "a.srt"
    path.write_text(SRT)

    assert len(text.thumbnails(path, tmp_path)["thumbnails"]) == 2
