"""Options that several commands share, so that they are spelled and explained alike."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from functions.cli.local import REPOSITORY, Leg

LOCAL_DIRECTORY = REPOSITORY / ".local"

Json = Annotated[
    bool, typer.Option("--json", metavar="", help="Print JSON on stdout, and nothing else there.")
]
LegOption = Annotated[
    Leg, typer.Option("--leg", help="wheel: PostgreSQL 18, real http. debian: PostgreSQL 15, real pg_cron.")
]
Schedule = Annotated[
    str | None,
    typer.Option(
        "--schedule",
        metavar="SCHEDULE",
        help="How often cron calls the function. Default: '2 seconds', on leg debian '* * * * *'.",
        show_default=False,
    ),
]
Directory = Annotated[
    Path,
    typer.Option(
        "--directory",
        metavar="FOLDER",
        help="Where the local Supabase keeps its data.",
        show_default=".local",
    ),
]
Org = Annotated[
    str, typer.Option("--org", metavar="ORG", help="Organisation: the first folder of the object path.")
]
Bucket = Annotated[str, typer.Option("--bucket", metavar="BUCKET", help="Bucket to upload into.")]
