"""DREAMER against what its twin wrote, and what else its file may hold."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.io import loadmat, savemat

from affectscope.datasets import dreamer
from affectscope.datasets.dreamer import open_dreamer
from affectscope.datasets.dreamer_twin import write_dreamer_twin
from affectscope.errors import AffectScopeError, InputError
from affectscope.preprocessing.ecg import analyse_ecg


@pytest.fixture(scope="module")
def twin(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dreamer") / "twin"
    return write_dreamer_twin(folder, people=2, clips=2, duration=15.0)


def saved(folder: Path, people: list[Any], **more: Any) -> Path:
    data = np.empty((1, len(people)), dtype=object)
    for index, person in enumerate(people):
        data[0, index] = person
    savemat(folder / "DREAMER.mat", {"DREAMER": {"Data": data, "ECG_SamplingRate": 256.0, **more}})
    return folder


def cells(values: Sequence[Any]) -> np.ndarray:
    column = np.empty((len(values), 1), dtype=object)
    for index, value in enumerate(values):
        column[index, 0] = value
    return column


def person(*stimuli: Any, scores: Any = None, eeg: Sequence[Any] = ()) -> dict[str, Any]:
    column = np.full((len(stimuli), 1), 3.0) if scores is None else scores
    brain = {"EEG": {"stimuli": cells(eeg)}} if eeg else {}
    return {
        "ECG": {"stimuli": cells(stimuli)},
        "ScoreValence": column,
        "ScoreArousal": column,
        **brain,
    }


def test_values_and_ratings_are_those_of_the_file(twin: Path) -> None:
    corpus = open_dreamer(twin)
    assert (corpus.name, corpus.simulated, corpus.subjects) == ("dreamer", True, ("S01", "S02"))
    assert corpus.files("S01") == (twin / "DREAMER.mat",)
    found = loadmat(twin / "DREAMER.mat", squeeze_me=True, struct_as_record=False)["DREAMER"]
    for read, written in zip(corpus, found.Data, strict=True):
        assert [recording.trial_id for recording in read.recordings] == ["1", "2"]
        for index, recording in enumerate(read.recordings):
            assert recording.simulated
            assert recording.eda is None
            assert recording.ecg is not None
            assert recording.labels is not None
            np.testing.assert_array_equal(recording.ecg.values, written.ECG.stimuli[index][:, 0])
            assert (recording.ecg.unit, recording.ecg.sampling_rate) == ("uV", 256.0)
            assert (recording.ecg.start_time, recording.ecg.duration) == (0.0, 15.0)
            np.testing.assert_array_equal(recording.labels.times, [0.0, 15.0])
            assert recording.eeg is not None
            np.testing.assert_array_equal(recording.eeg.values, written.EEG.stimuli[index])
            assert (recording.eeg.sampling_rate, recording.eeg.start_time) == (128.0, 0.0)
            expected = [
                (written.ScoreValence[index] - 3) / 2,
                (written.ScoreArousal[index] - 3) / 2,
            ]
            np.testing.assert_allclose(recording.labels.values[0], [*expected, *[np.nan] * 8])
        assert len(analyse_ecg(read.recordings[0].ecg).peak_times) > 10
        assert {notice.code for notice in read.notices} == {"W_CORPUS", "W_ASSUMED"}
        assert {e.modality for e in read.exclusions} == {"eda", "face"}


def test_the_better_lead_is_taken_and_told(twin: Path, tmp_path: Path) -> None:
    (first, *_) = open_dreamer(twin)
    ecg = first.recordings[0].ecg
    assert ecg is not None
    noise = np.random.default_rng(3).normal(0, 2000, len(ecg.values))
    leads = np.column_stack([noise, ecg.values])
    (read,) = open_dreamer(saved(tmp_path, [person(leads)]))
    (recording,) = read.recordings
    assert recording.ecg is not None
    np.testing.assert_array_equal(recording.ecg.values, ecg.values)
    (told,) = [notice for notice in read.notices if notice.code == "W_ASSUMED"]
    assert told.sentence.startswith("ECG lead 2 was taken")


def test_an_eeg_that_is_not_as_long_as_the_ecg_is_left_out_and_told(
    twin: Path, tmp_path: Path
) -> None:
    (first, *_) = open_dreamer(twin)
    ecg = first.recordings[0].ecg
    assert ecg is not None
    leads = np.column_stack([ecg.values, ecg.values])
    brain = 4200.0 + np.random.default_rng(1).normal(0.0, 30.0, (15 * 128, 14))
    brain[7, 2] = np.nan
    people = [
        person(leads, leads, leads, leads, eeg=[brain, brain[:900], brain[:, :5]]),
        person(leads),
    ]
    whole, without = open_dreamer(saved(tmp_path, people))
    found = [recording.eeg for recording in whole.recordings]
    assert [eeg is None for eeg in found] == [False, True, True, True]
    assert found[0] is not None
    assert found[0].channels[:4] == ("AF3", "F7", "F3", "FC5")
    np.testing.assert_allclose(found[0].values, brain, atol=5e-4)  # NaN stays
    assert [recording.eeg for recording in without.recordings] == [None]
    for read, clips in ((whole, "2, 3, 4"), (without, "1")):
        assert any(f"of the clips {clips}." in notice.sentence for notice in read.notices)


def test_the_file_is_read_once(twin: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []
    real = dreamer.read_mat
    monkeypatch.setattr(dreamer, "read_mat", lambda *a: calls.append(a) or real(*a))
    monkeypatch.setattr(dreamer, "choose_ecg", lambda first, _: None)
    corpus = open_dreamer(twin)
    assert [len(list(corpus)), len(list(corpus)), len(calls)] == [2, 2, 1]


def test_clips_without_data_or_ratings_are_left_out(tmp_path: Path) -> None:
    wave = np.zeros((600, 2))
    broken = wave.copy()
    broken[5, 0] = np.nan
    people = [person(broken, np.zeros((0, 0)), wave, scores=np.array([[3.0], [3.0], [7.0]]))]
    (read,) = open_dreamer(saved(tmp_path, people))
    assert read.recordings == ()
    assert [(e.trial_id, e.code) for e in read.exclusions if e.trial_id] == [
        ("1", "W_MISSING"), ("2", "W_MODALITY_ABSENT"), ("3", "W_NO_LABELS"),
    ]  # fmt: skip


@pytest.mark.parametrize("entry", [np.zeros(3), "text", {"ECG": 1.0}, {"ECG": {"stimuli": "x"}}])
def test_a_person_that_is_no_struct_has_no_trials(tmp_path: Path, entry: Any) -> None:
    (read,) = open_dreamer(saved(tmp_path, [entry]))
    assert read.recordings == ()


@pytest.mark.parametrize("more", [{"ECG_SamplingRate": 128.0}, {"Data": 1.0}])
def test_other_files_are_refused(tmp_path: Path, more: dict[str, Any]) -> None:
    with pytest.raises(InputError) as caught:
        open_dreamer(saved(tmp_path, [person()], **more))
    assert caught.value.code == "E_CORPUS"


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="E_CORPUS"):
        open_dreamer(tmp_path)


def test_any_change_is_read_or_refused(tmp_path: Path) -> None:
    saved(tmp_path, [person(np.ones((300, 2)))])
    content = (tmp_path / "DREAMER.mat").read_bytes()
    generator = np.random.default_rng(5)
    for _ in range(60):
        changed = bytearray(content)
        for place in generator.integers(0, len(content), 3):
            changed[place] = generator.integers(0, 256)
        (tmp_path / "DREAMER.mat").write_bytes(changed[: generator.integers(1, len(content) + 200)])
        with suppress(AffectScopeError):  # which always has a code
            list(open_dreamer(tmp_path))
