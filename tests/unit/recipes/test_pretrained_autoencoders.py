"""The shipped bio auto-encoders: whom they learnt from, that they come out again, their tables."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from affectscope.datasets.open_recordings import OpenRecording, open_recordings
from affectscope.errors import InputError, ModelError
from affectscope.io.channels import SignalSource
from affectscope.models.pretrained_autoencoders import autoencoder_of
from affectscope.models.shipped import open_model, open_shipped
from affectscope.preprocessing.windows import NetworkSignal
from affectscope.recipes import pretrained_autoencoders as recipe
from affectscope.recipes import pretrained_autoencoders_results as results
from affectscope.recipes import pretrained_autoencoders_training as training
from affectscope.recipes.pretrained_autoencoders_training import AutoencoderTraining, HeldSignal

NAMES = {"ecg": "bae-ecg", "eda": "bae-eda"}
TINY = AutoencoderTraining(windows=24, phases=((1, 1e-3),), batch_size=12)


def held(name: str, seconds: float = 30.0, seed: int = 0) -> HeldSignal:
    """A made-up signal under an open recording's name."""
    random = np.random.default_rng(seed)
    time = np.arange(round(128 * seconds)) / 128
    values = 0.5 + 0.3 * np.sin(time * (1 + seed)) + 0.05 * random.standard_normal(len(time))
    signal = NetworkSignal(values.astype(np.float32), np.ones(len(time), bool), 128.0, 0.0)
    source = name.split("/")[0]
    recording = OpenRecording(source, name, f"{name}.csv", "eda", SignalSource(1))
    return HeldSignal(recording, signal, np.arange(4.0, seconds - 4.0, 1 / 16))


PEOPLE = [held("stress_predict/S01"), held("stress_predict/S02", seed=1), held("plux/a", 20.0, 2)]


@pytest.mark.parametrize("modality", NAMES)
def test_nobody_held_out_is_among_whom_the_shipped_one_learnt_from(modality: str) -> None:
    contract = open_shipped(NAMES[modality]).contract
    held_out = set(recipe.HELD_OUT[modality])
    everybody = {each.person for each in open_recordings(modality)}
    assert contract.people == everybody - held_out
    assert held_out < everybody
    measured = {row[0] for row in contract.results[0].rows[:-1]}
    assert measured == {e.name for e in open_recordings(modality) if e.person in held_out}


@pytest.mark.parametrize("modality", NAMES)
def test_the_contract_holds_every_source_with_licence_and_the_files_hashes(
    modality: str, real_data: Path
) -> None:
    contract = open_shipped(NAMES[modality]).contract
    learnt = [
        each for each in open_recordings(modality) if each.person not in recipe.HELD_OUT[modality]
    ]
    hashes = {
        f"{s.name}/{path}": value for s in contract.sources for path, value in s.hashes.items()
    }
    assert hashes == {each.path: each.sha256(real_data) for each in learnt}
    assert all(source.licence and source.citation for source in contract.sources)
    assert contract.limits


@pytest.mark.parametrize(
    ("modality", "name"), [("ecg", "plux/ecg_20_sec_1000_Hz"), ("eda", "plux/eda_slow_signal")]
)
def test_the_table_holds_what_the_shipped_weights_give(
    modality: str, name: str, real_data: Path
) -> None:
    opened = open_shipped(NAMES[modality])
    (one,) = [each for each in open_recordings(modality) if each.name == name]
    windows = results.windows_of(training.read_signal(one, real_data))
    figures = results.figures_of(windows, results.rebuilt(autoencoder_of(opened), windows))
    table = opened.contract.results[0]
    (row,) = [row for row in table.rows if row[0] == name]
    printed = row[table.columns.index(results.SHIPS)]
    error, correlation = printed.rstrip(")").split(" (")
    assert float(error) == pytest.approx(figures.error, abs=0.11)
    assert float(correlation) == pytest.approx(figures.correlation, abs=0.011)
    assert int(row[1]) == len(windows)


@pytest.mark.parametrize("modality", NAMES)
def test_the_shipped_one_beats_a_constant_and_an_untrained_one_on_held_out_people(
    modality: str,
) -> None:
    def everybody(column: str) -> float:
        for table in open_shipped(NAMES[modality]).contract.results:
            if column in table.columns:
                return float(table.rows[-1][table.columns.index(column)].split()[0])
        raise AssertionError(column)

    for column in (results.CONSTANT, results.UNTRAINED, results.OTHERS_LATENT):
        assert everybody(results.SHIPS) < everybody(column)


def test_training_twice_gives_the_same_bits_whatever_the_threads() -> None:
    before = torch.get_num_threads()
    found = []
    for threads in (1, 2):
        torch.set_num_threads(threads)
        with training.one_thread():
            found.append(training.trained(PEOPLE, TINY))
        assert torch.get_num_threads() == threads
    torch.set_num_threads(before)
    (first, losses), (second, again) = found
    assert losses == again
    for name, tensor in first.state_dict().items():
        assert torch.equal(tensor, second.state_dict()[name]), name


def test_an_encoder_that_is_not_to_learn_stays_as_it_was_drawn() -> None:
    network, losses = training.trained(PEOPLE, TINY, learns=("decoder",))
    drawn = results.untrained("indices", TINY.seed)
    assert len(losses) == 1
    assert torch.equal(network.conv1.weight, drawn.conv1.weight)
    assert torch.equal(network.to_latent.weight, drawn.to_latent.weight)
    assert not torch.equal(network.deconv1.weight, drawn.deconv1.weight)


def test_a_source_counts_by_the_root_of_its_recordings_and_each_recording_alike() -> None:
    many = [held(f"stress_predict/S{number:02}") for number in range(16)]
    counts = training.window_counts([*many, held("plux/a")], AutoencoderTraining(windows=1000))
    assert {counts[each.recording.name] for each in many} == {50}
    assert counts["plux/a"] == 200


def test_figures_are_per_cent_of_the_range_and_correlations_of_each_window() -> None:
    windows = np.stack([np.linspace(0, 1, 1000), np.linspace(1, 0, 1000)])[:, None].astype("f4")
    same = results.figures_of(windows, windows)
    assert (same.error, same.correlation) == (0.0, pytest.approx(1.0))
    mean = results.figures_of(windows, results.means(windows))
    assert mean.error == pytest.approx(100 / np.sqrt(12), rel=1e-2)
    assert np.isnan(mean.correlation)
    turned = results.figures_of(windows, windows[::-1])
    assert turned.correlation == pytest.approx(-1.0)


def test_another_windows_latent_comes_with_its_own_positions() -> None:
    network = results.untrained("indices", 5)
    windows = results.windows_of(PEOPLE[0])
    own, others = results.rebuilt(network, windows), results.rebuilt(network, windows, others=True)
    encoded = network.encode(torch.from_numpy(windows))
    assert not np.allclose(own, others)
    shifted = encoded.latent.roll(len(windows) // 2, 0)
    with torch.inference_mode():
        wanted = network.decode(shifted, encoded.indices).numpy()
    np.testing.assert_allclose(others, wanted, atol=1e-6)


def test_everybody_is_the_mean_over_people_not_over_recordings() -> None:
    figures = {"a": 1.0, "b": 3.0, "c": 8.0}
    measured = results.Measured(
        {"a": "x", "b": "x", "c": "y"},
        dict.fromkeys(figures, np.zeros((2, 1, 4), np.float32)),
        {
            system: {name: results.Figures(error, 0.5) for name, error in figures.items()}
            for system in (
                results.CONSTANT,
                results.MEAN,
                results.SHIPS,
                results.WITHOUT,
                *results.CONTROLS,
            )
        },
    )
    main, controls = results.tables_of(measured, "eda")
    assert main.rows[-1][:2] == ("mean over people [95 %]", "6")
    assert all(cell.startswith("5.0 [2.0, 8.0]") for cell in main.rows[-1][2:])
    assert main.rows[0][2] == "1.0 (0.50)"
    assert "of 2 held-out people" in main.title
    assert len(controls.columns) == 2 + len(results.CONTROLS)


def test_the_recipe_makes_a_model_of_the_shipped_ones_people_and_shape(
    real_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The whole recipe on the short real recordings; the training learns next to nothing."""
    short = tuple(each for each in open_recordings("eda") if each.source != "stress_predict")
    monkeypatch.setattr(training, "open_recordings", lambda _modality: short)
    tiny = AutoencoderTraining(windows=60, phases=((1, 1e-3),), batch_size=30)
    model_id = recipe.train_autoencoder("bae-eda", real_data, tmp_path / "out", training=tiny)
    rebuilt, shipped = open_model(tmp_path / "out"), open_shipped("bae-eda")
    assert rebuilt.model_id == model_id
    assert rebuilt.contract.sources == tuple(
        each for each in shipped.contract.sources if each.name != "stress_predict"
    )
    assert rebuilt.contract.configuration == shipped.contract.configuration
    assert rebuilt.tensors.keys() == shipped.tensors.keys()
    for table, other in zip(rebuilt.contract.results, shipped.contract.results, strict=True):
        assert table.columns == other.columns
        own, theirs = dict(row[:2] for row in table.rows), dict(row[:2] for row in other.rows)
        assert own["plux/eda_slow_signal"] == theirs["plux/eda_slow_signal"]


def test_an_unknown_name_or_a_folder_without_recordings_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="bae-eeg") as caught:
        recipe.train_autoencoder("bae-eeg", tmp_path, tmp_path / "out")
    assert caught.value.code == "E_CONFIG"
    with pytest.raises(InputError, match="stress_predict") as refused:
        recipe.train_autoencoder("bae-eda", tmp_path, tmp_path / "out")
    assert refused.value.code == "E_CORPUS"
    assert not (tmp_path / "out").exists()
