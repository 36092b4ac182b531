"""[phases] and [reliability] of session.toml and study.toml, and study.toml as a whole."""

from __future__ import annotations

import contextlib
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from affectscope.errors import SessionError
from affectscope.io.reliability import KEYS as RELIABILITY_KEYS
from affectscope.io.reliability import Reliability, reliabilities
from affectscope.io.session_phases import (
    KEYS,
    PhasesEntry,
    check_inside,
    phases_entry,
    stated_phases,
)
from affectscope.io.study_file import LEAST_USABLE, StudyFile, read_study_file
from affectscope.io.toml_table import StatedFile, TomlTable
from affectscope.records import Phase, Recording, Signal, VideoTrack

ALLOWED = {"": ("phases", "reliability"), "phases": KEYS, "reliability": RELIABILITY_KEYS}


def table(name: str, values: dict[str, Any]) -> TomlTable:
    return TomlTable("session.toml", ALLOWED, name, values)


def entry(**values: Any) -> PhasesEntry:
    return phases_entry(table("phases", values))


def refused(**values: Any) -> str:
    with pytest.raises(SessionError) as caught:
        entry(**values)
    assert caught.value.code == "E_SESSION"
    assert caught.value.remedy == "Correct session.toml."
    return caught.value.sentence


def recording(start: float, end: float) -> Recording:
    return Recording(
        "P", "s", False, eda=Signal(np.ones(round((end - start) * 4)), 4.0, "uS", start)
    )


# --- what [phases] may hold -----------------------------------------------------------------------


def test_two_spans_minutes_or_thirds() -> None:
    assert entry(before=[0, 10.5], after=[20, 30]) == PhasesEntry((0.0, 10.5), (20.0, 30.0))
    assert entry(minutes=15) == PhasesEntry(minutes=15.0)
    assert entry(thirds=True) == PhasesEntry(thirds=True)
    assert entry(before=[0, 10], after=[10, 90]).after == (10.0, 90.0)  # adjacent and unequal


def test_marked_parts_stand_beside_any_of_them_or_alone() -> None:
    marked = [["exposure", 1200, 1500], ["rest", 1500, 1600.5]]
    parts = (Phase("exposure", 1200, 1500), Phase("rest", 1500, 1600.5))
    assert entry(marked=marked) == PhasesEntry(marked=parts)
    assert entry(marked=marked, thirds=True) == PhasesEntry(thirds=True, marked=parts)
    assert entry(marked=marked, minutes=2).minutes == 2


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"marked": []},
        {"thirds": False},
        {"before": [0, 10]},
        {"after": [0, 10]},
        {"minutes": 5, "thirds": True},
        {"before": [0, 10], "after": [20, 30], "thirds": True},
        {"before": [0, 10], "minutes": 5},
    ],
)
def test_one_way_to_state_the_parts_and_only_one(values: dict[str, Any]) -> None:
    assert "either before and after, or minutes, or thirds" in refused(**values)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"before": [0, 11], "after": [10, 30]}, "a span that starts after 11 s"),
        ({"before": [5, 5], "after": [10, 30]}, "start before end"),
        ({"before": [0, math.nan], "after": [10, 30]}, "two numbers in seconds"),
        ({"before": [0, 10, 20], "after": [30, 40]}, "two numbers in seconds"),
        ({"before": "0-10", "after": [30, 40]}, "two numbers in seconds"),
        ({"minutes": 0}, "greater than 0"),
        ({"minutes": -1}, "greater than 0"),
        ({"minutes": math.inf}, "greater than 0"),
        ({"minutes": True}, "greater than 0"),
        ({"minutes": 10**400}, "greater than 0"),
        ({"thirds": 1}, "true or false"),
        ({"seconds": 5}, "'seconds' is no key of [phases]"),
    ],
)
def test_a_wrong_value_is_named_with_what_is_allowed(values: dict[str, Any], words: str) -> None:
    assert words in refused(**values)


@pytest.mark.parametrize(
    "marked",
    [
        "exposure",
        [["exposure", 0]],
        [["exposure", 0, 10, 20]],
        [["exposure", 10, 10]],
        [["exposure", 20, 10]],
        [["", 0, 10]],
        [["  ", 0, 10]],
        [[7, 0, 10]],
        [["exposure", 0, math.nan]],
        [["exposure", "0", 10]],
        [{"name": "exposure"}],
        ["exposure", 0, 10],
    ],
)
def test_a_marked_part_is_a_name_and_two_times(marked: Any) -> None:
    assert "a list of [name, start, end] in seconds" in refused(marked=marked)


@pytest.mark.parametrize("names", [("a", "a"), ("before",), ("after",)])
def test_marked_parts_have_different_names_that_are_not_taken(names: tuple[str, ...]) -> None:
    marked = [[name, 10 * k, 10 * k + 5] for k, name in enumerate(names)]
    assert "different names" in refused(marked=marked)


# --- where they lie -------------------------------------------------------------------------------


def test_thirds_and_minutes_follow_the_session() -> None:
    long = recording(10, 910)
    (before, after), rule = stated_phases(PhasesEntry(thirds=True), long, "study.toml")
    assert (before.start, before.end, after.start, after.end) == (10, 310, 610, 910)
    assert rule == "the first and the last third, as study.toml says"
    (before, after), rule = stated_phases(PhasesEntry(minutes=7.5), long, "session.toml")
    assert (before.end, after.start) == (460, 460)
    assert rule == "the first and the last 7.5 minutes, as session.toml says"
    spans = PhasesEntry((0, 20), (800, 1000))
    (before, after), rule = stated_phases(spans, long, "session.toml")
    assert (before, after) == (Phase("before", 0, 20), Phase("after", 800, 1000))
    assert rule == "as session.toml says"
    marked = PhasesEntry(marked=(Phase("a", 20, 30),))
    assert stated_phases(marked, long, "session.toml") is None


def test_minutes_that_do_not_fit_twice_are_refused_with_what_would() -> None:
    with pytest.raises(SessionError, match="Twice 8 minutes") as caught:
        stated_phases(PhasesEntry(minutes=8), recording(0, 900), "study.toml")
    assert caught.value.remedy == "State at most 7.5 minutes."


def test_a_part_that_shares_nothing_with_the_session_is_refused() -> None:
    with pytest.raises(SessionError, match=r"after .* lies outside the session") as caught:
        stated_phases(PhasesEntry((0, 20), (900, 1000)), recording(0, 900), "session.toml")
    assert caught.value.remedy == "Correct [phases] in session.toml."
    with pytest.raises(SessionError, match="phase talk"):
        check_inside((Phase("talk", -20, 0),), recording(0, 900), "session.toml")
    check_inside((Phase("talk", 890, 2000),), recording(0, 900), "session.toml")


def test_a_video_without_a_stated_end_refuses_no_part() -> None:
    video = VideoTrack(Path("v.mp4"), 64, 64, "h264", 25.0, 0.0, 0.0, 0.0)
    endless = Recording("P", "s", False, video=video)
    spans = PhasesEntry((0, 20), (900, 1000))
    found = stated_phases(spans, endless, "session.toml")
    assert found is not None
    assert found[0][1] == Phase("after", 900, 1000)


# --- [reliability] --------------------------------------------------------------------------------


def test_reliabilities_by_measure() -> None:
    stated = {"measures": [["STAI-S", 10, 0.92], ["heart rate", 8.5, 0]]}
    assert reliabilities(table("reliability", stated)) == {
        "STAI-S": Reliability(10.0, 0.92),
        "heart rate": Reliability(8.5, 0.0),
    }
    assert reliabilities(None) == {}
    assert reliabilities(table("reliability", {})) == {}


@pytest.mark.parametrize(
    "measures",
    [
        "STAI-S",
        [["STAI-S", 10.0]],
        [["STAI-S", 0, 0.9]],
        [["STAI-S", -1, 0.9]],
        [["STAI-S", 10, 1]],
        [["STAI-S", 10, -0.1]],
        [["STAI-S", math.nan, 0.9]],
        [["STAI-S", 10, True]],
        [["", 10, 0.9]],
        [[1, 10, 0.9]],
        [["a", 10, 0.9], ["a", 11, 0.9]],
    ],
)
def test_an_impossible_reliability_is_refused(measures: Any) -> None:
    with pytest.raises(SessionError, match="reliability from 0 to below 1"):
        reliabilities(table("reliability", {"measures": measures}))


# --- study.toml -----------------------------------------------------------------------------------


def study(folder: Path, text: str) -> StudyFile:
    (folder / "study.toml").write_text(text)
    return read_study_file(folder)


def test_a_study_without_its_file_has_the_defaults(tmp_path: Path) -> None:
    assert read_study_file(tmp_path) == StudyFile()
    assert study(tmp_path, "format = 1\n") == StudyFile("", LEAST_USABLE, None, {}, None)


def test_study_toml_states_what_holds_for_all_sessions(tmp_path: Path) -> None:
    found = study(
        tmp_path,
        """
        format = 1
        title = "Anxiety, five patients"
        least_usable = 0
        [phases]
        minutes = 10
        marked = [["exposure", 60, 90]]
        [reliability]
        measures = [["STAI-S", 10.2, 0.92]]
        [questionnaires]
        file = "answers.csv"
        """,
    )
    assert (found.title, found.least_usable) == ("Anxiety, five patients", 0.0)
    assert found.phases == PhasesEntry(minutes=10.0, marked=(Phase("exposure", 60, 90),))
    assert found.reliability == {"STAI-S": Reliability(10.2, 0.92)}
    assert found.questionnaires == StatedFile("answers.csv", None)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("title = 'x'\n", "format is missing"),
        ("format = 2\n", "format is 2"),
        ("format = true\n", "format is True"),
        ("format = 1\nleast_usable = 1.5\n", "a share from 0 to 1"),
        ("format = 1\nleast_usable = 'all'\n", "a finite number"),
        ("format = 1\npatients = 5\n", "'patients' is no key of the top of the file"),
        ("format = 1\nphases = 5\n", r"a table, \[phases\]"),
        ("format = 1\n[phases]\n", "either before and after"),
        ("format = 1\n[questionnaires]\n", "file in .questionnaires. is missing"),
        ("format = 1\n[questionnaires]\nfile='a'\nsha256='xyz'\n", "64 hexadecimal digits"),
        ("format = \n", "no TOML in UTF-8"),
    ],
)
def test_a_study_file_that_cannot_be_used_is_refused(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(SessionError, match=words) as caught:
        study(tmp_path, text)
    assert "study.toml" in caught.value.sentence
    assert caught.value.remedy


def test_a_study_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SessionError, match="no folder"):
        read_study_file(tmp_path / "nowhere")


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=8,
)


@settings(max_examples=60)
@given(st.dictionaries(st.sampled_from(KEYS), ANYTHING), ANYTHING)
def test_whatever_stands_there_is_read_or_refused(phases: dict[str, Any], measures: Any) -> None:
    for read in (
        lambda: phases_entry(table("phases", phases)),
        lambda: reliabilities(table("reliability", {"measures": measures})),
    ):
        with contextlib.suppress(SessionError):
            read()


def test_parts_that_hang_on_an_unknown_end_are_refused() -> None:
    """Some recorders write videos that do not state how long they are."""
    video = VideoTrack(Path("face.webm"), 64, 64, "vp8", 25.0, 0.0, 0.0, 0.0)
    endless = Recording("P", "s", False, video=video)
    for asked in (PhasesEntry(thirds=True), PhasesEntry(minutes=1.0)):
        with pytest.raises(SessionError) as caught:
            stated_phases(asked, endless, "study.toml")
        assert "does not state how long it is" in caught.value.sentence
    assert stated_phases(PhasesEntry((0.0, 5.0), (6.0, 9.0)), endless, "study.toml") is not None
