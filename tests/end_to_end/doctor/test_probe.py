"""The probe: a scratch file travels the whole way, and nothing of it stays."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from functions.doctor.findings import Finding
from functions.doctor.look import look
from functions.doctor.probe import Probe
from functions.supabase_client import SupabaseClient
from tests.end_to_end.doctor.patient import Patient

TRACES = {
    "files": "select count(*) as n from public.ingested_files where org_id = 'crontick-doctor'",
    "jobs": "select count(*) as n from public.jobs where org_id = 'crontick-doctor'",
    "objects": "select count(*) as n from storage.objects where name like '%%crontick-doctor%%'",
    "results": "select count(*) as n from public.content_results where org_id = 'crontick-doctor'",
    "failures": "select count(*) as n from public.ingest_failures where path like 'crontick-doctor/%%'",
}


def probed(patient: Patient, wait_seconds: float = 0) -> list[Finding]:
    seen = look(patient.settings())
    with SupabaseClient(seen.url, seen.key) as client:
        return Probe(seen, client, wait_seconds).findings()


def traces(patient: Patient) -> dict[str, int]:
    return {name: patient.project.rows(query.replace("%%", "%"))[0]["n"] for name, query in TRACES.items()}


@contextmanager
def ticking(patient: Patient) -> Iterator[None]:
    """Somebody calls the worker, as pg_cron would."""
    stop = threading.Event()

    def tick() -> None:
        while not stop.wait(0.2):
            patient.function.tick()

    thread = threading.Thread(target=tick)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def test_a_probe_sees_its_jobs_and_leaves_nothing(patient: Patient) -> None:
    (found,) = probed(patient)
    assert (found.group, found.severity) == ("probe", "ok")
    assert found.what == "an upload to ingest makes analyze_file, create_cards, create_thumbnail"
    assert set(traces(patient).values()) == {0}


def test_a_probe_can_wait_until_its_jobs_are_worked_off(patient: Patient) -> None:
    with ticking(patient):
        seen, worked = probed(patient, wait_seconds=60)
    assert (seen.severity, worked.severity) == ("ok", "ok"), worked
    assert "were worked off in" in worked.what
    assert set(traces(patient).values()) == {0}


def test_a_probe_that_nobody_works_off_says_where_its_jobs_stand(patient: Patient) -> None:
    _, waited = probed(patient, wait_seconds=0.1)
    assert waited.severity == "broken"
    assert "analyze_file queued" in waited.what
    assert set(traces(patient).values()) == {0}


@pytest.mark.parametrize(
    ("sql", "mend", "words"),
    [
        (
            "drop trigger crontick_ingest_stored on storage.objects",
            "create trigger crontick_ingest_stored after insert or update on storage.objects for each row "
            "when (new.version is distinct from '1') execute function public.ingest_stored_object()",
            "no row of ingested_files was made",
        ),
        (
            """update public.ingest_routes set flow = '[{"type": "Not a type"}]' where name = 'uploads'""",
            """update public.ingest_routes set flow = '[{"ref": "analysis", "type": "analyze_file"},
            {"type": "create_thumbnail"}, {"type": "create_cards", "after": ["analysis"]}]' where name = 'uploads'""",
            "no job was made",
        ),
        (
            "create function public.refuse() returns trigger language plpgsql as "
            "$$ begin raise exception 'not here'; end $$; "
            "create trigger refuse before insert on storage.objects for each row execute function public.refuse()",
            "drop trigger refuse on storage.objects; drop function public.refuse()",
            "Storage refuses ingest/crontick-doctor/",
        ),
    ],
)
def test_a_probe_says_how_far_it_came(patient: Patient, sql: str, mend: str, words: str) -> None:
    patient.admin.execute(sql.encode())
    try:
        found = probed(patient)[0]
    finally:
        patient.admin.execute(mend.encode())
    assert found.severity == "broken"
    assert words in found.what
    assert set(traces(patient).values()) == {0}


def test_without_a_route_for_it_nothing_is_uploaded(patient: Patient) -> None:
    patient.project.rows("update public.ingest_routes set path_pattern = 'acme/%'")
    try:
        (found,) = probed(patient)
    finally:
        patient.project.rows("update public.ingest_routes set path_pattern = '%'")
    assert (found.severity, "nothing was uploaded" in found.what) == ("note", True)


def test_only_probes_can_be_forgotten(patient: Patient) -> None:
    with pytest.raises(Exception, match="is no probe of doctor's"):
        patient.project.rpc("forget_probe", path="acme/slides.pdf")
