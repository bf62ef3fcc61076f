#!/usr/bin/env bash
# Deploys the function to Google Cloud: says what it will do, asks, and does it. Safe to run again.
#
#   ./scripts/deploy.sh cloud-run --region europe-west1 --dry-run     what would be done
#   ./scripts/deploy.sh cloud-run --region europe-west1 --admin       the function, the jobs API and its dashboard
#   ./scripts/deploy.sh cloud-run --environment staging               beside the other, under names of its own
#   ./scripts/deploy.sh --help                                        more options
#
# Needs gcloud, signed in. Settings and secrets are read from .env (or .env.<environment>); secrets go to Secret Manager,
# never into a command line or a log.
set -Eeuo pipefail

# shellcheck source=scripts/environment.sh
source "$(dirname "${BASH_SOURCE[0]}")/environment.sh"

# Inexact: what test.sh has installed on top stays, so that the two do not undo each other.
sync_environment --inexact --no-default-groups
PYTHONPATH=$root${PYTHONPATH:+:$PYTHONPATH} exec "$root/.venv/bin/python" -m scripts.deploy "$@"
