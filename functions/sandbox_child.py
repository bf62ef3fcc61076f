"""What a decoder's process does from its fork on: it confines itself, decodes, answers and is gone.

Forked by `sandbox_keeper.py`. The errand is JSON in a descriptor of its own, the answer one line of JSON
into a pipe of its own; whatever a library prints goes nowhere.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import tempfile
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from functions.sandbox_confine import confine


@dataclass(frozen=True)
class Errand:
    """The two descriptors of an errand, and where a decoder finds its libraries."""

    request: int
    answer: int
    readable: Sequence[str]


def work(errand: Errand) -> NoReturn:
    """Never returns: what an interpreter does at its end is not needed, and could hang."""
    with os.fdopen(errand.request, "rb") as file:
        request = json.loads(file.read())
    answer = json.dumps(decode(request, errand.readable)).encode("ascii") + b"\n"
    with os.fdopen(errand.answer, "wb") as out:
        out.write(answer)
    os._exit(0)


def decode(request: dict[str, Any], readable: Sequence[str]) -> dict[str, Any]:
    """Runs the decoder; its own verdict, an exhausted memory and a bug are told apart by `status`."""
    refused = importlib.import_module("handlers.media.refused").Refused
    module, _, function = request["decoder"].partition(":")
    try:
        settle(request["private"])
        confine(request, readable)
        run = getattr(importlib.import_module(module), function)
        facts = run(Path(request["source"]), Path(request["folder"]), **request["options"])
        json.dumps(facts, allow_nan=False)
    except refused as error:
        return {"status": "refused", "reason": str(error)}
    except MemoryError:
        return {"status": "memory"}
    except Exception:
        return {"status": "error", "reason": traceback.format_exc(limit=-4)[-4000:]}
    return {"status": "ok", "facts": facts}


def settle(private: str) -> None:
    """Makes the errand's own folder the only one that temporary files go to."""
    os.chdir(private)
    os.environ.update(HOME=private, TMPDIR=private)
    tempfile.tempdir = None
    sys.argv[1:] = []
