"""The provider behind AI_PROVIDER=openai and anthropic: a model describes the file and proposes its cards.

It asks for one answer per part of the file and one more that sums them up. Where the settings allow it, the
offline rules take over what the model cannot do; then the result says `degraded`, and is not kept for others.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TypeVar

from handlers.ai.cards.candidates import ProposedCard
from handlers.ai.cards.deck import LEAST_WORDS, cards_of_proposals, make_cards
from handlers.ai.models import prompts
from handlers.ai.models.answer_text import OneLine
from handlers.ai.models.answers import CardAnswer, CardsAnswer, FileAnswer, schema_version
from handlers.ai.models.asking import Asker
from handlers.ai.models.chunks import Part, parts_of
from handlers.ai.models.connecting import connect
from handlers.ai.models.description import describe, together
from handlers.ai.models.outcome import falls_back, goes_on_later, outcome_of
from handlers.ai.models.parts import NO_PICTURES, REFUSED, Gathered, ask_about
from handlers.ai.models.service import Question
from handlers.ai.models.trouble import Trouble
from handlers.ai.offline import OfflineProvider
from handlers.ai.provider import Description, ExtractedFile, Picture
from handlers.ai.settings import AiSettings
from handlers.ai.text.structure import read_blocks
from handlers.contract import Context
from handlers.outputs import AiUse, Analysis, Cards, Passage

LONGEST_SIDE = 500  # characters of a card's question or answer, before the gates
MOST_TAGS = 8
NOWHERE = Part((0,), ())  # the part of a file that has no text

Result = TypeVar("Result", Description, Cards)


class ModelProvider:
    """Made for each job; holds settings only."""

    def __init__(self, settings: AiSettings) -> None:
        self._settings = settings
        self._offline = OfflineProvider()
        self.name = f"{settings.ai_provider}/{settings.ai_model}"
        self.wants_pictures = settings.ai_send_pictures

    @property
    def version(self) -> str:
        settings = self._settings
        parts = [
            prompts.PROMPT_VERSION,
            schema_version(FileAnswer),
            schema_version(CardsAnswer),
            settings.ai_base_url,
            settings.ai_chunk_tokens,
            settings.ai_max_chunks,
            settings.ai_max_output_tokens,
            settings.ai_send_pictures,
        ]
        return f"{self.name} {hashlib.sha256(repr(parts).encode()).hexdigest()[:16]}"

    def analyze(self, source: ExtractedFile, ctx: Context) -> Description:
        """What the model says about the file; without text or pictures there is nothing to ask it."""
        by_rules = self._offline.analyze(source, ctx)
        parts, notes = self._parts(source.passages)
        if not parts and not source.pictures:
            return by_rules
        return self._or_offline(
            ctx,
            lambda asker: self._described(source, parts, notes, by_rules, asker),
            lambda note, use: _described_so(by_rules, [note], use, degraded=True),
        )

    def cards(self, analysis: Analysis, ctx: Context) -> Cards:
        """The model's cards that pass the gates; none are asked for of a file that it refused before."""
        parts, notes = self._parts(analysis.content)
        if sum(part.words() for part in parts) < LEAST_WORDS:
            return make_cards(analysis)
        if REFUSED in analysis.notes:
            return _with_notes(make_cards(analysis), [REFUSED], AiUse())
        return self._or_offline(
            ctx,
            lambda asker: self._proposed(analysis, parts, notes, asker),
            lambda note, use: _with_notes(make_cards(analysis), [note], use, degraded=True),
        )

    def _or_offline(
        self, ctx: Context, ask: Callable[[Asker], Result], offline: Callable[[str, AiUse], Result]
    ) -> Result:
        asker = None
        try:
            service = connect(self._settings)
            try:
                asker = Asker(service, self._settings, ctx)
                return ask(asker)
            finally:
                service.close()
        except Trouble as trouble:
            if asker and (later := goes_on_later(trouble, asker)):
                raise later from None
            if falls_back(trouble, self._settings, ctx):
                return offline(trouble.note, asker.use if asker else AiUse())
            raise outcome_of(trouble) from None

    def _parts(self, passages: Sequence[Passage]) -> tuple[list[Part], list[str]]:
        """The parts that are sent, and a note where the file has more."""
        parts = parts_of(read_blocks(passages), self._settings.ai_chunk_tokens)
        most = self._settings.ai_max_chunks
        notes = [f"ai: only the first {most} of {len(parts)} parts were sent"] if len(parts) > most else []
        return parts[:most], notes

    def _described(
        self,
        source: ExtractedFile,
        parts: Sequence[Part],
        notes: Sequence[str],
        by_rules: Description,
        asker: Asker,
    ) -> Description:
        gathered = self._ask_about_file(source, parts, tuple(source.pictures), asker)
        if gathered.is_blind:
            notes = [*notes, NO_PICTURES]
            if not parts:
                return _described_so(by_rules, notes, asker.use)
            gathered = self._ask_about_file(source, parts, (), asker)
        if gathered.is_refused or not gathered.answers:
            return _described_so(by_rules, [*notes, REFUSED], asker.use)
        answers = [
            answered.answer for answered in gathered.answers if isinstance(answered.answer, FileAnswer)
        ]
        description = describe(source, self._summed_up(answers, asker), answers, by_rules)
        notes = [*description.notes, *notes, *gathered.notes]
        return _described_so(description, notes, asker.use, provider=self.name, degraded=gathered.degraded)

    def _ask_about_file(
        self, source: ExtractedFile, parts: Sequence[Part], pictures: tuple[Picture, ...], asker: Asker
    ) -> Gathered:
        """The pictures go along with the first part."""

        def question_of(part: Part) -> Question:
            is_first = not any(part.place)
            text = part if part.pieces else None
            return prompts.describe(source, text, pictures if is_first else ())

        return ask_about(parts or [NOWHERE], question_of, asker, self._settings)

    def _summed_up(self, answers: Sequence[FileAnswer], asker: Asker) -> FileAnswer:
        if len(answers) == 1:
            return answers[0]
        whole = asker.ask([prompts.merge(answers)])[0].answer
        return whole if isinstance(whole, FileAnswer) else together(answers)

    def _proposed(
        self, analysis: Analysis, parts: Sequence[Part], notes: Sequence[str], asker: Asker
    ) -> Cards:
        gathered = ask_about(parts, prompts.write_cards, asker, self._settings)
        if gathered.is_refused or not gathered.answers:
            return _with_notes(make_cards(analysis), [*notes, REFUSED], asker.use)
        one_line = OneLine("\n".join(passage.text for passage in analysis.content))
        answers = [
            answered.answer for answered in gathered.answers if isinstance(answered.answer, CardsAnswer)
        ]
        proposals = [card for answer in answers for card in answer.cards[: prompts.MOST_CARDS]]
        too_many = sum(len(answer.cards) for answer in answers) - len(proposals)
        deck = cards_of_proposals([_proposal(card, one_line) for card in proposals if card], analysis)
        deck = _with_notes(
            deck, [*notes, *gathered.notes], asker.use, provider=self.name, degraded=gathered.degraded
        )
        more = Counter({"malformed": sum(card is None for card in proposals), "too many": too_many})
        return deck.model_copy(update={"dropped": deck.dropped | +more})


def _described_so(
    description: Description,
    notes: Sequence[str],
    use: AiUse,
    *,
    provider: str = "offline",
    degraded: bool = False,
) -> Description:
    return replace(description, notes=notes, use=use, provider=provider, degraded=degraded)


def _with_notes(
    deck: Cards, notes: Sequence[str], use: AiUse, *, provider: str = "offline", degraded: bool = False
) -> Cards:
    update = {"notes": [*notes, *deck.notes], "use": use, "provider": provider, "degraded": degraded}
    return deck.model_copy(update=update)


def _proposal(card: CardAnswer, one_line: OneLine) -> ProposedCard:
    return ProposedCard(
        type=card.type,
        front=one_line(card.front, LONGEST_SIDE),
        back=one_line(card.back, LONGEST_SIDE),
        hint=one_line(card.hint, LONGEST_SIDE) if card.hint else None,
        tags=[one_line(tag, LONGEST_SIDE) for tag in card.tags[:MOST_TAGS]],
        quote=card.quote,
        page=card.page,
        time_s=card.time_s,
        difficulty=card.difficulty,
        confidence=card.confidence,
    )
