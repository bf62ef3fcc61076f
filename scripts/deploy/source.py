"""What leaves this machine for a build: the files that the image is made of, and a name for exactly this content."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
SINGLE_FILES = ("LICENSE", "NOTICE", "README.md", "pyproject.toml", "uv.lock")
PACKAGES = ("functions", "handlers")
FOR_AN_ENGINE = (".dockerignore", "Dockerfile")


def source_files(repository: Path = REPOSITORY) -> list[Path]:
    """Paths below the repository, sorted; nothing hidden and nothing compiled."""
    inside = (path for package in PACKAGES for path in (repository / package).rglob("*"))
    files = [path.relative_to(repository) for path in inside if path.is_file()]
    kept = [path for path in files if not any(part[0] == "." or part == "__pycache__" for part in path.parts)]
    return sorted([*map(Path, SINGLE_FILES), *kept])


def copy_source(folder: Path, *, for_engine: bool, repository: Path = REPOSITORY) -> None:
    """Fills an empty folder.

    Google's builder gets no Dockerfile: where there is one gcloud builds the image of it, and refuses --base-image.
    """
    for path in [*source_files(repository), *(map(Path, FOR_AN_ENGINE) if for_engine else ())]:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(repository / path, folder / path)


def digest(*said: str, repository: Path = REPOSITORY) -> str:
    """Sixteen hexadecimal digits that change with any file and with what is said besides."""
    total = hashlib.sha256("\0".join(said).encode())
    for path in [*source_files(repository), *map(Path, FOR_AN_ENGINE)]:
        total.update(f"\0{path}\0".encode())
        total.update(hashlib.sha256((repository / path).read_bytes()).digest())
    return total.hexdigest()[:16]
