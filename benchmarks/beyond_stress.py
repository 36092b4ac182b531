"""EDA context and the masked auto-encoder against plain features: stress or rest, real people.

    OMP_NUM_THREADS=1 .venv/bin/python benchmarks/beyond_stress.py [--only WORDS]

Stress-Predict (../shared/data/stress_predict, MIT; Iqbal et al., Sensors 22:8135, 2022): 24 people
with labels, EDA at 4 Hz and intervals of the wrist's pulse, one person left out at a time. A row is
a span of 40 s inside one labelled phase; rows do not overlap. The learner is always the same
logistic regression; what changes is what it is given:

* plain: heart features of 40 s, skin features of 8, 20, 40 or 60 s around the row's middle, moved
  inside the phase ("EDA context");
* masked: the latent of an auto-encoder (``models.fused_masked``) of 40 s of EDA, fitted in each
  fold on the training people without labels, beside or in place of the skin features;
* course statistics: mean, deviation, slope and quartiles of what the auto-encoder is given. That
  course is scaled over the person's whole recording, which plain features are not: what these
  statistics gain is the scaling's, not the auto-encoder's.

Beside them the time since the first phase began, since tasks come in one order for everybody: no
model sees it, and what does not beat it has not shown that it reads stress.

Printed: balanced accuracy, the mean over people of each person's own, with a 95 % interval by the
bootstrap of people, and the paired difference to plain features of 40 s. The result is kept in
benchmarks/results/beyond_stress.json.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

import numpy as np
import torch
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from affectscope.baselines import gjoreski
from affectscope.baselines.network_learning import Learning, learn, shuffled
from affectscope.datasets.stress_predict import (
    WristPerson,
    read_stress_predict,
    stress_predict_people,
)
from affectscope.evaluation.cluster_bootstrap import draw_people, interval
from affectscope.models.fused_masked import ECG_PATCH, MaskedAutoencoder, MaskedConfig
from affectscope.preprocessing.eda import analyse_eda
from affectscope.preprocessing.heart_features import RR_FEATURES, rr_features
from affectscope.preprocessing.skin_features import SKIN_FEATURES, skin_features
from affectscope.records import FloatArray
from affectscope.training.fused import SignalWindows, masked_error

DATA = Path(__file__).resolve().parents[2] / "shared" / "data" / "stress_predict"
RESULT = Path(__file__).resolve().parent / "results" / "beyond_stress.json"
SPAN, CONTEXTS, EDA_RATE, EPOCHS, SEED = 40.0, (8.0, 20.0, 40.0, 60.0), 4.0, 15, 0
REFERENCE = "plain, EDA of 40 s"


@dataclass(frozen=True, eq=False)
class Rows:
    """n rows of everybody.

    ``skin``: by seconds of context (n, F); ``course``: (n, 160) EDA scaled over the recording.
    """

    heart: FloatArray
    skin: dict[float, FloatArray]
    course: FloatArray
    stress: np.ndarray
    minutes: FloatArray
    person: np.ndarray


def rows_of(person: WristPerson) -> Rows:
    starts, ends, stress = [], [], []
    for phase in person.phases:
        first = np.arange(phase.start, phase.end - SPAN + 1e-9, SPAN)
        starts.append(np.column_stack([first, np.full(len(first), phase.start)]))
        ends.append(np.full(len(first), phase.end))
        stress.append(np.full(len(first), phase.stress, dtype=np.int64))
    (start, lowest), highest = np.concatenate(starts).T, np.concatenate(ends)
    eda, before = analyse_eda(person.eda), (-np.inf, float(start[0]))
    skin = {}
    for length in CONTEXTS:
        begins = np.clip(
            start + SPAN / 2 - length / 2, lowest, np.maximum(lowest, highest - length)
        )
        spans = np.column_stack([begins, np.minimum(begins + length, highest)])
        skin[length] = chosen(
            SKIN_FEATURES, skin_features(eda, spans, reference=before), gjoreski.SKIN
        )
    values = person.eda.values
    low, high = np.quantile(values, [0.005, 0.995])
    scaled = np.clip((values - low) / max(high - low, 1e-6), 0, 1) * 4 - 2
    offsets = (np.arange(round(SPAN * EDA_RATE)) + 0.5) / EDA_RATE
    at = start[:, None] + offsets
    return Rows(
        chosen(RR_FEATURES, rr_features(person.intervals, np.column_stack([start, start + SPAN])),
               gjoreski.HEART),
        skin,
        np.interp(at, person.eda.times, scaled),
        np.concatenate(stress),
        (start - start[0]) / 60.0,
        np.full(len(start), person.subject_id),
    )  # fmt: skip


def chosen(names: tuple[str, ...], values: FloatArray, wanted: tuple[str, ...]) -> FloatArray:
    return values[:, [names.index(name) for name in wanted]]


def read() -> list[Rows]:
    people = (read_stress_predict(DATA, name) for name in stress_predict_people(DATA))
    return [rows_of(person) for person in people if person.phases]


def as_windows(course: FloatArray) -> SignalWindows:
    """EDA alone: no ECG is there."""
    eda = torch.from_numpy(course.astype(np.float32))
    there = torch.zeros(len(eda), 2, dtype=torch.bool)
    there[:, 1] = True
    return SignalWindows(torch.zeros(len(eda), ECG_PATCH), eda, there)


def latents(train: FloatArray, inner: FloatArray, course: FloatArray) -> FloatArray:
    """Of ``course``, by an auto-encoder that learnt from ``train`` and was stopped by ``inner``."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(SEED)
        network = MaskedAutoencoder(MaskedConfig(ECG_PATCH, train.shape[1], width=16, blocks=2))
    windows, stopped = as_windows(train), as_windows(inner)
    generator = torch.Generator().manual_seed(SEED)
    learn(
        network,
        lambda epoch: map(torch.from_numpy, shuffled(len(windows), 128, SEED)(epoch)),
        lambda places: masked_error(network, windows.part(places), generator),
        validation=lambda: float(
            masked_error(network, stopped, torch.Generator().manual_seed(SEED))
        ),
        settings=Learning(EPOCHS, 3e-3, seed=SEED),
    )
    with torch.inference_mode():
        asked = as_windows(course)
        return network.latents(asked.ecg, asked.eda)[1].double().numpy()


def predicted(values: FloatArray, stress: np.ndarray, learnt: np.ndarray) -> np.ndarray:
    """Of the rows that were not learnt from."""
    model = make_pipeline(
        SimpleImputer(strategy="median", keep_empty_features=True),
        StandardScaler(),
        LogisticRegression(C=0.1, class_weight="balanced", max_iter=2000),
    )
    return model.fit(values[learnt], stress[learnt]).predict(values[~learnt])


def course_statistics(course: FloatArray) -> FloatArray:
    """What is plain in the course: the auto-encoder must tell more than its scaling does."""
    slope = np.polyfit(np.arange(course.shape[1]), course.T, 1)[0]
    quartiles = np.quantile(course, [0.25, 0.5, 0.75], axis=1).T
    return np.column_stack([course.mean(axis=1), course.std(axis=1), slope, quartiles])


def systems(rows: Rows, learnt: np.ndarray) -> dict[str, Callable[[], FloatArray]]:
    """What each system is given, made when it is asked for."""
    people = np.unique(rows.person[learnt])
    inner = learnt & np.isin(rows.person, people[:: len(people) // 4])

    @cache
    def found() -> FloatArray:
        return latents(rows.course[learnt & ~inner], rows.course[inner], rows.course)

    def plain(length: float) -> FloatArray:
        return np.hstack([rows.heart, rows.skin[length]])

    return {
        **{f"plain, EDA of {length:g} s": partial(plain, length) for length in CONTEXTS},
        "course statistics beside skin features": lambda: np.hstack(
            [plain(SPAN), course_statistics(rows.course)]
        ),
        "masked beside skin features": lambda: np.hstack([plain(SPAN), found()]),
        "masked in place of skin features": lambda: np.hstack([rows.heart, found()]),
        "heart features alone": lambda: rows.heart,
        "elapsed time alone (a bound, no model)": lambda: np.column_stack(
            [rows.minutes, rows.minutes**2, rows.minutes**3]
        ),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", default="", help="Systems with these words; others stay kept.")
    words = parser.parse_args().only
    torch.set_num_threads(1)
    parts = read()
    rows = Rows(
        np.concatenate([part.heart for part in parts]),
        {length: np.concatenate([part.skin[length] for part in parts]) for length in CONTEXTS},
        *(np.concatenate([getattr(part, name) for part in parts])
          for name in ("course", "stress", "minutes", "person")),
    )  # fmt: skip
    own: dict[str, list[float]] = {}
    for person in np.unique(rows.person):
        learnt = rows.person != person
        for name, values in systems(rows, learnt).items():
            if words not in name and name != REFERENCE:
                continue
            guess = predicted(values(), rows.stress, learnt)
            own.setdefault(name, []).append(balanced_accuracy_score(rows.stress[~learnt], guess))
    report(own, len(rows.stress))


def report(own: dict[str, list[float]], count: int) -> None:
    people = len(own[REFERENCE])
    draws = draw_people(people, seed=SEED).people
    kept = json.loads(RESULT.read_text())["systems"] if RESULT.exists() else {}
    found: dict[str, dict[str, list[float]]] = {}
    for name, values in own.items():
        each = {"balanced_accuracy": np.array(values),
                "less_plain": np.array(values) - np.array(own[REFERENCE])}  # fmt: skip
        found[name] = {
            what: [float(x) for x in (part.mean(), *interval(draws @ part / people, people))]
            for what, part in each.items()
        }
        (mean, low, high), (less, less_low, less_high) = found[name].values()
        print(f"{name:40s} {mean:.3f} [{low:.3f}, {high:.3f}]   "
              f"{less:+.3f} [{less_low:+.3f}, {less_high:+.3f}]")  # fmt: skip
    result = {"people": people, "rows": count, "systems": kept | found}
    RESULT.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
