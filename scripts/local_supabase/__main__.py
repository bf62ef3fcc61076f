"""`python -m scripts.local_supabase up|reset`: see `--help`. The command `crontick up` runs this."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from scripts.local_supabase.leg import Leg
from scripts.local_supabase.supervisor import Options, reset, up

THIS_MACHINE = "127.0.0.1,localhost"


def keep_this_machine_off_proxies() -> None:
    """For this process and all that it starts: a proxy reaches the network, but not our 127.0.0.1."""
    known = os.environ.get("no_proxy") or os.environ.get("NO_PROXY") or ""
    if known != "*":
        os.environ["no_proxy"] = os.environ["NO_PROXY"] = ",".join(filter(None, [known, THIS_MACHINE]))


def parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m scripts.local_supabase", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    upper = commands.add_parser(
        "up", help="run in the foreground; one JSON line on stdout when everything answers"
    )
    upper.add_argument("--leg", type=Leg, choices=list(Leg), default=Leg.WHEEL)
    upper.add_argument("--tick-schedule", metavar="SCHEDULE", help='for example "2 seconds" or "* * * * *"')
    upper.add_argument("--no-function", action="store_true", help="run everything but the function")
    upper.add_argument("--follow-stdin", action="store_true", help="stop when stdin ends")
    upper.add_argument("--postgrest", metavar="PATH", help="the PostgREST program to run")
    upper.add_argument(
        "--no-fsync", action="store_true", help="for tests: data may be lost when the machine dies"
    )
    resetter = commands.add_parser("reset", help="stop what runs in the directory and delete its data")
    resetter.add_argument("--leg", type=Leg, choices=list(Leg), action="append", help="only this leg's")
    for command in (upper, resetter):
        command.add_argument("--directory", type=Path, default=Path(".local"))
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    chosen = parser().parse_args(arguments)
    keep_this_machine_off_proxies()
    if chosen.command == "reset":
        return reset(chosen.directory, chosen.leg or tuple(Leg))
    options = Options(
        leg=chosen.leg,
        directory=chosen.directory,
        tick_schedule=chosen.tick_schedule,
        function=not chosen.no_function,
        follow_stdin=chosen.follow_stdin,
        postgrest=chosen.postgrest,
        fsync=not chosen.no_fsync,
    )
    return up(options)


if __name__ == "__main__":
    sys.exit(main())
