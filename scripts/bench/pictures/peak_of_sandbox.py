"""Makes a picture's thumbnails in the function's sandbox: started by memory.py."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from functions.sandbox import Sandbox
from scripts.bench.pictures.peak import BOXES

REPOSITORY = Path(__file__).resolve().parents[3]
DECODER = "scripts.bench.pictures.peak:decode"
WITHIN_SECONDS = 300.0
MEMORY_MB = 4096
# The defaults would refuse what is measured here; each is an environment setting of the function.
LIMITS = {"max_image_mb": 1024, "max_image_megapixels": 200.0}


def main() -> None:
    sandbox = Sandbox(allowed_prefixes=("scripts.bench.",), extra_path=(REPOSITORY,))
    try:
        decoded = sandbox.run(
            DECODER,
            Path(sys.argv[1]),
            timeout=WITHIN_SECONDS,
            seconds=WITHIN_SECONDS,
            memory_mb=MEMORY_MB,
            options={"sizes": list(BOXES), "limits": LIMITS},
        )
    finally:
        sandbox.close()
    print(json.dumps(decoded.facts))


if __name__ == "__main__":
    main()
