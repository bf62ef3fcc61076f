"""Calls that meet on the same rows wait for each other in one order: nothing ends in a deadlock (40P01)."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg

from scripts.local_supabase.postgres import Cluster
from tests.database.file_flow import card, run_flow
from tests.database.queue import Queue, Row, at_once, result_of
from tests.database.storage import delete_many, upload


def wait_until_blocked(connection: psycopg.Connection[Any], sessions: int) -> None:
    """Until that many sessions of this database wait for a lock."""
    while True:
        row = connection.execute(
            "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'"
        ).fetchone()
        if row is not None and row[0] >= sessions:
            return


def test_a_heartbeat_in_any_order_never_deadlocks_with_an_overwrite(
    queue: Queue, cluster: Cluster, database_name: str, admin: psycopg.Connection[Any]
) -> None:
    upload(queue.connection, "acme/a.txt")
    first, second = sorted(queue.claim(), key=lambda job: job["job_id"])
    with (
        ThreadPoolExecutor(2) as pool,
        psycopg.connect(cluster.socket_dsn("postgres"), dbname=database_name, autocommit=True) as uploading,
        psycopg.connect(cluster.socket_dsn("postgres"), dbname=database_name, autocommit=True) as beating,
    ):
        with admin.transaction():
            admin.execute("select 1 from public.jobs where id = %s for update", (first["job_id"],))
            overwrite = pool.submit(upload, uploading, "acme/a.txt")
            wait_until_blocked(admin, 1)
            heartbeat = pool.submit(Queue(beating, queue.worker_id).extend, second, first)
            wait_until_blocked(admin, 2)
        overwrite.result(timeout=30)

        assert heartbeat.result(timeout=30) == ["cancelled", "cancelled"]
    assert queue.call("queue_health")["ingest_failures"] == []


def test_batches_that_share_keys_in_different_orders_do_not_deadlock(workers: list[Queue]) -> None:
    jobs = [{"payload": {"n": n}} for n in range(300)]

    def enqueue(worker: Queue) -> list[Row]:
        return worker.enqueue_many(*(jobs if worker is workers[0] else reversed(jobs)))

    for _ in range(3):
        answers = at_once(workers[:2], enqueue)
        assert [a["job_id"] for a in answers[0]] == [a["job_id"] for a in reversed(answers[1])]
        workers[0].rows("delete from public.jobs where true")


def test_deleting_many_files_while_their_jobs_resolve_does_not_deadlock(
    queue: Queue, workers: list[Queue]
) -> None:
    remover, resolver = workers[:2]
    for n in range(12):
        paths = [f"acme/{n}/{i}.txt" for i in range(8)]
        for path in paths:
            upload(queue.connection, path)
        claimed = resolver.claim(100)

        def remove_or_resolve(who: Queue, paths: list[str] = paths, claimed: list[Row] = claimed) -> Any:
            if who is remover:
                return delete_many(who.connection, list(reversed(paths)))
            return who.resolve(*(result_of(job, "retry") for job in claimed))

        at_once([remover, resolver], remove_or_resolve)

    assert queue.call("queue_health")["ingest_failures"] == []
    left = queue.rows("select distinct status from public.jobs")
    assert left == [{"status": "cancelled"}]


def test_linking_to_running_jobs_while_they_resolve_does_not_deadlock(
    queue: Queue, workers: list[Queue]
) -> None:
    linker, resolver = workers[:2]
    for n in range(25):
        flow = [{"type": "root", "ref": "root", "payload": {"n": n}}]
        middle = {"type": "middle", "ref": "middle", "payload": {"n": n}}
        queue.enqueue_many(*flow, {**middle, "after": ["root"]})
        others = [{"type": "other", "payload": {"n": n, "i": i}, "ref": str(i)} for i in range(5)]
        queue.enqueue_many(*others)
        claimed = resolver.claim(100)

        def link_or_resolve(
            who: Queue, n: int = n, others: list[Row] = others, claimed: list[Row] = claimed
        ) -> Any:
            if who is linker:
                after = [str(i) for i in range(5)]
                return who.enqueue_many(*others, {"type": "join", "after": after, "payload": {"n": n}})
            return who.resolve(*(result_of(job) for job in reversed(claimed)))

        at_once([linker, resolver], link_or_resolve)
        while jobs := queue.claim(100):
            queue.resolve(*(result_of(job) for job in jobs))

    assert queue.rows("select distinct status from public.jobs") == [{"status": "done"}]


def test_retrying_dead_letters_while_their_files_are_deleted_does_not_deadlock(
    queue: Queue, workers: list[Queue]
) -> None:
    remover, operator = workers[:2]
    for n in range(10):
        paths = [f"acme/{n}/{i}.txt" for i in range(8)]
        for path in paths:
            upload(queue.connection, path)
        queue.resolve(*(result_of(job, "failed") for job in queue.claim(100)))

        def remove_or_retry(who: Queue, paths: list[str] = paths) -> Any:
            if who is remover:
                return delete_many(who.connection, list(reversed(paths)))
            return who.call("retry_failed_jobs")

        at_once([remover, operator], remove_or_retry)

    assert queue.call("queue_health")["ingest_failures"] == []
    # A job that came back just before its file went away is refused when it ends.
    while revived := queue.claim(100):
        assert {answer["verdict"] for answer in queue.resolve(*map(result_of, revived))} == {"superseded"}


def test_batches_that_write_the_cards_of_the_same_files_do_not_deadlock(
    workers: list[Queue], admin: psycopg.Connection[Any]
) -> None:
    one, other = workers[:2]
    for path in ("acme/a.txt", "acme/b.txt"):
        upload(one.connection, path)
    run_flow(one, [card("a"), card("z")])
    files = [row["id"] for row in one.rows("select id from public.ingested_files order by id")]
    one.enqueue_many(
        *(
            {"type": "create_cards", "file_id": file, "payload": {"asked": asked}}
            for asked, file in enumerate([*files, *files])
        )
    )

    def batch(worker: Queue, *asked: int) -> list[Row]:
        claimed = {job["payload"]["asked"]: job for job in jobs}
        results = [result_of(claimed[number], output={"cards": [card("a"), card("z")]}) for number in asked]
        return worker.resolve(*results)

    jobs = one.claim()
    other.worker_id = one.worker_id
    with ThreadPoolExecutor(2) as pool:
        with admin.transaction():  # stops either batch in the midst of its first file
            admin.execute("select 1 from public.cards where card_key = 'z' for update")
            answers = [pool.submit(batch, one, 0, 3)]
            wait_until_blocked(admin, 1)
            answers.append(pool.submit(batch, other, 1, 2))
            wait_until_blocked(admin, 2)
        verdicts = [answer["verdict"] for future in answers for answer in future.result(timeout=30)]

    assert verdicts == ["ok"] * 4
