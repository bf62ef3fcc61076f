# shellcheck shell=bash
# Makes .venv ready for demo.sh and test.sh, which source this file. Nothing is installed outside the repository, but
# uv and npm keep their caches in the home folder, if it can be written. No Python is downloaded: uv builds the
# environment with a Python that is already here.
#
# Sets: root, uv (the command), python (the interpreter to build the environment with).

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
uv_requirement='uv>=0.9,<1'

# A proxy reaches the network, but never what runs on this machine.
no_proxy=${no_proxy:-${NO_PROXY:-}}
[[ $no_proxy == '*' ]] || no_proxy=${no_proxy:+$no_proxy,}127.0.0.1,localhost
NO_PROXY=$no_proxy
export no_proxy NO_PROXY

say() {
  printf '\033[2m%s\033[0m\n' "$*" >&2
}

give_up() {
  printf '\033[31m%s\033[0m\n' "$1" >&2
  shift
  (($# == 0)) || printf '%s\n' "$@" >&2
  exit 1
}

if [[ ! -t 2 ]]; then
  say() { printf '%s\n' "$*" >&2; }
  give_up() {
    printf '%s\n' "$@" >&2
    exit 1
  }
fi

# Runs a command without its output, unless it fails.
quietly() {
  local log
  log=$(mktemp)
  if ! "$@" >"$log" 2>&1; then
    cat "$log" >&2
    rm -f "$log"
    return 1
  fi
  rm -f "$log"
}

find_python() {
  local candidate
  for candidate in "${PYTHON:-}" python3 python3.13 python3.12 python3.11 python3.14; do
    if [[ -n $candidate ]] && command -v "$candidate" >/dev/null &&
      python=$("$candidate" -c 'import sys; assert sys.version_info >= (3, 11); print(sys.executable)' 2>/dev/null); then
      return
    fi
  done
  give_up "No Python 3.11 or newer found." "On Debian and Ubuntu: sudo apt-get install python3 python3-venv"
}

# An old uv cannot read the lock file: then we bring our own.
usable_uv() {
  local version
  version=$("$1" --version 2>/dev/null) || return 1
  [[ $version =~ ^uv\ ([0-9]+)\.([0-9]+)\. ]] || return 1
  ((BASH_REMATCH[1] > 0 || BASH_REMATCH[2] >= 9))
}

find_uv() {
  local candidate
  for candidate in uv "$root/.local/uv/bin/uv"; do
    if command -v "$candidate" >/dev/null && usable_uv "$candidate"; then
      uv=$candidate
      return
    fi
  done
  say "Installing uv into .local/uv ..."
  rm -rf "$root/.local/uv"
  mkdir -p "$root/.local"
  if "$python" -c 'import ensurepip, venv' 2>/dev/null; then
    "$python" -m venv "$root/.local/uv"
    quietly "$root/.local/uv/bin/python" -m pip install --quiet --disable-pip-version-check "$uv_requirement" ||
      give_up "pip could not install uv." "Is there a network? You can also install uv yourself and run this again."
  elif "$python" -m pip --version >/dev/null 2>&1; then
    quietly "$python" -m pip install --quiet --disable-pip-version-check --target "$root/.local/uv" "$uv_requirement" ||
      give_up "pip could not install uv." "Is there a network? You can also install uv yourself and run this again."
  else
    give_up "uv is not installed, and $python has neither venv nor pip to install it with." \
      "On Debian and Ubuntu: sudo apt-get install python3-venv    then run this again."
  fi
  uv=$root/.local/uv/bin/uv
  usable_uv "$uv" || give_up "The uv in $root/.local/uv does not run."
}

# sync_environment [uv sync options]: a second call with nothing to do takes a second.
sync_environment() {
  [[ -w $root ]] || give_up "$root is not writable for $(id -un)." "Clone the repository into a folder of your own."
  unset VIRTUAL_ENV
  if [[ ! -w ${HOME:-/nonexistent} ]]; then
    export UV_CACHE_DIR=${UV_CACHE_DIR:-$root/.local/cache/uv} npm_config_cache=${npm_config_cache:-$root/.local/cache/npm}
  fi
  find_python
  find_uv
  # What runs in the environment may want to install a part of its own with uv.
  [[ $uv != */* ]] || PATH=$PATH:$(dirname "$uv")
  if [[ ! -x $root/.venv/bin/python ]]; then
    say "Installing the Python packages into .venv (once, a minute or two) ..."
  fi
  "$uv" --project "$root" --no-progress --quiet sync --locked --no-python-downloads --python "$python" "$@" ||
    give_up "uv could not make the environment in $root/.venv (see above)."
}
