"""Job type `analyze_file`: one uploaded file in, what it is and what it says out.

The first job of an upload's flow. It decides what the file is by its bytes, has its text read in the
sandbox, and lets an AI provider describe it; `create_cards` continues with this output.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path, PurePosixPath

from handlers.ai.models.pictures import pictures_of
from handlers.ai.provider import Description, ExtractedFile
from handlers.ai.providers import provider_of
from handlers.ai.reading.facts import Reading
from handlers.ai.reading.read_file import read_file
from handlers.ai.reading.recognition import NOT_RECOGNISED, WORTH_ANOTHER_TRY, depends_on
from handlers.ai.text.clean import clean_passages, clean_text
from handlers.contract import Context, FilePayload, Job, handler
from handlers.media.claims import is_mismatch, settled_type
from handlers.original import Original, fetch_original
from handlers.outputs import Analysis, Passage
from handlers.settings import HandlerSettings

LONGEST_NOTE = 300


def _version(file: FilePayload, settings: HandlerSettings) -> str:
    """Besides the bytes: who describes them, and what their owner calls them, which may become the title."""
    named = "\n".join((PurePosixPath(file.path).name, file.mime_type or ""))
    provider = provider_of(settings).version
    text = depends_on(settings)
    return f"2 {provider} {text} {hashlib.sha256(named.encode('utf-8', 'surrogatepass')).hexdigest()[:16]}"


@handler(timeout=120, reuse="content", version=_version)
def analyze_file(job: Job[FilePayload], ctx: Context) -> Analysis:
    """Reads a file's text and describes it: title, language, summary, topics and key terms."""
    ctx.progress(0.05, "downloading")
    original = fetch_original(job.payload, ctx)
    ctx.progress(0.15, "decoding")
    reading = read_file(original.sniffed, original.source, ctx)
    ctx.progress(0.85, "describing")
    provider = provider_of(ctx.settings)
    extracted = _extracted(reading, original.name)
    if provider.wants_pictures:
        pictures = pictures_of(reading, extracted.passages, original.source, ctx)
        extracted = replace(extracted, pictures=pictures)
    description = provider.analyze(extracted, ctx)
    return _analysis(original, job.payload.mime_type, extracted, reading, description)


def _analysis(
    original: Original,
    claimed: str | None,
    extracted: ExtractedFile,
    reading: Reading,
    description: Description,
) -> Analysis:
    """What the decoders know and what the provider says, in one."""
    mime_type = settled_type(original.sniffed, is_sound=reading.kind == "audio", claimed=claimed)
    mismatch = is_mismatch(mime_type, claimed)
    return Analysis(
        kind=reading.kind,
        mime_type=mime_type,
        mime_mismatch=mismatch,
        title=description.title,
        language=description.language,
        summary=description.summary,
        topics=list(description.topics),
        key_terms=list(description.key_terms),
        pages=reading.pages,
        duration_seconds=reading.duration_seconds,
        width=reading.width,
        height=reading.height,
        content=_content(extracted, description),
        notes=_notes(reading, description, claimed if mismatch else None),
        provider=description.provider,
        safety_flags=list(description.safety_flags),
        use=description.use,
        degraded=description.degraded or _lacks_text(reading, description),
        content_sha256=_sha256(original.source),
    )


def _extracted(reading: Reading, name: str) -> ExtractedFile:
    return ExtractedFile(
        kind=reading.kind,
        file_name=clean_text(name),
        passages=clean_passages(reading.passages),
        title=clean_text(reading.title) if reading.title else None,
        pages=reading.pages,
        duration_seconds=reading.duration_seconds,
        width=reading.width,
        height=reading.height,
    )


def _notes(reading: Reading, description: Description, mismatch: str | None) -> list[str]:
    """What is missing or odd. Some of it comes from the file, so it is cleaned like its text."""
    read = [note for note in reading.notes if note not in NOT_RECOGNISED or not description.readings]
    claimed = [f"mime type: {mismatch} was claimed"] if mismatch else []
    return [clean_text(note)[:LONGEST_NOTE] for note in (*read, *description.notes, *claimed)]


def _content(extracted: ExtractedFile, description: Description) -> list[Passage]:
    """The decoders' text and what the provider read in pictures, in the order of the pages."""
    passages = [*extracted.passages, *description.readings]
    return sorted(passages, key=lambda passage: passage.page or 0) if extracted.kind == "pdf" else passages


def _lacks_text(reading: Reading, description: Description) -> bool:
    """Whether text recognition failed, and the provider did not read what it left out either."""
    return not description.readings and any(note in reading.notes for note in WORTH_ANOTHER_TRY)


def _sha256(source: Path) -> str:
    with source.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
