"""Shows the rows: a table at the terminal, JSON, and the files below `--out`."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from scripts.bench.rows import Row


def number(value: float) -> str:
    """Three digits that count: 0.834, 12.3, 18,400."""
    size = abs(value)
    if size >= 1000:
        return f"{float(f'{value:.3g}'):,.0f}"
    if size >= 100 or value == int(value):
        return f"{value:.0f}"
    return f"{value:.1f}" if size >= 10 else f"{value:.2f}"


def figure(row: Row) -> str:
    return f"{number(row.value)} {row.unit}"


def bar_of(row: Row) -> str:
    return "" if row.bar is None else f"{row.bar} {row.unit}"


def verdict_of(row: Row) -> str:
    if row.bar is None:
        return ""
    return "missed" if row.is_missed else "reached"


def machine_line(machine: Mapping[str, str]) -> str:
    return (
        f"{machine['cores']} cores ({machine['processor']}), {machine['memory']}, "
        f"PostgreSQL {machine['PostgreSQL']}, Python {machine['Python']}"
    )


def show(console: Console, rows: Sequence[Row], machine: Mapping[str, str], written: Sequence[Path]) -> None:
    table = Table(caption=machine_line(machine), caption_justify="left")
    table.add_column("benchmark", style="bold")
    table.add_column("what", overflow="fold")
    table.add_column("measured", justify="right", no_wrap=True)
    table.add_column("bar", justify="right", no_wrap=True)
    table.add_column("", no_wrap=True)
    previous = ""
    for row in (row for row in rows if row.in_table):
        if previous and row.benchmark != previous:
            table.add_section()
        style = "red" if row.is_missed else "green"
        name = row.benchmark if row.benchmark != previous else ""
        table.add_row(name, row.what, figure(row), bar_of(row), Text(verdict_of(row), style=style))
        previous = row.benchmark
    console.print(table)
    for line in closing_lines(rows, written):
        console.print(line, highlight=False, markup=False)


def closing_lines(rows: Sequence[Row], written: Sequence[Path]) -> list[str]:
    """How many bars were reached, and for each one missed, what to do next."""
    barred = [row for row in rows if row.bar is not None]
    missed = [row for row in barred if row.is_missed]
    lines = [f"{len(barred) - len(missed)} of {len(barred)} bars reached."] if barred else []
    lines += [f"Missed: {row.benchmark}, {row.what}. Next: {row.next_step}" for row in missed]
    if written:
        lines.append("Written: " + ", ".join(str(path) for path in written))
    return lines


def as_json(rows: Sequence[Row], machine: Mapping[str, str]) -> str:
    document: dict[str, Any] = {"machine": dict(machine), "rows": [row.to_json() for row in rows]}
    return json.dumps(document, indent=2, ensure_ascii=False)


def as_markdown(rows: Sequence[Row], machine: Mapping[str, str]) -> str:
    lines = [
        machine_line(machine),
        "",
        "| benchmark | what | measured | bar | |",
        "| --- | --- | ---: | ---: | --- |",
    ]
    for row in (row for row in rows if row.in_table):
        cells = (row.benchmark, row.what, figure(row), bar_of(row), verdict_of(row))
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines) + "\n"


def write_files(out: Path, rows: Sequence[Row], machine: Mapping[str, str]) -> list[Path]:
    out.mkdir(parents=True, exist_ok=True)
    files = {"results.json": as_json(rows, machine) + "\n", "results.md": as_markdown(rows, machine)}
    for name, text in files.items():
        (out / name).write_text(text, "utf-8")
    return [out / name for name in files]
