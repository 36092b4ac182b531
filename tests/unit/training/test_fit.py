"""The three stages: reproducible, sure of their question, able to learn."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from affectscope.datasets.prepared_trial import PreparedTrial
from affectscope.datasets.runs import RunSet
from affectscope.errors import ModelError, SessionError
from affectscope.models.bmmn import BMMN, BMMNConfig
from affectscope.preprocessing.windows import NetworkSignal, Preprocessing
from affectscope.records import TARGETS
from affectscope.training.devices import make_fabric
from affectscope.training.fit import FitSettings, Trainer, fit, fresh
from affectscope.training.fit_sessions import fit_sessions
from affectscope.training.loop import TrainingRows

TINY = FitSettings(epochs=(1, 1, 1), batch_size=16, learning_rate=1e-3, run_length=4)
BODY = BMMNConfig(
    variant="bmmn_bae_1", modalities=("ecg", "eda"), face_encoder="small", window_samples=602
)


def trial(seed: int, count: int = 14) -> PreparedTrial:
    """A made-up trial: noise whose level is its valence; no face."""
    random = np.random.default_rng(seed)
    level = random.uniform(0.2, 0.8)
    noise = (level * random.random(128 * 45)).astype(np.float32)
    signal = NetworkSignal(noise, np.ones(len(noise), dtype=bool), 128.0, 0.0)
    return PreparedTrial(
        subject_id=f"s{seed}",
        trial_id="t",
        times=np.linspace(5, 40, count),
        duration=35.0,
        targets=np.full((count, len(TARGETS)), level, dtype=np.float32),
        signals={"ecg": signal, "eda": signal},
        faces=None,
        face_present=np.zeros(count, dtype=bool),
        key=f"key {seed}",
    )


def rows_of(*trials: PreparedTrial, window_samples: int = 602) -> TrainingRows:
    windows = RunSet(trials, Preprocessing(window_samples=window_samples))
    return TrainingRows(windows, np.arange(len(windows)), np.arange(0))


@pytest.fixture(scope="module")
def rows() -> TrainingRows:
    return rows_of(trial(0), trial(1))


def test_the_same_seed_gives_the_same_weights(rows: TrainingRows) -> None:
    config = replace(BODY, modalities=("eda",))
    first, _ = fit(rows, config, TINY)
    torch.manual_seed(99)  # nobody's global state matters
    second, _ = fit(rows, config, TINY)
    other, _ = fit(rows, config, replace(TINY, seed=1))
    for name, weights in first.state_dict().items():
        assert torch.equal(weights, second.state_dict()[name]), name
    assert any(
        not torch.equal(weights, other.state_dict()[name])
        for name, weights in first.state_dict().items()
    )


def test_all_three_stages_run_and_say_their_losses(rows: TrainingRows) -> None:
    told: list[tuple[str, float]] = []
    model, losses = fit(rows, BODY, TINY, progress=lambda stage, share: told.append((stage, share)))
    assert list(losses) == ["stage 1, ecg and eda", "stage 2, auto-encoders", "stage 3, joint"]
    assert [len(own) for own in losses.values()] == [1, 1, 1]
    assert list(dict.fromkeys(stage for stage, _ in told)) == list(losses)
    shares = [share for _, share in told]
    assert shares == sorted(shares)
    assert shares[0] == 0
    assert shares[-1] == 1
    assert not model.training


def test_training_lowers_the_loss(rows: TrainingRows) -> None:
    config = replace(BODY, variant="bmmn", modalities=("eda",))
    _, losses = fit(rows, config, replace(TINY, epochs=(0, 0, 8)))
    joint = losses["stage 3, joint"]
    assert joint[-1] < 0.5 * joint[0]


def test_stages_pass_on_encoders_and_not_heads(rows: TrainingRows) -> None:
    config = replace(BODY, variant="bmmn_bae_2")
    trainer = Trainer(rows, TINY, make_fabric())
    start = fresh(config, 0)
    body = trainer.part(config, config.body, start)
    assert body.config.variant == "bmmn"
    assert not same_part(body, start, "bio_networks")
    coder = trainer.autoencoders(config, start)
    assert not same_part(coder, start, "autoencoders")
    whole = fresh(config, 0)
    head = whole.head[0].weight.clone()
    whole.load_encoders(body)
    whole.load_encoders(coder)
    assert same_part(whole, body, "bio_networks")
    assert same_part(whole, coder, "autoencoders")
    assert torch.equal(whole.head[0].weight, head)
    before = {name: tensor.clone() for name, tensor in whole.state_dict().items()}
    trainer.joint(whole, lambda_bae=0.1)
    assert all(not torch.equal(own, before[name]) for name, own in whole.state_dict().items())


def same_part(first: BMMN, second: BMMN, group: str) -> bool:
    ones, others = (getattr(each, group).state_dict() for each in (first, second))
    return all(torch.equal(ones[name], others[name]) for name in ones)


def test_each_stage_draws_its_own_order(rows: TrainingRows) -> None:
    numbers = [TINY.stage(number, 1).stage for number in (1, 2, 3, 4)]
    assert numbers == [1, 2, 3, 4]
    runs = [rows.windows.runs(rows.train, 4, seed=(0, number, 0)) for number in numbers]
    orders = {tuple(run[0] for run in own) for own in runs}
    assert len(orders) == 4


QUESTIONS = {
    "settings": (
        lambda trainer: replace(trainer, settings=replace(TINY, learning_rate=2e-3)),
        BODY,
        "settings.learning_rate: 0.001 -> 0.002",
    ),
    "order of targets": (
        lambda trainer: trainer,
        replace(BODY, targets=(*TARGETS[:-2], TARGETS[-1], TARGETS[-2])),
        f"network.targets.8: {TARGETS[8]} -> {TARGETS[9]}",
    ),
    "data": (
        lambda trainer: replace(trainer, rows=rows_of(trial(0), trial(2))),
        BODY,
        "data: ",
    ),
    "split": (
        lambda trainer: replace(trainer, rows=replace(trainer.rows, validation=np.arange(3))),
        BODY,
        "data: ",
    ),
    "frozen": (
        lambda trainer: replace(trainer, frozen=("bio_networks",)),
        BODY,
        "frozen: ",
    ),
}


@pytest.mark.parametrize("what", QUESTIONS)
def test_T06_a_stage_goes_on_with_its_own_question_only(
    rows: TrainingRows, tmp_path: Path, what: str
) -> None:
    change, config, difference = QUESTIONS[what]
    trainer = Trainer(rows, TINY, make_fabric(), tmp_path)
    trainer.joint(fresh(BODY, 0), lambda_bae=0.1)
    again = replace(TINY, workers=2)  # how many hands made the batches changes no weight
    replace(trainer, settings=again).joint(fresh(BODY, 0), lambda_bae=0.1)
    with pytest.raises(ModelError) as caught:
        change(trainer).joint(fresh(config, 0), lambda_bae=0.1)
    assert caught.value.code == "E_RUN_CHANGED"
    assert difference in caught.value.sentence


def test_T06_another_start_is_another_question_and_force_goes_on(
    rows: TrainingRows, tmp_path: Path
) -> None:
    trainer = Trainer(rows, TINY, make_fabric(), tmp_path)
    trainer.joint(fresh(BODY, 0), lambda_bae=0.1)
    with pytest.raises(ModelError, match="start: "):
        trainer.joint(fresh(BODY, 1), lambda_bae=0.1)
    replace(trainer, force=True).joint(fresh(BODY, 1), lambda_bae=0.1)
    [run] = tmp_path.glob("*/run.json")
    assert "start: " in run.read_text().split('"forced"')[1]


def test_each_lambda_has_a_folder_of_its_own(rows: TrainingRows, tmp_path: Path) -> None:
    trainer = Trainer(rows, replace(TINY, epochs=(0, 0, 0)), make_fabric(), tmp_path)
    for value in (0.1, 1.0):
        trainer.joint(fresh(BODY, 0), lambda_bae=value)
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["stage-3-bmmn_bae_1-lambda-0.1", "stage-3-bmmn_bae_1-lambda-1"]


def test_resnet_without_weights_asks_for_an_explicit_word(tmp_path: Path) -> None:
    (tmp_path / "session").mkdir()
    config = BMMNConfig(variant="bmmn", face_encoder="resnet50")
    with pytest.raises(ModelError) as caught:
        fit_sessions([tmp_path / "session"], tmp_path / "out", config=config, settings=TINY)
    assert caught.value.code == "E_WEIGHTS"
    assert "--imagenet none" in caught.value.remedy


def test_nothing_to_learn_from_is_said(tmp_path: Path) -> None:
    with pytest.raises(SessionError) as caught:
        fit_sessions([], tmp_path / "out", config=BODY, settings=TINY)
    assert caught.value.code == "E_SESSION"
