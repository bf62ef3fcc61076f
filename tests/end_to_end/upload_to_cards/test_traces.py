"""One upload, seen from outside: its trace runs through Storage, the database and the function to the collector."""

from __future__ import annotations

import json
from pathlib import Path

import httpx

from tests.end_to_end.upload_to_cards.project import Project
from tests.unit.receivers import receiver

UPLOAD = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
TICK = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def test_a_jobs_span_belongs_to_the_upload_and_is_linked_with_the_tick(project: Project) -> None:
    with receiver() as to:
        with project.function(OTEL_EXPORTER_OTLP_ENDPOINT=to.url, LOG_LEVEL="DEBUG") as function:
            httpx.post(
                f"{project.supabase.url}/storage/v1/object/ingest/acme/traced.md",
                headers={"apikey": project.supabase.secret_key, "traceparent": UPLOAD},
                content=b"# Rivers\n\nA delta is the land at the mouth of a river.\n",
                trust_env=False,
            ).raise_for_status()
            answer = httpx.post(
                function.url,
                headers={"Authorization": f"Bearer {function.runner_secret}", "traceparent": TICK},
                timeout=60,
                trust_env=False,
            )
            spans = to.spans()  # they have arrived, for the tick has been answered
        log = Path(project.supabase.log_directory) / f"function-{httpx.URL(function.url).port}.log"
        lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert answer.json()["failed"] == 0
    (root,) = spans["tick"]
    assert root.trace_id.hex() == TICK.split("-")[1]
    for name in ("job analyze_file", "job create_cards"):
        (job,) = spans[name]
        assert (job.trace_id.hex(), job.parent_span_id.hex()) == tuple(UPLOAD.split("-")[1:3])
        assert [link.span_id for link in job.links] == [root.span_id]
    done = next(line for line in lines if line["message"] == "job_done")
    labels = done["logging.googleapis.com/labels"]
    assert (labels["org_id"], labels["file_id"]) == ("acme", str(project.files()[0]["file_id"]))
    assert done["logging.googleapis.com/trace"] == TICK.split("-")[1]
