"""The paper's networks as systems under test, and what must stand beside them.

Comas, Aspandi, Binefa, FG 2020, doi 10.1109/FG47880.2020.00001. In each fold the three stages run
on the training people; inner people stop them early. Systems of a fold share what they have in
common: the body's stage 1 and the auto-encoders of stage 2 are trained once.

Where the paper is silent, and what we do:
1. lambda_BAE is chosen among ``NetworkSettings.lambdas`` by the inner people's target error.
2. ``faces="fold"``: the face encoder learns in stage 1 of each fold and stays fixed from there on;
   "frozen": it comes from elsewhere and its features are computed once; "fine-tuned": the paper's
   own way, it goes on learning in stage 3.

Legend: M rows, T targets.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from affectscope.baselines.compared import FaceEmbeddings
from affectscope.baselines.trivial import shuffled_rows
from affectscope.datasets.face_features import face_features
from affectscope.datasets.prepared import PreparedCorpus
from affectscope.datasets.prepared_trial import PreparedTrial
from affectscope.datasets.runs import RunSet
from affectscope.evaluation.crossval import Fitted, System, Task
from affectscope.evaluation.leaks import FittedPart, fitted_on
from affectscope.evaluation.samples import Rows, Samples
from affectscope.models.bmmn import BMMN, BMMNConfig
from affectscope.models.face_encoder import FaceEncoder, GivenFeatures, given_name
from affectscope.models.face_file import PluggedFace
from affectscope.models.pretrained_autoencoders import PretrainedAutoencoders, shipped_autoencoders
from affectscope.preprocessing.windows import Preprocessing
from affectscope.recipes.fg2020_estimates import predicted
from affectscope.records import TARGETS, FloatArray, Modality
from affectscope.training.fit import FitSettings, Trainer, fresh, weights_fingerprint
from affectscope.training.loop import TrainingRows

if TYPE_CHECKING:
    from lightning_fabric import Fabric

Faces = Literal["frozen", "fold", "fine-tuned"]
AutoencoderStart = Literal["fold", "pretrained"]
NETWORKS = ("bio only", "faces only", "BMMN", "BMMN-BAE-1", "BMMN-BAE-2")
"""The paper's systems by its own names."""
CONTROLS = ("BMMN, signals shuffled across trials", "BMMN, random-init encoders")
"""Networks that must not do well: what they reach is not read from the signals of the trial."""

_VARIANTS: Mapping[str, Literal["bmmn", "bmmn_bae_1", "bmmn_bae_2"]] = {
    "BMMN": "bmmn",
    "BMMN-BAE-1": "bmmn_bae_1",
    "BMMN-BAE-2": "bmmn_bae_2",
}
_FACE_ROWS = 256


@dataclass(frozen=True)
class NetworkSettings:
    """How the networks are built and trained.

    Attributes:
        network: face encoder, window, unpooling; variant and modalities are set by each system.
        fit: epochs, learning rate, batch; its seed is replaced by the run's.
        faces: see the head of this file.
        face_every: "fold": every so many rows teach the face encoder. Its pictures cost more than
            all the rest, and neighbours show nearly the same.
        lambdas: lambda_BAE to choose from.
        autoencoders: "fold": stage 2 begins from nothing; "pretrained": from those that come with
            the program, which may not have seen the fold's test people.
    """

    network: BMMNConfig = field(default_factory=lambda: BMMNConfig(face_encoder="small"))
    fit: FitSettings = field(default_factory=FitSettings)
    faces: Faces = "fold"
    face_every: int = 4
    lambdas: tuple[float, ...] = (0.1, 1.0, 10.0)
    autoencoders: AutoencoderStart = "fold"


@dataclass(frozen=True, eq=False)
class GivenEncoder:
    """A face encoder from elsewhere, and whom it was fitted on (their ids; nobody: ImageNet)."""

    encoder: FaceEncoder
    subjects: frozenset[str] = frozenset()

    @cached_property
    def identity(self) -> str:
        """sha256 over its weights, or over its file and what is stated of it."""
        if isinstance(self.encoder, PluggedFace):
            return self.encoder.identity
        return weights_fingerprint(self.encoder)

    def taken_by(self, settings: NetworkSettings) -> NetworkSettings:
        """The settings of networks that take its features; their own where it is one of theirs."""
        if not isinstance(self.encoder, PluggedFace):
            return settings
        network = replace(settings.network, face_encoder=given_name(self.encoder.width))
        return replace(settings, network=network)

    @property
    def described(self) -> dict[str, Any]:
        """What the report's configuration says of it, plain JSON."""
        facts = asdict(self.encoder.facts) if isinstance(self.encoder, PluggedFace) else {}
        return {"identity": self.identity[:12], **facts}

    @property
    def doubts(self) -> tuple[str, ...]:
        """What the leak check cannot know of it; nothing where its people are stated."""
        if not isinstance(self.encoder, PluggedFace) or self.subjects:
            return ()
        return (
            f"Whom the face encoder learnt from: {self.encoder.name} states no ids of people, only "
            f"'{self.encoder.facts.trained_on}', so that the leak check cannot tell whether a "
            "tested person is among them.",
        )


@dataclass(frozen=True, eq=False)
class Material:
    """What all folds work on.

    Attributes:
        prepared: trials sorted by (subject, trial), so that their rows are those of ``samples``.
        cache: where they lie; face features are kept beside them.
        runs: where each fold keeps its runs; the same call goes on there after a stop.
        given: for ``faces="frozen"``.
    """

    prepared: PreparedCorpus
    samples: Samples
    settings: NetworkSettings
    cache: Path
    runs: Path
    fabric: Callable[[], Fabric]
    given: GivenEncoder | None = None
    force: bool = False

    @cached_property
    def autoencoders(self) -> PretrainedAutoencoders | None:
        """What each fold's auto-encoders begin from; None: from nothing.

        Raises:
            ModelError: E_CHECKPOINT where one is damaged.
        """
        return shipped_autoencoders() if self.settings.autoencoders == "pretrained" else None

    @property
    def fingerprint(self) -> str:
        """sha256 over what decides a network's predictions beside the samples."""
        content = {
            "trials": [trial.key for trial in self.prepared.trials],
            "settings": asdict(replace(self.settings, fit=replace(self.settings.fit, workers=0))),
            "face": None if self.given is None else self.given.identity,
            "BAE": None if self.autoencoders is None else self.autoencoders.identity,
        }
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def sorted_trials(prepared: PreparedCorpus) -> PreparedCorpus:
    """The corpus with its trials in (subject, trial) order."""
    trials = sorted(prepared.trials, key=lambda trial: (trial.subject_id, trial.trial_id))
    return replace(prepared, trials=tuple(trials))


def samples_of(prepared: PreparedCorpus) -> Samples:
    """The rows of sorted trials, as evaluation sees them."""
    window = prepared.settings.preprocessing.window_duration
    trials = prepared.trials
    counts = [len(trial.times) for trial in trials]
    return Samples(
        subject=np.repeat(np.array([trial.subject_id for trial in trials]), counts),
        trial=np.repeat(np.array([trial.trial_id for trial in trials]), counts),
        onset=np.concatenate([trial.times for trial in trials]) - window / 2,
        window=window,
        trial_duration=np.repeat(np.array([trial.duration for trial in trials]), counts),
        truth=np.concatenate([trial.targets for trial in trials]).astype(np.float64),
        targets=TARGETS,
    )


def network_systems(material: Material, names: tuple[str, ...]) -> list[System]:
    """Systems of ``NETWORKS`` and ``CONTROLS`` by name."""

    def system(name: str) -> System:
        def fit(task: Task) -> Fitted:
            fold = FoldNetworks(material, task)
            return fold.random_init() if name == CONTROLS[1] else fold.fitted(name)

        return System(name, fit, "control" if name in CONTROLS else "network")

    return [system(name) for name in names]


class FoldNetworks:
    """The networks of one fold and seed."""

    def __init__(self, material: Material, task: Task) -> None:
        self.material, self.task = material, task
        settings = material.settings
        self.fit = replace(settings.fit, seed=task.seed)
        self.folder = material.runs / task.fold.name / f"seed-{task.seed}"

    def fitted(self, name: str) -> Fitted:
        """A trained network of ``NETWORKS``, or the shuffled control, ready to predict."""
        shuffled = name == CONTROLS[0]
        windows = self._windows(shuffled=shuffled)
        folder = self.folder / "shuffled" if shuffled else self.folder
        network = self._trained("BMMN" if shuffled else name, self._trainer(windows, folder))
        return Fitted(self._parts(network.config), self._predictor(network, windows))

    def network(self, name: str) -> BMMN:
        """A trained network of ``NETWORKS`` by itself, its face encoder inside."""
        return self._trained(name, self._trainer(self._windows(shuffled=False), self.folder))

    def autoencoders(self) -> tuple[BMMN, RunSet]:
        """The trained auto-encoders, and the windows that they learnt from."""
        windows = RunSet(self._trials, self._preprocessing, modalities=("ecg", "eda"))
        return self._autoencoders(self._trainer(windows, self.folder)), windows

    def face_embeddings(self) -> FaceEmbeddings | None:
        """Features of the fold's fixed face encoder, for other systems; None without any face."""
        seen = "face" in self.material.settings.network.modalities
        if not seen or all(trial.faces is None for trial in self._trials):
            return None
        encoder = self._fixed_encoder()
        if encoder is None:
            return None
        return FaceEmbeddings(self._features(encoder), self._face_part())

    def random_init(self) -> Fitted:
        """A BMMN whose encoders were never trained: only its last layer learns."""
        network = fresh(replace(self._config("BMMN"), face_encoder="small"), self.fit.seed + 1)
        trials, preprocessing = self._trials, self._preprocessing
        windows = RunSet(trials, preprocessing)
        if network.face is not None:
            features = self._features(network.face)
            windows = RunSet(trials, preprocessing, features, "random")
        trainer = replace(
            self._trainer(windows, self.folder / "random"), frozen=("face", "bio_networks")
        )
        trainer.joint(network, lambda_bae=0.0)
        return Fitted(self._parts(network.config), self._predictor(network, windows))

    def _trained(self, name: str, trainer: Trainer) -> BMMN:
        if name == "bio only":
            return self._body(trainer)
        if name == "faces only":
            return self._face(trainer)
        config = self._config(name)
        networks = []
        for value in self.material.settings.lambdas if config.uses_autoencoder else (0.0,):
            network = fresh(config, self.fit.seed)
            if "face" in config.modalities:
                network.load_encoders(self._face(trainer))
            if config.uses_bio_networks:
                network.load_encoders(self._body(trainer))
            if config.uses_autoencoder:
                network.load_encoders(self._autoencoders(trainer))
            networks.append((trainer.joint(network, lambda_bae=value), value, network))
        return min(networks, key=lambda found: found[:2])[2]

    def _body(self, trainer: Trainer) -> BMMN:
        config = self._config("bio only")
        return trainer.part(config, config.body, fresh(config, self.fit.seed))

    def _autoencoders(self, trainer: Trainer) -> BMMN:
        """Stage 2, the same for both networks that have auto-encoders."""
        config = self._config("BMMN-BAE-1")
        start = fresh(config, self.fit.seed)
        if (given := self.material.autoencoders) is not None:
            given.check(config, self._preprocessing)
            given.begin(start)
        return trainer.autoencoders(config, start)

    def _face(self, trainer: Trainer) -> BMMN:
        """The face's stage 1; where features are given, it trains their head alone."""
        config = self._config("faces only")
        start = fresh(config, self.fit.seed)
        if self.material.given is not None and start.face is not None:
            if not isinstance(start.face, GivenFeatures):
                start.face.load_state_dict(self.material.given.encoder.state_dict())
        elif "face" in trainer.frozen:
            return self._face(replace(trainer, rows=self._pictures, folder=self.folder, frozen=()))
        return trainer.part(config, ("face",), start)

    def _config(self, name: str) -> BMMNConfig:
        base = self.material.settings.network
        wanted: tuple[Modality, ...] = base.modalities
        if name == "bio only":
            wanted = tuple(each for each in wanted if each != "face")
        elif name == "faces only":
            wanted = ("face",)
        return replace(base, variant=_VARIANTS.get(name, "bmmn"), modalities=wanted)

    def _windows(self, *, shuffled: bool) -> RunSet:
        """The rows as the networks see them: pictures, or features of a fixed encoder."""
        source = shuffled_rows(self.task.samples, self.task.seed) if shuffled else None
        trials, preprocessing = self._trials, self._preprocessing
        seen = self.material.settings.network.modalities
        if self.material.settings.faces == "fine-tuned" or "face" not in seen:
            return RunSet(trials, preprocessing, inputs_from=source, modalities=seen)
        encoder = self._fixed_encoder()
        if encoder is None:
            return RunSet(trials, preprocessing, inputs_from=source)
        identity = GivenEncoder(encoder).identity
        return RunSet(trials, preprocessing, self._features(encoder), identity, inputs_from=source)

    def _fixed_encoder(self) -> FaceEncoder | None:
        """Given, or stage 1 of this fold; None where no trial has a face."""
        if self.material.given is not None:
            return self.material.given.encoder
        if not self._pictures.windows.present["face"].any():
            return None
        trainer = self._trainer(self._pictures.windows, self.folder)
        return self._face(replace(trainer, rows=self._pictures)).face

    @cached_property
    def _pictures(self) -> TrainingRows:
        """The pictures that the face encoder learns from."""
        windows, every = RunSet(self._trials, self._preprocessing), 1
        if self.material.settings.faces == "fold":
            every = self.material.settings.face_every
        fold = self.task.fold
        return TrainingRows(windows, fold.train[::every], fold.validation[::every])

    def _features(self, encoder: FaceEncoder) -> dict[str, NDArray[np.float32]]:
        return face_features(
            self.material.prepared,
            encoder,
            GivenEncoder(encoder).identity,
            self.material.cache,
            batch=_FACE_ROWS,
            progress=lambda _share, _text: None,
        )

    def _trainer(self, windows: RunSet, folder: Path) -> Trainer:
        rows = TrainingRows(windows, self.task.fold.train, self.task.fold.validation)
        return Trainer(
            rows,
            self.fit,
            self.material.fabric(),
            folder=folder,
            frozen=() if windows.features is None else ("face",),
            force=self.material.force,
        )

    @property
    def _trials(self) -> tuple[PreparedTrial, ...]:
        return self.material.prepared.trials

    @property
    def _preprocessing(self) -> Preprocessing:
        return self.material.prepared.settings.preprocessing

    def _parts(self, config: BMMNConfig) -> tuple[FittedPart, ...]:
        """What was fitted on whom: training people to learn from, inner people to stop by."""
        samples, fold = self.task.samples, self.task.fold
        learned = np.union1d(fold.train, fold.validation)
        parts = [fitted_on(samples, learned, name="head", kind="classifier", used_labels=True)]
        if "face" in config.modalities:
            parts.append(self._face_part())
        if config.uses_bio_networks:
            parts.append(
                fitted_on(samples, learned, name="Bio Networks", kind="encoder", used_labels=True)
            )
        if config.uses_autoencoder:
            parts.append(
                fitted_on(samples, learned, name="BAE", kind="autoencoder", used_labels=False)
            )
            if (given := self.material.autoencoders) is not None:
                corpus = self.material.prepared.name.partition(",")[0]  # a limit may follow
                seen = given.people_of(corpus)
                parts.append(FittedPart("BAE's start", "autoencoder", seen, False, None))
        return tuple(parts)

    def _face_part(self) -> FittedPart:
        """The face encoder, and whom it was fitted on."""
        if (given := self.material.given) is not None:
            return FittedPart("face encoder", "encoder", given.subjects, True, None)
        samples, fold = self.task.samples, self.task.fold
        learned = np.union1d(fold.train, fold.validation)
        return fitted_on(samples, learned, name="face encoder", kind="encoder", used_labels=True)

    def _predictor(self, network: BMMN, windows: RunSet) -> Callable[[Rows], FloatArray]:
        return lambda rows: predicted(network, windows, rows)
