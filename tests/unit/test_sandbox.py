from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from functions.sandbox import Sandbox
from functions.sandbox_answer import DecoderFailed
from handlers.contract import Reject, Retry
from tests.fixtures.sandboxes import HOSTILE, MEGABYTE, make_sandbox


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "upload"
    path.write_text("hello")
    return path


@pytest.fixture
def sandbox(source: Path) -> Sandbox:
    return make_sandbox(notes_beside=source)


def test_a_decoder_answers_facts_and_files(sandbox: Sandbox, source: Path) -> None:
    decoded = sandbox.run(HOSTILE + "well_behaved", source, timeout=30, options={"suffix": "!"})

    assert decoded.facts["text"] == "hello!"
    assert decoded.files == {"copy.txt": b"hello"}


def test_what_the_database_would_refuse_is_removed_from_strings(sandbox: Sandbox, source: Path) -> None:
    decoded = sandbox.run(HOSTILE + "well_behaved", source, timeout=30)

    assert decoded.facts["nested"] == [{"odd": "abc"}]


def test_a_refused_file_is_rejected_with_the_decoders_own_sentence(sandbox: Sandbox, source: Path) -> None:
    with pytest.raises(Reject, match=r"^the file is damaged$"):
        sandbox.run(HOSTILE + "refuses", source, timeout=30)


@pytest.mark.parametrize(("decoder", "cause"), [("fails", "a bug in the decoder"), ("not_json", "JSON")])
def test_a_bug_in_a_decoder_is_not_held_against_the_file(
    sandbox: Sandbox, source: Path, decoder: str, cause: str
) -> None:
    with pytest.raises(DecoderFailed, match=cause):
        sandbox.run(HOSTILE + decoder, source, timeout=30)


@pytest.mark.parametrize(
    ("decoder", "reason"),
    [
        ("allocates", "memory limit"),
        ("allocates_natively", "crashed"),
        ("dies", "crashed"),
        ("exits", "crashed"),
        ("removes_its_folder", "crashed"),
        ("links_its_folder", "crashed"),
        ("writes_a_large_file", "output limit"),
        ("writes_many_files", "output limit"),
        ("writes_too_many_files", "output limit"),
        ("fills_the_disk_with_folders", "output limit"),
        ("answers_too_much", "output limit"),
    ],
)
def test_a_file_that_kills_its_decoder_is_rejected_with_the_limit_named(
    sandbox: Sandbox, source: Path, decoder: str, reason: str
) -> None:
    with pytest.raises(Reject, match=f"could not be decoded safely: .*{reason}"):
        sandbox.run(HOSTILE + decoder, source, timeout=30)


@pytest.mark.parametrize("decoder", ["fills_the_disk", "fills_the_disk_and_answers_meanwhile"])
def test_a_decoder_that_writes_file_after_file_is_stopped_on_its_way(
    sandbox: Sandbox, source: Path, decoder: str
) -> None:
    with pytest.raises(Reject, match="output limit"):
        sandbox.run(HOSTILE + decoder, source, timeout=30)

    assert int(source.with_suffix(".runs").read_text()) < 100  # MB, of the 200; 2 are allowed


def test_a_killed_decoder_gets_a_second_child_and_no_third(sandbox: Sandbox, source: Path) -> None:
    with pytest.raises(Reject):
        sandbox.run(HOSTILE + "dies", source, timeout=30)

    assert source.with_suffix(".runs").read_text() == "xx"


def test_a_decoder_that_dies_once_succeeds_in_its_second_child(sandbox: Sandbox, source: Path) -> None:
    assert sandbox.run(HOSTILE + "dies_once", source, timeout=30).facts == {"runs": 2}


def test_a_decoder_that_spins_is_killed_at_its_limit_and_the_file_rejected(source: Path) -> None:
    with pytest.raises(Reject, match="time limit"):
        make_sandbox(0.5, notes_beside=source).run(HOSTILE + "spins", source, timeout=30)

    assert source.with_suffix(".runs").read_text() == "xx"


def test_a_file_is_not_blamed_when_the_jobs_own_time_ran_out(sandbox: Sandbox, source: Path) -> None:
    with pytest.raises(Retry, match="not enough time left"):
        sandbox.run(HOSTILE + "spins", source, timeout=0.5)


def test_no_second_child_is_started_when_no_time_is_left(source: Path) -> None:
    with pytest.raises(Reject, match="time limit"):
        make_sandbox(0.5, notes_beside=source).run(HOSTILE + "spins", source, timeout=1.0)

    assert source.with_suffix(".runs").read_text() == "x"


def test_a_decoder_sees_nothing_of_the_workers_environment(
    sandbox: Sandbox, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SUPABASE_SECRET_KEY", "sb_secret_test")
    monkeypatch.setenv("PYTHONPATH", "/nowhere")

    facts = sandbox.run(HOSTILE + "environment", source, timeout=30).facts

    allowed = {"HOME", "TMPDIR", "LANG", "LC_CTYPE", "VIPS_BLOCK_UNTRUSTED"}
    threads = {"VIPS_CONCURRENCY", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"}
    memory = {name for name in facts["environment"] if name.startswith("MALLOC_")} | {"GLIBC_TUNABLES"}
    assert set(facts["environment"]) <= allowed | threads | memory


def test_a_decoder_works_in_a_private_folder_that_is_removed_afterwards(
    sandbox: Sandbox, source: Path
) -> None:
    facts = sandbox.run(HOSTILE + "environment", source, timeout=30).facts

    assert Path(facts["folder"]).parent == Path(facts["cwd"])
    assert facts["environment"]["TMPDIR"] == facts["cwd"]
    assert not Path(facts["cwd"]).exists()


def test_limits_hold_and_cannot_be_raised_again(sandbox: Sandbox, source: Path) -> None:
    facts = sandbox.run(HOSTILE + "limits", source, timeout=30, memory_mb=512).facts

    assert facts["AS"] == [512 * MEGABYTE, 512 * MEGABYTE]
    assert facts["FSIZE"] == [2 * MEGABYTE, 2 * MEGABYTE]
    assert facts["CORE"] == [0, 0]
    assert facts["NOFILE"][1] == 256
    assert 0 < facts["CPU"][1] <= 20 * (os.cpu_count() or 1) + 1


def test_what_a_decoder_prints_goes_nowhere_and_cannot_forge_its_answer(
    sandbox: Sandbox, source: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert sandbox.run(HOSTILE + "prints", source, timeout=30).facts == {"forged": False}

    assert capfd.readouterr() == ("", "")


def test_a_decoder_can_gain_no_privileges(sandbox: Sandbox, source: Path) -> None:
    assert sandbox.run(HOSTILE + "privileges", source, timeout=30).facts == {"no_new": "1"}


def test_links_pipes_and_folders_are_not_read_back(sandbox: Sandbox, source: Path) -> None:
    assert sandbox.run(HOSTILE + "links_out", source, timeout=30).files == {"plain.txt": b"plain"}


@pytest.mark.parametrize(
    "decoder",
    ["os:system", "handlers.media.image:inspect", "tests.fixtures.hostile_decoders", HOSTILE + "_count_run"],
)
def test_only_public_functions_of_the_allowed_packages_are_decoders(
    sandbox: Sandbox, source: Path, decoder: str
) -> None:
    with pytest.raises(ValueError, match="expected 'module:function'"):
        sandbox.run(decoder, source, timeout=30)


def test_several_threads_decode_at_once(sandbox: Sandbox, tmp_path: Path) -> None:
    answers: dict[int, str] = {}

    def work(number: int) -> None:
        path = tmp_path / str(number)
        path.write_text(f"file {number}")
        answers[number] = sandbox.run(HOSTILE + "well_behaved", path, timeout=30).facts["text"]

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)

    assert answers == {number: f"file {number}" for number in range(4)}
