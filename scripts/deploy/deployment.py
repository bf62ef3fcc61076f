"""The whole deployment: looks at what is there, lists what is missing, and does that."""

from __future__ import annotations

import functools
from collections.abc import Callable

from scripts.deploy.accounts import Accounts
from scripts.deploy.errors import DeployError
from scripts.deploy.gcloud import Gcloud
from scripts.deploy.image import Image
from scripts.deploy.options import Names, Options, worker_name
from scripts.deploy.plan import Plan
from scripts.deploy.service import Deployed, Service, Size
from scripts.deploy.source import digest
from scripts.deploy.stored_secrets import StoredSecrets
from scripts.deploy.values import Values, used_by_admin, used_by_worker

APIS = {
    "cloud-run": ("run", "secretmanager", "iam", "artifactregistry", "cloudbuild"),
    "cloud-functions": ("run", "secretmanager", "iam", "artifactregistry", "cloudbuild", "cloudfunctions"),
}
BUILDER_ROLES = {"cloud-run": "roles/cloudbuild.builds.builder", "cloud-functions": "roles/run.builder"}
ADMIN_SIZE = Size(memory="512Mi", cpu="1", timeout=60, concurrency=8, max_instances=2)


def names_for(gcloud: Gcloud, options: Options) -> Names:
    project = options.project or gcloud.configured("core/project")
    region = options.region or gcloud.configured("run/region")
    if not project:
        raise DeployError("which project? name it with --project, or: gcloud config set project ID")
    if not region:
        raise DeployError(
            "which region? name it with --region, best the one of the database, as europe-west1"
        )
    return Names(project, region, worker_name(options.service, options.environment))


class Deployment:
    """Made from what was asked; `plan` reads, and the steps of its answer change."""

    def __init__(
        self,
        gcloud: Gcloud,
        names: Names,
        options: Options,
        values: Values,
        *,
        sleep: Callable[[float], None],
        ask: Callable[[str], str | None],
    ) -> None:
        self._gcloud, self.names, self._options, self._values = gcloud, names, options, values
        enabled = gcloud.text("services", "list", "--enabled", "--format=value(config.name)").split()
        self._missing_apis = [
            api for name in APIS[options.kind] if (api := f"{name}.googleapis.com") not in enabled
        ]
        self._accounts = Accounts(gcloud, names, known=self._is_on("iam"), sleep=sleep)
        self._secrets = StoredSecrets(gcloud, names, known=self._is_on("secretmanager"), ask=ask)
        self._content = digest(*options.extras)

    def _is_on(self, api: str) -> bool:
        return f"{api}.googleapis.com" not in self._missing_apis

    def services(self) -> list[Service]:
        """The worker, and the jobs API if it was asked for."""
        options = self._options
        size = Size(
            options.memory, options.cpu, self._values.timeout, options.concurrency, options.max_instances
        )
        image = self.names.image(self._content) if options.kind == "cloud-run" else None
        found = [Service(self.names.worker, "cron_tick", size, image, self._content)]
        if options.admin:
            found.append(Service(self.names.admin, "jobs_admin", ADMIN_SIZE, image, self._content))
        return found

    def plan(self) -> Plan:
        """Raises DeployError and GcloudError; changes nothing."""
        plan = Plan()
        deployed = {service.name: self._deployed(service) for service in self.services()}
        if self._missing_apis:
            enable = functools.partial(self._gcloud.change, "services", "enable", *self._missing_apis)
            plan.add(f"switch on the APIs {', '.join(self._missing_apis)}", enable)
        self._secrets.plan(plan, self._values.secret)
        self._plan_accounts(plan)
        if self._options.kind == "cloud-run":
            known = self._is_on("artifactregistry")
            Image(self._gcloud, self.names, self._content, self._options.extras, known=known).plan(plan)
        for service in self.services():
            self._plan_service(plan, service, deployed[service.name])
        if self._values.unknown:
            plan.notes.append(
                f"left out, being none of crontick's settings: {', '.join(self._values.unknown)}"
            )
        return plan

    def _deployed(self, service: Service) -> Deployed | None:
        if not self._is_on("run"):
            return None
        deployed = Deployed.look(self._gcloud, self.names, service.name)
        if deployed:
            deployed.require_ours(service.name, self._options)
        return deployed

    def _plan_accounts(self, plan: Plan) -> None:
        builder = self.names.builder
        self._accounts.plan_account(plan, builder, "builds crontick")
        self._accounts.plan_project_role(plan, builder, BUILDER_ROLES[self._options.kind])
        for service in self.services():
            self._accounts.plan_account(plan, service.name, f"runs {service.target}")
            for variable in sorted(self._secrets.in_use):
                if self._uses(service, variable):
                    there = self._secrets.exists(variable)
                    secret = self.names.secret(variable)
                    self._accounts.plan_secret(plan, service.name, secret, exists=there)

    def _plan_service(self, plan: Plan, service: Service, deployed: Deployed | None) -> None:
        used = {name for name in self._secrets.in_use if self._uses(service, name)}
        endpoint_known = service.target == "cron_tick" or self.url(self.names.worker) is not None
        if deployed and endpoint_known and self._secrets.are_known(used) and not self._options.force:
            arguments, _variables = self._arguments(service)
            if deployed.has(arguments):
                plan.notes.append(f"{service.name} is up to date at {deployed.url}")
                return
        size = service.size
        plan.add(
            f"deploy {service.name} ({service.target}): {size.memory}, {size.cpu} CPU, {size.timeout} s, "
            f"{size.concurrency} at once, at most {size.max_instances} instances",
            functools.partial(self._deploy, service),
        )

    def _deploy(self, service: Service) -> None:
        arguments, variables = self._arguments(service)
        service.deploy(self._gcloud, arguments, variables)

    def _arguments(self, service: Service) -> tuple[list[str], dict[str, str]]:
        secrets = {name: at for name, at in self._secrets.references.items() if self._uses(service, name)}
        variables = self._variables(service)
        return service.arguments(self.names, self._options, variables, secrets), variables

    def _variables(self, service: Service) -> dict[str, str]:
        values = self._values
        own = {"CRONTICK_ENVIRONMENT": self._options.environment, "GOOGLE_CLOUD_PROJECT": self.names.project}
        if service.image:
            own["FUNCTION_TARGET"] = service.target
        if service.target == "cron_tick":
            return {**values.plain, **own}
        own["JOB_QUEUE_WORKER_ENDPOINT"] = self.url(self.names.worker) or ""
        return {**values.plain_of_admin(), **own}

    def _uses(self, service: Service, variable: str) -> bool:
        return used_by_worker(variable) if service.target == "cron_tick" else used_by_admin(variable)

    def url(self, service: str) -> str | None:
        """Where a service is, or None as long as it is nowhere."""
        if not self._is_on("run"):
            return None
        deployed = Deployed.look(self._gcloud, self.names, service)
        return deployed.url if deployed else None

    def apis_are_on(self) -> None:
        self._missing_apis = []
