"""What a child answers is as untrusted as the file that it decoded."""

from __future__ import annotations

import json
import os
import signal
import threading
from pathlib import Path
from typing import Any

import pytest

from functions.sandbox_answer import (
    MAX_FILES,
    MAX_GROUPS,
    MAX_PARTS,
    SandboxKilled,
    read_exit,
    read_facts,
    read_files,
)
from handlers.contract import Reject


def answer(facts: Any, status: str = "ok", **more: Any) -> bytes:
    return json.dumps({"status": status, "facts": facts, **more}).encode()


def test_keys_and_values_lose_what_the_database_would_refuse_at_every_level() -> None:
    facts = {"a\ud800": 1, "b\x00": ["c\x00", {"d\udfff": "e\ud800"}]}

    assert read_facts(answer(facts)) == {"a": 1, "b": ["c", {"d": "e"}]}


def test_the_reason_of_a_refusal_can_be_stored_too() -> None:
    with pytest.raises(Reject, match=r"^bad$"):
        read_facts(answer(None, status="refused", reason="bad\ud800\x00"))


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"[]",
        b'"ok"',
        b'{"facts": {}}',
        b'{"status": "ok", "facts": {"a": NaN}}',
        b'{"status": "ok", "facts": {"a": -Infinity}}',
        b'{"status": "ok", "facts": {"a": 1e999}}',
        b'{"status": "ok", "facts": {"a": [-1.5E+400]}}',
        *(b'{"status": "ok", "facts": {"a": %b}}' % (b"[" * depth + b"]" * depth) for depth in (600, 99_000)),
    ],
)
def test_an_answer_that_is_none_counts_as_a_crash(line: bytes) -> None:
    with pytest.raises(SandboxKilled, match="crashed"):
        read_facts(line)


@pytest.mark.parametrize(
    "values",
    [
        b"[" + b"[]," * MAX_GROUPS + b"0]",
        b"[" + b"{}," * MAX_GROUPS + b"0]",
        b"[" + b'{"a":{}},' * (MAX_GROUPS // 2) + b"0]",
        b"[" + b"1," * (MAX_PARTS + 1) + b"0]",
        b"[" + b'"",' * (MAX_PARTS // 2 + 1) + b"0]",
        b'"' * (2 * MAX_PARTS + 2),
        b"[" + b'["\\\\",' * MAX_GROUPS,
    ],
)
def test_an_answer_of_more_values_than_any_file_has_is_refused_before_it_is_built(
    values: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(json, "loads", None)  # not even tried

    with pytest.raises(SandboxKilled, match="output limit"):
        read_facts(b'{"status":"ok","facts":{"a":' + values + b"}}")


def test_what_stands_in_a_text_does_not_count_as_values() -> None:
    facts = {"text": ',[{"\\' * MAX_PARTS, "paragraphs": ["a", 'b"', "\\"] * 100_000}

    assert read_facts(answer(facts)) == facts


def test_an_unfinished_text_of_quotes_costs_no_time() -> None:
    with pytest.raises(SandboxKilled, match="crashed"):
        read_facts(b'{"a": "' + b'\\"' * MAX_PARTS)


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (128 + signal.SIGKILL, "memory limit"),  # the decoder's end, as the keeper tells it
        (128 + signal.SIGXCPU, "time limit"),
        (128 + signal.SIGXFSZ, "output limit"),
        (128 + signal.SIGSEGV, "crashed"),
        (-signal.SIGKILL, "memory limit"),  # the keeper's own
        (0, "crashed"),
        (1, "crashed"),
    ],
)
def test_the_exit_status_says_which_limit_was_met(code: int, reason: str) -> None:
    assert reason in read_exit(code).reason


def test_what_lies_outside_cannot_be_read_through_a_link_and_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    folder.mkdir()
    (tmp_path / "secret").write_text("secret")
    (folder / "link").symlink_to(tmp_path / "secret")
    (folder / "plain").write_text("plain")
    os.mkfifo(folder / "pipe")
    found: list[dict[str, bytes]] = []

    reader = threading.Thread(target=lambda: found.append(read_files(folder, 100)), daemon=True)
    reader.start()
    reader.join(timeout=10)

    assert found == [{"plain": b"plain"}]


def test_a_folder_that_was_replaced_by_a_link_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "out").symlink_to(tmp_path / "elsewhere")

    with pytest.raises(SandboxKilled):
        read_files(tmp_path / "out", 100)


def test_as_many_files_as_allowed_are_read_and_not_one_more(tmp_path: Path) -> None:
    for number in range(MAX_FILES):
        (tmp_path / f"part-{number}").touch()
    assert len(read_files(tmp_path, 100)) == MAX_FILES

    (tmp_path / "one-more").touch()
    with pytest.raises(SandboxKilled, match="output limit"):
        read_files(tmp_path, 100)


def test_all_files_together_may_have_the_allowed_size(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(bytes(60))
    (tmp_path / "b").write_bytes(bytes(40))
    assert sum(map(len, read_files(tmp_path, 100).values())) == 100

    with pytest.raises(SandboxKilled, match="output limit"):
        read_files(tmp_path, 99)
