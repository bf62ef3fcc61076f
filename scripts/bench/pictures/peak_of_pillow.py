"""Makes a picture's thumbnails with Pillow's `thumbnail`, each from the larger one: started by memory.py."""

from __future__ import annotations

import json
import sys
from io import BytesIO

from PIL import Image

from scripts.bench.pictures.peak import BOXES, peak_mb

PLACEHOLDER = 16


def main() -> None:
    Image.MAX_IMAGE_PIXELS = None
    sizes = []
    with Image.open(sys.argv[1]) as image:
        for box, quality in (*((box, 80) for box in BOXES), (PLACEHOLDER, 40)):
            image.thumbnail((box, box))
            image.save(BytesIO(), "webp", quality=quality, method=4)
            sizes.append(image.size)
    print(json.dumps({"sizes": sizes[: len(BOXES)], "peak_mb": peak_mb()}))


if __name__ == "__main__":
    main()
