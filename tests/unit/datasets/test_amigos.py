"""The AMIGOS reader on files that are written here by hand, number by number."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.io

from affectscope.datasets import amigos, amigos_layout
from affectscope.datasets.amigos import open_amigos, read_external, read_long_settings, read_ratings
from affectscope.datasets.amigos_signals import (
    choose_ecg,
    choose_eda,
    guarded_gsr,
    slope_skewness,
)
from affectscope.datasets.corpus import SubjectTrials
from affectscope.datasets.synthetic import SyntheticSettings, random_course, synthetic_person
from affectscope.datasets.synthetic import synthetic_recording as recorded
from affectscope.datasets.synthetic_face import write_video
from affectscope.datasets.synthetic_look import HEIGHT, WIDTH
from affectscope.errors import AffectScopeError, InputError
from affectscope.records import EMOTIONS, TARGETS, FloatArray

RATE = 128
RATINGS = [1.0, 9.0, 3.0, 5.0, 2.0, 0.0, 1.0, 0.0, 1.0, 0.0, 1.0, 0.0]
"""Arousal, valence, dominance, liking, familiarity; neutral, disgust, happiness, surprise, anger,
fear, sadness."""

Cell = tuple[str, FloatArray, list[float], FloatArray]


def signals(seconds: float = 20.0, seed: int = 1) -> tuple[FloatArray, FloatArray]:
    """ECG in mV and conductance in uS of a simulated person."""
    recording = recorded(
        synthetic_person("x", seed),
        random_course(seconds + 5.0, seed),
        settings=SyntheticSettings(sampling_rate=RATE),
    )
    assert recording.ecg is not None
    assert recording.eda is not None
    return recording.ecg.values, recording.eda.values


ECG, EDA = signals()


def trial_data(seconds: float = 20.0) -> FloatArray:
    data = np.zeros((round((seconds + 5) * RATE), 17))
    data[:, 14] = data[:, 15] = ECG[: len(data)]
    data[:, 16] = EDA[: len(data)]
    return data


def cell(clip: str, seconds: float = 20.0, **changed: Any) -> Cell:
    external = np.array([[1.0, 0.25, -0.5], [2.0, 0.75, -0.25]])
    parts: dict[str, Any] = {
        "data": trial_data(seconds),
        "ratings": RATINGS,
        "external": external,
    }
    parts |= changed
    return clip, parts["data"], parts["ratings"], parts["external"]


def write_person(path: Path, *cells: Cell) -> Path:
    names = ("VideoIDs", "joined_data", "labels_selfassessment", "labels_ext_annotation")
    columns = {name: np.empty((1, len(cells)), dtype=object) for name in names}
    for number, (clip, data, ratings, external) in enumerate(cells):
        columns["VideoIDs"][0, number] = clip
        columns["joined_data"][0, number] = data
        columns["labels_selfassessment"][0, number] = np.reshape(ratings, (1, len(ratings)))
        columns["labels_ext_annotation"][0, number] = external
    path.parent.mkdir(parents=True, exist_ok=True)
    scipy.io.savemat(path, columns)
    return path


def write_face(path: Path, seconds: float) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    grey = np.full((round(seconds * 5), HEIGHT * 3 // 2, WIDTH), 128, np.uint8)
    write_video(path, iter([grey]), 5.0)


def read(folder: Path, *cells: Cell, number: str = "01") -> SubjectTrials:
    write_person(folder / f"Data_Preprocessed_P{number}.mat", *cells)
    return open_amigos(folder).read_subject(f"P{number}")


def sentences(trials: SubjectTrials, code: str) -> str:
    return " ".join(notice.sentence for notice in trials.notices if notice.code == code)


def test_a_trial_has_the_right_times_units_and_labels(tmp_path: Path) -> None:
    (recording,) = read(tmp_path, cell("138")).recordings
    assert (recording.subject_id, recording.trial_id, recording.simulated) == ("P01", "138", False)
    assert recording.ecg is not None
    assert recording.eda is not None
    assert recording.labels is not None
    for signal in (recording.ecg, recording.eda):
        assert signal.start_time == -5.0
        assert signal.end_time == 20.0
        assert signal.sampling_rate == 128.0
    assert (recording.ecg.unit, recording.eda.unit) == ("mV", "uS")
    np.testing.assert_array_equal(recording.ecg.values, ECG)
    assert np.isnan(recording.eda.values[:20]).all()
    np.testing.assert_array_equal(recording.eda.values[20:], EDA[20:])
    assert recording.labels.times.tolist() == [0.0, 20.0]
    expected = dict(zip(EMOTIONS, [0.0, 1.0, 0.0, 1.0, 0.0, 1.0, 0.0], strict=True))
    expected |= {"valence": 1.0, "arousal": -1.0, "liking": 0.0}
    for row in recording.labels.values:
        assert dict(zip(TARGETS, row.tolist(), strict=True)) == expected


def test_cells_are_known_by_their_ids_not_by_their_place(tmp_path: Path) -> None:
    low = [5.0, 1.0, *RATINGS[2:]]
    trials = read(tmp_path, cell("N1"), cell("31", ratings=low, data=trial_data(12.0)))
    first, second = trials.recordings
    assert (first.trial_id, second.trial_id) == ("N1", "31")
    assert first.labels is not None
    assert second.labels is not None
    assert first.labels.values[0, 0] == 1.0
    assert second.labels.values[0, :2].tolist() == [-1.0, 0.0]
    assert second.labels.times[1] == 12.0


def test_ids_may_be_numbers_and_unknown_ones_are_told(tmp_path: Path) -> None:
    write_person(tmp_path / "Data_Preprocessed_P01.mat", cell("4"), cell("99"))
    trials = open_amigos(tmp_path).read_subject("P01")
    assert [recording.trial_id for recording in trials.recordings] == ["4"]
    assert "no known clip in the cells 1" in sentences(trials, "W_CORPUS")


def test_empty_cells_are_left_out_with_their_reason(tmp_path: Path) -> None:
    nothing = np.zeros((0, 0))
    trials = read(
        tmp_path,
        cell("4", ratings=[]),
        cell("5", data=nothing, ratings=[], external=nothing),
        cell("9"),
        cell("10", data=np.zeros((900, 5))),
    )
    assert [recording.trial_id for recording in trials.recordings] == ["9"]
    left_out = {e.trial_id: e.code for e in trials.exclusions if e.modality is None}
    assert left_out == {"4": "W_NO_LABELS", "5": "W_MODALITY_ABSENT", "10": "W_MODALITY_ABSENT"}


def test_ratings_out_of_range_are_not_used(tmp_path: Path) -> None:
    (recording,) = read(tmp_path, cell("4", ratings=[1.0, 11.0, *RATINGS[2:]])).recordings
    assert recording.labels is not None
    assert np.isnan(recording.labels.values[:, 0]).all()
    assert recording.labels.values[0, 1] == -1.0
    assert [notice.code for notice in recording.notices] == ["W_NO_LABELS"]


def with_nan(channel: int) -> FloatArray:
    data = trial_data()
    data[1000:1100, channel] = np.nan
    return data


def test_P07_a_missing_ecg_sample_takes_only_that_trials_ecg_out(tmp_path: Path) -> None:
    trials = read(tmp_path, cell("4"), cell("5", data=with_nan(14)), cell("9", data=with_nan(16)))
    by_clip = {recording.trial_id: recording for recording in trials.recordings}
    assert set(by_clip["4"].tracks) == {"ecg", "eda"}
    assert set(by_clip["5"].tracks) == {"eda"}
    assert set(by_clip["9"].tracks) == {"ecg"}
    told = sentences(trials, "W_CORPUS")
    assert "ECG samples are missing in the cells 1 of the file (from 0); known are none" in told
    assert "EDA samples are missing in the cells 2" in told


def test_known_missing_samples_are_no_difference(tmp_path: Path) -> None:
    known = amigos.KNOWN_NAN["ecg"]["P09"]
    clips = [*amigos.SHORT_CLIPS, *amigos.LONG_CLIPS]
    cells = [
        cell(clip, data=with_nan(14) if number in known else trial_data())
        for number, clip in enumerate(clips)
    ]
    trials = read(tmp_path, *cells, number="09")
    assert sentences(trials, "W_CORPUS") == ""
    lost = {e.trial_id for e in trials.exclusions if e.modality == "ecg"}
    assert lost == {clips[number] for number in known}
    assert sum(len(cells) for cells in amigos.KNOWN_NAN["ecg"].values()) == 640 - 629


def test_missing_eeg_is_reported_and_takes_nothing_out(tmp_path: Path) -> None:
    trials = read(tmp_path, cell("4", data=with_nan(3)))
    assert "EEG samples are missing in the cells 0" in sentences(trials, "W_CORPUS")
    assert set(trials.recordings[0].tracks) == {"ecg", "eda"}


def test_the_eeg_has_its_channels_times_and_holes(tmp_path: Path) -> None:
    data = trial_data()
    data[:, :14] = np.random.default_rng(2).normal(0.0, 20.0, (len(data), 14))
    data[1000:1100, 3] = np.nan
    first, second = read(tmp_path, cell("4", data=data), cell("5")).recordings
    assert first.eeg is not None
    assert second.eeg is not None
    np.testing.assert_array_equal(first.eeg.values, data[:, :14])
    assert (first.eeg.values.dtype, second.eeg.values.shape) == (np.float64, (len(data), 14))
    assert (first.eeg.start_time, first.eeg.sampling_rate) == (-5.0, 128.0)
    assert first.eeg.channels[:3] == ("AF3", "F7", "F3")
    assert first.eeg.channels[-1] == "AF4"
    assert len(set(first.eeg.channels)) == 14


@pytest.mark.parametrize(
    ("values", "quantity", "unit"),
    [
        (EDA, "conductance", "uS"),
        (EDA * 1e-6, "conductance", "S"),
        (1e6 / EDA, "resistance", "Ohm"),
        (1e3 / EDA, "resistance", "kOhm"),
    ],
)
def test_P05_quantity_and_unit_of_the_gsr_are_tested(
    values: FloatArray, quantity: str, unit: str
) -> None:
    choice = choose_eda([guarded_gsr(values)[0]])
    assert choice is not None
    assert (choice.quantity, choice.unit) == (quantity, unit)
    assert choice.is_sure
    assert f"{quantity} in {unit}" in choice.notice().sentence


def test_P05_a_doubtful_quantity_is_called_so() -> None:
    choice = choose_eda([np.full(2000, 300.0)])
    assert choice is not None
    assert (choice.quantity, choice.unit) == ("resistance", "kOhm")
    assert not choice.is_sure
    assert "check it" in choice.notice().sentence
    assert choose_eda([np.full(2000, np.nan)]) is None


def test_P05_slopes_of_real_skin_are_skewed_to_the_right(real_data: Path) -> None:
    right = []
    for path in sorted(real_data.glob("stress_predict/S*/EDA.csv")):
        rows = np.loadtxt(path)
        rate, values = rows[1], rows[2:]
        piece = round(90 * rate)
        pieces = [values[i : i + piece] for i in range(0, len(values) - piece, piece)]
        skewness = slope_skewness(pieces, rate)
        inverse = slope_skewness([1 / np.where(v > 0, v, np.nan) for v in pieces], rate)
        assert np.sign(inverse) == -np.sign(skewness) or abs(skewness) < 0.3
        right.append(skewness > 0)
    assert len(right) == 25
    assert sum(right) >= 21


def test_P04_values_that_no_skin_has_count_as_missing(tmp_path: Path) -> None:
    data = trial_data()
    data[800:810, 16] = [0.0, -3.0] * 5
    trials = read(tmp_path, cell("4", data=data))
    (recording,) = trials.recordings
    assert recording.eda is not None
    assert np.isnan(recording.eda.values[800:810]).all()
    assert np.nanmin(recording.eda.values) > 0
    assert "10 GSR samples" in sentences(trials, "W_MISSING")


def noisy(values: FloatArray) -> FloatArray:
    return values + np.random.default_rng(4).normal(0.0, 0.8, len(values))


def test_the_better_ecg_lead_is_taken_and_told(tmp_path: Path) -> None:
    data = trial_data()
    data[:, 14] = noisy(ECG)
    trials = read(tmp_path, cell("4", data=data))
    assert trials.recordings[0].ecg is not None
    np.testing.assert_array_equal(trials.recordings[0].ecg.values, ECG)
    assert "The left ECG lead was taken" in sentences(trials, "W_ASSUMED")


def test_the_right_lead_is_taken_where_both_are_alike() -> None:
    choice = choose_ecg([ECG], [ECG])
    assert choice is not None
    assert choice.lead == "right"
    assert choose_ecg([np.full(500, np.nan)], [ECG[:500]]) is None


@pytest.mark.parametrize(("factor", "unit"), [(1e-3, "V"), (1.0, "mV"), (1e3, "uV")])
def test_P06_the_ecgs_unit_comes_from_its_amplitude(factor: float, unit: str) -> None:
    choice = choose_ecg([ECG * factor], [noisy(ECG) * factor])
    assert choice is not None
    assert choice.unit == unit


def test_face_videos_are_found_measured_and_flagged(tmp_path: Path) -> None:
    write_face(tmp_path / "a" / "P11_4_face.mov", 20.2)
    write_face(tmp_path / "b" / "p011_018_FACE.MOV", 12.0)
    write_face(tmp_path / "b" / "P11_n1_face.mov", 12.0)
    write_face(tmp_path / "a" / "P11_9_face.mov", 2.0)
    write_face(tmp_path / "b" / "P11_09_face.mov", 2.0)
    (tmp_path / "b" / "P11_5_face.mov").write_bytes(b"no video" * 100)
    clips = ("4", "18", "N1", "9", "5", "13")
    trials = read(tmp_path, *(cell(clip) for clip in clips), number="11")
    by_clip = {recording.trial_id: recording for recording in trials.recordings}
    assert {clip for clip, r in by_clip.items() if r.video is not None} == {"4", "18", "N1"}
    video = by_clip["4"].video
    assert video is not None
    assert video.start_time == 0.0
    assert video.duration == pytest.approx(20.2, abs=0.2)
    assert by_clip["4"].notices == ()
    told = {clip: by_clip[clip].notices[0] for clip in ("18", "N1")}
    assert {notice.code for notice in told.values()} == {"W_VIDEO_LENGTH"}
    assert "This is known" in told["18"].sentence
    assert "not known" in told["N1"].sentence
    reasons = {e.trial_id: e.code for e in trials.exclusions if e.modality == "face"}
    assert reasons["9"] == "E_CORPUS"
    assert reasons["5"] == "E_TYPE_MISMATCH"
    assert reasons["13"] == "W_MODALITY_ABSENT"
    files = open_amigos(tmp_path).files("P11")
    assert len(files) == 7


def test_external_annotation_has_its_own_order_and_times(tmp_path: Path) -> None:
    read(tmp_path, cell("4"), cell("5", data=trial_data(15.0), external=np.ones((1, 3))))
    corpus = open_amigos(tmp_path)
    external = read_external(corpus, "P01")
    assert external["4"].valence.tolist() == [0.25, 0.75]
    assert external["4"].arousal.tolist() == [-0.5, -0.25]
    assert external["4"].times.tolist() == [[0.0, 20.0], [0.0, 20.0]]
    assert external["5"].times.tolist() == [[0.0, 15.0]]
    ratings = {rating.trial_id: rating for rating in read_ratings(corpus, "P01")}
    assert ratings["4"].targets[0] == 1.0
    assert ratings["4"].external is not None


def test_segments_follow_the_stated_rule() -> None:
    times = amigos_layout.segment_times(6, 100.0)
    assert times[:, 0].tolist() == [0.0, 5.0, 25.0, 45.0, 65.0, 80.0]
    assert times[:, 1].tolist() == [20.0, 25.0, 45.0, 65.0, 85.0, 100.0]
    assert amigos_layout.segment_count(100.0) == 6


def test_the_constants_agree_with_each_other() -> None:
    assert set(amigos.SEGMENTS) == {*amigos.SHORT_CLIPS, *amigos.LONG_CLIPS}
    assert set(amigos.QUADRANTS) == set(amigos.SHORT_CLIPS)
    assert sorted(clip for group in amigos.CLIP_GROUPS for clip in group) == sorted(
        amigos.SHORT_CLIPS
    )
    for group in amigos.CLIP_GROUPS:
        assert {amigos.QUADRANTS[clip] for clip in group} == {"HAHV", "LAHV", "LALV", "HALV"}


def test_F12_one_damaged_file_takes_out_one_person(tmp_path: Path) -> None:
    write_person(tmp_path / "deep" / "Data_Preprocessed_P01.mat", cell("4"))
    broken = write_person(tmp_path / "other" / "data_preprocessed_p02.MAT", cell("4"))
    broken.write_bytes(broken.read_bytes()[:5000])
    corpus = open_amigos(tmp_path)
    assert corpus.subjects == ("P01", "P02")
    assert len(corpus.read_subject("P01").recordings) == 1
    with pytest.raises(InputError, match="E_SIGNAL_FILE"):
        corpus.read_subject("P02")


def test_a_file_that_lies_there_twice_is_not_guessed_at(tmp_path: Path) -> None:
    write_person(tmp_path / "Data_Preprocessed_P01.mat", cell("4"))
    write_person(tmp_path / "copy" / "Data_Preprocessed_P1.mat", cell("5"))
    with pytest.raises(InputError, match="E_CORPUS"):
        open_amigos(tmp_path).read_subject("P01")


def test_foreign_folders_and_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="E_CORPUS"):
        open_amigos(tmp_path)
    path = tmp_path / "Data_Preprocessed_P03.mat"
    unfit: list[dict[str, Any]] = [
        {"VideoIDs": np.eye(2), "joined_data": 1, "labels_selfassessment": 1,
         "labels_ext_annotation": 1},
        {"VideoIDs": np.array([["4"]], dtype=object)},
    ]  # fmt: skip
    for variables in unfit:
        scipy.io.savemat(path, variables)
        with pytest.raises(AffectScopeError) as caught:
            open_amigos(tmp_path).read_subject("P03")
        assert caught.value.code in ("E_CORPUS", "E_SIGNAL_FILE")
    write_person(path, cell("4"), cell("4"))
    with pytest.raises(InputError, match="names 4 twice"):
        open_amigos(tmp_path).read_subject("P03")


def test_who_saw_the_long_videos_in_a_group_is_the_users_to_say(tmp_path: Path) -> None:
    assert read_long_settings(tmp_path) == {}
    (tmp_path / "groups.csv").write_text("participant,setting\nP01,alone\n7;Group\n")
    assert read_long_settings(tmp_path) == {"P01": "alone", "P07": "group"}
    (tmp_path / "groups.csv").write_text("P01,perhaps\n")
    with pytest.raises(InputError, match="Line 1"):
        read_long_settings(tmp_path)
