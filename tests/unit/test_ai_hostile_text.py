"""Texts written to be slow: they may cost their own job a moment, and never the worker its other jobs."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from handlers.ai.cards.entries import _ENTRY
from handlers.ai.cards.known_terms import KnownTerms
from handlers.ai.cards.rules import _CLAUSE_CUT
from handlers.ai.offline import OfflineProvider
from handlers.ai.provider import ExtractedFile
from handlers.ai.text import markup, sentences
from handlers.ai.text.clean import _PAGE_NUMBER, clean_passages
from handlers.ai.text.pieces import LONGEST_PIECE, pieces
from handlers.ai.text.structure import read_blocks, read_sentences
from handlers.media.markdown import HEADING
from handlers.outputs import Analysis, Passage
from handlers.testing import FakeContext

ROOT = Path(__file__).parents[2]
CHARACTERS = 200_000
LONG = 600_000
PLAIN = (".", "!", "… ", "(", "[", "*", "\t", "`", "#", "- ", "a:", "|", "_", "\n")
MIXED = (".)", "# -", "[](", "<!--", "x: y\t", "*_`[(#|: \t")


def describe(text: str) -> None:
    """All that the worker itself does with a text, once alone and once between two words."""
    for whole in (text, f"Term: a{text} b"):
        content = clean_passages([Passage(text=whole)])
        source = ExtractedFile(kind="text", file_name="a.txt", passages=content, title=whole)
        said = OfflineProvider().analyze(source, FakeContext(Path()))
        OfflineProvider().cards(
            Analysis(
                kind="text",
                mime_type="text/plain",
                title=said.title,
                summary=said.summary,
                language="en",
                content=content,
                content_sha256="",
            ),
            FakeContext(Path()),
        )


def repeated(unit: str, characters: int = CHARACTERS) -> str:
    return (unit * characters)[:characters]


def test_no_text_keeps_the_worker_busy_for_long() -> None:
    # In a process of its own: a pattern that runs for hours cannot be interrupted from inside.
    program = (
        "from tests.unit.test_ai_hostile_text import *\n"
        "for number, unit in enumerate((*PLAIN, *MIXED)):\n"
        "    describe(repeated(unit))\n"
        "    print(number, flush=True)\n"
    )
    finished = tuple(range(len(PLAIN + MIXED)))
    try:
        run = subprocess.run(
            [sys.executable, "-c", program], cwd=ROOT, capture_output=True, timeout=90, check=True
        )
        output = run.stdout
    except subprocess.TimeoutExpired as error:
        output = error.stdout or b""
    assert tuple(map(int, output.split())) == finished


@pytest.mark.parametrize(
    ("pattern", "method", "text"),
    [
        (sentences._BOUNDARY, "search", repeated(".", LONG)),
        (sentences._BOUNDARY, "search", "." + repeated(")", LONG)),
        (sentences._BOUNDARY, "search", "." + repeated(" ", LONG)),
        (_ENTRY, "match", "term" + repeated("\t", LONG)),
        (_ENTRY, "match", "term" + repeated(" ", LONG)),
        (_CLAUSE_CUT, "search", repeated(" ", LONG)),
        (_PAGE_NUMBER, "fullmatch", "page" + repeated("\t", LONG)),
        (_PAGE_NUMBER, "fullmatch", "1" + repeated("\t", LONG)),
        (markup._CODE, "search", repeated("`", LONG)),
        (HEADING, "fullmatch", f"# x{repeated(' ', LONG)}y"),
        (markup._HEADING, "match", "#" + repeated(" ", LONG)),
        (markup._ITEM, "match", "-" + repeated("\t", LONG)),
    ],
)
def test_no_pattern_takes_time_by_the_square_of_its_text(
    pattern: re.Pattern[str], method: str, text: str
) -> None:
    program = (
        "import re, sys\n"
        "pattern, flags, method = sys.argv[1:]\n"
        "getattr(re.compile(pattern, int(flags)), method)(sys.stdin.read())"
    )
    arguments = [sys.executable, "-c", program, pattern.pattern, str(pattern.flags), method]

    assert subprocess.run(arguments, input=text, text=True, timeout=20, check=False).returncode == 0


class Recorder:
    """A pattern that remembers the longest text it has seen."""

    def __init__(self) -> None:
        self.longest = 0

    def finditer(self, text: str) -> Iterator[re.Match[str]]:
        self.longest = max(self.longest, len(text))
        return re.finditer(r"(?!)", text)

    def sub(self, _: str, text: str) -> str:
        self.longest = max(self.longest, len(text))
        return text


@pytest.mark.parametrize("text", [repeated("Word follows word. "), repeated("w")])
@pytest.mark.parametrize("name", ["_TAG", "_IMAGE", "_LINK", "_FOOTNOTE", "_STRONG", "_EMPHASIS", "_CODE"])
def test_the_patterns_of_markup_see_pieces_only(
    monkeypatch: pytest.MonkeyPatch, name: str, text: str
) -> None:
    recorder = Recorder()
    monkeypatch.setattr(markup, name, recorder)

    assert markup.plain_inline(text) == text.strip()

    assert LONGEST_PIECE / 2 < recorder.longest <= LONGEST_PIECE


@pytest.mark.parametrize("text", [repeated("word "), repeated("w"), f"|{repeated('cell|')}"])
def test_no_rule_is_given_a_longer_sentence_than_a_piece(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    recorder = Recorder()
    monkeypatch.setattr(sentences, "_BOUNDARY", recorder)

    found = read_sentences(read_blocks([Passage(text=text)]))

    assert max(len(sentence.text) for sentence in found) <= LONGEST_PIECE
    assert recorder.longest <= LONGEST_PIECE


def test_a_long_paragraph_is_cut_behind_a_sentence_and_loses_nothing() -> None:
    text = " ".join(f"Sentence number {number} stands here." for number in range(500))

    assert "".join(piece for _, piece in pieces(text)) == text
    assert all(text.startswith(piece, offset) for offset, piece in pieces(text))
    assert [sentence for _, sentence in sentences.split_sentences(text)] == [
        f"Sentence number {number} stands here." for number in range(500)
    ]


def test_comments_and_front_matter_are_left_out_of_any_length() -> None:
    comment = f"<!-- {repeated('hidden ')} -->"
    lines = markup.plain_lines(f"---\ntitle: x\n---\nBefore{comment} and after <!-- not closed")

    assert [line.text for line in lines] == ["Before and after <!-- not closed"]


def test_terms_that_begin_alike_are_found_by_their_longest() -> None:
    text = "A cell wall is no cell."

    found = [
        text[start:end] for start, end in KnownTerms(["cell", "cell wall", "cell wall x"], "en").find(text)
    ]

    assert found == ["cell wall", "cell"]
