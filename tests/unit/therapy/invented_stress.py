"""Invented courses of a stress likelihood: no number here is about a human being."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from affectscope.inference.stress import StressCourse
from affectscope.models.shipped import DataSource, ModelContract, ResultTable
from affectscope.records import Notice, Phase

PHASES = (Phase("before", 0, 300), Phase("after", 600, 900))
FAR = "outside of what the model learnt"


def contract() -> ModelContract:
    return ModelContract(
        name="stress-rest",
        kind="stress likelihood",
        summary="Invented for a test.",
        population="people",
        sources=(
            DataSource(
                "stress_predict", "Somebody (2022).", "MIT", ("a/1", "a/2"), {"x": "ab" * 32}
            ),
        ),
        configuration={},
        training={},
        results=(
            ResultTable(
                "Balanced accuracy",
                ("system", "value"),
                (("elapsed time alone", "0.83"), ("this model", "0.71 [0.66, 0.76]")),
                "invented --for a-test",
            ),
        ),
        limits=("Healthy adults at rest or under acute stress.",),
        licence="MIT",
    )


def course(
    probability: Sequence[float], *, width: float = 0.1, step: float = 10.0, first: float = 30.0
) -> StressCourse:
    """Spans of 60 s, ``step`` s apart; NaN where the model is to abstain."""
    values = np.asarray(probability, np.float64)
    return StressCourse(
        times=first + step * np.arange(len(values)),
        probability=values,
        low=np.clip(values - width, 0, 1),
        high=np.clip(values + width, 0, 1),
        reasons=tuple("" if np.isfinite(value) else FAR for value in values),
        reference="whole session",
        baseline=(0.0, 930.0),
        span=60.0,
        interval="Of ten people, nine lie within it.",
        contract=contract(),
        model_id="5f" * 6,
        notices=(Notice("W_LOW_RATE", "Sampled slowly."),),
    )


def moved(before: float, after: float, *, width: float = 0.1) -> StressCourse:
    """From one level to another after 450 s, with some noise."""
    noise = np.random.default_rng(1).normal(0, 0.03, 88)
    levels = np.where(np.arange(88) < 43, before, after)
    return course(np.clip(levels + noise, 0, 1), width=width)
