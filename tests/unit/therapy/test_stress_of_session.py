"""The stress likelihood of sessions, by the model that ships. Simulated people: no number here is
about a human being."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from affectscope.datasets.body_analysis import analyse_body
from affectscope.datasets.synthetic import (
    SyntheticSettings,
    synthetic_person,
    synthetic_recording,
    therapy_course,
)
from affectscope.inference import stress as inference
from affectscope.inference.stress import StressCourse
from affectscope.io.session import Session
from affectscope.models import shipped
from affectscope.records import Notice, Phase
from affectscope.therapy import assessment
from affectscope.therapy.assessment import assess
from affectscope.therapy.stress import estimated_share, stress_of


@pytest.fixture(scope="module")
def session() -> Session:
    """Twelve minutes of heart and skin."""
    recording = synthetic_recording(
        synthetic_person("simulated-01", 3),
        therapy_course(720.0, 3),
        settings=SyntheticSettings(sampling_rate=64.0),
    )
    return Session(Path("session"), replace(recording, video=None), None, "largest", {})


@pytest.fixture
def damaged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A program whose stress model lost a byte."""
    folder = tmp_path / "stress-rest"
    folder.mkdir()
    for file in (shipped.SHIPPED_FOLDER / "stress-rest").iterdir():
        content = file.read_bytes()
        (folder / file.name).write_bytes(content[:-1] if file.suffix == ".safetensors" else content)
    monkeypatch.setattr(shipped, "SHIPPED_FOLDER", tmp_path)
    inference._models.cache_clear()
    yield
    inference._models.cache_clear()


def of_first(session: Session, seconds: float) -> tuple[StressCourse | None, list[Notice]]:
    """The likelihood of the session's beginning."""
    recording = session.recording
    assert recording.ecg is not None
    assert recording.eda is not None
    ecg, eda = (
        replace(signal, values=signal.values[: int(seconds * signal.sampling_rate)])
        for signal in (recording.ecg, recording.eda)
    )
    cut = replace(session, recording=replace(recording, ecg=ecg, eda=eda))
    return stress_of(cut, analyse_body(cut.recording))


def test_a_session_is_compared_with_all_of_it_and_a_short_one_with_its_first_minutes(
    session: Session,
) -> None:
    whole, early = of_first(session, 720)[0], of_first(session, 480)[0]
    assert whole is not None
    assert early is not None
    assert whole.reference == "whole session"
    assert early.reference == "first minutes"
    assert early.baseline == (0.0, 300.0)
    assert estimated_share(whole) > 0.5
    told = early.times[np.isfinite(early.probability)]
    assert len(told) >= 10
    assert told.min() > 300.0  # what belongs to the baseline is not compared with it
    known = np.isfinite(whole.probability)
    assert np.all(whole.low[known] <= whole.probability[known])
    assert np.all(whole.probability[known] <= whole.high[known])


@pytest.mark.parametrize("seconds", [40.0, 200.0, 300.0])
def test_a_session_that_does_not_go_on_after_the_first_minutes_gets_no_number(
    session: Session, seconds: float
) -> None:
    found, notices = of_first(session, seconds)
    assert found is not None
    assert not np.isfinite(found.probability).any()
    assert notices == []


def test_without_heart_and_skin_there_is_nothing_to_tell(session: Session) -> None:
    body = analyse_body(replace(session.recording, ecg=None, eda=None))
    assert stress_of(session, body) == (None, [])


def test_an_assessment_bears_it_in_its_timeline_and_is_not_degraded_by_gaps(
    session: Session,
) -> None:
    done = assess(replace(session, phases=(Phase("before", 0, 240), Phase("after", 480, 720))))
    assert done.stress is not None
    column = done.timeline["stress_likelihood"]
    assert column.between(0, 1).mean() > 0.5
    assert not [notice for notice in done.notices if "STRESS" in notice.code]


@pytest.mark.usefixtures("damaged")
def test_a_damaged_model_is_told_as_information_and_the_assessment_goes_on(
    session: Session,
) -> None:
    done = assess(session, rate=0.2)
    (notice,) = [notice for notice in done.notices if notice.code == "W_NO_STRESS_LIKELIHOOD"]
    assert notice.code in assessment.INFORMATION
    assert notice.sentence.startswith("No stress likelihood: The model cannot be used")
    assert done.stress is None
    assert done.timeline["stress_likelihood"].isna().all()
    assert len(done.body) == 5
