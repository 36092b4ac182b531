"""Trained auto-encoders as a start: into a network they fit, and into no other; whom they saw."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from affectscope.errors import ModelError
from affectscope.models.bmmn import BMMN, BMMNConfig
from affectscope.models.pretrained_autoencoders import (
    SHIPPED_AUTOENCODERS,
    PretrainedAutoencoders,
    autoencoder_of,
    shipped_autoencoders,
)
from affectscope.models.shipped import SHIPPED_FOLDER, open_shipped
from affectscope.preprocessing.windows import Preprocessing

BODY = BMMNConfig(variant="bmmn_bae_1", modalities=("ecg", "eda"), face_encoder="small")


@pytest.fixture(scope="module")
def given() -> PretrainedAutoencoders:
    return shipped_autoencoders()


def test_a_network_begins_with_the_shipped_weights_and_gives_windows_back_as_they_do(
    given: PretrainedAutoencoders,
) -> None:
    given.check(BODY, Preprocessing())
    network = BMMN(BODY, torch.Generator().manual_seed(3)).eval()
    given.begin(network)
    windows = torch.rand(2, 1, 1000, generator=torch.Generator().manual_seed(4))
    for modality, model in given.models.items():
        again, _ = autoencoder_of(model)(windows)
        assert torch.equal(network.autoencoder(modality)(windows)[0], again)


def test_a_network_of_one_signal_takes_that_signals_alone(given: PretrainedAutoencoders) -> None:
    network = BMMN(replace(BODY, modalities=("face", "eda")), torch.Generator().manual_seed(3))
    given.begin(network)
    assert torch.equal(
        network.autoencoder("eda").to_latent.weight, given.models["eda"].tensors["to_latent.weight"]
    )


@pytest.mark.parametrize(
    ("change", "made", "named"),
    [
        ({"variant": "bmmn"}, {}, "bmmn"),
        ({"modalities": ("face",)}, {}, "face"),
        ({"unpooling": "stuffing"}, {}, "stuffing"),
        ({"window_samples": 602}, {"window_samples": 602}, "602"),
        ({}, {"sampling_rate": 256.0}, "256"),
        ({}, {"eda_scaling": "quantile"}, "quantile"),
    ],
)
def test_a_network_that_they_cannot_begin_is_refused_with_what_differs(
    given: PretrainedAutoencoders, change: dict[str, object], made: dict[str, object], named: str
) -> None:
    with pytest.raises(ModelError, match=named) as caught:
        given.check(replace(BODY, **change), replace(Preprocessing(), **made))
    assert caught.value.code == "E_CONFIG"


def test_another_kind_of_model_is_no_autoencoder(given: PretrainedAutoencoders) -> None:
    model = given.models["ecg"]
    other = replace(model, contract=replace(model.contract, kind="stress likelihood"))
    with pytest.raises(ModelError, match="no bio auto-encoder") as caught:
        autoencoder_of(other)
    assert caught.value.code == "E_CHECKPOINT"


def test_people_are_known_by_their_corpus_own_ids(given: PretrainedAutoencoders) -> None:
    assert "S02" in given.people_of("stress_predict")
    assert "S25" not in given.people_of("stress_predict")  # held out
    assert given.people_of("amigos") == frozenset()
    assert {"mitbih/100", "mitbih/118", "stress_predict/S02"} <= given.people


def test_a_checkpoint_can_say_where_it_began(given: PretrainedAutoencoders) -> None:
    told = {each["name"]: each for each in given.described}
    assert set(told) == {"bae-ecg", "bae-eda"}
    for name, each in told.items():
        assert each["model_id"] == open_shipped(name).model_id
        assert each["people"]
        assert each["model_id"] in given.identity


@pytest.mark.parametrize("name", SHIPPED_AUTOENCODERS.values())
def test_a_shipped_one_is_small(name: str) -> None:
    assert sum(path.stat().st_size for path in (SHIPPED_FOLDER / name).iterdir()) < 500_000
