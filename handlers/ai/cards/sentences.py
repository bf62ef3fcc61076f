"""Whether a sentence, or a question that a model asks, can stand by itself on a card."""

# ruff: noqa: RUF001
# Curly quotes and dashes are meant: they are what texts contain.

from __future__ import annotations

import re
from collections.abc import Sequence

from handlers.ai.cards.candidates import Candidate
from handlers.ai.cards.compare import WORD
from handlers.ai.text.grammars import Grammar
from handlers.ai.text.languages import word_set
from handlers.ai.text.sentences import points_away

SENTENCE_WORDS = range(5, 41)
PERSONS = word_set("he she him er ihn ihm él ella")
THINGS = word_set("it they them es sie ils elles ellos ellas")
OBJECTS = PERSONS | THINGS | word_set("her us you lui leur lo la les")
SHORT_MEANING = 6  # words: a longer one mostly names what its last pronoun stands for
LONGEST_PLACE = 7  # words up to the pronoun
_NO_THINGS = word_set("does is was has as its this thus perhaps always")  # end like a plural
_DEMONSTRATIVES = word_set(
    "this these those dies diese dieser dieses diesem diesen cette ces esto estos estas"
)
_ABOUT_THE_TEXT = re.compile(
    r"\b(?:the|this|that|your) (?:text|passage|author|document|excerpt|article|lecture|slide|video|speaker|file)\b"
    r"|\b(?:(?:im|der|dieser|laut(?: dem)?) (?:text|abschnitt|autor|dokument|folie|video))\b"
    r"|\b(?:(?:le|ce|l[’']) ?(?:texte|passage|auteur|document|extrait))\b"
    r"|\b(?:(?:el|este) (?:texto|pasaje|autor|documento|extracto))\b",
    re.I,
)


def is_sentence_fit(candidate: Candidate, grammar: Grammar) -> bool:
    """For the rules, which make their question out of the sentence."""
    text = candidate.sentence.text
    if text.count("(") != text.count(")") or candidate.back.count("(") != candidate.back.count(")"):
        return False
    if candidate.rule == "entry":
        return not points_away(text) and not text.endswith(("?", "…"))
    words = [word.lower() for word in WORD.findall(text)]
    if len(words) not in SENTENCE_WORDS or points_away(text) or text.rstrip("\"'”»)").endswith("?"):
        return False
    if not (text[0].isupper() or text[0].isdigit()) or not _is_complete(candidate, grammar, words):
        return False
    if candidate.rule == "abbreviation":
        return True
    talk = grammar.talks | grammar.reader if candidate.rule in ("gap", "name") else grammar.talks
    if words[0] in grammar.leans_back or not talk.isdisjoint(words):
        return False
    return not _has_lone_pronoun(text, grammar)


def is_question_fit(front: str, grammar: Grammar) -> bool:
    """For a model's own wording: it speaks of the subject, not of the text, and points at nothing unseen."""
    words = [word.lower() for word in WORD.findall(front)]
    if not words or points_away(front) or _ABOUT_THE_TEXT.search(front):
        return False
    return _DEMONSTRATIVES.isdisjoint(words) and not _has_lone_pronoun(front, grammar)


def _is_complete(candidate: Candidate, grammar: Grammar, words: Sequence[str]) -> bool:
    """Running text has to end like a sentence; a list item may also just contain a verb."""
    if re.search(r"[.!。！][\"'”’»)\]]*$", candidate.sentence.text):
        return True
    return candidate.sentence.is_whole and any(verb.split()[0] in words for verb in grammar.questions)


def _has_lone_pronoun(text: str, grammar: Grammar) -> bool:
    """Whether the first pronoun comes before anything it could stand for ("In 1804 he ...")."""
    tokens, no_names = WORD.findall(text), grammar.months | grammar.leans_back
    for index, token in enumerate(tokens):
        pronoun = token.lower()
        if pronoun in PERSONS or pronoun in THINGS:
            if _is_subject_after_place(text, tokens[: index + 1], grammar):
                return True
            before = [word for word in tokens[:index] if word.lower() not in grammar.prepositions]
            named = any(word[0].isupper() and word.lower() not in no_names for word in before)
            thing = any(_is_thing(before, at, grammar) for at in range(len(before)))
            return not (named if pronoun in PERSONS or not grammar.lowercase_nouns else thing)
    return False


def _is_subject_after_place(text: str, tokens: Sequence[str], grammar: Grammar) -> bool:
    """ "In a mature cell it fills ...": what a time or place names is not what the pronoun stands for."""
    if len(tokens) < 2 or len(tokens) > LONGEST_PLACE or tokens[0].lower() not in grammar.prepositions:
        return False
    comma, here = text.find(","), text.find(f" {tokens[-1]} ")
    return comma < 0 or comma > here or text[comma + 1 : here + 1].strip() == ""


def _is_thing(words: Sequence[str], at: int, grammar: Grammar) -> bool:
    """An article or a plural; the s of "Jacques Piccard" makes none."""
    word, following = words[at], words[at + 1 : at + 2]
    if word.lower() in grammar.articles:
        return True
    is_name = word[0].isupper() and (at > 0 or any(after[0].isupper() for after in following))
    return word.endswith("s") and word.lower() not in _NO_THINGS and not is_name


def leaves_pronoun_open(meaning: str) -> bool:
    """ "The engineer who built it": the definition ends with what only the sentence before can tell."""
    words = [word.lower() for word in WORD.findall(meaning)]
    return 0 < len(words) <= SHORT_MEANING and words[-1] in OBJECTS and "and" not in words
