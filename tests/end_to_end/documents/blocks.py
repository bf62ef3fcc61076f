"""The blocks of a page by their language, and the output that it shows below one."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[3]
RUN = ("bash", "sql", "python")
FENCE = re.compile(r"^( *)```(\w*)\n(.*?)^\1```$", re.DOTALL | re.MULTILINE)


@dataclass(frozen=True)
class Block:
    """`shown` is the ```text block right below: what the page says one sees; `…` stands for anything."""

    chapter: str
    line: int
    language: str
    text: str
    shown: str | None

    def __str__(self) -> str:
        return f"line {self.line}, {self.language}:\n{self.text}"


def pages() -> list[Path]:
    return [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def blocks_of(page: Path) -> list[Block]:
    text = page.read_text()
    found = list(FENCE.finditer(text))
    blocks = []
    for position, match in enumerate(found):
        indent, language, body = match.groups()
        if language not in RUN:
            continue
        below = found[position + 1] if position + 1 < len(found) else None
        is_shown = below is not None and below[2] == "text" and below.start() - match.end() < 200
        blocks.append(
            Block(
                re.findall(r"^##? (.+)$", text[: match.start()], re.MULTILINE)[-1],
                text.count("\n", 0, match.start()) + 2,
                language,
                re.sub(rf"^{indent}", "", body, flags=re.MULTILINE),
                below[3] if below is not None and is_shown else None,
            )
        )
    return blocks


def is_shown(expected: str, output: str) -> bool:
    """Whether the output has the page's lines, one after the other. Spaces count as one, `…` as anything."""
    at = 0
    for line in filter(str.strip, expected.splitlines()):
        words = [re.escape(part) for part in re.split(r"\s+", line.strip())]
        pattern = r"[\s│|]+".join(words).replace("…", ".*?")
        found = re.compile(pattern).search(output, at)
        if found is None:
            return False
        at = found.end()
    return True
