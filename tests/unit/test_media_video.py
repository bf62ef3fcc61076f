from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import pyvips

from handlers.media import container, video
from handlers.media.refused import Refused
from handlers.media.sniff import Sniffed
from tests.fixtures import broken_files

pytest.importorskip("av", reason="needs the extra `video`")

from tests.fixtures import sound_files
from tests.fixtures.sound_files import TAGS, film, turned, with_claimed_length, with_claimed_rate

SAMPLE = broken_files.SAMPLES / "phases-of-the-moon.mp4"


def save(tmp_path: Path, data: bytes, name: str = "upload") -> Path:
    path = tmp_path / name
    path.write_bytes(data)
    return path


def test_the_sample_is_described_with_its_subtitles(tmp_path: Path) -> None:
    facts = video.inspect(SAMPLE, tmp_path)

    assert (facts["width"], facts["height"], facts["codec"]) == (640, 360, "h264")
    assert facts["duration_seconds"] == pytest.approx(5.0, abs=0.1)
    assert (facts["has_video"], facts["has_audio"], facts["hdr"]) == (True, False, False)
    assert facts["subtitles"][0] == {
        "text": "The Moon is the only natural satellite of the Earth.",
        "time_s": 0.2,
        "end_s": 1.7,
    }
    assert len(facts["subtitles"]) == 3


def test_the_poster_of_the_sample_shows_the_moon(tmp_path: Path) -> None:
    facts = video.thumbnails(SAMPLE, tmp_path)

    assert [(made["width"], made["height"]) for made in facts["thumbnails"]] == [(256, 144), (640, 360)]
    assert pyvips.Image.new_from_file(str(tmp_path / "1024.webp")).max() > 180


def test_the_poster_is_the_liveliest_frame_not_the_black_first_one(tmp_path: Path) -> None:
    source = save(tmp_path, film(shades=(0, 0, 0, 0, 255, 0, 0, 0)))

    facts = video.thumbnails(source, tmp_path)

    assert facts["time_s"] == pytest.approx(4.0, abs=0.3)
    assert pyvips.Image.new_from_file(str(tmp_path / "256.webp")).getpoint(200, 70)[0] > 200


def test_the_posters_time_is_known_of_a_film_whose_pictures_stand_in_another_order(tmp_path: Path) -> None:
    source = save(tmp_path, film(shades=(255,), rate=120, preset="medium"))

    assert video.thumbnails(source, tmp_path)["time_s"] == 0.0


def test_a_film_whose_one_key_frame_is_black_shows_what_comes_after_it(tmp_path: Path) -> None:
    source = save(tmp_path, film("webm", shades=(0, 0, 120, 255), seconds_per_key_frame=60))

    facts = video.thumbnails(source, tmp_path)

    assert facts["time_s"] >= 2
    assert pyvips.Image.new_from_file(str(tmp_path / "256.webp")).getpoint(200, 70)[0] > 80


def test_a_film_that_is_black_throughout_still_has_a_poster(tmp_path: Path) -> None:
    source = save(tmp_path, film(shades=(0, 0)))

    assert len(video.thumbnails(source, tmp_path)["thumbnails"]) == 2


@pytest.mark.parametrize(
    ("degrees", "size", "bright", "dark"),
    [
        (90, (180, 320), (90, 280), (90, 40)),
        (180, (320, 180), (80, 90), (240, 90)),
        (270, (180, 320), (90, 40), (90, 280)),
    ],
)
def test_a_film_that_a_phone_held_askew_is_set_upright(
    tmp_path: Path, degrees: int, size: tuple[int, int], bright: tuple[int, int], dark: tuple[int, int]
) -> None:
    source = save(tmp_path, turned(film(shades=(255,)), degrees))

    facts, shown = video.inspect(source, tmp_path), video.thumbnails(source, tmp_path)

    picture = pyvips.Image.new_from_file(str(tmp_path / "1024.webp"))
    assert (facts["width"], facts["height"]) == (shown["width"], shown["height"]) == size
    assert (picture.width, picture.height) == size
    assert picture.getpoint(*bright)[0] > 200
    assert picture.getpoint(*dark)[0] < 50


@pytest.mark.parametrize("suffix", ["mp4", "mov", "mkv", "webm"])
def test_every_container_gives_facts_subtitles_and_a_poster(tmp_path: Path, suffix: str) -> None:
    spoken = [(0.2, 1.0, "The Moon is <i>full</i>."), (1.25, 2.0, "Now it wanes.")]
    source = save(tmp_path, film(suffix, subtitles=spoken, tags=TAGS))

    facts = video.inspect(source, tmp_path)

    assert (facts["width"], facts["height"], facts["duration_seconds"]) == (320, 180, 3.0)
    assert (facts["title"], facts["hdr"], facts["frames_per_second"]) == ("The Moon", False, 5.0)
    assert [(cue["time_s"], cue["text"]) for cue in facts["subtitles"]] == [
        (0.2, "The Moon is full."),
        (1.25, "Now it wanes."),
    ]
    assert video.thumbnails(source, tmp_path)["time_s"] == pytest.approx(1.0, abs=0.8)


def test_styled_subtitles_lose_their_styles(tmp_path: Path) -> None:
    spoken = [(0.2, 1.0, r"{\an8}Full\Nmoon")]
    source = save(tmp_path, film("mkv", subtitles=spoken, subtitle_codec="ass"))

    assert video.inspect(source, tmp_path)["subtitles"][0]["text"] == "Full\nmoon"


def test_the_subtitles_that_are_shown_by_default_win(tmp_path: Path) -> None:
    other, default = [(0.2, 1.0, "Der Mond")], [(0.2, 1.0, "The Moon")]
    source = save(tmp_path, film("mkv", subtitles=other, shown_by_default=default))

    assert [cue["text"] for cue in video.inspect(source, tmp_path)["subtitles"]] == ["The Moon"]


def test_a_film_in_high_dynamic_range_is_noted_and_its_poster_is_neither_grey_nor_black(
    tmp_path: Path,
) -> None:
    source = save(tmp_path, film(shades=(148,), hdr=True))  # 148 of 255 in PQ: paper white, 203 nits

    assert video.inspect(source, tmp_path)["hdr"] is True
    assert video.thumbnails(source, tmp_path)["hdr"] is True
    picture = pyvips.Image.new_from_file(str(tmp_path / "1024.webp"))
    assert picture.getpoint(250, 90) == pytest.approx([190, 190, 190], abs=12)
    assert picture.getpoint(50, 90) == pytest.approx([0, 0, 0], abs=12)


def test_a_provider_gets_the_poster_as_jpeg(tmp_path: Path) -> None:
    source = save(tmp_path, film(size=(1920, 1080), shades=(255,)))

    assert video.picture(source, tmp_path) == {"width": 1568, "height": 882}
    assert (tmp_path / "picture.jpg").read_bytes()[:3] == b"\xff\xd8\xff"


def test_an_mp4_without_a_picture_is_a_sound(tmp_path: Path) -> None:
    source = save(tmp_path, sound_files.sound("mp4"))

    facts = video.inspect(source, tmp_path)
    assert (facts["has_video"], facts["has_audio"], facts["duration_seconds"]) == (False, True, 2.0)
    assert [made["height"] for made in video.thumbnails(source, tmp_path)["thumbnails"]] == [144, 576]
    with pytest.raises(Refused, match="no picture in the sound"):
        video.picture(source, tmp_path)


@pytest.mark.parametrize("claimed", [5_000.0, 5_000_000.0, None])
def test_a_film_that_lies_about_its_length_is_measured(tmp_path: Path, claimed: float | None) -> None:
    source = save(tmp_path, with_claimed_length(film("mkv"), claimed))

    assert video.inspect(source, tmp_path)["duration_seconds"] == 3.0
    assert len(video.thumbnails(source, tmp_path)["thumbnails"]) == 2


@pytest.mark.parametrize("decoder", [video.inspect, video.thumbnails])
@pytest.mark.parametrize("part", [0.02, 0.3])
def test_a_film_that_was_cut_off_is_refused_or_read_as_far_as_it_goes(
    tmp_path: Path, decoder: Any, part: float
) -> None:
    """Its index comes first, so a part can be shown; without any frame it is refused."""
    data = SAMPLE.read_bytes()
    source = save(tmp_path, data[: int(len(data) * part)])

    if part < 0.1:
        with pytest.raises(Refused, match="damaged or incomplete"):
            decoder(source, tmp_path)
    else:
        assert decoder(source, tmp_path)["has_video"] is True


@pytest.mark.parametrize("decoder", [video.inspect, video.thumbnails])
def test_a_playlist_under_a_films_name_opens_no_other_file(tmp_path: Path, decoder: Any) -> None:
    save(tmp_path, SAMPLE.read_bytes(), "other.mp4")
    source = save(tmp_path, broken_files.ffconcat(), "playlist.mp4")

    with pytest.raises(Refused, match="not a video"):
        decoder(source, tmp_path)


def test_a_damaged_name_in_the_metadata_spoils_nothing(tmp_path: Path) -> None:
    data = SAMPLE.read_bytes().replace(b"VideoHandler", b"Vi\xb0eoHandler")
    assert data != SAMPLE.read_bytes()

    assert video.inspect(save(tmp_path, data), tmp_path)["width"] == 640


@pytest.mark.parametrize(
    ("limits", "sentence"),
    [
        ({"max_video_megapixels": 0.05}, r"too large \(320 x 180\): at most 0.05 megapixels"),
        ({"max_video_hours": 0.0005}, "longer than 0.0005 hours"),
        ({"max_video_fps": 4}, "more than 4 pictures a second"),
    ],
)
def test_limits_are_sentences(tmp_path: Path, limits: dict[str, float], sentence: str) -> None:
    with pytest.raises(Refused, match=sentence):
        video.inspect(save(tmp_path, film()), tmp_path, limits=limits)


def test_a_wrong_claim_about_the_rate_refuses_no_film(tmp_path: Path) -> None:
    source = save(tmp_path, with_claimed_rate(film("mkv"), 1000))

    assert video.inspect(source, tmp_path)["frames_per_second"] == 1000


@pytest.mark.parametrize("mime_type", ["video/mp4", "audio/mpeg", "audio/ogg", "video/webm", "audio/wav"])
@pytest.mark.parametrize(
    "playlist",
    [
        broken_files.ffconcat(),
        b"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nother.mp4\n#EXT-X-ENDLIST\n",
        b"v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 9 RTP/AVP 96\n",
        b'<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011"><BaseURL>other.mp4</BaseURL></MPD>',
    ],
    ids=["ffconcat", "m3u8", "sdp", "dash"],
)
def test_no_playlist_opens_another_file_even_past_the_sniffing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, playlist: bytes, mime_type: str
) -> None:
    save(tmp_path, SAMPLE.read_bytes(), "other.mp4")
    source = save(tmp_path, playlist, "playlist.mp4")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(Refused):
        video.inspect(source, tmp_path)
    monkeypatch.setattr(container, "type_of", lambda _: Sniffed("video", mime_type))

    with pytest.raises(Refused, match="damaged or incomplete"):
        video.inspect(source, tmp_path)
    with pytest.raises(Refused, match="damaged or incomplete"):
        video.thumbnails(source, tmp_path)


def test_without_the_extra_a_video_is_refused_with_what_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(container, "av", None)

    with pytest.raises(Refused, match="the extra 'video' is not installed"):
        video.inspect(SAMPLE, tmp_path)
