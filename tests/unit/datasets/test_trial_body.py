"""What is kept of heart, skin and brain beside the network's inputs, and by which key."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from affectscope.datasets.body_analysis import BodyAnalysis, analyse_body
from affectscope.datasets.body_features import body_of
from affectscope.datasets.corpus import Corpus, SubjectTrials
from affectscope.datasets.prepared import prepare
from affectscope.datasets.prepared_trial import PreparedSettings, PreparedTrial, trial_key
from affectscope.datasets.synthetic import (
    SyntheticSettings,
    random_course,
    synthetic_person,
    synthetic_recording,
)
from affectscope.datasets.trial_body import TrialBody, read_body, write_body
from affectscope.preprocessing.eeg import eeg_power
from affectscope.preprocessing.windows import Preprocessing
from affectscope.records import Eeg, FloatArray, Labels, Recording

SETTINGS = PreparedSettings(Preprocessing(), rate=1.0, faces=False)


@pytest.fixture(scope="module")
def recording() -> Recording:
    """30 s of a simulated person, 5 s of them before the labels, with an EEG that has a hole."""
    made = synthetic_recording(
        synthetic_person("s1", 3),
        random_course(30.0, 3),
        settings=SyntheticSettings(sampling_rate=128.0),
    )
    assert made.ecg is not None
    assert made.eda is not None
    values = 10.0 * np.random.default_rng(1).standard_normal((30 * 128, 2))
    values[500:700, 1] = np.nan
    return replace(
        made,
        ecg=replace(made.ecg, start_time=-5.0),
        eda=replace(made.eda, start_time=-5.0),
        eeg=Eeg(values, ("F3", "F4"), 128.0, -5.0),
        labels=Labels(np.array([0.0, 25.0]), np.zeros((2, 10))),
    )


def prepared(recording: Recording, cache: Path) -> PreparedTrial:
    subject = SubjectTrials("s1", (recording,))
    corpus = Corpus("tiny", Path("/nowhere"), True, ("s1",), lambda _: subject, lambda _: ())
    (trial,) = prepare(corpus, cache, SETTINGS, progress=lambda _share, _text: None).trials
    return trial


def close(found: FloatArray, expected: FloatArray) -> None:
    """Equal within float32."""
    assert found.dtype == np.float64
    np.testing.assert_allclose(found, expected, rtol=2**-23, atol=1e-6)


def same(found: TrialBody, expected: BodyAnalysis) -> None:
    for one, two in ((found.ecg, expected.ecg), (found.eda, expected.eda)):
        assert one is not None
        assert two is not None
        close(one.cleaned.values, two.cleaned.values)
        assert (one.cleaned.unit, one.cleaned.start_time) == ("mV" if one is found.ecg else "uS",
                                                              two.cleaned.start_time)  # fmt: skip
        assert one.cleaned.sampling_rate == two.cleaned.sampling_rate
        np.testing.assert_array_equal(one.valid, two.valid)
    assert found.ecg is not None
    assert found.eda is not None
    assert expected.ecg is not None
    assert expected.eda is not None
    np.testing.assert_array_equal(found.ecg.peak_times, expected.ecg.peak_times)
    assert found.ecg.inverted == expected.ecg.inverted
    close(found.eda.tonic, expected.eda.tonic)
    close(found.eda.phasic, expected.eda.phasic)
    np.testing.assert_array_equal(found.eda.response_times, expected.eda.response_times)
    np.testing.assert_array_equal(found.eda.response_amplitudes, expected.eda.response_amplitudes)


def test_what_is_prepared_comes_back(recording: Recording, tmp_path: Path) -> None:
    found = body_of(tmp_path, prepared(recording, tmp_path))
    same(found, analyse_body(recording))
    assert recording.eeg is not None
    assert found.eeg is not None
    power = eeg_power(recording.eeg)
    np.testing.assert_array_equal(found.eeg.density, power.density)
    assert np.isnan(found.eeg.density[:, 1]).any()
    assert (found.eeg.channels, found.eeg.start_time) == (("F3", "F4"), -4.0)


def test_a_changed_eeg_is_another_entry_and_other_signals_stay(
    recording: Recording, tmp_path: Path
) -> None:
    eeg = recording.eeg
    assert eeg is not None
    moved = eeg.values.copy()
    moved[17, 0] += 0.25
    changed = [
        replace(recording, eeg=other)
        for other in (
            replace(eeg, values=moved),
            replace(eeg, channels=("F4", "F3")),
            replace(eeg, start_time=0.0),
            replace(eeg, sampling_rate=127.0),
            None,
        )
    ]
    keys = {trial_key(r, SETTINGS, None) for r in (recording, replace(recording), *changed)}
    assert len(keys) == 6
    folders = tmp_path / "one", tmp_path / "two"
    one, two = map(prepared, (recording, changed[0]), folders)
    assert one.key != two.key
    np.testing.assert_array_equal(one.signals["ecg"].values, two.signals["ecg"].values)
    first, second = (body_of(f, trial).eeg for f, trial in zip(folders, (one, two), strict=True))
    assert first is not None
    assert second is not None
    assert not np.array_equal(first.density, second.density, equal_nan=True)


@pytest.mark.parametrize("kept", [(), ("ecg",), ("eda",), ("eeg",)])
def test_what_is_absent_stays_absent(
    recording: Recording, tmp_path: Path, kept: tuple[str, ...]
) -> None:
    body = analyse_body(recording)
    assert recording.eeg is not None
    write_body(
        tmp_path,
        BodyAnalysis(body.ecg if "ecg" in kept else None, body.eda if "eda" in kept else None, ()),
        eeg_power(recording.eeg) if "eeg" in kept else None,
    )
    found = read_body(tmp_path)
    there = [name for name in ("ecg", "eda", "eeg") if getattr(found, name) is not None]
    assert there == list(kept)


def test_an_eeg_too_short_for_a_spectrum_comes_back_without_places(tmp_path: Path) -> None:
    power = eeg_power(Eeg(np.zeros((100, 1)), ("Cz",), 128.0, 0.0))
    write_body(tmp_path, BodyAnalysis(None, None, ()), power)
    found = read_body(tmp_path).eeg
    assert found is not None
    assert (found.density.shape, found.channels) == ((0, 1, 5), ("Cz",))


def test_the_same_body_gives_the_same_bytes(recording: Recording, tmp_path: Path) -> None:
    body = analyse_body(recording)
    written = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        write_body(tmp_path / name, body, None)
        written.append((tmp_path / name / "body.npz").read_bytes())
    assert written[0] == written[1]
