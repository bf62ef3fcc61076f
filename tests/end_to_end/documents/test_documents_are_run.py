"""Every command and every query of README and docs/ works as it stands, and shows what the page says."""

from __future__ import annotations

import re
from itertools import groupby
from operator import attrgetter
from pathlib import Path

import pytest

from tests.end_to_end.documents.blocks import blocks_of, is_shown, pages
from tests.end_to_end.documents.not_run import NOT_RUN, left_out
from tests.end_to_end.documents.reader import Reader


@pytest.mark.leg_wheel
@pytest.mark.parametrize("page", pages(), ids=lambda page: page.name)
def test_every_block_of_a_page_works_in_its_order(page: Path, reader: Reader) -> None:
    reader.start_page()
    for _chapter, blocks in groupby(blocks_of(page), key=attrgetter("chapter")):
        reader.start_chapter()
        for block in blocks:
            reader.do(block)


def test_what_is_not_run_stands_on_a_page() -> None:
    lines = [line for page in pages() for block in blocks_of(page) for line in block.text.splitlines()]

    assert {line for line in lines if left_out(line)}
    unused = [pattern for pattern in NOT_RUN if not any(re.match(rf"\s*{pattern}", line) for line in lines)]
    assert unused == []


def test_an_output_that_differs_is_seen() -> None:
    assert is_shown("job 17 done …\nall fine", "job 17  done in 3 s\nsomething else\nall │ fine\n")
    assert not is_shown("all fine\njob 17", "job 17\nall fine\n")
