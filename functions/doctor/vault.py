"""Link: what Vault holds for the call of the worker: its address and its secret, by their looks."""

from __future__ import annotations

from collections.abc import Iterator

from functions.doctor.facts import Secret
from functions.doctor.findings import Check, Verdict, broken, ok, quoted, warning
from functions.doctor.look import Seen, WorkerSeen
from functions.redact import redact

LOCAL_HOSTS = ("localhost", "127.0.0.1", "[::1]", "host.docker.internal")
_SHORT_SECRET = 16


def workers(seen: Seen) -> tuple[WorkerSeen, ...]:
    """Those that the schedules call. Raises `Unknown` where the database could not be asked."""
    seen.known()
    return seen.workers


def connect_again(one: WorkerSeen, url: str = "https://<your function>") -> str:
    command = f"crontick connect --url {url}"
    if one.endpoint.name != "job_queue_worker_endpoint":
        command += f" --job-name <its schedule> --endpoint-secret {one.endpoint.name} --runner-secret {one.secret.name}"
    return command


def store(secret: Secret, example: str) -> str:
    return (
        f"select vault.update_secret(id, {quoted(example)}) from vault.secrets where name = {quoted(secret.name)};"
        if secret.present
        else f"select vault.create_secret({quoted(example)}, {quoted(secret.name)});"
    )


def _vault(seen: Seen) -> Iterator[Verdict]:
    secrets = seen.known().secrets
    if secrets.value is None:
        yield broken(
            f"Vault cannot be read, so no tick can call anybody: {redact(secrets.unknown)}",
            "create extension if not exists supabase_vault;",
        )
    for one in workers(seen):
        problems = [*_of_address(one), *_of_secret(one)]
        yield from problems or [ok(f"{one.endpoint.name} ({one.endpoint.host}) and {one.secret.name}")]


def _of_address(one: WorkerSeen) -> Iterator[Verdict]:
    address = one.endpoint
    if not address.present:
        yield broken(f"Vault has no secret {address.name}: where to call is not known", connect_again(one))
    elif address.host is None:
        yield broken(f"Vault's {address.name} is no http(s) URL", connect_again(one))
    elif address.padded:
        yield broken(
            f"Vault's {address.name} has blanks around it", store(address, "https://<your function>")
        )
    elif address.scheme != "https" and address.host.rsplit(":", 1)[0] not in LOCAL_HOSTS:
        yield broken(
            f"Vault's {address.name} is not https: the secret travels in clear text",
            store(address, f"https://{address.host}/"),
        )


def _of_secret(one: WorkerSeen) -> Iterator[Verdict]:
    secret = one.secret
    example = "<JOB_QUEUE_RUNNER_SECRET of the function>"
    if not secret.present:
        yield broken(
            f"Vault has no secret {secret.name}: the worker would refuse the call", connect_again(one)
        )
    elif secret.padded:
        yield broken(f"Vault's {secret.name} has blanks around it", store(secret, example))
    elif secret.is_api_key:
        yield broken(
            f"Vault's {secret.name} is an API key of Supabase: the worker, and who reads its log, could do everything",
            f"openssl rand -hex 32\n{store(secret, '<what that printed>')}",
        )
    elif (secret.length or 0) < _SHORT_SECRET:
        yield warning(
            f"Vault's {secret.name} has fewer than {_SHORT_SECRET} characters",
            "Make a longer one: openssl rand -hex 32",
        )


CHECKS = (Check("Vault secrets", _vault),)
