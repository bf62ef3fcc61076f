"""Card rule 1: "Term: definition" and "Term - definition" in lists, and rows of two columns."""

# ruff: noqa: RUF001
# Curly quotes and dashes are meant: they are what texts contain.

from __future__ import annotations

import re
from collections.abc import Sequence

from handlers.ai.cards.candidates import GAP, Candidate, Casing, ask, describes
from handlers.ai.text.grammars import Grammar, grammar_of
from handlers.ai.text.languages import stop_words, word_set
from handlers.ai.text.structure import Sentence

_ENTRY = re.compile(r"(?P<term>[^:\t]{2,60}?)(?:\s?:\s++|\s++[-–—]\s++|[^\S\t]*+\t\s*+)(?P<definition>\S.*)$")
_PLURAL = re.compile(r"[^siu]s$")
_DASH = re.compile(r"\s[-–—]\s")
_LABELS = word_set(
    """
    note notes example examples e.g tip warning caution source sources figure fig table chapter
    section page date author authors by time question answer q a step hint remember important
    attention see version email tel phone url contact instructor course copyright license http https
    www goal goals todo summary conclusion reading readings references homework exercise objective
    objectives agenda today tomorrow next last week topic topics title keywords hinweis beispiel quelle
    quellen abbildung abb tabelle kapitel seite datum autor frage antwort achtung wichtig merke ziel zusammenfassung
    thema remarque exemple tableau chapitre auteur attention objectif résumé sujet nota ejemplo
    fuente figura tabla capítulo página fecha pregunta respuesta objetivo resumen tema
    """
)
_HEADER_CELLS = word_set(
    """
    term word definition meaning question answer front back name description value key translation
    begriff bedeutung frage antwort wort terme définition mot sens término definición palabra
    significado
    """
)


def find_entry(sentence: Sentence, language: str | None, casing: Casing) -> Candidate | None:
    """The card that a line of a list, a table or a slide already is."""
    match = _ENTRY.match(sentence.text) if sentence.opens_block else None
    if match is None:
        return None
    term, definition = match["term"].strip(" \"'“”„«»"), match["definition"].strip()
    if not _is_entry(sentence, term, definition, language):
        return None
    definition = definition.rstrip(".;, ")
    question = _entry_question(term, definition, language, casing)
    if sentence.kind == "row" and term.endswith("?"):
        return Candidate("entry", "basic", term, definition, sentence)
    if question:
        return Candidate("entry", "basic", question, definition, sentence, term)
    separator = (
        ":" if sentence.kind == "row" else sentence.text[len(match["term"]) : match.start("definition")]
    )
    front = f"{term}{separator.rstrip()} {GAP}"
    return Candidate("entry", "cloze", front, definition, sentence, term)


def _is_entry(sentence: Sentence, term: str, definition: str, language: str | None) -> bool:
    words = term.lower().split()
    if not term[:1].isalnum() or not any(character.isalpha() for character in term):
        return False
    if sentence.kind == "row":
        return definition.count("\t") == 0 and not {term.lower(), definition.lower()} <= _HEADER_CELLS
    if len(words) > 5 or words[0].rstrip(".") in _LABELS or words[-1].rstrip(".") in _LABELS:
        return False
    is_dash = not sentence.text[len(term) :].lstrip(" \"'”»").startswith(":")
    if is_dash and (not sentence.is_whole or len(_DASH.findall(sentence.text)) != 1):
        return False
    if sentence.kind == "prose" and not (term[0].isupper() and len(words) <= 4):
        return False
    grammar = grammar_of(language)
    verbs = {verb.split()[0] for verb in grammar.questions} | grammar.leans_back - {"both", "other"}
    return not verbs.intersection(words) and not grammar.talks.intersection(words) and "://" not in definition


def _entry_question(term: str, definition: str, language: str | None, casing: Casing) -> str | None:
    """ "What is X?" where the definition reads like its answer, else `None` and the term keeps a gap."""
    grammar = grammar_of(language)
    words, meaning = term.lower().split(), definition.split()
    if not grammar.what_is or len(words) > 3 or set(words) & stop_words(language) - grammar.articles:
        return None
    first = meaning[0].lower()
    opens = first in grammar.openers or first.startswith(("l'", "l’"))
    if not opens and not _reads_like_a_definition(meaning, grammar):
        return None
    if first in grammar.prepositions or first in stop_words(language) - grammar.openers:
        return None
    is_plural = language == "en" and not opens and _is_plural(words[-1], meaning, grammar)
    subject = casing.natural(term, grammar, definition)
    if is_plural:
        return ask(grammar.what_are, subject)
    article = casing.article(subject, grammar, definition)
    if not article and _may_lack_article(term, meaning, grammar):
        return ask(grammar.what_is, f"“{term}”")
    return ask(grammar.what_is, article + subject)


def _reads_like_a_definition(meaning: Sequence[str], grammar: Grammar) -> bool:
    if not meaning[0][0].islower():
        return False
    described = {word.lower().strip(",.;") for word in meaning[:4]}
    return not grammar.concepts.isdisjoint(described) or describes(meaning, grammar)


def _may_lack_article(term: str, meaning: Sequence[str], grammar: Grammar) -> bool:
    """Whether "What is isthmus?" may be wrong: a thing that can be counted, and no name. Quotes ask for the word."""
    words = term.split()
    is_name = len(words) > 1 and all(word[0].isupper() for word in words)
    if not grammar.countable or is_name or words[0].lower() in grammar.articles or term.isupper():
        return False
    described = {word.lower().strip(",.;") for word in meaning[:4]}
    is_mass = not grammar.concepts.isdisjoint(described)
    return meaning[0].lower() in ("a", "an") or not is_mass


def _is_plural(last_word: str, meaning: Sequence[str], grammar: Grammar) -> bool:
    """ "Enzymes", and "Stomata": small pores in ..., told by the noun that describes them."""
    if _PLURAL.search(last_word) or _PLURAL.search(meaning[0]):
        return True
    noun_ends = len(meaning) > 2 and meaning[2].lower() in grammar.prepositions | grammar.relatives
    return noun_ends and bool(_PLURAL.search(meaning[1]))
