"""The readers of texts: whatever is in a Word document, subtitles or a table, it is read or refused, and soon."""

# ruff: noqa: RUF001
# Arabic digits are meant: they are digits, too.

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import strategies as st

from handlers.media.refused import Refused
from handlers.media.text import extract
from tests.fixtures import docx_files
from tests.fixtures.docx_files import XML, document, word_document
from tests.fixtures.mangled import mangled
from tests.unit.fuzzing import fuzz

MOST_SECONDS = 5.0  # for some thousand characters, on a busy machine
ODD_CHARACTERS = st.text(st.characters(codec="utf-8"), max_size=8)
TAGS = ("p", "r", "t", "tbl", "tr", "tc", "pPr", "del", "moveFrom", "txbxContent", "drawing", "x")
PROPERTIES = (
    *('<w:pStyle w:val="Titel"/>', '<w:pStyle w:val="Kapitel"/>', '<w:pStyle w:val=""/>', "<w:pStyle/>"),
    *(
        '<w:outlineLvl w:val="0"/>',
        '<w:outlineLvl w:val="99999999999999999999"/>',
        '<w:outlineLvl w:val="٣"/>',
    ),
    *(
        '<w:numId w:val="1"/>',
        "<w:tab/>",
        "<w:br/>",
        "<w:cr/>",
        "<w:noBreakHyphen/>",
        "<!-- x -->",
        "<?x y?>",
    ),
    *(
        "<w:t>Rivers</w:t>",
        "<w:t>&amp;&#65;</w:t>",
        "<w:p><w:r><w:t>A delta is land.</w:t></w:r></w:p>",
        "&e;",
    ),
)
STYLES = st.lists(
    st.tuples(
        *[st.sampled_from(("Titel", "Kapitel", "", "A", "B"))] * 2, st.sampled_from(("0", "9", "-1", "x"))
    ),
    max_size=4,
)
CLOCKS = ("00:00:01,000", "0:59.9", "999:59:59.999", "00:99:99,1", "٠٠:٠٠:٠١,٠", "1:2:3", ":", "-1:00:00,000")
CUES = (
    *(
        "WEBVTT\n\n",
        "1\n",
        "12\n",
        "\n",
        "\n\n",
        "STYLE\n::cue{}\n",
        "NOTE x\n",
        "X-TIMESTAMP-MAP=x\n",
        " --> ",
    ),
    *(
        "A delta is the land where a river meets the sea.\n",
        "<i>Hello",
        "</i>",
        "{\\an8}",
        "<",
        "{",
        "&lt;&#0;",
    ),
    *(f"{clock}{arrow}" for clock in CLOCKS for arrow in (" --> ", "\n", "-->", " --> 00:00:02,000\n")),
)
CELLS = (
    *(
        "term",
        "definition",
        "delta",
        "1",
        "-2.5 %",
        '"',
        '""',
        "'",
        "\\",
        ",",
        ";",
        "\t",
        "|",
        "\n",
        "\r\n",
        "\r",
    ),
    *(
        "sep=;\n",
        'sep="\n',
        "sep= \n",
        "=1+1",
        "\x0b",
        "\x1c",
        "\u2028",
        "\x85",
        " ",
        "name,age,town\n",
        "a,b\n",
    ),
)


@pytest.fixture
def read(tmp_path: Path) -> Callable[[bytes, str | None], dict[str, Any] | None]:
    """The facts of a file, or None when it was refused with a sentence."""
    source = tmp_path / "source"

    def read(data: bytes, mime_type: str | None) -> dict[str, Any] | None:
        source.write_bytes(data)
        began = time.monotonic()
        try:
            facts = extract(source, tmp_path, mime_type=mime_type)
        except Refused as refused:
            assert str(refused).isprintable()  # noqa: PT017
            facts = None
        json.dumps(facts, allow_nan=False)
        assert time.monotonic() - began < MOST_SECONDS
        return facts

    return read


def joined(pieces: tuple[str, ...], most: int = 60) -> st.SearchStrategy[str]:
    return st.lists(
        st.sampled_from(pieces)
        | ODD_CHARACTERS
        | st.tuples(st.sampled_from(pieces), st.integers(2, 300)).map(lambda pair: pair[0] * pair[1]),
        max_size=most,
    ).map("".join)


def elements() -> st.SearchStrategy[str]:
    """Elements in any order and depth, nearly all of them closed."""
    inside = st.sampled_from(PROPERTIES) | ODD_CHARACTERS.map(lambda text: text.replace("<", "&lt;"))
    nested = st.recursive(
        inside,
        lambda deeper: st.tuples(st.sampled_from(TAGS), st.lists(deeper, max_size=5)).map(
            lambda pair: f"<w:{pair[0]}>{''.join(pair[1])}</w:{pair[0]}>"
        ),
        max_leaves=30,
    )
    return st.lists(nested, max_size=8).map("".join)


def styled(styles: list[tuple[str, str, str]]) -> str:
    """A part of styles, which may be based on each other in circles."""
    made = (
        f'<w:style w:styleId="{name}"><w:name w:val="heading {level}"/><w:basedOn w:val="{parent}"/>'
        f'<w:pPr><w:outlineLvl w:val="{level}"/></w:pPr></w:style>'
        for name, parent, level in styles
    )
    return f'{XML}<w:styles xmlns:w="{docx_files.WORD}">{"".join(made)}</w:styles>'


def test_any_bytes_of_a_word_document_are_read_or_refused(read: Any, pytestconfig: pytest.Config) -> None:
    files = [docx_files.biology(), docx_files.with_macros(), docx_files.encrypted_part(), word_document()]
    answers = {True: 0, False: 0}

    def check(data: bytes) -> None:
        answers[read(data, None) is None] += 1

    fuzz(pytestconfig, mangled(files, most=5), check)
    assert min(answers.values()) > 0, "some were read, some were refused"


SENTENCE = "<w:p><w:r><w:t>Osmosis moves water.</w:t></w:r></w:p>"


def test_any_elements_of_a_word_document_are_read_or_refused(read: Any, pytestconfig: pytest.Config) -> None:
    answers = {True: 0, False: 0}

    def check(given: tuple[str, list[tuple[str, str, str]]]) -> None:
        body, styles = given
        parts = {"word/document.xml": document(SENTENCE + body), "word/styles.xml": styled(styles)}
        facts = read(word_document(more=parts), None)
        answers[facts is None] += 1
        assert facts is None or "Osmosis" in str(facts["sections"])

    fuzz(pytestconfig, st.tuples(elements(), STYLES), check)
    assert answers[False] > 0, "some were read"


def test_any_subtitles_have_times_in_their_order(read: Any, pytestconfig: pytest.Config) -> None:
    cues = 0

    def check(text: str) -> None:
        nonlocal cues
        for start in ("WEBVTT\n\n", "1\n00:00:01,000 --> 00:00:02,000\nHello\n\n"):
            facts = read((start + text).encode(), None)
            times = [cue["time_s"] for cue in facts["cues"]] if facts else []
            assert times == sorted(times)
            assert all(time >= 0 and math.isfinite(time) for time in times)
            cues += len(times)

    fuzz(pytestconfig, joined(CUES), check)
    assert cues


def test_any_table_is_read_line_by_line(read: Any, pytestconfig: pytest.Config) -> None:
    rows = 0

    def check(text: str) -> None:
        nonlocal rows
        for mime_type in ("text/csv", "text/tab-separated-values"):
            facts = read(text.encode(), mime_type)
            rows += str(facts["sections"]).count("\\n") if facts else 0

    fuzz(pytestconfig, joined(CELLS), check)
    assert rows
