"""What a Dockerfile says, stage by stage, for those who have no engine that would run it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import dockerfile


class DockerfileError(Exception):
    """The Dockerfile uses an instruction that only a real builder knows how to run."""


@dataclass(frozen=True)
class Run:
    """A shell command, with the variables it sees: the stage's ENV over its ARG."""

    command: str
    variables: Mapping[str, str]
    directory: str


@dataclass(frozen=True)
class Copy:
    """Files from the build context, or from an earlier stage, to an absolute path."""

    sources: tuple[str, ...]
    target: str
    stage: str | None


@dataclass
class Stage:
    """One FROM and what follows it, up to the next one. `base` is an image or an earlier stage."""

    base: str
    name: str | None
    steps: list[Run | Copy] = field(default_factory=list)
    variables: dict[str, str] = field(default_factory=dict)
    arguments: dict[str, str] = field(default_factory=dict)
    labels: dict[str, str] = field(default_factory=dict)
    directory: str = "/"
    user: str = "0:0"
    command: tuple[str, ...] = ()
    healthcheck: tuple[str, ...] = ()
    stop_signal: str = "SIGTERM"

    def visible(self) -> dict[str, str]:
        return {**self.arguments, **self.variables}


def read_stages(path: Path, arguments: Mapping[str, str]) -> list[Stage]:
    """The stages in order. `arguments` are the build arguments; one that no stage declares is refused."""
    stages: list[Stage] = []
    declared: set[str] = set()
    for line in dockerfile.parse_file(str(path)):
        if line.cmd.upper() == "FROM":
            stages.append(_stage(line.value))
        else:
            _apply(stages[-1], line, arguments, declared)
    if unknown := set(arguments) - declared:
        raise DockerfileError(f"{path.name} has no ARG {', '.join(sorted(unknown))}")
    return stages


def _stage(value: tuple[str, ...]) -> Stage:
    return Stage(base=value[0], name=value[2] if len(value) == 3 else None)


def _apply(stage: Stage, line: dockerfile.Command, arguments: Mapping[str, str], declared: set[str]) -> None:
    value = tuple(line.value)
    match line.cmd.upper():
        case "ARG":
            name, _, default = value[0].partition("=")
            declared.add(name)
            stage.arguments[name] = arguments.get(name, _unquoted(default))
        case "ENV":
            stage.variables |= _pairs(value, stage.visible())
        case "WORKDIR":
            stage.directory = _joined(stage.directory, value[0])
        case "RUN" if not line.json and not line.flags:
            stage.steps.append(Run(value[0], stage.visible(), stage.directory))
        case "COPY":
            stage.steps.append(_copy(stage, value, tuple(line.flags)))
        case _:
            _note(stage, line, value)


def _note(stage: Stage, line: dockerfile.Command, value: tuple[str, ...]) -> None:
    """What changes no file, but says how the image is run."""
    match line.cmd.upper():
        case "LABEL":
            stage.labels |= _pairs(value, stage.visible())
        case "USER":
            stage.user = value[0]
        case "CMD" if line.json:
            stage.command = value
        case "HEALTHCHECK" if value[0] == "CMD":
            stage.healthcheck = value[1:]
        case "STOPSIGNAL":
            stage.stop_signal = value[0]
        case "EXPOSE":
            pass
        case _:
            raise DockerfileError(f"line {line.start_line}: {line.original.splitlines()[0]}")


def _copy(stage: Stage, value: tuple[str, ...], flags: tuple[str, ...]) -> Copy:
    sources, target = value[:-1], value[-1]
    names = dict(flag.removeprefix("--").split("=", 1) for flag in flags)
    if names.keys() - {"from"}:
        raise DockerfileError(f"COPY {' '.join(flags)}")
    slash = "/" if target.endswith("/") else ""
    return Copy(sources, _joined(stage.directory, target) + slash, names.get("from"))


def _pairs(value: tuple[str, ...], visible: Mapping[str, str]) -> dict[str, str]:
    """ENV's and LABEL's `name value name value`, with the variables of the lines before filled in."""
    names, values = value[0::2], value[1::2]
    return {_unquoted(n): _filled(_unquoted(v), visible) for n, v in zip(names, values, strict=True)}


def _filled(text: str, visible: Mapping[str, str]) -> str:
    return re.sub(r"\$\{(\w+)\}|\$(\w+)", lambda found: visible.get(found[1] or found[2], ""), text)


def _unquoted(text: str) -> str:
    return text[1:-1] if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'" else text


def _joined(directory: str, path: str) -> str:
    return str(Path(directory) / path.removeprefix("./"))
