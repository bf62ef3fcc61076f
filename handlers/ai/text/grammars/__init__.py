"""The words that the card rules look for, per language: English, German, French and Spanish.

A language that is not here gets the rules that need no verbs: terms with definitions, abbreviations, and
gaps in place of numbers and names. A new language is a new file beside these and a line in `_GRAMMARS`.
"""

from __future__ import annotations

from handlers.ai.text.grammars.english import ENGLISH
from handlers.ai.text.grammars.french import FRENCH
from handlers.ai.text.grammars.german import GERMAN
from handlers.ai.text.grammars.grammar import UNITS, Grammar
from handlers.ai.text.grammars.spanish import SPANISH
from handlers.ai.text.languages import word_set

__all__ = ["ALL_MONTHS", "Grammar", "grammar_of"]

NO_GRAMMAR = Grammar(units=UNITS)
_GRAMMARS = {"en": ENGLISH, "de": GERMAN, "fr": FRENCH, "es": SPANISH}

# Dates are asked for in every language, so some months of languages without rules are here too.
_OTHER_MONTHS = word_set(
    """
    gennaio febbraio marzo aprile maggio giugno luglio agosto settembre ottobre novembre dicembre
    janeiro fevereiro março abril maio junho julho setembro outubro dezembro januari februari maart
    mei juni juli augustus oktober
    """
)
ALL_MONTHS = _OTHER_MONTHS.union(*(grammar.months for grammar in _GRAMMARS.values()))


def grammar_of(language: str | None) -> Grammar:
    """The words of a language, or none at all for a language without rules of its own."""
    return _GRAMMARS.get(language or "", NO_GRAMMAR)
