"""A line-up on its folds: kept, gone on with, and systems that these data refuse."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from affectscope.errors import LeakError
from affectscope.evaluation.crossval import Fitted, RunSettings, System, Task
from affectscope.evaluation.leaks import FittedPart
from affectscope.evaluation.protocols import PROTOCOLS
from affectscope.evaluation.samples import Samples
from affectscope.recipes.fold_runs import Lineup, run_lineup

PEOPLE, CLIPS = 4, 4
SAMPLES = Samples(
    np.repeat([f"P{number}" for number in range(PEOPLE)], CLIPS),
    np.tile([f"c{number}" for number in range(CLIPS)], PEOPLE),
    np.zeros(PEOPLE * CLIPS),
    7.8,
    np.full(PEOPLE * CLIPS, 60.0),
    np.random.default_rng(0).uniform(-1, 1, (PEOPLE * CLIPS, 2)),
    ("valence", "arousal"),
)


class Counted:
    """A system that counts its fits, and fails as it is told."""

    def __init__(self, name: str, error: LeakError | None = None) -> None:
        self.name, self.error, self.folds = name, error, list[str]()

    def fit(self, task: Task) -> Fitted:
        if self.error is not None:
            raise self.error
        self.folds.append(f"{task.fold.name}/{task.seed}")
        return Fitted((), lambda rows: np.zeros((len(rows), 2)))


def lineup(folder: Path, systems: list[Counted], seeds: int = 2, **changes: object) -> Lineup:
    protocol = PROTOCOLS["A"]

    def run(system: System) -> RunSettings:
        return RunSettings() if system.name == "quick" else RunSettings(folder, "v1")

    return Lineup(
        tuple(System(one.name, one.fit, "test") for one in systems), run, SAMPLES, protocol,
        lambda seed: protocol.split(SAMPLES, seed, None)[:3], seeds, **changes,
    )  # fmt: skip


def run(made: Lineup) -> object:
    return run_lineup(made, lambda: made, processes=1, progress=lambda _share, _text: None)


def test_everybody_runs_on_every_fold_and_seed_once_and_a_second_call_reads(tmp_path: Path) -> None:
    kept, quick = Counted("kept"), Counted("quick")
    first = run(lineup(tmp_path, [kept, quick]))
    everything = [f"P{person}/{seed}" for seed in (0, 1) for person in (0, 1, 2)]
    assert kept.folds == quick.folds == everything
    assert set(first.predictions["model"]) == {"kept", "quick"}
    assert len(first.predictions) == 2 * 2 * 3 * CLIPS * 2
    assert len(first.costs) == 2 * 6
    kept.folds.clear()
    again = run(lineup(tmp_path, [kept, quick]))
    assert kept.folds == []
    assert again.predictions.equals(first.predictions)
    own = [cost for cost in again.costs if cost.model == "kept"]
    assert own == [cost for cost in first.costs if cost.model == "kept"]
    more = lineup(tmp_path, [kept], seeds=3)
    run(more)
    assert kept.folds == ["P0/2", "P1/2", "P2/2"]


def test_only_the_targets_that_are_asked_for_are_kept_in_the_table(tmp_path: Path) -> None:
    found = run(lineup(tmp_path, [Counted("kept")], targets=("arousal",)))
    assert set(found.predictions["target"]) == {"arousal"}


def test_a_system_that_the_data_refuse_is_left_out_and_the_others_go_on(tmp_path: Path) -> None:
    error = LeakError("E_LEAK_DURATION", "The feature 'x' carries the length.")
    found = run(lineup(tmp_path, [Counted("kept"), Counted("refused", error), Counted("quick")]))
    assert found.refused == {"refused": "The feature 'x' carries the length."}
    assert set(found.predictions["model"]) == {"kept", "quick"}


def test_every_other_leak_stops_the_run(tmp_path: Path) -> None:
    everybody = frozenset(SAMPLES.subject.tolist())
    leaky = Counted("leaky")
    part = FittedPart("scaler", "normaliser", everybody, False, None)
    made = lineup(tmp_path, [leaky])
    system = System("leaky", lambda task: Fitted((part,), lambda rows: rows), "test")
    with pytest.raises(LeakError, match="E_LEAK_FITTED"):
        run(Lineup((system,), made.run, SAMPLES, made.protocol, made.folds, 1))
