"""What a stage of the training minimises: one module from a batch of runs to sums of errors.

Legend: R runs, M rows of a run, D rows of a run that are reconstructed, T targets.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Literal, NamedTuple, Self

import numpy as np
import torch
from torch import Tensor, nn

from affectscope.datasets.runs import RunBatch
from affectscope.models.bmmn import BMMN, face_features
from affectscope.models.dense import Runs, estimate_runs, reconstruct_runs
from affectscope.records import TARGETS, Modality
from affectscope.training.losses import rated, reconstruction_error, target_error

Kind = Literal["targets", "reconstruction", "joint"]


class Part(NamedTuple):
    """A batch, or a part of one, as tensors.

    ``runs.present`` is what the estimate may see; ``there`` is what was recorded.
    ``columns`` (D,): which rows of each run are reconstructed.
    """

    runs: Runs
    there: dict[Modality, Tensor]
    targets: Tensor
    columns: Tensor


class Objective(nn.Module):
    """Errors of a network on a part of a batch.

    Args:
        weights: of the errors in the loss: "targets", and "reconstruction" of each signal.
        frozen: encoders that learn nothing, nor do their norms: "face", "bio_networks".
    """

    def __init__(
        self,
        model: BMMN,
        kind: Kind,
        weights: Mapping[str, float] | None = None,
        *,
        frozen: Collection[str] = (),
    ) -> None:
        super().__init__()
        self.model = model
        self.kind = kind
        self.frozen = tuple(frozen)
        self.weights = {"targets": 1.0, "reconstruction": 1.0} | dict(weights or {})
        self._columns = [TARGETS.index(name) for name in model.config.targets]
        model.requires_grad_(kind != "reconstruction")
        model.autoencoders.requires_grad_(kind != "targets")
        for part in self._frozen_parts():
            part.requires_grad_(False)

    def train(self, mode: bool = True) -> Self:
        super().train(mode)
        for part in self._frozen_parts():
            part.eval()
        return self

    def _frozen_parts(self) -> list[nn.Module]:
        parts = (getattr(self.model, name) for name in self.frozen)
        return [part for part in parts if part is not None]

    def forward(self, part: Part) -> dict[str, Tensor]:
        """Sums of errors: "targets", "ecg", "eda", as far as the kind has them."""
        if not torch.is_autocast_enabled("cpu"):
            return self._sums(part)
        # On a processor bfloat16 pays for the face encoder alone: the bio encoders are spectra.
        part = part._replace(runs=self._with_features(part.runs))
        with torch.autocast("cpu", enabled=False):
            return self._sums(part)

    def _with_features(self, runs: Runs) -> Runs:
        """Pictures become features here; whatever else the face is stays."""
        if self.kind == "reconstruction" or self.model.face is None:
            return runs
        if runs.face is None or runs.face.ndim == 2:
            return runs
        features = face_features(self.model.face, runs.face, runs.present["face"])
        return runs._replace(face=features.float())

    def _sums(self, part: Part) -> dict[str, Tensor]:
        model = self.model
        sums: dict[str, Tensor] = {}
        if self.kind == "reconstruction":
            rebuilt = reconstruct_runs(model, part.runs, part.columns)
        else:
            columns = part.columns if self.kind == "joint" else None
            estimate, rebuilt = estimate_runs(model, part.runs, columns)
            sums["targets"] = target_error(estimate, self.truth(part))
        for name, (reconstruction, window, _) in rebuilt.items():
            sums[name] = reconstruction_error(
                reconstruction, window, chosen(part, name, part.there[name])
            )
        return sums

    def truth(self, part: Part) -> Tensor:
        """(R M, T) the network's targets; NaN too where the estimate sees no modality."""
        used = self.model.config.modalities
        seen = torch.stack([part.runs.present[name] for name in used]).any(dim=0)
        return torch.where(seen[:, None], part.targets[:, self._columns], torch.nan)

    def counts(self, part: Part) -> dict[str, float]:
        """How many terms each of the errors sums up."""
        counts: dict[str, float] = {}
        if self.kind != "reconstruction":
            counts["targets"] = float(rated(self.truth(part)).sum())
        if self.kind != "targets" and self.model.config.uses_autoencoder:
            for name in self.model.config.body:
                counts[name] = float(chosen(part, name, part.there[name]).sum())
        return counts

    def loss(self, sums: Mapping[str, Tensor], counts: Mapping[str, float]) -> Tensor:
        """The weighted sum of mean errors, ``counts`` being those of the whole batch."""
        terms = [
            self.weights["targets" if name == "targets" else "reconstruction"]
            * total
            / max(counts[name], 1.0)
            for name, total in sums.items()
        ]
        return torch.stack(terms).sum()


def chosen(part: Part, name: Modality, values: Tensor) -> Tensor:
    """(R D,) the values (R M,) of the rows that are reconstructed."""
    return values.view(part.runs.starts[name].shape)[:, part.columns].flatten()


def as_part(
    batch: RunBatch,
    columns: np.ndarray,
    hidden: Mapping[Modality, np.ndarray],
    device: torch.device,
) -> Part:
    """A batch on a device. ``hidden``: rows (R M,) whose modality the estimate may not see."""
    there = {name: torch.from_numpy(value).to(device) for name, value in batch.present.items()}
    present = dict(there)
    for name, rows in hidden.items():
        present[name] = there[name] & ~torch.from_numpy(rows).to(device)
    signals = {name: torch.from_numpy(value).to(device) for name, value in batch.signals.items()}
    starts = {name: torch.from_numpy(value).to(device) for name, value in batch.starts.items()}
    face = None if batch.face is None else torch.from_numpy(batch.face).to(device)
    return Part(
        Runs(signals, starts, face, present),
        there,
        torch.from_numpy(batch.targets).to(device),
        torch.from_numpy(columns).to(device),
    )


def split(part: Part, pieces: int) -> list[Part]:
    """Up to ``pieces`` parts of whole runs that together are the part."""
    runs = part.runs
    lengths = next(iter(runs.starts.values())).shape
    found = []
    for own in torch.arange(lengths[0]).tensor_split(min(pieces, lengths[0])):
        first, last = int(own[0]), int(own[-1]) + 1
        rows = slice(first * lengths[1], last * lengths[1])
        found.append(
            Part(
                Runs(
                    {name: value[first:last] for name, value in runs.signals.items()},
                    {name: value[first:last] for name, value in runs.starts.items()},
                    None if runs.face is None else runs.face[rows],
                    {name: value[rows] for name, value in runs.present.items()},
                ),
                {name: value[rows] for name, value in part.there.items()},
                part.targets[rows],
                part.columns,
            )
        )
    return found


def own_share(part: Part, rank: int, devices: int) -> Part:
    """This device's share of a batch: whole runs; a device without any takes absent rows."""
    pieces = split(part, devices)
    if rank < len(pieces):
        return pieces[rank]
    absent = {name: torch.zeros_like(value) for name, value in pieces[0].there.items()}
    return Part(
        pieces[0].runs._replace(present=absent),
        absent,
        torch.full_like(pieces[0].targets, torch.nan),
        pieces[0].columns,
    )
