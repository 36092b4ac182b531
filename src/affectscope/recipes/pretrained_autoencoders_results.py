"""What the pre-trained Bio Auto-Encoders give back of recordings that no training saw.

With the encoder's max positions ("indices", the paper's unpooling) the decoder reads 7,800 bits per
window past the latent. So beside the network that ships stand: the same network trained without
them ("interpolation"), where the latent alone tells; the network that ships, given each window's
own positions and another window's latent; a decoder that was trained on an encoder left as it was
drawn; networks that learnt nothing; each window's mean, which knows the level and no shape; and one
constant, the mean of what was learnt from.

Figures: root mean squared error in per cent of [0, 1], the range that a recording is scaled to,
over windows half a window apart; Pearson's correlation, mean over windows. A person's figure is the
mean of the recordings', everybody's the mean of the persons', with an interval by bootstrap of
people (``evaluation.cluster_bootstrap``).

Legend: N windows, W samples of a window.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from affectscope.datasets.open_recordings import SignalName
from affectscope.evaluation.cluster_bootstrap import draw_people, interval
from affectscope.models.bio_autoencoder import BioAutoEncoder, BioAutoEncoderConfig, Unpooling
from affectscope.models.pretrained_autoencoders import SHIPPED_AUTOENCODERS
from affectscope.models.shipped import ResultTable
from affectscope.preprocessing.windows import cut_windows
from affectscope.recipes.pretrained_autoencoders_training import (
    PREPROCESSING,
    AutoencoderTraining,
    HeldSignal,
    trained,
    window_counts,
)
from affectscope.records import FloatArray

Progress = Callable[[float, str], None]
WindowValues = NDArray[np.float32]
Rebuilds = Callable[[WindowValues], WindowValues]
"""(N, 1, W) -> (N, 1, W)."""

CONSTANT = "one constant"
MEAN = "window's mean"
SHIPS, WITHOUT = "with indices (ships)", "without indices"
OTHERS_LATENT = "own indices, another window's latent"
DRAWN = "encoder as drawn, decoder trained, with indices"
UNTRAINED, UNTRAINED_WITHOUT = "untrained, with indices", "untrained, without"
CONTROLS = (OTHERS_LATENT, DRAWN, UNTRAINED, UNTRAINED_WITHOUT)
COMMAND = "affectscope models train {name} --data FOLDER --out OUT"
_AT_ONCE = 256


@dataclass(frozen=True)
class Figures:
    """Of one recording: per cent of [0, 1], and the mean correlation, NaN where nothing varies."""

    error: float
    correlation: float


@dataclass(frozen=True, eq=False)
class Measured:
    """Of every held-out recording by its name: its person, its windows, each system's figures."""

    people: Mapping[str, str]
    windows: Mapping[str, WindowValues]
    figures: Mapping[str, Mapping[str, Figures]]


def result_tables(
    ships: BioAutoEncoder,
    learnt: Sequence[HeldSignal],
    held_out: Sequence[HeldSignal],
    *,
    training: AutoencoderTraining,
    progress: Progress,
) -> tuple[ResultTable, ...]:
    """Reconstruction by recording; trains what stands beside the network that ships.

    Raises:
        ModelError: E_TRAINING_DIVERGED, E_MEMORY.
    """
    systems = _systems(ships, learnt, training, lambda share, text: progress(0.9 * share, text))
    windows = {each.recording.name: windows_of(each) for each in held_out}
    figures = {}
    for number, (name, rebuild) in enumerate(systems.items()):
        progress(0.9 + 0.1 * number / len(systems), f"measuring: {name}")
        figures[name] = {
            recording: figures_of(values, rebuild(values)) for recording, values in windows.items()
        }
    people = {each.recording.name: each.recording.person for each in held_out}
    return tables_of(Measured(people, windows, figures), learnt[0].recording.modality)


def _systems(
    ships: BioAutoEncoder,
    learnt: Sequence[HeldSignal],
    training: AutoencoderTraining,
    progress: Progress,
) -> dict[str, Rebuilds]:
    def taught(name: str, unpooling: Unpooling, parts: Sequence[str], done: float) -> Rebuilds:
        network, _ = trained(
            learnt,
            training,
            unpooling=unpooling,
            learns=parts,
            progress=lambda share: progress(done + share / 2, name),
        )
        return partial(rebuilt, network)

    constant = partial(np.full_like, fill_value=_mean(learnt, training))
    return {
        CONSTANT: constant,
        MEAN: means,
        SHIPS: partial(rebuilt, ships),
        WITHOUT: taught(WITHOUT, "interpolation", ("encoder", "decoder"), 0.0),
        OTHERS_LATENT: partial(rebuilt, ships, others=True),
        DRAWN: taught(DRAWN, "indices", ("decoder",), 0.5),
        UNTRAINED: partial(rebuilt, untrained("indices", training.seed)),
        UNTRAINED_WITHOUT: partial(rebuilt, untrained("interpolation", training.seed)),
    }


def _mean(learnt: Sequence[HeldSignal], training: AutoencoderTraining) -> float:
    """Of the signals, each weighing as many windows as it gives."""
    counts = window_counts(learnt, training)
    means = [each.signal.values.mean(dtype=np.float64) for each in learnt]
    return float(np.average(means, weights=[counts[each.recording.name] for each in learnt]))


def untrained(unpooling: Unpooling, seed: int) -> BioAutoEncoder:
    """A network as training begins it."""
    config = BioAutoEncoderConfig(unpooling=unpooling)
    return BioAutoEncoder(config, torch.Generator().manual_seed(seed)).eval()


def windows_of(held: HeldSignal) -> WindowValues:
    """(N, 1, W) of a whole recording, half a window apart."""
    signal, step = held.signal, PREPROCESSING.window_duration / 2
    end = signal.start_time + len(signal.values) / signal.sampling_rate
    values, usable = cut_windows(
        signal, np.arange(signal.start_time + step, end - step, step), PREPROCESSING
    )
    return values[usable]


def means(windows: WindowValues) -> WindowValues:
    """Each window's mean in place of its values."""
    return np.broadcast_to(windows.mean(axis=2, keepdims=True), windows.shape)


def rebuilt(
    network: BioAutoEncoder, windows: WindowValues, *, others: bool = False
) -> WindowValues:
    """(N, 1, W) as the network gives the windows back.

    Args:
        others: each from its own positions and the latent of the window half the recording on.
    """
    found = []
    with torch.inference_mode():
        encoded = [network.encode(part) for part in _parts(torch.from_numpy(windows))]
        latents = torch.cat([part.latent for part in encoded])
        if others:
            latents = latents.roll(len(latents) // 2, 0)
        for latent, part in zip(_parts(latents), encoded, strict=True):
            found.append(network.decode(latent, part.indices))
        values: WindowValues = torch.cat(found).numpy()
    return values


def _parts(values: Tensor) -> list[Tensor]:
    return [values[first : first + _AT_ONCE] for first in range(0, len(values), _AT_ONCE)]


def figures_of(windows: WindowValues, given_back: WindowValues) -> Figures:
    """Error and correlation over all windows (N, 1, W) of a recording."""
    x, y = windows[:, 0].astype(np.float64), given_back[:, 0].astype(np.float64)
    error = 100.0 * float(np.sqrt(np.square(x - y).mean()))
    x, y = (part - part.mean(axis=1, keepdims=True) for part in (x, y))
    power = np.sqrt(np.square(x).sum(axis=1) * np.square(y).sum(axis=1))
    varies = power > 1e-9
    if not varies.any():
        return Figures(error, float("nan"))
    return Figures(error, float(((x * y).sum(axis=1)[varies] / power[varies]).mean()))


def tables_of(measured: Measured, modality: SignalName) -> tuple[ResultTable, ...]:
    """What is said of the network that ships, and of its controls."""
    who = f"{modality.upper()} of {len(set(measured.people.values()))} held-out people"
    error = "root mean squared error in % of the recording's range"
    return (
        _table(
            measured,
            f"Reconstruction, {who}: {error} (mean correlation)",
            (CONSTANT, MEAN, SHIPS, WITHOUT),
            _with_correlation,
            modality,
        ),
        _table(
            measured,
            f"What the indices alone give, {who}: {error}",
            CONTROLS,
            _error,
            modality,
        ),
    )


def _error(figures: Figures) -> str:
    return f"{figures.error:.1f}"


def _with_correlation(figures: Figures) -> str:
    shape = "" if np.isnan(figures.correlation) else f" ({figures.correlation:.2f})"
    return f"{figures.error:.1f}{shape}"


def _table(
    measured: Measured,
    title: str,
    systems: Sequence[str],
    cell: Callable[[Figures], str],
    modality: SignalName,
) -> ResultTable:
    rows = [
        (name, str(len(windows)), *(cell(measured.figures[system][name]) for system in systems))
        for name, windows in measured.windows.items()
    ]
    total = sum(len(windows) for windows in measured.windows.values())
    everybody = [_over_people(measured, system) for system in systems]
    rows.append(("mean over people [95 %]", str(total), *everybody))
    return ResultTable(
        title=title,
        columns=("recording", "windows", *systems),
        rows=tuple(rows),
        command=COMMAND.format(name=SHIPPED_AUTOENCODERS[modality]),
    )


def _over_people(measured: Measured, system: str) -> str:
    """The persons' mean error with its interval."""
    of_person: dict[str, list[float]] = {}
    for name, person in measured.people.items():
        of_person.setdefault(person, []).append(measured.figures[system][name].error)
    errors: FloatArray = np.array([np.mean(own) for own in of_person.values()])
    drawn = draw_people(len(errors)).people @ errors / len(errors)
    low, high = interval(drawn, len(errors))
    return f"{errors.mean():.1f} [{low:.1f}, {high:.1f}]"
