"""Who stands in Table V: chosen by name, left out with a reason, found again by content."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from affectscope.baselines.compared import ComparedSettings
from affectscope.baselines.compared_systems import COMPARED_SYSTEMS
from affectscope.errors import EvaluationError
from affectscope.models.bmmn import BMMNConfig
from affectscope.recipes.fg2020 import Experiment, Opened
from affectscope.recipes.fg2020_competition import (
    ComparedExperiment,
    Competition,
    chosen_systems,
)
from affectscope.recipes.fg2020_systems import Material, NetworkSettings
from affectscope.training.devices import make_fabric

SMALL = {"people": 2, "clips": 2}


def test_names_are_chosen_in_any_case_and_may_hold_commas() -> None:
    assert chosen_systems("gjoreski, TREE,bmmn, Yang & Lee,Gjoreski") == (
        "Gjoreski, tree", "BMMN", "Yang & Lee", "Gjoreski",
    )  # fmt: skip
    assert chosen_systems("BMMN,BMMN") == ("BMMN",)
    everybody = chosen_systems(",".join(COMPARED_SYSTEMS))
    assert everybody == tuple(COMPARED_SYSTEMS)


@pytest.mark.parametrize("text", ["", "BMMN,", "Gjoreski,nobody", "majority"])
def test_a_name_that_is_none_lists_the_choices(text: str) -> None:
    with pytest.raises(EvaluationError, match="E_CONFIG") as caught:
        chosen_systems(text)
    assert "BMMN-BAE-2" in caught.value.remedy
    assert "Yang & Lee" in caught.value.remedy


def competition(data: Any, folder: Path, **asked: Any) -> Competition:
    networks = NetworkSettings(network=BMMNConfig(face_encoder="small"))
    experiment = Experiment(folder, folder / "work", networks)
    material = Material(
        data.prepared, data.samples, networks, data.cache, folder / "runs", make_fabric
    )
    opened = Opened(experiment, material, SimpleNamespace())  # type: ignore[arg-type]
    return Competition(ComparedExperiment(experiment, **asked), opened, data)


def test_who_lacks_a_modality_is_left_out_with_the_reason(compared_data, tmp_path: Path) -> None:
    found = competition(compared_data(**SMALL, lacking=(("", "", "eda"),)), tmp_path)
    names = [one.name for one in found.contenders]
    assert names[:2] == ["bio only", "BMMN"]
    assert {"Yildirim 2018", "modern floor"} <= set(names)
    assert found.absent["faces only"] == "It needs face, which no trial has."
    assert found.absent["Gjoreski"] == "It needs EDA, which no trial has."
    assert found.absent["AMIGOS' own, EEG"] == "It needs EEG, which no trial has."
    (floor,) = [one for one in found.contenders if one.name == "modern floor"]
    assert floor.used == ("ecg",)
    lineup = found.lineup()
    assert [system.name for system in lineup.systems][: len(names)] == names
    assert {system.name for system in lineup.systems} >= {"majority", "duration only"}
    assert lineup.targets == ("valence", "arousal", "liking")
    for system in lineup.systems:
        assert (lineup.run(system).store is None) == (system.family == "trivial")


def test_whom_the_leak_check_refused_is_left_out_with_its_sentence(
    compared_data, tmp_path: Path
) -> None:
    both = competition(compared_data(**SMALL), tmp_path, chosen=("Gjoreski", "Yildirim 2018"))
    found = replace(both, refused={"Gjoreski": "The feature 'x' carries the length."})
    assert [one.name for one in found.contenders] == ["Yildirim 2018"]
    assert "The leak check refused it. The feature 'x'" in found.absent["Gjoreski"]
    with pytest.raises(EvaluationError, match="E_SOURCE") as caught:
        competition(compared_data(**SMALL), tmp_path, chosen=("Kollias 2020",))
    assert "Kollias 2020: It needs face" in caught.value.sentence


def test_what_decides_a_compared_system_decides_where_its_folds_lie(
    compared_data, tmp_path: Path
) -> None:
    base = competition(compared_data(**SMALL), tmp_path)
    traits = {"P01": np.arange(5.0)}
    others = [
        replace(base.data, personality=traits),
        replace(base.data, personality={"P01": np.arange(5.0) + 1}),
        replace(base.data, settings=ComparedSettings(epochs=7)),
    ]
    prints = {base.fingerprint, *(replace(base, data=data).fingerprint for data in others)}
    assert len(prints) == 4
    assert competition(compared_data(**SMALL), tmp_path).fingerprint == base.fingerprint
    # A network's folds are those of Table IV, whatever the compared systems are given.
    run = replace(base, data=others[0]).lineup().run
    network, compared = (
        next(s for s in base.lineup().systems if s.name == name) for name in ("BMMN", "Gjoreski")
    )
    assert run(network).fingerprint == base.opened.material.fingerprint
    assert run(compared).fingerprint != base.fingerprint
