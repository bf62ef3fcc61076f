from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from handlers.media import tables, text


def lines(tmp_path: Path, data: str | bytes, name: str = "table.csv", **options: Any) -> list[str]:
    path = tmp_path / name
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    facts = text.extract(path, tmp_path, **options)
    (section,) = facts["sections"]
    return str(section["paragraphs"][0]).split("\n")


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_the_separator_is_found_out(tmp_path: Path, separator: str) -> None:
    rows = [["osmosis", "movement of water, slowly; really"], ["mitosis", "division"], ["gene", "unit"]]
    data = "\n".join(f'"{term}"{separator}"{meaning}"' for term, meaning in rows)

    assert lines(tmp_path, data) == ["\t".join(row) for row in rows]


def test_excels_own_line_about_the_separator_is_believed_and_left_out(tmp_path: Path) -> None:
    assert lines(tmp_path, "sep=;\na, b;c\nd, e;f\n") == ["a, b\tc", "d, e\tf"]


def test_quoted_cells_keep_their_separators_and_lose_their_line_breaks(tmp_path: Path) -> None:
    assert lines(tmp_path, 'a,"b, with\na second ""line"""\n') == ['a\tb, with a second "line"']


def test_a_quote_that_is_never_closed_swallows_no_rows(tmp_path: Path) -> None:
    rows = lines(tmp_path, 'a,"b\n' + "term,definition of it\n" * 3000)

    assert rows[0] == 'a\t"b'
    assert len(rows) == 3001


def test_every_cell_of_a_wide_table_carries_the_name_of_its_column(tmp_path: Path) -> None:
    data = "Symbol,Name,Number\nHe,Helium,2\nLi,,3\n"

    assert lines(tmp_path, data) == [
        "Symbol: He\tName: Helium\tNumber: 2",
        "Symbol: Li\tNumber: 3",
    ]


def test_a_wide_table_without_names_stays_as_it_is(tmp_path: Path) -> None:
    assert lines(tmp_path, "1,2,3\n4,5,6\n") == ["1\t2\t3", "4\t5\t6"]


def test_ragged_and_empty_rows_do_no_harm(tmp_path: Path) -> None:
    assert lines(tmp_path, "a,b\n\n,,,\nc\nd,e,f,g\n") == ["a\tb", "c", "d\te\tf\tg"]


def test_tabs_are_certain_where_the_name_says_so(tmp_path: Path) -> None:
    assert lines(tmp_path, "a, b\tc\n", "table.tsv") == ["a, b\tc"]


def test_what_the_sniffing_found_wins_over_the_suffix(tmp_path: Path) -> None:
    assert lines(tmp_path, "a;b\nc;d\n", "upload", mime_type="text/csv") == ["a\tb", "c\td"]


def test_rows_are_bounded_and_that_is_said(tmp_path: Path) -> None:
    path = tmp_path / "long.csv"
    path.write_text("term,definition\n" * (tables.MAX_ROWS + 10))
    facts = text.extract(path, tmp_path)

    assert facts["sections"][0]["paragraphs"][0].count("\n") == tables.MAX_ROWS - 1
    assert facts["notes"] == ["table: only the first 5,000 rows were read"]


def test_a_table_is_read_in_western_encodings_too(tmp_path: Path) -> None:
    assert lines(tmp_path, "Größe;Maß\n".encode("cp1252")) == ["Größe\tMaß"]


@pytest.mark.parametrize("data", ["," * 2_000_000, '"' * 1_000_000, "a" * 2_000_000, '"a",' * 500_000])
def test_hostile_tables_take_no_time(tmp_path: Path, data: str) -> None:
    begun = time.perf_counter()
    lines(tmp_path, f"x,y\n{data}")

    assert time.perf_counter() - begun < 5


def test_the_names_of_columns_are_repeated_within_the_limit_of_characters(tmp_path: Path) -> None:
    path = tmp_path / "wide.csv"
    names = ",".join(f"a long name of column {number}" for number in range(100))
    path.write_text(f"{names}\n" + (",".join("7" * 100) + "\n") * 2_000)
    facts = text.extract(path, tmp_path, limits={"max_text_characters": 500_000})

    assert len(facts["sections"][0]["paragraphs"][0]) <= 501_000
    assert facts["truncated"] is True


@pytest.mark.parametrize("line", ['sep="', "sep= ", "sep=x"])
def test_a_separator_that_separates_nothing_is_not_believed(tmp_path: Path, line: str) -> None:
    assert lines(tmp_path, f"{line}\na,b c\nd,e x f\n") == ["a\tb c", "d\te x f"]


def test_a_table_has_a_preview(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_text("term,definition\nosmosis,movement of water\n")

    assert len(text.thumbnails(path, tmp_path)["thumbnails"]) == 2
