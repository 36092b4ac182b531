"""CASE against what its twin wrote, and what else its tables may hold."""

from __future__ import annotations

import csv
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from affectscope.datasets.case import open_case
from affectscope.datasets.case_twin import write_case_twin
from affectscope.datasets.corpus import SubjectTrials
from affectscope.errors import AffectScopeError, InputError
from affectscope.records import TARGETS


@pytest.fixture(scope="module")
def twin(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_case_twin(tmp_path_factory.mktemp("case") / "twin", people=1, videos=2, duration=8)


def columns(path: Path) -> dict[str, np.ndarray]:
    with path.open() as stream:
        rows = list(csv.DictReader(stream))
    return {name: np.array([float(row[name]) for row in rows]) for name in rows[0]}


def small(
    folder: Path,
    *,
    video: np.ndarray,
    felt: dict[str, np.ndarray] | None = None,
    clock: np.ndarray | None = None,
) -> Path:
    """sub_3 with one second of signals per entry of ``video``."""
    data = folder / "interpolated"
    for name in ("physiological", "annotations"):
        (data / name).mkdir(parents=True, exist_ok=True)
    count = 1000 * len(video)
    time = np.arange(count) if clock is None else clock
    table = np.column_stack([time, np.arange(count) / 1e3, np.full(count, 2.5), video.repeat(1000)])
    np.savetxt(data / "physiological" / "sub_3.csv", table, "%.10g", ",",
               header="daqtime,ecg,gsr,video", comments="")  # fmt: skip
    at = 20 * len(video)
    told = {"jstime": np.arange(at) * 50, "valence": np.full(at, 5.0), "arousal": np.full(at, 9.5),
            "video": video.repeat(20)}  # fmt: skip
    told |= felt or {}
    np.savetxt(data / "annotations" / "sub_3.csv", np.column_stack(list(told.values())), "%.10g",
               ",", header=",".join(told), comments="")  # fmt: skip
    return folder


def only(folder: Path) -> SubjectTrials:
    (person,) = open_case(folder)
    return person


def test_values_and_ratings_are_those_of_the_files(twin: Path) -> None:
    corpus = open_case(twin)
    assert (corpus.name, corpus.simulated, corpus.subjects) == ("case", True, ("sub_1",))
    (person,) = corpus
    body, felt = (columns(path) for path in corpus.files("sub_1"))
    assert [recording.trial_id for recording in person.recordings] == ["1", "2"]
    for recording in person.recordings:
        video = float(recording.trial_id)
        rows = felt["video"] == video
        start = felt["jstime"][rows][0]
        assert recording.labels is not None
        np.testing.assert_allclose(recording.labels.times, (felt["jstime"][rows] - start) / 1000)
        for name, column in zip(TARGETS, recording.labels.values.T, strict=True):
            expected = (felt[name][rows] - 5) / 4.5 if name in felt else np.nan
            np.testing.assert_allclose(column, np.broadcast_to(expected, column.shape), atol=1e-12)
        times = (body["daqtime"] - start) / 1000
        inside = (times >= -5) & (times <= recording.labels.times[-1] + 5)
        for signal, name, unit in ((recording.ecg, "ecg", "mV"), (recording.eda, "gsr", "uS")):
            assert signal is not None
            np.testing.assert_array_equal(signal.values, body[name][inside])
            assert (signal.unit, signal.sampling_rate, signal.start_time) == (unit, 1000.0, -5.0)
    assert [e.trial_id for e in person.exclusions] == ["", *"345678"]
    assert person.notices == ()


def test_start_blue_and_end_are_skipped_and_pieces_told(tmp_path: Path) -> None:
    video = np.array([10, 11, 1, 1, 11, 1, 2, 12])
    person = only(small(tmp_path, video=video))
    assert [recording.trial_id for recording in person.recordings] == ["1", "2"]
    first, second = person.recordings
    assert first.ecg is not None
    assert first.labels is not None
    assert second.ecg is not None
    np.testing.assert_allclose(first.ecg.start_time, -2.0)
    np.testing.assert_allclose(first.labels.times[-1], 1.95)
    np.testing.assert_allclose(second.ecg.start_time, -5.0)
    np.testing.assert_allclose(first.ecg.values[0], 0.0)
    np.testing.assert_allclose(first.labels.values[0, :2], [0.0, 1.0])
    assert [n.sentence for n in person.notices] == [
        "Video 1 comes in 2 pieces; the longest is used."
    ]
    assert not open_case(tmp_path).simulated


def test_ratings_out_of_range_are_missing_and_told(tmp_path: Path) -> None:
    valence = np.full(40, 0.5)
    valence[3], valence[5], valence[7] = 11.0, 9.5 + 1e-9, 0.4
    person = only(small(tmp_path, video=np.array([1, 1]), felt={"valence": valence}))
    labels = person.recordings[0].labels
    assert labels is not None
    assert np.flatnonzero(np.isnan(labels.values[:, 0])).tolist() == [3, 7]
    assert labels.values[5, 0] == 1.0
    assert [n.code for n in person.notices] == ["W_NO_LABELS"]


def test_files_that_do_not_agree(tmp_path: Path) -> None:
    shifted = {"video": np.array([11] * 30 + [4] * 30)}
    person = only(small(tmp_path, video=np.array([4, 4, 11]), felt=shifted))
    assert person.recordings == ()
    assert ("4", "E_CORPUS") in {(e.trial_id, e.code) for e in person.exclusions}


@pytest.mark.parametrize("kind", ["steps of 2 ms", "backwards", "a gap"])
def test_a_clock_that_is_not_regular_is_refused(tmp_path: Path, kind: str) -> None:
    time = np.arange(2000)
    clock = {"steps of 2 ms": 2 * time, "backwards": time[::-1], "a gap": time + 9 * (time > 500)}
    with pytest.raises(InputError, match="E_CORPUS"):
        only(small(tmp_path, video=np.array([1, 1]), clock=clock[kind]))


def test_a_missing_column_or_annotation_is_named(tmp_path: Path) -> None:
    small(tmp_path, video=np.array([1, 1]))
    body = tmp_path / "interpolated" / "physiological" / "sub_3.csv"
    body.write_text(body.read_text().replace("gsr", "eda", 1))
    with pytest.raises(InputError, match="the column gsr"):
        only(tmp_path)
    (tmp_path / "interpolated" / "annotations" / "sub_3.csv").unlink()
    with pytest.raises(InputError, match="annotations"):
        only(tmp_path)


def test_only_the_interpolated_variant_is_read(tmp_path: Path) -> None:
    small(tmp_path, video=np.array([1]))
    (tmp_path / "interpolated").rename(tmp_path / "non-interpolated")
    with pytest.raises(InputError, match="E_CORPUS"):
        open_case(tmp_path)


def test_any_cut_or_change_is_read_or_refused(tmp_path: Path) -> None:
    small(tmp_path, video=np.array([11, 1]))
    files = open_case(tmp_path).files("sub_3")
    whole = [path.read_bytes() for path in files]
    generator = np.random.default_rng(8)
    for _ in range(15):
        for path, content in zip(files, whole, strict=True):
            changed = bytearray(content)
            for place in generator.integers(0, len(content), 2):
                changed[place] = generator.choice(list(b"9.,-\n\x00;e\xff"))
            path.write_bytes(changed[: generator.integers(1, 2 * len(content))])
        with suppress(AffectScopeError):  # which always has a code
            only(tmp_path)
