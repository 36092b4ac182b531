"""A simulated study: its patients, their ways, and what the files say."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from affectscope.datasets.synthetic import therapy_course
from affectscope.datasets.synthetic_study import SETTINGS, StudyDesign, write_study
from affectscope.io.session import open_session
from affectscope.io.study_file import read_study_file

WITHOUT_FACES = replace(SETTINGS, frame_rate=0)
DESIGN = StudyDesign(patients=6, sessions=2, minutes=1.0)


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("study")
    write_study(folder, DESIGN, settings=WITHOUT_FACES)
    return folder


def test_every_session_opens_as_simulated_and_lacks_nothing_but_the_face(study: Path) -> None:
    folders = sorted(path.parent for path in study.glob("*/session.toml"))
    assert len(folders) == 12
    recordings = [open_session(folder).recording for folder in folders]
    assert all(recording.simulated for recording in recordings)
    assert {tuple(recording.tracks) for recording in recordings} == {("ecg", "eda")}
    assert len({recording.subject_id for recording in recordings}) == 6
    assert "Simulated" in read_study_file(study).title


def test_patients_differ_in_how_far_they_move(study: Path) -> None:
    changes = []
    for folder in sorted(study.glob("*-session-1")):
        labels = open_session(folder).recording.labels
        assert labels is not None
        valence = labels.values[:, 0]
        quarter = len(valence) // 4
        changes.append(valence[-quarter:].mean() - valence[:quarter].mean())
    assert min(changes) < 0.7 * max(changes)
    assert np.mean(changes) > 0.4


def test_the_patients_answers_lie_in_their_ranges_and_follow_affect(study: Path) -> None:
    with (study / "questionnaires.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) == 12 * 2 * 3
    for row in rows:
        low, high = (0, 100) if row["questionnaire"] == "SUDS" else (1, 9)
        assert low <= int(row["score"]) <= high
    distress = {
        time: np.mean(
            [int(r["score"]) for r in rows if r["questionnaire"] == "SUDS" and r["time"] == time]
        )
        for time in ("before", "after")
    }
    assert distress["before"] > distress["after"] + 10


def test_what_is_there_is_not_written_again(study: Path) -> None:
    files = sorted(study.glob("*/signals.csv"))
    before = [path.stat().st_mtime_ns for path in files]
    write_study(study, DESIGN, settings=WITHOUT_FACES)
    assert [path.stat().st_mtime_ns for path in files] == before


def test_a_course_begins_and_ends_where_it_is_told_to() -> None:
    """Against the default way from -0.6 to 0.6 with the same wander, where nothing is cut."""
    asked, usual = therapy_course(600.0, 3, begin=-0.4, end=0.2), therapy_course(600.0, 3)
    quarter = len(usual.times) // 4
    for part, shift in ((slice(None, quarter), 0.2), (slice(-quarter, None), -0.4)):
        assert np.median((asked.valence - usual.valence)[part]) == pytest.approx(shift)
        assert np.median((asked.arousal - usual.arousal)[part]) == pytest.approx(-shift)
