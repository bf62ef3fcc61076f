"""Whatever is dropped into the bucket: each file ends with its own words, and nothing else is touched by it.

Leg wheel works off the whole corpus without text recognition, leg debian a handful of it with. `-s` shows the
table; it is written to a file in pytest's temporary folder in any case.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass

import psycopg
import pytest

from tests.end_to_end.process_tree import is_alive
from tests.end_to_end.upload_to_cards.project import Function, Project, Row
from tests.end_to_end.upload_to_cards.watched_function import Watched, watching, worker_of
from tests.fixtures.hostile_files import HOSTILE_FILES, HostileFile
from tests.fixtures.hostile_files.good_files import NOTE, jpeg

pytestmark = pytest.mark.leg_wheel  # decoders are the same on both

HANDFUL = (
    "65500-by-65500.jpg",
    "locked.pdf",
    "list-of-files.mp4",
    "billion-laughs.docx",
    "zips-in-zips.zip",
    "utf-16.txt",
    "turned.jpg",
    "nul-in-the-tags.mp3",
    "100%.md",
)
SANDBOX_MB = 512
RECOGNITION_MB = 2048
# Measured: one round of the corpus adds 8 to 26 MB, four rounds 46 and the fourth of them nothing. It is the heap
# of the threads that read large answers, fragmented; a worker that kept files or answers would add hundreds.
WORKER_MARGIN_MB = 48
MOST_KEEPERS = 4  # TICK_CONCURRENCY
TICKS = 30
OTHERS = {"first.md": NOTE.encode(), "second.jpg": jpeg()}
RESULTS = """
select f.path, s.status, f.size,
  (select string_agg(distinct j.public_error, ' | ') from public.jobs j
    where j.file_id = f.id and j.status = 'failed') as reason,
  a.mime_type, a.mime_mismatch, a.notes,
  (select max(r.duration_ms) / 1000.0 from public.job_runs r join public.jobs j on j.id = r.job_id
    where j.file_id = f.id) as seconds
from public.file_status s
join public.ingested_files f on f.id = s.file_id
left join public.file_analyses a on a.file_id = f.id
where s.org_id = 'acme'
"""


@dataclass(frozen=True)
class Run:
    """What is left when all was worked off."""

    corpus: tuple[HostileFile, ...]
    most_mb: float  # that any decoder may have
    results: dict[str, Row]  # by the file's name
    neighbours: list[Row]  # their jobs
    tried_again: list[Row]
    watched: Watched
    worker_mb: tuple[float, float]  # before and after

    def said(self, name: str) -> str:
        row = self.results[name]
        if row["status"] != "done":
            return row["reason"] or "no reason"
        told = ["the claim differs"] if row["mime_mismatch"] else []
        return "; ".join([row["mime_type"], *told, *(row["notes"] or [])])

    def table(self) -> str:
        lines = [f"{'file':40} {'bytes':>9} {'ended':10} {'s':>6}  what was said"]
        for file in self.corpus:
            row = self.results[file.name]
            name = file.name.encode("ascii", "backslashreplace").decode().replace("\n", "\\n")[:40]
            seconds = float(row["seconds"] or 0)
            lines.append(
                f"{name:40} {row['size'] or 0:9} {row['status']:10} {seconds:6.2f}  {self.said(file.name)[:110]}"
            )
        peak = max(self.watched.decoders.values(), default=0.0)
        before, after = self.worker_mb
        lines.append(f"worker {before:.0f} MB before, {after:.0f} MB after; largest decoder {peak:.0f} MB")
        return "\n".join(lines) + "\n"


@pytest.fixture(scope="module")
def run(leg: str, running_project: Project, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    project = running_project
    project.clear()
    temporary = tmp_path_factory.mktemp("t")
    is_whole = leg == "wheel"
    corpus = tuple(file for file in HOSTILE_FILES if is_whole or file.name in HANDFUL)
    # Less time than a deployment gives, so that a file which takes all of it does not take the test's.
    with project.function(
        IMAGE_SECONDS="8",
        PDF_SECONDS="8",
        VIDEO_SECONDS="8",
        SANDBOX_MEMORY_MB=str(SANDBOX_MB),
        OCR_MEMORY_MB=str(RECOGNITION_MB),
        MAX_OCR_PAGES="0" if is_whole else "20",
        TMPDIR=str(temporary),
    ) as function:
        work_off_ordinary_files(project, function)
        watched = Watched(worker_of(function), temporary)
        before = watched.memory()
        upload_all(project, corpus)
        with watching(watched):
            work_off(function)
        found = Run(
            corpus=corpus,
            most_mb=SANDBOX_MB if is_whole else RECOGNITION_MB,
            results={row["path"].removeprefix("acme/"): row for row in project.rows(RESULTS)},
            neighbours=project.rows("select * from public.jobs where org_id = 'quiet' order by id"),
            tried_again=project.rows(
                "select f.path, j.type, j.status, j.attempts, j.crashes, j.last_error from public.jobs j "
                "join public.ingested_files f on f.id = j.file_id "
                "where (j.attempts > 1 or j.crashes > 0 or j.status in ('queued', 'processing')) "
                "and f.superseded_at is null and f.deleted_at is null"
            ),
            watched=watched,
            worker_mb=(before, watched.memory()),
        )
        table = found.table()
        (tmp_path_factory.mktemp("artefact") / "hostile-files.txt").write_text(table)
        sys.stdout.write(f"\n{table}")
        yield found


def work_off_ordinary_files(project: Project, function: Function) -> None:
    """So that what every worker loads once, and room for the largest texts, are not taken for a leak."""
    for name, content in OTHERS.items():
        project.upload(f"warm/{name}", content)
    for number in range(MOST_KEEPERS):
        project.upload(f"warm/long-{number}.txt", f"{number} rivers ".encode() * 400_000)
    work_off(function)


def upload_all(project: Project, corpus: tuple[HostileFile, ...]) -> None:
    """The corpus of one organisation, with two ordinary files of another in between."""
    others = iter(OTHERS.items())
    for number, file in enumerate(corpus):
        if number in (len(corpus) // 3, 2 * len(corpus) // 3):
            name, content = next(others)
            project.upload(f"quiet/{name}", content)
        if file.renamed:
            store_as_if_allowed(project, number, file)
        else:
            project.upload(f"acme/{file.name}", file.make(), file.claims)


def store_as_if_allowed(project: Project, number: int, file: HostileFile) -> None:
    """An object of a time, or by a way, at which Storage did not look at names: the bytes go by their version."""
    aside = f"acme/aside-{number}"
    project.client.storage.from_("thumbnails").upload(aside, file.make(), {"upsert": "true"})
    with psycopg.connect(project.supabase.admin_database_url, autocommit=True) as database:
        database.execute(
            "insert into storage.objects (bucket_id, name, owner, metadata, version) "
            "select 'ingest', %s, o.owner, o.metadata, o.version from storage.objects o "
            "where o.bucket_id = 'thumbnails' and o.name = %s",
            (f"acme/{file.name}", aside),
        )


def work_off(function: Function) -> None:
    for _ in range(TICKS):
        answer = function.tick(limit=100)
        assert answer.status_code == 200, answer.text
        if not answer.json()["processed"]:
            return
    raise AssertionError(f"there is still work after {TICKS} ticks")


def test_every_hostile_file_ends_with_words_that_name_the_problem(run: Run) -> None:
    wrong = [
        f"{file.name}: {run.results[file.name]['status']}, {run.said(file.name)}; "
        f"expected {file.ends}, {file.says}"
        for file in run.corpus
        if run.results[file.name]["status"] != file.ends
        or not re.search(file.says, run.said(file.name), re.IGNORECASE)
    ]
    assert wrong == [], "\n".join(wrong)


def test_no_hostile_file_takes_longer_than_it_may(run: Run) -> None:
    slow = {
        file.name: run.results[file.name]["seconds"]
        for file in run.corpus
        if float(run.results[file.name]["seconds"] or 0) > file.seconds
    }
    assert slow == {}


def test_every_job_ends_at_its_first_attempt(run: Run) -> None:
    assert run.tried_again == []


def test_the_files_of_another_organisation_are_done_as_if_they_were_alone(run: Run) -> None:
    assert [(job["status"], job["attempts"], job["crashes"]) for job in run.neighbours] == [
        ("done", 1, 0)
    ] * 6


def test_no_decoder_takes_more_memory_than_it_may(run: Run) -> None:
    assert len(run.watched.decoders) > len(run.corpus) / 4, "decoders were seen"
    assert max(run.watched.decoders.values()) < run.most_mb


def test_the_worker_lives_and_is_no_larger_than_before(run: Run) -> None:
    before, after = run.worker_mb
    assert run.watched.is_alive()
    assert after - before < WORKER_MARGIN_MB


def test_no_decoder_and_no_copy_of_a_file_is_left(run: Run) -> None:
    keepers = run.watched.keepers()
    assert run.watched.running_decoders() == []
    assert len(keepers) <= MOST_KEEPERS
    assert all(is_alive(keeper) for keeper in keepers)
    assert len(run.watched.folders()) <= len(keepers) < run.watched.most_folders
