#!/usr/bin/env bash
# The whole path on real parts: starts a local Supabase and the function, uploads files, and shows what becomes of them.
#
#   ./scripts/demo.sh                     the samples that come with the repository
#   ./scripts/demo.sh slides.pdf a.mp4    your own files
#   ./scripts/demo.sh --help              more options
#
# Does its own set-up: needs Python 3.11 or newer, and installs everything into the repository's folder. Only the
# caches of uv and npm are where they always are, in your home.
set -Eeuo pipefail

# shellcheck source=scripts/environment.sh
source "$(dirname "${BASH_SOURCE[0]}")/environment.sh"

# Inexact: what test.sh has installed on top stays, so that the two do not undo each other.
sync_environment --inexact --no-default-groups --group local --extra video --extra ocr
exec "$root/.venv/bin/crontick" demo "$@"
