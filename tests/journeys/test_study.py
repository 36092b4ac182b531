"""The paper's design: five patients, the first against the last 15 minutes, one page at the end.

All patients here are simulated. They have no face video: half an hour of video each would take
minutes, and the journey is the same.
"""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import pytest

from affectscope.datasets.synthetic import (
    TRAINING_SETTINGS,
    random_course,
    synthetic_person,
    write_session,
)
from affectscope.datasets.synthetic_study import SETTINGS, StudyDesign, write_study
from affectscope.models.bmmn import BMMNConfig
from affectscope.training.fit import DEMO_SETTINGS
from affectscope.training.fit_sessions import fit_sessions

PATIENTS = 5
BODY_ONLY = replace(TRAINING_SETTINGS, sampling_rate=64.0, frame_rate=0)

pytestmark = pytest.mark.timeout(900)


@pytest.fixture(scope="module")
def body_checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network for ECG and EDA, trained on five simulated people of another seed."""
    folder = tmp_path_factory.mktemp("body")
    people = [
        write_session(
            folder / name,
            synthetic_person(name, 300 + number),
            random_course(90.0, 300 + number),
            settings=BODY_ONLY,
        )
        for number, name in enumerate(f"simulated-{index}" for index in range(5))
    ]
    fit_sessions(
        people,
        folder / "checkpoint",
        config=BMMNConfig(variant="bmmn", modalities=("ecg", "eda"), face_encoder="small"),
        settings=DEMO_SETTINGS,
    )
    return folder / "checkpoint"


@pytest.fixture(scope="module")
def patients(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("patients")
    write_study(
        folder,
        StudyDesign(patients=PATIENTS, minutes=31.0),
        settings=replace(SETTINGS, sampling_rate=64.0, frame_rate=0),
    )
    return folder


def test_five_patients_and_fifteen_minutes_give_the_papers_figure(
    body_checkpoint: Path, patients: Path, tmp_path: Path, command
) -> None:
    out = tmp_path / "study"
    asked = ["--out", out, "--checkpoint", body_checkpoint, "--rate", 1, "--no-pdf"]
    ended = command("study", patients, *asked)
    assert ended.status == 0, ended.err
    moved = []
    for path in sorted((out / "sessions").glob("*/result.json")):
        result = json.loads(path.read_text())
        phases = result["phases"]
        for phase in phases.values():
            assert phase["end"] - phase["start"] == pytest.approx(900.0)
        assert (path.parent / "report.html").exists()
        moved.append(result["affect"]["arousal"]["change"]["mean"])
    assert len(moved) == PATIENTS
    # The planted truth: arousal falls in everybody, by 0.3 to 1.4; the body shows it.
    assert sum(change < 0 for change in moved) >= PATIENTS - 1

    page = (out / "study.html").read_text()
    assert page.index("Simulated") < page.index("<main>")
    for word in ("not a diagnosis", "SUDS", "arousal", "sim-patient-05"):
        assert word in page
    with (out / "patients.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert sorted(row["patient"] for row in rows) == [
        f"sim-patient-{number:02d}" for number in range(1, PATIENTS + 1)
    ]
    assert {path.name for path in out.glob("figure5.*")} == {"figure5.svg", "figure5.png"}
