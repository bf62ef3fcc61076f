"""The uploaded file itself, on disk, and what its bytes say it is: the first step of every handler of files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from handlers.contract import Context, FilePayload, Reject
from handlers.media.limits import MEGABYTE
from handlers.media.refused import Refused
from handlers.media.sniff import Sniffed, sniff_file


@dataclass(frozen=True)
class Original:
    """A downloaded file; `name` is what its owner calls it."""

    source: Path
    name: str
    sniffed: Sniffed


def fetch_original(file: FilePayload, ctx: Context) -> Original:
    """Downloads a file to disk and looks at its first bytes.

    Raises `Reject` for what is gone, above the limit of its kind or not supported.
    """
    name = PurePosixPath(file.path).name
    source = ctx.download_to_file(file.bucket, file.path, max_bytes=ctx.settings.largest_mb() * MEGABYTE)
    try:
        sniffed = sniff_file(source, name=name, claimed=file.mime_type, limits=ctx.settings)
    except Refused as error:
        raise Reject(str(error)) from None
    return Original(source, name, sniffed)
