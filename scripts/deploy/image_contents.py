"""What is in an image that should not be, and how large it is."""

from __future__ import annotations

import re
from dataclasses import dataclass
from email.parser import HeaderParser
from pathlib import Path

# Of the licences that would bind whoever passes an image on; the lesser GPL is another matter (see NOTICE).
_COPYLEFT = re.compile(r"\b(A?GPL|GNU (Affero )?General Public)", re.IGNORECASE)
_LESSER = re.compile(r"\bLGPL|Lesser General Public|GNU Library", re.IGNORECASE)
_PARTS_UNDER_GPL = re.compile(r"lib(x264|x265|xvidcore|postproc)\b")
_LEFTOVERS = ("root/.cache", "app/tests", "app/.env", "app/.git", "app/uv", "usr/local/bin/uv", "app/.local")


@dataclass(frozen=True)
class Contents:
    """Sizes in MB (10^6 bytes); the lists are empty in a good image."""

    application_mb: float
    packages: int
    copyleft: list[str]
    leftovers: list[str]
    uncompiled: list[str]


def look_at(root: Path) -> Contents:
    application = root / "app"
    packages = sorted(application.glob(".venv/lib/python3.*/site-packages/*.dist-info"))
    return Contents(
        application_mb=round(_size(application) / 1e6, 1),
        packages=len(packages),
        copyleft=[*_copyleft_packages(packages), *_copyleft_parts(application)],
        leftovers=[path for path in _LEFTOVERS if (root / path).exists()],
        uncompiled=_uncompiled(application),
    )


def _size(folder: Path) -> int:
    return sum(path.lstat().st_size for path in folder.rglob("*") if not path.is_dir())


def _copyleft_packages(packages: list[Path]) -> list[str]:
    found = []
    for package in packages:
        metadata = HeaderParser().parsestr((package / "METADATA").read_text("utf-8"))
        said = [metadata.get("License-Expression", ""), metadata.get("License", "")[:200]]
        said += [line for line in metadata.get_all("Classifier", []) if line.startswith("License ::")]
        text = _LESSER.sub("", " ".join(said))
        if _COPYLEFT.search(text) and not _is_a_choice(" ".join(said)):
            found.append(package.name.partition("-")[0])
    return found


def _is_a_choice(text: str) -> bool:
    """`MIT OR GPL-2.0` binds nobody."""
    return " OR " in text


def _copyleft_parts(application: Path) -> list[str]:
    libraries = (path for path in application.rglob("*.so*") if _PARTS_UNDER_GPL.match(path.name))
    return sorted(path.name for path in libraries)


def _uncompiled(application: Path) -> list[str]:
    """Our own modules without bytecode: a root that cannot be written compiles them again at every start."""
    sources = [path for name in ("functions", "handlers") for path in (application / name).rglob("*.py")]
    return [
        str(source.relative_to(application))
        for source in sources
        if not list(source.parent.glob(f"__pycache__/{source.stem}.cpython-*.pyc"))
    ]
