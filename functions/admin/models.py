"""What the routes take: one model per query and per body. The OpenAPI document is made from them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from functions.admin.requests import FieldProblem
from functions.admin.values import (
    Cursor,
    Hours,
    Hundred,
    Identity,
    JobTypeName,
    Limit,
    Number,
    OrgId,
    Priority,
    Reason,
    Text,
)
from functions.operator_rows import JobStatus

JobsAction = Literal["all", "pending", "active", "failed", "stats", "by_file", "by_org"]
_FILTERS = ("type", "org_id", "status", "file_id")
_DRY_RUN = "Say what would happen, and write nothing"


class Query(BaseModel):
    """Base of all queries: text, so numbers may come as their digits."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class HealthQuery(Query):
    live: Annotated[
        str | None, Field(max_length=5, description="Only whether this process answers; asks nobody")
    ] = None


class OverviewQuery(Query):
    hours: Annotated[Hours, Field(description="How far the history reaches back")] = 6


class Page(Query):
    limit: Annotated[Limit, Field(description="Rows on a page; it may have fewer and still a next one")] = 50
    cursor: Annotated[Cursor | None, Field(description="The `next` of the page before")] = None


class JobsQuery(Page):
    action: Annotated[JobsAction, Field(description="Which jobs; by_file and by_org need that id")] = "all"
    type: Annotated[JobTypeName | None, Field(description="Of one job type")] = None
    org_id: Annotated[OrgId | None, Field(description="Of one organisation")] = None
    file_id: Annotated[Identity | None, Field(description="Of one file")] = None
    status: Annotated[JobStatus | None, Field(description="In one status")] = None

    @model_validator(mode="after")
    def _with_its_id(self) -> JobsQuery:
        needed = {"by_file": "file_id", "by_org": "org_id"}.get(self.action)
        if needed and getattr(self, needed) is None:
            raise FieldProblem(needed, f"is required for action={self.action}")
        return self

    def filter(self) -> dict[str, Any]:
        return {name: value for name in _FILTERS if (value := getattr(self, name)) is not None}


class FilesQuery(Page):
    org_id: Annotated[OrgId | None, Field(description="Of one organisation")] = None
    status: Annotated[
        Literal["waiting", "processing", "done", "failed", "cancelled"] | None,
        Field(description="In one status"),
    ] = None
    path: Annotated[Text | None, Field(description="Part of the path, as plain text")] = None

    def filter(self) -> dict[str, Any]:
        return {
            name: value for name in ("org_id", "status", "path") if (value := getattr(self, name)) is not None
        }


class Body(BaseModel):
    """Base of all bodies: JSON says what is a number."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


_ONE_DRY_RUN: dict[str, Any] = {"not": {"required": ["dry_run", "dryRun"]}}


class Change(Body):
    """A change of something. Both spellings of a dry run mean the same."""

    model_config = ConfigDict(json_schema_extra=_ONE_DRY_RUN)

    dry_run: Annotated[bool | None, Field(description=_DRY_RUN)] = None
    dryRun: Annotated[bool | None, Field(description="The same as dry_run")] = None  # noqa: N815 - the wire's

    @model_validator(mode="after")
    def _one_spelling(self) -> Change:
        if {"dry_run", "dryRun"} <= self.model_fields_set:
            raise FieldProblem("dryRun", "means the same as dry_run; give one of them")
        return self

    @property
    def is_dry(self) -> bool:
        return bool(self.dry_run or self.dryRun)

    def parameters(self) -> dict[str, Any]:
        """What was given besides, in the words of the database."""
        return self.model_dump(mode="json", exclude={"dry_run", "dryRun"}, exclude_none=True)


class Pause(Change):
    reason: Annotated[Reason | None, Field(description="Shown to whoever looks at the queue")] = None


class RetryFailed(Change):
    type: Annotated[JobTypeName | None, Field(description="Only dead letters of this job type")] = None
    org_id: Annotated[OrgId | None, Field(description="Only those of this organisation")] = None


class CancelJobs(Change):
    """At most 1,000 a call; `left` says how many there are still."""

    type: Annotated[JobTypeName | None, Field(description="Only jobs of this type")] = None
    org_id: Annotated[OrgId | None, Field(description="Only those of this organisation")] = None
    status: Annotated[
        Literal["waiting", "queued", "processing"] | None, Field(description="Only those in this status")
    ] = None


class NewJob(Change):
    """One element of `enqueue_jobs`."""

    org_id: Annotated[OrgId, Field(description="The organisation that the job belongs to")]
    type: Annotated[JobTypeName, Field(description="Which handler runs it")]
    payload: Annotated[dict[str, Any] | None, Field(description="What the handler gets")] = None
    run_at: Annotated[datetime | None, Field(description="Not before; now by default")] = None
    priority: Annotated[Priority | None, Field(description="Higher goes first")] = None
    max_attempts: Annotated[Hundred | None, Field(description="By default what its type allows")] = None
    file_id: Annotated[Number | None, Field(description="The file that it works on")] = None
    idempotency_key: Annotated[
        Text | None, Field(description="The same key is the same work; by default org, type and payload")
    ] = None
    on_conflict: Annotated[
        Literal["return", "replace", "debounce"] | None,
        Field(description="What becomes of an unfinished job with the same key"),
    ] = None
    unique_for: Annotated[
        Literal["unfinished", "ever"] | None, Field(description="How long the key stays taken")
    ] = None
    after: Annotated[
        list[Number] | None,
        Field(max_length=1000, description="Jobs that have to be done first"),
    ] = None


class Trigger(Change):
    """Everything besides these fields is the job's payload: the type's own parameters."""

    model_config = ConfigDict(
        extra="allow",
        json_schema_extra=_ONE_DRY_RUN | {"oneOf": [{"required": ["org_id"]}, {"required": ["orgId"]}]},
    )

    org_id: Annotated[OrgId | None, Field(description="The organisation that the job belongs to")] = None
    orgId: Annotated[OrgId | None, Field(description="The same as org_id")] = None  # noqa: N815 - the wire's
    idempotency_key: Annotated[Text | None, Field(description="The same key is the same work")] = None

    @model_validator(mode="after")
    def _one_organisation(self) -> Trigger:
        if {"org_id", "orgId"} <= self.model_fields_set:
            raise FieldProblem("orgId", "means the same as org_id; give one of them")
        if self.organisation == "":
            raise FieldProblem("org_id", "every job belongs to an organisation; name it")
        return self

    @property
    def organisation(self) -> str:
        return self.org_id or self.orgId or ""

    def payload(self) -> dict[str, Any]:
        return dict(self.model_extra or {})


class Tick(Body):
    """As the function `cron_tick` takes it."""

    limit: Annotated[Hundred | None, Field(description="Jobs per claim")] = None
    types: Annotated[
        list[JobTypeName] | None, Field(min_length=1, max_length=100, description="Only these job types")
    ] = None
    force: Annotated[bool, Field(description="Run although processing is paused")] = False
    drain: Annotated[bool, Field(description="Claim again until nothing is due")] = True
