"""Stress-Predict as rows: spans of 60 s that do not overlap, each wholly in one labelled phase.

Spans that begin in the first five minutes are what others are compared with, and are not scored;
nor are spans in which heart or skin was not measured.

Legend: n rows, F features, M inputs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from affectscope.datasets.stress_predict import (
    WristPerson,
    read_stress_predict,
    read_wrist_heart_rate,
    stress_predict_people,
)
from affectscope.inference.stress_features import (
    FEATURES,
    SPAN,
    STEP,
    STRESS_MODALITIES,
    HeartCourse,
    SpanFeatures,
    span_features,
    spans_within,
)
from affectscope.inference.stress_model import BASELINE, REFERENCES, Reference, stress_inputs
from affectscope.preprocessing.eda import analyse_eda
from affectscope.records import FloatArray

FOLDER = "stress_predict"
REACHES: Mapping[Reference, tuple[float, ...]] = {
    "first minutes": (60.0, 120.0, 240.0),
    "whole session": (60.0, 120.0, 180.0),
}
"""Seconds of context that are tried, inside the training people."""


@dataclass(frozen=True, eq=False)
class LabelledSpans:
    """A person's features, and which K of the spans are rows: places (K,), stress (K,)."""

    subject_id: str
    features: SpanFeatures
    places: np.ndarray
    stress: FloatArray

    def shifted(self, spans: int) -> LabelledSpans:
        """The features shifted round by a number of spans, the labels as they are."""
        heart, skin = (np.roll(self.features.of(each), spans, axis=0) for each in STRESS_MODALITIES)
        return replace(self, features=SpanFeatures(self.features.spans, heart, skin))


@dataclass(frozen=True, eq=False)
class StressRows:
    """Rows of all people.

    Attributes:
        person: (n,) ids, "S02".
        stress: (n,) 1 for stress, 0 for rest.
        elapsed: (n,) minutes since the recording began: for checks and their own baseline only.
        plain: (n, F) the features as measured, heart then skin.
        inputs: (n, M) of each reference and reach of the context, heart then skin.
        fixed: (n, M) beside the first minutes alone, for comparison.
        heart_inputs: how many of the M are the heart's.
        dropped: rows that were left out since heart or skin was not measured.
    """

    person: np.ndarray
    stress: FloatArray
    elapsed: FloatArray
    plain: FloatArray
    inputs: Mapping[tuple[Reference, float], FloatArray]
    fixed: FloatArray
    heart_inputs: int
    dropped: int

    @property
    def people(self) -> tuple[str, ...]:
        return tuple(str(each) for each in np.unique(self.person))


def labelled_spans(data: Path, progress: Callable[[float, str], None]) -> tuple[LabelledSpans, ...]:
    """Everybody who has labels; ``data`` holds the folder stress_predict.

    Raises:
        InputError: E_CORPUS, E_FILE_... as the reader of the corpus.
    """
    folder = data / FOLDER
    names = stress_predict_people(folder)
    found = []
    for number, name in enumerate(names):
        progress(number / len(names), f"reading {name}")
        person = read_stress_predict(folder, name)
        if person.phases:
            features = person_features(folder, person)
            found.append(LabelledSpans(name, features, *scored_spans(person, features.spans)))
    return tuple(found)


def stress_rows(people: Sequence[LabelledSpans]) -> StressRows:
    """All people's rows."""
    parts = [_rows(person) for person in people]
    return StressRows(
        person=np.concatenate([part.person for part in parts]),
        stress=np.concatenate([part.stress for part in parts]),
        elapsed=np.concatenate([part.elapsed for part in parts]),
        plain=np.concatenate([part.plain for part in parts]),
        inputs={
            key: np.concatenate([part.inputs[key] for part in parts]) for key in parts[0].inputs
        },
        fixed=np.concatenate([part.fixed for part in parts]),
        heart_inputs=parts[0].heart_inputs,
        dropped=sum(part.dropped for part in parts),
    )


def person_features(folder: Path, person: WristPerson) -> SpanFeatures:
    """Features of all spans of a person's recording."""
    rate = read_wrist_heart_rate(folder, person.subject_id)
    course = HeartCourse(rate.times, rate.values)
    spans = spans_within(person.eda.start_time, person.eda.end_time)
    return span_features(course, analyse_eda(person.eda), spans)


def scored_spans(person: WristPerson, spans: FloatArray) -> tuple[np.ndarray, FloatArray]:
    """Places of the spans that are rows, side by side in each phase, and their labels."""
    every = round(SPAN / STEP)
    places, labels = [], []
    for phase in person.phases:
        inside = np.flatnonzero((spans[:, 0] >= phase.start) & (spans[:, 1] <= phase.end))[::every]
        places.append(inside)
        labels.append(np.full(len(inside), float(phase.stress)))
    place, label = np.concatenate(places), np.concatenate(labels)
    later = spans[place, 0] >= spans[0, 0] + BASELINE
    return place[later], label[later]


def _rows(person: LabelledSpans) -> StressRows:
    features, place = person.features, person.places
    plain = np.hstack([features.of(each) for each in STRESS_MODALITIES])[place]
    compared = {name: stress_inputs(features, name) for name in REFERENCES}
    inputs = {
        (name, reach): compared[name].of("both", reach)[place]
        for name, reaches in REACHES.items()
        for reach in reaches
    }
    alone = stress_inputs(features, "first minutes", fixed=True)
    fixed = alone.of("both", REACHES["first minutes"][0])[place]
    kept = np.isfinite(np.hstack([plain, *inputs.values()])).all(axis=1)
    return StressRows(
        person=np.full(kept.sum(), person.subject_id),
        stress=person.stress[kept],
        elapsed=(features.spans[place, 0] - features.spans[0, 0])[kept] / 60.0,
        plain=plain[kept],
        inputs={key: values[kept] for key, values in inputs.items()},
        fixed=fixed[kept],
        heart_inputs=2 * len(FEATURES["heart"]),
        dropped=int((~kept).sum()),
    )
