"""Secrets in Secret Manager: made if missing, given a new version only if the value changed, used by version."""

from __future__ import annotations

import functools
import hmac
import secrets
import sys
from collections.abc import Callable, Iterable, Mapping
from getpass import getpass

from scripts.deploy.errors import DeployError
from scripts.deploy.gcloud import Gcloud
from scripts.deploy.options import Names
from scripts.deploy.plan import Plan
from scripts.deploy.values import KEYS, SECRETS, TICK_SECRETS

LABEL = "crontick"
PREVIOUS = "_PREVIOUS"


def ask_on_terminal(variable: str) -> str | None:
    """The value as somebody types it, unseen; None where nobody could."""
    return getpass(f"{variable} (not shown): ").strip() if sys.stdin.isatty() else None


class StoredSecrets:
    """`references` maps each variable to `secret:version`, known once its steps were taken.

    A secret of the tick with two versions enabled has two live values: the older one is the function's
    ..._PREVIOUS, until somebody disables that version. So a rotation needs no value in two places.
    """

    def __init__(
        self,
        gcloud: Gcloud,
        names: Names,
        *,
        known: bool,
        ask: Callable[[str], str | None] = ask_on_terminal,
    ) -> None:
        self._gcloud, self._names, self._ask = gcloud, names, ask
        found = gcloud.look("secrets", "list") if known else []
        self._there = {secret["name"].rpartition("/")[2] for secret in found or []}
        self.references: dict[str, str] = {}
        self.in_use: set[str] = set()

    def exists(self, variable: str) -> bool:
        return self._names.secret(variable) in self._there

    def are_known(self, variables: Iterable[str]) -> bool:
        """Whether none of these waits for a step."""
        return all(variable in self.references for variable in variables)

    def plan(self, plan: Plan, given: Mapping[str, str]) -> None:
        """Steps for what was given, and for what is needed but neither given nor stored."""
        wanted = {**given, **self._missing(given, plan)}
        stored = {name for name in SECRETS if self.exists(name) and not name.endswith(PREVIOUS)}
        self.in_use = {*wanted, *stored}
        for variable in sorted(self.in_use):
            secret = self._names.secret(variable)
            if variable in wanted:
                self._plan_one(plan, variable, secret, wanted[variable])
            else:
                plan.notes.append(f"{variable} is not in the file: kept as stored ({secret})")
                self._refer(variable, secret, self._enabled(secret), plan)

    def _missing(self, given: Mapping[str, str], plan: Plan) -> dict[str, str]:
        def is_there(variables: tuple[str, ...]) -> bool:
            return any(name in given or self.exists(name) for name in variables)

        made = {}
        if not is_there(KEYS):
            value = self._ask(KEYS[0])
            if not value:
                raise DeployError(
                    f"{KEYS[0]} is missing: put it into the env file (or on stdin, with --env-file -)"
                )
            made[KEYS[0]] = value
        if not is_there(TICK_SECRETS):
            made[TICK_SECRETS[0]] = secrets.token_urlsafe(32)
            read = f"gcloud secrets versions access latest --secret={self._names.secret(TICK_SECRETS[0])}"
            plan.notes.append(
                f"{TICK_SECRETS[0]} is made up, since none is given; `crontick connect` wants it in .env: "
                f"printf 'JOB_QUEUE_RUNNER_SECRET=%s\\n' \"$({read} --project={self._names.project})\" >> .env"
            )
        return made

    def _plan_one(self, plan: Plan, variable: str, secret: str, value: str) -> None:
        if not self.exists(variable):
            create = functools.partial(self._create, variable, secret, value)
            plan.add(f"create the secret {secret}", create)
            return
        enabled = self._enabled(secret)
        if enabled and hmac.compare_digest(self._value(secret, enabled[0]).encode(), value.encode()):
            self._refer(variable, secret, enabled, plan)
            return
        add = functools.partial(self._add, variable, secret, value, enabled)
        plan.add(f"add a version to the secret {secret}: its value changed", add)
        if enabled and variable in TICK_SECRETS:
            plan.notes.append(self._how_to_end(variable, secret, enabled[0]))
        elif enabled:
            plan.notes.append(f"once the new version works: {self._disable(secret, enabled[0])}")

    def _create(self, variable: str, secret: str, value: str) -> None:
        labels = f"--labels={LABEL}={self._names.worker}"
        where = ("secrets", "create", secret, "--replication-policy=automatic", labels)
        self._gcloud.change(*where, "--data-file=-", stdin=value)
        self._refer(variable, secret, [1])

    def _add(self, variable: str, secret: str, value: str, enabled: list[int]) -> None:
        """The new version's number is in the answer; a list may lag behind for minutes."""
        add = ("secrets", "versions", "add", secret, "--data-file=-", "--format=value(name)")
        made = self._gcloud.change(*add, stdin=value).strip().rpartition("/")[2]
        self._refer(variable, secret, [int(made), *enabled])

    def _refer(self, variable: str, secret: str, enabled: list[int], plan: Plan | None = None) -> None:
        if not enabled:
            raise DeployError(
                f"the secret {secret} has no version that is enabled: put its value into the env file"
            )
        self.references[variable] = f"{secret}:{enabled[0]}"
        previous = f"{variable}{PREVIOUS}"
        if variable in TICK_SECRETS and len(enabled) > 1 and previous not in self.in_use:
            self.references[previous] = f"{secret}:{enabled[1]}"
            if plan is not None:
                plan.notes.append(self._how_to_end(variable, secret, enabled[1]))

    def _how_to_end(self, variable: str, secret: str, version: int) -> str:
        return (
            f"{variable} has two live values; once `crontick connect` has told the database the new one, end the "
            f"old one with {self._disable(secret, version)} and run this again"
        )

    def _disable(self, secret: str, version: int) -> str:
        return f"gcloud secrets versions disable {version} --secret={secret} --project={self._names.project}"

    def _enabled(self, secret: str) -> list[int]:
        """Numbers of the versions that are enabled, the newest first."""
        found = self._gcloud.look("secrets", "versions", "list", secret, "--filter=state=ENABLED") or []
        return sorted((int(version["name"].rpartition("/")[2]) for version in found), reverse=True)

    def _value(self, secret: str, version: int) -> str:
        return self._gcloud.text("secrets", "versions", "access", str(version), f"--secret={secret}")
