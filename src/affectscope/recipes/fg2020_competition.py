"""Which systems stand in Table V, on which data, and how each is run.

The networks of the paper, the systems that it compares itself with, and the baselines that look at
no signal: all of them on the same rows and folds. Networks are those of Tables III and IV, so that
folds that these tables kept are found again; the compared systems estimate valence, arousal and
liking only, and nothing else is shown of anybody.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from affectscope import baselines, preprocessing
from affectscope.baselines.compared import (
    COMPARED_TARGETS,
    Compared,
    ComparedData,
    ComparedSettings,
    Published,
    Source,
)
from affectscope.baselines.compared_systems import COMPARED_SYSTEMS
from affectscope.baselines.trivial import TRIVIAL
from affectscope.datasets import body_features as features_of_body
from affectscope.datasets import trial_body
from affectscope.datasets.body_features import FeatureSettings, body_features
from affectscope.errors import EvaluationError
from affectscope.evaluation.crossval import RunSettings, System
from affectscope.recipes.compared_sections import SOURCE_NAMES, Contender
from affectscope.recipes.fg2020 import Experiment, Opened, Progress, open_experiment
from affectscope.recipes.fg2020_systems import (
    NETWORKS,
    FoldNetworks,
    GivenEncoder,
    network_systems,
)
from affectscope.recipes.fold_runs import Lineup
from affectscope.recipes.paper_numbers import DOI, METRIC, PAPER
from affectscope.records import FloatArray

FEATURES = FeatureSettings()
NETWORK_SOURCES: Mapping[str, tuple[Source, ...]] = {
    "bio only": ("ecg", "eda"),
    "faces only": ("face",),
    **dict.fromkeys(("BMMN", "BMMN-BAE-1", "BMMN-BAE-2"), ("face", "ecg", "eda")),
}
_CITATION = (
    "J. Comas, D. Aspandi, X. Binefa: End-to-end facial and physiological model for affective "
    f"computing and applications, FG 2020, doi {DOI}"
)


@dataclass(frozen=True, eq=False)
class ComparedExperiment:
    """An experiment with everybody, or with those who are chosen.

    Attributes:
        settings: of the compared systems.
        personality: subject -> (5,) traits, for the system that uses them; empty without.
        chosen: names of networks and compared systems; empty: all.
        given: a frozen face encoder, which networks and compared systems then share.
    """

    experiment: Experiment
    settings: ComparedSettings = field(default_factory=ComparedSettings)
    personality: Mapping[str, FloatArray] = field(default_factory=dict)
    chosen: tuple[str, ...] = ()
    given: GivenEncoder | None = None


def chosen_systems(text: str) -> tuple[str, ...]:
    """Names out of a list with commas, upper or lower case; a name may hold a comma itself.

    Raises:
        EvaluationError: E_CONFIG, with the choices, for a name that is none.
    """
    known = {name.casefold(): name for name in (*NETWORKS, *COMPARED_SYSTEMS)}
    words, found = [word.strip() for word in text.split(",")], []
    while words:
        for count in range(len(words), 0, -1):
            name = ", ".join(words[:count]).casefold()
            if name in known:
                found.append(known[name])
                words = words[count:]
                break
        else:
            raise EvaluationError(
                "E_CONFIG",
                f"There is no system '{words[0]}'.",
                f"Choose from: {'; '.join(known.values())}.",
            )
    return tuple(dict.fromkeys(found))


@dataclass(frozen=True, eq=False)
class Competition:
    """Everybody who is to be tested, on opened data.

    ``refused``: systems that the leak check stopped -> its sentence.

    Raises:
        EvaluationError: E_SOURCE where nobody who was chosen can be run.
    """

    asked: ComparedExperiment
    opened: Opened
    data: ComparedData
    refused: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.contenders:
            reasons = " ".join(f"{name}: {reason}" for name, reason in self.absent.items())
            raise EvaluationError(
                "E_SOURCE", f"None of the systems can be run. {reasons}", "Choose other systems."
            )

    @cached_property
    def contenders(self) -> tuple[Contender, ...]:
        """Who can be run: networks first, then the compared systems, in the tables' order."""
        return tuple(one for one in self._chosen if one.name not in self.absent)

    @cached_property
    def absent(self) -> dict[str, str]:
        """Who cannot be run -> why."""
        there = self.data.sources
        found = {}
        for one in self._chosen:
            lacking = [name for name in one.needs if name not in there]
            if not one.needs and not one.used:
                lacking = list(one.uses)
            if one.name in self.refused:
                found[one.name] = f"The leak check refused it. {self.refused[one.name]}"
            elif lacking:
                names = " and ".join(SOURCE_NAMES[name] for name in lacking)
                found[one.name] = f"It needs {names}, which no trial has."
        return found

    @cached_property
    def _chosen(self) -> tuple[Contender, ...]:
        everybody = (
            *(_network(name) for name in NETWORKS),
            *(_compared(system) for system in COMPARED_SYSTEMS.values()),
        )
        there, names = self.data.sources, self.asked.chosen
        return tuple(
            replace(one, used=tuple(name for name in one.uses if name in there))
            for one in everybody
            if not names or one.name in names
        )

    def lineup(self) -> Lineup:
        """All of them and the baselines on the experiment's folds."""
        names = [one.name for one in self.contenders]
        networks = network_systems(
            self.opened.material, tuple(name for name in names if name in NETWORKS)
        )
        compared = [
            COMPARED_SYSTEMS[name].system(self.data) for name in names if name in COMPARED_SYSTEMS
        ]
        return replace(
            self.opened.lineup([*networks, *compared, *TRIVIAL.values()]),
            run=self._run_settings,
            targets=COMPARED_TARGETS,
        )

    def _run_settings(self, system: System) -> RunSettings:
        if system.name in COMPARED_SYSTEMS:
            return RunSettings(self.opened.experiment.work / "folds", self.fingerprint)
        return self.opened.run_settings(system)

    @cached_property
    def fingerprint(self) -> str:
        """sha256 over what decides a compared system's predictions beside the samples."""
        content = {
            "material": self.opened.material.fingerprint,
            "settings": asdict(self.data.settings),
            "features": asdict(FEATURES),
            "personality": {name: np.asarray(traits).tolist()
                            for name, traits in self.data.personality.items()},
            "code": code_fingerprint(),
        }  # fmt: skip
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def open_competition(
    asked: ComparedExperiment, progress: Progress = lambda _share, _text: None
) -> Competition:
    """Prepare the data, and the features that all systems take from.

    Raises:
        EvaluationError: E_PROTOCOL where nothing usable is left, E_SOURCE where nobody who was
            chosen can be run.
        OutputError: E_OUTPUT.
    """
    opened = open_experiment(
        asked.experiment, asked.given, lambda share, text: progress(0.9 * share, text)
    )
    material = opened.material
    progress(0.9, "features of heart and skin")
    data = ComparedData(
        prepared=material.prepared,
        samples=material.samples,
        cache=material.cache,
        features=body_features(material.prepared, material.cache, FEATURES),
        face_embeddings=lambda task: FoldNetworks(material, task).face_embeddings(),
        personality=asked.personality,
        settings=asked.settings,
    )
    return Competition(asked, opened, data)


def competition_lineup(asked: ComparedExperiment) -> Lineup:
    """Everybody, opened anew."""
    return open_competition(asked).lineup()


def _network(name: str) -> Contender:
    printed = PAPER[name].values
    published = Published(
        METRIC,
        "not stated",
        printed["valence"],
        printed["arousal"],
        "The paper does not say which precision.",
    )
    uses = NETWORK_SOURCES[name]
    return Contender(name, _CITATION, uses, uses if len(uses) == 1 else (), (), published)


def _compared(system: Compared) -> Contender:
    return Contender(
        system.name,
        system.citation,
        system.uses,
        system.needs,
        (),
        system.published,
        system.sees,
    )


def code_fingerprint() -> str:
    """sha256 over the source of the compared systems and of what they are fed with."""
    folders: Sequence[str | None] = (baselines.__file__, preprocessing.__file__)
    files = [path for file in folders if file for path in Path(file).parent.glob("*.py")]
    files += [Path(module.__file__) for module in (features_of_body, trial_body) if module.__file__]
    digest = hashlib.sha256()
    for path in sorted(files):
        digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()
