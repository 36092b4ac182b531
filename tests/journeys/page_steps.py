"""What a therapist does on the page, step by step: by mouse and keys only."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from zipfile import ZipFile

from .page_browser import Browser
from .page_sources import SIGNALS, VIDEO, Sources

USER, PASSWORD = "canary-user", "canary password of many words"
PROJECT, PERSON, SESSION = "canary-project", "CANARY-P7", "canary-session"
USELESS = "canary-notes.csv"
LEFT_OUT, NAMED = "canary-somebody-came-in", "canary-breathing"
REJECTED, TAKEN_BACK = "canary-sensor-was-loose", "canary-it-was-not"
OF_THE_PERSON = (PERSON, SESSION, VIDEO, SIGNALS, USELESS, LEFT_OUT, NAMED, REJECTED, TAKEN_BACK)
"""What must be gone when the person is erased (G02)."""
CANARIES = (USER, PASSWORD, PROJECT, *OF_THE_PERSON)
"""All that is typed, and the names of the files: no log may hold any of it (W25)."""
_ROOM = (44, 20)
"""Pixels left and right of the curves, see static/plots/layout.js."""


def first_start(browser: Browser, address: str, token: str) -> None:
    page = browser.page
    page.goto(f"{address}/start#{token}")
    browser.type_into("Name", USER)
    browser.type_into("Password", PASSWORD)
    browser.type_into("Password, once more", PASSWORD)
    browser.shoot("start")
    browser.press("Make the user and log in")
    browser.at("/")
    browser.shoot("projects-empty")


def out_and_in_again(browser: Browser) -> None:
    browser.press("Log out")
    browser.at("/login")
    browser.type_into("Name", USER)
    browser.type_into("Password", PASSWORD)
    browser.shoot("login")
    browser.page.keyboard.press("Enter")
    browser.at("/")


def new_project(browser: Browser) -> None:
    browser.press("New project")
    browser.type_into("Name", PROJECT)
    browser.page.get_by_text("Therapy or care").click()
    browser.shoot("new-project")
    browser.press("Make the project")
    browser.at("/projects/[0-9a-f]{32}")
    browser.shoot("project-empty")


def new_person(browser: Browser) -> None:
    page = browser.page
    browser.press("Add person")
    browser.type_into("Pseudonym", PERSON)
    page.keyboard.press("Enter")
    browser.at("/subjects/[0-9a-f]{32}")
    browser.shoot("subject-empty", thoroughly=True)
    page.get_by_role("button", name="Record consent").first.click()
    dialog = page.locator("#add-consent")
    for choice in dialog.get_by_role("checkbox").all():
        choice.click()
    for label in ("Given on", "Told that emotions are estimated, on"):
        dialog.get_by_label(label, exact=True).focus()
        page.keyboard.type("03012026")
    browser.shoot("consent")
    dialog.get_by_role("button", name="Record", exact=True).click()
    browser.until("document.querySelectorAll('#consent-title ~ .facts .badge.ok').length === 4")


def new_session(browser: Browser) -> None:
    browser.page.get_by_role("button", name="Add session").first.click()
    browser.type_into("What is it called?", SESSION)
    browser.page.keyboard.press("Enter")
    browser.at("/sessions/[0-9a-f]{32}/files")
    browser.shoot("files-empty")


def upload(browser: Browser, sources: Sources) -> None:
    with browser.page.expect_file_chooser() as asked:
        browser.page.get_by_text("Drop the session's files here").click()
    (sources.folder / USELESS).write_text("asked,said\nhow are you,well\nand now,well\n")
    asked.value.set_files([sources.folder / name for name in (VIDEO, SIGNALS, USELESS)])
    browser.until("document.querySelectorAll('#stored tbody tr').length === 3")
    browser.until(
        "!document.querySelector('#sending li') && !document.getElementById('next').hidden"
    )
    browser.shoot("files", thoroughly=True)


def set_up(browser: Browser, sources: Sources) -> None:
    """What the program proposes is taken; what no file says is answered."""
    page = browser.page
    browser.follow("Next: set up the session")
    browser.until("document.getElementById('setup')")
    assert page.locator("#face-file").input_value() == VIDEO
    for name in ("ecg", "eda"):
        chosen = json.loads(page.locator(f"#{name}-channel").input_value())
        assert chosen == [SIGNALS, name.upper()]
    browser.shoot("setup-asks", thoroughly=True)
    missing = page.locator("#asked li")
    assert missing.count() == 4, "rates and units are stated nowhere"
    for name, unit in (("ecg", "mV"), ("eda", "uS")):
        page.locator(f"#{name}-rate").click()
        page.keyboard.type(f"{sources.rate:g}")
        page.locator(f"#{name}-unit").focus()
        page.keyboard.type(unit)
    if sources.simulated:
        page.get_by_text("These are simulated people").click()
    assert missing.count() == 0
    browser.shoot("setup")
    browser.press("Save the set-up")
    browser.at("/sessions/[0-9a-f]{32}")


def estimate(browser: Browser) -> None:
    browser.shoot("session-ready")
    browser.press("Estimate")
    browser.until("!document.getElementById('job').hidden")
    browser.shoot("session-running")
    browser.until("document.getElementById('session').dataset.result")


def watch(browser: Browser, sources: Sources) -> None:
    """The video plays, with the box around the face, and the curves are there."""
    page = browser.page
    browser.until(f"{_COLOURS}('.plots-rows') > 20 && {_COLOURS}('.plots-overview') > 5")
    browser.until("video.readyState >= 2")
    page.locator("#video").focus()
    page.keyboard.press("Space")
    browser.until("video.currentTime > 0.5")
    page.keyboard.press("Space")
    browser.until("video.paused")
    video, canvas = (page.locator(f"#{name}").bounding_box() for name in ("video", "face-box"))
    assert video == canvas, "the canvas of the box lies over the video"
    if sources.is_read:
        browser.until(f"{_COLOURS}('#face-box') > 1")
    browser.shoot("session", thoroughly=True)


_COLOURS = """((place) => {
  const canvas = document.querySelector(place);
  if (!canvas?.width) return 0;
  const copy = new OffscreenCanvas(canvas.width, canvas.height);
  const context = copy.getContext("2d", { willReadFrequently: true });
  context.drawImage(canvas, 0, 0);
  const { data } = context.getImageData(0, 0, canvas.width, canvas.height);
  return new Set(new Uint32Array(data.buffer)).size;
})"""
"""How many colours a canvas has: an empty one has one."""


def mark(browser: Browser, sources: Sources) -> None:
    """Before and after are chosen in the curves, a part is named, a part is left out."""
    page = browser.page

    def select(start: float, end: float) -> None:
        rows = page.locator(".plots-rows")
        rows.scroll_into_view_if_needed()
        box = rows.bounding_box()
        width = box["width"] - sum(_ROOM)
        left, right = (box["x"] + _ROOM[0] + time / sources.length * width for time in (start, end))
        page.mouse.move(left, box["y"] + 60)
        page.mouse.down()
        page.mouse.move(right, box["y"] + 60, steps=4)
        page.mouse.up()

    for kind, start, end in (("Before", 2, 60), ("After", 90, 148)):
        select(start, end)
        page.locator("#selection").get_by_role("button", name=kind, exact=True).click()
    select(65, 85)
    browser.press("Name it …")
    page.keyboard.type(NAMED)
    page.keyboard.press("Enter")
    select(20, 45)
    browser.press("Leave out …")
    page.keyboard.type(LEFT_OUT)
    browser.shoot("mark-dialog")
    page.keyboard.press("Enter")
    browser.until("document.querySelectorAll('#marks-table tbody tr').length === 4")
    browser.shoot("session-marked")


@dataclass(frozen=True)
class Shown:
    """Of a result, as the page tells it: measures with their numbers, usable shares in %."""

    result_id: str
    measures: dict[str, str]
    usable: str
    notices: list[str]


def shown(browser: Browser) -> Shown:
    page = browser.page
    rows = page.locator("table.changes tbody tr")
    cells = [row.split("\t") for row in rows.all_inner_texts()]
    return Shown(
        page.locator("#session").get_attribute("data-result"),
        {row[0]: row[1] for row in cells},
        page.get_by_text("Usable:").inner_text(),
        page.locator(".notices code").all_inner_texts(),
    )


def compute_again(browser: Browser) -> None:
    before = browser.page.locator("#session").get_attribute("data-result")
    browser.press("Save and compute again")
    is_new = f"document.getElementById('session').dataset.result !== {json.dumps(before)}"
    browser.until(f"{is_new} && {_COLOURS}('.plots-rows') > 20")
    browser.shoot("session-again", thoroughly=True)


def fill_in(browser: Browser) -> str:
    """GAD-7 after the session, by the keyboard alone; its row in the table of totals."""
    page = browser.page
    browser.follow("Questionnaires")
    browser.shoot("questionnaires-empty")
    browser.follow("Fill in GAD-7 after")
    browser.at("/sessions/.*/questionnaires/GAD-7/after")
    browser.until("document.activeElement.type === 'radio'")
    page.keyboard.type("0123210")
    browser.shoot("questionnaire")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    browser.at("/sessions/[0-9a-f]{32}/questionnaires")
    browser.shoot("questionnaires")
    row: str = page.locator("tr", has_text="higher means").first.inner_text()
    return row


def open_report(browser: Browser) -> str:
    """In a tab of its own; its text."""
    page = browser.page
    browser.follow("Watch")
    browser.until(f"{_COLOURS}('.plots-rows') > 20")
    with page.context.expect_page() as opening:
        browser.follow("Open the report")
    report = opening.value
    report.wait_for_load_state()
    tab = replace(browser, page=report)
    tab.shoot("report", thoroughly=True)
    text: str = report.locator("body").inner_text()
    report.close()
    return text


def download(browser: Browser, name: str | Callable[[], None]) -> bytes:
    """What a click on the link with this name brings."""
    with browser.page.expect_download() as coming:
        if callable(name):
            name()
        else:
            browser.follow(name)
    return Path(coming.value.path()).read_bytes()


def reject_and_take_back(browser: Browser) -> None:
    page = browser.page
    page.get_by_text("More", exact=True).click()
    browser.press("Reject this result …")
    browser.type_into("Why must it not be used?", REJECTED)
    browser.shoot("reject-dialog")
    browser.press("Reject")
    browser.until("document.getElementById('rejected')")
    assert REJECTED in page.locator("#rejected").inner_text()
    browser.until(f"{_COLOURS}('.plots-rows') > 20")
    browser.shoot("session-rejected")
    browser.press("Take the rejection back")
    browser.type_into("Why may it be used after all?", TAKEN_BACK)
    browser.press("Take back")
    browser.until("!document.getElementById('rejected') && document.getElementById('marks')")


def make_study(browser: Browser) -> None:
    browser.follow(PROJECT)
    browser.at("/projects/[0-9a-f]{32}")
    browser.shoot("project", thoroughly=True)
    browser.follow("Study")
    browser.shoot("study-empty")
    browser.press("Make the study page now")
    browser.until("document.querySelector('iframe.frame') && document.readyState === 'complete'")
    browser.shoot("study", thoroughly=True)
    for tab in ("People", "Members"):
        browser.follow(tab)
        browser.at(f"/projects/[0-9a-f]{{32}}/{tab.lower()}")
        browser.shoot(tab.lower())


def export(browser: Browser, target: Path) -> Path:
    """Everything of the person, as a zip."""
    browser.follow("People")
    browser.follow(PERSON)
    browser.at("/subjects/[0-9a-f]{32}")
    browser.shoot("subject", thoroughly=True)
    browser.press("Export")
    browser.at("/projects/[0-9a-f]{32}/exports")
    link = browser.page.get_by_role("link", name="Download,")
    link.wait_for()
    browser.shoot("exports")
    target.write_bytes(download(browser, link.click))
    return target


def check_manifest(path: Path) -> list[str]:
    """That the zip holds what its manifest says, byte by byte; the names in it."""
    with ZipFile(path) as archive:
        told = json.loads(archive.read("manifest.json"))["files"]
        names = [name for name in archive.namelist() if name != "manifest.json"]
        assert sorted(told) == sorted(names)
        for name in names:
            content = archive.read(name)
            assert told[name] == {
                "sha256": hashlib.sha256(content).hexdigest(),
                "size": len(content),
            }
    return names


def erase(browser: Browser) -> None:
    page = browser.page
    page.go_back()
    browser.at("/subjects/[0-9a-f]{32}")
    browser.press("Erase …")
    browser.type_into("Type the pseudonym to confirm", PERSON)
    browser.shoot("erase-dialog")
    browser.press("Erase for good")
    browser.at("/projects/[0-9a-f]{32}")
    browser.page.get_by_label("This project").get_by_role("link", name="People").click()
    browser.at("/projects/[0-9a-f]{32}/people")
    assert "No people yet" in page.locator("main").inner_text()


def look_at_the_rest(browser: Browser) -> str:
    """Users, account, and the audit trail; what the last says of itself."""
    for name, path in (("Users", "/users"), (USER, "/account"), ("Audit trail", "/audit")):
        browser.follow(name)
        browser.at(path)
        browser.shoot(path[1:])
    state: str = browser.page.locator("main .message.success").inner_text()
    return state
