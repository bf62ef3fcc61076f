"""From an analysis to its cards: rules or a model propose, gates decide, headings become tags."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Sequence

from handlers.ai.cards.candidates import Candidate, ProposedCard
from handlers.ai.cards.compare import flat, normalise
from handlers.ai.cards.gaps import find_gaps
from handlers.ai.cards.gates import Graded, choose, says
from handlers.ai.cards.grounds import Grounds
from handlers.ai.cards.known_terms import KnownTerms, called_terms
from handlers.ai.cards.proposals import Refused, candidate_of
from handlers.ai.cards.quality import trust
from handlers.ai.cards.rules import find_terms
from handlers.ai.text.clean import clean_text
from handlers.ai.text.structure import Block, Sentence, read_blocks, read_sentences
from handlers.outputs import Analysis, Card, Cards, CardSource

MAX_TAGS = 8
LONGEST_HINT = 200  # characters
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
    cards = _cards(chosen, blocks, analysis.language)
    return Cards(cards=cards, dropped=dropped, notes=[] if cards else [NO_FACTS])


def cards_of_proposals(proposals: Sequence[ProposedCard], analysis: Analysis) -> Cards:
    """The cards that a model proposed for this file, those that pass the gates; the others are counted."""
    blocks = read_blocks(analysis.content)
    grounds = Grounds(blocks)
    candidates: list[tuple[int, Candidate]] = []
    dropped: Counter[str] = Counter()
    for proposal in proposals:
        candidate = candidate_of(proposal, grounds)
        if isinstance(candidate, Refused):
            dropped[candidate.reason] += 1
        else:
            candidates.append(candidate)
    in_order = [candidate for _, candidate in sorted(candidates, key=lambda placed: placed[0])]
    chosen, refused = choose(in_order, grounds.text, analysis.language)
    cards = _cards(chosen, blocks, analysis.language)
    notes = [] if cards else [NO_FACTS if grounds.text else TOO_LITTLE_TEXT]
    return Cards(cards=cards, dropped=dict(dropped + Counter(refused)), notes=notes)


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


def _cards(chosen: Sequence[Graded], blocks: Sequence[Block], language: str | None) -> list[Card]:
    """Two cards whose questions differ in punctuation only would have one key: the first one stays."""
    title = next((block.text for block in blocks if block.kind == "heading"), None)
    cards: dict[str, Card] = {}
    for graded in chosen:
        card = _card(graded, title, language)
        cards.setdefault(card.key, card)
    return list(cards.values())


def _card(graded: Graded, title: str | None, language: str | None) -> Card:
    candidate, sentence = graded.candidate, graded.candidate.sentence
    proposal = candidate.proposal
    hints = [
        flat(clean_text(proposal.hint or "")) if proposal else None,
        sentence.section[-1] if sentence.section else title,
    ]
    headings = [*(proposal.tags if proposal else ()), *sentence.section]
    return Card(
        key=card_key(candidate.type, candidate.front),
        type=candidate.type,
        front=candidate.front,
        back=candidate.back,
        hint=next((hint for hint in hints if hint and _is_hint(hint, candidate, language)), None),
        tags=list(dict.fromkeys(tag for heading in headings if (tag := _tag(heading))))[:MAX_TAGS],
        source=CardSource(page=sentence.page, time_s=sentence.time_s, quote=sentence.text),
        difficulty=_share(proposal.difficulty) if proposal else _difficulty(candidate),
        confidence=_share(proposal.confidence) if proposal else trust(candidate, language),
        quality=graded.quality,
    )


def _is_hint(hint: str, candidate: Candidate, language: str | None) -> bool:
    """A hint says neither the answer, nor a part of it, nor what the question says already."""
    said, answer, asked = normalise(hint), normalise(candidate.back), normalise(candidate.front)
    if not said or len(hint) > LONGEST_HINT or said in answer or said in asked:
        return False
    return answer not in said and not says(hint, candidate.back, language)


def _share(value: float) -> float:
    """What a model claims, between 0 and 1, whatever number it is."""
    return round(min(1.0, max(0.0, value)), 2)


def _difficulty(candidate: Candidate) -> float:
    """Numbers are harder to recall than words, and long answers harder than short ones."""
    difficulty = _BASE_DIFFICULTY[candidate.rule] + min(0.3, 0.015 * len(candidate.back.split()))
    if any(character.isdigit() for character in candidate.back):
        difficulty += 0.15
    return round(min(1.0, difficulty), 2)


def _tag(heading: str) -> str:
    """A heading as a tag: lower case, hyphens, without its number."""
    numberless = re.sub(r"^\s*(?:\d+(?:\.\d+)*[.)]?|[IVX]+\.)\s+", "", heading)
    return "-".join(re.findall(r"[^\W_]+", numberless.lower()))[:60].strip("-")
