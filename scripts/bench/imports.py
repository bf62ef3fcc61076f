"""What a cold start imports: the function as functions-framework loads it, against a bare `import supabase`."""

from __future__ import annotations

import statistics
import subprocess
import sys
from collections.abc import Callable
from functools import partial

from scripts.bench.race import REPOSITORY
from scripts.bench.rounds import take_turns
from scripts.bench.rows import Row, at_most, median_ratio
from scripts.bench.stand import Stand
from scripts.local_supabase.errors import LocalSupabaseError

NAME = "imports"
BAR = 1.2
NEXT_STEP = "python -X importtime -c 'import functions.main' shows what costs: import it where it is used"
CLOCK = "import time; began = time.perf_counter(); {work}; print(time.perf_counter() - began)"
FUNCTION = "the function as deployed"
MODULE = "functions.main alone"
SUPABASE = "import supabase"
WORK = {
    FUNCTION: "import functions_framework as f; f.create_app(target='cron_tick', source='functions/main.py')",
    MODULE: "import functions.main",
    SUPABASE: "import supabase",
}


def imports(stand: Stand) -> list[Row]:
    """Seconds in fresh processes that take turns, the interpreter's own start left out, bytecode compiled before."""
    for work in WORK.values():
        seconds(work)
    contestants: dict[str, Callable[[], float]] = {
        name: partial(seconds, work) for name, work in WORK.items()
    }
    figures = take_turns(contestants, stand.sizes.imports, stand.progress)
    rows = [Row(NAME, name, statistics.median(of) * 1000, "ms") for name, of in figures.items()]
    for name, bar in ((FUNCTION, at_most(BAR)), (MODULE, None)):
        ratio = median_ratio(figures[name], figures[SUPABASE])
        rows.append(Row(NAME, f"{name} / {SUPABASE}", ratio, "x", bar, NEXT_STEP if bar else ""))
    return rows


def seconds(work: str) -> float:
    command = [sys.executable, "-c", CLOCK.format(work=work)]
    finished = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    if finished.returncode != 0:
        raise LocalSupabaseError(f"{work} failed:\n{finished.stderr.strip()}")
    return float(finished.stdout)
