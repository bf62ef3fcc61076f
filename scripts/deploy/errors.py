"""Why a deployment cannot go on."""

from __future__ import annotations

import re


class DeployError(Exception):
    """Wrong options or values; nothing was changed. The text says what to do."""


class GcloudError(Exception):
    """A gcloud command failed. `said` is what it wrote to stderr, and `remedy` what usually helps."""

    def __init__(self, command: str, said: str) -> None:
        self.command = command
        self.said = said.strip()
        super().__init__(
            f"gcloud {command}: {self.said.splitlines()[-1] if self.said else 'failed silently'}"
        )

    @property
    def remedy(self) -> str:
        for pattern, remedy in _REMEDIES:
            if re.search(pattern, self.said, re.IGNORECASE):
                return remedy
        return "See what gcloud says above."


_REMEDIES = (
    (r"active account|reauth|login", "Sign in first: gcloud auth login"),
    (
        r"billing",
        "The project has no billing account: link one in the console (Billing), or name another --project.",
    ),
    (
        r"SERVICE_DISABLED|has not been used in project|API .*disabled|not enabled",
        "An API was switched on a moment ago, or off meanwhile: wait a minute.",
    ),
    (
        r"versions\.access",
        "Your account may not read the secret, so nobody can tell whether its value changed: ask for "
        "roles/secretmanager.secretAccessor, or leave the value out of the file to keep what is stored.",
    ),
    (
        r"PERMISSION_DENIED|does not have permission|permission .*denied|forbidden",
        "Your account lacks a role. Whoever owns the project can grant them: roles/run.admin, "
        "roles/secretmanager.admin, roles/iam.serviceAccountAdmin, roles/iam.serviceAccountUser, "
        "roles/serviceusage.serviceUsageAdmin, roles/artifactregistry.admin, roles/cloudbuild.builds.editor, "
        "roles/resourcemanager.projectIamAdmin.",
    ),
    (
        r"constraints/|org(anization)? policy|invoker.iam|not allowed to disable",
        "A policy of the organisation forbids it: try --allow-unauthenticated, or ask its administrator.",
    ),
    (
        r"quota|RESOURCE_EXHAUSTED",
        "The project's quota for the region is used up: choose another --region or a smaller --max-instances, "
        "or ask for more in the console (IAM, Quotas).",
    ),
    (
        r"build|logs are available|failed to start|container",
        "The build or the first start failed: follow the link to its log above.",
    ),
)
