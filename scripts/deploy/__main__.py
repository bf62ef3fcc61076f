"""`./scripts/deploy.sh`: says what it will do, asks, does it, and says what is next."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence

from scripts.deploy import options as command_line
from scripts.deploy.deployment import Deployment, names_for
from scripts.deploy.errors import DeployError, GcloudError
from scripts.deploy.gcloud import Gcloud, Program, run_gcloud
from scripts.deploy.options import PRODUCTION, Options
from scripts.deploy.plan import Plan
from scripts.deploy.stored_secrets import ask_on_terminal
from scripts.deploy.values import read_values

DONE, FAILED, REFUSED = 0, 1, 2


def main(
    arguments: Sequence[str], sleep: Callable[[float], None] = time.sleep, program: Program = run_gcloud
) -> int:
    try:
        options = command_line.read(arguments)
        values = read_values(options.env_file, options.secrets)
        names = names_for(Gcloud(program=program), options)
        gcloud = Gcloud(names.project, program)
        deployment = Deployment(gcloud, names, options, values, sleep=sleep, ask=ask_on_terminal)
        plan = deployment.plan()
    except DeployError as error:
        print(f"deploy: {error}", file=sys.stderr)
        return REFUSED
    except GcloudError as error:
        _explain(error)
        print("Nothing was changed.", file=sys.stderr)
        return FAILED
    _show(plan, options, deployment)
    if options.dry_run:
        return DONE
    if plan.steps and not _may_go_on(options):
        return REFUSED
    if not _work_off(plan, deployment):
        return FAILED
    try:
        _say_what_is_next(deployment, options)
    except GcloudError as error:
        _explain(error)
        print("Everything is deployed; run the same command again to see where.", file=sys.stderr)
        return FAILED
    return DONE


def _show(plan: Plan, options: Options, deployment: Deployment) -> None:
    names = deployment.names
    print(
        f"{options.environment}: {names.worker} in {names.project}, {names.region}, from {options.env_file}"
    )
    for number, step in enumerate(plan.steps, 1):
        print(f"  {number}. {step.title}")
    if not plan.steps:
        print("  nothing to do")
    for note in plan.notes:
        print(f"  - {note}")


def _may_go_on(options: Options) -> bool:
    if options.yes:
        return True
    if not sys.stdin.isatty():
        print(
            "deploy: nobody is there to ask; go on with --yes, or only look with --dry-run", file=sys.stderr
        )
        return False
    return input("Go on? [y/N] ").strip().lower() in ("y", "yes")


def _work_off(plan: Plan, deployment: Deployment) -> bool:
    for number, step in enumerate(plan.steps, 1):
        print(f"[{number}/{len(plan.steps)}] {step.title}", flush=True)
        try:
            step.act()
        except GcloudError as error:
            _explain(error)
            left = len(plan.steps) - number + 1
            print(
                f"Stopped: {number - 1} of {len(plan.steps)} steps are done and stay, {left} are left. When that is "
                "mended, run the same command again: it goes on here.",
                file=sys.stderr,
            )
            return False
        if step.title.startswith("switch on the APIs"):
            deployment.apis_are_on()
    return True


def _explain(error: GcloudError) -> None:
    print(f"\n{error.said}\n\ngcloud {error.command} failed. {error.remedy}", file=sys.stderr)


def _say_what_is_next(deployment: Deployment, options: Options) -> None:
    names = deployment.names
    url = deployment.url(names.worker)
    print(f"\nThe function is at {url}")
    if options.admin:
        print(f"The dashboard is at {deployment.url(names.admin)}/dashboard")
    connect = f"crontick connect --url {url}"
    if options.environment != PRODUCTION:
        own = options.environment.replace("-", "_")
        connect += f" --job-name {names.worker} --endpoint-secret {own}_worker_endpoint"
        connect += f" --runner-secret {own}_runner_secret"
    print(f"Next, so that the database calls it:\n\n  {connect}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
