"""Stress-Predict as rows: the real folder, and a heart rate written by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from affectscope.datasets.stress_predict import read_stress_predict, read_wrist_heart_rate
from affectscope.errors import InputError
from affectscope.inference.stress_features import FEATURES
from affectscope.recipes.stress_rest_rows import person_features, scored_spans


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "S02").mkdir()
    (tmp_path / "S02" / "EDA.csv").write_text("1000.0\n4.0\n0.5\n0.6\n0.7\n0.8\n")
    (tmp_path / "S02" / "HR.csv").write_text("1010.0\n1.0\n80.0\n81.0\n83.5\n")
    return tmp_path


def test_a_heart_rate_stands_in_the_middle_of_what_it_is_the_mean_of(folder: Path) -> None:
    rate = read_wrist_heart_rate(folder, "S02")
    assert rate.values.tolist() == [80.0, 81.0, 83.5]
    assert rate.times.tolist() == [5.0, 6.0, 7.0]
    assert rate.unit == "1/min"


@pytest.mark.parametrize("content", ["", "1010.0\n4.0\n80.0\n81.0\n", "9999.0\n1.0\n80.0\n81.0\n"])
def test_another_heart_rate_is_refused(folder: Path, content: str) -> None:
    (folder / "S02" / "HR.csv").write_text(content)
    with pytest.raises(InputError):
        read_wrist_heart_rate(folder, "S02")


def test_rows_of_a_real_person_lie_in_one_phase_and_are_measured(real_data: Path) -> None:
    folder = real_data / "stress_predict"
    person = read_stress_predict(folder, "S06")
    features = person_features(folder, person)
    places, stress = scored_spans(person, features.spans)
    spans = features.spans[places]
    assert (np.diff(spans[:, 0]) >= 60.0).all(), "they do not overlap"
    assert spans[0, 0] >= 300.0
    for time in (spans[:, 0], spans[:, 1] - 1e-6):
        assert np.array_equal(person.stress_at(time), stress)
    assert 0.2 < stress.mean() < 0.5
    for name in FEATURES:
        assert np.isfinite(features.of(name)[places]).all(), name
    rate = np.exp(features.of("heart")[:, 0])
    assert np.nanmin(rate) > 40.0
    assert np.nanmax(rate) < 180.0
