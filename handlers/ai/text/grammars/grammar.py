"""What a card rule has to know of a language: its little words, verbs and questions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from handlers.ai.text.languages import word_set


@dataclass(frozen=True)
class Grammar:
    """One language's words. Templates hold `{}` for the subject, which keeps its own article."""

    articles: frozenset[str] = frozenset()
    questions: Mapping[str, str] = field(default_factory=dict)  # verb -> "What is {}?"
    who: Mapping[str, str] = field(default_factory=dict)  # the same, for people
    what_is: str = ""
    what_are: str = ""
    stands_for: str = ""
    persons: tuple[str, ...] = ()  # "physicist": makes "What was" a "Who was"
    concepts: frozenset[str] = frozenset()  # "process": what it describes is no name, so no capital
    openers: frozenset[str] = frozenset()  # first words of a definition: "a", "the"
    empty: frozenset[str] = frozenset()  # first nouns that define nothing: "the result", "the size"
    relatives: frozenset[str] = frozenset()
    leans_back: frozenset[str] = frozenset()  # a sentence that opens with these needs the one before
    prepositions: frozenset[str] = frozenset()
    talks: frozenset[str] = frozenset()  # "video", "today": about the text itself instead of the world
    reader: frozenset[str] = frozenset()  # "we", "you"
    countable: frozenset[str] = frozenset()  # "part": what it describes takes "a"
    naming: tuple[str, ...] = ()  # "called X" makes X a known term
    months: frozenset[str] = frozenset()
    counts: frozenset[str] = frozenset()  # number words that may be asked for
    units: frozenset[str] = frozenset()
    lowercase_nouns: bool = True


UNITS = word_set(
    """
    % ‰ °C °F °K K km m cm mm nm µm kg g mg t l L ml km/h m/s km/s Hz kHz MHz GHz V W kW MW J kJ eV
    Pa hPa bar mol s ms min h km² m² km³ m³ ha € $ £ KB MB GB TB
    """
)
