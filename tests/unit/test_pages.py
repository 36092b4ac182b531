"""A page is written whole, as HTML and PDF; a PDF fetches nothing and looks the same everywhere."""

from __future__ import annotations

import base64
import importlib
import io
import os
import re
import socketserver
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from affectscope.pages import why_no_pdf, write_page

pytestmark = pytest.mark.usefixtures("weasyprint")

SIMPLE = "<!doctype html><html lang='en'><head><title>A title</title></head><body>{}</body></html>"


class Listener(socketserver.ThreadingTCPServer):
    """Counts who connects, and answers with a style sheet."""

    connections = 0

    def finish_request(self, request: Any, client_address: Any) -> None:
        type(self).connections += 1
        request.recv(1000)
        request.sendall(b"HTTP/1.0 200 OK\r\nContent-Type: text/css\r\n\r\np { color: red }")


@pytest.fixture
def listener() -> Iterator[type[Listener]]:
    """A server on this machine; its class has the address as ``address``."""

    class Fresh(Listener):
        address = ""

    with Fresh(("127.0.0.1", 0), socketserver.BaseRequestHandler) as server:
        Fresh.address = f"http://127.0.0.1:{server.server_address[1]}"
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield Fresh
        server.shutdown()


def nosy_page(http: str, file: str, picture: str) -> str:
    """A page in which everything that can name an address names one."""
    vectors = "".join(
        f"""<img src="{there}"><img srcset="{there} 2x"><object data="{there}"></object>
        <embed src="{there}"><iframe src="{there}"></iframe><video poster="{there}"></video>
        <div style="width:9px;height:9px;background:url({there})"></div>
        <ul style="list-style-image:url('{there}')"><li>x</li></ul>
        <svg width="9" height="9"><image href="{there}" width="9" height="9"/>
        <image xlink:href="{there}" width="9" height="9"/><use href="{there}#a"/></svg>
        <svg role="img" xmlns="http://www.w3.org/2000/svg" width="9" height="9"><style>
        @import url({there});</style><image href="{there}" width="9" height="9"/></svg>
        <p style="content: url({there})">x</p><a rel="attachment" href="{there}">a</a>"""
        for there in (http, file, picture, picture.replace("file:", "FILE:"), "ftp://127.0.0.1/x")
    )
    head = "".join(
        f"""<link rel="stylesheet" href="{there}"><link rel="attachment" href="{there}">
        <style>@import url({there}); @import "{there}"; p::after {{ content: url({there}) }}
        @font-face {{ font-family: own; src: url({there}), local("DejaVu Sans") }}
        p {{ font-family: own, sans-serif }}</style>"""
        for there in (http, file)
    )
    base = f'<base href="{file.rsplit("/", 1)[0]}/">'
    return f"<html><head>{base}{head}</head><body>{vectors}<img src='secret.png'></body></html>"


def test_W28_nothing_is_fetched_for_a_pdf(
    listener: Any, tmp_path: Path, pdf_content: Callable[[bytes], Any]
) -> None:
    secret, picture = tmp_path / "secret.txt", tmp_path / "secret.png"
    secret.write_text("ul { color: red } the secret content of a file")
    Image.new("RGB", (9, 9), "red").save(picture)
    page = nosy_page(listener.address, secret.as_uri(), picture.as_uri())
    written = write_page(page, tmp_path / "report")
    assert [path.name for path in written] == ["report.html", "report.pdf"]
    content = pdf_content(written[1].read_bytes())
    assert listener.connections == 0
    for sign in (b"/Image", b"/EmbeddedFile", b"/Filespec", b"secret content"):
        assert sign not in content.objects


def test_W28_the_addresses_above_are_live(
    listener: Any, tmp_path: Path, pdf_content: Callable[[bytes], Any], weasyprint: Any
) -> None:
    """WeasyPrint left to itself fetches them: the test above can fail."""
    secret, picture = tmp_path / "secret.txt", tmp_path / "secret.png"
    secret.write_text("the secret content of a file")
    Image.new("RGB", (9, 9), "red").save(picture)
    page = nosy_page(listener.address, secret.as_uri(), picture.as_uri())
    content = pdf_content(weasyprint.HTML(string=page).write_pdf())
    assert listener.connections > 0
    for sign in (b"/Image", b"/EmbeddedFile", b"secret content"):
        assert sign in content.objects


def test_W28_what_stands_in_the_page_is_drawn_and_links_stay(
    tmp_path: Path, pdf_content: Callable[[bytes], Any]
) -> None:
    dot = io.BytesIO()
    Image.new("RGB", (9, 9), "red").save(dot, "PNG")
    packed = base64.b64encode(dot.getvalue()).decode()
    held = f"<img src='data:image/png;base64,{packed}'><a href='https://example.org/x'>see</a>"
    held += "<link rel='attachment' href='data:text/plain,kept'>"
    _, pdf = write_page(SIMPLE.format(held), tmp_path / "report")
    objects = pdf_content(pdf.read_bytes()).objects
    assert b"/Image" in objects
    assert b"https://example.org/x" in objects
    assert b"/EmbeddedFile" not in objects


def test_a_pdf_has_title_language_own_fonts_and_every_letter(
    tmp_path: Path, pdf_content: Callable[[bytes], Any]
) -> None:
    shown = "µS – ≥ Ünïcode ▲ <script> $x$"
    body = "<style>body { font: 15px Arial, sans-serif }</style><h1>Bold</h1><code>#1</code>"
    body += "<p>µS – ≥ Ünïcode ▲ &lt;script> $x$</p><p>漢字 العربية \U0001f600 \x00</p>"
    _, pdf = write_page(SIMPLE.format(body), tmp_path / "report")
    content = pdf_content(pdf.read_bytes())
    assert shown in content.text
    assert "Bold" in content.text
    for sign in (b"/FontFile2", b"/Lang (en)", b"(A title)"):
        assert sign in content.objects
    fonts = set(re.findall(rb"/BaseFont /\w+\+([\w-]+)", content.objects))
    assert {b"Page-Sans", b"Page-Sans-Bold", b"Page-Mono"} <= fonts


def test_the_same_page_has_the_same_bytes(tmp_path: Path) -> None:
    first, second = (
        [path.read_bytes() for path in write_page(SIMPLE.format("<p>x</p>"), tmp_path / name)]
        for name in ("one", "two")
    )
    assert first == second


def test_a_name_that_is_no_text_is_written(tmp_path: Path) -> None:
    page, pdf = write_page(SIMPLE.format("folder \udcff"), tmp_path / "report")
    assert "folder ?" in page.read_text()
    assert pdf.exists()


def test_W01_a_write_that_stops_in_the_middle_leaves_the_old_page_and_the_old_pdf(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Files go through ``io.files.atomic_write``, which test_files.py kills."""
    old = [path.read_bytes() for path in write_page(SIMPLE.format("old"), tmp_path / "report")]
    real, syncs = os.fsync, iter(range(100))

    def stop_at_the_pdf(descriptor: int) -> None:
        if next(syncs) == 2:  # after the page and its folder
            raise KeyboardInterrupt
        real(descriptor)

    monkeypatch.setattr(os, "fsync", stop_at_the_pdf)
    with pytest.raises(KeyboardInterrupt):
        write_page(SIMPLE.format("new"), tmp_path / "report")
    assert (tmp_path / "report.pdf").read_bytes() == old[1]
    assert (tmp_path / "report.html").read_bytes() == old[0].replace(b"old", b"new")
    assert len(list(tmp_path.iterdir())) == 2


def test_without_the_extra_only_the_page_is_written_and_the_reason_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_page(SIMPLE.format("old"), tmp_path / "report")
    assert why_no_pdf(tmp_path / "report") == ""
    monkeypatch.setitem(sys.modules, "weasyprint", None)
    assert write_page(SIMPLE.format("new"), tmp_path / "report") == (tmp_path / "report.html",)
    assert not (tmp_path / "report.pdf").exists()  # it would belong to another page
    assert "affectscope[pdf]" in why_no_pdf(tmp_path / "report")


def test_a_machine_without_pango_is_told_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = importlib.import_module

    def without_pango(name: str, package: str | None = None) -> Any:
        if name == "weasyprint":
            raise OSError("cannot load library 'libpango-1.0-0'")
        return real(name, package)

    monkeypatch.setattr(importlib, "import_module", without_pango)
    assert write_page(SIMPLE.format(""), tmp_path / "report") == (tmp_path / "report.html",)
    assert "libpango" in why_no_pdf(tmp_path / "report")


def test_a_page_that_cannot_be_drawn_is_written_as_html(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    page = SIMPLE.format("<div>" * 2000)
    assert write_page(page, tmp_path / "report") == (tmp_path / "report.html",)
    assert "W_NO_PDF" in caplog.text
    assert "Print the HTML" in why_no_pdf(tmp_path / "report")


def test_a_pdf_leaves_nothing_behind_in_its_process_and_on_the_disk(tmp_path: Path) -> None:
    """WeasyPrint tells Pillow to take cut pictures for whole ones, and copies fonts."""
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    code = (
        "import sys; from pathlib import Path; from affectscope.pages import write_page;"
        " from PIL import ImageFile; write_page('<p>x</p>', Path(sys.argv[1]) / 'page');"
        " assert 'weasyprint' in sys.modules; sys.exit(ImageFile.LOAD_TRUNCATED_IMAGES)"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)],
        check=False,
        capture_output=True,
        text=True,
        env={**os.environ, "TMPDIR": str(temporary)},
    )
    assert (ran.returncode, ran.stderr) == (0, "")
    assert list(temporary.iterdir()) == []
