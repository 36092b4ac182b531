"""Texts that people type are texts wherever they are shown (W09): no page gets an element or an
attribute from them, and in a browser nothing of them runs."""

from __future__ import annotations

import importlib.util
import json
import socket
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from anyio.from_thread import BlockingPortal
from sqlalchemy import select

from affectscope.store.opening import open_store
from affectscope.store.tables import Project, RecordedSession, Result, Subject, Upload
from affectscope.web.app import create_app
from affectscope.web.settings import Settings

HOSTILE: tuple[str, ...] = (
    # elements that run
    "<script>window.pwned=1</script>",
    "<SCRIPT SRC=//x.invalid/a.js></SCRIPT>",
    "<script type=module>window.pwned=1</script>",
    "</script><script>window.pwned=1</script>",
    "<scr<script>ipt>window.pwned=1</scr</script>ipt>",
    "<img src=x onerror=window.pwned=1>",
    "<img src=x onerror=alert(1)//",
    '<img """><script>window.pwned=1</script>">',
    "<svg onload=window.pwned=1>",
    "<svg><script>window.pwned=1</script></svg>",
    '<svg><a xlink:href="javascript:window.pwned=1"><text y=9>x</text></a></svg>',
    "<svg><animate onbegin=window.pwned=1 attributeName=x dur=1s>",
    "<svg><foreignObject><body onload=window.pwned=1></foreignObject></svg>",
    '<math><mi xlink:href="javascript:window.pwned=1">x</mi></math>',
    "<body onload=window.pwned=1>",
    "<iframe src=javascript:window.pwned=1></iframe>",
    '<iframe srcdoc="<script>parent.pwned=1</script>"></iframe>',
    "<object data=javascript:window.pwned=1></object>",
    "<embed src=javascript:window.pwned=1>",
    "<video><source onerror=window.pwned=1></video>",
    "<audio src=x onerror=window.pwned=1>",
    "<details open ontoggle=window.pwned=1>x</details>",
    "<input autofocus onfocus=window.pwned=1>",
    "<select autofocus onfocus=window.pwned=1>",
    "<marquee onstart=window.pwned=1>x</marquee>",
    "<dialog open onclose=window.pwned=1>x</dialog>",
    "<template><script>window.pwned=1</script></template>",
    "<noscript><p title=</noscript><img src=x onerror=window.pwned=1>>",
    # out of an attribute
    '" onmouseover="window.pwned=1',
    "' onmouseover='window.pwned=1",
    '"><script>window.pwned=1</script>',
    "'><img src=x onerror=window.pwned=1>",
    '" autofocus onfocus=window.pwned=1 x="',
    '" style="position:fixed;inset:0" x="',
    "`onmouseover=window.pwned=1",
    '"/><base href=//x.invalid/>',
    # out of where text stands
    "</title><script>window.pwned=1</script>",
    "</textarea><script>window.pwned=1</script>",
    "</style><script>window.pwned=1</script>",
    "</option></select><img src=x onerror=window.pwned=1>",
    "</td></tr></table><img src=x onerror=window.pwned=1>",
    "</dialog></main></body></html><script>window.pwned=1</script>",
    "--><script>window.pwned=1</script><!--",
    "<!--><img src=x onerror=window.pwned=1>-->",
    "]]><script>window.pwned=1</script>",
    "<plaintext>",
    "<xmp><script>window.pwned=1</script>",
    # what leads elsewhere, or changes the page
    "<meta http-equiv=refresh content=0;url=//x.invalid>",
    "<link rel=stylesheet href=//x.invalid/a.css>",
    "<style>body{display:none}</style>",
    "<style>@import'//x.invalid/a.css';</style>",
    "<form action=//x.invalid><button>Log in</button></form>",
    "<a href=javascript:window.pwned=1>x</a>",
    "javascript:window.pwned=1",
    "data:text/html,<script>window.pwned=1</script>",
    # escaped once already, or in another alphabet
    "&lt;script&gt;window.pwned=1&lt;/script&gt;",
    "&#60;script&#62;window.pwned=1&#60;/script&#62;",
    "%3Cscript%3Ewindow.pwned=1%3C/script%3E",
    "\\u003cscript\\u003ewindow.pwned=1\\u003c/script\\u003e",
    "\\x3cscript\\x3ewindow.pwned=1\\x3c/script\\x3e",
    "＜script＞window.pwned=1＜/script＞",
    "‹script›window.pwned=1‹/script›",
    "<ſcript>window.pwned=1</ſcript>",
    "¼script¾window.pwned=1¼/script¾",
    "+ADw-script+AD4-window.pwned=1+ADw-/script+AD4-",
    # templates, scripts and tables
    "{{ 7 * 7 }}{% for x in ().__class__.__base__.__subclasses__() %}{{ x }}{% endfor %}",
    "${window.pwned=1}",
    "#{window.pwned=1}",
    "{{constructor.constructor('window.pwned=1')()}}",
    "';window.pwned=1;//",
    '");window.pwned=1;//',
    '=HYPERLINK("//x.invalid","open")',
    "@SUM(1+1)*cmd|' /C calc'!A0",
    "+1-1|cmd",
    "'; DROP TABLE subject; --",
    "' OR '1'='1",
    "%s%n%x",
)


def _page_tests() -> Any:
    """What the page's unit tests make their sites with."""
    place = Path(__file__).parents[1] / "unit" / "web" / "conftest.py"
    spec = importlib.util.spec_from_file_location("page_conftest", place)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


PAGE = _page_tests()
portal = PAGE.portal
FIRST = "!"
"""The person who has sessions: before all others in lists, whatever these are called."""


@pytest.fixture
def make_site(
    tmp_path: Path, new_clock: Callable[[], Any], portal: BlockingPortal
) -> Iterator[Callable[[str], Any]]:
    """``make_site(name)`` -> a site of its own."""
    stores = []

    def make(name: str) -> Any:
        data, keys = tmp_path / name / "data", tmp_path / name / "keys"
        clock = new_clock()
        store = open_store(data, keys, clock=clock)
        stores.append(store)
        users = PAGE.add_users(store)
        project_id = users.pop("project")
        subject_id, session_id = PAGE.add_subject(store, project_id, FIRST)
        app = create_app(store, Settings(data, keys))
        return PAGE.Site(store, app, clock, users, project_id, subject_id, session_id, portal)

    yield make
    for store in stores:
        store.close()


class Structure(HTMLParser):
    """What a page is made of: its elements in order, each with the names of its attributes."""

    def __init__(self) -> None:
        super().__init__()
        self.elements: list[tuple[str, ...]] = []
        self.addresses: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, *(name for name, _ in attrs)))
        self.addresses += [value or "" for name, value in attrs if name in _ADDRESSES]


_ADDRESSES = ("href", "src", "action", "formaction", "srcdoc", "data", "poster")


@dataclass
class Filled:
    """A site in which people typed hostile texts wherever they can.

    Attributes:
        kept: field -> how many of the texts it accepted.
        pages: pages that show them.
    """

    site: Any
    kept: dict[str, int] = field(default_factory=dict)
    pages: list[str] = field(default_factory=list)


def filled(site: Any, texts: Sequence[str]) -> Filled:
    """Write the texts into every field that takes any, through the page's operations."""
    made, client = Filled(site), site.client("anna")
    project, person = f"/api/projects/{site.project_id}", f"/api/subjects/{site.subject_id}"
    session = f"/api/sessions/{site.session_id}"

    def write(name: str, path: str, body: Callable[[str], dict[str, Any]]) -> list[Any]:
        answers = [client.post(path, json=body(text)) for text in texts]
        assert {answer.status_code for answer in answers} <= {200, 201, 422}
        accepted = [answer.json() for answer in answers if answer.status_code < 300]
        made.kept[name] = len(accepted)
        return accepted

    def new_project(text: str) -> dict[str, Any]:
        reason = f"{text} and twenty more characters"
        return {"name": text, "purpose": "medical or safety", "justification": reason}

    projects = write("project", "/api/projects", new_project)
    people = write("pseudonym", f"{project}/subjects", lambda text: {"pseudonym": text})
    labels = write("label", f"{person}/sessions", lambda text: {"label": text})
    write("file name", f"{session}/uploads", lambda text: {"name": text, "size": 9})
    made.kept["mark"] = _mark(site, client, texts)
    made.kept["reason"] = _reject(site, client, texts)
    for number in range(0, len(people), 25):
        made.pages.append(f"/subjects/{people[number]['id']}")
        made.pages += [f"/projects/{projects[number]['id']}{tab}" for tab in ("", "/members")]
        made.pages += [f"/sessions/{labels[number]['id']}{tab}" for tab in ("", "/files")]
    made.pages += _all_pages(site)
    return made


def _mark(site: Any, client: Any, texts: Sequence[str]) -> int:
    """Names of marked parts, and reasons why spans are left out."""
    path = f"/api/sessions/{site.session_id}/marks"
    body = {
        "version": client.get(path).json()["version"],
        "phases": None,
        "marked": [(text, n, n + 0.5) for n, text in enumerate(texts)],
        "excluded": [("ecg", n, n + 0.5, text) for n, text in enumerate(texts)],
    }
    answer = client.put(path, json=body)
    assert answer.status_code == 200, answer.text
    return len(texts)


def _reject(site: Any, client: Any, texts: Sequence[str]) -> int:
    """Reasons why results are rejected."""
    with site.store.writing(None) as change:
        results = [
            Result(
                session_id=site.session_id, settings={}, settings_version=1, status="OK",
                created_at=change.at,
            )
            for _ in texts
        ]  # fmt: skip
        change.session.add_all(results)
        change.session.flush()
    answers = [
        client.post(f"/api/results/{row.id}/rejection", json={"version": 1, "reason": text})
        for row, text in zip(results, texts, strict=True)
    ]
    assert {answer.status_code for answer in answers} == {200}
    return len(answers)


def make_harmless(site: Any) -> None:
    """Replace every text by one of letters only; all else stays as it is."""
    with site.store.writing(None) as change:
        session = change.session
        for table, column in (
            (Project, "name"), (Project, "justification"), (Subject, "pseudonym"),
            (RecordedSession, "label"), (Upload, "name"), (Result, "rejection_reason"),
        ):  # fmt: skip
            for number, row in enumerate(session.scalars(select(table)).all()):
                if getattr(row, column) not in (FIRST, ""):
                    setattr(row, column, f"text {number:03}")
        held = session.get(RecordedSession, site.session_id)
        settings = json.loads(json.dumps(held.settings))
        for number, mark in enumerate(settings["phases"]["marked"]):
            mark[0] = f"text {number:03}"
        for spans in settings["excluded"].values():
            for number, span in enumerate(spans):
                span[2] = f"text {number:03}"
        held.settings = settings


_WAYS_IN = ("/login", "/start")
"""Who is logged in is led on from there."""


def _all_pages(site: Any) -> list[str]:
    """Every page of the application that is about the site's project, person or session."""
    known = {
        "{project_id}": site.project_id,
        "{subject_id}": site.subject_id,
        "{session_id}": site.session_id,
    }
    found = []
    for route in site.app.routes:
        path = getattr(route, "path", "")
        if "GET" not in (getattr(route, "methods", None) or ()) or path.startswith("/api/"):
            continue
        for name, identity in known.items():
            path = path.replace(name, identity)
        if "{" not in path and path not in _WAYS_IN:
            found.append(path)
    return found


def structure(client: Any, path: str) -> tuple[Structure, str]:
    """And the page's text."""
    answer = client.get(path, headers={"Accept": "text/html"})
    assert answer.status_code == 200, path
    assert "script-src 'self'" in answer.headers["content-security-policy"]
    assert "unsafe" not in answer.headers["content-security-policy"]
    found = Structure()
    found.feed(answer.text)
    return found, answer.text


def test_W09_a_stored_text_adds_no_element_and_no_attribute_to_any_page(
    make_site: Callable[[str], Any],
) -> None:
    assert len(HOSTILE) >= 60
    made = filled(make_site("hostile"), HOSTILE)
    for name, kept in made.kept.items():
        assert kept >= 60 or name == "file name", f"{name}: only {kept} were accepted"
    assert made.kept["file name"] >= 20, "many hold a slash"
    client = made.site.client("anna")
    hostile = {path: structure(client, path) for path in made.pages}
    assert "".join(text for _, text in hostile.values()).count("&lt;script&gt;") > 50
    make_harmless(made.site)
    for path, (found, _) in hostile.items():
        expected, text = structure(client, path)
        assert "script&gt;" not in text, f"{path} has a field that this test does not know"
        assert found.elements == expected.elements, path
        outside = [a for a in found.addresses if not a.startswith(("/", "#")) or a[:2] == "//"]
        assert outside == [], path


def test_W09_what_is_searched_for_is_shown_as_text(make_site: Callable[[str], Any]) -> None:
    site = make_site("searched")
    client, path = site.client("anna"), f"/projects/{site.project_id}"
    for view, texts in (("", HOSTILE), ("/people", HOSTILE[::8])):
        expected = structure(client, f"{path}{view}?search=nothing")[0].elements
        for text in texts:
            asked = f"{path}{view}?{urlencode({'search': text})}"
            assert structure(client, asked)[0].elements == expected


@pytest.fixture
def browser() -> Iterator[Any]:
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    chromium = Path("/usr/bin/chromium")
    if not chromium.exists():
        pytest.skip("/usr/bin/chromium is not on this machine")
    with playwright.sync_playwright() as started:
        window = started.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield window
        window.close()


@contextmanager
def served(app: Any, listening: socket.socket) -> Iterator[None]:
    """The app as a browser reaches it; no jobs are carried out."""
    import uvicorn

    server = uvicorn.Server(uvicorn.Config(app, log_level="critical", lifespan="off"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    try:
        yield
    finally:
        server.should_exit = True
        thread.join()


def test_W09_in_a_browser_no_stored_text_runs_or_opens_anything(
    make_site: Callable[[str], Any], browser: Any
) -> None:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        address = f"http://127.0.0.1:{listening.getsockname()[1]}"
        site = make_site("browsed")
        made = filled(site, HOSTILE[::6])
        settings = replace(site.app.state.settings, port=listening.getsockname()[1])
        context = browser.new_context(base_url=address)
        for cookie in site.client("anna").cookies.jar:
            context.add_cookies([{"name": cookie.name, "value": cookie.value, "url": address}])
        page = context.new_page()
        told: list[str] = []
        page.on("dialog", lambda dialog: (told.append(dialog.message), dialog.dismiss()))
        page.on("pageerror", lambda error: told.append(str(error)))
        page.on("console", lambda line: line.type == "error" and told.append(line.text))
        page.on("request", lambda asked: asked.url.startswith(address) or told.append(asked.url))
        with served(create_app(site.store, settings), listening):
            for path in dict.fromkeys(made.pages):
                assert page.goto(path).status == 200
                assert page.evaluate("window.pwned") is None
                assert page.url.startswith(f"{address}{path}"), "it leads nowhere else"
        assert told == []
