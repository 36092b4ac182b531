"""The fused network's experiment on opened data: who is tested, on which folds.

Beside the fused network and its ablations stand BMMN-BAE-2, the modern floor and the baselines that
look at no signal.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property, partial
from pathlib import Path

from affectscope.baselines import network_learning
from affectscope.baselines.modern_floor import MODERN_FLOOR, MODERN_FLOOR_INDUCTIVE
from affectscope.evaluation.crossval import RunSettings, System
from affectscope.models import fused as fused_network
from affectscope.models import fused_masked
from affectscope.recipes import beyond_inputs, beyond_systems
from affectscope.recipes.beyond_inputs import context_of, fused_data
from affectscope.recipes.beyond_systems import (
    FUSED,
    VARIANTS,
    FusedFolds,
    FusedSettings,
    fused_systems,
)
from affectscope.recipes.fg2020 import Experiment, Progress
from affectscope.recipes.fg2020_competition import (
    ComparedExperiment,
    Competition,
    open_competition,
)
from affectscope.recipes.fg2020_systems import GivenEncoder
from affectscope.recipes.fold_runs import Lineup
from affectscope.training import fused as fused_training

NETWORK = "BMMN-BAE-2"
BESIDE = (NETWORK, MODERN_FLOOR_INDUCTIVE.name, MODERN_FLOOR.name)


@dataclass(frozen=True)
class BeyondExperiment:
    """An experiment with the fused network.

    Attributes:
        given: a frozen face encoder, which all networks then share.
    """

    experiment: Experiment
    settings: FusedSettings = field(default_factory=FusedSettings)
    given: GivenEncoder | None = None


@dataclass(frozen=True, eq=False)
class Beyond:
    """It, with its data opened."""

    asked: BeyondExperiment
    competition: Competition
    folds: FusedFolds

    def lineup(self) -> Lineup:
        """Everybody on the experiment's folds: what stands beside it, the fused ones, baselines."""
        lineup = self.competition.lineup()
        beside = [one for one in lineup.systems if one.family != "trivial"]
        baselines = [one for one in lineup.systems if one.family == "trivial"]
        systems = (*beside, *fused_systems(self.folds), *baselines)
        return replace(lineup, systems=systems, run=partial(self._run, lineup))

    def _run(self, lineup: Lineup, system: System) -> RunSettings:
        if not system.name.startswith(FUSED):
            return lineup.run(system)
        return RunSettings(self.asked.experiment.work / "folds", self.fingerprint)

    @cached_property
    def fingerprint(self) -> str:
        """sha256 over what decides a fused network's predictions beside the samples."""
        modules = (fused_network, fused_masked, fused_training, beyond_inputs, beyond_systems)
        content = {
            "others": self.competition.fingerprint,
            "settings": asdict(self.asked.settings),
            "variants": {name: asdict(ideas) for name, ideas in VARIANTS.items()},
            "context": self.folds.context,
            "code": [
                hashlib.sha256(Path(str(module.__file__)).read_bytes()).hexdigest()
                for module in (*modules, network_learning)
            ],
        }
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def open_beyond(asked: BeyondExperiment, progress: Progress = lambda _share, _text: None) -> Beyond:
    """Prepare the data and all features.

    Raises:
        EvaluationError: E_PROTOCOL where nothing usable is left.
        OutputError: E_OUTPUT.
    """
    competition = open_competition(
        ComparedExperiment(asked.experiment, chosen=BESIDE, given=asked.given), progress
    )
    context = context_of(competition.data.prepared, asked.settings.context)
    data = fused_data(competition.data, context)
    return Beyond(asked, competition, FusedFolds(data, asked.settings, context))


def beyond_lineup(asked: BeyondExperiment) -> Lineup:
    """Everybody, opened anew."""
    return open_beyond(asked).lineup()
