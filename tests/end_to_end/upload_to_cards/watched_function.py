"""What a function's processes take while it works: read from /proc, beside it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.end_to_end.process_tree import descendants, is_alive, stat
from tests.end_to_end.upload_to_cards.project import Function

SAMPLE_SECONDS = 0.05


@dataclass
class Watched:
    """The worker; and the decoders that were seen below its keepers, with the most memory each had, in MB."""

    worker: int
    folder: Path  # where the function keeps what is temporary
    decoders: dict[int, float] = field(default_factory=dict)
    most_folders: int = 0

    def sample(self) -> None:
        for process in self.running_decoders():
            if peak := memory(process, "VmHWM"):
                self.decoders[process] = max(peak, self.decoders.get(process, 0.0))
        self.most_folders = max(self.most_folders, len(self.folders()))

    def is_alive(self) -> bool:
        return is_alive(self.worker)

    def memory(self) -> float:
        """What the worker itself has in memory now, in MB."""
        return memory(self.worker, "VmRSS")

    def running_decoders(self) -> list[int]:
        """All that stands below a keeper, zombies too."""
        return [process for process in below(self.worker) if parent(process) != self.worker]

    def keepers(self) -> list[int]:
        """Right below the worker: they live on, to fork the next file's decoder."""
        return [process for process in below(self.worker) if parent(process) == self.worker]

    def folders(self) -> list[str]:
        return [path.name for path in self.folder.iterdir()]


def worker_of(function: Function) -> int:
    """gunicorn has one worker."""
    master = function.child.process.pid
    (worker,) = [process for process in below(master) if parent(process) == master]
    return worker


@contextmanager
def watching(watched: Watched) -> Iterator[None]:
    """Samples from a thread until the block ends."""
    ended = threading.Event()

    def sample() -> None:
        while not ended.wait(SAMPLE_SECONDS):
            watched.sample()

    thread = threading.Thread(target=sample, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def below(root: int) -> list[int]:
    return descendants(root)[1:]


def parent(process: int) -> int | None:
    found = stat(process)
    return found[1] if found else None


def memory(process: int, name: str) -> float:
    """One of the sizes in /proc/<process>/status, in MB; 0 for one that is gone or a zombie."""
    try:
        status = Path(f"/proc/{process}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
    sizes = [line.split()[1] for line in status.splitlines() if line.startswith(f"{name}:")]
    return int(sizes[0]) / 1024 if sizes else 0.0
