from __future__ import annotations

from pathlib import Path
from typing import Any, TypeVar

import pytest
from pydantic import BaseModel

from functions.sandbox import Sandbox
from handlers.contract import Decoded, FilePayload, Job, Reject
from handlers.create_thumbnail import create_thumbnail
from handlers.outputs import Thumbnails
from handlers.testing import FakeContext
from tests.fixtures import broken_files
from tests.fixtures.broken_files import BROKEN_FILES, SAMPLES

Model = TypeVar("Model", bound=BaseModel)
SENTENCES = {
    "empty.txt": "the file is empty",
    "truncated.jpg": "the picture is damaged or incomplete",
    "half.png": "the picture is damaged or incomplete",
    "900-megapixels.png": "the picture is too large (30000 x 30000)",
    "corrupt.pdf": "the PDF is damaged and cannot be opened",
    "encrypted.pdf": "the PDF is protected by a password",
    "shopping-list.mp4": "contains plain text",
    "playlist.mp4": "contains plain text",
    "page.html": "HTML files are not supported",
    "drawing.svg": "SVG drawings are not supported",
}
ORIGINALS = {  # pixels, for the PDF points
    "lake-at-dawn.jpg": (1600, 1200),
    "photosynthesis-slide.png": (1280, 720),
    "water-cycle.pdf": (595, 842),
    "phases-of-the-moon.mp4": (640, 360),
}


class OneFile(FakeContext):
    """A context whose storage holds one uploaded file; decoding happens in the real sandbox."""

    def __init__(self, source: Path) -> None:
        super().__init__(source.parent)
        self.source = source
        self.sandbox = Sandbox()
        self.most: int | None = None
        self.allowed: list[float | None] = []

    def download(self, bucket: str, path: str) -> bytes:
        raise AssertionError(f"{bucket}/{path} may be too large for the memory: it belongs on disk")

    def download_to_file(self, bucket: str, path: str, *, max_bytes: int | None = None) -> Path:
        assert (bucket, max_bytes is not None) == ("ingest", True)
        assert path.startswith("acme/")
        self.most = max_bytes
        return self.source

    def decode(
        self,
        decoder: str,
        source: Path,
        *,
        memory_mb: int | None = None,
        seconds: float | None = None,
        **options: Any,
    ) -> Decoded:
        self.allowed.append(seconds)
        return self.sandbox.run(
            decoder, source, timeout=60, memory_mb=memory_mb or 1024, seconds=seconds, options=options
        )

    def report_cost(self, amount: float) -> None:
        raise AssertionError(f"a thumbnail costs nothing: {amount}")

    def parent(self, name: str, model: type[Model]) -> Model:
        raise AssertionError(f"a thumbnail waits for nothing: {name}, {model}")


def run(context: OneFile, name: str, mime_type: str | None = None) -> Thumbnails:
    payload = FilePayload(file_id=7, bucket="ingest", path=f"acme/{name}", version="v-1", mime_type=mime_type)
    job = Job(17, "acme", "create_thumbnail", payload, attempts=1, max_attempts=3, parents={})
    output = create_thumbnail(job, context)
    assert isinstance(output, Thumbnails)
    return output


@pytest.mark.parametrize(
    ("name", "size"),
    [
        ("lake-at-dawn.jpg", (1024, 768)),
        ("photosynthesis-slide.png", (1024, 576)),
        ("water-cycle.pdf", (724, 1024)),
        ("phases-of-the-moon.mp4", (640, 360)),
        ("plate-tectonics.md", (768, 1024)),
    ],
)
def test_every_sample_gets_two_thumbnails_and_a_placeholder(name: str, size: tuple[int, int]) -> None:
    context = OneFile(SAMPLES / name)

    output = run(context, name)

    assert (output.width, output.height) == (ORIGINALS.get(name) or (None, None))
    small, large = output.thumbnails
    assert (large.width, large.height) == size
    assert max(small.width, small.height) == 256
    assert [made.path for made in output.thumbnails] == ["acme/7/v-1/256.webp", "acme/7/v-1/1024.webp"]
    assert output.placeholder
    assert output.notes == []
    stored = context.uploads["thumbnails/acme/7/v-1/1024.webp"]
    assert (stored.data[:4], stored.data[8:12], stored.content_type) == (b"RIFF", b"WEBP", "image/webp")
    assert large.bytes == len(stored.data)


@pytest.mark.parametrize("name", BROKEN_FILES)
def test_every_broken_file_is_rejected_with_its_own_sentence(tmp_path: Path, name: str) -> None:
    source = tmp_path / "1"
    source.write_bytes(BROKEN_FILES[name]())
    context = OneFile(source)

    with pytest.raises(Reject) as rejected:
        run(context, name)

    assert SENTENCES[name] in str(rejected.value)
    assert context.uploads == {}


def test_a_sound_has_a_picture_of_how_loud_it_is(tmp_path: Path) -> None:
    sound_files = pytest.importorskip("tests.fixtures.sound_files", reason="needs the extra `video`")
    source = tmp_path / "1"
    source.write_bytes(sound_files.sound("mp3", 1))

    output = run(OneFile(source), "song.mp3", "audio/mpeg")

    assert [(made.width, made.height) for made in output.thumbnails] == [(256, 144), (1024, 576)]


def test_a_picture_under_a_wrong_name_is_still_shown() -> None:
    context = OneFile(SAMPLES / "lake-at-dawn.jpg")

    assert len(run(context, "lake.pdf", "application/pdf").thumbnails) == 2


def test_reasons_name_no_path_and_no_library(tmp_path: Path) -> None:
    source = tmp_path / "1"
    source.write_bytes(broken_files.truncated_jpeg())

    with pytest.raises(Reject) as rejected:
        run(OneFile(source), "photo.jpg")

    assert not any(word in str(rejected.value).lower() for word in ("vips", "/tmp", str(tmp_path), "error"))
