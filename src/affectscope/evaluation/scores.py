"""From the tidy table of predictions to items that can be scored, at frame or at trial level.

Legend: N items, P people, C clips.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import pandas as pd
from scipy.special import expit, logit

from affectscope.errors import EvaluationError
from affectscope.evaluation.metrics import METRICS, IntArray, Items, positive
from affectscope.records import TARGETS, FloatArray

Level = Literal["frame", "trial"]


@dataclass(frozen=True, eq=False)
class Scores:
    """One model's items for one target with one seed.

    At frame level an item is a row and each trial's weights sum to 1. At trial level an item is a
    trial: means of truth and prediction, then the threshold; ``probability`` is the mean on the
    logit scale, which is the calibrated probability of the mean score.
    """

    model: str
    target: str
    seed: int
    items: Items
    clip: IntArray
    probability: FloatArray
    half_width: FloatArray

    @property
    def trials(self) -> int:
        """Number of rated trials."""
        pair = self.items.person * (int(self.clip.max(initial=0)) + 1) + self.clip
        return len(np.unique(pair))


@dataclass(frozen=True, eq=False)
class Panel:
    """Everything that was predicted: P people, C clips, models in order of appearance."""

    people: tuple[str, ...]
    clips: tuple[str, ...]
    models: tuple[str, ...]
    targets: tuple[str, ...]
    scores: tuple[Scores, ...]

    def of(self, model: str, target: str) -> tuple[Scores, ...]:
        """The model's runs on a target, one for each seed, in order of seed."""
        found = [s for s in self.scores if s.model == model and s.target == target]
        return tuple(sorted(found, key=lambda s: s.seed))


def read_panel(predictions: pd.DataFrame, level: Level) -> Panel:
    """The rated rows of a table of predictions.

    Raises:
        EvaluationError: E_EVALUATION where the level is unknown, a column is missing, protocols
            are mixed, a prediction is not finite, or no row is rated.
    """
    _check(predictions, level)
    rated = predictions[np.isfinite(predictions["truth"].to_numpy())]
    person, people = pd.factorize(rated["subject"], sort=True)
    clip, clips = pd.factorize(rated["trial"], sort=True)
    columns = {
        name: rated[name].to_numpy(dtype=np.float64)
        for name in ("truth", "prediction", "probability", "half_width")
    }
    columns |= {"person": person.astype(np.int64), "clip": clip.astype(np.int64)}
    scores = []
    for (model, target, seed), place in _groups(rated):
        part = {name: column[place] for name, column in columns.items()}
        shaped = _frames(part, len(clips)) if level == "frame" else _trials(part, len(clips))
        scores.append(_scores(shaped, str(model), str(target), int(seed), len(people)))
    models = tuple(str(name) for name in pd.unique(rated["model"]))
    targets = tuple(name for name in TARGETS if name in {score.target for score in scores})
    names = tuple(str(name) for name in people), tuple(str(name) for name in clips)
    return Panel(*names, models, targets, tuple(scores))


def check_metric(metric: str) -> None:
    """Raises EvaluationError E_EVALUATION, listing the choices."""
    if metric not in METRICS:
        raise EvaluationError(
            "E_EVALUATION",
            f"There is no metric '{metric}'.",
            f"Choose one of {', '.join(METRICS)}.",
        )


def _check(predictions: pd.DataFrame, level: Level) -> None:
    needed = ("subject", "trial", "target", "truth", "prediction", "probability", "half_width",
              "seed", "model", "protocol")  # fmt: skip
    missing = [name for name in needed if name not in predictions.columns]
    if missing:
        raise _refusal(f"The table lacks {', '.join(missing)}.", "Hand in cross_validate's table.")
    if level not in get_args(Level):
        raise _refusal(f"There is no level '{level}'.", "Choose frame or trial.")
    protocols = sorted(str(name) for name in pd.unique(predictions["protocol"]))
    if len(protocols) > 1:
        raise _refusal(
            f"The table mixes the protocols {', '.join(protocols)}.", "Evaluate each by itself."
        )
    truth, prediction = (predictions[name].to_numpy() for name in ("truth", "prediction"))
    if not np.isfinite(truth).any():
        raise _refusal("No row of the table is rated.", "Check the labels.")
    if not np.isfinite(prediction[np.isfinite(truth)]).all():
        raise _refusal(
            "A rated row has no finite prediction.", "Every model must answer for every row."
        )


def _refusal(sentence: str, remedy: str) -> EvaluationError:
    return EvaluationError("E_EVALUATION", sentence, remedy)


def _groups(rated: pd.DataFrame) -> list[tuple[tuple[str, str, int], IntArray]]:
    """Positions of each (model, target, seed), in order of appearance."""
    keys = [pd.factorize(rated[name]) for name in ("model", "target", "seed")]
    sizes = [len(names) for _, names in keys]
    code = np.ravel_multi_index([codes for codes, _ in keys], sizes)
    order = np.argsort(code, kind="stable")
    present, first = np.unique(code[order], return_index=True)
    groups = []
    for number, place in zip(present, np.split(order, first[1:]), strict=True):
        at = np.unravel_index(number, sizes)
        model, target, seed = (names[i] for (_, names), i in zip(keys, at, strict=True))
        groups.append(((str(model), str(target), int(seed)), place))
    return groups


def _frames(part: dict[str, FloatArray], clips: int) -> dict[str, FloatArray]:
    pair = (part["person"] * clips + part["clip"]).astype(np.int64)
    return {**part, "weight": 1 / np.bincount(pair)[pair]}


def _trials(part: dict[str, FloatArray], clips: int) -> dict[str, FloatArray]:
    pair = (part["person"] * clips + part["clip"]).astype(np.int64)
    number = np.bincount(pair)
    there = np.flatnonzero(number)

    def mean(values: FloatArray) -> FloatArray:
        # Sums of equal float32 values are exact, so a constant score stays constant.
        averaged: FloatArray = np.bincount(pair, values)[there] / number[there]
        return averaged

    return {
        "person": there // clips,
        "clip": there % clips,
        "truth": mean(part["truth"]),
        "prediction": mean(part["prediction"]),
        "probability": expit(mean(logit(part["probability"]))),
        "half_width": mean(part["half_width"]),
        "weight": np.ones(len(there)),
    }


def _scores(part: dict[str, FloatArray], model: str, target: str, seed: int, people: int) -> Scores:
    high, called = (
        positive(part[name][:, None], [target])[:, 0] == 1 for name in ("truth", "prediction")
    )
    person = part["person"].astype(np.int64)
    items = Items(part["truth"], part["prediction"], high, called, part["weight"], person, people)
    clip = part["clip"].astype(np.int64)
    return Scores(model, target, seed, items, clip, part["probability"], part["half_width"])
