"""Calibrating a checkpoint on sessions: whom it takes, whom it refuses, what it leaves behind.

The people are simulated and the weights are drawn: no number here is about a human being.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from affectscope.cli import app
from affectscope.datasets.synthetic import (
    SyntheticSettings,
    random_course,
    synthetic_person,
    write_session,
)
from affectscope.errors import AffectScopeError, LeakError, ModelError, SessionError
from affectscope.inference.calibration import NAME, read_calibration
from affectscope.inference.predictor import load_checkpoint
from affectscope.io.session import open_session
from affectscope.models.bmmn import BMMN, BMMNConfig
from affectscope.models.checkpoint import Checkpoint, save_checkpoint
from affectscope.preprocessing.windows import Preprocessing
from affectscope.recipes.calibration import CalibrationAsked, calibrate
from affectscope.records import Population

PEOPLE = 10
SECONDS = 15.0


@pytest.fixture(scope="module")
def sessions(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ...]:
    """Of ten simulated people, without faces."""
    folder = tmp_path_factory.mktemp("people")
    settings = SyntheticSettings(sampling_rate=128.0, frame_rate=0)
    for number in range(PEOPLE):
        person = synthetic_person(f"simulated-{number}", 40 + number)
        course = random_course(SECONDS, number)
        write_session(folder / person.subject_id, person, course, settings=settings)
    return tuple(sorted(folder.iterdir()))


def checkpoint_in(
    folder: Path,
    *,
    population: Population = "simulated people",
    subjects: tuple[str, ...] = ("somebody else",),
    hashes: dict[str, str] | None = None,
) -> Path:
    torch.manual_seed(0)
    config = BMMNConfig(variant="bmmn", face_encoder="small", modalities=("ecg", "eda"))
    checkpoint = Checkpoint(config, Preprocessing(), population, subjects, data_hashes=hashes or {})
    save_checkpoint(folder, BMMN(config), checkpoint)
    return folder


def test_calibrating_leaves_intervals_that_later_estimates_carry(
    sessions: tuple[Path, ...], tmp_path: Path
) -> None:
    folder = checkpoint_in(tmp_path / "weights")
    reached: list[float] = []
    found = calibrate(CalibrationAsked(folder, sessions), reached.append)
    assert len(found.people) == PEOPLE
    assert found.windows == PEOPLE * 10  # nothing is scored less than 3 s from either end
    assert reached[-1] == 1.0
    assert set(found.intervals["valence"]) == {"ecg+eda", "ecg", "eda"}
    assert f"simulated-0/{sessions[0].name}/signals.csv" in found.sessions
    predictor = load_checkpoint(folder)
    assert predictor.calibration == found
    prediction = predictor.predict(open_session(sessions[0]), rate=1.0)
    low, high = prediction.interval("valence") or (np.empty(0), np.empty(0))
    valence = prediction.target("valence")
    scored = np.isfinite(valence)
    assert scored.any()
    assert ((low <= valence) & (valence <= high) & (low < high))[scored].all()
    assert prediction.interval("joy") is None
    session = open_session(sessions[0])
    real = replace(session, recording=replace(session.recording, simulated=False))
    assert predictor.predict(real, rate=1.0, force=True).half_width is None


def refused(asked: CalibrationAsked, kind: type[AffectScopeError], code: str, what: str) -> None:
    with pytest.raises(kind, match=what) as caught:
        calibrate(asked)
    assert caught.value.code == code
    assert not (asked.checkpoint / NAME).exists()


def test_a_person_whom_the_network_learnt_from_is_refused(
    sessions: tuple[Path, ...], tmp_path: Path
) -> None:
    folder = checkpoint_in(tmp_path / "weights", subjects=("x", "simulated-3"))
    refused(CalibrationAsked(folder, sessions[2:4]), LeakError, "E_LEAK_SUBJECT", "simulated-3")


def test_a_file_that_the_network_learnt_from_is_refused_under_any_name(
    sessions: tuple[Path, ...], tmp_path: Path
) -> None:
    digest = open_session(sessions[2]).input_hashes["signals.csv"]
    folder = checkpoint_in(tmp_path / "weights", hashes={"other/signals.csv": digest})
    refused(CalibrationAsked(folder, sessions[1:3]), LeakError, "E_LEAK_FITTED", "simulated-2")


def test_simulated_people_do_not_calibrate_a_network_of_people(
    sessions: tuple[Path, ...], tmp_path: Path
) -> None:
    folder = checkpoint_in(tmp_path / "weights", population="people")
    refused(
        CalibrationAsked(folder, sessions[:2]), ModelError, "E_POPULATION", "of simulated people"
    )


def test_a_session_without_labels_is_refused(sessions: tuple[Path, ...], tmp_path: Path) -> None:
    bare = tmp_path / "bare"
    bare.mkdir()
    for path in sessions[0].iterdir():
        (bare / path.name).write_bytes(path.read_bytes())
    stated = (bare / "session.toml").read_text()
    (bare / "session.toml").write_text(stated.split("[labels]")[0])
    folder = checkpoint_in(tmp_path / "weights")
    refused(CalibrationAsked(folder, (bare, sessions[1])), SessionError, "E_SESSION", "no labels")


def test_one_person_is_too_few(sessions: tuple[Path, ...], tmp_path: Path) -> None:
    folder = checkpoint_in(tmp_path / "weights")
    refused(CalibrationAsked(folder, sessions[:1]), ModelError, "E_CALIBRATION", "sessions of 1")


def test_a_coverage_of_everything_is_refused(sessions: tuple[Path, ...], tmp_path: Path) -> None:
    folder = checkpoint_in(tmp_path / "weights")
    refused(CalibrationAsked(folder, sessions[:2], 1.0), ModelError, "E_CONFIG", "coverage of 1.0")


def test_an_older_calibration_of_other_weights_is_replaced(
    sessions: tuple[Path, ...], tmp_path: Path
) -> None:
    folder = checkpoint_in(tmp_path / "weights")
    (folder / NAME).write_text("{}")
    with pytest.raises(ModelError):
        load_checkpoint(folder)
    done = CliRunner().invoke(app, ["calibrate", str(folder), *map(str, sessions[:2])])
    assert done.exit_code == 0, done.output
    assert (
        "2 people are too few, 90 % intervals need the windows of at least 9 people" in done.output
    )
    found = read_calibration(folder, load_checkpoint(folder).checkpoint_id)
    assert found is not None
    assert found.intervals == {}
