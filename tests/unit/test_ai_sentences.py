"""Sentences, blocks and languages: what the analysis and the cards are built on."""

from __future__ import annotations

import pytest

from handlers.ai.text.clean import MAX_CHARACTERS, clean_passages, clean_text
from handlers.ai.text.languages import detect_language
from handlers.ai.text.sentences import split_sentences
from handlers.ai.text.structure import read_blocks, read_sentences
from handlers.outputs import Passage


def sentences_of(text: str) -> list[str]:
    return [sentence for _, sentence in split_sentences(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("It rains. The sun shines!", ["It rains.", "The sun shines!"]),
        ("Dr. Smith met Mrs. Jones. They left.", ["Dr. Smith met Mrs. Jones.", "They left."]),
        ("It was composed by J. S. Bach in Leipzig.", ["It was composed by J. S. Bach in Leipzig."]),
        ("Oranges have vitamin C. Milk has none.", ["Oranges have vitamin C.", "Milk has none."]),
        ("Pi is about 3.14159 in value. Good.", ["Pi is about 3.14159 in value.", "Good."]),
        ("Am 14. Juli 1789 fiel sie. Danach kam Ruhe.", ["Am 14. Juli 1789 fiel sie.", "Danach kam Ruhe."]),
        ("Er kam z.B. Montag. Dann ging er.", ["Er kam z.B. Montag.", "Dann ging er."]),
        ('He said "Stop." Then he left.', ['He said "Stop."', "Then he left."]),
        ("猫は動物です。犬も動物です。", ["猫は動物です。", "犬も動物です。"]),
    ],
)
def test_a_sentence_ends_at_its_full_stop_and_not_at_an_abbreviation(text: str, expected: list[str]) -> None:
    assert sentences_of(text) == expected


def test_each_sentence_knows_where_it_begins() -> None:
    text = "One two.  Three four."
    assert all(text[offset:].startswith(sentence) for offset, sentence in split_sentences(text))


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("The cell is the smallest unit of life and it can divide by itself.", "en"),
        ("Die Zelle ist die kleinste Einheit des Lebens und sie kann sich teilen.", "de"),
        ("La cellule est la plus petite unité du vivant et elle peut se diviser.", "fr"),
        ("La célula es la unidad más pequeña de la vida y se puede dividir por sí misma.", "es"),
        ("La cellula è la più piccola unità della vita e si può dividere da sola.", "it"),
        ("A célula é a menor unidade da vida e não pode ser vista sem um microscópio.", "pt"),
        ("細胞は生命の最小単位です。", "ja"),
        ("Ring Saturn Titan Rhea Dione Tethys Mimas Enceladus Iapetus", None),
        ("Too short.", None),
        ("", None),
    ],
)
def test_the_language_is_told_by_common_words_or_left_open(text: str, language: str | None) -> None:
    assert detect_language(text) == language


def test_lines_wrapped_by_a_pdf_become_whole_sentences() -> None:
    page = (
        "The Bastille\n"
        "The Bastille was a medieval fortress in Paris that served as a state\n"
        "prison for most of its history. It was stormed in 1789. King Louis\n"
        "XVI was surprised by the news."
    )
    blocks = read_blocks([Passage(text=page, page=3)])
    assert [(block.kind, block.text.split()[0]) for block in blocks] == [("heading", "The"), ("prose", "The")]
    sentences = read_sentences(blocks)
    assert [sentence.text for sentence in sentences][2] == "King Louis XVI was surprised by the news."
    assert {(sentence.page, sentence.section) for sentence in sentences} == {(3, ("The Bastille",))}


def test_the_lines_of_a_slide_stay_apart() -> None:
    slide = (
        "The Water Cycle\nEvaporation: water becomes vapour\nCondensation: vapour becomes water\nRain falls"
    )
    assert [block.text for block in read_blocks([Passage(text=slide)])] == slide.split("\n")


def test_a_sentence_across_subtitles_has_the_time_at_which_it_begins() -> None:
    cues = [
        ("A black hole is a region of", 2.0),
        ("space. The event", 4.0),
        ("horizon is its edge. [music]", 6.0),
    ]
    blocks = read_blocks([Passage(text=text, time_s=second) for text, second in cues])
    sentences = [(sentence.text, sentence.time_s) for sentence in read_sentences(blocks)]
    assert sentences == [
        ("A black hole is a region of space.", 2.0),
        ("The event horizon is its edge.", 4.0),
    ]


def test_a_sentence_that_begins_a_subtitle_has_its_time() -> None:
    cues = [Passage(text=f"Sentence {number} is here.", time_s=float(number)) for number in range(4)]
    assert [sentence.time_s for sentence in read_sentences(read_blocks(cues))] == [0.0, 1.0, 2.0, 3.0]


def test_markdown_markup_is_taken_off_and_code_is_left_out() -> None:
    text = "---\ntitle: x\n---\n# *Cells*\n\n> **Osmosis** is [a process](http://x.y).[1]\n\n```\ncode: here\n```\n"
    blocks = read_blocks([Passage(text=text)])
    assert [(block.kind, block.text) for block in blocks] == [
        ("heading", "Cells"),
        ("prose", "Osmosis is a process."),
    ]


def test_the_head_of_a_table_is_not_one_of_its_rows() -> None:
    blocks = read_blocks([Passage(text="| Term | Meaning |\n|---|---|\n| Atom | smallest unit |\n")])
    assert [(block.kind, block.text) for block in blocks] == [("row", "Atom\tsmallest unit")]


def test_headings_nest_by_their_level() -> None:
    blocks = read_blocks([Passage(text="# A\n\n## B\n\nText one.\n\n## C\n\nText two.")])
    assert [block.section for block in blocks if block.kind == "prose"] == [("A", "B"), ("A", "C")]


def test_cleaning_joins_hyphenated_words_and_removes_what_cannot_be_stored() -> None:
    assert clean_text("photo-\nsynthesis\x00 of\u00a0\ufb01sh\u200b\ud800") == "photosynthesis of fish"


def test_headers_and_page_numbers_that_repeat_are_removed() -> None:
    pages = [Passage(text=f"Biology 101\nFact {word}.\n{n}", page=n) for n, word in enumerate("abcd", 1)]
    assert [passage.text for passage in clean_passages(pages)] == [f"Fact {word}." for word in "abcd"]


def test_a_page_that_says_what_all_pages_say_keeps_it() -> None:
    pages = [Passage(text=f"Dear customer, please pay.\n{n}", page=n) for n in (1, 2, 3)]
    assert [passage.text for passage in clean_passages(pages)] == [page.text for page in pages]


def test_a_long_line_is_text_however_often_it_is_repeated() -> None:
    line = "The same long line stands on every page, as in a form letter. " * 2
    pages = [Passage(text=f"{line.strip()}\nFact {word}.", page=n) for n, word in enumerate("abc", 1)]
    assert [passage.text for passage in clean_passages(pages)] == [page.text for page in pages]


def test_content_is_cut_to_what_may_be_stored() -> None:
    passages = clean_passages([Passage(text="a" * 150_000, page=1), Passage(text="b" * 150_000, page=2)])
    assert sum(len(passage.text) for passage in passages) == MAX_CHARACTERS
    assert passages[1].page == 2
