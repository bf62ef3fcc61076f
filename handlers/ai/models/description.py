"""From a provider's answers about the parts of a file to one description, cleaned and cut."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from handlers.ai.models.answer_text import OneLine
from handlers.ai.models.answers import FileAnswer
from handlers.ai.provider import Description, ExtractedFile, Picture
from handlers.ai.text.clean import clean_passages
from handlers.outputs import Passage

LONGEST_TITLE = 120  # characters
LONGEST_SUMMARY = 800
LONGEST_TERM = 80
MOST_TOPICS = 12
MOST_KEY_TERMS = 12
READ_BY_PROVIDER = "text: read in pictures by the provider"

_LANGUAGE = re.compile(r"([a-z]{2})(?:[-_][a-z0-9-]+)?", re.I)


def describe(
    source: ExtractedFile, whole: FileAnswer, answers: Sequence[FileAnswer], offline: Description
) -> Description:
    """`whole` is the answer about all of it; the rules fill in what it leaves open."""
    readings = _readings(answers, source.pictures)
    one_line = OneLine("\n".join(passage.text for passage in (*source.passages, *readings)))
    language = _LANGUAGE.fullmatch((whole.language or "").strip())
    flags = {flag for answer in (*answers, whole) for flag in answer.safety_flags}
    return Description(
        title=one_line(whole.title, LONGEST_TITLE) or offline.title,
        summary=one_line(whole.summary, LONGEST_SUMMARY) or offline.summary,
        language=language[1].lower() if language else offline.language,
        topics=_terms(whole.topics, one_line)[:MOST_TOPICS],
        key_terms=_terms(whole.key_terms, one_line)[:MOST_KEY_TERMS],
        safety_flags=sorted(flags),
        readings=readings,
        notes=[READ_BY_PROVIDER] if readings else [],
    )


def together(answers: Sequence[FileAnswer]) -> FileAnswer:
    """The answers about the parts as one, where the provider cannot be asked to do it."""
    first = answers[0]
    return first.model_copy(
        update={
            "topics": _unique(topic for answer in answers for topic in answer.topics[:3]),
            "key_terms": _unique(term for answer in answers for term in answer.key_terms[:3]),
        }
    )


def _readings(answers: Sequence[FileAnswer], pictures: Sequence[Picture]) -> list[Passage]:
    """A page that was not sent is made up: what was read in one picture is on its page, else nowhere for sure."""
    pages = {picture.page for picture in pictures}
    unsaid = next(iter(pages)) if len(pages) == 1 else None
    texts = (text for answer in answers for text in answer.picture_texts if text.text.strip())
    return clean_passages(
        [Passage(text=text.text, page=text.page if text.page in pages else unsaid) for text in texts]
    )


def _terms(terms: Sequence[str], one_line: OneLine) -> list[str]:
    return _unique(line for term in terms if (line := one_line(term, LONGEST_TERM)))


def _unique(terms: Iterable[str]) -> list[str]:
    return list({term.casefold(): term for term in reversed(list(terms))}.values())[::-1]
