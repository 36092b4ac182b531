"""The tables of the stress model: systems beside each other, calibration, what a modality costs.

Everything leaves one person out. Balanced accuracy takes a score above 0 for stress, where training
counts stress and rest alike; nothing of a left-out person chooses it. A figure is the mean over
people of their own, with a 95 % interval by the bootstrap over people.

Legend: n rows, P people.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from affectscope.errors import LeakError
from affectscope.evaluation.calibration import expected_calibration_error
from affectscope.evaluation.cluster_bootstrap import draw_people, interval
from affectscope.evaluation.metrics import Items, person_sums, person_values
from affectscope.inference.stress_features import FEATURES
from affectscope.inference.stress_model import (
    EDGES,
    INPUTS,
    REFERENCES,
    Inputs,
    Reference,
)
from affectscope.models.shipped import ResultTable
from affectscope.recipes.stress_rest_fit import (
    Choices,
    Scored,
    cross_validated,
    half_widths,
    interval_coverage,
    left_out,
    without_trend,
)
from affectscope.recipes.stress_rest_rows import (
    REACHES,
    LabelledSpans,
    StressRows,
    stress_rows,
)
from affectscope.records import FloatArray

COMMAND = "OMP_NUM_THREADS=1 .venv/bin/python benchmarks/stress_rest.py"
SHIFTS = 10
"""Circular shifts that "by chance" is the mean of."""
HIGHEST_DRIFT = 0.5
"""Mean rank correlation with elapsed time, within the rest of each person, that is refused."""
_OURS: Mapping[Reference, str] = {
    "first minutes": "ours, beside the first minutes and all since then (live)",
    "whole session": "ours, beside the whole session (offline, transductive)",
}
_PERSON_BINS = 5
_DRAWS = 50
_SEED = 0

Results = Mapping[tuple[Reference, Inputs], Scored]


@dataclass(frozen=True)
class Figure:
    """A mean over people, and its 95 % interval."""

    mean: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.mean:.3f} [{self.low:.3f}, {self.high:.3f}]"


def all_scored(rows: StressRows) -> Results:
    """Every reference with every choice of inputs, one person left out at a time."""
    return {
        (reference, inputs): cross_validated(
            columns(rows, reference, inputs), rows.stress, rows.person
        )
        for reference in REFERENCES
        for inputs in INPUTS
    }


def columns(rows: StressRows, reference: Reference, inputs: Inputs) -> Choices:
    """(n, M) what a model of these inputs takes, for each reach of its context."""
    heart = rows.heart_inputs
    part = {"heart": slice(0, heart), "skin": slice(heart, None), "both": slice(0, None)}[inputs]
    return {
        reach: values[:, part] for (name, reach), values in rows.inputs.items() if name == reference
    }


def result_tables(
    people: Sequence[LabelledSpans], rows: StressRows, results: Results
) -> tuple[ResultTable, ...]:
    """What the contract carries."""
    return (
        _systems(people, rows, results),
        _calibration(rows, results),
        _modalities(rows, results),
        _drift(rows),
    )


def drift(rows: StressRows, values: FloatArray) -> dict[str, float]:
    """Mean over people of each feature's rank correlation with elapsed time, during their rest.

    Stress cannot make it there: what is left is a feature that carries the time, or a body that
    calms down or settles.

    Args:
        values: (n, F) of the rows, heart then skin.
    """
    from scipy.stats import spearmanr

    names = [name for each in FEATURES.values() for name in each]
    found = {}
    for name, column in zip(names, values.T, strict=True):
        each = []
        for person in rows.people:
            own = (rows.person == person) & (rows.stress == 0)
            if np.ptp(column[own]) > 0:
                each.append(float(spearmanr(column[own], rows.elapsed[own]).statistic))
        found[name] = float(np.mean(each)) if each else 0.0
    return found


def refuse_drift(rows: StressRows) -> None:
    """Refuse features that tell how much time has passed.

    Raises:
        LeakError: E_LEAK_DURATION.
    """
    for name, value in drift(rows, rows.plain).items():
        if abs(value) > HIGHEST_DRIFT:
            raise LeakError(
                "E_LEAK_DURATION",
                f"The feature '{name}' carries elapsed time: its rank correlation with it is "
                f"{value:.2f} during people's rest.",
                "Leave the feature out.",
            )


def person_figure(values: FloatArray) -> Figure:
    """Of (P,) values."""
    draws = draw_people(len(values), seed=_SEED).people
    low, high = interval(draws @ values / len(values), len(values))
    return Figure(float(values.mean()), low, high)


def _accuracy(rows: StressRows, score: FloatArray) -> Figure:
    return person_figure(_of_people(rows, score, "balanced_accuracy"))


def _of_people(
    rows: StressRows, score: FloatArray, metric: str, stress: FloatArray | None = None
) -> FloatArray:
    truth = rows.stress if stress is None else stress
    people, place = np.unique(rows.person, return_inverse=True)
    items = Items(truth, score, truth > 0, score > 0, np.ones(len(score)), place, len(people))
    return person_values(person_sums(items), metric)


def labels_shifted(rows: StressRows) -> Figure:
    """Learnt from, and measured against, labels that are shifted round in each person's time."""
    random = np.random.default_rng(_SEED)
    inputs = rows.inputs["first minutes", REACHES["first minutes"][0]]
    runs = []
    for _ in range(SHIFTS):
        shifted = rows.stress.copy()
        for person in rows.people:
            own = rows.person == person
            shifted[own] = np.roll(shifted[own], random.integers(5, own.sum() - 5))
        score = left_out(inputs, shifted, rows.person)
        runs.append(_of_people(rows, score, "balanced_accuracy", shifted))
    return person_figure(np.mean(runs, axis=0))


def features_shifted(people: Sequence[LabelledSpans]) -> dict[Reference, Figure]:
    """With the features shifted round against the labels before they are compared.

    What is left above 0.5 would be the time that comparing with a reference tells by itself.
    """
    random = np.random.default_rng(_SEED)
    # In a shift that brings what was not measured into the first minutes, a person has no rows.
    runs = {name: np.full((SHIFTS, len(people)), np.nan) for name in REFERENCES}
    for number in range(SHIFTS):
        rows = stress_rows(
            [
                person.shifted(int(random.integers(30, len(person.features.spans) - 30)))
                for person in people
            ]
        )
        there = np.isin([person.subject_id for person in people], rows.people)
        for reference, found in runs.items():
            inputs = rows.inputs[reference, REACHES[reference][0]]
            score = left_out(inputs, rows.stress, rows.person)
            found[number, there] = _of_people(rows, score, "balanced_accuracy")
    return {name: person_figure(np.nanmean(found, axis=0)) for name, found in runs.items()}


def by_time(rows: StressRows) -> FloatArray:
    """(n,) scores by a tree on nothing but the elapsed time."""
    from sklearn.tree import DecisionTreeClassifier  # type: ignore[import-untyped]

    score = np.empty(len(rows.stress))
    time = rows.elapsed[:, None]
    for person in rows.people:
        own = rows.person == person
        tree = DecisionTreeClassifier(
            max_leaf_nodes=8, min_samples_leaf=20, class_weight="balanced", random_state=_SEED
        ).fit(time[~own], rows.stress[~own])
        score[own] = tree.predict_proba(time[own])[:, 1] - 0.5
    return score


def _systems(people: Sequence[LabelledSpans], rows: StressRows, results: Results) -> ResultTable:
    def flat(choices: Choices) -> str:
        changed = {
            reach: without_trend(values, rows.elapsed, rows.person)
            for reach, values in choices.items()
        }
        return str(_accuracy(rows, cross_validated(changed, rows.stress, rows.person).score))

    def row(name: str, score: FloatArray, trend_removed: str) -> tuple[str, ...]:
        auroc = person_figure(_of_people(rows, score, "auroc"))
        return name, str(_accuracy(rows, score)), str(auroc), trend_removed

    plain = left_out(rows.plain, rows.stress, rows.person)
    ours = [
        row(
            _OURS[reference],
            results[reference, "both"].score,
            flat(columns(rows, reference, "both")),
        )
        for reference in REFERENCES
    ]
    chance = [
        (f"by chance: {_OURS[reference]}, features shifted round", str(found), "-", "-")
        for reference, found in features_shifted(people).items()
    ]
    majority = np.where(rows.stress.mean() > 0.5, 1.0, -1.0) * np.ones(len(rows.stress))
    return ResultTable(
        f"Stress against rest, one of {len(rows.people)} people left out at a time, "
        f"{len(rows.stress)} spans of 60 s, {rows.stress.mean():.0%} stress "
        "(trend removed: each person's straight line over the session taken off; transductive)",
        ("system", "balanced accuracy", "AUROC", "balanced accuracy, trend removed"),
        (
            row("majority", majority, "-"),
            ("by chance: labels shifted round", str(labels_shifted(rows)), "-", "-"),
            *chance,
            row("elapsed time only", by_time(rows), "-"),
            row("logistic regression, plain features", plain, flat({0.0: rows.plain})),
            row(
                "for comparison: beside the first five minutes alone",
                left_out(rows.fixed, rows.stress, rows.person),
                flat({0.0: rows.fixed}),
            ),
            *ours,
        ),
        COMMAND,
    )


def _person_error(rows: StressRows, probability: FloatArray, stress: FloatArray) -> FloatArray:
    """(P,) each person's own expected calibration error."""
    return np.array(
        [
            expected_calibration_error(
                stress[rows.person == person],
                probability[rows.person == person],
                bins=_PERSON_BINS,
            )
            for person in rows.people
        ]
    )


def _calibration(rows: StressRows, results: Results) -> ResultTable:
    def row(reference: Reference) -> tuple[str, ...]:
        probability = results[reference, "both"].probability
        error = expected_calibration_error(rows.stress, probability)
        own = _person_error(rows, probability, rows.stress)
        random = np.random.default_rng(_SEED)
        drawn = (random.random((_DRAWS, len(probability))) < probability).astype(np.float64)
        floor = np.mean([_person_error(rows, probability, each) for each in drawn])
        widths = half_widths(probability, rows.stress, rows.person)
        return (
            reference,
            f"{error:.3f}",
            f"{np.mean(own):.3f} ({own.min():.3f} to {own.max():.3f})",
            f"{floor:.3f}",
            ", ".join(f"{width:.2f}" for width in widths),
            f"{interval_coverage(probability, rows.stress, rows.person):.3f}",
        )

    edges = ", ".join(f"{edge:g}" for edge in EDGES)
    return ResultTable(
        "Calibration of left-out people's probabilities: expected calibration error over all "
        f"(15 bins) and per person ({_PERSON_BINS} bins: mean, smallest to largest; a perfect "
        "model's, from the same number of independent spans, is beside it); half-widths of the "
        f"90 % interval (probability up to {edges}, and above; 1 where too few people are), and "
        "the share of a person's bins inside the interval that the other people gave",
        ("reference", "error", "error per person", "if perfect", "half-widths", "covers"),
        tuple(row(reference) for reference in REFERENCES),
        COMMAND,
    )


def _modalities(rows: StressRows, results: Results) -> ResultTable:
    def row(reference: Reference, inputs: Inputs) -> tuple[str, ...]:
        own = _of_people(rows, results[reference, inputs].score, "balanced_accuracy")
        both = _of_people(rows, results[reference, "both"].score, "balanced_accuracy")
        cost = "-" if inputs == "both" else str(person_figure(both - own))
        return reference, inputs, str(person_figure(own)), cost

    return ResultTable(
        "Cost of a missing modality: balanced accuracy on the same spans by the model of what is "
        "left, and how much lower that is than with both",
        ("reference", "measured", "balanced accuracy", "cost"),
        tuple(row(reference, each) for reference in REFERENCES for each in reversed(INPUTS)),
        COMMAND,
    )


def _drift(rows: StressRows) -> ResultTable:
    number = len(FEATURES["heart"]), len(FEATURES["skin"])
    own = [*range(number[0]), *range(rows.heart_inputs, rows.heart_inputs + number[1])]
    compared = [drift(rows, rows.inputs[name, REACHES[name][0]][:, own]) for name in REFERENCES]
    return ResultTable(
        "Does a feature carry elapsed time: its rank correlation with it during rest, mean over "
        f"people (as measured: refused beyond {HIGHEST_DRIFT}), and after it was compared with "
        "a reference",
        ("feature", "as measured", *REFERENCES),
        tuple(
            (name, f"{value:+.2f}", *(f"{each[name]:+.2f}" for each in compared))
            for name, value in drift(rows, rows.plain).items()
        ),
        COMMAND,
    )
