"""The paper's three stages (METHOD.md section 3), each one stage of ``training.loop``.

1. Modality by modality: the face alone, then the body alone, each with its own head, L2 loss.
2. The bio auto-encoders alone, L2 reconstruction.
3. All jointly: ``L = lambda_bmmn * L_bmmn + lambda_bae * L_bae``.

Where the paper is silent, and what we do:
1. Stages pass on encoders, not heads: a head's width differs from stage to stage.
2. A sample without any usable modality is left out of a batch.
3. ``modality_dropout`` hides each modality of a row with that probability in stage 3 (never all of
   them), so that the network can do without one; 0 is the paper's training.
4. The face encoder is fine-tuned, or frozen: then its features are computed once, and stage 1
   trains the face's head alone.
5. A stage ends early, where validation people are given, after ``patience`` epochs without a lower
   validation loss; the best epoch's weights are kept.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn

from affectscope.models.bmmn import BMMN, BMMNConfig
from affectscope.models.imagenet_weights import load_imagenet_weights
from affectscope.models.pretrained_autoencoders import PretrainedAutoencoders
from affectscope.records import Modality
from affectscope.training.devices import make_fabric
from affectscope.training.loop import Stage, StageSettings, TrainingRows
from affectscope.training.objective import Kind, Objective
from affectscope.training.run_folder import RunFolder, held

if TYPE_CHECKING:
    from lightning_fabric import Fabric

Progress = Callable[[str, float], None]
"""Called with a stage's name and the share of the whole training that is done."""


@dataclass(frozen=True)
class FitSettings:
    """How to train. The defaults for learning rate and batch are the paper's.

    Attributes:
        epochs: per stage: (one modality at a time, auto-encoders, joint), at most.
        rate: rows per second taken from each recording.
        lambda_bmmn, lambda_bae: weights of the joint loss (unpublished in the paper).
        The others: see ``loop.StageSettings``.
    """

    epochs: tuple[int, int, int] = (10, 10, 10)
    learning_rate: float = 1e-4
    batch_size: int = 115
    rate: float = 5.0
    lambda_bmmn: float = 1.0
    lambda_bae: float = 1.0
    modality_dropout: float = 0.0
    run_length: int = 23
    decoded_every: int = 1
    patience: int = 0
    save_every: int = 200
    workers: int = 1
    seed: int = 0

    def stage(self, number: int, epochs: int) -> StageSettings:
        """One stage's settings; ``number`` tells its random numbers from the other stages'."""
        return StageSettings(
            epochs=epochs,
            learning_rate=self.learning_rate,
            batch_size=self.batch_size,
            run_length=self.run_length,
            decoded_every=self.decoded_every,
            patience=self.patience,
            save_every=self.save_every,
            workers=self.workers,
            seed=self.seed,
            stage=number,
        )


DEMO_SETTINGS = FitSettings(
    epochs=(6, 1, 3),
    learning_rate=1e-3,
    rate=2.0,
    lambda_bae=0.1,
    modality_dropout=0.2,
    run_length=1,
)
"""A small model on simulated people in a few minutes on two cores."""


@dataclass(frozen=True, eq=False)
class Start:
    """What a network's encoders begin from.

    Attributes:
        imagenet: torchvision's weights for a ResNet-50; None: the face encoder from nothing.
        autoencoders: trained before; stage 2 goes on from them. None: from nothing.
    """

    imagenet: Path | None = None
    autoencoders: PretrainedAutoencoders | None = None

    def begin(self, network: BMMN) -> None:
        """Put them into the network.

        Raises:
            ModelError: E_WEIGHTS, E_CHECKPOINT where a file does not fit.
        """
        if network.face is not None and self.imagenet is not None:
            load_imagenet_weights(network.face, self.imagenet)
        if self.autoencoders is not None:
            self.autoencoders.begin(network)


@dataclass(frozen=True, eq=False)
class Trainer:
    """Trains stages on the same rows: where, how, and in which folder to go on after a stop.

    Attributes:
        folder: each stage keeps its run in a folder of its own below; None keeps nothing.
        frozen: encoders that are to learn nothing, "face" where the rows hold its features.
        force: go on in a folder whose question has changed.
        on_stage: told a stage's name and its share done.
    """

    rows: TrainingRows
    settings: FitSettings
    fabric: Fabric
    folder: Path | None = None
    frozen: tuple[str, ...] = ()
    force: bool = False
    on_stage: Progress = lambda _stage, _share: None
    losses: dict[str, list[float]] = field(default_factory=dict)

    def part(self, config: BMMNConfig, modalities: tuple[Modality, ...], start: BMMN) -> BMMN:
        """Stage 1: a BMMN of some modalities alone, its encoders begun from ``start``."""
        network = fresh(replace(config, variant="bmmn", modalities=modalities), self.settings.seed)
        network.load_encoders(start)
        name, number = " and ".join(modalities), 1 if "face" in modalities else 2
        self._train(f"stage 1, {name}", network, "targets", self._stage(number, 0))
        return network

    def autoencoders(self, config: BMMNConfig, start: BMMN) -> BMMN:
        """Stage 2: the auto-encoders alone, begun from ``start``."""
        network = fresh(replace(config, variant="bmmn_bae_1", modalities=config.body),
                        self.settings.seed)  # fmt: skip
        network.load_encoders(start)
        self._train("stage 2, auto-encoders", network, "reconstruction", self._stage(3, 1))
        return network

    def joint(self, network: BMMN, *, lambda_bae: float) -> float:
        """Stage 3: everything together. Returns the lowest validation loss of the targets."""
        settings = replace(self._stage(4, 2), modality_dropout=self.settings.modality_dropout)
        weights = {"targets": self.settings.lambda_bmmn, "reconstruction": lambda_bae}
        kind: Kind = "joint" if network.config.uses_autoencoder else "targets"
        return self._train("stage 3, joint", network, kind, settings, weights)

    def _stage(self, number: int, which: int) -> StageSettings:
        return self.settings.stage(number, self.settings.epochs[which])

    def _train(
        self,
        name: str,
        network: BMMN,
        kind: Kind,
        settings: StageSettings,
        weights: Mapping[str, float] | None = None,
    ) -> float:
        objective = Objective(network, kind, weights, frozen=self.frozen)
        with ExitStack() as stack:
            folder: RunFolder | None = None
            if self.folder is not None:
                path = self.folder / _folder_name(name, network.config, weights)
                question = self._question(network, kind, settings, weights)
                folder = self._run_folder(stack, path, question)
            stage = Stage(
                objective,
                self.rows,
                settings,
                fabric=self.fabric,
                folder=folder,
                progress=lambda share: self.on_stage(name, share),
            )
            position = stage.train()
        network.eval()
        self.losses[name] = list(position.losses)
        return position.best

    def _run_folder(self, stack: ExitStack, path: Path, question: dict[str, Any]) -> RunFolder:
        """Held by the first of several processes; the others only read its state."""
        folder = RunFolder(path)
        if self.fabric.is_global_zero:
            folder = stack.enter_context(held(path, question, force=self.force))
        self.fabric.barrier()
        return folder

    def _question(
        self,
        network: BMMN,
        kind: Kind,
        settings: StageSettings,
        weights: Mapping[str, float] | None,
    ) -> dict[str, Any]:
        return {
            "kind": kind,
            "network": asdict(network.config),
            "settings": asdict(replace(settings, workers=0)),
            "weights": dict(weights or {}),
            "frozen": self.frozen,
            "start": weights_fingerprint(network),
            "data": data_fingerprint(self.rows),
        }


def fit(
    rows: TrainingRows,
    config: BMMNConfig,
    settings: FitSettings,
    *,
    start: Start | None = None,
    folder: Path | None = None,
    progress: Progress = lambda _stage, _share: None,
) -> tuple[BMMN, dict[str, list[float]]]:
    """Train a network in three stages on one processor or GPU.

    Args:
        start: what encoders begin from; None: from nothing.
        folder: keeps the run, so that the same call goes on after a stop; None keeps nothing.

    Returns:
        The network in evaluation mode, and each stage's mean loss per epoch.

    Raises:
        ModelError: E_RUN_LOCKED, E_RUN_CHANGED, E_TRAINING_DIVERGED, E_MEMORY.
        OutputError: E_OUTPUT, the folder cannot be written.
    """
    model = fresh(config, settings.seed)
    if start is not None:
        start.begin(model)
    trainer = Trainer(rows, settings, make_fabric(), folder)
    stages = _stage_names(config)

    def on_stage(name: str, share: float) -> None:
        progress(name, (stages.index(name) + share) / len(stages))

    trainer = replace(trainer, on_stage=on_stage)
    for modalities in single_modalities(config):
        model.load_encoders(trainer.part(config, modalities, model))
    if config.uses_autoencoder:
        model.load_encoders(trainer.autoencoders(config, model))
    trainer.joint(model, lambda_bae=settings.lambda_bae)
    return model.eval(), trainer.losses


def fresh(config: BMMNConfig, seed: int) -> BMMN:
    """A network whose first weights are a function of its configuration and the seed."""
    return BMMN(config, torch.Generator().manual_seed(seed))


def single_modalities(config: BMMNConfig) -> list[tuple[Modality, ...]]:
    """Stage 1's parts: the face, then the body; whatever of them is configured."""
    face: tuple[Modality, ...] = ("face",) if "face" in config.modalities else ()
    return [part for part in (face, config.body) if part]


def weights_fingerprint(network: nn.Module) -> str:
    """sha256 over a network's weights."""
    digest = hashlib.sha256()
    for name, tensor in network.state_dict().items():
        digest.update(name.encode() + tensor.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


def data_fingerprint(rows: TrainingRows) -> str:
    """sha256 over what the rows hold: the trials' keys, their targets and features, the split."""
    digest = hashlib.sha256()
    for trial in rows.windows.trials:
        digest.update(f"{trial.subject_id}\0{trial.trial_id}\0{trial.key}\0".encode())
    digest.update(rows.windows.targets.tobytes())
    digest.update(rows.windows.features_id.encode())
    digest.update(" ".join(rows.windows.modalities).encode())
    inputs_from = rows.windows.inputs_from
    for part in (rows.train, rows.validation, *([] if inputs_from is None else [inputs_from])):
        digest.update(np.asarray(part, dtype="<i8").tobytes() + b"\0")
    return digest.hexdigest()


def _folder_name(name: str, config: BMMNConfig, weights: Mapping[str, float] | None) -> str:
    if not name.startswith("stage 3"):
        return name.replace(",", "").replace(" ", "-")
    what = config.variant if len(config.modalities) > 1 else config.modalities[0]
    value = (weights or {}).get("reconstruction", 0.0)
    return f"stage-3-{what}" + (f"-lambda-{value:g}" if config.uses_autoencoder else "")


def _stage_names(config: BMMNConfig) -> Sequence[str]:
    names = [f"stage 1, {' and '.join(part)}" for part in single_modalities(config)]
    if config.uses_autoencoder:
        names.append("stage 2, auto-encoders")
    return [*names, "stage 3, joint"]
