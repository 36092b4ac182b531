"""A fold whose auto-encoders begin from given ones: the leak check knows whom those have seen."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from affectscope.errors import LeakError
from affectscope.evaluation.crossval import Fitted, Task
from affectscope.evaluation.leaks import check_parts
from affectscope.evaluation.protocols import PROTOCOLS
from affectscope.evaluation.samples import Fold
from affectscope.models.bmmn import BMMNConfig
from affectscope.recipes.fg2020_systems import (
    AutoencoderStart,
    FoldNetworks,
    Material,
    NetworkSettings,
    samples_of,
    sorted_trials,
)
from affectscope.training.devices import make_fabric
from affectscope.training.fit import FitSettings

PROTOCOL = PROTOCOLS["A"]
NETWORK = BMMNConfig(variant="bmmn_bae_1", modalities=("ecg", "eda"), face_encoder="small")


@pytest.fixture(scope="module")
def people(compared_data: Callable[..., Any]) -> Any:
    """Made-up trials under the ids of Stress-Predict: S02 taught bae-eda, S24 and S25 did not."""
    ids = {"P01": "S02", "P02": "S24", "P03": "S25"}
    corpus = compared_data(people=3, clips=2).prepared
    trials = tuple(replace(each, subject_id=ids[each.subject_id]) for each in corpus.trials)
    return sorted_trials(replace(corpus, name="stress_predict, 2 trials each", trials=trials))


def folded(people: Any, folder: Path, tested: str, start: AutoencoderStart) -> tuple[Task, Fitted]:
    """BMMN-BAE-1 on a fold that tests on one person; it begins and takes no step."""
    settings = NetworkSettings(
        NETWORK, FitSettings(epochs=(0, 0, 0)), lambdas=(1.0,), autoencoders=start
    )
    samples = samples_of(people)
    material = Material(people, samples, settings, folder, folder / "runs", make_fabric)
    test = np.flatnonzero(samples.subject == tested)
    learned = np.flatnonzero(samples.subject != tested)
    task = Task(samples, Fold("one", learned, learned[:0], test), 0)
    return task, FoldNetworks(material, task).fitted("BMMN-BAE-1")


def test_a_test_on_somebody_whom_the_pretrained_ones_saw_is_refused(
    people: Any, tmp_path: Path
) -> None:
    task, fitted = folded(people, tmp_path, "S02", "pretrained")
    with pytest.raises(LeakError, match="BAE's start") as caught:
        check_parts(task.samples, task.fold, fitted.parts, PROTOCOL)
    assert caught.value.code == "E_LEAK_FITTED"
    assert "S02" in caught.value.sentence


def test_a_test_on_somebody_whom_they_did_not_see_goes_through(people: Any, tmp_path: Path) -> None:
    task, fitted = folded(people, tmp_path, "S25", "pretrained")
    check_parts(task.samples, task.fold, fitted.parts, PROTOCOL)
    assert "BAE's start" in {part.name for part in fitted.parts}


def test_what_begins_from_nothing_in_the_fold_may_test_on_anybody(
    people: Any, tmp_path: Path
) -> None:
    task, fitted = folded(people, tmp_path, "S02", "fold")
    check_parts(task.samples, task.fold, fitted.parts, PROTOCOL)
    assert "BAE's start" not in {part.name for part in fitted.parts}


def test_runs_of_both_starts_are_kept_apart(people: Any, tmp_path: Path) -> None:
    def fingerprint(start: AutoencoderStart) -> str:
        settings = NetworkSettings(NETWORK, autoencoders=start)
        return Material(
            people, samples_of(people), settings, tmp_path, tmp_path, make_fabric
        ).fingerprint

    assert fingerprint("fold") != fingerprint("pretrained")
