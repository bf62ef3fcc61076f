#!/usr/bin/env bash
# Every check and every test, on both legs side by side: the wheel's PostgreSQL 18 and Debian's PostgreSQL 15.
#
#   ./scripts/test.sh                            everything
#   ./scripts/test.sh --leg wheel                without Debian's packages
#   ./scripts/test.sh tests/unit -k claim        what you name, passed on to pytest; the checks are left out
#
# Does its own set-up. Leg debian needs packages from Debian, which it installs when it may.
set -Eeuo pipefail

# shellcheck source=scripts/environment.sh
source "$(dirname "${BASH_SOURCE[0]}")/environment.sh"

debian_packages=(chromium debootstrap postgresql-15 postgresql-15-cron postgresql-15-pgtap postgresql-plpython3-15)
legs=(wheel debian)
if [[ ${1:-} == --leg ]]; then
  [[ ${2:-} == wheel || ${2:-} == debian ]] || give_up "--leg takes wheel or debian, not '${2:-}'"
  legs=("$2")
  shift 2
fi

missing_packages() {
  local package
  for package in "${debian_packages[@]}"; do
    dpkg-query --show --showformat='${db:Status-Status}' "$package" 2>/dev/null | grep -qx installed || printf '%s ' "$package"
  done
}

install_debian_packages() {
  local missing settings run=()
  command -v dpkg-query >/dev/null || give_up "Leg debian needs Debian or Ubuntu." "Run: ./scripts/test.sh --leg wheel"
  missing=$(missing_packages)
  [[ -n $missing ]] || return 0
  if ((EUID != 0)); then
    sudo -n true 2>/dev/null || give_up "Leg debian needs packages that only root can install. Run:" \
      "  sudo apt-get install --no-install-recommends $missing" "or leave that leg out: ./scripts/test.sh --leg wheel"
    run=(sudo -n)
  fi
  say "Installing $missing..."
  # The packages would start a server on port 5432. Told so through a folder of settings of our own, they do not.
  settings=$(mktemp -d)
  printf "create_main_cluster = false\nstart_conf = 'manual'\n" >"$settings/createcluster.conf"
  chmod -R go+rX "$settings"
  run+=(env "PGSYSCONFDIR=$settings" DEBIAN_FRONTEND=noninteractive)
  quietly "${run[@]}" apt-get update || true
  # shellcheck disable=SC2086 # a list of package names
  quietly "${run[@]}" apt-get install --yes --no-install-recommends $missing ||
    give_up "apt-get could not install $missing (see above)." "Leave that leg out with: ./scripts/test.sh --leg wheel"
  rm -rf "$settings"
}

check() {
  say "$*"
  quietly "$@" || give_up "This check failed: $*"
}

run_checks() {
  check "$uv" lock --check --quiet
  check .venv/bin/ruff check
  check .venv/bin/ruff format --check
  check .venv/bin/mypy
  [[ ! -f .sqruff ]] || check .venv/bin/sqruff lint supabase
  check .venv/bin/shellcheck --external-sources scripts/*.sh scripts/deploy/*.sh .ci/run
  check .venv/bin/hadolint Dockerfile
}

names_tests() {
  local argument
  for argument in "$@"; do
    [[ ! -e ${argument%%::*} ]] || return 0
  done
  return 1
}

# Thousands of small databases are made and dropped: in memory, where there is room, that takes a third of the time.
use_memory_for_temporary_files() {
  local folder=/dev/shm probe
  [[ -z ${PYTEST_DEBUG_TEMPROOT:-} && -w $folder ]] || return 0
  (($(df --output=avail --block-size=1M "$folder" 2>/dev/null | tail -n 1) >= 4096)) || return 0
  probe=$(mktemp -p "$folder")
  printf '#!/bin/sh\n' >"$probe"
  chmod +x "$probe"
  ! "$probe" 2>/dev/null || export PYTEST_DEBUG_TEMPROOT=$folder
  rm -f "$probe"
}

# Runs pytest for one leg; its exit code is kept in a file, since legs run side by side.
run_leg() {
  local leg=$1 code=0
  shift
  # Only these meet a database; the rest is the same on every leg.
  if [[ $leg == debian ]] && ! names_tests "$@"; then
    set -- tests/database tests/end_to_end "$@"
  fi
  say "pytest --leg $leg $*"
  .venv/bin/pytest --leg "$leg" "${colour[@]}" "$@" 2>&1 || code=$?
  echo "$code" >"$results/$leg.code"
}

# The first leg shows what it does; the other one's output follows when it has ended.
run_legs() {
  local leg
  set -m # a process group each, which can be ended as a whole
  for leg in "${legs[@]:1}"; do
    run_leg "$leg" "$@" >"$results/$leg.log" 2>&1 &
  done
  set +m
  run_leg "${legs[0]}" "$@" | tee "$results/${legs[0]}.log"
  wait
  for leg in "${legs[@]:1}"; do
    cat "$results/$leg.log"
  done
}

end_legs() {
  local group
  for group in $(jobs -p); do
    kill -TERM -- "-$group" 2>/dev/null || true
  done
}

# Each leg's closing line. A leg on which nothing was selected is no failure, unless that goes for all.
sum_up() {
  local leg code failed=0 nothing=0
  printf '\n'
  for leg in "${legs[@]}"; do
    printf 'leg %s:\n%s\n' "$leg" "$(tail -n 1 "$results/$leg.log")"
    code=$(<"$results/$leg.code")
    ((code != 5)) || ((nothing += 1))
    ((code == 0 || code == 5)) || failed=1
  done
  ((nothing < ${#legs[@]})) || return 5
  return "$failed"
}

[[ " ${legs[*]} " != *" debian "* ]] || install_debian_packages
sync_environment --all-extras --all-groups
cd "$root"

if (($# == 0)); then
  run_checks
fi
colour=()
[[ ! -t 1 ]] || colour=(--color=yes)
results=$(mktemp -d)
trap 'end_legs; rm -rf "$results"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
use_memory_for_temporary_files
run_legs "$@"
sum_up
