"""The plots and the player of the session page, in Chromium under the page's own policy."""

from __future__ import annotations

import functools
import http.server
import math
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import affectscope

if TYPE_CHECKING:
    from playwright.sync_api import Page

CHROMIUM = Path("/usr/bin/chromium")
STATIC = Path(affectscope.__file__).parent / "web" / "static"
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; "
    "media-src 'self' blob:; connect-src 'self'; font-src 'self'; form-action 'self'; "
    "frame-src 'self'; frame-ancestors 'self'; base-uri 'none'"
)
WIDTH, LEFT, RIGHT = 860, 44, 20
"""Of the canvas, and of its margins (plots/layout.js), in CSS pixels."""
END = 1000.0


class Handler(http.server.SimpleHTTPRequestHandler):
    """Files of the test's folder, and the package's own under /static/, with the policy."""

    def translate_path(self, path: str) -> str:
        name = path.partition("?")[0]
        if name.startswith("/static/"):
            return str(STATIC / name.removeprefix("/static/"))
        return super().translate_path(path)

    def end_headers(self) -> None:
        self.send_header("Content-Security-Policy", POLICY)
        super().end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing on the console."""


def write_video(path: Path) -> None:
    """Four seconds of grey, 64 x 32 pixels, 10 pictures a second."""
    import av
    import numpy as np

    with av.open(path, "w") as container:
        stream = container.add_stream("vp8", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 32, "yuv420p"
        for _ in range(40):
            picture = av.VideoFrame.from_ndarray(np.full((32, 64, 3), 90, np.uint8), format="rgb24")
            container.mux(stream.encode(picture))
        container.mux(stream.encode())


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where the test page is served."""
    folder = tmp_path_factory.mktemp("plots")
    for name in ("plots_page.html", "plots_page.js"):
        shutil.copy(Path(__file__).with_name(name), folder)
    write_video(folder / "face.webm")
    handler = functools.partial(Handler, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}/plots_page.html"
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def opened(address: str) -> Iterator[tuple[Page, list[str]]]:
    """The page, and what was said on its console; the test is skipped without a browser."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if not CHROMIUM.exists():
        pytest.skip("/usr/bin/chromium is not on this machine")
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": WIDTH + 48, "height": 1000})
        said: list[str] = []
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.goto(address)
        until(page, "window.ready")
        yield page, said
        browser.close()


@pytest.fixture
def page(opened: tuple[Page, list[str]]) -> Iterator[Page]:
    """The page with fresh plots of 1000 s; whatever is said on the console fails the test."""
    page, said = opened
    said.clear()
    page.mouse.move(1, 1)
    page.evaluate("setUp(); document.documentElement.dataset.theme = 'light'; frames(3)")
    yield page
    assert said == []


def until(page: Page, condition: str) -> None:
    """Wait for it; Playwright's own waiting calls eval, which the policy forbids."""
    for _ in range(500):
        if page.evaluate(condition):
            return
        page.wait_for_timeout(10)
    raise AssertionError(f"never came true: {condition}")


def pixel(time: float, span: tuple[float, float] = (0.0, END)) -> float:
    """Where a time stands on the canvas."""
    return LEFT + (time - span[0]) / (span[1] - span[0]) * (WIDTH - LEFT - RIGHT)


def place(page: Page, time: float, canvas: str = ".plots-rows") -> tuple[float, float]:
    """Where the mouse must be on the screen to be at a time of the whole session."""
    box = page.locator(canvas).bounding_box()
    assert box is not None
    assert box["width"] == WIDTH
    return box["x"] + pixel(time), box["y"] + box["height"] / 3


def press(page: Page, *keys: str) -> None:
    page.locator("#curves").focus()
    for key in keys:
        page.keyboard.press(key)


def test_times_are_written_as_minutes_and_seconds_and_with_hours_from_the_first(page: Page) -> None:
    times = page.evaluate(
        "[0, 5, 59.6, 185, 3599.4, 3783, -61, -0.2, NaN].map((t) => axis.formatTime(t))"
    )
    assert times == ["0:00", "0:05", "1:00", "3:05", "59:59", "1:03:03", "−1:01", "0:00", "–"]
    assert page.evaluate("axis.formatTime(59.96, true)") == "1:00.0"
    assert page.evaluate("axis.formatTime(7.25, true)") == "0:07.3"


@pytest.mark.parametrize(
    ("start", "end", "step"), [(0, 2, 0.5), (3, 40, 10), (0, 2710, 600), (-30, 7300, 1800)]
)
def test_time_ticks_stand_at_whole_steps_inside_of_the_span(
    page: Page, start: float, end: float, step: float
) -> None:
    found = page.evaluate("([start, end]) => axis.timeTicks({ start, end }, 6)", [start, end])
    assert found["step"] == step
    first = math.ceil(start / step)
    assert found["times"] == pytest.approx(
        [index * step for index in range(first, math.floor(end / step) + 1)]
    )


def test_value_ticks_are_round_and_inside_of_the_range(page: Page) -> None:
    assert page.evaluate("axis.valueTicks(62.3, 91.8)") == [70, 80, 90]
    assert page.evaluate("axis.valueTicks(-1, 1)") == [-1, -0.5, 0, 0.5, 1]


def test_a_window_stays_inside_of_the_session_however_it_is_zoomed_and_moved(page: Page) -> None:
    spans = page.evaluate(
        """() => {
          const whole = { start: 10, end: 110 };
          return [axis.zoomed({ start: 10, end: 110 }, 0.5, 30, whole),
            axis.zoomed({ start: 20, end: 40 }, 0.001, 25, whole),
            axis.zoomed({ start: 20, end: 40 }, 99, 25, whole),
            axis.panned({ start: 20, end: 40 }, 500, whole),
            axis.panned({ start: 20, end: 40 }, -500, whole),
            axis.zoomed({ start: 10, end: 11 }, 0.1, 10, { start: 10, end: 11 })]
            .map(({ start, end }) => [start, end]);
        }"""
    )
    assert spans == [[20, 70], [24.5, 26.5], [10, 110], [90, 110], [10, 30], [10, 11]]


def test_a_course_says_nothing_in_a_gap_and_far_from_its_points(page: Page) -> None:
    said = page.evaluate(
        """() => {
          const series = { times: [0, 1, 2, 3, 4], mean: [1, 2, null, 4, 5], low: [], high: [] };
          return { runs: courses.runs(series, { start: 0, end: 4 }),
            at: [0.4, 2, 3.2, 9].map((time) => courses.valueAt(series, time)?.mean ?? null),
            value: courses.formatValue(-0.001, 2) };
        }"""
    )
    assert said == {"runs": [[0, 1], [3, 4]], "at": [1, None, 4, None], "value": "0.00"}


def test_the_wheel_zooms_at_the_pointer_and_asks_for_the_visible_span(page: Page) -> None:
    page.mouse.move(*place(page, 250))
    page.mouse.wheel(0, -300)
    until(page, "asked.length === 1")
    start, end, points = page.evaluate("asked[0]")
    assert 0 < start < 250 < end < 700
    assert (250 - start) / (end - start) == pytest.approx(0.25, abs=0.002)
    assert page.evaluate("[plots.view.start, plots.view.end]") == [start, end]
    assert points == WIDTH - LEFT - RIGHT
    page.mouse.dblclick(*place(page, 250))
    assert page.evaluate("[plots.view.start, plots.view.end]") == [0, END]


def test_the_wheel_scrolls_the_page_where_there_is_nothing_to_zoom_out(page: Page) -> None:
    page.set_viewport_size({"width": WIDTH + 48, "height": 400})
    page.mouse.move(*place(page, 250))
    page.mouse.wheel(0, 200)
    until(page, "scrollY > 0")
    assert page.evaluate("plots.view.end - plots.view.start") == END
    page.evaluate("scrollTo(0, 0)")
    page.set_viewport_size({"width": WIDTH + 48, "height": 1000})


def test_a_late_answer_to_an_older_question_is_ignored(page: Page) -> None:
    page.evaluate("manual = true; plots.zoomTo(100, 200)")
    until(page, "answers.length === 1")
    page.evaluate("plots.zoomTo(300, 380)")
    until(page, "answers.length === 2")
    page.evaluate("answers[1].give(); answers[0].give(); frames(2)")
    assert page.evaluate("[plots.finer.start, plots.finer.end]") == [300, 380]


def test_curves_that_cannot_be_loaded_are_said_and_the_old_ones_stay(page: Page) -> None:
    page.evaluate("manual = true; plots.zoomTo(100, 200)")
    until(page, "answers.length === 1")
    page.evaluate("answers[0].refuse(new Error('no')); frames(2)")
    assert "could not be loaded" in page.locator(".plots-state").inner_text()
    assert "valence 0.50" in page.locator(".plots-readout").inner_text()


def test_dragging_selects_the_span_and_a_click_seeks(page: Page) -> None:
    page.mouse.move(*place(page, 700))
    page.mouse.down()
    page.mouse.move(*place(page, 610), steps=3)
    page.mouse.up()
    second = END / (WIDTH - LEFT - RIGHT)
    assert page.evaluate("chosen")[-1] == pytest.approx([610, 700], abs=second)
    assert page.evaluate("sought") == []
    page.mouse.click(*place(page, 320))
    assert page.evaluate("sought") == [pytest.approx(320, abs=second)]
    assert page.evaluate("plots.cursor") == pytest.approx(320, abs=second)


def test_alt_and_drag_moves_the_window_and_so_does_the_strip_below(page: Page) -> None:
    page.evaluate("plots.zoomTo(400, 500)")
    page.keyboard.down("Alt")
    page.mouse.move(*place(page, 500))
    page.mouse.down()
    page.mouse.move(*place(page, 400))
    page.mouse.up()
    page.keyboard.up("Alt")
    assert page.evaluate("plots.view.start") == pytest.approx(410, abs=0.2)
    assert page.evaluate("chosen") == []
    page.mouse.click(*place(page, 800, ".plots-overview"))
    assert page.evaluate("plots.view.start") == pytest.approx(750, abs=1.5)


def test_a_wheel_over_a_part_never_scrolls_the_page(page: Page) -> None:
    def is_kept(delta: int) -> bool:
        """Whether the page is kept from scrolling."""
        return bool(
            page.evaluate(
                f"""!document.querySelector('.plots-rows').dispatchEvent(
                new WheelEvent('wheel', {{deltaY: {delta}, cancelable: true}}))"""
            )
        )

    assert not is_kept(300), "the whole session is shown already"
    page.evaluate("plots.zoomTo(100, 102)")
    assert is_kept(-300), "it cannot become shorter"
    assert is_kept(300)


def test_an_ended_login_loses_nothing_and_the_next_try_takes_the_new_token(
    opened: tuple[Page, list[str]],
) -> None:
    page, said = opened
    page.evaluate("""document.head.insertAdjacentHTML(
        "beforeend", '<meta name="csrf-token" content="old">')""")
    tokens: list[str] = []

    def answer(route: Any) -> None:
        tokens.append(route.request.headers["x-csrf-token"])
        route.fulfill(status=401 if len(tokens) == 1 else 200, json={"sentence": "No."})

    def page_anew(route: Any) -> None:
        route.fulfill(content_type="text/html", body='<meta name="csrf-token" content="new">')

    page.route("**/api/thing", answer)
    page.route("**/plots_page.html", page_anew)
    ask = """import("/static/api.js").then(({ ask }) => ask("PUT", "/api/thing", {}))
        .then(() => "saved", (refusal) => refusal.message + " " + refusal.remedy)"""
    first = page.evaluate(ask)
    assert "still here" in first
    assert "Log in again" in first
    assert page.evaluate(ask) == "saved"
    assert tokens == ["old", "new"]
    assert all("401" in line for line in said), "the browser itself tells of the refusal"
    page.unroute_all()
    page.evaluate("document.querySelector('meta[name=csrf-token]').remove()")


def test_the_keys_move_the_cursor_select_and_zoom_and_what_is_there_is_said(page: Page) -> None:
    press(page, "ArrowRight", "ArrowRight", "Shift+ArrowRight", "ArrowLeft", "[")
    assert page.evaluate("[plots.cursor, ...sought]") == [11, 1, 2, 12, 11]
    press(page, "Shift+ArrowRight", "Shift+ArrowRight", "]")
    assert page.evaluate("chosen") == [[11, END], [11, 31]]
    said = page.locator("#curves [role=status]").inner_text()
    assert said.startswith("0:31, valence 0.50 (0.40 to 0.60), arousal")
    assert "heart rate 70 bpm" in said  # both ends of its band read alike
    assert said.endswith("selected 0:11 to 0:31")
    press(page, "+", "+")
    assert page.evaluate("plots.view.end - plots.view.start") == END / 4
    press(page, "End")
    assert page.evaluate("[plots.cursor, plots.view.end]") == [END, END]
    press(page, "0", "Escape", "Home")
    assert page.evaluate("[plots.cursor, plots.view.start, plots.view.end]") == [0, 0, END]
    assert page.evaluate("[plots.selection, chosen.at(-1)]") == [None, [None, None]]


def test_gaps_are_not_drawn_over_and_the_line_of_values_says_so(page: Page) -> None:
    valence = page.evaluate("plots.colours.valence.match(/[0-9]+/g).map(Number)")

    def drawn(time: float) -> bool:
        column = page.evaluate(f"column('.plots-rows', {pixel(time)}, 40, 80)")
        return any(math.dist(colour[:3], valence) < 75 for colour in column)

    assert [drawn(time) for time in (300, 390, 460, 700)] == [True] * 4
    assert [drawn(time) for time in (405, 425, 445)] == [False] * 3
    page.evaluate("plots.setCursor(425); frames(2)")
    assert "valence nothing usable" in page.locator(".plots-readout").inner_text()


def test_the_picture_follows_the_theme_and_is_light_on_paper(page: Page) -> None:
    ground = f"column('.plots-rows', {pixel(650)}, 110, 1)[0].slice(0, 3)"
    light = page.evaluate(ground)
    page.evaluate("document.documentElement.dataset.theme = 'dark'; frames(3)")
    dark = page.evaluate(ground)
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    paper = page.evaluate(ground)
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert min(light) > 200
    assert max(dark) < 60
    assert paper == light
    assert page.evaluate(ground) == dark


def test_what_was_left_out_is_hatched_in_the_rows_of_its_modality_only(page: Page) -> None:
    rows = page.evaluate(
        "import('/static/plots/layout.js').then(({ layoutOf, boxesOf }) => {"
        " const layout = layoutOf(plots.courses, 860);"
        " return { all: boxesOf(layout, null).length, ecg: boxesOf(layout, 'ecg'),"
        "   eda: boxesOf(layout, 'eda') }; })"
    )
    assert rows["all"] == 5
    assert len(rows["ecg"]) == 2  # heart rate, and the lane of its quality
    before = {name: shot(page, rows[name][0]) for name in ("ecg", "eda")}
    excluded = "[{ modality: 'ecg', start: 590, end: 610, reason: 'loose' }]"
    page.evaluate(f"plots.setMarks({{ excluded: {excluded} }}); plots.setCursor(600); frames(3)")
    page.evaluate("plots.setCursor(595); frames(3)")
    assert shot(page, rows["ecg"][0]) != before["ecg"]
    assert shot(page, rows["eda"][0]) == before["eda"]
    assert "left out (ecg): loose" in page.locator(".plots-readout").inner_text()


def shot(page: Page, box: dict[str, float]) -> Any:
    """The pixels at 600 s in a row."""
    return page.evaluate(f"column('.plots-rows', {pixel(600)}, {box['top']}, {box['height']})")


def test_a_row_whose_series_is_absent_is_left_out(page: Page) -> None:
    height = "document.querySelector('.plots-rows').clientHeight"
    whole = page.evaluate(height)
    page.evaluate("setUp(['valence', 'heart_rate']); frames(3)")
    assert page.evaluate(height) < whole / 1.7
    text = page.locator(".plots-readout").inner_text()
    assert "heart rate 70" in text
    assert "arousal" not in text
    assert "quality" not in text


def test_a_zoomed_window_follows_the_video_but_not_where_the_user_looks_elsewhere(
    page: Page,
) -> None:
    page.evaluate("plots.zoomTo(0, 100); plots.setCursor(99); plots.setCursor(101)")
    assert page.evaluate("plots.view.start") == pytest.approx(96)
    page.evaluate("plots.zoomTo(500, 600); plots.setCursor(102)")
    assert page.evaluate("plots.view.start") == 500


def test_the_plots_fit_their_container_and_are_as_sharp_as_the_screen(page: Page) -> None:
    page.set_viewport_size({"width": 500, "height": 1000})
    page.evaluate("frames(4)")
    canvas = page.locator(".plots-rows")
    assert canvas.evaluate("canvas => [canvas.width, canvas.clientWidth]") == [468, 468]
    assert page.evaluate("document.documentElement.scrollWidth") <= 500
    page.set_viewport_size({"width": WIDTH + 48, "height": 1000})
    page.evaluate("frames(4)")


def test_session_time_and_the_players_time_belong_together(page: Page) -> None:
    clock = "{ offset: 12.5, rate: 1.0001, first_time: 0.04 }"
    assert page.evaluate(f"mapping.toSession({clock}, 100)") == pytest.approx(112.550004)
    assert page.evaluate(f"mapping.toPlayer({clock}, mapping.toSession({clock}, 100))") == (
        pytest.approx(100)
    )
    assert page.evaluate(f"mapping.toPlayer({clock}, 3)") == 0
    fitted = "mapping.fitted({ width: 640, height: 480 }, { width: 400, height: 240 })"
    assert page.evaluate(fitted) == {"left": 40, "top": 0, "scale": 0.5}
    track = (
        "{ times: [1, 1.4, 1.8, 9], boxes: [[0, 0, 10, 10], [4, 8, 10, 10], null, [1, 1, 2, 2]] }"
    )
    assert page.evaluate(f"mapping.boxAt({track}, 1.1)") == pytest.approx([1, 2, 10, 10])
    assert page.evaluate(f"[1.6, 5, 0.2].map((t) => mapping.boxAt({track}, t))") == [None] * 3
    assert page.evaluate(f"mapping.boxAt({track}, 9.3)") == [1, 1, 2, 2]


def test_the_player_seeks_in_session_time_and_draws_the_box_over_the_picture(page: Page) -> None:
    page.evaluate("play({ offset: 58, rate: 1, first_time: 0 })")
    page.evaluate("player.seek(60.5)")
    until(page, "times.at(-1) === 60.5 && document.querySelector('video').seeking === false")
    assert page.evaluate("[player.time, player.video.currentTime]") == [60.5, 2.5]
    # Each piece of half a minute, and a second more on both sides, is asked for once.
    pieces = [tuple(piece) for piece in page.evaluate("pieces")]
    assert {(59, 91), (89, 121)} <= set(pieces)
    assert len(pieces) == len(set(pieces))
    until(page, "boxAlpha(16, 16) > 200 && boxAlpha(48, 16) > 200")
    assert page.evaluate("[boxAlpha(32, 16), boxAlpha(2, 16)]") == [0, 0]
    page.evaluate("player.showBoxes(false)")
    assert page.evaluate("boxAlpha(16, 16)") == 0
    page.evaluate("player.destroy()")
