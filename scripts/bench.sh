#!/usr/bin/env bash
# Measures the queue on this machine: against its rivals, against a direct connection, and against its own bars.
#
#   ./scripts/bench.sh                        everything: about half an hour, on a machine that does nothing else
#   ./scripts/bench.sh throughput --quick     one benchmark, small
#   ./scripts/bench.sh --help                 the benchmarks and options
#
# Does its own set-up: needs Python 3.11 or newer, and installs everything, the rivals included, into the repository's
# folder. Only the caches of uv and npm are where they always are, in your home.
set -Eeuo pipefail

# shellcheck source=scripts/environment.sh
source "$(dirname "${BASH_SOURCE[0]}")/environment.sh"

# Inexact: what test.sh has installed on top stays, so that the two do not undo each other.
sync_environment --inexact --no-default-groups --group bench
cd "$root"
exec .venv/bin/python -m scripts.bench "$@"
