"""What is deployed and where: the command line, checked, and the names that follow from it."""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from scripts.deploy.errors import DeployError

Kind = Literal["cloud-run", "cloud-functions"]
EXTRAS = ("video", "ocr", "anthropic", "anki", "sentry", "otel")
PRODUCTION = "production"
# Google's shortest limit, that of a service account's name, with room for the longest name we derive.
LONGEST_SERVICE = 30 - len("-admin")
_NAME = re.compile(r"[a-z]([-a-z0-9]*[a-z0-9])?")
_PROJECT = re.compile(r"[a-z][-a-z0-9]{4,28}[a-z0-9]")
_MEMORY = re.compile(r"[1-9][0-9]*(Mi|Gi)")


@dataclass(frozen=True)
class Options:
    """Times in seconds. `project` and `region` are None when gcloud's own configuration decides."""

    kind: Kind
    project: str | None
    region: str | None
    service: str
    environment: str
    admin: bool
    extras: tuple[str, ...]
    max_instances: int
    concurrency: int
    memory: str
    cpu: str
    env_file: str
    secrets: tuple[str, ...]
    allow_unauthenticated: bool
    dry_run: bool
    yes: bool
    force: bool


@dataclass(frozen=True)
class Names:
    """What everything of one deployment is called. Two environments share nothing but the image's folder."""

    project: str
    region: str
    worker: str
    repository: str = "crontick"

    @property
    def admin(self) -> str:
        return f"{self.worker}-admin"

    @property
    def builder(self) -> str:
        return f"{self.repository}-build"

    def account(self, name: str) -> str:
        return f"{name}@{self.project}.iam.gserviceaccount.com"

    def secret(self, variable: str) -> str:
        return f"{self.worker}-{variable.lower().replace('_', '-')}"

    def image(self, tag: str) -> str:
        return f"{self.region}-docker.pkg.dev/{self.project}/{self.repository}/{self.repository}:{tag}"


def worker_name(service: str, environment: str) -> str:
    return service if environment == PRODUCTION else f"{service}-{environment}"


def read(arguments: Sequence[str]) -> Options:
    """Raises DeployError with what is wrong, and exits as argparse does on unknown options."""
    given = vars(_parser().parse_args(arguments))
    given["extras"] = tuple(given["extras"].replace(",", " ").split())
    given["secrets"] = tuple(given["secrets"])
    environment = given["environment"]
    if given["env_file"] is None:
        own = f".env.{environment}"
        given["env_file"] = own if Path(own).is_file() else ".env"
    options = Options(**given)
    _check(options)
    return options


def _check(options: Options) -> None:
    worker = worker_name(options.service, options.environment)
    for what, name in (("--service", options.service), ("--environment", options.environment)):
        if not _NAME.fullmatch(name):
            raise DeployError(f"{what} takes small letters, digits and hyphens, not {name!r}")
    if options.environment == "admin" or options.service.endswith("-admin"):
        raise DeployError("NAME-admin is what the jobs API of NAME is called: choose another name")
    if not 6 <= len(worker) <= LONGEST_SERVICE:
        raise DeployError(
            f"{worker!r} has to have 6 to {LONGEST_SERVICE} letters: its service account is called so"
        )
    if options.project is not None and not _PROJECT.fullmatch(options.project):
        raise DeployError(f"--project takes a project's id, not {options.project!r}")
    if options.region is not None and not _NAME.fullmatch(options.region):
        raise DeployError(f"--region takes a name such as europe-west1, not {options.region!r}")
    if not _MEMORY.fullmatch(options.memory):
        raise DeployError(f"--memory takes a size such as 2Gi, not {options.memory!r}")
    if unknown := set(options.extras) - set(EXTRAS):
        raise DeployError(f"--extras knows {', '.join(EXTRAS)}, not {', '.join(sorted(unknown))}")
    if options.extras and options.kind == "cloud-functions":
        raise DeployError(
            "Google's builder installs no extras: with --extras use cloud-run, which builds the image"
        )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="./scripts/deploy.sh",
        description="Deploys the function to Google Cloud: says what it will do, asks, and does it. "
        "Safe to run again: what is there already is left as it is.",
    )
    add = parser.add_argument
    add("kind", choices=("cloud-run", "cloud-functions"), help="our image, or Google's own builder")
    add("--project", help="project's id (default: gcloud's)")
    add("--region", help="as europe-west1, best the database's own (default: gcloud's)")
    add("--service", default="crontick", help="name of the service (%(default)s)")
    add("--environment", default=PRODUCTION, help="%(default)s, or a name that everything is marked with")
    add("--admin", action="store_true", help="deploy the jobs API and its dashboard too, as NAME-admin")
    add("--extras", default="", help="as 'video ocr'; only with cloud-run")
    add("--max-instances", type=_count, default=5, help="slots of the schedule, and one more (%(default)s)")
    add("--concurrency", type=_count, default=1, help="ticks that share an instance (%(default)s)")
    add("--memory", default="2Gi", help="of an instance (%(default)s)")
    add("--cpu", default="1", choices=("1", "2", "4"), help="of an instance (%(default)s)")
    add("--env-file", help="settings and secrets; - is stdin (default: .env.ENVIRONMENT, else .env)")
    add(
        "--secret",
        dest="secrets",
        action="append",
        default=[],
        metavar="NAME",
        help="of a handler of yours: a further secret",
    )
    add("--allow-unauthenticated", action="store_true", help="instead of --no-invoker-iam-check")
    add("--dry-run", action="store_true", help="say what would be done, and do nothing")
    add("--yes", action="store_true", help="do not ask")
    add("--force", action="store_true", help="deploy although nothing changed")
    return parser


def _count(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 100:
        raise argparse.ArgumentTypeError(f"a number from 1 to 100, not {text!r}")
    return int(text)
