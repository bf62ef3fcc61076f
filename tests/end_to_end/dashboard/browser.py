"""Debian's Chromium, and a page in it that tells what no page may do: errors, dialogs, calls to anybody else."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from playwright.sync_api import Browser, ConsoleMessage, Dialog, Page, Playwright

CHROMIUM = Path("/usr/bin/chromium")
FLAGS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip
PATIENCE_MS = 20_000  # two cores, and perhaps the other leg on them
SCREENSHOTS = Path(__file__).parents[3] / ".local" / "screenshots"
# A refused sign-in is a 400 that the browser itself writes about; what the page does with it is tested by itself.
REFUSED_BY_THE_SERVER = re.compile(
    r"Failed to load resource: (the server responded with a status of|net::ERR_)"
)
TELL_VIOLATIONS = """
  document.addEventListener("securitypolicyviolation", (event) =>
    console.error(`policy: ${event.violatedDirective} ${event.blockedURI} ${event.sample}`));
"""


@dataclass
class Watched:
    """What a page did that it may not; empty at the end of a test."""

    misdeeds: list[str] = field(default_factory=list)
    origins: set[str] = field(default_factory=set)

    def watch(self, page: Page) -> None:
        page.on("console", self._heard)
        page.on("pageerror", lambda error: self.misdeeds.append(f"error: {error}"))
        page.on("dialog", self._asked)
        page.on("request", lambda request: self._sent(request.url))

    def _heard(self, line: ConsoleMessage) -> None:
        if line.type in ("error", "warning") and not REFUSED_BY_THE_SERVER.match(line.text):
            self.misdeeds.append(f"console: {line.text}")

    def _asked(self, dialog: Dialog) -> None:
        self.misdeeds.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    def _sent(self, url: str) -> None:
        if not url.startswith(("blob:", "data:")):
            self.origins.add("/".join(url.split("/")[:3]))


@contextmanager
def running_browser(playwright: Playwright, profile: Path) -> Iterator[Browser]:
    browser = playwright.chromium.launch(
        executable_path=CHROMIUM, args=[*FLAGS, f"--disk-cache-dir={profile}"], headless=True
    )
    try:
        yield browser
    finally:
        browser.close()


@contextmanager
def open_page(
    browser: Browser,
    allowed: Sequence[str],
    *,
    width: int = 1280,
    height: int = 900,
    colours: Literal["light", "dark"] = "light",
    **options: Any,
) -> Iterator[Page]:
    """A page of a fresh visitor. Ends with a look at what it did: nothing wrong, and nothing sent to anybody else."""
    watched = Watched()
    context = browser.new_context(
        viewport={"width": width, "height": height}, color_scheme=colours, timezone_id="UTC", **options
    )
    context.set_default_timeout(PATIENCE_MS)
    context.add_init_script(TELL_VIOLATIONS)
    page = context.new_page()
    watched.watch(page)
    try:
        yield page
    finally:
        context.close()
    assert watched.misdeeds == []
    assert watched.origins <= set(allowed)


def keep_screenshot(page: Page, name: str, *, whole: bool = True) -> None:
    """An artefact for people to look at; the folder is not part of the repository."""
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SCREENSHOTS / f"dashboard-{name}.png", full_page=whole, animations="disabled")
