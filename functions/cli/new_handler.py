"""`crontick new-handler`: a handler and its test to begin with, in `handlers/` or in a package of your own."""

from __future__ import annotations

import keyword
import re
import shlex
import sys
from dataclasses import dataclass
from importlib import resources
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer
from jinja2 import Environment, StrictUndefined
from rich.text import Text

import handlers
from functions.cli.local import REPOSITORY
from functions.cli.terminal import STDOUT, Misuse

_NAME = re.compile(r"[a-z][a-z0-9_]{0,35}")  # the database takes 63; more makes lines too long
_LINE = 110
_ROUTE = """update public.ingest_routes set flow = flow || '[{"type": "NAME"}]' where name = 'uploads';"""
_ENQUEUE = """select public.enqueue_job('acme', 'NAME', '{"name": "Ada"}');"""
_OWN = Path(handlers.__path__[0])

_Name = Annotated[
    str, typer.Argument(metavar="NAME", show_default=False, help="The job type, as send_digest.")
]
_Folder = Annotated[
    Path | None,
    typer.Option(
        metavar="FOLDER",
        help="A package of your own, made if need be. Default: handlers/.",
        show_default=False,
    ),
]
_File = Annotated[bool, typer.Option("--file/--no-file", help="Whether its jobs are about an uploaded file.")]


@dataclass(frozen=True)
class _Target:
    """Where the two files go, and how the handler is imported."""

    package: str
    handler: Path
    test: Path
    root: Path  # what has to be on PYTHONPATH


def new_handler(name: _Name, folder: _Folder = None, file: _File = True) -> None:
    """Writes a handler and its test, which passes at once."""
    _check_name(name)
    target = _in_repository(name) if folder is None or folder.resolve() == _OWN else _in_folder(name, folder)
    for path in (target.handler, target.test):
        if path.exists():
            raise Misuse(f"{path} exists", "Choose another name, or remove it first.")
    if target.handler.parent != _OWN:
        target.handler.parent.mkdir(parents=True, exist_ok=True)
        (target.handler.parent / "__init__.py").touch()
    environment = Environment(undefined=StrictUndefined, trim_blocks=True, keep_trailing_newline=True)  # noqa: S701
    imports = _test_imports(name, target.package, file=file)
    for path, template in ((target.handler, "handler.py.jinja"), (target.test, "handler_test.py.jinja")):
        text = resources.files("functions.cli").joinpath(template).read_text("utf-8")
        path.write_text(environment.from_string(text).render(name=name, file=file, imports=imports), "utf-8")
    _show(name, target, file=file)


def _check_name(name: str) -> None:
    problem = ""
    if not _NAME.fullmatch(name):
        problem = "is no job type: use up to 36 lower-case letters, digits and _, as send_digest"
    elif keyword.iskeyword(name):
        problem = "is a word of Python's own"
    elif name in sys.stdlib_module_names or name in ("handlers", "functions"):
        problem = "is the name of a module that has to be found under it"
    elif name.startswith("test_") or name == "conftest":
        problem = "would be taken for a test"
    elif (_OWN / f"{name}.py").exists() or (_OWN / name).exists():
        problem = f"is taken: see {_OWN / name}"
    if problem:
        raise Misuse(f"{name} {problem}", "Name it after what it does: verb_noun.")


def _in_repository(name: str) -> _Target:
    tests = REPOSITORY / "tests" / "unit"
    if not tests.is_dir() or _OWN.parent != REPOSITORY:
        raise Misuse(
            f"handlers/ is part of an installed package here ({_OWN})",
            "Keep yours in a package of your own: --folder my_handlers",
        )
    return _Target("handlers", _OWN / f"{name}.py", tests / f"test_{name}.py", REPOSITORY)


def _in_folder(name: str, folder: Path) -> _Target:
    where = folder.resolve()
    if where.exists() and not where.is_dir():
        raise Misuse(f"{folder} is not a folder", "Name a folder, or one that does not exist yet.")
    parts, root = [where.name], where.parent
    while (root / "__init__.py").exists():
        parts.insert(0, root.name)
        root = root.parent
    if not all(part.isidentifier() and not keyword.iskeyword(part) for part in parts):
        raise Misuse(
            f"{'.'.join(parts)} cannot be imported", "A package's name has letters, digits and _: my_handlers"
        )
    if len(parts) == 1 and (parts[0] in sys.stdlib_module_names or parts[0] in ("handlers", "functions")):
        raise Misuse(f"{parts[0]} is the name of another package", "Choose another folder: my_handlers")
    return _Target(".".join(parts), where / f"{name}.py", where / f"test_{name}.py", root)


def _test_imports(name: str, package: str, *, file: bool) -> str:
    """Sorted as ruff wants them in this repository; a package of somebody else's goes below."""
    own = ["Result", name] if file else ["Payload", "Result", name]
    line = f"from {package}.{name} import {', '.join(own)}"
    if len(line) > _LINE:
        line = "\n".join((f"from {package}.{name} import (", *(f"    {one}," for one in own), ")"))
    contract = "from handlers.contract import Reject, Retry"
    testing = f"from handlers.testing import FakeContext, {'file_job' if file else 'job_with'}"
    if package != "handlers":
        return "\n".join((contract, testing, "", line))
    return "\n".join(sorted((contract, line, testing), key=lambda one: one.split()[1]))


def _show(name: str, target: _Target, *, file: bool) -> None:
    handler, test, root = (_relative(path) for path in (target.handler, target.test, target.root))
    python = _relative(Path(sys.executable))
    if target.package == "handlers":
        steps = [("Run its test", f"{python} -m pytest {test}")]
    else:
        steps = [
            ("Run its test", f"PYTHONPATH={root} {python} -m pytest {test}"),
            ("Deploy it with", f"PYTHONPATH={root} CRONTICK_HANDLERS={target.package}"),
        ]
    if find_spec("pytest") is None:
        steps.insert(0, ("Install what runs tests", "uv pip install pytest"))
    if file:
        steps.append(("Start it with every upload", _ROUTE.replace("NAME", name)))
    else:
        steps.append(("Enqueue it", _ENQUEUE.replace("NAME", name)))
    STDOUT.print(Text(f"wrote {handler} and {test}"), soft_wrap=True)
    for what, how in steps:
        STDOUT.print(Text.assemble((f"{what}:  ", "dim"), how), soft_wrap=True)


def _relative(path: Path) -> str:
    """As it can be typed here."""
    here = Path.cwd()
    return shlex.quote(str(path.relative_to(here) if path.is_relative_to(here) else path))
