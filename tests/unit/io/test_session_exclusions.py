"""[excluded] of session.toml: what the user leaves out of a session."""

from __future__ import annotations

import contextlib
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from affectscope.errors import SessionError
from affectscope.io.session import open_session
from affectscope.io.session_exclusions import KEYS, check_excluded, excluded_spans
from affectscope.io.session_file import session_toml
from affectscope.io.toml_table import TomlTable
from affectscope.records import MODALITIES, ExcludedSpan, Recording, Signal, VideoTrack

EXAMPLE = [
    ["all", 12.5, 30.0, "sensor moved"],
    ["face", 40, 55, "therapist in front of the camera"],
]
SPANS = (
    ExcludedSpan(None, 12.5, 30.0, "sensor moved"),
    ExcludedSpan("face", 40.0, 55.0, "therapist in front of the camera"),
)
LONG = 10**400  # TOML has integers of any length, and no float holds this one


def parsed(values: dict[str, Any]) -> tuple[ExcludedSpan, ...]:
    return excluded_spans(TomlTable("session.toml", {"": (), "excluded": KEYS}, "excluded", values))


def session(folder: Path, spans: object) -> Path:
    rows = [f"0.{n % 90 + 10},2.{n % 90 + 10}" for n in range(60 * 20)]
    (folder / "signals.csv").write_text("\n".join(["ECG (mV),EDA (uS)", *rows]) + "\n")
    signal = {"file": "signals.csv", "sampling_rate": 20.0}
    tables = {
        "format": 1, "subject_id": "P01", "ecg": {**signal, "channel": "ECG"},
        "eda": {**signal, "channel": "EDA"}, "excluded": {"spans": spans},
    }  # fmt: skip
    (folder / "session.toml").write_text(session_toml(tables))
    return folder


def test_spans_are_read_and_may_overlap_and_there_may_be_none() -> None:
    assert parsed({"spans": EXAMPLE}) == SPANS
    assert parsed({"spans": []}) == ()
    assert excluded_spans(None) == ()
    assert len(parsed({"spans": [*EXAMPLE, ["ecg", 0, 50, " twice "]]})) == 3


def test_a_session_that_was_written_with_them_has_them(tmp_path: Path) -> None:
    opened = open_session(session(tmp_path, EXAMPLE))
    assert opened.excluded == SPANS
    assert all(notice.code != "W_EXCLUDED" for notice in opened.recording.notices)


@pytest.mark.parametrize(
    ("item", "allowed"),
    [
        ("all", "each must be [modality, start, end, reason]"),
        (["all", 1, 2], "each must be [modality, start, end, reason]"),
        (["all", 1, 2, "moved", 3], "each must be [modality, start, end, reason]"),
        (["video", 1, 2, "moved"], "one of all, face, ecg, eda"),
        (["All", 1, 2, "moved"], "one of all, face, ecg, eda"),
        ([["all"], 1, 2, "moved"], "one of all, face, ecg, eda"),
        (["ecg", 2, 2, "moved"], "the start before the end"),
        (["ecg", 3, 2, "moved"], "the start before the end"),
        (["ecg", "1", 2, "moved"], "finite seconds"),
        (["ecg", True, 2, "moved"], "finite seconds"),
        (["ecg", 1, float("inf"), "moved"], "finite seconds"),
        (["ecg", float("nan"), 2, "moved"], "finite seconds"),
        (["ecg", 1, LONG, "moved"], "finite seconds"),
        (["ecg", 1, 2, " \n"], "the reason must be a text that is not empty"),
        (["ecg", 1, 2, 3], "the reason must be a text that is not empty"),
    ],
)
def test_a_span_that_cannot_be_is_refused_with_what_is_allowed(item: object, allowed: str) -> None:
    with pytest.raises(SessionError) as caught:
        parsed({"spans": [EXAMPLE[0], item]})
    assert caught.value.code == "E_SESSION"
    assert caught.value.sentence.startswith("session.toml cannot be used: spans in [excluded]")
    assert ascii(item)[:80] in caught.value.sentence
    assert allowed in caught.value.sentence
    assert caught.value.remedy == "Correct session.toml."


@pytest.mark.parametrize("values", [{}, {"spans": "all"}, {"spans": {"all": 1}}, {"span": []}])
def test_a_table_without_a_list_of_spans_is_refused(values: dict[str, Any]) -> None:
    with pytest.raises(SessionError, match="span") as caught:
        parsed(values)
    assert caught.value.code == "E_SESSION"


@pytest.mark.parametrize(("start", "end"), [(60.0, 70.0), (-9.0, 0.0), (1e6, 2e6)])
def test_a_span_wholly_outside_the_session_is_refused(
    tmp_path: Path, start: float, end: float
) -> None:
    with pytest.raises(SessionError) as caught:
        open_session(session(tmp_path, [["eda", start, end, "moved"]]))
    assert caught.value.code == "E_SESSION"
    for part in ("spans in [excluded]", f"['eda', {start}, {end}]", "some of 0.0 s to 60.0 s"):
        assert part in caught.value.sentence


def test_a_span_may_reach_beyond_the_session(tmp_path: Path) -> None:
    assert open_session(session(tmp_path, [["all", -5.0, 500.0, "all of it"]])).excluded


def test_where_the_end_is_not_known_any_end_will_do() -> None:
    video = VideoTrack(Path("v.mjpeg"), 64, 64, "mjpeg", 10.0, 0.0, 5.0, 0.0)
    eda = Signal(np.ones(40), 4.0, "uS", 5.0)
    late, early = ExcludedSpan("face", 100, 110, "x"), ExcludedSpan("face", 0, 5, "x")
    check_excluded([late], Recording("P", "s", False, video=video, eda=eda), "session.toml")
    with pytest.raises(SessionError):
        check_excluded([early], Recording("P", "s", False, video=video, eda=eda), "session.toml")
    with pytest.raises(SessionError):
        check_excluded([late], Recording("P", "s", False, eda=eda), "session.toml")


reasons = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=30).filter(
    lambda text: bool(text.strip())
)
seconds = st.floats(-1e9, 1e9)


@settings(max_examples=60)
@given(
    st.lists(
        st.tuples(st.sampled_from(("all", *MODALITIES)), seconds, seconds, reasons), max_size=4
    )
)
def test_what_is_written_is_read_again(drawn: list[tuple[str, float, float, str]]) -> None:
    spans = [[name, *sorted((a, b)), why] for name, a, b, why in drawn if a != b]
    text = session_toml({"excluded": {"spans": spans}})
    assert parsed(tomllib.loads(text)["excluded"]) == tuple(
        ExcludedSpan(None if name == "all" else name, a, b, why.strip())
        for name, a, b, why in spans
    )


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=8,
)


@settings(max_examples=60)
@given(values)
def test_anything_else_is_read_or_refused(anything: object) -> None:
    with contextlib.suppress(SessionError):
        found = parsed({"spans": anything})
        assert all(span.start < span.end and span.reason for span in found)
