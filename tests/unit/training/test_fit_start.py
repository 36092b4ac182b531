"""Training that begins from given auto-encoders, and the checkpoint that says so."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from affectscope.datasets.synthetic import (
    SyntheticSettings,
    random_course,
    synthetic_person,
    write_session,
)
from affectscope.errors import ModelError
from affectscope.models.bmmn import BMMNConfig
from affectscope.models.checkpoint import load_checkpoint
from affectscope.models.pretrained_autoencoders import shipped_autoencoders
from affectscope.training.fit import FitSettings
from affectscope.training.fit_sessions import fit_sessions, start_from

BODY = BMMNConfig(variant="bmmn_bae_1", modalities=("ecg", "eda"), face_encoder="small")
NOTHING = FitSettings(epochs=(0, 0, 0), rate=0.5, batch_size=16, run_length=1)
"""No step is taken: what training began from is what it ends with."""


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("people") / "simulated-1"
    write_session(
        folder,
        synthetic_person("simulated-1", 1),
        random_course(40.0, 1),
        settings=SyntheticSettings(sampling_rate=64.0, frame_rate=0),
    )
    return folder


def test_training_begins_from_the_shipped_autoencoders_and_the_checkpoint_tells(
    session: Path, tmp_path: Path
) -> None:
    start = start_from(BODY, None, "bae")
    fit_sessions([session], tmp_path, config=BODY, settings=NOTHING, start=start)
    network, checkpoint, _ = load_checkpoint(tmp_path)
    given = shipped_autoencoders()
    for modality, model in given.models.items():
        for name, tensor in network.autoencoder(modality).state_dict().items():
            assert torch.equal(tensor, model.tensors[name]), name
    told = checkpoint.training["auto-encoders began from"]
    assert [each["name"] for each in told] == ["bae-ecg", "bae-eda"]
    assert {who for each in told for who in each["people"]} == given.people
    assert checkpoint.training_subjects == ("simulated-1",)


def test_without_the_word_training_begins_from_nothing_and_the_checkpoint_says_that(
    session: Path, tmp_path: Path
) -> None:
    fit_sessions([session], tmp_path, config=BODY, settings=NOTHING)
    network, checkpoint, _ = load_checkpoint(tmp_path)
    shipped = shipped_autoencoders().models["ecg"].tensors
    assert not torch.equal(network.autoencoder("ecg").conv1.weight, shipped["conv1.weight"])
    assert checkpoint.training["auto-encoders began from"] == []


def test_a_network_without_autoencoders_is_refused_before_anything_is_read(tmp_path: Path) -> None:
    plain = BMMNConfig(variant="bmmn", modalities=("ecg",), face_encoder="small")
    start = start_from(plain, None, "bae")
    with pytest.raises(ModelError, match="no bio auto-encoder") as caught:
        fit_sessions([tmp_path / "none"], tmp_path / "out", config=plain, settings=NOTHING,
                     start=start)  # fmt: skip
    assert caught.value.code == "E_CONFIG"
    assert not (tmp_path / "out").exists()
