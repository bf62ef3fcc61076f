"""What a schedule costs while nothing is due: no call at all, and so many milliseconds to find that out."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

from scripts.bench.queue_client import JOB_TYPE
from scripts.bench.rows import Row, at_most, percentile
from scripts.bench.stand import Stand
from scripts.local_supabase import database
from scripts.local_supabase.errors import LocalSupabaseError

NAME = "idle"
NEXT_STEP = "see why invoke_cron_tick thinks that something is due: select public.invoke_cron_tick();"
LATER = """
insert into public.jobs (org_id, type, payload, max_attempts, idempotency_key, run_at, turn)
select 'org-' || n %% 100, %s, jsonb_build_object('n', n), 5, n::text, now() + interval '1 day', 'later'
from generate_series(1, %s::bigint) n
"""


class Listener(BaseHTTPRequestHandler):
    """A worker that only counts."""

    calls = 0

    def do_POST(self) -> None:
        type(self).calls += 1
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_request(self, *_: object) -> None:
        """Nothing on stderr."""


def idle(stand: Stand) -> list[Row]:
    """With jobs due tomorrow, which count for nothing; then one that is due, as proof that calls are counted."""
    stand.empty()
    with listening() as (listener, url), stand.connect() as connection:
        database.store_secrets(
            stand.cluster, {"job_queue_worker_endpoint": url, "job_queue_runner_secret": "measured"}
        )
        connection.execute(LATER, (JOB_TYPE, stand.sizes.jobs))
        stand.settle()
        took = []
        for number in range(stand.sizes.idle_calls):
            stand.progress.tell(f"tick {number + 1}")
            began = time.perf_counter()
            connection.execute("select public.invoke_cron_tick()")
            took.append((time.perf_counter() - began) * 1000)
        calls_while_idle = listener.calls
        connection.execute("select public.enqueue_job('org-0', %s)", (JOB_TYPE,))
        connection.execute("select public.invoke_cron_tick()")
        if listener.calls != calls_while_idle + 1:
            raise LocalSupabaseError(
                "A job was due and no call was counted: this benchmark measures nothing."
            )
    ticks = stand.sizes.idle_calls
    return [
        Row(NAME, f"calls in {ticks} ticks, nothing due", calls_while_idle, "calls", at_most(0), NEXT_STEP),
        Row(NAME, f"one check, {stand.sizes.jobs:,} jobs due tomorrow", percentile(took, 0.5), "ms"),
    ]


@contextmanager
def listening() -> Iterator[tuple[type[Listener], str]]:
    counter = type("CountingListener", (Listener,), {"calls": 0})
    server = HTTPServer(("127.0.0.1", 0), counter)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield counter, f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
