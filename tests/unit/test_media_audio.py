from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import pytest
import pyvips

from handlers.media import audio, video, waveform
from handlers.media.refused import Refused

pytest.importorskip("av", reason="needs the extra `video`")

from tests.fixtures.sound_files import CHAPTERS, SOUNDS, TAGS, cover, sound

TAGGED = ("mp3", "m4a", "wav", "flac", "ogg", "oga", "webm")
BLUE, GROUND = (60, 92, 199), (241, 243, 252)


def save(tmp_path: Path, data: bytes) -> Path:
    path = tmp_path / "upload"
    path.write_bytes(data)
    return path


def shown(tmp_path: Path) -> Any:
    return pyvips.Image.new_from_file(str(tmp_path / "1024.webp"))


@pytest.mark.parametrize("suffix", SOUNDS)
def test_every_kind_of_sound_has_facts_and_a_picture(tmp_path: Path, suffix: str) -> None:
    source = save(tmp_path, sound(suffix))

    facts = video.inspect(source, tmp_path)
    made = audio.thumbnails(source, tmp_path)

    assert (facts["has_video"], facts["has_audio"]) == (False, True)
    assert facts["duration_seconds"] == pytest.approx(2.0, abs=0.1)
    assert [(box["width"], box["height"]) for box in made["thumbnails"]] == [(256, 144), (1024, 576)]
    assert made["placeholder"]


@pytest.mark.parametrize("suffix", TAGGED)
def test_tags_are_read_wherever_the_format_keeps_them(tmp_path: Path, suffix: str) -> None:
    facts = video.inspect(save(tmp_path, sound(suffix, tags=TAGS)), tmp_path)

    assert facts["title"] == "The Moon"
    assert facts["tags"] == {
        "artist": "Ann Author",
        "album": "Lectures on the Sky",
        "track": "3",
        "year": "2024",
        "genre": "Science",
    }


def test_chapters_have_their_times(tmp_path: Path) -> None:
    facts = video.inspect(save(tmp_path, sound("m4a", chapters=CHAPTERS)), tmp_path)

    assert facts["chapters"] == [{"title": "Phases", "time_s": 0.0}, {"title": "Tides", "time_s": 1.0}]
    assert facts["subtitles"] == []


def test_lyrics_and_descriptions_are_texts_each_once(tmp_path: Path) -> None:
    tags = {"lyrics": "Fly me\nto the Moon", "description": "A song.", "comment": "A song."}
    facts = video.inspect(save(tmp_path, sound("flac", tags=tags)), tmp_path)

    assert facts["texts"] == ["Fly me\nto the Moon", "A song."]


def test_what_no_reader_sees_is_taken_off_the_tags(tmp_path: Path) -> None:
    tags = {"title": "a\u202ecod.exe\u2066b\x07\x9b", "artist": " \u200f \t", "album": "x" * 1000}
    facts = video.inspect(save(tmp_path, sound("flac", tags=tags)), tmp_path)

    assert facts["title"] == "acod.exeb"
    assert facts["tags"]["artist"] is None
    assert len(facts["tags"]["album"]) == 300


@pytest.mark.parametrize("suffix", ["mp3", "m4a", "flac"])
def test_a_cover_is_the_thumbnail_and_makes_no_video_of_the_song(tmp_path: Path, suffix: str) -> None:
    source = save(tmp_path, sound(suffix, cover=cover((200, 30, 30))))

    made = audio.thumbnails(source, tmp_path)

    assert [(box["width"], box["height"]) for box in made["thumbnails"]] == [(256, 256), (300, 300)]
    assert shown(tmp_path).getpoint(100, 100) == pytest.approx([200, 30, 30], abs=6)
    assert video.inspect(source, tmp_path)["has_video"] is False
    assert video.picture(source, tmp_path) == {"width": 300, "height": 300}
    assert not (tmp_path / "cover").exists()


def test_a_cover_beyond_the_limits_of_pictures_counts_as_none(tmp_path: Path) -> None:
    source = save(tmp_path, sound("mp3", cover=cover()))

    made = audio.thumbnails(source, tmp_path, limits={"max_image_side": 100})
    assert [box["height"] for box in made["thumbnails"]] == [144, 576]

    source = save(tmp_path, sound("mp3", cover=cover() + bytes(1024 * 1024)))
    made = audio.thumbnails(source, tmp_path, limits={"max_image_mb": 1})
    assert [box["height"] for box in made["thumbnails"]] == [144, 576]


def test_a_damaged_cover_counts_as_none(tmp_path: Path) -> None:
    picture = cover()
    source = save(tmp_path, sound("mp3", cover=picture).replace(picture[200:], bytes(len(picture) - 200)))

    assert [box["height"] for box in audio.thumbnails(source, tmp_path)["thumbnails"]] == [144, 576]


def test_loud_places_are_tall_and_silent_ones_are_dots(tmp_path: Path) -> None:
    audio.thumbnails(save(tmp_path, sound("wav", 4, loud_from=2)), tmp_path)

    picture = shown(tmp_path)
    left, right = picture.crop(60, 80, 440, 130), picture.crop(530, 80, 430, 130)
    assert left.colourspace("b-w").min() > 230  # nothing but background above the dots
    assert right.colourspace("b-w").min() < 130
    assert picture.getpoint(5, 5) == pytest.approx(GROUND, abs=4)


def test_silence_is_not_blown_up(tmp_path: Path) -> None:
    audio.thumbnails(save(tmp_path, sound("wav", 1, loud_from=0.5, amplitude=3)), tmp_path)

    assert shown(tmp_path).crop(0, 0, 1024, 215).colourspace("b-w").min() > 230


def test_of_a_long_sound_only_pieces_are_heard_spread_over_all_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waveform, "DECODED_SECONDS", 12.8)  # 0.2 s for each of the 64 bars
    source = save(tmp_path, sound("mp3", 20, loud_from=10))

    audio.thumbnails(source, tmp_path)

    picture = shown(tmp_path)
    assert picture.crop(60, 80, 420, 130).colourspace("b-w").min() > 230
    assert picture.crop(550, 80, 400, 130).colourspace("b-w").min() < 130


@pytest.mark.parametrize("suffix", ["mp3", "flac", "ogg", "wav", "m4a", "aac"])
@pytest.mark.parametrize("part", [0.05, 0.5, 0.95])
def test_a_sound_that_was_cut_off_is_refused_or_read_as_far_as_it_goes(
    tmp_path: Path, suffix: str, part: float
) -> None:
    data = sound(suffix)
    source = save(tmp_path, data[: int(len(data) * part)])

    for decoder in (video.inspect, audio.thumbnails):
        try:
            assert decoder(source, tmp_path)["has_video"] is False
        except Refused as error:
            assert "damaged or incomplete" in str(error)  # noqa: PT017 - both are right


@pytest.mark.parametrize("data", [b"ID3\x04" + bytes(100), b"ID3\x04\x00\x00\x7f\x7f\x7f\x7f" + bytes(300)])
def test_a_tag_without_a_sound_is_damaged(tmp_path: Path, data: bytes) -> None:
    for decoder in (video.inspect, audio.thumbnails):
        with pytest.raises(Refused, match="damaged or incomplete"):
            decoder(save(tmp_path, data), tmp_path)


@pytest.mark.parametrize("beginning", [b"RF64", b"BW64"])
def test_a_wav_that_may_be_longer_than_4_gb_is_read(tmp_path: Path, beginning: bytes) -> None:
    plain = sound("wav", 2.0)
    samples = plain.index(b"data") + 8
    lengths = struct.pack("<QQQI", len(plain) + 28, len(plain) - samples, 0, 0)
    unknown = b"\xff" * 4  # the true lengths stand in the first chunk
    head = beginning + unknown + b"WAVEds64" + struct.pack("<I", len(lengths)) + lengths
    source = save(tmp_path, head + plain[12 : samples - 4] + unknown + plain[samples:])

    assert video.inspect(source, tmp_path)["duration_seconds"] == pytest.approx(2.0, abs=0.01)
    audio.thumbnails(source, tmp_path)


def test_a_wav_that_claims_more_than_it_holds_is_as_long_as_it_is(tmp_path: Path) -> None:
    data = bytearray(sound("wav"))
    at = data.index(b"data") + 4
    data[at : at + 4] = b"\xff\xff\xff\x7f"

    assert video.inspect(save(tmp_path, bytes(data)), tmp_path)["duration_seconds"] == pytest.approx(
        2, abs=0.1
    )


def test_a_bare_stream_is_as_long_as_it_is_however_dense_its_beginning_is(tmp_path: Path) -> None:
    facts = video.inspect(save(tmp_path, sound("aac", 2) + sound("aac", 4, amplitude=0)), tmp_path)

    assert facts["duration_seconds"] == pytest.approx(6.0, abs=0.1)


def test_a_sound_longer_than_the_limit_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Refused, match=r"longer than 0\.0005 hours"):
        video.inspect(save(tmp_path, sound("wav")), tmp_path, limits={"max_video_hours": 0.0005})
