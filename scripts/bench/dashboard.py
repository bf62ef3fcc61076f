"""Fifty people look at the dashboard while a backlog is worked off: what a page takes, and what they cost the queue."""

from __future__ import annotations

import json
import signal
import statistics
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from scripts.bench.race import OUR_CLIENT, REPOSITORY, answer, end, race, tell
from scripts.bench.rounds import take_turns
from scripts.bench.rows import Row, at_least, at_most, median_ratio, percentile
from scripts.bench.stand import Stand
from scripts.local_supabase import function_process
from scripts.local_supabase.errors import LocalSupabaseError
from scripts.local_supabase.function_process import Target
from scripts.local_supabase.gateway_thread import running_gateway
from scripts.local_supabase.ports import free_port
from scripts.local_supabase.sign_in import SignIn
from scripts.local_supabase.state import LegFolder

NAME = "dashboard"
READERS = 50
CLIENTS = 2
BATCH = 100
ORGANISATIONS = 100
PAGE_BAR = 1.0
THROUGHPUT_BAR = 0.9
SLOW_PAGE = (
    "look at the plans inside queue_overview and list_jobs (auto_explain), and at what functions/admin adds"
)
DEAR_READERS = "see which calls reach the database: the overview is to be asked for once, however many look"


@dataclass
class Times:
    """Seconds of all requests of all rounds, by what was asked for."""

    overview: list[float] = field(default_factory=list)
    lists: list[float] = field(default_factory=list)


def dashboard(stand: Stand) -> list[Row]:
    """A backlog five times the usual one, emptied by two clients with and without readers, in turns."""
    times = Times()
    with running_admin(stand) as url:
        contestants = {
            "without readers": partial(emptied, stand),
            f"with {READERS} readers": partial(emptied_while_read, stand, url, times),
        }
        figures = take_turns(contestants, stand.sizes.repetitions, stand.progress)
    alone, watched = figures.values()
    return [
        *rows_of("overview", times.overview),
        *rows_of("list of jobs", times.lists),
        *(Row(NAME, name, statistics.median(of), "jobs/s") for name, of in figures.items()),
        Row(
            NAME,
            f"throughput with {READERS} readers / without",
            median_ratio(watched, alone),
            "x",
            at_least(THROUGHPUT_BAR),
            DEAR_READERS,
        ),
    ]


def rows_of(page: str, seconds: list[float]) -> list[Row]:
    return [
        Row(NAME, f"{page}, median", percentile(seconds, 0.5), "s"),
        Row(NAME, f"{page}, 95 of 100 within", percentile(seconds, 0.95), "s", at_most(PAGE_BAR), SLOW_PAGE),
        Row(NAME, f"{page}, slowest of {len(seconds):,}", max(seconds), "s"),
    ]


def backlog_of(stand: Stand) -> int:
    return 5 * stand.sizes.jobs


def emptied(stand: Stand) -> float:
    stand.empty()
    stand.fill(backlog_of(stand), organisations=ORGANISATIONS, of_ten=0)
    return race(OUR_CLIENT, stand.client_options("rest", BATCH), CLIENTS, backlog_of(stand))


def emptied_while_read(stand: Stand, url: str, times: Times) -> float:
    stand.empty()
    stand.fill(backlog_of(stand), organisations=ORGANISATIONS, of_ten=0)
    with reading(url, stand.keys.runner_secret, times):
        return race(OUR_CLIENT, stand.client_options("rest", BATCH), CLIENTS, backlog_of(stand))


@contextmanager
def reading(url: str, secret: str, times: Times) -> Iterator[None]:
    """Readers in a process of their own, so that they and the gateway do not wait for each other."""
    readers = subprocess.Popen(
        (sys.executable, "-m", "scripts.bench.readers"),
        cwd=REPOSITORY,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        tell(readers, json.dumps({"url": url, "secret": secret, "readers": READERS}))
        answer(readers)
        tell(readers, "go")
        yield
        tell(readers, "stop")
        told = json.loads(answer(readers))
    finally:
        end(readers)
    if told["failure"]:
        raise LocalSupabaseError(f"a reader was refused, so this is no result: {told['failure']}")
    times.overview += told["seconds"]["overview"]
    times.lists += told["seconds"]["list"]


@contextmanager
def running_admin(stand: Stand) -> Iterator[str]:
    """The jobs API as deployed, before the stand's PostgREST; the local gateway's work counts against us."""
    folder = LegFolder((stand.options.out / "postgres").resolve(), stand.options.leg)
    port = free_port()
    url = function_process.function_url(port).rstrip("/")
    sign_in = SignIn(site_url=url)
    with running_gateway(stand.cluster, stand.keys, stand.rest_url, folder, sign_in) as supabase_url:
        settings = {
            "SUPABASE_URL": supabase_url,
            "SUPABASE_SECRET_KEY": stand.keys.secret_key,
            "JOB_QUEUE_RUNNER_SECRET": stand.keys.runner_secret,
        }
        log = Path(folder.logs) / "jobs_admin.log"
        child = function_process.start(settings, port, log, target=Target.ADMIN)
        try:
            yield url
        finally:
            child.stop(signal.SIGTERM, 12.0, signal.SIGKILL)
