from __future__ import annotations

import io
from pathlib import Path

import httpx
import pytest
import respx
from rich.console import Console

from functions.cli import files
from functions.cli.connection import connect
from functions.cli.naming import LocalFile
from functions.cli.progress import Watch
from functions.cli.rows import FileStatus
from functions.cli.terminal import Problem, size_text
from functions.cli.uploads import Upload
from tests.unit.cli_rows import card, file_status, job

URL = "http://supabase.test"
TABLES = ("file_analyses", "thumbnails", "jobs", "job_runs")


def as_rows(*statuses: FileStatus) -> list[object]:
    return [status.model_dump(mode="json") for status in statuses]


def upload_of(status: FileStatus, tmp: str = "a.pdf") -> Upload:
    from_disk = LocalFile(source=Path(tmp), name=tmp, path=status.path, mime_type="x", size=1)
    return Upload(from_disk, status)


def test_more_rows_than_one_answer_holds_are_read_in_pages(respx_mock: respx.MockRouter) -> None:
    rows = [card(front=str(n)).model_dump(mode="json") for n in range(1500)]

    def page(request: httpx.Request) -> httpx.Response:
        start, size = int(request.url.params["offset"]), int(request.url.params["limit"])
        assert size <= 1000
        return httpx.Response(200, json=rows[start : start + size])

    respx_mock.get(f"{URL}/rest/v1/cards").mock(side_effect=page)
    for table in TABLES:
        respx_mock.get(f"{URL}/rest/v1/{table}").respond(json=[])
    with connect(URL, "sb_secret_x") as supabase:
        (found,) = files.results(supabase, [file_status()])
    assert [one.front for one in found.cards] == [str(n) for n in range(1500)]


def test_a_refused_key_is_a_problem_that_names_the_variable(respx_mock: respx.MockRouter) -> None:
    answer = {"code": "PGRST301", "message": "invalid key", "hint": None, "details": None}
    respx_mock.get(f"{URL}/rest/v1/file_status").respond(401, json=answer)
    with connect(URL, "sb_secret_x") as supabase, pytest.raises(Problem) as caught:
        files.recent(supabase, 5)
    assert "SUPABASE_SECRET_KEY" in caught.value.advice


def test_without_a_terminal_each_change_is_one_line(respx_mock: respx.MockRouter) -> None:
    running = file_status(status="processing", jobs=[job(status="processing", progress={"done": 0.4})])
    done = file_status(jobs=[job(seconds=1.25)])
    answers = [httpx.Response(200, json=as_rows(status)) for status in (running, running, done)]
    respx_mock.get(f"{URL}/rest/v1/file_status").mock(side_effect=answers)
    text = io.StringIO()
    with connect(URL, "sb_secret_x") as supabase:
        watch = Watch(supabase, Console(file=text, width=200), [upload_of(running)], pause=lambda _: None)
        (ended,) = watch.until_done(60)
    assert ended.status == "done"
    assert text.getvalue().splitlines() == [
        "a.pdf: analyze_file running 40%",
        "a.pdf: analyze_file done 1.2 s",
    ]


def test_a_file_that_was_overwritten_meanwhile_ends_the_watch_as_cancelled(
    respx_mock: respx.MockRouter,
) -> None:
    respx_mock.get(f"{URL}/rest/v1/file_status").respond(json=[])
    waiting = file_status(status="waiting", jobs=[job(status="queued")])
    with connect(URL, "sb_secret_x") as supabase:
        watch = Watch(supabase, Console(file=io.StringIO()), [upload_of(waiting)], pause=lambda _: None)
        (ended,) = watch.until_done(60)
    assert ended.status == "cancelled"
    assert "overwritten or deleted" in (ended.error or "")


def test_a_watch_ends_when_the_time_is_up(respx_mock: respx.MockRouter) -> None:
    waiting = file_status(status="waiting", jobs=[job(status="queued")])
    respx_mock.get(f"{URL}/rest/v1/file_status").respond(json=as_rows(waiting))
    with connect(URL, "sb_secret_x") as supabase:
        watch = Watch(supabase, Console(file=io.StringIO()), [upload_of(waiting)], pause=lambda _: None)
        (ended,) = watch.until_done(0)
    assert ended.status == "waiting"


@pytest.mark.parametrize(
    ("size", "text"),
    [(None, ""), (0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (1_234_567, "1.2 MB"), (999_999, "1.0 MB")],
)
def test_sizes_read_well(size: int | None, text: str) -> None:
    assert size_text(size) == text


def test_cards_come_in_their_order_without_those_that_were_taken_away(respx_mock: respx.MockRouter) -> None:
    cards = [card(front=front) for front in ("first", "second")]
    asked = respx_mock.get(f"{URL}/rest/v1/cards").respond(
        json=[one.model_dump(mode="json") for one in cards]
    )
    for table in TABLES:
        respx_mock.get(f"{URL}/rest/v1/{table}").respond(json=[])
    with connect(URL, "sb_secret_x") as supabase:
        (found,) = files.results(supabase, [file_status()])
    assert [one.front for one in found.cards] == ["first", "second"]
    query = asked.calls.last.request.url.params
    assert (query["removed_at"], query["gone_at"]) == ("is.null", "is.null")
    assert query["order"] == "file_id.asc,position.asc,id.asc"
