"""What a decoder that was taken over by its file still cannot do, on machines whose kernel helps."""

from __future__ import annotations

import ctypes
import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from functions import sandbox_seccomp
from functions.sandbox import Sandbox
from functions.sandbox_answer import DecoderFailed
from functions.sandbox_capabilities import READ_SEARCH
from functions.sandbox_confine import readable_paths, what_is_missing
from functions.sandbox_seccomp import ALLOW, ERRNO, REFUSED, Step, assemble
from tests.fixtures.sandboxes import CURIOUS, ROOT, make_sandbox

ASK_LANDLOCK = (444, None, 0, 1)
HAS = {
    "landlock": ctypes.CDLL(None).syscall(*ASK_LANDLOCK) >= 1,
    "seccomp": "Seccomp:" in Path("/proc/self/status").read_text(),
}
needs_seccomp = pytest.mark.skipif(not HAS["seccomp"], reason="this machine lets nobody use seccomp")
needs_landlock = pytest.mark.skipif(not HAS["landlock"], reason="this machine lets nobody use Landlock")
REFUSE = ERRNO | errno.EPERM


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "job" / "upload"
    path.parent.mkdir()
    path.write_text("hello")
    return path


@pytest.fixture
def sandbox() -> Sandbox:
    return make_sandbox()


def tries(sandbox: Sandbox, source: Path, what: str) -> str | None:
    """The name of the error that the decoder gets."""
    outside = source.parent.parent / "another"
    outside.write_text("somebody's")
    options = {"what": what, "worker": os.getpid(), "outside": str(outside)}
    refused = sandbox.run(CURIOUS + "tries", source, timeout=30, options=options).facts["refused"]
    assert outside.read_text() == "somebody's"
    assert source.read_text() == "hello"
    return None if refused is None else str(refused)


def test_the_locks_that_the_kernel_has_do_close() -> None:
    assert what_is_missing(readable_paths()) == [lock for lock, has in HAS.items() if not has]


@needs_seccomp
@pytest.mark.parametrize(
    "what",
    [
        *("connects", "starts a program", "starts a process", "signals its keeper", "signals the worker"),
        *("signals everybody", "has files signal the worker", "limits its keeper"),
        *("slows the worker down", "moves the worker to one core", "takes memory that no limit counts"),
        *("locks out another file's owner", "changes another file's date", "marks another file"),
    ],
)
def test_a_decoder_reaches_neither_the_network_nor_other_processes(
    sandbox: Sandbox, source: Path, what: str
) -> None:
    assert tries(sandbox, source, what) == "PermissionError"


@needs_landlock
@pytest.mark.parametrize(
    "what",
    [
        *("reads its keeper's memory", "reads the worker's environment", "reads another file"),
        *("lists another folder", "writes another file", "makes another file", "removes another file"),
        *("changes its source", "makes a device"),
    ],
)
def test_a_decoder_reaches_no_file_but_its_own(sandbox: Sandbox, source: Path, what: str) -> None:
    assert tries(sandbox, source, what) == "PermissionError"


@needs_landlock
def test_a_decoder_cannot_move_its_source(sandbox: Sandbox, source: Path) -> None:
    assert tries(sandbox, source, "moves its source") is not None


@pytest.mark.parametrize("what", ["signals itself", "starts a thread", "limits itself"])
def test_what_libraries_do_to_their_own_process_is_allowed(sandbox: Sandbox, source: Path, what: str) -> None:
    assert tries(sandbox, source, what) is None


@needs_seccomp
def test_each_call_of_the_list_is_refused(sandbox: Sandbox, source: Path) -> None:
    assert sandbox.run(CURIOUS + "calls", source, timeout=30).facts == {"allowed": []}


@needs_landlock
def test_settings_that_lie_beside_the_code_are_out_of_reach(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = tmp_path / "project"
    (project / "package").mkdir(parents=True)
    (project / ".settings").mkdir()
    for name in ("package/code.py", ".settings/secret.py", ".env"):
        (project / name).touch()
    (project / "notes").mkdir()
    monkeypatch.syspath_prepend(str(project))

    paths = readable_paths()

    assert [path for path in paths if path.startswith(str(tmp_path))] == [str(project / "package")]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has powers to give up")
def test_of_roots_powers_only_that_to_read_is_left(sandbox: Sandbox, source: Path) -> None:
    assert sandbox.run(CURIOUS + "powers", source, timeout=30).facts == {"left": READ_SEARCH}


def test_a_listed_decoder_starts_programs(source: Path) -> None:
    sandbox = Sandbox(
        allowed_prefixes=("tests.fixtures.",), starts_programs=(CURIOUS + "runs",), extra_path=(ROOT,)
    )

    assert sandbox.run(CURIOUS + "runs_a_program", source, timeout=30).facts == {"said": "works\n"}


@needs_seccomp
def test_any_other_starts_none(sandbox: Sandbox, source: Path) -> None:
    with pytest.raises(DecoderFailed, match="PermissionError"):
        sandbox.run(CURIOUS + "runs_a_program", source, timeout=30)


@needs_seccomp
def test_a_machine_that_refuses_both_decodes_all_the_same_and_says_so_once(source: Path) -> None:
    program = (
        "import logging, sys; from pathlib import Path; from tests.fixtures import bare_machine, sandboxes\n"
        "logging.basicConfig(format='%(message)s %(lock)s')\n"
        "bare_machine.take_locks_away()\n"
        "sandbox = sandboxes.make_sandbox()\n"
        "for _ in range(2):\n"
        "    facts = sandbox.run(sandboxes.HOSTILE + 'well_behaved', Path(sys.argv[1]), timeout=30).facts\n"
        "    print(facts['text'])\n"
        "sandbox.close()"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(source)], cwd=ROOT, capture_output=True, check=True, text=True
    )

    assert done.stdout == "hello\nhello\n"
    assert done.stderr == "sandbox_without landlock\nsandbox_without seccomp\n"


# How the kernel runs a filter, for the four instructions that are used: the one for the other machine, too.


def verdict(column: int, number: int, *arguments: int, own: int = 7, may_start_programs: bool = False) -> int:
    machine = (0xC000003E, 0xC00000B7)[column]
    seen = {0: number, 4: machine} | {16 + 8 * place: value for place, value in enumerate(arguments)}
    steps = assemble(list(sandbox_seccomp.questions(column, own, may_start_programs=may_start_programs)))
    here, value = 0, 0
    while True:
        code, yes, no, k = steps[here]
        if code == sandbox_seccomp.RETURN:
            return k
        if code == sandbox_seccomp.LOAD:
            here, value = here + 1, seen[k]
            continue
        tests = {0x15: value == k, 0x35: value >= k, 0x45: bool(value & k)}
        here += 1 + (yes if tests[code] else no)


@pytest.mark.parametrize("column", [0, 1])
@pytest.mark.parametrize(
    ("call", "arguments", "programs", "answer"),
    [
        ((0, 63), (), False, ALLOW),  # read
        ((59, 221), (), False, REFUSE),  # execve
        ((59, 221), (), True, ALLOW),
        ((41, 198), (), True, REFUSE),  # socket
        ((53, 199), (), False, ALLOW),  # socketpair
        ((62, 129), (7,), False, ALLOW),  # kill
        ((62, 129), (8,), False, REFUSE),
        ((62, 129), (0,), False, REFUSE),
        ((62, 129), (8,), True, REFUSE),
        ((234, 131), (7,), False, ALLOW),  # tgkill
        ((234, 131), (8,), False, REFUSE),
        ((302, 261), (0,), False, ALLOW),  # prlimit64
        ((302, 261), (7,), False, ALLOW),
        ((302, 261), (8,), False, REFUSE),
        ((72, 25), (3, 1), False, ALLOW),  # fcntl
        ((72, 25), (3, 8), False, REFUSE),
        ((56, 220), (0x3D0F00,), False, ALLOW),  # clone, as pthread_create calls it
        ((56, 220), (17,), False, REFUSE),
        ((56, 220), (17,), True, ALLOW),
        ((56, 220), (0x10000000,), True, REFUSE),
        ((435, 435), (), True, ERRNO | errno.ENOSYS),  # clone3
    ],
)
def test_the_filter_tells_calls_apart_by_their_arguments(
    column: int, call: tuple[int, int], arguments: tuple[int, ...], programs: bool, answer: int
) -> None:
    assert verdict(column, call[column], *arguments, may_start_programs=programs) == answer


def test_calls_of_other_machines_and_their_numbers_are_refused() -> None:
    steps = assemble(list(sandbox_seccomp.questions(0, 7, may_start_programs=False)))

    assert verdict(0, 0x40000000) == REFUSE  # x32
    assert steps[1][:1] + steps[1][3:] == (Step(0x15, 0).code, 0xC000003E)
    assert steps[1 + 1 + steps[1][2]][3] == REFUSE


@pytest.mark.parametrize("column", [0, 1])
def test_no_number_stands_for_two_calls(column: int) -> None:
    numbers = [numbers[column] for numbers in REFUSED.values() if numbers[column] >= 0]

    assert len(set(numbers)) == len(numbers)
