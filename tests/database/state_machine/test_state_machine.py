"""Random work for the queue, for 45 seconds; `--state-machine-minutes 30` looks longer.

Rounds of 30 runs have a seed each. A failure shows the last calls and answers, and names the seed:
`--state-machine-seed N` plays that round alone and looks for a shorter run that fails, too. What fairness picks is the
database's choice, so a round repeats its calls, but not every answer.
"""

from __future__ import annotations

import random
import time
from collections import Counter
from pathlib import Path
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.database.state_machine.machine import QueueMachine

OBSERVE = Path(__file__).with_name("observe.sql")
SECONDS = 45.0
OFTEN = [
    f"public.{name}"
    for name in ("enqueue_jobs", "claim_jobs", "extend_leases", "resolve_jobs", "cancel_job", "retry_job")
]
ROUND = settings(
    max_examples=30,
    stateful_step_count=60,
    deadline=None,
    database=None,
    print_blob=True,
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture
def machine(connection: psycopg.Connection[Any]) -> type[QueueMachine]:
    connection.execute(OBSERVE.read_text())

    class Machine(QueueMachine):
        pass

    Machine.connection = connection
    Machine.compared = Counter()
    return Machine


def test_whatever_happens_the_queue_is_what_the_model_says(
    machine: type[QueueMachine], pytestconfig: pytest.Config
) -> None:
    chosen = pytestconfig.getoption("--state-machine-seed")
    minutes = pytestconfig.getoption("--state-machine-minutes")
    end = time.monotonic() + (SECONDS if minutes is None else minutes * 60)
    while True:
        number = random.randrange(10**9) if chosen is None else chosen
        try:
            phases = (Phase.generate,) if chosen is None else (Phase.generate, Phase.shrink)
            run_state_machine_as_test(seed(number)(machine), settings=settings(ROUND, phases=phases))
        except BaseException as error:
            error.add_note(f"to run this round again: --state-machine-seed {number}")
            raise
        if chosen is not None or time.monotonic() > end:
            break
    never = [name for name in OFTEN if not machine.compared[name]]
    assert never == [], f"nothing was compared after these calls: {machine.compared}"
