"""The signal encoders over a run of neighbouring windows at once, sharing their common work.

Windows one video frame apart share 995 of 1000 samples. So each convolution slides once over the
whole run, and every window takes its values out of the result. A pool of 2 keeps every other value,
counted from the window's own start: after a first pool the starts' remainders modulo 2 make up to
two series, after a second their remainders modulo 4 up to four; only those that occur are computed
(one alone where the starts are 4, 8 or 128 samples apart). Exact for any starts, also in training,
as long as neighbouring windows are scaled alike.

The Bio Network pads: near its ends a window sees zeros in place of the neighbours' samples. Those
few values are computed window by window.

Legend: R runs, S samples of a run, M windows of a run, W window samples, C and O channels, G
series, L length of a series, K kernel, F features, Z latent size, D windows that are decoded,
T targets.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from affectscope.models.bio_autoencoder import BioAutoEncoder, Encoded
from affectscope.models.bio_network import PADDING, POOL, BioNetwork
from affectscope.models.bmmn import BMMN, face_features
from affectscope.models.long_convolution import LongConv1d
from affectscope.records import Modality


def bio_network_features(
    network: BioNetwork, runs: Tensor, starts: Tensor, window_samples: int
) -> Tensor:
    """What ``network`` gives for windows of runs: (R, 1, S) -> (R M, F).

    Args:
        starts: (R, M) int64, the windows' first samples; each window lies inside its run:
            0 <= start <= S - W.
    """
    whole = _Series(runs[:, :, None])
    windows = whole.taken(starts, window_samples)
    stem = _pooled_windows(network.conv1, windows, _Place(whole, starts), touched=0)
    # The stem's value 0 begins in the padding, so it would lie that much before the window.
    first = starts - PADDING
    pooled = _Place(whole.slid(network.conv1).pairs().every_second(first), first)
    branches = [
        _pooled_windows(layer, stem, pooled, touched=1)
        for layer in (network.conv2, network.conv3, network.conv4)
    ]
    return torch.cat([part.flatten(1) for part in (stem, *branches)], dim=1)


def encode_runs(
    autoencoder: BioAutoEncoder, runs: Tensor, starts: Tensor, columns: Tensor
) -> tuple[Tensor, Encoded]:
    """What ``autoencoder.encode`` gives for windows of runs: (R, 1, S) -> all latents (R M, Z).

    Args:
        starts: (R, M) int64, each window inside its run.
        columns: (D,) int64, which of the M windows are to be decoded.

    Returns:
        The latents of all windows, and what ``decode`` needs for those in ``columns`` (R D, ...).
    """
    keeps_indices = autoencoder.config.unpooling == "indices"
    layers = (autoencoder.conv1, autoencoder.conv2, autoencoder.conv3)
    series = _Series(runs[:, :, None])
    decoded = starts[:, columns]
    indices = []
    for layer, length in zip(layers, autoencoder.lengths, strict=True):
        slid = series.slid(layer)
        if keeps_indices and len(columns):
            second = slid.second_is_larger().every_second(decoded).taken(decoded, length // POOL)
            indices.append(torch.arange(0, length - 1, POOL, device=runs.device) + second)
        series = slid.pairs().every_second(starts)
    flat = series.taken(starts, autoencoder.flat_shape[1]).flatten(1)
    latent = autoencoder.to_latent(flat)
    chosen = latent.view(*starts.shape, -1)[:, columns].flatten(0, 1)
    return latent, Encoded(chosen, tuple(indices))


class Runs(NamedTuple):
    """A batch of runs as tensors, see ``datasets.runs.RunBatch``.

    ``face``: pictures (R M, 3, H, H) uint8, or features (R M, F) of a frozen encoder, or None.
    """

    signals: dict[Modality, Tensor]
    starts: dict[Modality, Tensor]
    face: Tensor | None
    present: dict[Modality, Tensor]


class Rebuilt(NamedTuple):
    """Reconstructions and their windows (R D, 1, W), and whether each is there (R D,)."""

    reconstruction: Tensor
    window: Tensor
    present: Tensor


def estimate_runs(
    model: BMMN, runs: Runs, columns: Tensor | None = None
) -> tuple[Tensor, dict[Modality, Rebuilt]]:
    """The network's targets (R M, T) for runs, and reconstructions of the windows ``columns``.

    Args:
        columns: (D,) int64, which of a run's M windows to reconstruct; None for none.
    """
    config, count = model.config, len(next(iter(runs.present.values())))
    features: dict[str, Tensor] = {}
    if model.face is not None:
        features["face"] = _face(model, runs, count)
    for name in config.body:
        if config.uses_bio_networks:
            network = model.bio_networks[name]
            assert isinstance(network, BioNetwork)
            features[name] = bio_network_features(
                network, runs.signals[name], runs.starts[name], config.window_samples
            )
    latents, rebuilt = _autoencoded(model, runs, columns)
    return model.combined(features | latents, runs.present), rebuilt


def reconstruct_runs(model: BMMN, runs: Runs, columns: Tensor) -> dict[Modality, Rebuilt]:
    """Only the reconstructions of ``estimate_runs``."""
    return _autoencoded(model, runs, columns)[1]


def _autoencoded(
    model: BMMN, runs: Runs, columns: Tensor | None
) -> tuple[dict[str, Tensor], dict[Modality, Rebuilt]]:
    """Latents (R M, Z) of all windows by "ecg latent" ..., and reconstructions of some."""
    latents: dict[str, Tensor] = {}
    rebuilt: dict[Modality, Rebuilt] = {}
    if not model.config.uses_autoencoder:
        return latents, rebuilt
    for name in model.config.body:
        autoencoder = model.autoencoder(name)
        signal, starts = runs.signals[name], runs.starts[name]
        chosen = starts.new_empty(0) if columns is None else columns
        latents[f"{name} latent"], encoded = encode_runs(autoencoder, signal, starts, chosen)
        if len(chosen):
            windows = _Series(signal[:, :, None]).taken(
                starts[:, chosen], model.config.window_samples
            )
            there = runs.present[name].view(starts.shape)[:, chosen].flatten()
            decoded = autoencoder.decode(encoded.latent, encoded.indices)
            rebuilt[name] = Rebuilt(decoded, windows, there)
    return latents, rebuilt


def _face(model: BMMN, runs: Runs, count: int) -> Tensor:
    """(R M, F): encoded here, or given."""
    assert model.face is not None
    if runs.face is None:
        return torch.zeros(count, model.face.width, device=runs.present["face"].device)
    if runs.face.ndim == 2:
        return runs.face
    return face_features(model.face, runs.face, runs.present["face"])


@dataclass(frozen=True, eq=False)
class _Series:
    """Values of runs, ``step`` samples apart.

    values (R, C, G, L): series g holds the places ``remainders[g] + step * l``.
    """

    values: Tensor
    step: int = 1
    remainders: tuple[int, ...] = (0,)

    def slid(self, layer: LongConv1d) -> _Series:
        """The layer without its padding, and its ReLU: L becomes L - K + 1."""
        rows = self.values.transpose(1, 2).flatten(0, 1)  # (R G, C, L)
        slid = layer.unpadded(rows).relu()
        groups = len(self.remainders)
        values = slid.view(-1, groups, *slid.shape[1:]).transpose(1, 2)
        return replace(self, values=values)

    def pairs(self) -> _Series:
        """The larger of each value and the next: L becomes L - 1."""
        runs, channels, groups, length = self.values.shape
        flat = self.values.reshape(runs, channels * groups, length)
        larger = functional.max_pool1d(flat, POOL, stride=1)
        return replace(self, values=larger.view(runs, channels, groups, length - 1))

    def second_is_larger(self) -> _Series:
        """int64 1 where the next value is larger: a pool takes the first of two equals."""
        return replace(self, values=(self.values[..., 1:] > self.values[..., :-1]).long())

    def every_second(self, places: Tensor) -> _Series:
        """Twice the step: of each series the halves that begin at one of ``places``."""
        step = self.step * POOL
        needed = tuple(sorted(set((places % step).flatten().tolist())))
        halves = [
            self.values[
                :, :, self.remainders.index(wanted % self.step), wanted // self.step :: POOL
            ]
            for wanted in needed
        ]
        longest = max(half.shape[2] for half in halves)
        padded = [functional.pad(half, (0, longest - half.shape[2])) for half in halves]
        return _Series(torch.stack(padded, dim=2), step, needed)

    def taken(self, places: Tensor, count: int) -> Tensor:
        """(R M, C, count): the values at places (R, M) and after them."""
        runs, channels, groups, length = self.values.shape
        group = torch.zeros(self.step, dtype=torch.long)
        group[list(self.remainders)] = torch.arange(groups)
        first = group.to(places.device)[places % self.step] * length + places // self.step
        index = (first[..., None] + torch.arange(count, device=places.device)).flatten(1)
        index = index[:, None].expand(-1, channels, -1)  # (R, C, M count)
        taken = self.values.reshape(runs, channels, groups * length).gather(2, index)
        taken = taken.view(runs, channels, -1, count)
        return taken.transpose(1, 2).flatten(0, 1)


class _Place(NamedTuple):
    """A series, and where in it (R, M) the windows' value 0 would lie."""

    series: _Series
    first: Tensor


def _pooled_windows(layer: LongConv1d, windows: Tensor, dense: _Place, *, touched: int) -> Tensor:
    """A padded layer, its ReLU and its pool: windows (R M, C, n) -> (R M, O, n').

    Args:
        dense: the same values, shared.
        touched: how many values at each end of a window are not the shared ones.
    """
    kernel, size = layer.kernel_size[0], windows.shape[2]
    left = -(-(PADDING + touched) // POOL)  # pooled values that see the left end
    right = (size + PADDING + 1 - kernel - touched) // POOL  # the first that sees the right end
    if right <= left:
        return functional.max_pool1d(layer(windows).relu(), POOL)
    edges = (
        functional.pad(windows[..., : POOL * left + kernel - 1 - PADDING], (PADDING, 0)),
        functional.pad(windows[..., POOL * right - PADDING :], (0, PADDING)),
    )
    before, after = (
        functional.max_pool1d(_slid_briefly(layer, edge).relu(), POOL) for edge in edges
    )
    places = dense.first + dense.series.step * (POOL * left - PADDING)
    pooled = dense.series.slid(layer).pairs().every_second(places)
    return torch.cat([before, pooled.taken(places, right - left), after], dim=2)


def _slid_briefly(layer: LongConv1d, signal: Tensor) -> Tensor:
    """The layer without padding where it gives only a few values: (N, C, L) -> (N, O, few)."""
    patches = signal.unfold(2, layer.kernel_size[0], 1)  # (N, C, few, K)
    slid = torch.einsum("nclk,ock->nol", patches, layer.weight)
    return slid if layer.bias is None else slid + layer.bias[:, None]
