"""From an analysis to its cards, offline: rules propose, gates decide, headings become tags."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Sequence

from handlers.ai.candidates import Candidate, ProposedCard
from handlers.ai.card_gaps import find_gaps
from handlers.ai.card_gates import Graded, choose, flat, normalise
from handlers.ai.card_rules import find_terms
from handlers.ai.known_terms import KnownTerms, called_terms
from handlers.ai.structure import Block, Sentence, read_blocks, read_sentences
from handlers.outputs import Analysis, Card, Cards, CardSource

LEAST_WORDS = 5  # of text; below that there is nothing to ask about
TOO_LITTLE_TEXT = "cards: not enough text"
NO_FACTS = "cards: no sentence states a fact that can be asked"

_BASE_DIFFICULTY = {"entry": 0.35, "definition": 0.4, "abbreviation": 0.3, "gap": 0.5, "name": 0.5}


def make_cards(analysis: Analysis) -> Cards:
    """The cards of a file; without enough text none at all, which a note says."""
    blocks = read_blocks(analysis.content)
    source = " ".join(block.text for block in blocks)
    if len(source.split()) < LEAST_WORDS:
        return Cards(notes=[TOO_LITTLE_TEXT])
    candidates = _candidates(read_sentences(blocks), analysis.language)
    chosen, dropped = choose(candidates, source, analysis.language)
    title = _opening_title(blocks)
    cards = [_card(graded, title) for graded in chosen]
    return Cards(cards=cards, dropped=dropped, notes=[] if cards else [NO_FACTS])


def cards_of_proposals(proposals: Sequence[ProposedCard], analysis: Analysis) -> Cards:
    """The cards that a model proposed for this file, those that pass the gates; the others are counted."""
    source = flat(" ".join(block.text for block in read_blocks(analysis.content)))
    cards: dict[str, Card] = {}
    dropped: Counter[str] = Counter()
    for proposal in proposals:
        quote, key = flat(proposal.quote), card_key(proposal.type, proposal.front)
        if not quote or quote not in source:
            dropped["ungrounded"] += 1
        elif key in cards:
            dropped["duplicate"] += 1
        else:
            cards[key] = Card(
                key=key,
                type=proposal.type,
                front=proposal.front,
                back=proposal.back,
                hint=proposal.hint,
                tags=list(proposal.tags),
                source=CardSource(page=proposal.page, time_s=proposal.time_s, quote=quote),
                difficulty=min(1.0, max(0.0, proposal.difficulty)),
                confidence=min(1.0, max(0.0, proposal.confidence)),
            )
    return Cards(cards=list(cards.values()), dropped=dict(dropped), notes=[] if cards else [NO_FACTS])


def card_key(card_type: str, front: str) -> str:
    """The same question has the same key in every version of a file, so that its review history stays."""
    return hashlib.sha256(f"{card_type}\n{normalise(front)}".encode()).hexdigest()[:32]


def _candidates(sentences: list[Sentence], language: str | None) -> list[Candidate]:
    """In reading order; a sentence that defines a term is not asked for a gap as well."""
    defined = find_terms(sentences, language)
    named = [candidate.term for candidate in defined if candidate.term]
    terms = KnownTerms([*named, *called_terms(sentences, language)], language)
    used = {id(candidate.sentence) for candidate in defined}
    gaps = find_gaps([sentence for sentence in sentences if id(sentence) not in used], language, terms)
    order = {id(sentence): index for index, sentence in enumerate(sentences)}
    return sorted([*defined, *gaps], key=lambda candidate: order[id(candidate.sentence)])


def _card(graded: Graded, title: str | None) -> Card:
    candidate = graded.candidate
    sentence = candidate.sentence
    return Card(
        key=card_key(candidate.type, candidate.front),
        type=candidate.type,
        front=candidate.front,
        back=candidate.back,
        hint=_hint(candidate, title),
        tags=list(dict.fromkeys(tag for heading in sentence.section if (tag := _tag(heading)))),
        source=CardSource(page=sentence.page, time_s=sentence.time_s, quote=sentence.text),
        difficulty=_difficulty(candidate),
        confidence=graded.quality,
    )


def _hint(candidate: Candidate, title: str | None) -> str | None:
    """The heading above, unless it says the answer or nothing that the question does not say."""
    heading = candidate.sentence.section[-1] if candidate.sentence.section else title
    if not heading:
        return None
    said, answer, asked = normalise(heading), normalise(candidate.back), normalise(candidate.front)
    return None if not said or answer in said or said in answer or said in asked else heading


def _difficulty(candidate: Candidate) -> float:
    """Numbers are harder to recall than words, and long answers harder than short ones."""
    difficulty = _BASE_DIFFICULTY[candidate.rule] + min(0.3, 0.015 * len(candidate.back.split()))
    if any(character.isdigit() for character in candidate.back):
        difficulty += 0.15
    return round(min(1.0, difficulty), 2)


def _opening_title(blocks: list[Block]) -> str | None:
    return next((block.text for block in blocks if block.kind == "heading"), None)


def _tag(heading: str) -> str:
    """A heading as a tag: lower case, hyphens, without its number."""
    numberless = re.sub(r"^\s*(?:\d+(?:\.\d+)*[.)]?|[IVX]+\.)\s+", "", heading)
    return "-".join(re.findall(r"[^\W_]+", numberless.lower()))[:60].strip("-")
