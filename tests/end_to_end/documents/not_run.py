"""Lines of the pages that no test can run here, each with the reason; everything else is run as it stands."""

from __future__ import annotations

import re

# A line that matches is left out of its block, with the lines that it is continued on. bash reads it all the same.
NOT_RUN = {
    r"git clone ": "there is nothing to clone from; the tests run in a checkout",
    r"(\./scripts/demo\.sh|crontick demo)": "takes minutes; test_samples and the tests of the demo run it",
    r"\./scripts/test\.sh": "is what runs this",
    r"source \.venv": "the tests run inside of it",
    r"crontick up(\s|$)": "is what these blocks run against",
    r"crontick reset": "would end what these blocks run against",
    r"crontick run": "works until it is stopped; the checklist of worker setup runs it",
    r"supabase (link|db push)": "needs a hosted project; the migrations are applied by every test here",
}


def left_out(line: str) -> bool:
    return any(re.match(rf"\s*{pattern}", line) for pattern in NOT_RUN)


def runnable(script: str) -> str:
    """The block without those lines and their continuations."""
    kept = []
    skipping = False
    for line in script.splitlines():
        skipping = skipping or left_out(line)
        if not skipping:
            kept.append(line)
        skipping = skipping and line.rstrip().endswith("\\")
    return "\n".join(kept) + "\n"
