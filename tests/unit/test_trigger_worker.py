"""`scripts/trigger-worker.sh` against a tiny HTTP server in the place of the worker."""

from __future__ import annotations

import json
import shutil
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "scripts" / "trigger-worker.sh"
ANSWER = (
    '{"status": "ok", "processed": 1, "succeeded": 1, "failed": 0, "results": [{"id": 1, "status": "done"}]}'
)


@dataclass
class Worker:
    """What the server answers, and what it was asked."""

    status: int = 200
    answer: str = ANSWER
    headers: dict[str, str] = field(default_factory=dict)
    body: str = ""
    command_lines: str = ""
    url: str = ""


def handler_of(worker: Worker) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            worker.headers = {name.lower(): value for name, value in self.headers.items()}
            worker.body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            lines = [path.read_bytes() for path in Path("/proc").glob("[0-9]*/cmdline") if path.exists()]
            worker.command_lines = b"\n".join(lines).replace(b"\0", b" ").decode(errors="replace")
            self.send_response(worker.status)
            self.end_headers()
            self.wfile.write(worker.answer.encode())

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
            pass

    return Handler


@pytest.fixture
def worker() -> Iterator[Worker]:
    worker = Worker()
    with ThreadingHTTPServer(("127.0.0.1", 0), handler_of(worker)) as server:
        worker.url = f"http://127.0.0.1:{server.server_port}/"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield worker
        server.shutdown()
        thread.join()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A repository of its own, so that the files of the real one play no part."""
    scripts = tmp_path / "a repository" / "scripts"
    scripts.mkdir(parents=True)
    shutil.copy(SCRIPT, scripts)
    return scripts.parent


def trigger(folder: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return trigger_from(folder, folder, *arguments, **variables)


def trigger_from(
    working_directory: Path, folder: Path, *arguments: str, **variables: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(folder / "scripts" / SCRIPT.name), *arguments],
        cwd=working_directory,
        env={"PATH": "/usr/local/bin:/usr/bin:/bin", **variables},
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )


def configure(folder: Path, name: str, **variables: str) -> None:
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).write_text("".join(f"{key}={value}\n" for key, value in variables.items()))


def test_it_posts_five_jobs_without_delay_and_prints_the_answer(folder: Path, worker: Worker) -> None:
    done = trigger(folder, JOB_QUEUE_WORKER_ENDPOINT=worker.url, JOB_QUEUE_RUNNER_SECRET="s3")
    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, ANSWER, "")
    assert json.loads(worker.body) == {"limit": 5, "delay": 0}
    assert worker.headers["x-job-runner-secret"] == "s3"
    assert worker.headers["content-type"] == "application/json"


def test_iterations_and_delay_are_passed_on_as_json_numbers(folder: Path, worker: Worker) -> None:
    trigger(folder, "010", "0500", JOB_QUEUE_WORKER_ENDPOINT=worker.url, JOB_QUEUE_RUNNER_SECRET="s")
    assert json.loads(worker.body) == {"limit": 10, "delay": 500}


def test_the_cron_secret_travels_as_bearer(folder: Path, worker: Worker) -> None:
    trigger(folder, JOB_QUEUE_WORKER_ENDPOINT=worker.url, CRON_SECRET='a "quoted" \\ secret')
    assert worker.headers["authorization"] == 'Bearer a "quoted" \\ secret'
    assert "x-job-runner-secret" not in worker.headers


def test_the_secret_is_in_no_processs_arguments(folder: Path, worker: Worker) -> None:
    trigger(folder, JOB_QUEUE_WORKER_ENDPOINT=worker.url, JOB_QUEUE_RUNNER_SECRET="very-secret-indeed")
    assert "curl" in worker.command_lines
    assert "very-secret-indeed" not in worker.command_lines


def test_env_files_are_read_and_never_executed(folder: Path, worker: Worker) -> None:
    (folder / ".env").write_text(
        "# a comment\r\n"
        f"export JOB_QUEUE_WORKER_ENDPOINT = '{worker.url}'   # where it is\r\n"
        'JOB_QUEUE_RUNNER_SECRET="$(touch executed) a \\"b\\" # c"\r\n'
        "NOT_JOB_QUEUE_RUNNER_SECRET=wrong\r\n"
        "touch executed\r\n"
    )
    assert trigger(folder).returncode == 0
    assert worker.headers["x-job-runner-secret"] == '$(touch executed) a "b" # c'
    assert not (folder / "executed").exists()


@pytest.mark.parametrize(
    ("value", "meant"),
    [("plain # comment", "plain"), ("a#b", "a#b"), ("''", ""), ("  spaced  ", "spaced"), ("a=b", "a=b")],
)
def test_unquoted_values_read_as_dotenv_reads_them(
    folder: Path, worker: Worker, value: str, meant: str
) -> None:
    configure(folder, ".env", JOB_QUEUE_RUNNER_SECRET=value, CRON_SECRET="other")
    trigger(folder, JOB_QUEUE_WORKER_ENDPOINT=worker.url)
    assert worker.headers.get("x-job-runner-secret", "") == meant


def test_the_environment_wins_over_env_and_env_over_the_local_supabase(folder: Path, worker: Worker) -> None:
    configure(folder, ".local/env", JOB_QUEUE_WORKER_ENDPOINT=worker.url, JOB_QUEUE_RUNNER_SECRET="local")
    trigger(folder)
    assert worker.headers["x-job-runner-secret"] == "local"
    configure(folder, ".env.local", JOB_QUEUE_RUNNER_SECRET="second")
    trigger(folder)
    assert worker.headers["x-job-runner-secret"] == "second"
    configure(folder, ".env", JOB_QUEUE_RUNNER_SECRET="first")
    trigger(folder)
    assert worker.headers["x-job-runner-secret"] == "first"
    trigger(folder, JOB_QUEUE_RUNNER_SECRET="environment")
    assert worker.headers["x-job-runner-secret"] == "environment"


def test_a_file_about_another_project_is_left_out(folder: Path, worker: Worker) -> None:
    configure(folder, ".env", SUPABASE_URL="https://a.test", JOB_QUEUE_WORKER_ENDPOINT=worker.url)
    configure(folder, ".local/env", SUPABASE_URL="http://127.0.0.1:1", JOB_QUEUE_RUNNER_SECRET="local")
    done = trigger(folder)
    assert done.returncode == 2
    assert "JOB_QUEUE_RUNNER_SECRET" in done.stderr


def test_it_works_from_any_folder(folder: Path, worker: Worker, tmp_path: Path) -> None:
    configure(folder, ".env", JOB_QUEUE_WORKER_ENDPOINT=worker.url, CRON_SECRET="s")
    assert trigger_from(tmp_path, folder).returncode == 0


@pytest.mark.parametrize(
    "arguments", [["x"], ["-1"], ["0"], ["101"], ["5", "1.5"], ["5", "60001"], ["1", "2", "3"], ["1e3"]]
)
def test_wrong_arguments_are_refused_before_any_call(
    folder: Path, worker: Worker, arguments: list[str]
) -> None:
    done = trigger(folder, *arguments, JOB_QUEUE_WORKER_ENDPOINT=worker.url, CRON_SECRET="s")
    assert done.returncode == 2
    assert done.stderr.startswith("trigger-worker: ")
    assert worker.body == ""


@pytest.mark.parametrize(
    ("variables", "named"),
    [
        ({"CRON_SECRET": "s"}, "JOB_QUEUE_WORKER_ENDPOINT is not set"),
        ({"JOB_QUEUE_WORKER_ENDPOINT": "http://127.0.0.1:1"}, "CRON_SECRET is set"),
        ({"JOB_QUEUE_WORKER_ENDPOINT": "file:///etc/passwd", "CRON_SECRET": "s"}, "has to be a URL"),
        ({"JOB_QUEUE_WORKER_ENDPOINT": "http://127.0.0.1:1", "CRON_SECRET": "a\nb"}, "control character"),
    ],
)
def test_what_is_missing_or_wrong_is_named(folder: Path, variables: dict[str, str], named: str) -> None:
    done = trigger(folder, **variables)
    assert done.returncode == 2
    assert named in done.stderr


@pytest.mark.parametrize(
    ("status", "answer", "reason"),
    [
        (400, '{"error": "limit: should be at most 100"}', "names the field"),
        (401, "", "refused the secret"),
        (302, "", "redirects"),
        (404, "", "no worker at this URL"),
        (503, '{"error": "no database"}', "cannot reach the database"),
        (500, "", "see the worker's log"),
        (200, "<html>hello</html>", "not as a worker does"),
        (
            200,
            '{"status": "ok", "processed": 3, "succeeded": 1, "failed": 2, "results": []}',
            "2 of the jobs",
        ),
    ],
)
def test_every_failure_has_its_reason_and_a_non_zero_exit(
    folder: Path, worker: Worker, status: int, answer: str, reason: str
) -> None:
    worker.status, worker.answer = status, answer
    done = trigger(folder, JOB_QUEUE_WORKER_ENDPOINT=worker.url, CRON_SECRET="s")
    assert done.returncode == 1
    assert reason in done.stderr
    assert done.stdout.strip() == answer


def test_an_error_text_that_looks_like_a_count_is_none(folder: Path, worker: Worker) -> None:
    worker.answer = '{"status": "ok", "failed": 0, "results": [{"lastError": "\\"failed\\": 3"}]}'
    assert trigger(folder, JOB_QUEUE_WORKER_ENDPOINT=worker.url, CRON_SECRET="s").returncode == 0


def test_a_paused_queue_is_said_and_is_no_failure(folder: Path, worker: Worker) -> None:
    worker.answer = '{"status": "paused", "processed": 0, "succeeded": 0, "failed": 0, "results": []}'
    done = trigger(folder, JOB_QUEUE_WORKER_ENDPOINT=worker.url, CRON_SECRET="s")
    assert done.returncode == 0
    assert "paused" in done.stderr


def test_a_worker_that_is_not_there_is_named(folder: Path, worker: Worker) -> None:
    done = trigger(folder, JOB_QUEUE_WORKER_ENDPOINT="http://127.0.0.1:9/", CRON_SECRET="hush")
    assert done.returncode == 1
    assert "cannot reach the worker at http://127.0.0.1:9/" in done.stderr
    assert "hush" not in done.stderr


def test_a_worker_on_this_machine_is_called_past_every_proxy_and_others_are_not(
    folder: Path, worker: Worker
) -> None:
    proxy = {"http_proxy": "http://127.0.0.1:9", "CRON_SECRET": "s"}
    assert trigger(folder, JOB_QUEUE_WORKER_ENDPOINT=worker.url, **proxy).returncode == 0

    elsewhere = trigger(folder, JOB_QUEUE_WORKER_ENDPOINT="http://worker.invalid/", **proxy)
    assert "127.0.0.1 port 9" in elsewhere.stderr

    excepted = trigger(
        folder, JOB_QUEUE_WORKER_ENDPOINT="http://worker.invalid/", NO_PROXY="worker.invalid", **proxy
    )
    assert "port 9" not in excepted.stderr
    assert "Could not resolve host: worker.invalid" in excepted.stderr
