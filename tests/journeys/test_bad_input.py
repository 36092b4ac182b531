"""Bad input through the whole program: a clear error or a degraded result, and nothing lost."""

from __future__ import annotations

import json
import wave
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from affectscope.datasets.synthetic import (
    SyntheticSettings,
    random_course,
    synthetic_person,
    write_session,
)

pytestmark = pytest.mark.usefixtures("needs_face_model")

SECONDS = 90.0


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A faultless simulated session."""
    return write_session(
        tmp_path_factory.mktemp("whole") / "session",
        synthetic_person("simulated-whole", 11),
        random_course(SECONDS, 11),
        settings=SyntheticSettings(sampling_rate=128.0, frame_rate=2.0),
    )


@pytest.fixture
def session(whole: Path, tmp_path: Path) -> Path:
    """A copy of it to spoil."""
    copy = tmp_path / "session"
    copy.mkdir()
    for item in whole.iterdir():
        (copy / item.name).write_bytes(item.read_bytes())
    return copy


Assess = Callable[[Path], dict]


@pytest.fixture
def assessed(command, tmp_path: Path, no_pdf_library: None) -> Assess:
    """Assess a session; its result.json. The inputs are checked to be untouched."""

    def run(session: Path) -> dict:
        before = {item.name: item.read_bytes() for item in session.iterdir() if item.is_file()}
        ended = command("assess", session, "--out", tmp_path / "out", "--rate", "2")
        assert "Traceback" not in ended.err
        after = {item.name: item.read_bytes() for item in session.iterdir() if item.is_file()}
        assert before == after
        result = json.loads((tmp_path / "out" / "result.json").read_text())
        assert ended.status == (2 if result["status"] == "REJECTED" else 0)
        return result

    return run


def codes(result: dict, modality: str | None = None) -> set[str]:
    return {
        notice["code"]
        for notice in result["notices"]
        if modality is None or notice.get("modality") == modality
    }


def spoil_signal(session: Path, column: int, change: Callable[[np.ndarray], np.ndarray]) -> None:
    path = session / "signals.csv"
    header, *rows = path.read_text().splitlines()
    table = np.array([[float(cell) for cell in row.split(",")] for row in rows])
    table[:, column] = change(table[:, column].copy())
    lines = [",".join("" if np.isnan(cell) else f"{cell:.6f}" for cell in row) for row in table]
    path.write_text("\n".join([header, *lines]) + "\n")


def test_a_faultless_session_is_ok(session: Path, assessed: Assess) -> None:
    result = assessed(session)
    assert codes(result) <= {"W_NO_AFFECT_SCORE", "W_TOO_SHORT", "W_NO_PDF"}
    for modality in ("face", "ecg", "eda"):
        assert result["coverage"][modality]["usable"] >= 0.97


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_V01_a_cut_mp4_leaves_the_signals(session: Path, assessed: Assess, share: float) -> None:
    video = session / "face.mp4"
    content = video.read_bytes()
    video.write_bytes(content[: int(share * len(content))])
    result = assessed(session)
    assert result["status"] == "DEGRADED"
    assert "E_VIDEO_NO_INDEX" in codes(result, "face")
    assert result["coverage"]["ecg"]["usable"] > 0.9
    assert result["physiology"]["heart rate"]["before"]["mean"] > 30


def test_V20_a_sound_file_as_video_leaves_the_signals(session: Path, assessed: Assess) -> None:
    with wave.open(str(session / "face.mp4"), "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(8000)
        sound.writeframes(bytes(16000))
    result = assessed(session)
    assert result["status"] == "DEGRADED"
    assert codes(result, "face") & {"E_VIDEO_NO_STREAM", "E_TYPE_MISMATCH"}


def test_V22_an_empty_video_leaves_the_signals(session: Path, assessed: Assess) -> None:
    (session / "face.mp4").write_bytes(b"")
    assert "E_FILE_EMPTY" in codes(assessed(session), "face")


def test_P01_a_flat_ecg_gives_no_heart_rate(session: Path, assessed: Assess) -> None:
    spoil_signal(session, 1, lambda ecg: np.full_like(ecg, 0.1))
    result = assessed(session)
    assert result["status"] == "DEGRADED"
    assert "E_SIGNAL_UNUSABLE" in codes(result, "ecg")
    assert "heart rate" not in result["physiology"]
    assert result["coverage"]["ecg"]["usable"] == 0
    assert result["coverage"]["eda"]["usable"] > 0.9


def test_P04_an_open_eda_circuit_is_masked(session: Path, assessed: Assess) -> None:
    def off(eda: np.ndarray) -> np.ndarray:
        eda[len(eda) // 3 : len(eda) // 2] = 0.0
        return eda

    spoil_signal(session, 2, off)
    result = assessed(session)
    assert result["status"] == "DEGRADED"
    assert result["coverage"]["eda"]["usable"] == pytest.approx(5 / 6, abs=0.04)
    assert any("skin" in notice["sentence"] for notice in result["notices"])


def test_P05_raw_counts_as_microsiemens_are_refused(session: Path, assessed: Assess) -> None:
    spoil_signal(session, 2, lambda eda: 3000.0 + 50 * eda)
    result = assessed(session)
    assert "E_EDA_IMPLAUSIBLE" in codes(result, "eda")
    assert "EDA level" not in result["physiology"]


def test_P06_a_wrong_voltage_unit_is_flagged_and_the_rate_stays(
    session: Path, assessed: Assess
) -> None:
    right = assessed(session)["physiology"]["heart rate"]["before"]["mean"]
    spoil_signal(session, 1, lambda ecg: 1000 * ecg)  # microvolts, called millivolts
    result = assessed(session)
    assert "W_UNIT" in codes(result, "ecg")
    assert result["physiology"]["heart rate"]["before"]["mean"] == pytest.approx(right, abs=0.1)


def test_P07_a_long_gap_is_masked_and_a_short_one_is_not(session: Path, assessed: Assess) -> None:
    def holes(ecg: np.ndarray) -> np.ndarray:
        ecg[2000:2020] = np.nan  # 0.16 s
        ecg[5000:7560] = np.nan  # 20 s
        return ecg

    spoil_signal(session, 1, holes)
    result = assessed(session)
    assert "W_MISSING" in codes(result, "ecg")
    assert result["coverage"]["ecg"]["usable"] == pytest.approx(1 - 20 / SECONDS, abs=0.03)


def test_P08_a_doubled_sampling_rate_is_caught_by_the_other_clocks(
    session: Path, assessed: Assess
) -> None:
    text = (session / "session.toml").read_text()
    text = text.replace("sampling_rate = 128.0", "sampling_rate = 256.0")
    (session / "session.toml").write_text(text)
    result = assessed(session)
    assert codes(result) & {"W_SAMPLING_RATE", "E_SAMPLING_RATE"}


def test_P20_a_signal_that_starts_late_is_fused_only_where_it_is(
    session: Path, assessed: Assess
) -> None:
    text = (session / "session.toml").read_text()
    text = text.replace("[eda]", "[eda]\nclock_offset = 45.0")
    (session / "session.toml").write_text(text)
    result = assessed(session)
    assert "W_NO_OVERLAP" in codes(result, "eda")
    assert result["phases"]["after"]["end"] == pytest.approx(SECONDS + 45, abs=0.5)


def test_P21_a_short_session_has_no_variability_and_says_why(
    tmp_path: Path, assessed: Assess
) -> None:
    short = write_session(
        tmp_path / "short",
        synthetic_person("simulated-short", 12),
        random_course(40.0, 12),
        settings=SyntheticSettings(sampling_rate=128.0, frame_rate=2.0),
    )
    result = assessed(short)
    assert result["physiology"]["RMSSD"]["before"] is None
    assert "60 s" in result["physiology"]["RMSSD"]["reason"]


def test_nothing_usable_is_rejected_with_the_reasons(session: Path, assessed: Assess) -> None:
    for name in ("face.mp4", "signals.csv"):
        (session / name).write_bytes(b"")
    result = assessed(session)
    assert result["status"] == "REJECTED"
    assert result["code"] == "E_NO_USABLE_MODALITY"
    assert result["remedy"]


def test_F26_an_output_that_cannot_be_written_is_said(
    session: Path, tmp_path: Path, command
) -> None:
    (tmp_path / "taken").write_text("a file, not a folder")
    ended = command("assess", session, "--out", tmp_path / "taken", "--rate", "1")
    assert ended.status == 2
    assert "E_OUTPUT" in ended.err
    assert (tmp_path / "taken").read_text() == "a file, not a folder"


def test_W01_a_new_report_replaces_the_old_one_whole(
    session: Path, tmp_path: Path, command
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / ".affectscope-tmp-leftover").write_text("torn")
    for _ in range(2):
        command("assess", session, "--out", out, "--rate", "1")
    page = (out / "report.html").read_text()
    assert page.rstrip().endswith("</html>")
    assert not list(out.glob(".affectscope-tmp-*"))
