from __future__ import annotations

import io
import wave
from pathlib import Path
from typing import Any

import pytest
import pyvips

from handlers.media import video
from handlers.media.refused import Refused
from tests.fixtures import broken_files

av = pytest.importorskip("av", reason="needs the extra `video`")

SAMPLE = broken_files.SAMPLES / "phases-of-the-moon.mp4"


def save(tmp_path: Path, data: bytes, name: str = "upload") -> Path:
    path = tmp_path / name
    path.write_bytes(data)
    return path


def film(path: Path, shades: list[int], size: tuple[int, int] = (320, 180)) -> Path:
    """A film of one grey shade per second, each second starting with a key frame."""
    with av.open(str(path), "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=5)
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        stream.gop_size = 5
        for shade in shades:
            for _ in range(5):
                frame = av.VideoFrame(*size, "rgb24")
                row = bytes([0, 0, 0] * (size[0] // 2) + [shade] * 3 * (size[0] // 2))
                frame.planes[0].update(row.ljust(frame.planes[0].line_size, b"\0") * size[1])
                container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def sound(seconds: int = 2) -> bytes:
    data = io.BytesIO()
    with wave.open(data, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(bytes(2 * 8000 * seconds))
    return data.getvalue()


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
    source = film(tmp_path / "film.mp4", [0, 0, 0, 0, 255, 0, 0, 0])

    facts = video.thumbnails(source, tmp_path)

    assert facts["time_s"] == pytest.approx(4.0, abs=0.3)
    assert pyvips.Image.new_from_file(str(tmp_path / "256.webp")).getpoint(200, 70)[0] > 200


def test_a_film_that_is_black_throughout_still_has_a_poster(tmp_path: Path) -> None:
    assert len(video.thumbnails(film(tmp_path / "film.mp4", [0, 0]), tmp_path)["thumbnails"]) == 2


class TurnedFrame:
    """A frame as a phone stores it: the picture, and apart from it by how much to turn it."""

    def __init__(self, frame: Any, rotation: int) -> None:
        self._frame = frame
        self.rotation = rotation

    def __getattr__(self, name: str) -> Any:
        return getattr(self._frame, name)


@pytest.mark.parametrize(("rotation", "bright"), [(90, (90, 40)), (-90, (90, 280)), (180, (80, 90))])
def test_a_turned_frame_is_set_upright(tmp_path: Path, rotation: int, bright: tuple[int, int]) -> None:
    with av.open(str(film(tmp_path / "film.mp4", [255]))) as container:
        stream = container.streams.video[0]
        frame = TurnedFrame(next(container.decode(stream)), rotation)
        picture = video._upright(frame, stream, 1024)
        shown = video._shown_size(frame, stream)

    assert (picture.width, picture.height) == shown == ((320, 180) if rotation == 180 else (180, 320))
    assert picture.getpoint(*bright)[0] > 200


def test_a_sound_has_facts_and_no_picture(tmp_path: Path) -> None:
    source = save(tmp_path, sound())

    facts = video.inspect(source, tmp_path)
    assert (facts["has_video"], facts["has_audio"], facts["duration_seconds"]) == (False, True, 2.0)
    assert video.thumbnails(source, tmp_path)["thumbnails"] == []


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


def test_a_playlist_that_gets_past_the_sniffing_is_refused_by_the_forced_format(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save(tmp_path, SAMPLE.read_bytes(), "other.mp4")
    source = save(tmp_path, broken_files.ffconcat(), "playlist.mp4")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(video, "sniff_file", lambda *_, **__: video_mp4())

    with pytest.raises(Refused, match="damaged"):
        video.inspect(source, tmp_path)


def video_mp4() -> Any:
    class Sniffed:
        mime_type = "video/mp4"

    return Sniffed


def test_a_damaged_name_in_the_metadata_spoils_nothing(tmp_path: Path) -> None:
    data = SAMPLE.read_bytes().replace(b"VideoHandler", b"Vi\xb0eoHandler")
    assert data != SAMPLE.read_bytes()

    assert video.inspect(save(tmp_path, data), tmp_path)["width"] == 640


def test_limits_on_length_and_size_are_sentences(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="too large \\(640 x 360\\)"):
        video.thumbnails(SAMPLE, tmp_path, max_pixels=100_000)
    with pytest.raises(Refused, match="longer than"):
        video.inspect(SAMPLE, tmp_path, max_seconds=3)


def test_without_the_extra_a_video_is_refused_with_what_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(video, "av", None)

    with pytest.raises(Refused, match="the extra 'video' is not installed"):
        video.inspect(SAMPLE, tmp_path)
