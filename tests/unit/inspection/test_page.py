"""The page and the lines: everything is told, escaped, and small."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from affectscope.inspection.channels import channel_facts, envelope, with_quality
from affectscope.inspection.facts import (
    ChannelFacts,
    FileFacts,
    PictureFacts,
    Refusal,
    SignalFacts,
    VideoFacts,
)
from affectscope.inspection.lines import duration, file_lines, gaps_text, percent, utc
from affectscope.inspection.page import render, write_page
from affectscope.io.channels import ChannelData, ChannelInfo
from affectscope.records import Notice

EVIL = "<script>alert(1)</script>"


class Tags(HTMLParser):
    """Counts start tags and keeps those that would load something."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.names: list[str] = []
        self.loads: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.append(tag)
        self.loads += [value or "" for name, value in attrs if name in ("src", "href")]


def channel(name: str = "ECG", **facts: object) -> ChannelFacts:
    values = np.sin(np.arange(2000.0) / 9)
    found = channel_facts(
        ChannelInfo(name, None, None, 2000), ChannelData(values), timed=None, asked=["unit"]
    )
    return ChannelFacts(**{**vars(found), **facts})  # type: ignore[arg-type]


def signals(*channels: ChannelFacts, **more: object) -> FileFacts:
    return FileFacts("signals.csv", SignalFacts("table", None, channels, **more))  # type: ignore[arg-type]


VIDEO = VideoFacts(
    width=640, height=480, codec="h264", rotation=90, frames=300, stated_rate=30.0,
    measured_rate=29.5, longest_step=0.2, start=0.5, stated_duration=36000.0,
    measured_duration=10.0, created="1904-01-01", has_audio=False, counts=(150, 150),
    notices=(Notice("W_VIDEO_TRUNCATED", "It ends early."),),
)  # fmt: skip


def test_names_from_files_are_escaped() -> None:
    file = signals(
        channel(EVIL, unit=EVIL, duration=200.0),
        unread=(EVIL,),
        notices=(Notice("W_LEFT_OUT", EVIL),),
    )
    refused = FileFacts(EVIL, None, Refusal("E_SIGNAL_FILE", EVIL, EVIL))
    page = render([file, refused])
    tags = Tags(page)
    assert "script" not in tags.names
    assert not [load for load in tags.loads if not load.startswith("#")]
    assert "&lt;script&gt;" in page


def test_control_characters_of_a_name_do_not_reach_the_terminal() -> None:
    lines = "\n".join(file_lines(signals(channel("a\x1b[31m\nb"))))
    assert "\x1b" not in lines
    assert "\\x1b" in lines


def test_a_signal_file_is_told_in_full() -> None:
    first = channel(
        "ECG", unit="mV", stated_rate=250.0, measured_rate=249.5, duration=8.0, missing=0.05,
        unix_start=1_600_000_000.0, gaps=((1.0, 2.5),), notices=(Notice("W_MISSING", "Lost."),),
    )  # fmt: skip
    first = with_quality(first, None, "ecg")
    lines = "\n".join(file_lines(signals(first, unread=("x", "y"))))
    for part in (
        "table, 3 channels", "unit mV", "rate stated 250 Hz", "measured 249.5 Hz", "8.00 s",
        "2000 samples", "missing 5.0 %", "2020-09-13 12:26:40.000 UTC", "gaps: 1.00-2.50 s",
        "W_MISSING: Lost.", "usable share of the ECG", "'x', 'y'",
    ):  # fmt: skip
        assert part in lines


def test_what_holds_for_all_channels_is_told_once() -> None:
    lost = (Notice("W_MISSING", "Lost."),)
    lines = file_lines(signals(channel("a", notices=lost), channel("b", notices=lost)))
    assert sum("Lost." in line for line in lines) == 1
    apart = file_lines(signals(channel("a", notices=lost), channel("b")))
    assert sum("Lost." in line for line in apart) == 1
    assert apart[2].startswith("    W_MISSING")


def test_videos_pictures_and_refusals_are_told() -> None:
    video = "\n".join(file_lines(FileFacts("face.mp4", VIDEO)))
    for part in ("640 x 480", "turned by 90", "30 Hz", "29.5 Hz", "600:00 min", "10.00 s", "1904",
                 "sound: no", "W_VIDEO_TRUNCATED", "200 ms"):  # fmt: skip
        assert part in video
    assert "faces: 2" in "\n".join(file_lines(FileFacts("a.jpg", PictureFacts(4, 3, 2))))
    refused = FileFacts("x", None, Refusal("E_FILE_EMPTY", "It holds no data.", "Export it."))
    assert file_lines(refused) == [
        "x: refused", "  E_FILE_EMPTY: It holds no data.", "  Export it."
    ]  # fmt: skip
    page = render([FileFacts("face.mp4", VIDEO), refused])
    assert "E_FILE_EMPTY" in page
    assert "1 refused" in page
    assert page.count("<svg") == 1


@pytest.mark.parametrize("samples", [2000, 2_880_000])
def test_a_long_recording_makes_no_larger_page(samples: int) -> None:
    values = np.zeros(samples, dtype=np.float64)
    values[::2] = 1.0
    one = channel(duration=samples / 80, stated_rate=80.0, envelope=envelope(values, 80.0, 0.0))
    assert len(render([signals(one)])) < 120_000


def test_F26_the_page_is_written_whole_and_alone(tmp_path: Path) -> None:
    path = write_page([signals(channel(duration=20.0))], tmp_path / "out")
    assert [each.name for each in path.parent.iterdir()] == ["inspect.html"]
    assert path.read_text().rstrip().endswith("</html>")
    assert not re.search(r"https?://(?!www\.w3\.org|creativecommons|purl\.org|matplotlib)",
                         path.read_text())  # fmt: skip


def test_words_for_numbers() -> None:
    shares = (0.0, 1e-6, 0.5, 0.99999, 1.0)
    assert [percent(share) for share in shares] == ["0 %", "<0.1 %", "50.0 %", "99.9 %", "100 %"]
    assert duration(119.999) == "120.00 s"
    assert duration(3600.0) == "3600.0 s (60:00 min)"
    assert utc(1e30).startswith("at Unix time")
    many = gaps_text([(float(n), n + 0.5) for n in range(40)])
    assert "40 in all, 20.0 s" in many
