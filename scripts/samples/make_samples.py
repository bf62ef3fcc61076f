"""Makes the sample files: `python -m scripts.samples.make_samples [FOLDER]`.

The files are kept in the repository beside this script, so the demo and the tests do not run it. It needs
all extras (numpy comes with `ocr`, the video encoder with `video`), and makes the same files every time.
"""

from __future__ import annotations

import sys
from pathlib import Path

from scripts.samples import documents, texts
from scripts.samples.film import film
from scripts.samples.photo import photo

FILES = Path(__file__).with_name("files")


def make_samples(folder: Path) -> list[Path]:
    """Writes all samples into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    contents = {
        "lake-at-dawn.jpg": photo(),
        "photosynthesis-slide.png": documents.slide(),
        "water-cycle.pdf": documents.prose(),
        "plate-tectonics.md": texts.NOTE.encode("utf-8"),
    }
    for name, data in contents.items():
        (folder / name).write_bytes(data)
    film(folder / "phases-of-the-moon.mp4")
    return sorted(folder.iterdir())


if __name__ == "__main__":
    for path in make_samples(Path(sys.argv[1]) if len(sys.argv) > 1 else FILES):
        print(f"{path.stat().st_size:>9,} bytes  {path}")
