"""Stress against rest from a wristband, leaving one person out: Gjoreski's features, real people.

    OMP_NUM_THREADS=1 .venv/bin/python benchmarks/stress_rest.py [--jobs 2]

Stress-Predict (../shared/data/stress_predict, MIT; Iqbal et al., Sensors 22:8135, 2022): 24 people
with labels, EDA at 4 Hz and the intervals of the wrist's pulse. A row is a span of 40 s that lies
wholly in one labelled phase; rows do not overlap. Features and classifiers are those of
``baselines.gjoreski``; people weigh the same, and within them stress and rest. Beside them: the
majority, and gradient boosting on nothing but the time since the first phase began, since the tasks
come in one order for everybody. "Transductive": each person's features are standardised by all of
that person's rows, without labels.

Printed: balanced accuracy and AUROC, each the mean over people of each person's own, with a 95 %
interval by the bootstrap over people. The result is kept in benchmarks/results/stress_rest.json.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from affectscope.baselines import gjoreski
from affectscope.baselines.classifying import Learner, Lesson, learned
from affectscope.datasets.stress_predict import (
    WristPerson,
    read_stress_predict,
    stress_predict_people,
)
from affectscope.evaluation.cluster_bootstrap import draw_people, interval
from affectscope.evaluation.metrics import Items, person_sums, person_values
from affectscope.preprocessing.eda import analyse_eda
from affectscope.preprocessing.heart_features import RR_FEATURES, rr_features
from affectscope.preprocessing.skin_features import SKIN_FEATURES, skin_features
from affectscope.records import FloatArray

DATA = Path(__file__).resolve().parents[2] / "shared" / "data" / "stress_predict"
RESULT = Path(__file__).resolve().parent / "results" / "stress_rest.json"
SPAN, SEED = 40.0, 0
NAMES = (*gjoreski.HEART, *gjoreski.SKIN)
METRICS = ("balanced_accuracy", "auroc")


@dataclass(frozen=True, eq=False)
class Rows:
    """All people's n rows: features, 1 for stress, minutes since the first phase, whose."""

    values: FloatArray
    stress: FloatArray
    elapsed: FloatArray
    person: np.ndarray

    def of(self, values: FloatArray) -> Rows:
        return replace(self, values=values)


def spans_of(person: WristPerson) -> tuple[FloatArray, FloatArray]:
    """(n, 2) spans inside the phases, and (n,) the phase's label."""
    spans, labels = [], []
    for phase in person.phases:
        starts = np.arange(phase.start, phase.end - SPAN + 1e-9, SPAN)
        spans.append(np.column_stack([starts, starts + SPAN]))
        labels.append(np.full(len(starts), float(phase.stress)))
    return np.concatenate(spans), np.concatenate(labels)


def rows_of(person: WristPerson) -> Rows:
    spans, stress = spans_of(person)
    heart = rr_features(person.intervals, spans)
    skin = skin_features(analyse_eda(person.eda), spans, reference=(-np.inf, spans[0, 0]))
    held = dict(zip((*RR_FEATURES, *SKIN_FEATURES), np.hstack([heart, skin]).T, strict=True))
    values = np.column_stack([held[name] for name in NAMES])
    return Rows(
        values,
        stress,
        (spans[:, 0] - spans[0, 0]) / 60.0,
        np.full(len(spans), person.subject_id),
    )


def read() -> Rows:
    people = [read_stress_predict(DATA, name) for name in stress_predict_people(DATA)]
    parts = [rows_of(person) for person in people if person.phases]
    return Rows(
        *(np.concatenate([getattr(part, name) for part in parts]) for name in
          ("values", "stress", "elapsed", "person"))
    )  # fmt: skip


def by_person(rows: Rows) -> FloatArray:
    """(n, F) z-scores within each person; what does not vary there, or was not measured, stays."""
    scaled = rows.values.copy()
    for person in np.unique(rows.person):
        own = rows.person == person
        measured = np.isfinite(rows.values[own])
        number = np.maximum(measured.sum(axis=0), 1)
        mean = np.where(measured, rows.values[own], 0.0).sum(axis=0) / number
        square = np.where(measured, (rows.values[own] - mean) ** 2, 0.0).sum(axis=0) / number
        scaled[own] = (rows.values[own] - mean) / np.where(square > 0, np.sqrt(square), 1.0)
    return scaled


def lesson(rows: Rows, learnt: np.ndarray) -> Lesson:
    """People weigh the same, and within them stress and rest."""
    person, stress = rows.person[learnt], rows.stress[learnt]
    _, cell = np.unique([f"{p} {s}" for p, s in zip(person, stress, strict=True)],
                        return_inverse=True)  # fmt: skip
    weight = 1.0 / np.bincount(cell)[cell]
    weight *= len(weight) / weight.sum()
    return Lesson(rows.values[learnt], stress, weight, person)


def scores(rows: Rows, make: Callable[[], Learner], person: str) -> FloatArray:
    """Of the person's rows, by what was learned from all others."""
    held_out = rows.person == person
    return learned(make(), lesson(rows, ~held_out))(rows.values[held_out])


def cross_validated(rows: Rows, make: Callable[[], Learner], jobs: int) -> FloatArray:
    people = np.unique(rows.person)
    found = np.empty(len(rows.stress))
    with ProcessPoolExecutor(jobs) as pool:
        for person, each in zip(people, pool.map(partial(scores, rows, make), people), strict=True):
            found[rows.person == person] = each
    return found


def estimates(rows: Rows, score: FloatArray) -> dict[str, object]:
    """Each metric: the mean over people of their own, its interval, and each person's."""
    people, place = np.unique(rows.person, return_inverse=True)
    sums = person_sums(
        Items(rows.stress, score, rows.stress > 0, score > 0, np.ones(len(score)), place,
              len(people))
    )  # fmt: skip
    draws = draw_people(len(people), seed=SEED).people
    result: dict[str, object] = {}
    for metric in METRICS:
        own = person_values(sums, metric)
        low, high = interval(draws @ own / len(people), len(people))
        result[metric] = {"mean": float(own.mean()), "low": low, "high": high,
                          "people": own.round(4).tolist()}  # fmt: skip
    return result


def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("--jobs", type=int, default=1)
    jobs = options.parse_args().jobs
    rows = read()
    elapsed, scaled = rows.of(rows.elapsed[:, None]), rows.of(by_person(rows))
    measured = dict(
        zip(NAMES, np.isfinite(rows.values).mean(axis=0).round(3).tolist(), strict=True)
    )
    result: dict[str, object] = {
        "people": len(np.unique(rows.person)), "rows": len(rows.stress),
        "share_of_stress": float(rows.stress.mean()), "measured": measured,
    }  # fmt: skip
    print(json.dumps(result))
    makers = {name: partial(gjoreski.classifier, name, SEED) for name in gjoreski.CLASSIFIERS}
    majority = np.full(len(rows.stress), 2.0 * (rows.stress.mean() > 0.5) - 1.0)
    systems = {
        "majority": lambda: majority,
        "elapsed time only": lambda: cross_validated(elapsed, makers["gradient boosting"], jobs),
    }
    makers["stack"] = partial(gjoreski.stack, SEED)
    for name, make in makers.items():
        systems[name] = partial(cross_validated, rows, make, jobs)
        systems[f"{name} (transductive)"] = partial(cross_validated, scaled, make, jobs)
    found: dict[str, object] = {}
    for name, run in systems.items():
        found[name] = estimates(rows, run())
        shown = [
            f"{metric} {each['mean']:.3f} [{each['low']:.3f}, {each['high']:.3f}]"
            for metric, each in found[name].items()
        ]
        print(f"{name}: {', '.join(shown)}", flush=True)
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(json.dumps(result | {"systems": found}, indent=1))


if __name__ == "__main__":
    main()
