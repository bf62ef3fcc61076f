"""The report of a demo: one HTML file that shows what became of every file, and needs nothing else.

Everything in it came from somebody's upload. The template escapes all of it, there is no script, and the
page's own policy lets the browser load nothing but the pictures that are part of the file.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import resources
from pathlib import Path

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup, escape

from functions.cli import timeline
from functions.cli.rows import Card, FileResult, Thumbnail
from functions.cli.terminal import Problem, seconds_text, size_text
from functions.cli.timeline import Axis, JobTimes

_CARDS_IN_SIGHT = 12
_SHARP_PICTURES_UP_TO = 24  # files; with more of them the small thumbnails keep the report light
_GAP = re.compile(r"\[…\]|_{3,}|\{\{c\d+::.*?\}\}", re.DOTALL)

Download = Callable[[Thumbnail], bytes | None]


@dataclass(frozen=True)
class ReportFile:
    """One file as the template sees it. `name` is the user's own, not the object path."""

    name: str
    result: FileResult
    picture: str | None  # a data: URI
    thumbnail: Thumbnail | None
    times: list[JobTimes]

    @property
    def cards_in_sight(self) -> list[Card]:
        return self.result.cards[:_CARDS_IN_SIGHT]

    @property
    def more_cards(self) -> list[Card]:
        return self.result.cards[_CARDS_IN_SIGHT:]


def write(
    path: Path,
    named_results: Sequence[tuple[str, FileResult]],
    download: Download,
    *,
    seconds: float,
    leg: str,
) -> Path:
    """Writes the report and returns its absolute path."""
    scale = timeline.axis([result for _, result in named_results])
    sharp = len(named_results) <= _SHARP_PICTURES_UP_TO
    files = [_report_file(name, result, download, scale, sharp=sharp) for name, result in named_results]
    html = render(files, scale, seconds=seconds, leg=leg, now=datetime.now(UTC))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(html, encoding="utf-8")
    except OSError as error:
        raise Problem(
            f"cannot write the report {path}: {error.strerror}", "Choose another --report."
        ) from error
    return path.resolve()


def render(files: Sequence[ReportFile], scale: Axis, *, seconds: float, leg: str, now: datetime) -> str:
    """The whole page."""
    style = resources.files("functions.cli").joinpath("report.css").read_text("utf-8")
    template = resources.files("functions.cli").joinpath("report.html.jinja").read_text("utf-8")
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters.update(
        size=size_text,
        duration=seconds_text,
        clock=_clock,
        gaps=_gaps,
        words=lambda name: name.replace("_", " "),
    )
    return environment.from_string(template).render(
        files=files,
        ticks=scale.ticks(),
        types=list(dict.fromkeys(times.job.type for file in files for times in file.times)),
        done=sum(file.result.status.status == "done" for file in files),
        cards=sum(len(file.result.cards) for file in files),
        thumbnails=sum(len(file.result.thumbnails) for file in files),
        jobs=sum(len(file.times) for file in files),
        seconds=seconds,
        leg=leg,
        now=now,
        style=Markup(style),  # noqa: S704 - our own file
        style_hash=base64.b64encode(hashlib.sha256(style.encode()).digest()).decode(),
    )


def _report_file(
    name: str, result: FileResult, download: Download, scale: Axis, *, sharp: bool
) -> ReportFile:
    by_width = sorted(result.thumbnails, key=lambda thumbnail: thumbnail.width)
    thumbnail = (by_width[-1] if sharp else by_width[0]) if by_width else None
    data = download(thumbnail) if thumbnail else None
    picture = f"data:image/webp;base64,{base64.b64encode(data).decode()}" if data else None
    return ReportFile(name, result, picture, thumbnail, timeline.job_times(result, scale))


def _clock(seconds: float) -> str:
    """A place in a film: 1:05."""
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes}:{rest:02d}"


def _gaps(text: str) -> Markup:
    """The front of a cloze card with its gaps marked."""
    between = [escape(piece) for piece in _GAP.split(text)]
    return Markup("<mark>\N{HORIZONTAL ELLIPSIS}</mark>").join(between)
