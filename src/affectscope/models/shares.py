"""Shares: what each modality adds to the first layer of a network's head.

That layer is linear over the concatenated features, so a network's estimate is the rest of the head
over the sum of one share per modality and the layer's bias. Leaving a modality out, or moving a
signal against the face, then costs no encoder anything.

A window's share comes from its features (``window_shares``, the reference), or, for the windows of
a whole signal, from a table of all starts of a stretch (``SignalShares``).

Legend: N windows, W window samples, S samples of a signal, O outputs of the head's first layer,
F features.
"""

from __future__ import annotations

from collections import OrderedDict
from threading import Lock

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from affectscope.models.bio_network import BioNetwork
from affectscope.models.bmmn import BMMN
from affectscope.models.share_tables import STEP, AutoencoderTable, BioNetworkTable
from affectscope.records import Modality

STRETCH = 16_384
"""Starts of a table, 128 s at 128 Hz: each also takes the samples of a window more."""
KEPT = 3
"""Tables that are kept: threads ask for neighbouring batches, and for shifted windows of them."""
WIDEST = 32
"""Outputs up to which a table pays; with a hidden layer above that windows are encoded."""
WINDOWS = 256
"""Windows that are encoded at a time."""


@torch.inference_mode()
def window_shares(model: BMMN, name: Modality, windows: NDArray[np.float32]) -> NDArray[np.float32]:
    """(N, 1, W) of one signal -> (N, O), window by window."""
    parts = [
        _of_windows(model, name, torch.from_numpy(windows[first : first + WINDOWS]))
        for first in range(0, len(windows), WINDOWS)
    ]
    shares = torch.cat([torch.zeros(0, model.head_inputs), *parts])
    return np.asarray(shares.numpy(), dtype=np.float32)


def _of_windows(model: BMMN, name: Modality, windows: Tensor) -> Tensor:
    windows = windows.to(_precision(model))
    share = torch.zeros(len(windows), model.head_inputs, dtype=windows.dtype)
    if model.config.uses_bio_networks:
        share += model.bio_networks[name](windows) @ model.head_weights(name).T
    if model.config.uses_autoencoder:
        latent = model.autoencoder(name).encode(windows).latent
        share += latent @ model.head_weights(f"{name} latent").T
    return share


class SignalShares:
    """The shares of any windows of one signal. ``at`` may be called from several threads.

    Args:
        values: (S,) float32, S > 0.
        stretch: starts of a table at most.
    """

    def __init__(
        self,
        model: BMMN,
        name: Modality,
        values: NDArray[np.float32],
        *,
        stretch: int = STRETCH,
    ) -> None:
        self._model, self._name, self._values = model, name, values
        self._width = model.config.window_samples
        every = len(values) + self._width + 1
        self._stretch = -(-min(stretch, every) // STEP) * STEP
        self._encoders = _tables(model, name) if model.head_inputs <= WIDEST else []
        self._precision = _precision(model)
        self._kept: OrderedDict[int, NDArray[np.float32]] = OrderedDict()
        self._lock = Lock()

    def at(self, starts: NDArray[np.int64]) -> NDArray[np.float32]:
        """(N, O) of the windows that begin at ``starts`` (N,).

        They may reach past both ends, where the first or last value is repeated.
        """
        # Beyond a window's length outside, a window holds one value only.
        starts = np.clip(starts, -self._width, len(self._values))
        if not self._encoders:
            return window_shares(self._model, self._name, self._windows(starts))
        which, places = np.divmod(starts + self._width, self._stretch)
        if len(which) and which[0] == which[-1] and (which == which[0]).all():
            return self._table(int(which[0]))[places]
        shares = np.empty((len(starts), self._model.head_inputs), np.float32)
        for index in np.unique(which):
            rows = which == index
            shares[rows] = self._table(int(index))[places[rows]]
        return shares

    def _windows(self, starts: NDArray[np.int64]) -> NDArray[np.float32]:
        held = starts[:, None] + np.arange(self._width)
        windows: NDArray[np.float32] = self._values[np.clip(held, 0, len(self._values) - 1)]
        return windows[:, None]

    def _table(self, index: int) -> NDArray[np.float32]:
        with self._lock:
            if index not in self._kept:
                self._kept[index] = self._made(index * self._stretch - self._width)
                if len(self._kept) > KEPT:
                    self._kept.popitem(last=False)
            self._kept.move_to_end(index)
            return self._kept[index]

    @torch.inference_mode()
    def _made(self, first: int) -> NDArray[np.float32]:
        """(stretch, O) of the starts from ``first`` on."""
        shares = np.zeros((self._stretch, self._model.head_inputs), np.float32)
        for table in self._encoders:
            needed = first - table.before + np.arange(self._stretch + table.extra)
            samples = self._values[np.clip(needed, 0, len(self._values) - 1)]
            shares += table(torch.from_numpy(samples).to(self._precision)).numpy()
        return shares


def _precision(model: BMMN) -> torch.dtype:
    """Single, unless somebody wants to know how exact this is."""
    return next(model.head.parameters()).dtype


@torch.inference_mode()
def _tables(model: BMMN, name: Modality) -> list[AutoencoderTable | BioNetworkTable]:
    tables: list[AutoencoderTable | BioNetworkTable] = []
    if model.config.uses_bio_networks:
        network = model.bio_networks[name]
        assert isinstance(network, BioNetwork)
        weights = model.head_weights(name)
        tables.append(BioNetworkTable(network, weights, model.config.window_samples))
    if model.config.uses_autoencoder:
        weights = model.head_weights(f"{name} latent")
        tables.append(AutoencoderTable(model.autoencoder(name), weights))
    return tables
