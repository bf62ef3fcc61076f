"""Runs a Dockerfile's steps in empty roots, and its command in the last one: an image without an engine."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from docker.utils.build import exclude_paths

from scripts.deploy.empty_root import BASE_PATH, Root, RootError
from scripts.deploy.image_steps import Copy, Run, Stage, read_stages

BASE_IMAGE = "python:3.11-slim-bookworm"
STOP_SECONDS = 15.0


@dataclass(frozen=True)
class Image:
    """The last stage: its root folder, and what the Dockerfile says about running it."""

    root: Root
    stage: Stage

    @contextmanager
    def running(
        self, settings: Mapping[str, str], log_path: Path, command: tuple[str, ...] = ()
    ) -> Iterator[Running]:
        """Its command, or another one, as its user, in a root that cannot be written but for /tmp."""
        variables = {"PATH": BASE_PATH, "HOME": "/", **self.stage.variables, **settings}
        line = self.root.entering(
            command or self.stage.command, variables, self.stage.directory, self.stage.user, "ro"
        )
        with log_path.open("wb") as log:
            process = subprocess.Popen(line, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        running = Running(process, signal.Signals[self.stage.stop_signal])
        try:
            yield running
        finally:
            running.stop()


@dataclass(frozen=True)
class Running:
    """The running command; its process is the first one of its namespace, a child of `unshare`."""

    process: subprocess.Popen[bytes]
    stop_signal: signal.Signals

    def stop(self, seconds: float = STOP_SECONDS) -> int:
        """Asks it to end as an engine does, and kills what does not. The exit code, negative for a signal."""
        if self.process.poll() is None:
            with suppress(ProcessLookupError, IndexError):
                os.kill(self._first(), self.stop_signal)
        with suppress(subprocess.TimeoutExpired):
            return self.process.wait(seconds)
        self.process.kill()
        return self.process.wait()

    def _first(self) -> int:
        pid = self.process.pid
        return int(Path(f"/proc/{pid}/task/{pid}/children").read_text().split()[0])


def build(
    context: Path,
    base: Path,
    folder: Path,
    arguments: Mapping[str, str],
    *,
    cache: Path | None = None,
    say: Callable[[str], None] = lambda _line: None,
) -> Image:
    """Every stage in order, each in a folder of its own below `folder`. Raises RootError, DockerfileError."""
    roots: dict[str, Root] = {}
    stages = read_stages(context / "Dockerfile", arguments)
    for number, stage in enumerate(stages):
        if stage.base not in (BASE_IMAGE, *roots):
            raise RootError(
                f"the empty root stands for {BASE_IMAGE}; the Dockerfile begins with {stage.base}"
            )
        origin = roots[stage.base].folder if stage.base in roots else base
        root = Root.copy_of(origin, folder / (stage.name or f"stage-{number}"))
        roots[stage.name or str(number)] = root
        root.path(stage.directory).mkdir(parents=True, exist_ok=True)
        for step in stage.steps:
            _take(step, root, roots, context, cache, say)
    return Image(root, stages[-1])


def _take(
    step: Run | Copy,
    root: Root,
    roots: Mapping[str, Root],
    context: Path,
    cache: Path | None,
    say: Callable[[str], None],
) -> None:
    if isinstance(step, Run):
        say(f"RUN {step.command}")
        root.run(["/bin/sh", "-c", step.command], step.variables, step.directory, cache)
        return
    say(f"COPY {' '.join(step.sources)} {step.target}")
    for source in step.sources:
        if step.stage is None:
            _copy_from_context(context, source, root, step.target)
        else:
            target = root.path(step.target)
            shutil.copytree(roots[step.stage].path(source), target, symlinks=True, dirs_exist_ok=True)


def _copy_from_context(context: Path, source: str, root: Root, target: str) -> None:
    """As an engine does it: only what .dockerignore leaves in the context; a folder's content, not the folder."""
    place = root.path(target)
    wanted = [path for path in context_files(context) if path == source or path.startswith(f"{source}/")]
    if not wanted:
        raise RootError(f"COPY {source}: not in the build context; does .dockerignore keep it out?")
    for path in wanted:
        if path == source:
            to = place / Path(source).name if target.endswith("/") else place
        else:
            to = place / path.removeprefix(f"{source}/")
        to.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(context / path, to)


def context_files(context: Path) -> list[str]:
    """The files that an engine gets to see, by their paths below `context`."""
    lines = (context / ".dockerignore").read_text("utf-8").splitlines()
    kept = exclude_paths(str(context), [line for line in lines if line and not line.startswith("#")])
    return sorted(path for path in kept if (context / path).is_file())
