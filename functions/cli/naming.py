"""From local files to object paths: before the upload, where a file gets its name in Storage.

Storage takes a narrow alphabet and one namespace; people have umlauts and two folders with an `a.pdf` in
each. Names are made to fit, and same-named files keep as much of their folders as tells them apart.
"""

from __future__ import annotations

import mimetypes
import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from functions.cli.terminal import Misuse, command

# What `handlers/` knows how to read; the machine's own table differs from system to system.
_TYPES = {
    ".avif": "image/avif",
    ".heic": "image/heic",
    ".jpeg": "image/jpeg",
    ".jpg": "image/jpeg",
    ".md": "text/markdown",
    ".mkv": "video/x-matroska",
    ".mp4": "video/mp4",
    ".pdf": "application/pdf",
    ".png": "image/png",
    ".srt": "application/x-subrip",
    ".txt": "text/plain",
    ".vtt": "text/vtt",
    ".webm": "video/webm",
    ".webp": "image/webp",
}
# A little narrower than the keys Storage takes: no slash, and nothing a shell or a URL treats specially.
_UNFIT = re.compile(r"[^A-Za-z0-9_.() +,@=-]+")


@dataclass(frozen=True)
class LocalFile:
    """A file to upload: what the user calls it, and the object path that is right for it."""

    source: Path
    name: str  # as the user knows it; may hold any character that UTF-8 has
    path: str  # <org>/<name that Storage takes>
    mime_type: str
    size: int


def local_files(sources: Iterable[Path], org: str) -> list[LocalFile]:
    """Checks the files and names their objects, without a collision. A file given twice is taken once."""
    organisation = org.strip()
    if not organisation or "/" in organisation or _fit(organisation) != organisation:
        raise Misuse(
            f"--org {org!r} cannot be the first folder of an object path",
            "Use letters, digits, dashes and dots, for example --org demo.",
        )
    files = list(dict.fromkeys(_checked(source) for source in sources))
    if not files:
        raise Misuse("no file given", f"Name at least one file, for example: {command('upload slides.pdf')}")
    return [
        LocalFile(
            source=source,
            name=_readable(name),
            path=f"{organisation}/{key}",
            mime_type=guess_type(source.name),
            size=source.stat().st_size,
        )
        for source, name, key in zip(files, _names(files), _keys(files), strict=True)
    ]


def guess_type(name: str) -> str:
    """The content type a file's name claims. The handlers look at the bytes all the same."""
    guessed = _TYPES.get(Path(name).suffix.lower()) or mimetypes.guess_type(name)[0]
    return guessed or "application/octet-stream"


def _checked(source: Path) -> Path:
    try:
        if source.is_dir():
            raise Misuse(f"{source} is a folder", f"Name its files: {source}/*")
        if source.exists() and not source.is_file():
            raise Misuse(f"{source} is not a regular file", "Copy its content into a file first.")
        with source.open("rb"):
            return source.resolve()
    except FileNotFoundError as error:
        raise Misuse(f"{source} does not exist", "Check the spelling, and the folder you are in.") from error
    except OSError as error:
        raise Misuse(f"cannot read {source}: {error.strerror}", "Check its permissions.") from error


def _names(files: Sequence[Path]) -> list[str]:
    """The shortest end of each path that tells the files apart."""
    groups: defaultdict[str, list[Path]] = defaultdict(list)
    for file in files:
        groups[file.name].append(file)
    return [_distinct_end(file, groups[file.name]) for file in files]


def _distinct_end(file: Path, namesakes: Sequence[Path]) -> str:
    parts = file.parts[1:]
    for count in range(1, len(parts) + 1):
        end = parts[-count:]
        if sum(other.parts[1:][-count:] == end for other in namesakes) == 1:
            return "/".join(end)
    return "/".join(parts)


def _readable(name: str) -> str:
    """On Linux a name is bytes: those that are not UTF-8 could be neither printed nor written to a report."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _keys(files: Sequence[Path]) -> list[str]:
    """The same names in Storage's alphabet; two that become equal there are numbered."""
    taken: set[str] = set()
    keys: list[str] = []
    for name in _names(files):
        wanted = "/".join(_fit(part) for part in name.split("/"))
        stem, dot, ending = wanted.rpartition(".") if "." in wanted.rpartition("/")[2] else (wanted, "", "")
        key, number = wanted, 2
        while key in taken:
            key, number = f"{stem}-{number}{dot}{ending}", number + 1
        taken.add(key)
        keys.append(key)
    return keys


def _fit(part: str) -> str:
    plain = unicodedata.normalize("NFKD", part).encode("ascii", "ignore").decode()
    fitted = _UNFIT.sub("_", plain).strip(" ")
    return fitted if fitted and not fitted.startswith(".") else f"file{fitted}"
