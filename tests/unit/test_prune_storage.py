"""Removing pictures that have outlived their file: exactly those that the job names, and nobody else's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from handlers.contract import Reject
from handlers.prune_storage import Outlived, Pruned, prune_storage
from handlers.testing import FakeContext, job_with

OBJECTS = {
    "thumbnails/acme/7/v1/256.webp": b"old",
    "thumbnails/acme/7/v2/256.webp": b"current",
    "thumbnails/globex/8/v1/256.webp": b"somebody else's",
    "ingest/acme/7/v1/256.webp": b"an upload of that name",
}


def prune(context: FakeContext, *paths: str) -> Pruned:
    job = job_with("prune_storage", Outlived(bucket="thumbnails", paths=list(paths)))
    output = prune_storage(job, context)
    assert isinstance(output, Pruned)
    return output


def test_the_named_objects_go_and_no_others(tmp_path: Path) -> None:
    context = FakeContext(tmp_path, objects=dict(OBJECTS))

    assert prune(context, "acme/7/v1/256.webp", "acme/7/v1/256.webp", "acme/6/v1/256.webp").removed == 2
    assert context.removed == ["thumbnails/acme/7/v1/256.webp", "thumbnails/acme/6/v1/256.webp"]
    assert sorted(context.objects) == sorted(OBJECTS.keys() - {"thumbnails/acme/7/v1/256.webp"})


def test_a_second_run_does_no_harm(tmp_path: Path) -> None:
    context = FakeContext(tmp_path, objects=dict(OBJECTS))

    assert prune(context, "acme/7/v1/256.webp") == prune(context, "acme/7/v1/256.webp")
    assert len(context.objects) == len(OBJECTS) - 1


@pytest.mark.parametrize(
    "path",
    [
        "globex/8/v1/256.webp",
        "acme2/8/v1/256.webp",
        "acme",
        "acme/",
        "/acme/7",
        "acme/../globex/8/v1/256.webp",
        "acme/./7",
        "acme//7",
        "../acme/7",
        "",
    ],
)
def test_what_is_not_the_organisations_own_is_refused_and_nothing_is_removed(
    tmp_path: Path, path: str
) -> None:
    context = FakeContext(tmp_path, objects=dict(OBJECTS))

    with pytest.raises(Reject, match="not all of the job's own organisation"):
        prune(context, "acme/7/v1/256.webp", path)
    assert context.removed == []


@pytest.mark.parametrize(
    "payload",
    [
        {"bucket": "ingest", "paths": ["acme/notes.txt"]},
        {"paths": ["acme/7/v1/256.webp"]},
        {"bucket": "thumbnails", "paths": []},
        {"bucket": "thumbnails", "paths": ["acme/7/v1/256.webp"] * 501},
        {"bucket": "thumbnails"},
    ],
)
def test_other_buckets_and_unbounded_work_do_not_fit_the_payload(payload: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Outlived.model_validate(payload)
