"""Does NiceGUI show a page under the Content-Security-Policy that W09 asks for?

NiceGUI is no dependency: ``pip install nicegui`` in an environment of its own, with playwright.
Serves the same table of 50 rows twice, without and with a policy that allows no inline scripts and
styles, and counts what a headless Chromium shows. Ends both servers.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import closing

from playwright.sync_api import sync_playwright

_PAGE = """
import sys
from nicegui import app, ui

if sys.argv[2] == "policy":
    @app.middleware("http")
    async def policy(request, call_next):
        answer = await call_next(request)
        answer.headers["content-security-policy"] = (
            "default-src 'self'; script-src 'self'; style-src 'self'"
        )
        return answer

@ui.page("/")
def index():
    rows = [{"id": number, "state": "OK"} for number in range(50)]
    ui.table(columns=[{"name": n, "label": n, "field": n} for n in ("id", "state")], rows=rows)

ui.run(host="127.0.0.1", port=int(sys.argv[1]), show=False, reload=False)
"""


def main() -> None:
    for policy in ("none", "policy"):
        with closing(socket.create_server(("127.0.0.1", 0))) as probe:
            port = probe.getsockname()[1]
        server = subprocess.Popen(
            [sys.executable, "-c", _PAGE, str(port), policy], start_new_session=True
        )
        try:
            _wait(port)
            rows, messages = _seen(port)
        finally:
            os.killpg(server.pid, signal.SIGKILL)
        print(f"policy: {policy}; rows of the table shown: {rows} of 51; console: {messages}")


def _wait(port: int) -> None:
    for _ in range(300):
        try:
            socket.create_connection(("127.0.0.1", port), 1.0).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise SystemExit("the server does not start")


def _seen(port: int) -> tuple[int, int]:
    messages: list[str] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path="/usr/bin/chromium", args=["--no-sandbox"]
        )
        page = browser.new_page()
        page.on("console", lambda message: messages.append(message.text))
        page.goto(f"http://127.0.0.1:{port}/")
        page.wait_for_timeout(3000)
        rows = page.locator("tr").count()
        browser.close()
    return rows, len(messages)


if __name__ == "__main__":
    main()
