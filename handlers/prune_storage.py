"""Job type `prune_storage`: removes the stored pictures of file versions that were overwritten or deleted.

`enqueue_prune_storage()` in the database finds them and enqueues these jobs, a bounded number of paths each; when
the job is done, their rows in `thumbnails` go. What is gone already does no harm, so it may run twice.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from handlers.contract import Context, Job, Reject, handler
from handlers.outputs import Output

MOST_PATHS = 500


class Outlived(BaseModel):
    """Objects of one organisation. Only what was derived from files is ever removed, so only one bucket."""

    model_config = ConfigDict(frozen=True)

    bucket: Literal["thumbnails"]
    paths: Annotated[list[str], Field(min_length=1, max_length=MOST_PATHS)]


class Pruned(Output):
    """How many paths were removed, or were gone before."""

    removed: int


@handler(timeout=60)
def prune_storage(job: Job[Outlived], ctx: Context) -> Pruned:
    """Removes exactly these objects; an organisation other than the job's own is refused as a whole."""
    paths = list(dict.fromkeys(job.payload.paths))
    if not all(_belongs_to(job.org_id, path) for path in paths):
        raise Reject("these objects are not all of the job's own organisation")
    ctx.remove(job.payload.bucket, paths)
    return Pruned(removed=len(paths))


def _belongs_to(org_id: str, path: str) -> bool:
    first, *rest = path.split("/")
    return first == org_id and bool(rest) and not {"", ".", ".."} & set(rest)
