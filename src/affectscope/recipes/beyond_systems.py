"""The fused network as a system under test, and its ablations: one idea changed in each.

In each fold: a masked auto-encoder of ECG and EDA learns from the training people's signals without
labels, the fused network from their trials; inner people stop both early. The face encoder is the
fold's (``fg2020_systems``) or one from elsewhere, and stays fixed.

Legend: M rows, m some of them, B trials, T targets.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from affectscope.baselines.compared import ComparedData, FaceEmbeddings, fold_seed, thinned
from affectscope.baselines.modern_floor import by_person
from affectscope.baselines.network_learning import Learning, learn, shuffled
from affectscope.evaluation.crossval import TRANSDUCTIVE, Fitted, System, Task
from affectscope.evaluation.leaks import FittedPart, check_features, fitted_on
from affectscope.evaluation.samples import Rows
from affectscope.evaluation.trials import trial_table, trial_truth
from affectscope.models.fused import FusedConfig, FusedNetwork, TrialInputs
from affectscope.models.fused_masked import MaskedAutoencoder, MaskedConfig
from affectscope.recipes.beyond_inputs import (
    HEART,
    SHORT_CONTEXT,
    SKIN,
    RawTrials,
    Scale,
    TrialRows,
    as_inputs,
    raw_trials,
    signal_windows,
    trial_rows,
)
from affectscope.records import MODALITIES, FloatArray, Modality
from affectscope.training.fused import FusedLoss, SignalWindows, masked_error

FUSED = "fused"


@dataclass(frozen=True)
class FusedSettings:
    """How the fused network learns.

    Attributes:
        context: seconds of EDA context that are asked for.
        windows: of each trial.
        batch: trials.
        epochs, masked_epochs: at most so many, of the network and of the masked auto-encoder.
    """

    context: float = 40.0
    windows: int = 12
    batch: int = 32
    epochs: int = 120
    masked_epochs: int = 15
    learning_rate: float = 2e-3
    weight_decay: float = 1e-3
    patience: int = 20


@dataclass(frozen=True)
class Ideas:
    """What the network is made of; each can be taken away or put in by itself.

    Attributes:
        attention: over the trial's windows; else each counts the same.
        modality_dropout: whether modalities are taken away in training.
        eda_context: of ``FusedSettings.context`` seconds; else of 8 s, as long as the ECG window.
        late: whether duration-free heart and skin features join late.
        heteroscedastic: whether ratings have a variance of their own.
        ccc: whether the concordance term is in the loss.
        masked: latents of a masked auto-encoder; else small convolutions are learnt with the rest.
        by_person: late features standardised within each person, without labels (transductive).
    """

    attention: bool = True
    modality_dropout: bool = True
    eda_context: bool = True
    late: bool = True
    heteroscedastic: bool = True
    ccc: bool = True
    masked: bool = True
    by_person: bool = False


DEFAULT = Ideas(attention=False, heteroscedastic=False)
"""Attention and a variance of its own did not earn their place (docs/experiment-log.md)."""
IDEAS: Mapping[str, str] = {
    "attention": "attention over windows",
    "modality_dropout": "modality dropout",
    "eda_context": "EDA context",
    "late": "late features",
    "heteroscedastic": "variance of its own",
    "ccc": "CCC loss",
    "masked": "masked auto-encoder",
    "by_person": "late features by person",
}


def ablation(idea: str) -> tuple[str, Ideas]:
    """The system's name and ideas with one of ``IDEAS`` turned round."""
    used = bool(getattr(DEFAULT, idea))
    ideas = replace(DEFAULT, **{idea: not used})
    name = f"{FUSED}, {'without' if used else 'with'} {IDEAS[idea]}"
    return (f"{name} (transductive)" if ideas.by_person else name), ideas


VARIANTS: Mapping[str, Ideas] = {FUSED: DEFAULT, **dict(ablation(idea) for idea in IDEAS)}
NO_DROPOUT = ablation("modality_dropout")[0]


def taken_away(name: str, modality: Modality) -> str:
    """The name of a system that is tested without a modality."""
    return f"{name}; no {modality} at test"


@dataclass(frozen=True, eq=False)
class FusedFold:
    """A fused network that was fitted, and all that its inputs were fitted with.

    Attributes:
        scales: of face embeddings and of late features.
        masked: None where signals come as samples.
    """

    network: FusedNetwork
    masked: MaskedAutoencoder | None
    scales: tuple[Scale, Scale]
    parts: tuple[FittedPart, ...]

    def inputs(self, raw: RawTrials) -> TrialInputs:
        """What the network is given of some trials."""
        return as_inputs(raw, *_signals(self.masked, raw.signals), self.scales)


@dataclass(frozen=True, eq=False)
class _Side:
    """Trials of one side of a fold, and their truth (B, T)."""

    raw: RawTrials
    truth: Tensor


class FusedFolds:
    """The fused networks of a corpus, one fold at a time; what they share is made once per fold.

    Args:
        data: with features of spans of ``context`` seconds (``beyond_inputs.fused_data``).
    """

    def __init__(self, data: ComparedData, settings: FusedSettings, context: float) -> None:
        self.data, self.settings, self.context = data, settings, context
        self._late = data.features.chosen((*HEART, *SKIN))
        self._fold: tuple[str, int, bytes] | None = None
        self._fitted: dict[Ideas, FusedFold] = {}
        self._masked: dict[float, MaskedAutoencoder] = {}
        self._faces: FaceEmbeddings | None = None

    def fitted(self, task: Task, ideas: Ideas) -> FusedFold:
        """The network of one fold; the last fold's networks are kept."""
        key = (task.fold.name, task.seed, np.concatenate([task.fold.train, [-1], task.fold.test])
               .tobytes())  # fmt: skip
        if key != self._fold:
            self._fold, self._fitted, self._masked = key, {}, {}
            self._faces = self.data.face_embeddings(task)
        if ideas not in self._fitted:
            self._fitted[ideas] = self._fit(task, ideas)
        return self._fitted[ideas]

    def system(self, name: str, ideas: Ideas, away: Modality | None = None) -> System:
        """The system under test, ``away``: with that modality taken away from the test rows."""

        def fit(task: Task) -> Fitted:
            fold = self.fitted(task, ideas)
            return Fitted(fold.parts, lambda rows: self._predict(task, fold, rows, ideas, away))

        if ideas.by_person:
            return System(name, fit, "network", TRANSDUCTIVE)
        return System(name, fit, "network")

    def _fit(self, task: Task, ideas: Ideas) -> FusedFold:
        late = self._late_features(task, ideas)
        check_features(task.samples, late, (*HEART, *SKIN))
        train = self._side(task, task.fold.train, ideas, late)
        inner = self._side(task, task.fold.validation, ideas, late)
        masked = self._autoencoder(task, self._seconds(ideas)) if ideas.masked else None
        scales = Scale.of(train.raw.faces_seen), Scale.of(train.raw.late)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(fold_seed(task))
            network = FusedNetwork(self._config(train.raw, masked, ideas))
        fold = FusedFold(network, masked, scales, self._parts(task, ideas))
        self._learn(fold, train, inner, FusedLoss(ideas.ccc, ideas.heteroscedastic), task)
        return fold

    def _learn(
        self, fold: FusedFold, train: _Side, inner: _Side, loss: FusedLoss, task: Task
    ) -> None:
        """Early stopping by the inner people, all of whose trials are one batch."""
        network, settings, seed = fold.network, self.settings, fold_seed(task)
        with torch.no_grad():
            given, asked = fold.inputs(train.raw), fold.inputs(inner.raw)
        batches = shuffled(len(train.truth), settings.batch, seed)

        def error(places: Rows) -> Tensor:
            return loss(network(given.part(places)), train.truth[places])

        def validation() -> float:
            return float(loss(network(asked), inner.truth))

        learn(
            network,
            batches,
            error,
            validation=validation,
            settings=Learning(
                settings.epochs, settings.learning_rate, settings.patience, settings.weight_decay,
                seed,
            ),
        )  # fmt: skip

    def _autoencoder(self, task: Task, context: float) -> MaskedAutoencoder:
        """Of ECG windows and EDA contexts; of the fold's training people, without labels."""
        if context not in self._masked:
            seed = fold_seed(task)
            train, inner = (
                signal_windows(
                    self.data, thinned(task.samples, rows, self.data.settings.hop), context
                )
                for rows in (task.fold.train, task.fold.validation)
            )
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(seed)
                network = MaskedAutoencoder(MaskedConfig(train.ecg.shape[1], train.eda.shape[1]))
            self._masked[context] = _fit_masked(network, train, inner, self.settings, seed)
        return self._masked[context]

    def _predict(
        self, task: Task, fold: FusedFold, rows: Rows, ideas: Ideas, away: Modality | None
    ) -> FloatArray:
        """(m, T): every row has its trial's score; NaN where the trial shows nothing."""
        chosen = trial_rows(task.samples, rows, self.settings.windows)
        raw = self._raw(chosen, ideas, self._late_features(task, ideas))
        with torch.inference_mode():
            inputs = fold.inputs(raw)
            if away is not None:
                inputs = inputs.without(MODALITIES.index(away))
            found = fold.network(inputs).estimates.double()
            found[~inputs.scored] = torch.nan
        place = np.searchsorted(chosen.trials, trial_table(task.samples).of_row[rows])
        scores: FloatArray = found.numpy()[place]
        return scores

    def _late_features(self, task: Task, ideas: Ideas) -> FloatArray:
        if not ideas.by_person:
            return self._late
        return by_person(self._late, task, self.data.settings.hop)

    def _side(self, task: Task, rows: Rows, ideas: Ideas, late: FloatArray) -> _Side:
        chosen = trial_rows(task.samples, rows, self.settings.windows)
        _, truth = trial_truth(task.samples, rows)
        known = torch.from_numpy(truth[chosen.trials].astype(np.float32))
        return _Side(self._raw(chosen, ideas, late), known)

    def _raw(self, chosen: TrialRows, ideas: Ideas, late: FloatArray) -> RawTrials:
        seconds = self._seconds(ideas)
        return raw_trials(self.data, chosen, context=seconds, faces=self._faces, late=late)

    def _seconds(self, ideas: Ideas) -> float:
        return self.context if ideas.eda_context else SHORT_CONTEXT

    def _config(
        self, raw: RawTrials, masked: MaskedAutoencoder | None, ideas: Ideas
    ) -> FusedConfig:
        samples = raw.signals.ecg.shape[1], raw.signals.eda.shape[1]
        ecg, eda = samples if masked is None else (masked.config.latent,) * 2
        return FusedConfig(
            face=raw.face.shape[2],
            ecg=ecg,
            eda=eda,
            heart=len(HEART) if ideas.late else 0,
            skin=len(SKIN) if ideas.late else 0,
            signals="samples" if masked is None else "latent",
            pooling="attention" if ideas.attention else "mean",
            modality_dropout=0.3 if ideas.modality_dropout else 0.0,
            variance="stated" if ideas.heteroscedastic else "none",
        )

    def _parts(self, task: Task, ideas: Ideas) -> tuple[FittedPart, ...]:
        """What was fitted on whom: training people to learn from, inner people to stop by."""
        samples, fold = task.samples, task.fold
        learned = np.union1d(fold.train, fold.validation)
        parts = [
            fitted_on(samples, learned, name=FUSED, kind="classifier", used_labels=True),
            fitted_on(samples, fold.train, name="scales", kind="normaliser", used_labels=False),
        ]
        if ideas.masked:
            name = IDEAS["masked"]
            parts.append(
                fitted_on(samples, learned, name=name, kind="autoencoder", used_labels=False)
            )
        if ideas.by_person:
            everything = np.arange(len(samples))
            parts.append(
                fitted_on(samples, everything, name="z-scores of each person",
                          kind="person normaliser", used_labels=False)
            )  # fmt: skip
        return (*parts, *(() if self._faces is None else (self._faces.part,)))


def _signals(masked: MaskedAutoencoder | None, windows: SignalWindows) -> tuple[Tensor, Tensor]:
    """Samples as they are, or latents."""
    return (
        (windows.ecg, windows.eda) if masked is None else masked.latents(windows.ecg, windows.eda)
    )


def _fit_masked(
    network: MaskedAutoencoder,
    train: SignalWindows,
    inner: SignalWindows,
    settings: FusedSettings,
    seed: int,
) -> MaskedAutoencoder:
    """What is hidden of the inner people's windows is the same in every epoch."""
    generator = torch.Generator().manual_seed(seed)

    def batches(epoch: int) -> Iterator[Tensor]:
        for places in shuffled(len(train), 8 * settings.batch, seed)(epoch):
            yield torch.from_numpy(places)

    def validation() -> float:
        return float(masked_error(network, inner, torch.Generator().manual_seed(seed)))

    learn(
        network,
        batches,
        lambda places: masked_error(network, train.part(places), generator),
        validation=validation,
        settings=Learning(settings.masked_epochs, 2e-3, settings.patience, seed=seed),
    )
    return network


def fused_systems(folds: FusedFolds, variants: Mapping[str, Ideas] = VARIANTS) -> list[System]:
    """All variants; of the default and of the one without modality dropout also without each
    modality at test, right behind it, so that nothing is fitted twice."""
    found = []
    for name, ideas in variants.items():
        found.append(folds.system(name, ideas))
        if name in (FUSED, NO_DROPOUT):
            found += [folds.system(taken_away(name, each), ideas, each) for each in MODALITIES]
    return found
