"""Real recordings through the whole main job, as a user would run it."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from affectscope import assess, open_session
from affectscope.records import MODALITIES, TARGETS

pytestmark = pytest.mark.usefixtures("needs_face_model")

DRAFT = ("--subject", "real-01", "--ecg-rate", "100", "--ecg-unit", "mV")
DRAFT_EDA = ("--eda-rate", "100", "--eda-unit", "uS")


@pytest.mark.usefixtures("no_pdf_library")
def test_face_ecg_and_eda_of_a_real_session(event_related: Path, tmp_path: Path, command) -> None:
    out = tmp_path / "report"
    drafted = command("init-session", event_related, *DRAFT, *DRAFT_EDA)
    assert drafted.status == 0, drafted.err
    ended = command("assess", event_related, "--out", out)
    assert ended.status == 0, ended.err
    assert "Traceback" not in ended.out + ended.err
    result = json.loads((out / "result.json").read_text())
    assert result["coverage"]["face"]["usable"] >= 0.88, "hands cover the face for a tenth"
    assert result["coverage"]["ecg"]["usable"] >= 0.95
    assert result["affect"] is None
    codes = {notice["code"] for notice in result["notices"]}
    assert "W_NO_AFFECT_SCORE" in codes
    assert "W_NO_OVERLAP" in codes  # the video ends long before the signals: P20
    assert result["status"] == "DEGRADED"
    stress = result["stress_likelihood"]
    assert stress["abstained"] == 1, "150 s are too short to compare anything with"
    assert all(part["mean"] is None for part in stress["phases"].values())
    assert "wrist device" in (out / "report.html").read_text(), "the card"

    import neurokit2 as nk

    signals = pd.read_csv(event_related / "signals.csv")
    _, info = nk.ecg_peaks(nk.ecg_clean(signals["ECG"], sampling_rate=100), sampling_rate=100)
    rate = nk.signal_rate(info["ECG_R_Peaks"], sampling_rate=100, desired_length=len(signals))
    for phase in ("before", "after"):
        span = result["phases"][phase]
        theirs = rate[int(span["start"] * 100) : int(span["end"] * 100)].mean()
        ours = result["physiology"]["heart rate"][phase]["mean"]
        assert abs(ours - theirs) <= 2.0, phase


def test_the_files_that_an_assessment_writes_are_whole_and_agree(
    event_related: Path, tmp_path: Path, command
) -> None:
    out = tmp_path / "report"
    command("init-session", event_related, *DRAFT, *DRAFT_EDA)
    command("assess", event_related, "--out", out, "--rate", "2")
    assert {path.name for path in out.iterdir()} == {
        "result.json",
        "report.html",
        "report.pdf",
        "timeline.parquet",
        "timeline.csv",
        "quality.parquet",
        "quality.csv",
    }
    timeline = pd.read_parquet(out / "timeline.parquet")
    for column in ("time", *TARGETS, *(f"{name}_valid" for name in MODALITIES), "heart_rate"):
        assert column in timeline
    assert timeline["time"].is_monotonic_increasing
    assert timeline[list(TARGETS)].isna().all(axis=None)  # no weights, so no score
    assert len(pd.read_csv(out / "timeline.csv")) == len(timeline)
    page = (out / "report.html").read_text()
    assert "not a medical device" in page
    assert "No affect score" in page
    # Self-contained: nothing is loaded from anywhere.
    assert not re.findall(r"""(?:src|href)\s*=\s*["'](?!#|data:)""", page)
    assert "@import" not in page
    result = json.loads((out / "result.json").read_text())
    span = result["phases"]["before"]
    inside = timeline[(timeline["time"] >= span["start"]) & (timeline["time"] < span["end"])]
    mean = np.nanmean(inside["heart_rate"])
    assert abs(mean - result["physiology"]["heart rate"]["before"]["mean"]) < 1.0


@pytest.mark.usefixtures("no_pdf_library")
def test_plux_files_go_through(real_data: Path, tmp_path: Path, command) -> None:
    folder, out = tmp_path / "plux", tmp_path / "report"
    folder.mkdir()
    shutil.copy(real_data / "plux" / "ecg_5_min.h5", folder / "heart.h5")
    shutil.copy(real_data / "plux" / "eda_hot_surface.txt", folder / "skin.txt")
    drafted = command("init-session", folder, "--subject", "real-02")
    assert drafted.status == 0, drafted.err  # OpenSignals files state channel, rate and unit
    ended = command("assess", folder, "--out", out)
    assert ended.status == 0, ended.err
    result = json.loads((out / "result.json").read_text())
    assert result["coverage"]["ecg"]["usable"] >= 0.9
    assert 50 <= result["physiology"]["heart rate"]["before"]["mean"] <= 110


@pytest.mark.usefixtures("no_pdf_library")
def test_an_hour_of_a_real_persons_skin_gets_a_stress_likelihood_with_interval_and_card(
    real_data: Path, tmp_path: Path, command
) -> None:
    """S01 has no labels, so that no model learnt from it."""
    folder, out = tmp_path / "wrist", tmp_path / "report"
    folder.mkdir()
    shutil.copy(real_data / "stress_predict" / "S01" / "EDA.csv", folder)
    assert command("init-session", folder, "--subject", "S01", "--ecg-file", "none").status == 0
    ended = command("assess", folder, "--out", out)
    assert ended.status == 0, ended.err
    told = json.loads((out / "result.json").read_text())["stress_likelihood"]
    for phase in ("before", "after"):
        part = told["phases"][phase]
        assert 0 <= part["low"] <= part["mean"] <= part["high"] <= 1, phase
        assert part["high"] - part["low"] > 0.2, "nothing is sure about a new person"
    assert "stress likelihood (experimental): 0." in ended.out
    page = (out / "report.html").read_text()
    section = page[page.index('<section id="stress">') :]
    section = section[: section.index("</section>")]
    for part in ("<svg", "Nothing of the heart could be read", told["interval"], "Limits"):
        assert part in section
    assert "elapsed time" in section, "the baseline stands beside the model"
    assert "wrist device" in section
    assert "healthy adults" in section
    assert "stress_predict, 24 people" in section
    assert told["model"]["training_people"] == 24


@pytest.mark.parametrize(
    ("clip", "low", "high"),
    [
        ("WolfgangLanger_Pexels.mp4", 0.88, 0.96),  # hands cover the face for a tenth of it
        ("single_face.mp4", 0.98, 1.0),
        ("face_noface.mov", 0.40, 0.60),
    ],
)
def test_face_coverage_of_real_clips(
    real_data: Path, tmp_path: Path, clip: str, low: float, high: float
) -> None:
    session = video_session(tmp_path, real_data / "faces" / clip)
    assert low <= assess(open_session(session)).coverage["face"].usable <= high


def test_a_real_clip_without_a_face_is_rejected(real_data: Path, tmp_path: Path, command) -> None:
    session = video_session(tmp_path, real_data / "faces" / "no_face.mp4")
    ended = command("assess", session, "--out", tmp_path / "report")
    assert ended.status == 2
    result = json.loads((tmp_path / "report" / "result.json").read_text())
    assert result["status"] == "REJECTED"
    assert result["code"] == "E_NO_USABLE_MODALITY"


def video_session(folder: Path, clip: Path) -> Path:
    session = folder / "session"
    session.mkdir()
    shutil.copy(clip, session / clip.name)
    (session / "session.toml").write_text(
        f'format = 1\nsubject_id = "real"\n[face]\nfile = "{clip.name}"\n'
    )
    return session
