"""Compares what an uploader claimed a file to be with what its bytes say."""

from __future__ import annotations

from handlers.media.sniff import Sniffed

SAYS_NOTHING = frozenset({"", "application/octet-stream", "binary/octet-stream"})  # claims that claim nothing
SAME_TYPES = {
    "image/jpg": "image/jpeg",
    "image/pjpeg": "image/jpeg",
    "image/heif": "image/heic",
    "image/x-tiff": "image/tiff",
    "audio/mp3": "audio/mpeg",
    "audio/x-mp3": "audio/mpeg",
    "audio/x-mpeg": "audio/mpeg",
    "audio/x-wav": "audio/wav",
    "audio/wave": "audio/wav",
    "audio/vnd.wave": "audio/wav",
    "audio/x-flac": "audio/flac",
    "audio/m4a": "audio/mp4",
    "audio/x-m4a": "audio/mp4",
    "audio/m4b": "audio/mp4",
    "audio/opus": "audio/ogg",
    "audio/aacp": "audio/aac",
    "audio/x-aac": "audio/aac",
    "audio/x-hx-aac-adts": "audio/aac",
    "video/x-m4v": "video/mp4",
    "video/3gpp": "video/mp4",
    "video/matroska": "video/x-matroska",
    "application/ogg": "audio/ogg",
}
TEXTS = frozenset(  # types of text whose names do not begin with text/
    (
        *(
            "application/json",
            "application/xml",
            "application/yaml",
            "application/x-yaml",
            "application/toml",
        ),
        *("application/javascript", "application/x-javascript", "application/typescript", "application/sql"),
        *("application/x-sh", "application/x-tex", "application/csv", "application/x-subrip", "video/mp2t"),
        "application/vnd.ms-excel",  # what Windows calls a CSV file
    )
)


def settled_type(sniffed: Sniffed, *, is_sound: bool, claimed: str | None) -> str:
    """The MIME type to record: what the bytes say; only of a plain text the claim knows more."""
    claim = _bare(claimed)
    if sniffed.mime_type == "text/plain" and claim.startswith("text/"):
        return claim
    return sniffed.mime_type.replace("video/", "audio/") if is_sound else sniffed.mime_type


def is_mismatch(mime_type: str, claimed: str | None) -> bool:
    """Whether the uploader claimed something else. All plain texts look alike, whatever they are called."""
    claim = _bare(claimed)
    if claim in SAYS_NOTHING:
        return False
    if mime_type.startswith("text/") or mime_type in TEXTS:
        return not (claim.startswith("text/") or claim in TEXTS)
    return SAME_TYPES.get(claim, claim) != mime_type


def _bare(claimed: str | None) -> str:
    return (claimed or "").partition(";")[0].strip().lower()
