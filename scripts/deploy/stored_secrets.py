"""Secrets in Secret Manager: made if missing, given a new version only if the value changed, used by version."""

from __future__ import annotations

import functools
import hmac
import secrets
import sys
from collections.abc import Callable, Mapping
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
    """`versions` maps each variable to the version in use, which is known once its steps were taken."""

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
        self.versions: dict[str, str] = {}
        self.made: set[str] = set()

    def exists(self, variable: str) -> bool:
        return self._names.secret(variable) in self._there

    def plan(self, plan: Plan, given: Mapping[str, str]) -> None:
        """Steps for what was given, and for what is needed but neither given nor stored."""
        wanted = {**given, **self._missing(given, plan)}
        stored = {name for name in SECRETS if self.exists(name) and name not in wanted}
        for variable in sorted({*wanted, *stored}):
            secret = self._names.secret(variable)
            if variable.endswith(PREVIOUS) and variable not in wanted:
                plan.notes.append(f"{variable} is not given any more: the services will not get it")
            elif variable not in wanted:
                self.versions[variable] = self._newest(secret)
                plan.notes.append(f"{variable} is not in the file: kept as stored ({secret})")
            else:
                self._plan_one(plan, variable, secret, wanted[variable])

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
            self.made.add(variable)
            title = f"create the secret {secret}"
        else:
            version = self._newest(secret)
            if version != "0" and hmac.compare_digest(self._value(secret, version).encode(), value.encode()):
                self.versions[variable] = version
                return
            title = f"add a version to the secret {secret}: its value changed"
            plan.notes.append(
                f"once the new version works: gcloud secrets versions disable {version} --secret={secret}"
            )
        plan.add(title, functools.partial(self._store, variable, secret, value))

    def _store(self, variable: str, secret: str, value: str) -> None:
        if variable in self.made:
            where = (
                "create",
                secret,
                "--replication-policy=automatic",
                f"--labels={LABEL}={self._names.worker}",
            )
            self._gcloud.change("secrets", *where, "--data-file=-", stdin=value)
        else:
            self._gcloud.change("secrets", "versions", "add", secret, "--data-file=-", stdin=value)
        self.versions[variable] = self._newest(secret)

    def _newest(self, secret: str) -> str:
        """Number of the newest version that is enabled, as text; "0" if there is none."""
        found = self._gcloud.look("secrets", "versions", "list", secret, "--filter=state=ENABLED") or []
        return str(max((int(version["name"].rpartition("/")[2]) for version in found), default=0))

    def _value(self, secret: str, version: str) -> str:
        return self._gcloud.text("secrets", "versions", "access", version, f"--secret={secret}")
