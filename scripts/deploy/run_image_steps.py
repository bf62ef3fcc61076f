"""Runs the Dockerfile's steps in an empty root, starts the result and calls it. For root, on Debian or Ubuntu.

    sudo .venv/bin/python -m scripts.deploy.run_image_steps
    sudo .venv/bin/python -m scripts.deploy.run_image_steps --extras "video ocr" --keep /tmp/image

It is no engine: no layers, no registry, no isolation. It shows that the steps work from nothing, what the image holds,
and that its command answers as its user in a root that cannot be written.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import httpx

from scripts.deploy.built_image import Image, build
from scripts.deploy.empty_root import RootError, make_base, why_not
from scripts.deploy.image_contents import look_at
from scripts.local_supabase.ports import free_port

REPOSITORY = Path(__file__).resolve().parents[2]
BASE = REPOSITORY / ".local" / "image-base"
START_SECONDS = 60.0


def main() -> int:
    parser = argparse.ArgumentParser(description="Runs the Dockerfile's steps in an empty root.")
    parser.add_argument("--extras", default="", help="the build argument EXTRAS, as 'video ocr'")
    parser.add_argument("--keep", type=Path, help="a new folder to leave the stages in")
    options = parser.parse_args()
    if reason := why_not():
        print(f"cannot make an empty root: {reason}", file=sys.stderr)
        return 2
    if options.keep:
        options.keep.mkdir(parents=True)
        return _build_and_call(options.keep, options.extras)
    with tempfile.TemporaryDirectory(prefix="image-") as folder:
        return _build_and_call(Path(folder), options.extras)


def _build_and_call(folder: Path, extras: str) -> int:
    began = time.monotonic()
    try:
        base = make_base(BASE)
        image = build(REPOSITORY, base, folder, {"EXTRAS": extras}, cache=uv_cache(), say=print)
    except RootError as error:
        print(error, file=sys.stderr)
        return 1
    contents = look_at(image.root.folder)
    print(f"built in {time.monotonic() - began:.0f} s: /app has {contents.application_mb} MB, ", end="")
    print(f"{contents.packages} packages; under the GPL: {', '.join(contents.copyleft) or 'nothing'}")
    for target, path, expected in (("cron_tick", "/", 401), ("jobs_admin", "/health?live", 200)):
        status = _status(image, folder / f"{target}.log", target, path)
        print(f"{target}: {path} answers {status}")
        if status != expected:
            print((folder / f"{target}.log").read_text(), file=sys.stderr)
            return 1
    return 0


def _status(image: Image, log_path: Path, target: str, path: str) -> int:
    port = free_port()
    settings = {"FUNCTION_TARGET": target, "PORT": str(port), "BIND": "127.0.0.1"}
    with image.running(settings, log_path):
        return wait_for_answer(f"http://127.0.0.1:{port}{path}", "POST" if path == "/" else "GET")


def wait_for_answer(url: str, method: str = "POST") -> int:
    """The status of the first answer, 0 if none came."""
    deadline = time.monotonic() + START_SECONDS
    with httpx.Client(timeout=5, trust_env=False) as client:
        while time.monotonic() < deadline:
            try:
                return client.request(method, url).status_code
            except httpx.TransportError:
                time.sleep(0.1)
    return 0


def uv_cache() -> Path:
    """This machine's own, so that nothing is downloaded twice."""
    done = subprocess.run(["uv", "cache", "dir"], capture_output=True, text=True, check=True)
    return Path(done.stdout.strip())


if __name__ == "__main__":
    sys.exit(main())
