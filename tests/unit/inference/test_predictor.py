"""The predictor: one window scores as it does among many, and absence is absence."""

from __future__ import annotations

import gc
import weakref
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
import torch

from affectscope.datasets.window_dataset import WindowBatch
from affectscope.errors import ModelError
from affectscope.inference.predictor import Predictor
from affectscope.models.bmmn import BMMN, BMMNConfig
from affectscope.models.checkpoint import Checkpoint
from affectscope.preprocessing.face_quality import FACTORS
from affectscope.preprocessing.windows import NetworkSignal, Preprocessing, Windows
from affectscope.records import MODALITIES, TARGETS, Population, Recording

PREPROCESSING = Preprocessing()
COUNT = 5


def predictor(
    population: Population = "people", targets: tuple[str, ...] = TARGETS, hidden: int = 0
) -> Predictor:
    torch.manual_seed(0)
    config = BMMNConfig(face_encoder="small", targets=targets, hidden=hidden)
    checkpoint = Checkpoint(config, PREPROCESSING, population, ("s1",))
    return Predictor(BMMN(config).eval(), checkpoint, "0" * 12)


def batch(rows: slice = slice(None), absent: tuple[str, ...] = ()) -> WindowBatch:
    random = np.random.default_rng(0)
    inputs = {
        "face": random.integers(0, 255, (COUNT, 3, 224, 224), dtype=np.uint8)[rows],
        "ecg": random.random((COUNT, 1, 1000), dtype=np.float32)[rows],
        "eda": random.random((COUNT, 1, 1000), dtype=np.float32)[rows],
    }
    count = len(inputs["face"])
    return WindowBatch(
        keys=tuple(PREPROCESSING.key("s", "t", float(k)) for k in range(count)),
        inputs={name: value for name, value in inputs.items() if name not in absent},
        present={name: np.ones(count, dtype=bool) for name in MODALITIES if name not in absent},
        face_factors=np.ones((count, len(FACTORS))),
        faces_seen=np.ones(count, dtype=np.int64),
        face_boxes=np.full((count, 4), np.nan, np.float32),
    )


def test_a_batch_of_one_equals_a_batch_of_many() -> None:
    scorer = predictor()
    together = scorer.score(batch())
    alone = np.concatenate([scorer.score(batch(slice(k, k + 1))) for k in range(COUNT)])
    np.testing.assert_allclose(together, alone, atol=1e-5)


def test_estimates_stay_in_their_ranges() -> None:
    scorer = predictor()
    with torch.no_grad():
        for parameter in scorer.model.head.parameters():
            parameter.mul_(1000)
    values = scorer.score(batch())
    assert np.abs(values).max() <= 1
    assert values[:, 3:].min() >= 0


@pytest.mark.parametrize("name", MODALITIES)
def test_an_absent_key_equals_a_masked_modality_and_its_content_is_never_seen(name: str) -> None:
    scorer = predictor()
    masked = batch()
    masked.present[name][:] = False
    if name != "face":
        masked.inputs[name][:] = np.nan
    values = scorer.score(masked)
    assert np.isfinite(values).all()
    np.testing.assert_allclose(values, scorer.score(batch(absent=(name,))), atol=1e-6)
    assert not np.allclose(values, scorer.score(batch()))


def test_rows_without_anything_usable_are_not_scored() -> None:
    scorer = predictor()
    one = batch()
    for name in MODALITIES:
        one.present[name][2] = False
    values = scorer.score(one)
    assert np.isnan(values[2]).all()
    assert np.isfinite(values[[0, 1, 3, 4]]).all()


SIGNALS = {
    name: NetworkSignal(
        np.random.default_rng(seed).random(4000, dtype=np.float32), np.ones(4000, bool), 128.0, 0.0
    )
    for seed, name in enumerate(("ecg", "eda"))
}


def of_signals(times: np.ndarray) -> WindowBatch:
    """Windows of whole signals, 31 s long, that nobody has cut."""
    windows = {
        name: Windows.centred(signal, times, PREPROCESSING) for name, signal in SIGNALS.items()
    }
    return replace(
        batch(slice(0)),
        keys=tuple(PREPROCESSING.key("s", "t", float(time)) for time in times),
        inputs=windows,
        present={name: own.usable for name, own in windows.items()},
    )


def cut(rows: WindowBatch) -> WindowBatch:
    return replace(rows, inputs={name: own.values() for name, own in rows.inputs.items()})


@pytest.mark.parametrize("hidden", [0, 64])
def test_windows_of_a_whole_signal_score_as_cut_ones(hidden: int) -> None:
    scorer, rows = predictor(hidden=hidden), of_signals(np.arange(0.0, 31.0, 0.37))
    assert not rows.present["ecg"].all()
    found, expected = scorer.score(rows), scorer.score(cut(rows))
    np.testing.assert_allclose(found, expected, atol=1e-5)
    torch.testing.assert_close(
        torch.from_numpy(found).float(), reference(scorer, rows), atol=1e-5, rtol=0, equal_nan=True
    )


def reference(scorer: Predictor, rows: WindowBatch) -> torch.Tensor:
    """The network's own estimate of windows, within its ranges."""
    inputs = {name: torch.from_numpy(own) for name, own in cut(rows).inputs.items()}
    present = {name: torch.from_numpy(own) for name, own in rows.present.items()}
    with torch.no_grad():
        estimate = scorer.model.estimate(inputs, present)
    lower = torch.tensor([-1.0] * 3 + [0.0] * 7)
    seen = torch.stack(list(present.values())).any(dim=0)
    return torch.where(seen[:, None], estimate.clamp(min=lower).clamp(max=1.0), torch.nan)


def test_threads_that_ask_out_of_order_get_what_one_gets() -> None:
    times = np.arange(4.0, 28.0, 0.25)
    expected = predictor().score(of_signals(times))
    scorer, parts = predictor(), np.array_split(times, 12)
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda own: scorer.score(of_signals(own)), reversed(parts)))
    np.testing.assert_array_equal(np.concatenate(found[::-1]), expected)


def test_a_signal_is_let_go_with_its_recording() -> None:
    scorer, rows = predictor(), of_signals(np.array([10.0]))
    once = {name: replace(own, signal=replace(own.signal)) for name, own in rows.inputs.items()}
    scorer.score(replace(rows, inputs=once))
    gone = weakref.ref(once["ecg"].signal)
    once.clear()
    gc.collect()
    assert gone() is None


def test_a_modality_is_left_out_of_shares_as_of_a_batch() -> None:
    scorer, rows = predictor(), batch()
    shares = scorer.shares(rows)
    for name in MODALITIES:
        present = {other: there for other, there in rows.present.items() if other != name}
        found = scorer.values(shares, present)
        np.testing.assert_allclose(found, scorer.score(batch(absent=(name,))), atol=1e-6)


def test_targets_that_the_network_lacks_are_empty() -> None:
    values = predictor(targets=("arousal",)).score(batch())
    assert np.isfinite(values[:, TARGETS.index("arousal")]).all()
    assert np.isnan(values[:, TARGETS.index("valence")]).all()


@pytest.mark.parametrize(
    ("population", "simulated", "allowed"),
    [
        ("people", False, True),
        ("people", True, True),
        ("simulated people", True, True),
        ("simulated people", False, False),
        ("untrained", True, False),
        ("untrained", False, False),
    ],
)
def test_whom_weights_may_score(population: Population, simulated: bool, allowed: bool) -> None:
    person = Recording("s", "t", simulated)
    if allowed:
        predictor(population).check_population(person)
        return
    with pytest.raises(ModelError) as caught:
        predictor(population).check_population(person)
    assert caught.value.code == "E_POPULATION"
