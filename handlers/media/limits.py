"""How large a file may be, and how long its decoders may take: every number is an environment setting.

The decoders get them as an option, `limits`, through the sandbox; outside of it `sniff_file` looks at the
sizes. A limit that is exceeded refuses the file with a sentence that names it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field

MEGABYTE = 1024 * 1024
MEGAPIXEL = 1_000_000


class Limits(BaseModel):
    """Limits per kind of file; a decoder without any given works with these defaults."""

    model_config = ConfigDict(frozen=True)

    max_image_mb: int = Field(25, ge=1, description="Pictures of more MB are refused")
    max_image_megapixels: float = Field(
        50, gt=0, description="Pictures of more megapixels are refused, all frames of an animation together"
    )
    max_image_side: int = Field(
        16_384, ge=1, description="Pictures that are wider or higher, in pixels, are refused"
    )
    image_seconds: float = Field(20, gt=0, description="Seconds that decoding a picture may take")
    max_pdf_mb: int = Field(50, ge=1, description="PDFs of more MB are refused")
    max_pdf_pages: int = Field(500, ge=1, description="PDFs of more pages are refused")
    max_pdf_text_pages: int = Field(
        200, ge=1, description="Pages of a PDF whose text is read, from the first one on"
    )
    pdf_seconds: float = Field(60, gt=0, description="Seconds that decoding a PDF may take")
    max_ocr_pages: int = Field(
        20, ge=0, description="Scanned pages of a PDF whose text is recognised; 0: of none, nor of pictures"
    )
    ocr_page_seconds: float = Field(
        15, gt=0, description="Seconds that recognising the text of a picture or scanned page may take"
    )
    max_text_mb: int = Field(5, ge=1, description="Texts and subtitles of more MB are refused")
    max_text_characters: int = Field(
        2_000_000, ge=1, description="Characters of a file's text that are read, whatever kind of file it is"
    )
    max_docx_mb: int = Field(25, ge=1, description="Word documents of more MB are refused")
    max_docx_unpacked_mb: int = Field(
        100, ge=1, description="Word documents that unpack to more MB are refused"
    )
    max_docx_xml_mb: int = Field(
        20, ge=1, description="Word documents with a part of XML of more MB, unpacked, are refused"
    )
    max_docx_ratio: int = Field(
        100, ge=1, description="Word documents that unpack to more than so many times their size are refused"
    )
    max_docx_entries: int = Field(2_000, ge=1, description="Word documents of more parts are refused")
    max_video_mb: int = Field(500, ge=1, description="Videos of more MB are refused")
    max_video_hours: float = Field(4, gt=0, description="Videos and sounds of more hours are refused")
    max_video_megapixels: float = Field(
        8.3, gt=0, description="Videos whose pictures have more megapixels are refused"
    )
    max_video_fps: float = Field(120, gt=0, description="Videos of more pictures a second are refused")
    max_video_frames: int = Field(
        600,
        ge=1,
        description="Pictures of a video that are decoded at most, to find the one that stands for it",
    )
    video_seconds: float = Field(90, gt=0, description="Seconds that decoding a video or sound may take")
    max_audio_mb: int = Field(200, ge=1, description="Sounds of more MB are refused")
    sandbox_memory_mb: int = Field(1024, ge=256, description="Memory in MB that decoding one file may use")
    ocr_memory_mb: int = Field(2048, ge=512, description="Memory in MB that text recognition may use")

    @classmethod
    def of(cls, values: Mapping[str, Any] | None) -> Self:
        """The limits as they arrive in the sandbox, the defaults where none were given."""
        return cls.model_validate(values or {})

    def largest_mb(self) -> int:
        """What is downloaded at most: the kind is not known before."""
        return max(self.max_image_mb, self.max_pdf_mb, self.max_video_mb, self.max_audio_mb, self.max_docx_mb)

    def seconds_of(self, kind: str) -> float | None:
        """How long a file of this kind may be decoded; None for what the sandbox allows any decoder."""
        return {
            "image": self.image_seconds,
            "pdf": self.pdf_seconds,
            "video": self.video_seconds,
            "audio": self.video_seconds,
        }.get(kind)
