"""Who the services run as, and what these accounts may: read exactly their own secrets, nothing else."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable

from tenacity import Retrying, retry_if_exception, stop_after_attempt, wait_fixed

from scripts.deploy.errors import GcloudError
from scripts.deploy.gcloud import Gcloud
from scripts.deploy.options import Names
from scripts.deploy.plan import Plan

ACCESSOR = "roles/secretmanager.secretAccessor"
# A new account is not known everywhere at once.
ATTEMPTS, _PAUSE_SECONDS = 8, 5.0


class Accounts:
    """`known` tells whether the API was on when this began: if not, nothing of it exists yet."""

    def __init__(
        self, gcloud: Gcloud, names: Names, *, known: bool, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self._gcloud, self._names, self._known, self._sleep = gcloud, names, known, sleep
        self._new: set[str] = set()

    def plan_account(self, plan: Plan, name: str, purpose: str) -> None:
        address = self._names.account(name)
        if self._known and self._gcloud.look("iam", "service-accounts", "describe", address):
            return
        self._new.add(name)
        create = functools.partial(
            self._gcloud.change, "iam", "service-accounts", "create", name, f"--display-name={purpose}"
        )
        plan.add(f"create the service account {name} ({purpose})", create)

    def plan_secret(self, plan: Plan, account: str, secret: str, *, exists: bool) -> None:
        """Lets an account read one secret."""
        looking = ("secrets", "get-iam-policy", secret) if exists and account not in self._new else None
        self._plan_role(
            plan,
            account,
            ACCESSOR,
            f"the secret {secret}",
            looking,
            ("secrets", "add-iam-policy-binding", secret),
        )

    def plan_project_role(self, plan: Plan, account: str, role: str) -> None:
        project = self._names.project
        looking = None if account in self._new else ("projects", "get-iam-policy", project)
        self._plan_role(
            plan, account, role, "the project", looking, ("projects", "add-iam-policy-binding", project)
        )

    def _plan_role(
        self,
        plan: Plan,
        account: str,
        role: str,
        what: str,
        looking: tuple[str, ...] | None,
        binding: tuple[str, ...],
    ) -> None:
        member = f"serviceAccount:{self._names.account(account)}"
        policy = self._gcloud.look(*looking) if looking else None
        for bound in (policy or {}).get("bindings", []):
            if bound["role"] == role and member in bound["members"] and "condition" not in bound:
                return
        act = functools.partial(
            self._patiently, *binding, f"--member={member}", f"--role={role}", "--condition=None"
        )
        plan.add(f"grant {account} {role} on {what}", act)

    def _patiently(self, *arguments: str) -> None:
        trying = Retrying(
            retry=retry_if_exception(_is_not_known_yet),
            stop=stop_after_attempt(ATTEMPTS),
            wait=wait_fixed(_PAUSE_SECONDS),
            sleep=self._sleep,
            reraise=True,
        )
        trying(self._gcloud.change, *arguments)


def _is_not_known_yet(error: BaseException) -> bool:
    return isinstance(error, GcloudError) and "does not exist" in error.said
