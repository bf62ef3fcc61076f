"""One service on Cloud Run: what it is given, whether it has that already, and the command that gives it."""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scripts.deploy.errors import DeployError
from scripts.deploy.gcloud import Gcloud
from scripts.deploy.options import Names, Options
from scripts.deploy.source import copy_source

ENVIRONMENT_LABEL = "crontick-environment"
CONTENT_LABEL = "crontick-content"
BASE_IMAGE = "python311"
# The framework's file in a source deployment, and that Google's builder installs no development packages.
BUILD_VARIABLES = "GOOGLE_FUNCTION_SOURCE=functions/main.py,UV_NO_DEV=1"


@dataclass(frozen=True)
class Size:
    """What an instance has; `timeout` in seconds."""

    memory: str
    cpu: str
    timeout: int
    concurrency: int
    max_instances: int


@dataclass(frozen=True)
class Service:
    """`target` is the function in functions/main.py; `image` is None where Google's builder makes one."""

    name: str
    target: str
    size: Size
    image: str | None
    content: str

    def arguments(
        self, names: Names, options: Options, variables: Mapping[str, str], secrets: Mapping[str, str]
    ) -> list[str]:
        """The flags of `gcloud run deploy`, without the paths of temporary files.

        A tick works only while its request is open, so the processor may be throttled between requests (the default,
        named here because an older deployment may have it otherwise). The second generation is a whole Linux: seccomp,
        Landlock and namespaces, which keep decoders in, are missing or emulated in the first.
        """
        size = self.size
        references = [f"{name}={reference}" for name, reference in sorted(secrets.items())]
        flags = [
            f"--region={names.region}",
            f"--service-account={names.account(self.name)}",
            f"--set-secrets={','.join(references)}",
            f"--timeout={size.timeout}",
            f"--concurrency={size.concurrency}",
            f"--max-instances={size.max_instances}",
            f"--memory={size.memory}",
            f"--cpu={size.cpu}",
            "--cpu-boost",
            "--cpu-throttling",
            "--execution-environment=gen2",
            "--allow-unauthenticated" if options.allow_unauthenticated else "--no-invoker-iam-check",
        ]
        if self.image:
            flags.append(f"--image={self.image}")
        else:
            builder = f"projects/{names.project}/serviceAccounts/{names.account(names.builder)}"
            flags += [f"--function={self.target}", f"--base-image={BASE_IMAGE}"]
            flags += [f"--build-service-account={builder}", f"--set-build-env-vars={BUILD_VARIABLES}"]
        said = json.dumps([flags, dict(variables), self.content], sort_keys=True)
        mark = hashlib.sha256(said.encode()).hexdigest()[:16]
        return [*flags, f"--labels={ENVIRONMENT_LABEL}={options.environment},{CONTENT_LABEL}={mark}"]

    def deploy(self, gcloud: Gcloud, arguments: list[str], variables: Mapping[str, str]) -> None:
        with tempfile.TemporaryDirectory(prefix="deploy-") as folder:
            file = Path(folder, "variables.json")  # YAML, as gcloud wants it, includes JSON
            file.write_text(json.dumps(dict(variables)))
            if self.image is None:
                source = Path(folder, "source")
                copy_source(source, for_engine=False)
                arguments = [*arguments, f"--source={source}"]
            gcloud.change("run", "deploy", self.name, *arguments, f"--env-vars-file={file}")


@dataclass(frozen=True)
class Deployed:
    """A service as it is at Google."""

    url: str
    labels: Mapping[str, str]
    ready: bool

    @classmethod
    def look(cls, gcloud: Gcloud, names: Names, service: str) -> Deployed | None:
        found: Any = gcloud.look("run", "services", "describe", service, f"--region={names.region}")
        if found is None:
            return None
        status = found.get("status", {})
        ready = {condition["type"]: condition["status"] for condition in status.get("conditions", [])}
        return cls(status.get("url", ""), found["metadata"].get("labels", {}), ready.get("Ready") == "True")

    def has(self, arguments: list[str]) -> bool:
        """Whether it runs with exactly these flags and variables, as far as it was deployed from here."""
        (labels,) = (flag.removeprefix("--labels=") for flag in arguments if flag.startswith("--labels="))
        wanted = dict(pair.split("=", 1) for pair in labels.split(","))
        return self.ready and wanted.items() <= dict(self.labels).items()

    def require_ours(self, service: str, options: Options) -> None:
        """Raises DeployError for a service of another environment, or one that was not deployed from here."""
        environment = self.labels.get(ENVIRONMENT_LABEL)
        if environment == options.environment or options.force:
            return
        whose = (
            f"belongs to the environment {environment}"
            if environment
            else "was not deployed with this script"
        )
        raise DeployError(
            f"there is a service {service} already, and it {whose}: choose another --service or --environment, "
            "or take it over with --force"
        )
