#!/usr/bin/env bash
# Calls the worker once, as cron does, and prints its answer.
#
#   ./scripts/trigger-worker.sh [iterations] [delay]
#
#   iterations   jobs per claim (default 5)
#   delay        pause between two jobs in milliseconds (default 0: jobs run side by side)
#
# Reads JOB_QUEUE_WORKER_ENDPOINT and JOB_QUEUE_RUNNER_SECRET (or CRON_SECRET) from the environment, then from
# .env, .env.local and .local/env, first in the working directory and then in the repository. The files are read
# as KEY=VALUE lines and never executed.
#
# Exit codes: 0 the worker answered and no job failed, 1 the call or a job failed, 2 wrong usage or configuration.
set -Eeuo pipefail
LC_ALL=C

fail() {
  local code=$1
  shift
  printf 'trigger-worker: %s\n' "$@" >&2
  exit "$code"
}

usage() {
  sed -n 's/^# \{0,1\}//; 2,13p' "$0"
}

# The number without leading zeros, which JSON does not allow.
number() {
  local name=$1 value=$2 least=$3 most=$4
  [[ $value =~ ^[0-9]{1,9}$ ]] || fail 2 "$name has to be a whole number, not '$value'" "Example: $0 5 1000"
  value=$((10#$value))
  ((value >= least && value <= most)) || fail 2 "$name has to be between $least and $most, not $value"
  printf '%s' "$value"
}

# The value of a variable in a dotenv file; the last line that sets it counts. Quotes and comments are understood
# as python-dotenv does, but nothing is expanded.
value_in() {
  local file=$1 name=$2
  awk -v name="$name" '
    { sub(/\r$/, ""); sub(/^[ \t]*(export[ \t]+)?/, "") }
    index($0, name) == 1 && match(substr($0, length(name) + 1), /^[ \t]*=[ \t]*/) {
      rest = substr($0, length(name) + 1 + RLENGTH)
      quote = substr(rest, 1, 1)
      if (quote == "\"" || quote == "\047") {
        value = ""
        for (at = 2; at <= length(rest); at++) {
          letter = substr(rest, at, 1)
          if (letter == quote) break
          if (letter == "\\" && index("\\" quote, substr(rest, at + 1, 1))) letter = substr(rest, ++at, 1)
          value = value letter
        }
      } else {
        sub(/(^|[ \t]+)#.*$/, "", rest)
        sub(/[ \t]+$/, "", rest)
        value = rest
      }
    }
    END { printf "%s", value }
  ' "$file"
}

# Fills in what the environment lacks. A file that names another SUPABASE_URL is about another project: one project's
# secret never travels to another's worker.
read_file() {
  local file=$1 name url
  [[ -f $file && -r $file ]] || return 0
  url=$(value_in "$file" SUPABASE_URL)
  if [[ -n ${SUPABASE_URL:-} && -n $url && ${SUPABASE_URL%/} != "${url%/}" ]]; then
    return 0
  fi
  for name in SUPABASE_URL JOB_QUEUE_WORKER_ENDPOINT JOB_QUEUE_RUNNER_SECRET CRON_SECRET TICK_BUDGET_SECONDS; do
    if [[ -z ${!name:-} ]]; then
      printf -v "$name" '%s' "$(value_in "$file" "$name")"
    fi
  done
}

# A value inside a curl configuration file.
quoted() {
  local value=$1
  value=${value//\\/\\\\}
  printf '"%s"' "${value//\"/\\\"}"
}

call() {
  local header direct=${no_proxy:-${NO_PROXY:-}}
  # The option replaces the variable. A proxy reaches the network, but never this machine.
  [[ $direct == '*' ]] || direct=127.0.0.1,localhost${direct:+,$direct}
  if [[ -n ${JOB_QUEUE_RUNNER_SECRET:-} ]]; then
    header="x-job-runner-secret: $JOB_QUEUE_RUNNER_SECRET"
  else
    header="Authorization: Bearer $CRON_SECRET"
  fi
  # Over stdin: a secret among the arguments would show in the list of processes.
  {
    printf 'url = %s\n' "$(quoted "$JOB_QUEUE_WORKER_ENDPOINT")"
    printf 'header = %s\n' "$(quoted "$header")"
  } | curl --disable --config - --silent --show-error --globoff --proto '=http,https' --noproxy "$direct" \
    --connect-timeout 10 --max-time "$((${TICK_BUDGET_SECONDS%%.*} + 20))" \
    --header 'Content-Type: application/json' --data "{\"limit\": $iterations, \"delay\": $delay}" \
    --write-out '\n%{http_code}'
}

explain_status() {
  case $1 in
    400) echo "the worker did not like the request; its answer above names the field" ;;
    401) echo "the worker refused the secret: compare JOB_QUEUE_RUNNER_SECRET or CRON_SECRET with the worker's own" ;;
    404) echo "there is no worker at this URL: correct JOB_QUEUE_WORKER_ENDPOINT" ;;
    3??) echo "the worker's URL redirects: put the final https URL into JOB_QUEUE_WORKER_ENDPOINT" ;;
    503) echo "the worker cannot reach the database: check its SUPABASE_URL and key, and the database" ;;
    *) echo "see the worker's log" ;;
  esac
}

case ${1:-} in
  -h | --help)
    usage
    exit 0
    ;;
esac
(($# <= 2)) || fail 2 "at most two arguments: [iterations] [delay]" "Example: $0 5 1000"
iterations=$(number iterations "${1:-5}" 1 100)
delay=$(number delay "${2:-0}" 0 60000)

command -v curl >/dev/null || fail 2 "curl is not installed" "On Debian and Ubuntu: apt-get install curl"
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
crontick=crontick
if ! command -v crontick >/dev/null && [[ -x $root/.venv/bin/crontick ]]; then
  crontick=$root/.venv/bin/crontick
fi
for directory in "$PWD" "$root"; do
  for file in .env .env.local .local/env; do
    read_file "$directory/$file"
  done
done

TICK_BUDGET_SECONDS=${TICK_BUDGET_SECONDS:-45}
[[ $TICK_BUDGET_SECONDS =~ ^[0-9]{1,6}(\.[0-9]+)?$ ]] || fail 2 "TICK_BUDGET_SECONDS has to be a number of seconds"
[[ -n ${JOB_QUEUE_WORKER_ENDPOINT:-} ]] || fail 2 "JOB_QUEUE_WORKER_ENDPOINT is not set" \
  "Set it to the worker's URL, in the environment or .env, or start a local one with: $crontick up"
[[ $JOB_QUEUE_WORKER_ENDPOINT =~ ^https?://[^[:space:]]+$ ]] || fail 2 \
  "JOB_QUEUE_WORKER_ENDPOINT has to be a URL such as https://example.com, not '$JOB_QUEUE_WORKER_ENDPOINT'"
[[ -n ${JOB_QUEUE_RUNNER_SECRET:-}${CRON_SECRET:-} ]] || fail 2 \
  "neither JOB_QUEUE_RUNNER_SECRET nor CRON_SECRET is set" "Set one to the worker's own value, in the environment or .env"
[[ ${JOB_QUEUE_RUNNER_SECRET:-}${CRON_SECRET:-} != *[[:cntrl:]]* ]] || fail 2 "the secret holds a line break or another control character"

problem=$(mktemp)
trap 'rm -f "$problem"' EXIT
code=0
answer=$(call 2>"$problem") || code=$?
if ((code)); then
  fail 1 "cannot reach the worker at $JOB_QUEUE_WORKER_ENDPOINT: $(sed 's/^curl: //' "$problem")" \
    "Is it running? Start a local one with: $crontick up"
fi
status=${answer##*$'\n'}
body=${answer%$'\n'*}
if [[ -n $body ]]; then
  printf '%s\n' "$body"
fi
[[ $status == 200 ]] || fail 1 "$JOB_QUEUE_WORKER_ENDPOINT answered $status: $(explain_status "$status")"

failed=$(sed -n 's/.*"failed" *: *\([0-9][0-9]*\).*/\1/p' <<<"$body" | head -n 1)
[[ -n $failed ]] || fail 1 "$JOB_QUEUE_WORKER_ENDPOINT answered 200, but not as a worker does: is the URL right?"
if [[ $body == *'"status": "paused"'* || $body == *'"status":"paused"'* ]]; then
  printf 'trigger-worker: %s\n' "processing is paused, nothing was run; go on with: select public.resume_processing();" >&2
fi
((failed == 0)) || fail 1 "$failed of the jobs did not succeed; lastError above says why"
