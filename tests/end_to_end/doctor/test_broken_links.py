"""Each link is broken in a running project: doctor finds that one and no other, and its SQL mends it."""

from __future__ import annotations

import pytest

from functions.doctor.findings import Finding
from tests.end_to_end.doctor.breaks import Break
from tests.end_to_end.doctor.database_breaks import DATABASE
from tests.end_to_end.doctor.patient import Patient, symptom
from tests.end_to_end.doctor.queue_breaks import QUEUED
from tests.end_to_end.doctor.schedule_breaks import SCHEDULED

BREAKS = DATABASE | SCHEDULED | QUEUED


def test_nothing_is_wrong_with_the_patient_but_that_its_schedule_never_came(patient: Patient) -> None:
    assert patient.healthy == {("schedule", "runs", "note")}


def mend(patient: Patient, case: Break, found: list[Finding]) -> None:
    """By what the test knows, or else by what doctor advises, typed as it stands by the project's owner."""
    if case.mend is None:
        for finding in found:
            if symptom(finding) == case.symptom:
                patient.project.database.execute(finding.remedy.encode())
        return
    by = patient.admin if case.as_admin else patient.project.database
    sql = case.mend.replace("{endpoint}", f"'{patient.function.url}'")
    by.execute(sql.replace("{secret}", f"'{patient.function.runner_secret}'").encode())


@pytest.mark.parametrize("case", BREAKS.values(), ids=list(BREAKS))
def test_a_broken_link_is_found_alone_and_its_sql_mends_it(patient: Patient, case: Break) -> None:
    by = patient.admin if case.as_admin else patient.project.database
    by.execute(case.sql.encode())
    found = patient.settled(lambda found: found != [])
    mend(patient, case, found)

    assert [symptom(finding) for finding in found] == [case.symptom], found
    assert case.words in found[0].what
    assert found[0].remedy
    assert patient.settled(lambda found: found == []) == []
    if case.restore:
        patient.admin.execute(case.restore.encode())
