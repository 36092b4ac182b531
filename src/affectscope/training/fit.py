"""The paper's three stages in one loop that can be read (METHOD.md section 3).

1. Modality by modality: the face alone, then the body alone, each with its own head, L2 loss.
2. The bio auto-encoders alone, L2 reconstruction.
3. All jointly: ``L = lambda_bmmn * L_bmmn + lambda_bae * L_bae``.

Where the paper is silent, and what we do:
1. Stages pass on encoders, not heads: a head's width differs from stage to stage.
2. A sample without any usable modality is left out of a batch.
3. ``modality_dropout`` hides each modality of a row with that probability in stage 3 (never all of
   them), so that the network can do without one; 0 is the paper's training.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from affectscope.datasets.labelled_windows import LabelledWindows, collect_recording
from affectscope.errors import ModelError, SessionError
from affectscope.io.files import prepare_folder
from affectscope.io.model_files import face_model
from affectscope.io.session import Session, open_session
from affectscope.models.bmmn import BMMN, BMMNConfig
from affectscope.models.checkpoint import Checkpoint, save_checkpoint
from affectscope.models.imagenet_weights import fetch_imagenet_weights, load_imagenet_weights
from affectscope.preprocessing.windows import Preprocessing
from affectscope.records import TARGETS, Modality, Population
from affectscope.training.losses import reconstruction_loss, target_loss

log = logging.getLogger(__name__)

Progress = Callable[[str, float], None]
"""Called with a stage's name and the share of the whole training that is done."""


@dataclass(frozen=True)
class FitSettings:
    """How to train. The defaults for learning rate and batch are the paper's.

    Attributes:
        epochs: per stage: (one modality at a time, auto-encoders, joint).
        rate: analysed times per second taken from each session.
        lambda_bmmn, lambda_bae: weights of the joint loss (unpublished in the paper).
        modality_dropout: probability in [0, 1) of hiding a modality in stage 3.
    """

    epochs: tuple[int, int, int] = (10, 10, 10)
    learning_rate: float = 1e-4
    batch_size: int = 115
    rate: float = 5.0
    lambda_bmmn: float = 1.0
    lambda_bae: float = 1.0
    modality_dropout: float = 0.0
    seed: int = 0


DEMO_SETTINGS = FitSettings(
    epochs=(6, 1, 3), learning_rate=1e-3, rate=2.0, lambda_bae=0.1, modality_dropout=0.2
)
"""A small model on simulated people in under two minutes on two cores."""


def order(seed: int, epoch: int, count: int) -> NDArray[np.int64]:
    """(count,) the order of samples, a pure function of its arguments."""
    return np.random.default_rng((seed, epoch)).permutation(count)


def fit(
    windows: LabelledWindows,
    config: BMMNConfig,
    settings: FitSettings,
    *,
    pretrained: Path | None = None,
    progress: Progress = lambda _stage, _share: None,
) -> tuple[BMMN, dict[str, list[float]]]:
    """Train a network on labelled windows.

    Args:
        pretrained: torchvision's ImageNet weights for a ResNet-50; None starts from nothing.

    Returns:
        The network in evaluation mode, and each stage's mean loss per epoch.
    """
    torch.manual_seed(settings.seed)
    model = BMMN(config)
    run = _Run(windows, settings, progress, epochs=_epoch_count(config, settings))
    for modalities in _single_modalities(config):
        part = BMMN(replace(config, variant="bmmn", modalities=modalities))
        if part.face is not None and pretrained is not None:
            load_imagenet_weights(part.face, pretrained)
        run.train(f"stage 1, {' and '.join(modalities)}", part, settings.epochs[0], _supervised)
        model.load_encoders(part)
    if config.uses_autoencoder:
        run.train("stage 2, auto-encoders", model, settings.epochs[1], _reconstructing)
    run.train("stage 3, joint", model, settings.epochs[2], run.joint)
    return model.eval(), run.losses


def fit_sessions(
    folders: Sequence[Path],
    out: Path,
    *,
    config: BMMNConfig,
    settings: FitSettings,
    imagenet: str | None = None,
    progress: Progress = lambda _stage, _share: None,
) -> str:
    """Train on labelled session folders and save a checkpoint folder.

    Args:
        imagenet: where a ResNet-50 starts from: a path, "download", or "none".

    Returns:
        The checkpoint's id.

    Raises:
        SessionError: a session that cannot be used, or none at all.
        ModelError: E_CONFIG where simulated people and people are mixed, E_WEIGHTS where a
            ResNet-50 lacks its weights and "none" was not said.
    """
    pretrained = _pretrained(config, imagenet)
    prepare_folder(out)
    if not folders:
        raise SessionError(
            "E_SESSION",
            "There is no session to learn from.",
            "Name a folder that holds session folders, each with a session.toml.",
        )
    sessions = [open_session(folder) for folder in folders]
    population = _population(sessions)
    preprocessing = Preprocessing()
    with TemporaryDirectory(prefix="affectscope-fit-") as faces:
        collected = []
        for index, session in enumerate(sessions):
            progress("reading sessions", 0.5 * index / len(sessions))
            collected.append(
                collect_recording(
                    session,
                    Path(faces),
                    preprocessing=preprocessing,
                    rate=settings.rate,
                    face_model=face_model,
                )
            )
        windows = LabelledWindows(collected, preprocessing)
        model, losses = fit(
            windows,
            config,
            settings,
            pretrained=pretrained,
            progress=lambda stage, share: progress(stage, 0.5 + 0.5 * share),
        )
    checkpoint = Checkpoint(
        config=config,
        preprocessing=preprocessing,
        population=population,
        training_subjects=windows.subjects,
        data_hashes={
            f"{session.recording.subject_id}/{name}": digest
            for session in sessions
            for name, digest in session.input_hashes.items()
        },
        training={"settings": asdict(settings), "losses": losses},
    )
    return save_checkpoint(out, model, checkpoint)


def _pretrained(config: BMMNConfig, imagenet: str | None) -> Path | None:
    if config.face_encoder != "resnet50" or "face" not in config.modalities or imagenet == "none":
        return None
    if imagenet is None:
        raise ModelError(
            "E_WEIGHTS",
            "A ResNet-50 starts from ImageNet weights, and none were given.",
            "Give --imagenet FILE or --imagenet download, or say --imagenet none to train it from "
            "nothing, which needs far more data.",
        )
    return fetch_imagenet_weights() if imagenet == "download" else Path(imagenet)


def _population(sessions: Sequence[Session]) -> Population:
    kinds = {session.recording.simulated for session in sessions}
    if len(kinds) > 1:
        raise ModelError(
            "E_CONFIG",
            "Sessions of people and of simulated people are mixed.",
            "Train on one kind, so that the checkpoint can say whom it stands for.",
        )
    return "simulated people" if kinds.pop() else "people"


def _single_modalities(config: BMMNConfig) -> list[tuple[Modality, ...]]:
    """Stage 1's parts: the face, then the body; whatever of them is configured."""
    face: tuple[Modality, ...] = ("face",) if "face" in config.modalities else ()
    return [part for part in (face, config.body) if part]


def _epoch_count(config: BMMNConfig, settings: FitSettings) -> int:
    single, autoencoders, joint = settings.epochs
    return (
        len(_single_modalities(config)) * single
        + (autoencoders if config.uses_autoencoder else 0)
        + joint
    )


@dataclass(frozen=True, eq=False)
class _Batch:
    """Tensors of M samples, see ``LabelledWindows.batch``."""

    inputs: dict[Modality, Tensor]
    present: dict[Modality, Tensor]
    targets: Tensor


Step = Callable[[BMMN, _Batch], Tensor]
"""A batch's loss."""


def _supervised(model: BMMN, batch: _Batch) -> Tensor:
    used = model.config.modalities
    seen = torch.stack([batch.present[name] for name in used]).any(dim=0)
    estimate = model.estimate(batch.inputs, batch.present)
    columns = [TARGETS.index(name) for name in model.config.targets]
    return target_loss(estimate[seen], batch.targets[seen][:, columns])


def _reconstructing(model: BMMN, batch: _Batch) -> Tensor:
    rebuilt = model.reconstruct(batch.inputs, batch.present)
    losses = [
        reconstruction_loss(signal, batch.inputs[name], batch.present[name])
        for name, signal in rebuilt.items()
    ]
    return torch.stack(losses).sum()


class _Run:
    """The loop's state: samples, epochs done, losses so far."""

    def __init__(
        self, windows: LabelledWindows, settings: FitSettings, progress: Progress, *, epochs: int
    ) -> None:
        self.windows = windows
        self.settings = settings
        self.progress = progress
        self.epochs = epochs
        self.done = 0
        self.losses: dict[str, list[float]] = {}
        self.generator = torch.Generator().manual_seed(settings.seed)

    def train(self, stage: str, model: BMMN, epochs: int, step: Step) -> None:
        """Some epochs of one stage."""
        model.train()
        optimiser = torch.optim.Adam(model.parameters(), lr=self.settings.learning_rate)
        for _ in range(epochs):
            losses = []
            for share, batch in self.batches():
                self.progress(stage, (self.done + share) / self.epochs)
                optimiser.zero_grad(set_to_none=True)
                loss = step(model, batch)
                loss.backward()  # type: ignore[no-untyped-call]
                optimiser.step()
                losses.append(float(loss.detach()))
            self.done += 1
            self.losses.setdefault(stage, []).append(float(np.mean(losses)))
            log.info("%s: loss %.4f", stage, self.losses[stage][-1])

    def batches(self) -> Iterator[tuple[float, _Batch]]:
        """One epoch: the share done, and the batch."""
        count, size = len(self.windows), self.settings.batch_size
        indices = order(self.settings.seed, self.done, count)
        for start in range(0, count, size):
            inputs, present, targets = self.windows.batch(indices[start : start + size])
            yield (
                start / count,
                _Batch(
                    inputs={name: torch.from_numpy(value) for name, value in inputs.items()},
                    present={name: torch.from_numpy(value) for name, value in present.items()},
                    targets=torch.from_numpy(targets),
                ),
            )

    def joint(self, model: BMMN, batch: _Batch) -> Tensor:
        """Stage 3: both losses, some modalities hidden from the estimate."""
        settings = self.settings
        hidden = replace(batch, present=self.dropped(batch.present, model.config.modalities))
        loss = settings.lambda_bmmn * _supervised(model, hidden)
        if model.config.uses_autoencoder:
            loss = loss + settings.lambda_bae * _reconstructing(model, batch)
        return loss

    def dropped(
        self, present: Mapping[Modality, Tensor], modalities: Sequence[Modality]
    ) -> dict[Modality, Tensor]:
        """``present`` with modalities hidden at random; a row that would lose all keeps all."""
        there = torch.stack([present[name] for name in modalities])
        chance = torch.rand(there.shape, generator=self.generator)
        kept = there & (chance >= self.settings.modality_dropout)
        kept = torch.where(kept.any(dim=0), kept, there)
        return dict(zip(modalities, kept, strict=True))
