"""The one training loop: resumable to the bit, and robust against what goes wrong on the way.

What a step learns from is a function of (seed, stage, epoch, batch) alone: two numbers of a
position say how to go on. On a processor a run that was killed at any moment and started again
ends with the same weights, bit for bit.

- A loss that is no number: its step is skipped and noted; three in a row take back the last saved
  state with half the learning rate; the third time the run stops with a report (T07).
- Too little memory: the batch goes through in twice as many parts of whole runs, with the same
  gradient (T08). Batch norms see the part. One of several devices cannot do so alone: it stops.
- A state that cannot be written: said aloud; the second time in a row the run stops (T03).

Legend: M rows of a run.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from torch import Tensor

from affectscope.datasets.runs import Rows, RunBatch, RunSet, grouped
from affectscope.errors import ModelError, OutputError
from affectscope.io.read_ahead import made_ahead
from affectscope.models.weights_file import fill
from affectscope.training.drawn_part import drawn_part, pinned
from affectscope.training.objective import Objective, Part, as_part, own_share, split
from affectscope.training.run_folder import (
    Position,
    RunFolder,
    State,
    StepLog,
    adam_tensors,
    copied,
    restore_adam,
)

if TYPE_CHECKING:
    from lightning_fabric import Fabric

log = logging.getLogger(__name__)

BAD_STEPS_IN_A_ROW = 3
MOST_ROLLBACKS = 2
VALIDATION_RUN = 64
"""Rows of a run where nothing is learnt: neighbours may stay together."""

Progress = Callable[[float], None]
"""Takes the share of the stage that is done, 0 to 1."""


@dataclass(frozen=True)
class StageSettings:
    """How one stage is trained.

    Attributes:
        epochs: at most this many.
        learning_rate: of Adam; the paper's is 1e-4.
        batch_size: rows of a batch, as whole runs; the paper's is 115.
        run_length: neighbouring rows of a trial that stay together; 1 draws each row alone.
        decoded_every: of a run every such row is reconstructed, another one in every batch.
        patience: epochs without a better validation loss before the stage ends; 0: never.
        modality_dropout: probability in [0, 1) of hiding a modality of a row from the estimate.
        save_every: steps between two saved states.
        workers: threads that make batches ahead.
        seed, stage: decide, with epoch and batch, all that is drawn.
    """

    epochs: int
    learning_rate: float = 1e-4
    batch_size: int = 115
    run_length: int = 23
    decoded_every: int = 1
    patience: int = 0
    modality_dropout: float = 0.0
    save_every: int = 200
    workers: int = 1
    seed: int = 0
    stage: int = 0


@dataclass(frozen=True, eq=False)
class TrainingRows:
    """Rows of a set to learn from, and rows of other people to stop by; none: no early stop."""

    windows: RunSet
    train: Rows
    validation: Rows


class _Place(NamedTuple):
    """Which batch of the stage some runs are: decides all that is drawn for it."""

    epoch: int
    batch: int
    runs: Sequence[Rows]


class _RolledBackError(Exception):
    """The last good state was taken back: go on from there."""


class Stage:
    """One stage of a run. ``train`` goes on from the folder's last state to the end."""

    def __init__(
        self,
        objective: Objective,
        rows: TrainingRows,
        settings: StageSettings,
        *,
        fabric: Fabric,
        folder: RunFolder | None = None,
        progress: Progress = lambda _share: None,
    ) -> None:
        self.rows, self.settings, self.fabric = rows, settings, fabric
        self.folder, self.progress = folder, progress
        self.objective = objective
        learning = [each for each in objective.parameters() if each.requires_grad]
        self.module, self.optimiser = fabric.setup(
            objective, torch.optim.Adam(learning, lr=settings.learning_rate, fused=True)
        )
        self._gathered = _gathered_statistics(objective.train())
        self.position = Position(learning_rate=settings.learning_rate)
        self.best: dict[str, Tensor] = {}
        self.good = self._state()
        self.failed_saves = 0
        self.log: StepLog | None = None

    def train(self) -> Position:
        """Train to the end; the objective's model then holds the best weights.

        Raises:
            ModelError: E_TRAINING_DIVERGED, E_MEMORY; E_CHECKPOINT or E_RUN_CHANGED where the
                folder's state does not fit the network.
            OutputError: the state could not be written twice in a row.
        """
        if self.folder is not None:
            state = self.folder.load()
            if state is not None:
                self._restore(state)
            if self.fabric.is_global_zero and not self.position.finished:
                self.log = self.folder.step_log(self.position.log_bytes)
        try:
            while not self.position.finished:
                try:
                    self._epoch()
                except _RolledBackError:
                    continue
        finally:
            if self.log is not None:
                self.log.close()
        if self.best:
            self.objective.model.load_state_dict(self.best)
        return self.position

    def _epoch(self) -> None:
        position, settings = self.position, self.settings
        if position.epoch >= settings.epochs:
            self._finish()
            return
        seed = (settings.seed, settings.stage, position.epoch)
        runs = self.rows.windows.runs(self.rows.train, settings.run_length, seed=seed)
        batches = grouped(runs, settings.run_length, settings.batch_size)
        self._set_learning_rate()
        self.module.train()
        places = [_Place(position.epoch, *each) for each in enumerate(batches)]
        for part in made_ahead(self._loaded, places[position.batch :], settings.workers):
            self.progress((position.epoch + position.batch / len(batches)) / settings.epochs)
            self.step(part)
            position.batch += 1
            if position.batch % settings.save_every == 0 and position.batch < len(batches):
                self._save()
        self._end_of_epoch()

    def step(self, part: Part) -> None:
        """Learn from this device's part of a batch, see ``part``."""
        position = self.position
        loss = self._learnt(part)
        if self.log is not None:
            self.log.write(
                f"{position.epoch},{position.batch},{loss:.9g},{position.learning_rate:.9g}\n"
            )
        if np.isfinite(loss):
            self.position.bad_in_a_row = 0
            position.epoch_sum += loss
            position.epoch_batches += 1
            return
        position.skipped = (*position.skipped, f"{position.epoch}:{position.batch}")
        log.warning("epoch %d, batch %d: the loss is no number", position.epoch, position.batch)
        self.position.bad_in_a_row += 1
        if self.position.bad_in_a_row == BAD_STEPS_IN_A_ROW:
            self._roll_back()

    def _learnt(self, part: Part) -> float:
        """One step of the optimiser, left out where the loss or a gradient is no number."""
        counts = self._everywhere(self.objective.counts(part))
        part = self.fabric.to_device(part)
        gathered = [each.clone() for each in self._gathered]
        while True:
            try:
                loss = self._gradient(part, counts)
                break
            except (torch.OutOfMemoryError, MemoryError, RuntimeError) as error:
                if not _is_out_of_memory(error):
                    raise
                self._halve(part, error)
            self._put_back(gathered)
        learning = [each for group in self.optimiser.param_groups for each in group["params"]]
        gradients = [each.grad for each in learning if each.grad is not None]
        if np.isfinite(loss) and _are_finite(gradients):
            self.optimiser.step()
            return loss
        self._put_back(gathered)
        return float("nan")

    def _halve(self, part: Part, error: Exception) -> None:
        """Have batches go through in twice as many parts from now on."""
        runs, length = next(iter(part.runs.starts.values())).shape
        if self.fabric.world_size > 1 or self.position.pieces >= runs:
            rows = runs * length // min(self.position.pieces, runs)
            raise ModelError(
                "E_MEMORY",
                f"There is too little memory to learn from {rows} rows at once.",
                "Choose smaller batches or shorter runs, or a device with more memory.",
            ) from error
        self.position.pieces *= 2
        log.warning("out of memory: a batch now goes through in %d parts", self.position.pieces)

    def _put_back(self, gathered: list[Tensor]) -> None:
        """What norms have gathered, as it was before a step that was not taken."""
        for now, before in zip(self._gathered, gathered, strict=True):
            now.copy_(before)

    def _gradient(self, part: Part, counts: dict[str, float]) -> float:
        """The batch's loss, its gradient summed over the parts that it goes through in."""
        self.optimiser.zero_grad(set_to_none=True)
        total = torch.zeros((), dtype=torch.float64, device=self.fabric.device)
        for piece in split(part, self.position.pieces):
            loss = self.objective.loss(self.module(piece), counts)
            # Devices average their gradients; their sums are wanted.
            self.fabric.backward(loss * self.fabric.world_size)
            total += loss.detach()
        # A number is read once everything is queued: a GPU would stand still for an earlier one.
        return self._everywhere({"loss": float(total)})["loss"]

    def _everywhere(self, numbers: dict[str, float]) -> dict[str, float]:
        """Sums over all devices."""
        if self.fabric.world_size == 1:
            return numbers
        names = sorted(numbers)
        own = torch.tensor([numbers[name] for name in names], dtype=torch.float64)
        summed = self.fabric.all_reduce(own.to(self.fabric.device), reduce_op="sum")
        assert isinstance(summed, Tensor)
        return dict(zip(names, summed.tolist(), strict=True))

    def _loaded(self, place: _Place) -> Part:
        return self.part(self.rows.windows.batch(place.runs), place.epoch, place.batch)

    def part(self, batch: RunBatch, epoch: int, number: int) -> Part:
        """This device's part of a batch, still on the processor; pinned where a GPU takes it."""
        own, modalities = self.settings, self.objective.model.config.modalities
        random = np.random.default_rng((own.seed, own.stage, epoch, number, 1))
        part = drawn_part(batch, modalities, decoded_every=own.decoded_every,
                          modality_dropout=own.modality_dropout, random=random)  # fmt: skip
        if self.fabric.world_size > 1:
            part = own_share(part, self.fabric.global_rank, self.fabric.world_size)
        return pinned(part) if self.fabric.device.type == "cuda" else part

    def _end_of_epoch(self) -> None:
        position = self.position
        mean = position.epoch_sum / max(1, position.epoch_batches)
        position.losses = (*position.losses, mean)
        position.epoch, position.batch = position.epoch + 1, 0
        position.epoch_sum, position.epoch_batches = 0.0, 0
        if len(self.rows.validation):
            error = self._validation_loss()
            position.validation = (*position.validation, error)
            if error < position.best:
                position.best, position.best_epoch = error, position.epoch
                self.best = copied(self.objective.model.state_dict())
        waited = position.epoch - position.best_epoch
        patience = self.settings.patience
        if position.epoch >= self.settings.epochs or (self.best and 0 < patience <= waited):
            self._finish()
        else:
            self._save()

    def _finish(self) -> None:
        self.position.finished = 1
        self._save()
        self.progress(1.0)

    def _validation_loss(self) -> float:
        """The loss on the validation rows, nothing hidden, nothing learnt; of the targets alone
        where there are any, so that weights of a joint loss can be compared by it."""
        windows, reconstructs = self.rows.windows, self.objective.kind == "reconstruction"
        runs = windows.runs(self.rows.validation, VALIDATION_RUN, seed=(0,))
        sums: dict[str, float] = {}
        counts: dict[str, float] = {}
        self.module.eval()
        with torch.inference_mode():
            for batch in windows.batches(grouped(runs, VALIDATION_RUN, 2 * VALIDATION_RUN)):
                last = batch.rows.shape[1] if reconstructs else 0
                columns = np.arange(0, last, self.settings.decoded_every)
                part = as_part(batch, columns, {}, self.fabric.device)
                for name, value in self.module(part).items():
                    sums[name] = sums.get(name, 0.0) + float(value)
                for name, count in self.objective.counts(part).items():
                    counts[name] = counts.get(name, 0.0) + count
        loss = self.objective.loss(
            {name: torch.tensor(value, dtype=torch.float64) for name, value in sums.items()}, counts
        )
        return float(loss) if bool(torch.isfinite(loss)) else 1e307

    def _state(self) -> State:
        tensors = {f"model.{k}": v for k, v in self.objective.model.state_dict().items()}
        tensors |= {f"best.{k}": v for k, v in self.best.items()}
        tensors |= {f"adam.{k}": v for k, v in adam_tensors(self.optimiser).items()}
        return State(replace(self.position), copied(tensors))

    def _save(self) -> None:
        """Keep the state, in memory always and on the disk where there is a folder."""
        self.position.saved += 1
        if self.log is not None:
            self.position.log_bytes = self.log.length
        self.good = self._state()
        if self.folder is None or not self.fabric.is_global_zero:
            return
        try:
            if self.log is not None:
                self.log.flush()
            self.folder.save(self.good)
            self.failed_saves = 0
        except (OSError, OutputError) as error:
            self.failed_saves += 1
            log.error("the state could not be saved: %s", error)
            if self.failed_saves > 1:
                raise OutputError(
                    "E_OUTPUT",
                    f"The run's state could not be saved twice in a row ({error}).",
                    "Make room, and start it again: it goes on from the last state saved.",
                ) from error

    def _restore(self, state: State) -> None:
        self.good = state
        self.position = replace(state.position)
        parts: dict[str, dict[str, Tensor]] = {"model": {}, "best": {}, "adam": {}}
        for key, value in state.tensors.items():
            kind, name = key.split(".", 1)
            parts[kind][name] = value
        fill(self.objective.model, parts["model"], "the run's state")
        self.best = parts["best"]
        restore_adam(self.optimiser, parts["adam"])

    def _roll_back(self) -> None:
        skipped, rollbacks = self.position.skipped, self.position.rollbacks + 1
        rate = self.position.learning_rate / 2
        if rollbacks > MOST_ROLLBACKS:
            raise ModelError(
                "E_TRAINING_DIVERGED",
                f"The loss is no number in {len(skipped)} steps (epoch:batch {skipped[-1]} last), "
                f"and {MOST_ROLLBACKS} times half the learning rate did not help.",
                "Check the inputs of those batches, or start in a new folder with a smaller "
                "learning rate.",
            )
        log.warning("back to the last good state, learning rate %.3g", rate)
        self._restore(self.good)
        self.position.rollbacks, self.position.learning_rate = rollbacks, rate
        self.position.skipped, self.position.bad_in_a_row = skipped, 0
        if self.log is not None:
            self.log.cut(self.position.log_bytes)
        raise _RolledBackError

    def _set_learning_rate(self) -> None:
        for group in self.optimiser.param_groups:
            group["lr"] = self.position.learning_rate


def _gathered_statistics(objective: Objective) -> list[Tensor]:
    """What norms gather while they learn; those of frozen parts stay as they are."""
    learning = [each for each in objective.modules() if each.training]
    return [buffer for each in learning for buffer in each.buffers(recurse=False)]


def _are_finite(gradients: Sequence[Tensor]) -> bool:
    """One reading for all of them: what is no number, or infinite, spoils its tensor's sum."""
    return bool(torch.isfinite(torch.stack([each.sum() for each in gradients])).all())


def _is_out_of_memory(error: Exception) -> bool:
    """PyTorch has an error for it on accelerators only; on a processor a sentence tells."""
    known = isinstance(error, torch.OutOfMemoryError | MemoryError)
    return known or "not enough memory" in str(error) or "can't allocate" in str(error)
