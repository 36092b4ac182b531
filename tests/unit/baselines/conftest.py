"""What tests of several compared systems ask alike."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from affectscope.baselines.compared import Compared, ComparedData
from affectscope.evaluation.crossval import Task
from affectscope.evaluation.trials import trial_table

VALENCE, AROUSAL = 0, 1


@pytest.fixture(scope="session")
def score_gaps() -> Callable[[Compared, ComparedData, Task], tuple[float, float]]:
    """Valence and arousal: how much higher the tested person's high trials score than the low ones.

    The ranks of four trials say little about an effect that is absent; how far they lie apart does.
    """

    def gaps(system: Compared, data: ComparedData, asked: Task) -> tuple[float, float]:
        table, test = trial_table(data.samples), asked.fold.test
        scores, trials = system.fit(data, asked).predict(test), table.of(test)
        found = table.means(scores, test)[trials]
        high = table.means(data.samples.truth[test], test)[trials] > 0
        valence, arousal = (
            float(found[high[:, target], target].mean() - found[~high[:, target], target].mean())
            for target in (VALENCE, AROUSAL)
        )
        return valence, arousal

    return gaps
