from __future__ import annotations

import base64
import hashlib
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from functions.cli import report
from functions.cli.rows import FileResult, Thumbnail
from functions.cli.terminal import Problem
from tests.unit.cli_rows import card, job, result, run

HOSTILE = "<img src=x onerror=alert(1)>.png"
PICTURE = b"RIFF....WEBP"


def page(path: Path, *named: tuple[str, FileResult]) -> str:
    written = report.write(path / "r.html", named, lambda _thumbnail: PICTURE, seconds=3.2, leg="wheel")
    return written.read_text("utf-8")


class Elements(HTMLParser):
    """Collects what a browser would make of the page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attributes)))


def test_what_came_with_a_file_stays_text(tmp_path: Path) -> None:
    hostile_card = card(front=HOSTILE, back="</style><script>1</script>", type="cloze", hint=HOSTILE)
    html = page(tmp_path, (HOSTILE, result([run(1, 2)], [hostile_card], path=HOSTILE)))
    tags = Elements(html).tags
    assert "&lt;img src=x onerror=alert(1)&gt;.png" in html
    assert not [tag for tag, _ in tags if tag in ("img", "script", "iframe", "form", "object")]
    assert not [name for _, attributes in tags for name in attributes if name.startswith("on")]


def test_the_pages_own_policy_allows_its_one_style_sheet_and_its_own_pictures_only(tmp_path: Path) -> None:
    html = page(tmp_path, ("a.pdf", result([run(1, 2)])))
    style = html.split("<style>")[1].split("</style>")[0]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', html)
    assert policy is not None
    assert policy[1].startswith("default-src 'none'; img-src data:; style-src 'sha256-")
    assert f"'sha256-{digest}'" in policy[1]
    assert " style=" not in html


def test_nothing_is_loaded_from_elsewhere(tmp_path: Path) -> None:
    thumbnail = Thumbnail(file_id=1, bucket_id="thumbnails", path="demo/1/256.webp", width=256, height=192)
    named = result([run(1, 2)])
    named.thumbnails.append(thumbnail)
    tags = Elements(page(tmp_path, ("a.pdf", named))).tags
    loads = [
        value or "" for _, attributes in tags for name, value in attributes.items() if name in ("src", "href")
    ]
    assert "data:image/webp;base64," + base64.b64encode(PICTURE).decode() in loads
    assert all(value.startswith(("data:", "#")) for value in loads)


def test_a_failed_file_shows_its_error_and_the_way_back(tmp_path: Path) -> None:
    broken = result(status="failed")
    broken.status.jobs[:] = [job(17, status="failed", attempts=1, error="the PDF is encrypted")]
    html = page(tmp_path, ("a.pdf", broken), ("b.pdf", result()))
    assert "1 of 2 files done" in html
    assert "the PDF is encrypted" in html
    assert "select public.retry_job(17);" in html


def test_cards_show_both_sides_and_where_they_come_from(tmp_path: Path) -> None:
    cards = [
        card(
            type="cloze",
            front="Ice is […] water",
            back="frozen",
            source={"page": 3, "quote": "Ice is frozen water"},
        ),
        card(source={"time_s": 65.5, "quote": "About ice"}),
    ]
    html = page(tmp_path, ("a.pdf", result([run(1, 2)], cards)))
    assert "Ice is <mark>…</mark> water" in html
    assert "page 3" in html
    assert "at 1:05" in html
    assert "Ice is frozen water" in html


def test_many_cards_are_folded_but_all_there(tmp_path: Path) -> None:
    html = page(tmp_path, ("a.pdf", result([run(1, 2)], [card(front=f"front {n}") for n in range(30)])))
    assert html.count('class="card ') == 30
    assert "18 more" in html


def test_a_report_that_cannot_be_written_is_a_problem_with_its_path(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(Problem, match="cannot write the report"):
        page(tmp_path / "file", ("a.pdf", result()))
