"""What doctor says when it cannot get in: wrong keys, wrong addresses, missing migrations, a dead PostgREST."""

from __future__ import annotations

import jwt

from functions.doctor.findings import Finding
from tests.end_to_end.doctor.patient import Patient


def way_in(findings: list[Finding]) -> Finding:
    """The finding about the way in; every other link of the database is one note, and Storage is still asked."""
    (found,) = [finding for finding in findings if finding.group == "reach"]
    blind = {finding.group for finding in findings if finding.check == "unknown"}
    assert blind == {"database", "access", "schedule", "worker", "storage", "queue"}
    assert any(finding.check == "Storage" for finding in findings)
    return found


def test_a_key_of_another_project_is_refused(patient: Patient) -> None:
    found = way_in(patient.findings(SUPABASE_SECRET_KEY="sb_secret_of_another_project"))
    assert (found.severity, "the key was refused" in found.what) == ("broken", True)


def test_a_legacy_key_works_and_is_told_to_end(patient: Patient) -> None:
    (found,) = patient.symptoms(SUPABASE_SECRET_KEY=patient.project.supabase.service_role_key)
    assert (found.check, found.severity) == ("secret key", "note")
    assert "Supabase ends them in 2026" in found.what


def test_the_key_of_a_signed_in_user_is_no_secret_key(patient: Patient) -> None:
    key = jwt.encode({"role": "authenticated"}, patient.project.supabase.jwt_secret, algorithm="HS256")
    findings = patient.findings(SUPABASE_SECRET_KEY=key)
    assert "may not call inspect_project" in way_in(findings).what
    (kind,) = [finding for finding in findings if finding.check == "secret key"]
    assert (kind.severity, "one of the role authenticated" in kind.what) == ("broken", True)


def test_an_address_where_nobody_answers_is_told(patient: Patient) -> None:
    found = way_in(patient.findings(SUPABASE_URL="http://127.0.0.1:1"))
    assert "http://127.0.0.1:1 cannot be reached" in found.what


def test_an_address_that_speaks_no_tls_is_told(patient: Patient) -> None:
    found = way_in(patient.findings(SUPABASE_URL=patient.project.supabase.url.replace("http:", "https:")))
    assert "TLS to https://127.0.0.1" in found.what


def test_a_server_that_is_no_supabase_is_told(patient: Patient) -> None:
    found = way_in(patient.findings(SUPABASE_URL=patient.function.url.rstrip("/")))
    assert "is no Supabase project" in found.what


def test_migrations_that_are_missing_are_told_from_a_schema_cache_that_is_stale(patient: Patient) -> None:
    """One function is missing where all others are there: the newest migrations are not applied."""
    patient.admin.execute("alter function public.inspect_project(int) rename to inspect_project_of_yore")
    try:
        newest = "the newest migrations are missing"
        patient.settled(lambda seen: any(newest in one.what for one in seen))
        found = way_in(patient.findings())
        assert newest in found.what
        assert "notify pgrst, 'reload schema';" in found.remedy
    finally:
        patient.admin.execute("alter function public.inspect_project_of_yore(int) rename to inspect_project")
        assert patient.settled(lambda found: found == []) == []


def test_a_grant_that_is_missing_names_itself(patient: Patient) -> None:
    patient.admin.execute("revoke execute on function public.inspect_project(int) from service_role")
    try:
        found = way_in(patient.findings())
        assert "may not call inspect_project" in found.what
        patient.project.database.execute(found.remedy.encode())
        assert patient.symptoms() == []
    finally:
        patient.admin.execute("grant execute on function public.inspect_project(int) to service_role")
