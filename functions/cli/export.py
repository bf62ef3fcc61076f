"""`crontick export`: an organisation's cards for Anki, a spreadsheet or another program."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import Progress
from rich.table import Table
from rich.text import Text

from functions.cli import connection
from functions.cli.anki import require_genanki, write_apkg
from functions.cli.card_table import as_json, write_csv
from functions.cli.connection import Connection
from functions.cli.decks import Deck, read_decks
from functions.cli.terminal import Misuse, Problem, console, counted, print_json, shown, size_text


class Format(StrEnum):
    """What the cards are written as."""

    APKG = "apkg"
    CSV = "csv"
    JSON = "json"


FormatOption = Annotated[
    Format,
    typer.Option(
        "--format",
        help="apkg: for Anki, with pictures. csv: for Anki and spreadsheets. json: all that is known.",
    ),
]
Output = Annotated[
    Path | None,
    typer.Option(
        "--output",
        "-o",
        metavar="FILE",
        help="Default: ORG.apkg or ORG.csv here; JSON goes to stdout.",
        show_default=False,
    ),
]


def export(
    org: Annotated[str, typer.Option("--org", metavar="ORG", help="Whose cards.", show_default=False)],
    file: Annotated[
        int | None,
        typer.Option("--file", metavar="ID", help="Of one file only, by its number.", show_default=False),
    ] = None,
    bucket: Annotated[str, typer.Option("--bucket", metavar="BUCKET", help="Where --path is.")] = "ingest",
    path: Annotated[
        str | None,
        typer.Option(
            "--path", metavar="PATH", help="Of one file only, by its object path.", show_default=False
        ),
    ] = None,
    format_: FormatOption = Format.APKG,
    output: Output = None,
) -> None:
    """Writes an organisation's cards into a file; imported again, it updates what is there."""
    if file is not None and path is not None:
        raise Misuse("--file and --path both name a file", "Give one of them.")
    if format_ is Format.APKG:
        require_genanki()
    target = _target(output, format_, org)
    out = console(format_ is Format.JSON)
    with connection.connect(*connection.project(connection.settings())) as supabase:
        with out.status("reading the cards"):
            decks = read_decks(supabase, org, file_id=file, bucket=bucket, path=path)
        if format_ is Format.APKG:
            decks = _with_pictures(supabase, decks, out)
    if target is None:
        print_json(as_json(org, decks))
        return
    content = _content(format_, org, decks)
    _write(target, content)
    _show(out, decks, target, len(content))
    if format_ is not Format.JSON:
        out.print(Text("In Anki: File, Import. Again later: what changed is updated.", style="dim"))


def _target(output: Path | None, format_: Format, org: str) -> Path | None:
    """Where it is written, in a folder that exists; None is stdout."""
    target = output or (None if format_ is Format.JSON else Path(f"{_file_name(org)}.{format_}"))
    if target and not target.absolute().parent.is_dir():
        raise Misuse(f"the folder of {target} does not exist", f"Make it with: mkdir -p {target.parent}")
    return target


def _show(out: Console, decks: Sequence[Deck], target: Path, size: int) -> None:
    out.print(_table(decks))
    cards = counted(sum(len(deck.cards) for deck in decks), "card")
    out.print(Text(f"{cards} written to {shown(str(target))}, {size_text(size)}"), soft_wrap=True)


def _with_pictures(supabase: Connection, decks: Sequence[Deck], out: Console) -> list[Deck]:
    """A picture that cannot be had costs the deck its picture, not its cards."""
    found: list[Deck] = []
    with Progress(console=out, transient=True) as progress:
        for deck in progress.track(decks, description="fetching pictures"):
            where = deck.thumbnail
            picture = supabase.download(where.bucket_id, where.path) if where else None
            found.append(replace(deck, picture=picture))
    return found


def _content(format_: Format, org: str, decks: Sequence[Deck]) -> bytes:
    if format_ is Format.APKG:
        return write_apkg(decks)
    if format_ is Format.CSV:
        return write_csv(decks)
    return json.dumps(as_json(org, decks), indent=2, ensure_ascii=False).encode() + b"\n"


def _write(target: Path, content: bytes) -> None:
    """All of it or nothing: an export that breaks off leaves the one before."""
    unfinished = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        unfinished.write_bytes(content)
        unfinished.replace(target)
    except OSError as error:
        unfinished.unlink(missing_ok=True)
        raise Problem(f"cannot write {target}: {error.strerror}", "Name another file with -o.") from error


def _file_name(org: str) -> str:
    return "".join(c if c.isalnum() or c in "-_." else "_" for c in org).lstrip(".-") or "cards"


def _table(decks: Sequence[Deck]) -> Table:
    table = Table(header_style="dim", border_style="dim")
    table.add_column("file", overflow="fold")
    table.add_column("deck", overflow="fold")
    table.add_column("cards", justify="right")
    table.add_column("edited", justify="right")
    for deck in decks:
        edited = sum(card.edited_at is not None for card in deck.cards)
        table.add_row(
            Text(shown(deck.file.path)), Text(shown(deck.name)), str(len(deck.cards)), str(edited or "")
        )
    return table
