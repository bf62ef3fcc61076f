"""`python -m scripts.bench [names…]`: see `--help`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import psycopg
from rich.console import Console

from scripts.bench import plots, report
from scripts.bench.backlog import backlog
from scripts.bench.dashboard import dashboard
from scripts.bench.direct import direct
from scripts.bench.enqueue import enqueue
from scripts.bench.fair import fair
from scripts.bench.idle import idle
from scripts.bench.imports import imports
from scripts.bench.memory import memory
from scripts.bench.options import FULL, QUICK, Options
from scripts.bench.progress import Progress
from scripts.bench.rows import Row
from scripts.bench.snapshot import snapshot
from scripts.bench.stand import Stand, default_leg, running_stand
from scripts.bench.throughput import throughput
from scripts.bench.thumbnails import thumbnails
from scripts.bench.wal import wal
from scripts.local_supabase.__main__ import keep_this_machine_off_proxies
from scripts.local_supabase.errors import LocalSupabaseError
from scripts.local_supabase.leg import Leg

BENCHMARKS: Mapping[str, Callable[[Stand], list[Row]]] = {
    "throughput": throughput,
    "direct": direct,
    "backlog": backlog,
    "fair": fair,
    "wal": wal,
    "idle": idle,
    "enqueue": enqueue,
    "dashboard": dashboard,
    "snapshot": snapshot,
    "thumbnails": thumbnails,
    "memory": memory,
    "imports": imports,
}
OUT = Path(__file__).resolve().parents[2] / ".local" / "bench"


def parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m scripts.bench",
        description="Measures the queue on this machine. Without names: everything, which takes about half an hour.",
        epilog="benchmarks: " + ", ".join(BENCHMARKS),
    )
    parser.add_argument("names", nargs="*", metavar="name", help="which benchmarks to run")
    parser.add_argument("--quick", action="store_true", help="small sizes, one round: for trying out")
    parser.add_argument(
        "--json", action="store_true", help="print the results as JSON, and nothing else, on stdout"
    )
    parser.add_argument("--out", type=Path, default=OUT, metavar="DIR", help="where the results are written")
    parser.add_argument(
        "--leg", type=Leg, choices=list(Leg), help="which Postgres; default: debian where installed"
    )
    parser.add_argument("--without-rivals", action="store_true", help="leave out PgQueuer and Procrastinate")
    parser.add_argument(
        "--held-seconds", type=float, metavar="S", help="how long `snapshot` holds one (600; --quick: 30)"
    )
    return parser


def options_of(arguments: Sequence[str] | None) -> Options:
    accepted = parser()
    chosen = accepted.parse_args(arguments)
    unknown = [name for name in chosen.names if name not in BENCHMARKS]
    if unknown:
        accepted.error(f"there is no benchmark {unknown[0]!r}: choose from {', '.join(BENCHMARKS)}")
    sizes = QUICK if chosen.quick else FULL
    if chosen.held_seconds is not None:
        sizes = replace(sizes, snapshot_seconds=chosen.held_seconds)
    return Options(
        names=tuple(chosen.names or BENCHMARKS),
        leg=chosen.leg or default_leg(),
        out=chosen.out,
        sizes=sizes,
        rivals=not chosen.without_rivals,
        json=chosen.json,
    )


def measure(options: Options, progress: Progress) -> tuple[list[Row], dict[str, str]]:
    with running_stand(options, progress) as stand:
        machine = stand.machine()
        rows: list[Row] = []
        for name in options.names:
            progress.start(name)
            rows += BENCHMARKS[name](stand)
            # Each time: an hour's figures are not lost to the benchmark that comes last.
            report.write_files(options.out, rows, machine)
    return rows, machine


def main(arguments: Sequence[str] | None = None) -> int:
    options = options_of(arguments)
    keep_this_machine_off_proxies()
    progress = Progress()
    try:
        rows, machine = measure(options, progress)
    except (LocalSupabaseError, psycopg.Error, OSError) as error:
        progress.stop()
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        progress.stop()
        print(f"Stopped. What was measured before is in {options.out}.", file=sys.stderr)
        return 130
    finally:
        progress.stop()
    written = report.write_files(options.out, rows, machine)
    if plots.can_plot():
        written += plots.draw(options.out, rows)
    else:
        print("No plots: matplotlib is missing. `uv sync --group bench` installs it.", file=sys.stderr)
    if options.json:
        print(report.as_json(rows, machine))
    else:
        report.show(Console(), rows, machine, written)
    return 0


if __name__ == "__main__":
    sys.exit(main())
