"""DEAP against what its twin wrote; videos by the order of presentation; foreign content."""

from __future__ import annotations

import csv
import pickle
from pathlib import Path

import av
import numpy as np
import pytest

from affectscope.datasets.corpus import Corpus
from affectscope.datasets.deap import open_deap
from affectscope.datasets.deap_twin import write_deap_twin
from affectscope.datasets.python2_pickle import python2_pickle
from affectscope.errors import InputError, OutputError
from affectscope.preprocessing.eda import analyse_eda
from affectscope.records import TARGETS


@pytest.fixture(scope="module")
def twin(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_deap_twin(tmp_path_factory.mktemp("deap") / "twin", people=1, trials=3)


def stored(folder: Path) -> dict[str, np.ndarray]:
    path = folder / "data_preprocessed_python" / "s01.dat"
    return pickle.loads(path.read_bytes(), encoding="latin1")  # our own bytes


def changed(folder: Path, **arrays: object) -> Corpus:
    """A corpus of one person whose file holds these instead of the twin's arrays."""
    whole = {"data": np.full((2, 40, 8064), 2e5), "labels": np.full((2, 4), 5.0), **arrays}
    (folder / "s07.dat").write_bytes(python2_pickle(whole))
    return open_deap(folder)


def test_values_and_ratings_are_those_of_the_file(twin: Path) -> None:
    corpus = open_deap(twin)
    assert (corpus.name, corpus.simulated, corpus.subjects) == ("deap", True, ("s01",))
    (person,) = corpus
    content = stored(twin)
    assert [recording.trial_id for recording in person.recordings] == ["1", "2", "3"]
    for index, recording in enumerate(person.recordings):
        assert recording.simulated
        assert recording.ecg is None
        assert recording.eda is not None
        assert recording.labels is not None
        np.testing.assert_array_equal(recording.eda.values, content["data"][index, 36])
        assert (recording.eda.unit, recording.eda.sampling_rate) == ("Ohm", 128.0)
        assert (recording.eda.start_time, recording.eda.end_time) == (-3.0, 60.0)
        np.testing.assert_array_equal(recording.labels.times, [0.0, 60.0])
        valence, arousal, _, liking = (content["labels"][index] - 5) / 4
        assert recording.eeg is not None
        np.testing.assert_array_equal(recording.eeg.values, content["data"][index, :32].T)
        assert (recording.eeg.start_time, recording.eeg.sampling_rate) == (-3.0, 128.0)
        np.testing.assert_allclose(
            recording.labels.values, [[valence, arousal, liking, *[np.nan] * 7]] * 2
        )
    analysis = analyse_eda(person.recordings[0].eda)
    assert 1 < np.median(analysis.cleaned.values) < 30  # a resistance, turned into uS


def test_the_missing_ecg_and_the_twins_size_are_told(twin: Path) -> None:
    (person,) = open_deap(twin)
    assert [(e.trial_id, e.modality, e.code) for e in person.exclusions] == [
        ("", "ecg", "W_MODALITY_ABSENT"),
        ("", "face", "W_MODALITY_ABSENT"),
    ]
    assert "blood volume pulse" in person.exclusions[0].sentence
    assert [notice.code for notice in person.notices] == ["W_CORPUS"]


def test_a_twin_is_known_from_below_and_from_above(twin: Path) -> None:
    assert open_deap(twin / "data_preprocessed_python").simulated
    assert open_deap(twin.parent).simulated


def test_a_twin_is_never_laid_over_other_files(twin: Path) -> None:
    with pytest.raises(OutputError) as caught:
        write_deap_twin(twin)
    assert caught.value.code == "E_OUTPUT"


def video(path: Path, seconds: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=5)
        stream.width, stream.height, stream.pix_fmt = 32, 32, "yuv420p"
        for number in range(5 * seconds):
            picture = np.full((32, 32, 3), number % 200, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())


def test_face_videos_follow_the_order_of_presentation(twin: Path, tmp_path: Path) -> None:
    for file in (twin / "data_preprocessed_python" / "s01.dat",
                 twin / "metadata" / "participant_ratings.csv"):  # fmt: skip
        (tmp_path / file.name).write_bytes(file.read_bytes())
    video(tmp_path / "s01" / "s01_trial01.avi", 60)
    video(tmp_path / "s01" / "s01_trial02.avi", 10)
    with (tmp_path / "participant_ratings.csv").open() as stream:
        shown = {row["Trial"]: row["Experiment_id"] for row in csv.DictReader(stream)}
    corpus = open_deap(tmp_path)
    (person,) = corpus
    assert not corpus.simulated
    found = {r.trial_id: r.video.path.name for r in person.recordings if r.video}
    assert found == {shown["1"]: "s01_trial01.avi", shown["2"]: "s01_trial02.avi"}
    assert [n.code for n in person.notices] == ["W_VIDEO_LENGTH", "W_CORPUS"][::-1]
    faceless = [e for e in person.exclusions if e.modality == "face"]
    assert [(e.trial_id, e.code) for e in faceless] == [(shown["3"], "W_MODALITY_ABSENT")]
    assert len(corpus.files("s01")) == 4

    (tmp_path / "participant_ratings.csv").unlink()
    (person,) = open_deap(tmp_path)
    assert all(recording.video is None for recording in person.recordings)
    assert "order of presentation" in person.exclusions[-1].sentence


def test_ratings_that_contradict_the_file_leave_the_video_out(twin: Path, tmp_path: Path) -> None:
    source = twin / "data_preprocessed_python" / "s01.dat"
    (tmp_path / "s01.dat").write_bytes(source.read_bytes())
    video(tmp_path / "s01_trial01.avi", 1)
    (tmp_path / "participant_ratings.csv").write_text(
        "Participant_id,Trial,Experiment_id,Start_time,Valence\n1,1,1,5,9.0\n1,2,2,6,9.0\n"
    )
    (person,) = open_deap(tmp_path)
    assert {e.trial_id: e.code for e in person.exclusions if e.modality == "face"} == {
        "1": "E_CORPUS", "2": "E_CORPUS", "3": "E_CORPUS"
    }  # fmt: skip


def test_the_eeg_has_the_corpus_order_and_keeps_its_holes(tmp_path: Path) -> None:
    data = np.full((1, 40, 8064), 2e5) + np.arange(40)[:, None]
    data[0, 3, 100:200] = np.inf
    (person,) = changed(tmp_path, data=data, labels=np.full((1, 4), 5.0))
    (recording,) = person.recordings
    assert recording.eeg is not None
    assert recording.eeg.values.shape == (8064, 32)
    by_name = dict(zip(recording.eeg.channels, recording.eeg.values[0] - 2e5, strict=True))
    assert (by_name["Fp1"], by_name["Oz"], by_name["Fp2"], by_name["O2"]) == (0, 14, 16, 31)
    missing = np.isnan(recording.eeg.values)
    assert missing.sum() == missing[100:200, 3].sum() == 100


def test_a_gsr_without_its_level_is_no_resistance(tmp_path: Path) -> None:
    data = np.full((2, 40, 8064), 2e5)
    data[0, 36] = np.sin(np.arange(8064))
    (person,) = changed(tmp_path, data=data)
    assert [recording.trial_id for recording in person.recordings] == ["2"]
    codes = {(e.trial_id, e.modality, e.code) for e in person.exclusions}
    assert ("1", "eda", "E_EDA_IMPLAUSIBLE") in codes
    assert ("1", None, "W_MODALITY_ABSENT") in codes


def test_ratings_out_of_their_scale_are_none(tmp_path: Path) -> None:
    labels = np.array([[0.5, 9.0, 5.0, np.nan], [0.0, 10.0, 5.0, -1.0]])
    (person,) = changed(tmp_path, labels=labels)
    (recording,) = person.recordings
    assert recording.labels is not None
    rated = np.isfinite(recording.labels.values[0])
    assert [name for name, held in zip(TARGETS, rated, strict=True) if held] == ["arousal"]
    assert ("2", "W_NO_LABELS") in {(e.trial_id, e.code) for e in person.exclusions}


@pytest.mark.parametrize(
    "arrays",
    [
        {"data": None},
        {"labels": np.ones((3, 4))},
        {"data": np.ones((2, 39, 8064))},
        {"data": np.ones((2, 40, 300))},
        {"labels": np.array([["a"] * 4] * 2)},
    ],
)
def test_other_content_is_refused(tmp_path: Path, arrays: dict[str, object]) -> None:
    if "labels" in arrays and arrays["labels"].dtype.kind == "U":  # type: ignore[attr-defined]
        arrays = {"labels": "text"}
    with pytest.raises(InputError) as caught:
        list(changed(tmp_path, **arrays))
    assert caught.value.code == "E_CORPUS"


def test_no_file_and_two_files_of_a_person(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="E_CORPUS"):
        open_deap(tmp_path)
    for place in ("a", "b"):
        (tmp_path / place).mkdir()
        (tmp_path / place / "s01.dat").write_bytes(b"N.")
    with pytest.raises(InputError, match="2 files"):
        list(open_deap(tmp_path))
