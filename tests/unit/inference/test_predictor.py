"""The predictor: one window scores as it does among many, and absence is absence."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from affectscope.datasets.window_dataset import WindowBatch
from affectscope.errors import ModelError
from affectscope.inference.predictor import Predictor
from affectscope.models.bmmn import BMMN, BMMNConfig
from affectscope.models.checkpoint import Checkpoint
from affectscope.preprocessing.face_quality import FACTORS
from affectscope.preprocessing.windows import Preprocessing
from affectscope.records import MODALITIES, TARGETS, Population, Recording

PREPROCESSING = Preprocessing()
COUNT = 5


def predictor(population: Population = "people", targets: tuple[str, ...] = TARGETS) -> Predictor:
    torch.manual_seed(0)
    config = BMMNConfig(variant="bmmn_bae_2", face_encoder="small", targets=targets)
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
