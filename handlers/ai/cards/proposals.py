"""From what a model proposed to candidates for the gates: one gap, and the file's own words as the quote."""

from __future__ import annotations

import re
from dataclasses import dataclass

from handlers.ai.cards.candidates import GAP, Candidate, ProposedCard
from handlers.ai.cards.compare import flat, normalise
from handlers.ai.cards.grounds import Grounds
from handlers.ai.cards.nearest import WordIndex
from handlers.ai.text.clean import clean_text
from handlers.ai.text.structure import Sentence

LONGEST_FIELD = 1_000  # characters: a longer question or answer is none, and the patterns stay cheap

_ANKI_GAP = re.compile(r"\{\{c\d{1,3}::([^{}]{1,300}?)(?:::[^{}]{0,300})?\}\}")
_GAP = re.compile(r"\[\s?(?:…|\.{3})\s?\]|_{3,}")


@dataclass(frozen=True)
class Refused:
    """A proposal that did not even become a candidate."""

    reason: str


def candidate_of(proposal: ProposedCard, grounds: Grounds) -> tuple[int, Candidate] | Refused:
    """The candidate and where in the file it stands, or the name of the gate that it failed:

    gap         a cloze has to have exactly one gap, a basic card none
    ungrounded  the quote, or the sentence of the cloze, is not in the file
    length      a field is so long that it is not looked at
    """
    fields = (proposal.front, proposal.back, proposal.quote)
    if any(len(field) > LONGEST_FIELD for field in fields):
        return Refused("length")
    front, back, quote = (clean_text(field) for field in fields)
    front, back = _with_gap(flat(front), flat(back) if proposal.type == "cloze" else back)
    if front.count(GAP) != (1 if proposal.type == "cloze" else 0):
        return Refused("gap")
    found = grounds.find(quote, proposal.page, proposal.time_s)
    if proposal.type == "cloze":
        found = _place_of_cloze(front.replace(GAP, back), found, proposal, grounds)
    if found is None:
        return Refused("ungrounded")
    start, sentence = found
    return start, Candidate("proposal", proposal.type, front, back, sentence, proposal=proposal)


def _with_gap(front: str, back: str) -> tuple[str, str]:
    """The front with every kind of gap written as ours; a cloze's answer may only stand inside of it."""
    answers = [flat(match[1]) for match in _ANKI_GAP.finditer(front)]
    front = _GAP.sub(GAP, _ANKI_GAP.sub(GAP, front))
    if len(answers) == 1 and (not back or normalise(back) == normalise(front.replace(GAP, answers[0]))):
        return front, answers[0]
    return front, back


def _place_of_cloze(
    filled: str, quoted: tuple[int, Sentence] | None, proposal: ProposedCard, grounds: Grounds
) -> tuple[int, Sentence] | None:
    """The sentence with its gap filled has to be the file's own: in the quote, or wherever it stands."""
    if quoted:
        index = WordIndex(quoted[1].text)
        if any(True for _ in index.literal(filled)) or index.nearest(filled):
            return quoted
    return grounds.find(filled, proposal.page, proposal.time_s)
