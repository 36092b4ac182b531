"""The demo's journey: train on simulated people, estimate ones that were never seen."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from affectscope import assess, load_checkpoint, open_session
from affectscope.datasets.synthetic import (
    SyntheticSettings,
    random_course,
    synthetic_person,
    write_session,
)
from affectscope.errors import ModelError
from affectscope.records import TARGETS

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "benchmarks" / "held_out_people.py"

# The first of these trains the demo's network, which takes minutes where other tests run beside it.
pytestmark = pytest.mark.timeout(1500)


def test_estimates_of_held_out_simulated_people(demo_checkpoint: Path, tmp_path: Path) -> None:
    out = tmp_path / "people.json"
    command = [sys.executable, str(SCRIPT), "--people", "4", "--out", str(out)]
    subprocess.run([*command, "--checkpoint", str(demo_checkpoint)], check=True)
    people = pd.read_json(out)
    for target in ("valence", "arousal"):
        for course in ("random", "therapy"):
            rows = people[(people["target"] == target) & (people["course"] == course)]
            assert len(rows) == 4
            assert rows["r"].mean() >= 0.8, (target, course)
            # Better than a constant; elapsed time alone knows nothing of a wandering course.
            assert rows["error"].mean() < 0.8 * rows["error_of_zero"].mean()
            if course == "random":
                assert (rows["r"] > rows["r_of_elapsed_time"].abs() + 0.2).all()
            else:
                assert ((rows["change"] * rows["true_change"]) > 0).all(), target


@pytest.fixture(scope="module")
def gappy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A simulated session of 40 s whose face, ECG and EDA each drop out for a while."""
    settings = SyntheticSettings(
        sampling_rate=128.0,
        frame_rate=10.0,
        face_gaps=((5.0, 15.0),),
        ecg_gaps=((20.0, 32.0),),
        eda_gaps=((10.0, 30.0),),
    )
    return write_session(
        tmp_path_factory.mktemp("gappy") / "session",
        synthetic_person("simulated-gappy", 5),
        random_course(40.0, 5),
        settings=settings,
    )


def test_dropouts_are_masked_told_and_still_scored_from_the_rest(
    demo_checkpoint: Path, gappy: Path
) -> None:
    done = assess(open_session(gappy), load_checkpoint(demo_checkpoint))
    assert done.status == "DEGRADED"
    told = {notice.modality for notice in done.notices}
    assert told == {"face", "ecg", "eda"} or told == {"face", "ecg", "eda", None}
    assert done.coverage["face"].usable == pytest.approx(0.75, abs=0.02)
    assert done.coverage["eda"].usable == pytest.approx(0.5, abs=0.05)
    timeline = done.timeline
    gone = timeline[(timeline["time"] > 5.3) & (timeline["time"] < 14.7)]
    assert not gone["face_valid"].any()
    assert gone["ecg_valid"].all()
    assert gone["valence"].notna().all()  # scored from the body


def test_P20_a_time_without_any_modality_is_never_scored(
    demo_checkpoint: Path, gappy: Path
) -> None:
    session = open_session(gappy)
    prediction = load_checkpoint(demo_checkpoint).predict(session, rate=4)
    seen = prediction.present.any(axis=1)
    assert np.isfinite(prediction.values[seen]).all()
    assert np.isnan(prediction.values[~seen]).all()
    assert prediction.values.shape == (len(prediction.keys), len(TARGETS))


@pytest.mark.usefixtures("no_pdf_library")
def test_a_real_session_is_not_scored_by_simulated_weights(
    demo_checkpoint: Path, gappy: Path, tmp_path: Path, command
) -> None:
    """The same folder, but its session.toml says that it is no simulation."""
    real = tmp_path / "real"
    real.mkdir()
    for item in gappy.iterdir():
        (real / item.name).write_bytes(item.read_bytes())
    text = (real / "session.toml").read_text()
    (real / "session.toml").write_text(re.sub(r"simulated\s*=\s*true", "simulated = false", text))
    with pytest.raises(ModelError) as caught:
        load_checkpoint(demo_checkpoint).predict(open_session(real), rate=1)
    assert caught.value.code == "E_POPULATION"

    arguments = ("assess", real, "--checkpoint", demo_checkpoint, "--rate", "2")
    ended = command(*arguments, "--out", tmp_path / "report")
    assert ended.status == 0
    result = json.loads((tmp_path / "report" / "result.json").read_text())
    assert result["affect"] is None
    assert any(n["code"] == "W_NO_AFFECT_SCORE" for n in result["notices"])
    assert "simulated people" in (tmp_path / "report" / "report.html").read_text()

    command(*arguments, "--out", tmp_path / "forced", "--force")
    result = json.loads((tmp_path / "forced" / "result.json").read_text())
    assert result["affect"]["valence"]["before"] is not None
    page = (tmp_path / "forced" / "report.html").read_text()
    assert page.index("FORCED SCORE") < page.index("<main>")


def test_the_five_lines_of_the_readme(
    demo_checkpoint: Path, gappy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    block = re.search(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.S)
    assert block is not None
    lines = block.group(1).replace("demo/therapy", str(gappy))
    lines = lines.replace("demo/checkpoint", str(demo_checkpoint))
    monkeypatch.chdir(tmp_path)
    exec(compile(lines, "README.md", "exec"), {})
    assert (tmp_path / "affect.png").stat().st_size > 10_000
    said = capsys.readouterr().out
    assert "simulated" in said
    assert "valence" in said
