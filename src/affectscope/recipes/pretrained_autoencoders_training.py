"""Training of a Bio Auto-Encoder on open recordings: signals -> windows -> a network.

1. No recording drowns the others: a source's share of the windows grows with the square root of the
   number of its recordings, and each of its recordings has an equal part of that share, its windows
   evenly spread. Windows of a short recording overlap the more.
2. Adam at 5e-4 after a first epoch at 3e-4, and 1e-4 at the end. Begun at 2e-3 with batches of 16,
   the EDA's network gave one constant for every window and stayed there; left at 1e-3 for 20
   epochs, it lost in the last two what it had learnt in ten. 16 epochs were too few for both.
3. No early stop: it would need more people held out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from affectscope.datasets.body_analysis import analyse_body
from affectscope.datasets.open_recordings import (
    OPEN_SOURCES,
    OpenRecording,
    SignalName,
    open_recordings,
)
from affectscope.datasets.prepared_trial import PreparedTrial
from affectscope.datasets.runs import RunSet
from affectscope.datasets.window_dataset import WindowStream
from affectscope.errors import InputError
from affectscope.models.bio_autoencoder import BioAutoEncoder, Unpooling
from affectscope.models.bmmn import BMMNConfig
from affectscope.preprocessing.windows import NetworkSignal, Preprocessing, usable_windows
from affectscope.records import TARGETS, FloatArray
from affectscope.training.devices import make_fabric
from affectscope.training.fit import fresh
from affectscope.training.loop import Stage, StageSettings, TrainingRows
from affectscope.training.objective import Objective

if TYPE_CHECKING:
    from lightning_fabric import Fabric

PREPROCESSING = Preprocessing()
"""That of a session: what a network was taught is what it will see."""

_STEP = 1 / 16
"""Seconds between the places that a window may have."""


@dataclass(frozen=True)
class AutoencoderTraining:
    """How one is trained.

    Attributes:
        windows: of an epoch, about.
        phases: (epochs, learning rate of Adam), one after the other.
    """

    windows: int = 1500
    phases: tuple[tuple[int, float], ...] = ((1, 3e-4), (40, 5e-4), (15, 1e-4))
    batch_size: int = 32
    seed: int = 0


@dataclass(frozen=True, eq=False)
class HeldSignal:
    """A recording as networks see it.

    Attributes:
        centres: seconds at which a usable window may lie.
    """

    recording: OpenRecording
    signal: NetworkSignal
    centres: FloatArray


def read_signals(modality: SignalName, data: Path) -> list[HeldSignal]:
    """All open recordings of a signal, cleaned and scaled.

    Raises:
        InputError: a file that is missing or cannot be read, E_SIGNAL_UNUSABLE.
    """
    return [read_signal(recording, data) for recording in open_recordings(modality)]


def read_signal(recording: OpenRecording, data: Path) -> HeldSignal:
    """One of them.

    Raises:
        InputError: as ``read_signals``.
    """
    session = recording.read(data)
    body = analyse_body(session)

    def no_face() -> tuple[bytes, bytes]:
        raise AssertionError("an open recording has no video")

    stream = WindowStream(session, body, PREPROCESSING, no_face)
    signal = stream.signals().get(recording.modality)
    if signal is None:
        reason = body.notices[-1].sentence if body.notices else "it holds nothing usable."
        raise InputError(
            "E_SIGNAL_UNUSABLE", f"{recording.name}: {reason}", "Take it as it was published."
        )
    times = np.arange(0.0, len(signal.values) / signal.sampling_rate, _STEP) + signal.start_time
    return HeldSignal(recording, signal, times[usable_windows(signal, times, PREPROCESSING)])


def window_counts(signals: Sequence[HeldSignal], training: AutoencoderTraining) -> dict[str, int]:
    """How many windows of an epoch each recording gives, by its name; see the head of this file."""
    recordings = [each.recording for each in signals]
    of_source = {name: sum(each.source == name for each in recordings) for name in OPEN_SOURCES}
    whole = sum(np.sqrt(number) for number in of_source.values())
    return {
        each.name: round(training.windows / whole / np.sqrt(of_source[each.source]))
        for each in recordings
    }


def trained(
    signals: Sequence[HeldSignal],
    training: AutoencoderTraining,
    *,
    unpooling: Unpooling = "indices",
    learns: Sequence[str] = ("encoder", "decoder"),
    progress: Callable[[float], None] = lambda _share: None,
) -> tuple[BioAutoEncoder, list[float]]:
    """A network that learnt from the recordings, in evaluation mode, and its loss in each epoch.

    Args:
        learns: without "encoder" the encoder stays as it was drawn.

    Raises:
        ModelError: E_TRAINING_DIVERGED, E_MEMORY.
    """
    modality = signals[0].recording.modality
    config = BMMNConfig(variant="bmmn_bae_1", modalities=(modality,), unpooling=unpooling)
    network = fresh(config, training.seed)
    rows, fabric = _rows(signals, training), make_fabric()
    losses: list[float] = []
    parts = len(training.phases)
    for number in range(parts):
        objective = Objective(network, "reconstruction")
        if "encoder" not in learns:
            for parameter in _encoder_parameters(network.autoencoder(modality)):
                parameter.requires_grad_(False)
        stage = _stage(objective, rows, training, number=number, fabric=fabric)

        def report(share: float, done: int = number) -> None:
            progress((done + share) / parts)

        stage.progress = report
        losses += stage.train().losses
    return network.eval().autoencoder(modality), losses


def _stage(
    objective: Objective,
    rows: TrainingRows,
    training: AutoencoderTraining,
    *,
    number: int,
    fabric: Fabric,
) -> Stage:
    epochs, rate = training.phases[number]
    settings = StageSettings(
        epochs=epochs,
        learning_rate=rate,
        batch_size=training.batch_size,
        run_length=1,
        save_every=1 << 30,
        seed=training.seed,
        stage=number,
    )
    return Stage(objective, rows, settings, fabric=fabric)


def _encoder_parameters(autoencoder: BioAutoEncoder) -> Iterator[torch.nn.Parameter]:
    parts = (autoencoder.conv1, autoencoder.conv2, autoencoder.conv3, autoencoder.to_latent)
    return (parameter for part in parts for parameter in part.parameters())


def _rows(signals: Sequence[HeldSignal], training: AutoencoderTraining) -> TrainingRows:
    counts = window_counts(signals, training)
    trials = [_trial(each, counts[each.recording.name]) for each in signals]
    windows = RunSet(trials, PREPROCESSING, modalities=(signals[0].recording.modality,))
    everything = np.arange(len(windows))
    return TrainingRows(windows, everything, everything[:0])


def _trial(held: HeldSignal, count: int) -> PreparedTrial:
    """A recording with ``count`` rows evenly among those that are usable; nothing was rated."""
    places = np.rint(np.linspace(0, len(held.centres) - 1, count)).astype(np.int64)
    return PreparedTrial(
        subject_id=held.recording.person,
        trial_id=held.recording.name,
        times=held.centres[places],
        duration=len(held.signal.values) / held.signal.sampling_rate,
        targets=np.full((count, len(TARGETS)), np.nan, dtype=np.float32),
        signals={held.recording.modality: held.signal},
        faces=None,
        face_present=np.zeros(count, dtype=np.bool_),
        key=held.recording.name,
    )


@contextmanager
def one_thread() -> Iterator[None]:
    """torch computes with one thread: sums then run in one order."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
