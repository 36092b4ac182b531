"""Training the stress model: fitting, calibration, conformal intervals, and the checks."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from affectscope.errors import InputError, LeakError
from affectscope.inference.stress_features import FEATURES, SpanFeatures, spans_within
from affectscope.inference.stress_model import model_of, model_tensors
from affectscope.models.shipped import open_shipped
from affectscope.recipes.stress_rest import train_stress_rest
from affectscope.recipes.stress_rest_fit import (
    cross_validated,
    fitted,
    half_widths,
    interval_coverage,
    left_out,
    platt,
    trained,
    without_trend,
)
from affectscope.recipes.stress_rest_results import drift, refuse_drift
from affectscope.recipes.stress_rest_rows import LabelledSpans, StressRows, stress_rows

PEOPLE = 12


def labelled(drifting: float = 0.0) -> tuple[LabelledSpans, ...]:
    """Made-up features: two of them are higher under stress; one may rise with time."""
    random = np.random.default_rng(3)
    spans = spans_within(0.0, 1800.0)
    places = np.arange(30, len(spans), 6)
    stress = (np.sin(places / 12.0) > 0.3).astype(float)
    under = np.sin(np.arange(len(spans)) / 12.0) > 0.3
    found = []
    for number in range(PEOPLE):
        heart, skin = (random.normal(size=(len(spans), len(FEATURES[each]))) for each in FEATURES)
        heart[:, 0] += 1.5 * under
        skin[:, 0] += 1.5 * under
        skin[:, 3] += drifting * spans[:, 0]
        features = SpanFeatures(spans, heart, skin)
        found.append(LabelledSpans(f"P{number:02d}", features, places, stress))
    return tuple(found)


@pytest.fixture(scope="module")
def rows() -> StressRows:
    return stress_rows(labelled())


def choices(rows: StressRows) -> dict[float, np.ndarray]:
    return {60.0: rows.inputs["first minutes", 60.0]}


def test_what_was_made_up_is_found_again_in_people_who_were_left_out(rows: StressRows) -> None:
    score = left_out(rows.inputs["first minutes", 60.0], rows.stress, rows.person)
    assert ((score > 0) == (rows.stress > 0)).mean() > 0.85


def test_a_left_out_person_s_own_labels_change_nothing_of_its_score(rows: StressRows) -> None:
    changed = rows.stress.copy()
    own = rows.person == "P03"
    changed[own] = 1 - changed[own]
    before = cross_validated(choices(rows), rows.stress, rows.person)
    after = cross_validated(choices(rows), changed, rows.person)
    assert np.array_equal(before.probability[own], after.probability[own])
    assert not np.array_equal(before.probability[~own], after.probability[~own])


def test_a_fit_is_the_same_again_and_survives_being_stored(rows: StressRows) -> None:
    scored = cross_validated(choices(rows), rows.stress, rows.person)
    model, again = (trained(choices(rows), rows.stress, rows.person, scored) for _ in range(2))
    assert np.array_equal(model.weights, again.weights)
    read = model_of(model_tensors({("first minutes", "both"): model}), "first minutes", "both")
    values = rows.inputs["first minutes", 60.0]
    assert np.array_equal(read.probability(values), model.probability(values))
    assert read.reach[0] == 60.0
    assert (model.distance(values) <= model.farthest[0]).mean() == pytest.approx(0.99, abs=0.01)


def test_the_weights_are_those_of_scikit_learn(rows: StressRows) -> None:
    from sklearn.linear_model import LogisticRegression

    values = rows.inputs["first minutes", 60.0]
    model = fitted(values, rows.stress, rows.person)
    standard = np.clip((values - model.centre) / model.scale, -4, 4)
    weight = np.zeros(len(values))
    for person in rows.people:
        for label in (0, 1):
            cell = (rows.person == person) & (rows.stress == label)
            weight[cell] = len(values) / cell.sum() / (2 * PEOPLE)
    theirs = LogisticRegression(C=0.01, tol=1e-8, max_iter=1000)
    theirs.fit(standard, rows.stress, sample_weight=weight)
    assert np.allclose(model.weights, theirs.coef_[0], atol=1e-4)
    assert model.intercept[0] == pytest.approx(theirs.intercept_[0], abs=1e-3)


def test_scaled_scores_have_the_rate_of_stress() -> None:
    random = np.random.default_rng(0)
    score = random.normal(size=4000)
    stress = (random.random(4000) < 1 / (1 + np.exp(-(2 * score - 1)))).astype(float)
    slope, intercept = platt(score, stress, np.repeat(np.arange(8), 500))
    assert slope == pytest.approx(2.0, abs=0.2)
    assert intercept == pytest.approx(-1.0, abs=0.15)


def test_an_interval_covers_nine_people_of_ten() -> None:
    random = np.random.default_rng(1)
    person = np.repeat(np.arange(60), 40)
    own_rate = np.clip(random.normal(0.3, 0.1, 60), 0, 1)[person]
    stress = (random.random(len(person)) < own_rate).astype(float)
    probability = np.full(len(person), 0.3)
    assert 0.85 <= interval_coverage(probability, stress, person) <= 0.95
    widths = half_widths(probability, stress, person)
    assert 0.05 < widths[1] < 0.4
    assert widths[[0, 2, 3]].tolist() == [1.0, 1.0, 1.0], "nobody is in these bins"


def test_eight_people_are_too_few_for_an_interval() -> None:
    person = np.repeat(np.arange(8), 10)
    widths = half_widths(np.full(80, 0.3), np.zeros(80), person)
    assert (widths == 1.0).all()


def test_without_a_trend_nothing_rises() -> None:
    elapsed = np.tile(np.arange(20.0), 2)
    person = np.repeat(["a", "b"], 20)
    values = np.column_stack([np.where(person == "a", 3 * elapsed, 5 - elapsed)])
    assert np.allclose(without_trend(values, elapsed, person), 0.0)


def test_a_feature_that_carries_the_time_is_refused(rows: StressRows) -> None:
    refuse_drift(rows)
    assert max(abs(value) for value in drift(rows, rows.plain).values()) < 0.3
    with pytest.raises(LeakError, match="skin_slope"):
        refuse_drift(stress_rows(labelled(drifting=0.01)))


def test_the_first_minutes_are_no_rows_and_features_can_be_shifted(rows: StressRows) -> None:
    person = labelled()[0]
    assert rows.elapsed.min() >= 5.0
    shifted = person.shifted(7)
    assert np.array_equal(shifted.features.of("skin")[7:], person.features.of("skin")[:-7])
    assert np.array_equal(shifted.stress, person.stress)
    unmeasured = person.features.of("heart").copy()
    unmeasured[person.places[4]] = np.nan
    gap = replace(person, features=replace(person.features, heart=unmeasured))
    assert stress_rows([gap]).dropped == 1


def test_without_the_recordings_the_training_says_so(tmp_path: Path) -> None:
    with pytest.raises(InputError) as refused:
        train_stress_rest(tmp_path, tmp_path / "out", lambda share, what: None)
    assert refused.value.code == "E_CORPUS"


def test_the_shipped_contract_says_whom_it_learnt_from_and_what_it_cannot() -> None:
    contract = open_shipped("stress-rest").of_kind("stress likelihood").contract
    assert len(contract.people) == 24
    assert "stress_predict/S01" not in contract.people, "S01 has no labels"
    assert len(contract.sources[0].hashes) == 76
    limits = " ".join(contract.limits)
    for what in ("wrist", "laboratory", "healthy adults", "elapsed time", "arousal", "medical"):
        assert what in limits, what
    assert any(table.title.startswith("Cost of a missing modality") for table in contract.results)
    assert all("benchmarks/stress_rest.py" in table.command for table in contract.results)
