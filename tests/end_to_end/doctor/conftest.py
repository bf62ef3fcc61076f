"""One patient for all of these tests, in the stack that the other end-to-end tests share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from scripts.local_supabase import LocalSupabase
from tests.end_to_end.doctor.patient import Patient, Stranger, healthy_patient, running_stranger
from tests.end_to_end.upload_to_cards.project import connected


@pytest.fixture(scope="package")
def patient(supabase: LocalSupabase) -> Iterator[Patient]:
    with connected(supabase) as project, healthy_patient(project) as patient:
        yield patient


@pytest.fixture
def stranger() -> Iterator[Stranger]:
    with running_stranger() as server:
        yield server
