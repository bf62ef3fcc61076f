"""Job type `create_thumbnail`: one uploaded file in, its pictures in the bucket `thumbnails` out."""

from __future__ import annotations

from typing import Any

from handlers.contract import Context, Decoded, FilePayload, Job, handler
from handlers.original import fetch_original
from handlers.outputs import Kind, Thumbnail, Thumbnails

BUCKET = "thumbnails"
DECODERS: dict[Kind, str] = {
    "image": "handlers.media.image:thumbnails",
    "pdf": "handlers.media.pdf:thumbnails",
    "video": "handlers.media.video:thumbnails",
    "audio": "handlers.media.audio:thumbnails",
    "text": "handlers.media.text:thumbnails",
}


@handler(timeout=60)
def create_thumbnail(job: Job[FilePayload], ctx: Context) -> Thumbnails:
    """Makes small pictures of an image, a PDF's first page, a video's best frame, a sound or a text's beginning."""
    original = fetch_original(job.payload, ctx)
    kind = original.sniffed.kind
    ctx.progress(0.2, "decoding")
    seconds = ctx.settings.seconds_of(kind)
    options: dict[str, Any] = {"sizes": list(ctx.settings.sizes()), "limits": ctx.settings.limits()}
    decoded = ctx.decode(DECODERS[kind], original.source, seconds=seconds, **options)
    ctx.progress(0.7, "storing")
    return _store(job, ctx, decoded)


def _store(job: Job[FilePayload], ctx: Context, decoded: Decoded) -> Thumbnails:
    """Uploads under the file's version, so that a late result never replaces a newer version's picture."""
    folder = f"{job.org_id}/{job.payload.file_id}/{job.payload.version}"
    stored = []
    for facts in decoded.facts["thumbnails"]:
        data = decoded.files[facts["name"]]
        path = f"{folder}/{facts['size']}.webp"
        ctx.upload(BUCKET, path, data, "image/webp")
        box = {"size": facts["size"], "width": facts["width"], "height": facts["height"]}
        stored.append(Thumbnail(bucket=BUCKET, path=path, bytes=len(data), **box))
    return Thumbnails(
        thumbnails=stored,
        placeholder=decoded.facts["placeholder"],
        width=decoded.facts.get("width"),
        height=decoded.facts.get("height"),
    )
