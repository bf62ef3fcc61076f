"""What processing files costs and how many an hour there is room for: the arithmetic of docs/scaling.md.

    python -m scripts.cost                            the table of the page
    python -m scripts.cost --seconds 3 --megabytes 8 --input-tokens 6000 --output-tokens 800

Prices in US dollars as published in November 2026, without any free tier: Cloud Run (request-based billing, tier 1
regions: cloud.google.com/run/pricing), Supabase's egress above what a plan includes (supabase.com/pricing) and, as an
example of a small model, gpt-4.1-mini. Put in your own.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass, replace

VCPU_SECOND = 0.000024
GIB_SECOND = 0.0000025
REQUEST = 0.40 / 1_000_000
EGRESS_GB = 0.09
INPUT_TOKEN = 0.40 / 1_000_000
OUTPUT_TOKEN = 1.60 / 1_000_000
DOWNLOADS = 2  # analyze_file and create_thumbnail each read the file


@dataclass(frozen=True)
class Work:
    """One kind of file. `seconds`: of an instance that works on a batch, all of the file's jobs together."""

    name: str
    seconds: float
    megabytes: float
    input_tokens: int = 0
    output_tokens: int = 0


@dataclass(frozen=True)
class Deployment:
    """What a tick gets. `slots` calls at the same time, each `budget_seconds` of every `period_seconds`."""

    vcpus: float = 2
    memory_gib: float = 2
    slots: int = 1
    budget_seconds: float = 45
    period_seconds: float = 60


@dataclass(frozen=True)
class Cost:
    """Dollars."""

    compute: float
    requests: float
    egress: float
    ai: float

    @property
    def total(self) -> float:
        return self.compute + self.requests + self.egress + self.ai


WORKS = (
    Work("a text or Markdown file", 0.4, 0.01),
    Work("a PDF of text, 10 pages", 0.5, 1),
    Work("a photo, no text recognition", 0.6, 4),
    Work("a photo, with text recognition", 3.0, 4),
    Work("a video of 50 MB", 1.5, 50),
    Work("a PDF, read by a small model", 6.0, 1, 8_000, 1_500),
)


def cost_of(work: Work, deployment: Deployment, files: int = 1000) -> Cost:
    """Downloads are billed as Supabase's egress; calls are those of a queue that always fills a tick."""
    seconds = work.seconds * files
    instance_second = deployment.vcpus * VCPU_SECOND + deployment.memory_gib * GIB_SECOND
    return Cost(
        compute=seconds * instance_second,
        requests=seconds / deployment.budget_seconds * REQUEST,
        egress=files * DOWNLOADS * work.megabytes / 1000 * EGRESS_GB,
        ai=files * (work.input_tokens * INPUT_TOKEN + work.output_tokens * OUTPUT_TOKEN),
    )


def files_an_hour(work: Work, deployment: Deployment) -> int:
    share_of_the_time = deployment.budget_seconds / deployment.period_seconds
    return int(3600 * share_of_the_time * deployment.slots / work.seconds)


def table(works: tuple[Work, ...], deployment: Deployment, files: int) -> str:
    """Dollars for so many files, and files an hour, as the Markdown of the page."""
    lines = [
        f"| {files:,} files, each | seconds | compute | egress | model | together | files an hour |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for work in works:
        cost = cost_of(work, deployment, files)
        money = " | ".join(f"${part:.2f}" for part in (cost.compute, cost.egress, cost.ai, cost.total))
        lines.append(f"| {work.name} | {work.seconds:g} | {money} | {files_an_hour(work, deployment):,} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m scripts.cost", description="What processing files costs."
    )
    parser.add_argument("--files", type=int, default=1000)
    for name, kind in (
        ("seconds", float),
        ("megabytes", float),
        ("input_tokens", int),
        ("output_tokens", int),
    ):
        parser.add_argument(f"--{name.replace('_', '-')}", type=kind, help="of one file")
    for name in ("vcpus", "memory_gib"):
        parser.add_argument(f"--{name.replace('_', '-')}", type=float, default=getattr(Deployment, name))
    parser.add_argument("--slots", type=int, default=Deployment.slots)
    chosen = vars(parser.parse_args())
    deployment = Deployment(chosen["vcpus"], chosen["memory_gib"], chosen["slots"])
    of_one_file = {
        name: chosen[name]
        for name in ("seconds", "megabytes", "input_tokens", "output_tokens")
        if chosen[name]
    }
    works = (replace(Work("yours", 1.0, 1.0), **of_one_file),) if of_one_file else WORKS
    print(table(works, deployment, chosen["files"]))


if __name__ == "__main__":
    main()
