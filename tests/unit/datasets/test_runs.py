"""Prepared trials as batches of runs: each row once, in a known order, with its true windows."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from affectscope.datasets.prepared_trial import PreparedTrial
from affectscope.datasets.runs import SIGNALS, RunBatch, RunSet, grouped
from affectscope.preprocessing.windows import NetworkSignal, Preprocessing, cut_windows
from affectscope.records import TARGETS

PREPROCESSING = Preprocessing(window_samples=602, crop_size=8)


def noise(seed: int, samples: int, start: float, gap: tuple[int, int] = (0, 0)) -> NetworkSignal:
    random = np.random.default_rng(seed)
    valid = np.ones(samples, dtype=np.bool_)
    valid[slice(*gap)] = False
    return NetworkSignal(random.random(samples).astype(np.float32), valid, 128.0, start)


def trial(seed: int, count: int, **changes: object) -> PreparedTrial:
    """Made-up rows 0.4 s apart; the first and last reach past the signals' ends."""
    random = np.random.default_rng(seed)
    times = 10 + 0.4 * np.arange(count)
    samples = int(128 * (0.4 * count + 4))
    face_present = random.random(count) < 0.7
    faces = random.integers(1, 255, (count, 3, 8, 8)).astype(np.uint8)
    faces[~face_present] = 0
    made = {
        "subject_id": f"s{seed % 2}",
        "trial_id": f"t{seed}",
        "times": times,
        "duration": 0.4 * count,
        "targets": random.uniform(-1, 1, (count, len(TARGETS))).astype(np.float32),
        "signals": {
            "ecg": noise(seed, samples, 8.5, (samples // 2, samples // 2 + 150)),
            "eda": noise(seed + 1000, samples - 200, 9.0),
        },
        "faces": faces,
        "face_present": face_present,
        "key": f"key{seed}",
    }
    return PreparedTrial(**(made | changes))


def blind(seed: int, count: int, **changes: object) -> PreparedTrial:
    changes = {"faces": None, "face_present": np.zeros(count, dtype=np.bool_)} | changes
    return trial(seed, count, **changes)


@pytest.fixture(scope="module")
def windows() -> RunSet:
    counts = (25, 3, 40)
    return RunSet([trial(seed, count) for seed, count in enumerate(counts)], PREPROCESSING)


def everything(windows: RunSet, length: int, seed: int = 0) -> list[RunBatch]:
    runs = windows.runs(np.arange(len(windows)), length, seed=(seed,))
    return list(windows.batches(grouped(runs, length, 12)))


@settings(max_examples=60, deadline=None)
@given(
    counts=st.lists(st.integers(0, 30), min_size=1, max_size=5),
    length=st.integers(1, 12),
    seed=st.integers(0, 9),
    keep=st.integers(1, 4),
)
def test_every_row_is_in_one_run_of_one_trial(
    counts: list[int], length: int, seed: int, keep: int
) -> None:
    trials = [blind(number, count, signals={}) for number, count in enumerate(counts)]
    windows = RunSet(trials, PREPROCESSING)
    rows = np.flatnonzero(np.arange(len(windows)) % keep == 0)
    runs = windows.runs(rows, length, seed=(seed, 3))
    assert sorted(row for run in runs for row in run) == rows.tolist()
    place = {row: number for number, row in enumerate(rows.tolist())}
    for run in runs:
        assert 1 <= len(run) <= length
        assert len({windows.trial_of_row[row] for row in run}) == 1
        places = [place[row] for row in run.tolist()]
        assert places == list(range(places[0], places[0] + len(run)))


def test_the_order_is_a_function_of_the_seed_alone(windows: RunSet) -> None:
    def order(*seed: int) -> list[list[int]]:
        runs = windows.runs(np.arange(len(windows)), 5, seed=seed)
        return [run.tolist() for run in runs]

    np.random.default_rng(0).random(7)
    first = order(1, 2, 3)
    np.random.seed(4)  # noqa: NPY002 - nobody's global state matters
    assert order(1, 2, 3) == first
    assert order(1, 2, 4) != first
    # Where a trial is cut is drawn as well, so that no pair of neighbours stays apart for ever.
    cuts = {tuple(sorted(run[0] for run in order(seed))) for seed in range(8)}
    assert len(cuts) > 1


def test_runs_of_one_row_are_a_plain_shuffle(windows: RunSet) -> None:
    batches = everything(windows, 1)
    assert [batch.rows.shape for batch in batches] == [(12, 1)] * 5 + [(8, 1)]
    rows = np.concatenate([batch.rows.ravel() for batch in batches])
    assert sorted(rows) == list(range(len(windows)))
    assert not np.array_equal(rows, np.sort(rows))


@pytest.mark.parametrize("length", [1, 6])
def test_batches_hold_the_windows_that_are_cut_one_by_one(windows: RunSet, length: int) -> None:
    """Values and presence, at ends and gaps too; a row after a run's end is absent."""
    seen = dict.fromkeys(("usable", "not usable", "padded"), 0)
    width = PREPROCESSING.window_samples
    for batch in everything(windows, length):
        for place, row in np.ndenumerate(batch.rows):
            flat = place[0] * batch.rows.shape[1] + place[1]
            if row < 0:
                seen["padded"] += 1
                assert not any(there[flat] for there in batch.present.values())
                assert np.isnan(batch.targets[flat]).all()
                continue
            source = windows.trials[windows.trial_of_row[row]]
            number = windows.row_in_trial[row]
            np.testing.assert_array_equal(batch.targets[flat], source.targets[number])
            for name in SIGNALS:
                cut, usable = cut_windows(
                    source.signals[name], source.times[number : number + 1], PREPROCESSING
                )
                assert batch.present[name][flat] == usable[0]
                seen["usable" if usable[0] else "not usable"] += 1
                start = batch.starts[name][place]
                held = batch.signals[name][place[0], 0, start : start + width]
                assert held.shape == (width,)
                assert np.isfinite(held).all()
                if usable[0]:
                    np.testing.assert_array_equal(held, cut[0, 0])
            assert batch.present["face"][flat] == source.face_present[number]
            np.testing.assert_array_equal(batch.face[flat], source.faces[number])
    assert seen["usable"] > 20
    assert seen["not usable"] > 5
    assert (seen["padded"] > 0) == (length > 1)


def test_a_batch_has_about_its_rows_in_whole_runs() -> None:
    runs = [np.arange(5 * number, 5 * number + 5) for number in range(9)]
    assert [len(batch) for batch in grouped(runs, 5, 20)] == [4, 4, 1]
    assert [len(batch) for batch in grouped(runs, 5, 3)] == [1] * 9  # at least one
    assert grouped([], 5, 20) == []


def equal(first: RunBatch, second: RunBatch) -> bool:
    pairs = [(first.rows, second.rows), (first.face, second.face)]
    for name in ("signals", "starts", "present"):
        ones, others = getattr(first, name), getattr(second, name)
        assert ones.keys() == others.keys()
        pairs += [(ones[key], others[key]) for key in ones]
    targets = np.array_equal(first.targets, second.targets, equal_nan=True)
    return targets and all(np.array_equal(one, other) for one, other in pairs)


@pytest.mark.parametrize("workers", [1, 2, 5])
def test_T20_workers_change_no_batch(windows: RunSet, workers: int) -> None:
    groups = grouped(windows.runs(np.arange(len(windows)), 6, seed=(2,)), 6, 12)
    alone = list(windows.batches(groups))
    ahead = list(windows.batches(groups, workers))
    assert len(alone) == len(ahead) > 5
    assert all(equal(one, other) for one, other in zip(alone, ahead, strict=True))


def test_workers_end_where_nobody_takes_their_batches(windows: RunSet) -> None:
    before = threading.active_count()
    groups = grouped(windows.runs(np.arange(len(windows)), 6, seed=(2,)), 6, 12)
    batches = windows.batches(groups, 2)
    next(batches)
    assert threading.active_count() > before
    batches.close()
    assert threading.active_count() == before


def test_a_workers_error_is_not_lost() -> None:
    windows = RunSet([trial(0, 10), trial(1, 10)], PREPROCESSING, {"key0": np.ones((10, 4), "f4")})
    groups = grouped(windows.runs(np.arange(20), 5, seed=(0,)), 5, 10)
    with pytest.raises(KeyError, match="key1"):
        list(windows.batches(groups, 2))


def test_features_take_the_place_of_pictures() -> None:
    trials = [trial(0, 10), blind(1, 10)]
    features = {
        "key0": np.arange(40, dtype=np.float32).reshape(10, 4),
        "key1": np.zeros((10, 4), np.float32),
    }
    windows = RunSet(trials, PREPROCESSING, features, "an encoder")
    batch = windows.batch([np.array([3, 4]), np.array([12, 13])])
    np.testing.assert_array_equal(batch.face, [*features["key0"][[3, 4]], [0] * 4, [0] * 4])
    assert batch.face.dtype == np.float32
    expected = [*trials[0].face_present[[3, 4]], False, False]
    np.testing.assert_array_equal(batch.present["face"], expected)


def test_absent_modalities_are_zeros_and_told() -> None:
    windows = RunSet([blind(0, 6, signals={}), blind(1, 6), trial(2, 6)], PREPROCESSING)
    nothing = windows.batch([np.arange(0, 6)])
    assert nothing.face is None
    assert not any(there.any() for there in nothing.present.values())
    for name in SIGNALS:
        assert nothing.signals[name].shape == (1, 1, 602)
        assert not nothing.signals[name].any()
    mixed = windows.batch([np.arange(0, 6), np.arange(6, 12), np.arange(12, 18)])
    assert not mixed.signals["ecg"][0].any()
    assert mixed.signals["ecg"][1].any()
    assert mixed.face.shape == (18, 3, 8, 8)
    assert not mixed.face[:12].any()
    assert not mixed.present["face"][:12].any()
    assert mixed.present["face"][12:].any()


def test_modalities_that_are_not_asked_for_are_absent() -> None:
    windows = RunSet([trial(0, 12)], PREPROCESSING, modalities=("eda",))
    batch = windows.batch([np.arange(12)])
    assert batch.face is None
    assert not batch.present["face"].any()
    assert not batch.present["ecg"].any()
    assert batch.present["eda"].any()


def test_inputs_of_other_rows_with_the_rows_own_targets() -> None:
    trials = [trial(0, 10), trial(1, 10)]
    swapped = np.concatenate([np.arange(10, 20), np.arange(0, 10)])
    windows = RunSet(trials, PREPROCESSING, inputs_from=swapped)
    plain = RunSet(trials, PREPROCESSING)
    batch, other = windows.batch([np.arange(2, 6)]), plain.batch([np.arange(12, 16)])
    np.testing.assert_array_equal(batch.rows, [[2, 3, 4, 5]])
    np.testing.assert_array_equal(batch.targets, trials[0].targets[2:6])
    np.testing.assert_array_equal(batch.face, other.face)
    for name in SIGNALS:
        np.testing.assert_array_equal(batch.signals[name], other.signals[name])
        np.testing.assert_array_equal(batch.present[name], other.present[name])
    np.testing.assert_array_equal(batch.present["face"], other.present["face"])


def test_people_and_times_of_all_rows() -> None:
    windows = RunSet([trial(0, 3), trial(1, 2), trial(2, 2)], PREPROCESSING)
    assert windows.subjects == ("s0", "s1")
    np.testing.assert_allclose(windows.times, [10, 10.4, 10.8, 10, 10.4, 10, 10.4])
    assert len(RunSet([], PREPROCESSING)) == 0
    assert RunSet([], PREPROCESSING).runs(np.arange(0), 5, seed=(0,)) == []
