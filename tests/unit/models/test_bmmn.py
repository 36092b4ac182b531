from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from affectscope.errors import ModelError
from affectscope.models.bmmn import BMMN, BMMNConfig
from affectscope.records import TARGETS, Modality

SMALL = BMMNConfig(face_encoder="small")


def batch(rows: int) -> dict[Modality, Tensor]:
    generator = torch.Generator().manual_seed(7)
    return {
        "face": torch.randint(0, 256, (rows, 3, 224, 224), dtype=torch.uint8, generator=generator),
        "ecg": torch.rand(rows, 1, 1000, generator=generator),
        "eda": torch.rand(rows, 1, 1000, generator=generator),
    }


@pytest.fixture(scope="module")
def model() -> BMMN:
    """With biases as training leaves them: with fresh ones, a window of zeros has no features."""
    generator = torch.Generator().manual_seed(0)
    network = BMMN(SMALL, generator).eval()
    for name, parameter in network.named_parameters():
        if name.endswith("bias"):
            torch.nn.init.uniform_(parameter, 0.1, 0.3, generator=generator)
    return network


@pytest.mark.parametrize(
    ("variant", "modalities", "width"),
    [
        ("bmmn", ("face", "ecg", "eda"), 7352),
        ("bmmn_bae_1", ("face", "ecg", "eda"), 2304),
        ("bmmn_bae_2", ("face", "ecg", "eda"), 7608),
        ("bmmn", ("face",), 2048),
        ("bmmn", ("ecg", "eda"), 5304),
    ],
)
def test_feature_widths_are_the_papers(variant: str, modalities: tuple, width: int) -> None:
    config = BMMNConfig(variant=variant, modalities=modalities)
    assert sum(config.feature_widths.values()) == width


def test_the_head_is_one_layer_or_two() -> None:
    count = sum(parameter.numel() for parameter in BMMN(SMALL).head.parameters())
    assert count == (64 + 2 * 2652 + 2 * 128) * 10 + 10
    hidden = BMMN(replace(SMALL, variant="bmmn_bae_1", hidden=32))
    assert hidden.estimate(batch(1)).shape == (1, 10)
    count = sum(parameter.numel() for parameter in hidden.head.parameters())
    assert count == (64 + 2 * 128) * 32 + 32 + 32 * 10 + 10


@pytest.mark.parametrize(
    ("change", "bad", "choice"),
    [
        ({"variant": "bae"}, "bae", "bmmn_bae_2"),
        ({"face_encoder": "vgg"}, "vgg", "resnet50"),
        ({"unpooling": "nearest"}, "nearest", "stuffing"),
        ({"modalities": ()}, "modalities", "eda"),
        ({"modalities": ("face", "eeg")}, "eeg", "eda"),
        ({"modalities": ("ecg", "ecg")}, "ecg", "each once"),
        ({"targets": ("dominance",)}, "dominance", "valence"),
        ({"window_samples": 100}, "100", "from 602"),
        ({"window_samples": 1001}, "1001", "even"),
        ({"window_samples": 10**9}, str(10**9), "16384"),
        ({"hidden": -1}, "-1", "4096"),
        ({"hidden": 10**12}, str(10**12), "4096"),
    ],
)
def test_a_bad_configuration_is_refused_with_the_choices(
    change: dict, bad: str, choice: str
) -> None:
    with pytest.raises(ModelError) as caught:
        replace(SMALL, **change)
    assert caught.value.code == "E_CONFIG"
    assert bad in caught.value.sentence
    assert choice in caught.value.remedy


def test_the_shortest_window_works() -> None:
    config = replace(SMALL, modalities=("ecg", "eda"), window_samples=602)
    output = BMMN(config)({"ecg": torch.rand(2, 1, 602), "eda": torch.rand(2, 1, 602)})
    assert output.reconstructions["ecg"].shape == (2, 1, 602)


def test_an_absent_key_and_a_false_mask_are_the_same(model: BMMN) -> None:
    inputs = batch(3)
    nowhere = torch.zeros(3, dtype=torch.bool)
    for name in inputs:
        without = {key: value for key, value in inputs.items() if key != name}
        masked = model.estimate(inputs, {name: nowhere})
        torch.testing.assert_close(model.estimate(without), masked)
        assert not torch.allclose(masked, model.estimate(inputs), atol=1e-4)


def test_a_row_without_anything_gives_the_heads_bias(model: BMMN) -> None:
    inputs = batch(2)
    nowhere = torch.zeros(2, dtype=torch.bool)
    found = model.estimate(inputs, dict.fromkeys(inputs, nowhere))
    torch.testing.assert_close(found, model.head[0].bias.expand(2, 10))


@pytest.mark.parametrize("garbage", [float("nan"), float("inf"), -1e30])
def test_garbage_in_a_masked_row_changes_nothing(model: BMMN, garbage: float) -> None:
    inputs = batch(4)
    inputs["face"] = inputs["face"] / 255
    present = {
        "face": torch.tensor([True, False, True, True]),
        "ecg": torch.tensor([True, True, False, True]),
        "eda": torch.tensor([False, True, True, True]),
    }
    clean = model(inputs, present)
    spoilt = {name: values.clone() for name, values in inputs.items()}
    for name, rows in present.items():
        spoilt[name][~rows] = garbage
    found = model(spoilt, present)
    assert torch.equal(found.targets, clean.targets)
    for name, reconstruction in found.reconstructions.items():
        assert torch.equal(
            reconstruction[present[name]], clean.reconstructions[name][present[name]]
        )


def test_garbage_in_a_masked_row_spoils_no_gradient() -> None:
    network = BMMN(SMALL, torch.Generator().manual_seed(0))
    inputs = batch(3)
    inputs["ecg"][1] = torch.nan
    inputs["face"] = inputs["face"] / 255
    inputs["face"][2] = torch.nan
    present = {
        "ecg": torch.tensor([True, False, True]),
        "face": torch.tensor([True, True, False]),
    }
    output = network(inputs, present)
    loss = output.targets.square().sum() + output.reconstructions["eda"].square().sum()
    loss.backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is None or bool(torch.isfinite(parameter.grad).all()), name


def test_masked_rows_reach_no_other_row(model: BMMN) -> None:
    inputs = batch(3)
    rows = torch.tensor([True, False, True])
    kept = {name: values[rows] for name, values in inputs.items()}
    found = model.estimate(inputs, dict.fromkeys(inputs, rows))
    torch.testing.assert_close(found[rows], model.estimate(kept), rtol=1e-5, atol=1e-5)


def test_unused_modalities_are_ignored() -> None:
    config = replace(SMALL, variant="bmmn", modalities=("eda",))
    network = BMMN(config, torch.Generator().manual_seed(0)).eval()
    inputs = batch(2)
    assert torch.equal(network.estimate(inputs), network.estimate({"eda": inputs["eda"]}))


def test_estimate_and_reconstruct_are_parts_of_forward(model: BMMN) -> None:
    inputs = batch(2)
    output = model(inputs)
    assert torch.equal(model.estimate(inputs), output.targets)
    for name, reconstruction in model.reconstruct(inputs).items():
        assert torch.equal(reconstruction, output.reconstructions[name])
    assert list(output.reconstructions) == ["ecg", "eda"]


def test_targets_are_linear_outputs(model: BMMN) -> None:
    network = BMMN(SMALL).eval()
    network.load_state_dict(model.state_dict())
    with torch.no_grad():
        network.head[0].bias += 5
    inputs = batch(2)
    torch.testing.assert_close(network.estimate(inputs), model.estimate(inputs) + 5)


def test_fewer_targets() -> None:
    config = replace(SMALL, variant="bmmn_bae_1", targets=TARGETS[:2])
    assert BMMN(config).estimate(batch(1)).shape == (1, 2)


def test_encoders_are_passed_on_and_heads_are_not() -> None:
    whole = BMMN(SMALL, torch.Generator().manual_seed(1)).eval()
    face_only = BMMN(
        replace(SMALL, variant="bmmn", modalities=("face",)), torch.Generator().manual_seed(2)
    ).eval()
    head = whole.head[0].weight.clone()
    ecg = whole.bio_networks["ecg"].conv1.weight.clone()
    whole.load_encoders(face_only)
    face = batch(2)["face"]
    assert torch.equal(whole.face(face), face_only.face(face))
    assert torch.equal(whole.head[0].weight, head)
    assert torch.equal(whole.bio_networks["ecg"].conv1.weight, ecg)
    assert list(whole.encoders()) == [
        "face",
        "bio_networks.ecg",
        "bio_networks.eda",
        "autoencoders.ecg",
        "autoencoders.eda",
    ]


def test_a_generator_draws_every_weight() -> None:
    first = BMMN(SMALL, torch.Generator().manual_seed(3)).state_dict()
    second = BMMN(SMALL, torch.Generator().manual_seed(3)).state_dict()
    other = BMMN(SMALL, torch.Generator().manual_seed(4)).state_dict()
    for name, tensor in first.items():
        assert torch.equal(tensor, second[name]), name
        if name.endswith("conv1.weight"):
            assert not torch.equal(tensor, other[name]), name
