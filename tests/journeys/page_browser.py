"""A server of the page in a process of its own, and a browser that notes all it asks and says.

The server is `affectscope serve` as a user starts it, at a free port; the browser is Debian's
Chromium. Nothing here asks the server for anything: what a test does, it does by mouse and keys.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

CHROMIUM = Path("/usr/bin/chromium")
SCREENSHOTS = "AFFECTSCOPE_SCREENSHOTS"
"""Environment variable: the folder that keeps a picture of every page."""
WIDE, NARROW = {"width": 1280, "height": 800}, {"width": 768, "height": 1024}
PATIENCE = 120.0
"""Seconds after which a page that does not come is given up."""
_LINK = re.compile(r"(http://\S+)/start#(\S+)")


@dataclass(frozen=True)
class PageServer:
    """Attributes:
    address: what a browser opens; first_token: makes the first user.
    logs: the files that hold what the server and its worker said.
    """

    data: Path
    address: str
    first_token: str
    logs: Path

    def said(self) -> str:
        """Everything in the logs and on standard error."""
        files = [self.logs, *self.data.glob("server.log*")]
        return "\n".join(file.read_text(errors="replace") for file in files)


@contextmanager
def page_server(folder: Path) -> Iterator[PageServer]:
    """`affectscope serve` over an empty data folder, until the block ends."""
    data, logs = folder / "data", folder / "standard error"
    command = [sys.executable, "-m", "affectscope", "serve", str(data)]
    command += ["--keys", str(folder / "keys"), "--port", "0", "--rate", "2"]
    with logs.open("w") as errors:
        process = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )
    try:
        assert process.stdout is not None
        found = next((said for line in process.stdout if (said := _LINK.search(line))), None)
        assert found is not None, logs.read_text()
        yield PageServer(data, found[1], found[2], logs)
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
    assert process.returncode == 0, logs.read_text()


@dataclass
class Browser:
    """A window, and what happens in it.

    Attributes:
        asked: hosts that anything was asked of; said: what pages complained of on the console.
        shots: where pictures go, every one under a name of its own.
        cut: pictures of pages that are wider than the window.
    """

    page: Any
    shots: Path
    asked: set[str] = field(default_factory=set)
    said: list[str] = field(default_factory=list)
    cut: list[str] = field(default_factory=list)

    def type_into(self, label: str, text: str) -> None:
        """Click the field with this label and type, key by key."""
        self.page.get_by_label(label, exact=True).click()
        self.page.keyboard.press("Control+a")
        self.page.keyboard.type(text)

    def press(self, name: str) -> None:
        """Click the button, or the link that looks like one, with this name."""
        self.page.get_by_role("button", name=name, exact=True).click()

    def follow(self, name: str) -> None:
        """Click the link with this name."""
        self.page.get_by_role("link", name=name, exact=True).click()

    def until(self, expression: str) -> Any:
        """Wait until the expression is true in the page; its value.

        Asked again and again from outside: what Playwright itself puts into the page would need
        eval, which the page forbids.
        """
        end = time.monotonic() + PATIENCE
        while not (value := self._value(expression)):
            assert time.monotonic() < end, f"{expression} never came at {self.page.url}"
            time.sleep(0.05)
        return value

    def _value(self, expression: str) -> Any:
        from playwright.sync_api import Error

        try:
            return self.page.evaluate(expression)
        except Error:  # the page is just being replaced by the next one
            return None

    def at(self, path: str) -> None:
        """Wait until a page whose path fits the pattern is there and its scripts have run."""
        pattern = json.dumps(f"^{path}$")
        self.until(
            f"new RegExp({pattern}).test(location.pathname) && document.readyState === 'complete'"
        )

    def shoot(self, name: str, *, thoroughly: bool = False) -> None:
        """A picture of the whole page; ``thoroughly``: also dark, and in a narrow window."""
        self._picture(name)
        if thoroughly:
            self.page.set_viewport_size(NARROW)
            self._picture(f"{name}-768")
            self.page.set_viewport_size(WIDE)
            self.page.emulate_media(color_scheme="dark")
            self._picture(f"{name}-dark")
            self.page.emulate_media(color_scheme="light")

    def _picture(self, name: str) -> None:
        self.page.evaluate("scrollTo(0, 0)")
        self.page.wait_for_timeout(100)  # curves are drawn a little after the page
        if self.page.evaluate("document.documentElement.scrollWidth > innerWidth"):
            self.cut.append(name)
        self.page.screenshot(path=self.shots / f"{name}.png", full_page=True)


@contextmanager
def browser(folder: Path) -> Iterator[Browser]:
    """A fresh window; the test is skipped where there is no browser."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if not CHROMIUM.exists():
        pytest.skip(f"{CHROMIUM} is not on this machine")
    shots = Path(os.environ.get(SCREENSHOTS) or folder / "screenshots")
    shots.mkdir(parents=True, exist_ok=True)
    with playwright.sync_playwright() as started:
        chromium = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        context = chromium.new_context(viewport=WIDE, locale="en-US", color_scheme="light")
        opened = Browser(context.new_page(), shots)
        context.on("request", lambda request: _note(opened, request.url))
        context.on("console", lambda message: _hear(opened, message))
        context.on("weberror", lambda fault: opened.said.append(str(fault.error)))
        opened.page.on("websocket", lambda socket: _note(opened, socket.url))
        yield opened
        chromium.close()


def _note(opened: Browser, url: str) -> None:
    """Pictures that a page holds in itself (data:, blob:) are asked of nobody."""
    if urlsplit(url).scheme not in ("data", "blob"):
        opened.asked.add(urlsplit(url).netloc)


def _hear(opened: Browser, message: Any) -> None:
    """Complaints only: hints for whoever writes pages are none."""
    if message.type in ("error", "warning", "assert"):
        place = message.location
        opened.said.append(f"{message.text} ({place['url']}:{place['lineNumber']})")
