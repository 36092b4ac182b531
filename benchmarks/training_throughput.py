"""Training samples per second of BMMN-BAE-2 with frozen face features, beside a plain DataLoader.

    .venv/bin/python benchmarks/training_throughput.py [--seconds 20]

Every row: batch 115, joint loss, backward pass and Adam step, on the same made-up trials (random
signals, 25 rows per second, 2048 face features). The plain version is what a user would write:
``torch.utils.data.DataLoader`` over single windows, convolutions that slide. Ratios within one run;
the result is kept in benchmarks/results/training_throughput.json, with the cost of protocol A at
AMIGOS' size that follows from it.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import count
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from affectscope.datasets.prepared_trial import PreparedTrial
from affectscope.datasets.runs import RunSet, grouped
from affectscope.models.bmmn import BMMN, BMMNConfig
from affectscope.models.long_convolution import LongConv1d, LongConvTranspose1d
from affectscope.preprocessing.windows import NetworkSignal, Preprocessing, cut_windows
from affectscope.training.devices import DeviceSettings, Precision, make_fabric
from affectscope.training.fit import fresh
from affectscope.training.loop import Stage, StageSettings, TrainingRows
from affectscope.training.objective import Objective

RESULT = Path(__file__).resolve().parent / "results" / "training_throughput.json"
RATE, TRIALS, SECONDS, BATCH, FACE = 25, 16, 80, 115, 2048
SHORT_TRIALS, MEAN_CLIP, PARTICIPANTS = 640, 86.4, 40
PICTURES, FINE_TUNED_BATCH = 40, 8
PREPROCESSING = Preprocessing()


def made_up_trial(seed: int) -> PreparedTrial:
    random = np.random.default_rng(seed)
    rows, samples = RATE * SECONDS, 128 * (SECONDS + 5)

    def signal() -> NetworkSignal:
        values = random.random(samples).astype(np.float32)
        return NetworkSignal(values, np.ones(samples, dtype=bool), 128.0, -5.0)

    return PreparedTrial(
        subject_id=f"made-up-{seed % 4}",
        trial_id=str(seed),
        times=np.arange(rows) / RATE,
        duration=float(SECONDS),
        targets=random.uniform(-1, 1, (rows, 10)).astype(np.float32),
        signals={"ecg": signal(), "eda": signal()},
        faces=None,
        face_present=np.ones(rows, dtype=bool),
        key=str(seed),
    )


class Windows(Dataset):  # type: ignore[type-arg]
    """One window after another, as a plain data set gives them."""

    def __init__(self, windows: RunSet) -> None:
        self.windows = windows
        assert windows.features is not None
        self.features = windows.features

    def __len__(self) -> int:
        return len(self.windows)

    def __getitem__(self, row: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        trial = self.windows.trials[self.windows.trial_of_row[row]]
        place = self.windows.row_in_trial[row]
        centre = trial.times[place : place + 1]
        ecg, eda = (
            cut_windows(trial.signals[name], centre, PREPROCESSING)[0][0] for name in ("ecg", "eda")
        )
        return (
            torch.from_numpy(self.features[trial.key][place]),
            torch.from_numpy(ecg),
            torch.from_numpy(eda),
            torch.from_numpy(trial.targets[place]),
        )


class PlainStep:
    """The joint loss on whole windows, without any of the package's training code."""

    def __init__(self, model: BMMN) -> None:
        self.model = model
        model.requires_grad_(True)
        assert model.face is not None
        model.face.requires_grad_(False)
        self.optimiser = torch.optim.Adam([p for p in model.parameters() if p.requires_grad])

    def __call__(self, batch: tuple[Tensor, Tensor, Tensor, Tensor]) -> int:
        face, ecg, eda, truth = batch
        features = {"face": face}
        loss = torch.zeros(())
        for name, signal in (("ecg", ecg), ("eda", eda)):
            features[name] = self.model.bio_networks[name](signal)
            rebuilt, features[f"{name} latent"] = self.model.autoencoders[name](signal)
            loss = loss + (rebuilt - signal).square().mean()
        columns = [features[name] for name in self.model.config.feature_widths]
        estimate = self.model.head(torch.cat(columns, dim=1))
        loss = loss + (estimate - truth).square().mean()
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        self.optimiser.step()
        return len(truth)


def slide(model: nn.Module) -> None:
    """PyTorch's own convolutions in place of the package's, with the same weights."""
    for layer in model.modules():
        if isinstance(layer, LongConv1d):
            layer.__class__ = nn.Conv1d
        elif isinstance(layer, LongConvTranspose1d):
            layer.__class__ = nn.ConvTranspose1d


def plain(windows: RunSet, *, sliding: bool) -> Iterator[int]:
    """Rows learnt from, batch after batch."""
    model = fresh(BMMNConfig(face_encoder="resnet50"), 0)
    if sliding:
        slide(model)
    step = PlainStep(model)
    loader = DataLoader(Windows(windows), BATCH, shuffle=True)
    while True:
        yield from map(step, loader)


def ours(windows: RunSet, *, run_length: int, decoded_every: int) -> Iterator[int]:
    model = fresh(BMMNConfig(face_encoder="resnet50"), 0)
    settings = StageSettings(
        epochs=1, batch_size=BATCH, run_length=run_length, decoded_every=decoded_every
    )
    everything = np.arange(len(windows))
    stage = Stage(
        Objective(model, "joint", frozen=("face",)),
        TrainingRows(windows, everything, everything[:0]),
        settings,
        fabric=make_fabric(),
    )
    epoch = 0
    while True:
        runs = windows.runs(everything, run_length, seed=(0, epoch))
        for number, batch in enumerate(windows.batches(grouped(runs, run_length, BATCH))):
            stage.step(stage.part(batch, epoch, number))
            yield int((batch.rows >= 0).sum())
        epoch += 1


def with_pictures(windows: RunSet) -> RunSet:
    """The first rows of a few trials, with random pictures in place of features."""
    random = np.random.default_rng(1)
    trials = [
        replace(
            trial,
            times=trial.times[:PICTURES],
            targets=trial.targets[:PICTURES],
            face_present=trial.face_present[:PICTURES],
            faces=random.integers(0, 256, (PICTURES, 3, 224, 224), dtype=np.uint8),
        )
        for trial in windows.trials[:4]
    ]
    return RunSet(trials, PREPROCESSING)


def fine_tuned(windows: RunSet, precision: Precision, layout: torch.memory_format) -> Iterator[int]:
    """The whole network learns, ResNet-50 included; small batches, for memory's sake."""
    model = fresh(BMMNConfig(face_encoder="resnet50"), 0)
    model.face.to(memory_format=layout)  # type: ignore[union-attr,call-overload]
    settings = StageSettings(epochs=1, batch_size=FINE_TUNED_BATCH, run_length=4)
    everything = np.arange(len(windows))
    fabric = make_fabric(DeviceSettings(precision=precision))
    rows = TrainingRows(windows, everything, everything[:0])
    stage = Stage(Objective(model, "joint"), rows, settings, fabric=fabric)
    for epoch in count():
        runs = windows.runs(everything, 4, seed=(0, epoch))
        batches = windows.batches(grouped(runs, 4, FINE_TUNED_BATCH))
        for number, batch in enumerate(batches):
            stage.step(stage.part(batch, epoch, number))
            yield int((batch.rows >= 0).sum())


def rate(steps: Iterator[int], seconds: float) -> float:
    """Rows per second, after two steps of warming up."""
    next(steps), next(steps)
    started, rows = time.perf_counter(), 0
    while time.perf_counter() - started < seconds:
        rows += next(steps)
    return rows / (time.perf_counter() - started)


def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("--seconds", type=float, default=20.0)
    seconds = options.parse_args().seconds
    trials = [made_up_trial(seed) for seed in range(TRIALS)]
    random = np.random.default_rng(0)
    features = {t.key: random.random((len(t.times), FACE), dtype=np.float32) for t in trials}
    windows = RunSet(trials, PREPROCESSING, features, "made up")
    versions: dict[str, Callable[[], Iterator[int]]] = {
        "plain DataLoader, sliding convolutions": lambda: plain(windows, sliding=True),
        "plain DataLoader, spectral convolutions": lambda: plain(windows, sliding=False),
        "dense, runs of 23, every window rebuilt": lambda: ours(
            windows, run_length=23, decoded_every=1
        ),
        "dense, runs of 23, one window in 5 rebuilt": lambda: ours(
            windows, run_length=23, decoded_every=5
        ),
        "dense, runs of 5, one window in 5 rebuilt": lambda: ours(
            windows, run_length=5, decoded_every=5
        ),
    }
    rates = {}
    for name, start in versions.items():
        rates[name] = rate(start(), seconds)
        first = next(iter(rates.values()))
        print(f"{name}: {rates[name]:.0f} rows/s, {rates[name] / first:.1f} x", flush=True)
    pictures = with_pictures(windows)
    fine: dict[str, tuple[Precision, torch.memory_format]] = {
        "fine-tuned, fp32, channels first": ("fp32", torch.contiguous_format),
        "fine-tuned, fp32, channels last": ("fp32", torch.channels_last),
        "fine-tuned, bf16, channels last": ("bf16", torch.channels_last),
    }
    for name, (precision, layout) in fine.items():
        rates[name] = rate(fine_tuned(pictures, precision, layout), seconds)
        print(f"{name}: {rates[name]:.2f} rows/s", flush=True)
    frames = SHORT_TRIALS * MEAN_CLIP * RATE
    best = rates["dense, runs of 5, one window in 5 rebuilt"]
    hours = {
        f"{per_second} rows/s": PARTICIPANTS * 33 / 40 * frames * per_second / RATE / best / 3600
        for per_second in (1, 25)
    }
    for name, value in hours.items():
        print(f"protocol A, 40 folds, one epoch of the joint stage at {name}: {value:.2f} h")
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(
        json.dumps(
            {"rows_per_second": rates, "threads": torch.get_num_threads(), "epoch_hours": hours},
            indent=1,
        )
    )


if __name__ == "__main__":
    main()
