"""Whatever the worker decodes, the libraries that decode it stay out of its process."""

from __future__ import annotations

import json
import subprocess
import sys
import wave
from pathlib import Path

from tests.fixtures.docx_files import biology
from tests.fixtures.sandboxes import ROOT

LIBRARIES = {
    *("pyvips", "cffi", "pi_heif", "pypdfium2", "pypdfium2_raw", "av", "PIL", "numpy", "cv2"),
    *("rapidocr", "onnxruntime", "defusedxml", "openai", "anthropic"),
}
DECODERS = {"image", "heic", "pixels", "pdf", "ocr", "tesseract", "video", "audio", "text", "docx"}
SAMPLES = ROOT / "scripts" / "samples" / "files"
KINDS = {
    "turned-p3.heic": "image",
    "water-cycle.pdf": "pdf",
    "phases-of-the-moon.mp4": "video",
    "silence.wav": "audio",
    "plate-tectonics.md": "text",
    "cells.docx": "text",
    "terms.csv": "text",
}


def test_the_worker_imports_no_decoder_while_it_works_off_every_kind_of_file(tmp_path: Path) -> None:
    with wave.open(str(tmp_path / "silence.wav"), "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(8000)
        sound.writeframes(bytes(16000))
    (tmp_path / "cells.docx").write_bytes(biology())
    (tmp_path / "terms.csv").write_text("osmosis,movement of water\nmitosis,cell division\n")
    places = (tmp_path, SAMPLES, ROOT / "tests" / "fixtures" / "pictures")
    files = [next(place / name for place in places if (place / name).exists()) for name in KINDS]

    done = subprocess.run(
        [sys.executable, "-m", "tests.fixtures.all_kinds_worker", *map(str, files)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        check=True,
    )
    answer = json.loads(done.stdout)
    media = {name.removeprefix("handlers.media.") for name in answer["modules"] if ".media." in name}

    assert answer["kinds"] == KINDS
    assert LIBRARIES & {name.partition(".")[0] for name in answer["modules"]} == set()
    assert "sniff" in media
    assert media & DECODERS == set()
