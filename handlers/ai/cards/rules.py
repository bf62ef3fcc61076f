"""Finds card candidates in sentences: definitions, abbreviations and gaps.

The rules are generous and every candidate quotes its sentence word for word; `card_gates` then decides
what is worth keeping. In order of worth:

1. "Term: definition", "Term - definition" in lists and rows
2. "X is a ..." with the verbs of the text's language
3. "long form (ABC)", initials checked
4. a gap in place of a date, a number, a name or a known term (`card_gaps`)
5. headings become tags
"""

# ruff: noqa: RUF001
# Curly quotes and dashes are meant: they are what texts contain.

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from handlers.ai.cards.candidates import (
    GAP,
    LONGEST_SENTENCE,
    MAX_DEFINITION_WORDS,
    MAX_TERM_WORDS,
    Candidate,
    Casing,
    ask,
    describes,
)
from handlers.ai.cards.entries import find_entry
from handlers.ai.cards.sentences import leaves_pronoun_open
from handlers.ai.text.abbreviations import LINK_WORDS, find_abbreviations
from handlers.ai.text.grammars import Grammar, grammar_of
from handlers.ai.text.structure import Sentence

_SHORT_FORM = re.compile(r"\([^()\s]{2,12}\)")
_INDEFINITE = frozenset({"a", "an", "ein", "eine", "un", "une", "una"})
_CLAUSE_CUT = re.compile(
    r"(?:;|\s[-–—]\s|, (?:which|but|so|although|though|because|while|whereas|where"
    r"|and (?:it|they|he|she|this)"
    r"|wobei|aber|sondern|während|weil|obwohl|ce qui|mais|tandis que|car|alors que|pero|mientras que|aunque"
    r"|lo que)\b)"
)


def find_terms(sentences: Sequence[Sentence], language: str | None) -> list[Candidate]:
    """The candidates of the rules that define a term: 1, 2 and 3."""
    grammar, casing = grammar_of(language), Casing(sentences)
    found: list[Candidate] = []
    for sentence in sentences:
        if len(sentence.text) > LONGEST_SENTENCE:
            continue
        entry = find_entry(sentence, language, casing)
        found.extend([entry] if entry else _definition(sentence, grammar, casing))
        found.extend(_abbreviations(sentence, grammar))
    return found


def _definition(sentence: Sentence, grammar: Grammar, casing: Casing) -> Iterator[Candidate]:
    words = sentence.text.rstrip(".!。 ").split(" ")
    for index in range(1, min(len(words) - 3, MAX_TERM_WORDS + 2)):
        verb = next(
            (verb for verb in grammar.questions if words[index : index + len(verb.split())] == verb.split()),
            None,
        )
        if verb is None:
            continue
        subject = _subject(_without_short_form(words[:index]), grammar)
        answer = _meaning(words[index + len(verb.split()) :], verb, grammar)
        if subject and answer:
            asks_who = verb in grammar.who and _is_person(subject, answer, grammar)
            template = grammar.who[verb] if asks_who else grammar.questions[verb]
            front = ask(template, casing.natural(subject, grammar, answer if verb in ("is", "are") else ""))
            yield Candidate("definition", "basic", front, answer, sentence, _bare(subject, grammar))
        return


def _subject(words: Sequence[str], grammar: Grammar) -> str | None:
    bare = [word for word in words if word.lower() not in grammar.articles]
    if not bare or len(words) > MAX_TERM_WORDS:
        return None
    first = words[0].lower()
    if first in grammar.leans_back or first in grammar.prepositions or first in grammar.talks:
        return None
    # "The result of ..." names something, "The result" alone points back; a comma hides a second clause.
    if bare[0].lower() in grammar.empty or any(word.endswith((",", ":", ";")) for word in words):
        return None
    if not words[0][0].isupper() or set(map(str.lower, words[1:])) & (grammar.leans_back & grammar.relatives):
        return None
    return " ".join(words).strip('"“”„«»')


def _meaning(words: Sequence[str], verb: str, grammar: Grammar) -> str | None:
    text = " ".join(words)
    cut = _CLAUSE_CUT.search(text)
    if cut and len(text[: cut.start()].split()) >= 4:
        text = text[: cut.start()].rstrip()
    kept = text.split()
    if not 3 <= len(kept) <= MAX_DEFINITION_WORDS:
        return None
    first = kept[0].lower()
    if len(kept) < 4 and first not in _INDEFINITE:
        return None  # "the most important": of what?
    opens = (
        first in grammar.openers
        or first.startswith(("l'", "l’"))
        or " " in verb
        or verb in ("means", "denotes")
    )
    if not opens and not describes(kept, grammar):
        return None
    if {word.lower().strip(",") for word in kept[:2]} & grammar.empty:
        return None
    return None if leaves_pronoun_open(text) else text.strip(" ,")


def _without_short_form(words: Sequence[str]) -> Sequence[str]:
    """ "Adenosine triphosphate (ATP)" is asked for by its name; its short form has a card of its own."""
    return words[:-1] if len(words) > 1 and _SHORT_FORM.fullmatch(words[-1]) else words


def _is_person(subject: str, answer: str, grammar: Grammar) -> bool:
    words = subject.split()
    if words[0].lower() in grammar.articles or not all(
        word[0].isupper() or word.lower() in LINK_WORDS for word in words
    ):
        return False
    described = [word.lower().strip(",.") for word in answer.split()[:8]]
    if described[1:] and "who" in described:
        return True
    return any(
        word == person or (len(person) > 5 and word.endswith(person))
        for word in described
        for person in grammar.persons
    )


def _abbreviations(sentence: Sentence, grammar: Grammar) -> Iterator[Candidate]:
    for short, long_form in find_abbreviations(sentence.text):
        if grammar.stands_for:
            yield Candidate(
                "abbreviation", "basic", ask(grammar.stands_for, short), long_form, sentence, short
            )
        elif sentence.text.count(long_form) == 1:
            front = sentence.text.replace(long_form, GAP)
            yield Candidate("abbreviation", "cloze", front, long_form, sentence, short)


def _bare(subject: str, grammar: Grammar) -> str:
    first, _, rest = subject.partition(" ")
    return rest if rest and first.lower() in grammar.articles else subject
