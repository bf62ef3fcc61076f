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

    max_image_mb: int = Field(25, ge=1, description="Larger pictures are refused, in MB")
    max_image_megapixels: float = Field(50, gt=0, description="The same in megapixels, over all frames")
    max_image_side: int = Field(16_384, ge=1, description="The same in pixels, of the longer side")
    image_seconds: float = Field(20, gt=0, description="How long a picture may be decoded")
    max_pdf_mb: int = Field(50, ge=1, description="Larger PDFs are refused, in MB")
    max_pdf_pages: int = Field(500, ge=1, description="PDFs with more pages are refused")
    max_pdf_text_pages: int = Field(200, ge=1, description="So many pages of a PDF are read")
    pdf_seconds: float = Field(60, gt=0, description="How long a PDF may be decoded")
    max_ocr_pages: int = Field(20, ge=0, description="So many scanned pages of a PDF are recognised")
    ocr_page_seconds: float = Field(15, gt=0, description="How long one page or picture may be recognised")
    max_text_mb: int = Field(5, ge=1, description="Larger texts are refused, in MB")
    max_text_characters: int = Field(
        2_000_000, ge=1, description="So many characters of a file's text are read"
    )
    max_docx_mb: int = Field(25, ge=1, description="Larger Word documents are refused, in MB")
    max_docx_unpacked_mb: int = Field(100, ge=1, description="The same, unpacked")
    max_docx_xml_mb: int = Field(20, ge=1, description="The same, of one part of XML")
    max_docx_ratio: int = Field(
        100, ge=1, description="Word documents that unpack to more than so many times are refused"
    )
    max_docx_entries: int = Field(2_000, ge=1, description="Word documents of more parts are refused")
    max_video_mb: int = Field(500, ge=1, description="Larger videos are refused, in MB")
    max_video_hours: float = Field(4, gt=0, description="Longer videos and sounds are refused")
    max_video_megapixels: float = Field(8.3, gt=0, description="Videos with larger pictures are refused")
    max_video_fps: float = Field(120, gt=0, description="Videos with more pictures a second are refused")
    max_video_frames: int = Field(600, ge=1, description="At most so many pictures of a video are decoded")
    video_seconds: float = Field(90, gt=0, description="How long a video or sound may be decoded")
    max_audio_mb: int = Field(200, ge=1, description="Larger sounds are refused, in MB")
    sandbox_memory_mb: int = Field(1024, ge=256, description="What a decoder may use of memory")
    ocr_memory_mb: int = Field(2048, ge=512, description="What text recognition may use of memory")

    @classmethod
    def of(cls, values: Mapping[str, Any] | None) -> Self:
        """The limits as they arrive in the sandbox, the defaults where none were given."""
        return cls.model_validate(values or {})

    def largest_mb(self) -> int:
        """What is downloaded at most: the kind is not known before."""
        return max(self.max_image_mb, self.max_pdf_mb, self.max_video_mb, self.max_audio_mb, self.max_docx_mb)
