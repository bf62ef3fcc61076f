"""What the jobs API says to requests that are wrong: the status, a code, the field, and no stack trace."""

from __future__ import annotations

import io

import pytest

from tests.unit.admin_calls import SECRET, Api, error_of

NEW = '"org_id": "acme", "type": "create_cards"'


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("limit=0", "limit"),
        ("limit=201", "limit"),
        ("limit=-1", "limit"),
        ("limit=+5", "limit"),
        ("limit=5.0", "limit"),
        ("limit=1_0", "limit"),
        ("limit=%D9%A5", "limit"),
        ("limit=", "limit"),
        ("limit=5&limit=6", "limit"),
        ("action=delete", "action"),
        ("action=by_file", "file_id"),
        ("action=by_org", "org_id"),
        ("file_id=eq.1", "file_id"),
        ("file_id=9223372036854775808", "file_id"),
        ("status=neq.done", "status"),
        ("type=not.in.(a,b)", "type"),
        ("type=create_cards%27%3B--", "type"),
        ("org_id=%00", "org_id"),
        ("org_id=" + "x" * 257, "org_id"),
        ("cursor=", "cursor"),
        ("select=*", "select"),
        ("or=(id.eq.1)", "or"),
    ],
)
def test_a_wrong_query_is_400_with_the_field(api: Api, query: str, field: str) -> None:
    assert error_of(api.get(f"/jobs?{query}")) == (400, "invalid", field)


@pytest.mark.parametrize("job_id", ["abc", "0", "-1", "01", "1e3", "%201", "9223372036854775808", "9" * 400])
def test_an_id_of_the_wrong_kind_is_400(api: Api, job_id: str) -> None:
    assert error_of(api.get(f"/jobs/{job_id}")) == (400, "invalid", "job_id")


@pytest.mark.parametrize(
    ("body", "code", "field"),
    [
        ("{", "invalid_json", None),
        ("nonsense", "invalid_json", None),
        ('{"a": 1} {"b": 2}', "invalid_json", None),
        ("\ufeff{}", "invalid_json", None),
        ('{"payload": NaN}', "invalid_json", None),
        ('{"payload": -Infinity}', "invalid_json", None),
        ("[" * 100_000, "invalid_json", None),
        ('{"payload": ' + "9" * 5_000 + "}", "invalid_json", None),
        ("[]", "invalid", None),
        ("null", "invalid", None),
        ('"text"', "invalid", None),
        ("{}", "invalid", "org_id"),
        ('{"org_id": "acme", "type": "create_cards", "type": "x"}', "invalid", "type"),
        ('{"org_id": " ", "type": "create_cards"}', "invalid", "org_id"),
        ('{"org_id": 7, "type": "create_cards"}', "invalid", "org_id"),
        ('{"org_id": "acme", "type": "Create Cards"}', "invalid", "type"),
        (f'{{{NEW}, "payload": []}}', "invalid", "payload"),
        (f'{{{NEW}, "payload": {{"a": ["\\u0000"]}}}}', "invalid", "payload.a.0"),
        (f'{{{NEW}, "payload": {{"a": "\\ud800"}}}}', "invalid", "payload.a"),
        (f'{{{NEW}, "payload": {{"a": 1e999}}}}', "invalid", "payload.a"),
        (f'{{{NEW}, "run_at": "tomorrow"}}', "invalid", "run_at"),
        (f'{{{NEW}, "priority": 1001}}', "invalid", "priority"),
        (f'{{{NEW}, "priority": "1"}}', "invalid", "priority"),
        (f'{{{NEW}, "priority": true}}', "invalid", "priority"),
        (f'{{{NEW}, "max_attempts": 0}}', "invalid", "max_attempts"),
        (f'{{{NEW}, "after": [0]}}', "invalid", "after.0"),
        (f'{{{NEW}, "dryRun": "yes"}}', "invalid", "dryRun"),
        (f'{{{NEW}, "dryRun": true, "dry_run": true}}', "invalid", "dryRun"),
        (f'{{{NEW}, "status": "done"}}', "invalid", "status"),
    ],
)
def test_a_wrong_body_is_400_with_the_field(api: Api, body: str, code: str, field: str | None) -> None:
    assert error_of(api.post("/jobs", body.encode())) == (400, code, field)


def test_a_body_that_is_not_utf_8_is_no_json(api: Api) -> None:
    assert error_of(api.post("/jobs", b'{"org_id": "\xff"}')) == (400, "invalid_json", None)
    assert error_of(api.post("/jobs", '{"org_id": "acme"}'.encode("utf-16"))) == (400, "invalid_json", None)


def test_nesting_beyond_reason_is_refused_before_the_database_sees_it(api: Api) -> None:
    deep = f'{{{NEW}, "payload": ' + '{"a":' * 70 + "1" + "}" * 71
    response = api.post("/jobs", deep.encode())
    assert response.status_code == 400
    assert "deeper" in response.text
    assert len(response.text) < 400


def test_a_body_above_1_mb_is_413(api: Api) -> None:
    assert error_of(api.post("/jobs", b" " * 1_000_001)) == (413, "too_large", None)
    assert error_of(api.post("/jobs", b" " * 1_000_000)) == (400, "invalid", "org_id")


def test_a_chunked_body_above_1_mb_is_413_too(api: Api) -> None:
    response = api.client.post(
        "/jobs",
        input_stream=io.BytesIO(b" " * 1_100_000),
        headers={"x-job-runner-secret": SECRET},
        environ_overrides={
            "wsgi.input_terminated": True,
            "HTTP_TRANSFER_ENCODING": "chunked",
            "CONTENT_LENGTH": "",
        },
    )
    assert error_of(response) == (413, "too_large", None)


def test_a_body_that_was_cut_off_is_400(api: Api) -> None:
    response = api.client.post(
        "/pause",
        input_stream=io.BytesIO(b"{}"),
        headers={"x-job-runner-secret": SECRET},
        environ_overrides={"CONTENT_LENGTH": "100"},
    )
    assert error_of(response) == (400, "invalid", None)


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("/pause", {"reason": "x" * 1001}, "reason"),
        ("/pause", {"reason": 1}, "reason"),
        ("/resume", {"force": True}, "force"),
        ("/jobs/retry-failed", {"type": "DROP TABLE"}, "type"),
        ("/jobs/cancel", {"status": "done"}, "status"),
        ("/tick", {"limit": 101}, "limit"),
        ("/tick", {"types": []}, "types"),
        ("/tick", {"types": ["../x"]}, "types.0"),
        ("/trigger/create_cards", {}, "org_id"),
        ("/trigger/create_cards", {"org_id": "a", "orgId": "a"}, "orgId"),
        ("/trigger/Create-Cards", {"org_id": "a"}, "type"),
    ],
)
def test_every_change_names_the_field_that_is_wrong(
    api: Api, path: str, body: dict[str, object], field: str
) -> None:
    assert error_of(api.post(path, body)) == (400, "invalid", field)


def test_a_name_that_the_caller_made_up_comes_back_short(api: Api) -> None:
    response = api.get("/jobs?" + "x" * 3_000 + "=1")
    assert response.status_code == 400
    assert len(response.text) < 500
