"""The image at Google: built there from this folder, once for each content, and used by every service."""

from __future__ import annotations

import functools
import json
import tempfile
from pathlib import Path

from scripts.deploy.gcloud import Gcloud
from scripts.deploy.options import Names
from scripts.deploy.plan import Plan
from scripts.deploy.source import copy_source

BUILD_SECONDS = 1200


class Image:
    """`known` tells whether the APIs were on when this began."""

    def __init__(
        self, gcloud: Gcloud, names: Names, tag: str, extras: tuple[str, ...], *, known: bool
    ) -> None:
        self._gcloud, self._names, self._extras, self._known = gcloud, names, extras, known
        self.address = names.image(tag)

    def plan(self, plan: Plan) -> None:
        repository, location = self._names.repository, f"--location={self._names.region}"
        describe = ("artifacts", "repositories", "describe", repository, location)
        if not (self._known and self._gcloud.look(*describe)):
            create = (
                "artifacts",
                "repositories",
                "create",
                repository,
                location,
                "--repository-format=docker",
            )
            plan.add(
                f"create the folder of images {repository} in {self._names.region}",
                functools.partial(self._gcloud.change, *create),
            )
        elif self._gcloud.look("artifacts", "docker", "images", "describe", self.address):
            return
        what = f" with {', '.join(self._extras)}" if self._extras else ""
        plan.add(f"build the image {self.address}{what}", self._build)

    def _build(self) -> None:
        with tempfile.TemporaryDirectory(prefix="deploy-") as folder:
            source = Path(folder, "source")
            copy_source(source, for_engine=True)
            config = Path(folder, "cloudbuild.json")
            config.write_text(json.dumps(self.build_config()))
            where = (f"--config={config}", f"--region={self._names.region}")
            self._gcloud.change("builds", "submit", str(source), *where)

    def build_config(self) -> dict[str, object]:
        arguments = ["build", "--build-arg", f"EXTRAS={' '.join(self._extras)}", "--tag", self.address, "."]
        account = self._names.account(self._names.builder)
        return {
            "steps": [{"name": "gcr.io/cloud-builders/docker", "args": arguments}],
            "images": [self.address],
            "serviceAccount": f"projects/{self._names.project}/serviceAccounts/{account}",
            "options": {"logging": "CLOUD_LOGGING_ONLY"},
            "timeout": f"{BUILD_SECONDS}s",
        }
