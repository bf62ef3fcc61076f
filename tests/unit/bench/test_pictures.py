"""What the benchmarks of pictures measure with, without measuring."""

from __future__ import annotations

import base64
import subprocess
import sys
from pathlib import Path

import pytest
import pyvips

from handlers.media import image
from scripts.bench import thumbnails
from scripts.bench.memory import require_thumbnails
from scripts.bench.pictures.bare_loop import BOXES, is_ours, loop, pictures_of
from scripts.bench.pictures.photos import large, photos
from scripts.bench.pictures.processor_time import function_parts, read_tree, since, supabase_parts
from scripts.local_supabase.errors import LocalSupabaseError

ROOT = Path(__file__).parents[3]


def process(proc: Path, pid: int, parent: int, name: str, own: int, ended_children: int) -> None:
    """As the kernel shows it; times are hundredths of a second."""
    (proc / str(pid)).mkdir(parents=True)
    fields = ["S", str(parent), *["0"] * 9, str(own), "0", str(ended_children), "0", "20"]
    (proc / str(pid) / "stat").write_text(f"{pid} ({name}) {' '.join(fields)}")


def test_no_two_photos_are_the_same_file_and_each_is_a_whole_picture(tmp_path: Path) -> None:
    files = photos(tmp_path, 7, 160)

    assert len({file.read_bytes() for file in files}) == 7
    for file in files:
        picture = pyvips.Image.new_from_file(str(file), fail_on="truncated")
        assert (picture.width, picture.height) == (160, 120)
        assert picture.avg() > 0
    assert pyvips.Image.new_from_file(str(files[0])).avg() == pyvips.Image.new_from_file(str(files[5])).avg()


def test_pictures_are_made_once(tmp_path: Path) -> None:
    made = [*photos(tmp_path, 2, 160), large(tmp_path, 160, "png")]
    before = [file.stat().st_mtime_ns for file in made]

    again = [*photos(tmp_path, 2, 160), large(tmp_path, 160, "png")]

    assert [file.stat().st_mtime_ns for file in again] == before


def test_the_bare_loop_makes_both_sizes_and_the_placeholder(tmp_path: Path) -> None:
    (photo,) = photos(tmp_path, 1, 1600)

    made = [pyvips.Image.new_from_buffer(data, "") for data in pictures_of(str(photo))]

    assert [picture.width for picture in made] == [*BOXES, 16]
    assert {picture.get("vips-loader") for picture in made} == {"webpload_buffer"}


def test_the_bare_loop_makes_the_very_pictures_that_are_stored(tmp_path: Path) -> None:
    (photo,) = photos(tmp_path, 1, 1600)
    made = image.thumbnails(photo, tmp_path)

    stored = [(tmp_path / f"{box}.webp").read_bytes() for box in BOXES]

    assert pictures_of(str(photo))[:-1] == stored
    assert base64.b64encode(pictures_of(str(photo))[-1]).decode() in made["placeholder"]


def test_processes_of_the_bare_loop_share_the_photos_and_do_each_once(tmp_path: Path) -> None:
    files = [str(file) for file in photos(tmp_path, 3, 160)]
    claims = tmp_path / "claims"
    claims.mkdir()
    assert is_ours(claims, 1)

    assert loop(files, claims) == 2
    assert loop(files, claims) == 0


def test_the_bare_loop_is_tried_with_processes_and_threads_and_with_libvips_threads_and_none() -> None:
    tried = thumbnails.bare_settings(4)
    assert {(one.processes, one.threads) for one in tried} == {(4, 1), (1, 4)}
    assert {one.libvips_threads for one in tried} == {0, 1}
    assert all(one.processes * one.threads == 4 for one in tried)
    assert len(thumbnails.bare_settings(1)) == 2


def test_processor_time_is_told_apart_by_who_started_whom(tmp_path: Path) -> None:
    process(tmp_path, 10, 1, "gunicorn", 100, 0)
    process(tmp_path, 11, 10, "gunicorn: (worker)", 300, 50)
    process(tmp_path, 12, 11, "python3", 20, 700)
    process(tmp_path, 99, 1, "somebody else", 5000, 0)

    assert function_parts(read_tree(10, tmp_path)) == {"function": 4.0, "sandbox": pytest.approx(7.7)}


def test_the_local_supabase_is_told_apart_by_the_names_of_its_programs(tmp_path: Path) -> None:
    process(tmp_path, 10, 1, "python", 200, 30)
    process(tmp_path, 11, 10, "postgres", 100, 400)
    process(tmp_path, 12, 11, "postgres", 50, 0)
    process(tmp_path, 13, 10, "postgrest", 70, 0)

    parts = supabase_parts(read_tree(10, tmp_path))

    assert parts == {
        "Storage and gateway": 2.0,
        "others": pytest.approx(0.3),
        "postgres": 5.5,
        "postgrest": pytest.approx(0.7),
    }


def test_only_what_was_used_since_counts() -> None:
    assert since(lambda: {"function": 5.0, "sandbox": 2.0}, {"function": 4.0}) == {
        "function": 1.0,
        "sandbox": 2.0,
    }


def test_whoever_makes_smaller_thumbnails_is_no_comparison() -> None:
    require_thumbnails("pillow", [[1024, 768], [256, 192]])
    with pytest.raises(LocalSupabaseError, match="this is no result"):
        require_thumbnails("pillow", [[512, 384], [256, 192]])


def test_the_peak_of_a_process_is_what_it_has_had_at_once() -> None:
    # In a process of its own: this one may have had more in its time.
    program = """
from scripts.bench.pictures.peak import peak_mb
before = peak_mb()
taken = bytearray(200 * 1024 * 1024)
taken[::1024] = b"x" * len(taken[::1024])
del taken
print(before, peak_mb())
"""
    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT
    )
    before, after = map(float, run.stdout.split())
    assert before > 5
    assert after > before + 150
