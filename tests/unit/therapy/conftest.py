"""Results of simulated sessions, in the shape of result.json: no session is assessed for them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

Result = dict[str, Any]
_CHECKPOINT = "5f" * 32
_BODY = (
    ("heart rate", "bpm", 78.0, -6.0, 1),
    ("RMSSD", "ms", 28.0, 6.0, 1),
    ("SDNN", "ms", 41.0, 5.0, 1),
    ("EDA level", "µS", 6.1, -0.8, 2),
    ("skin responses", "per minute", 5.2, -1.4, 1),
)
_ANSWERS = (
    ("SAM valence", 1, 9, 3.4, 2.0, "more pleasant"),
    ("SAM arousal", 1, 9, 6.4, -2.0, "more aroused"),
    ("SUDS", 0, 100, 62.0, -24.0, "more distress"),
    ("STAI-S", 20, 80, 52.0, -11.0, "more anxiety"),
)


@pytest.fixture(scope="session")
def simulated_study() -> Callable[..., dict[str, Result]]:
    """Makes {session's name: result}; see ``_study``."""
    return _study


def _study(
    patients: int = 5,
    sessions: int = 1,
    *,
    affect: bool = True,
    answers: bool = True,
    seed: int = 1,
) -> dict[str, Result]:
    """Simulated patients who go from quadrant II towards IV; every fourth hardly changes."""
    random = np.random.default_rng(seed)
    found: dict[str, Result] = {}
    for patient in range(patients):
        response = 0.1 if patient % 4 == 3 else random.normal(0.8, 0.2)
        for session in range(sessions):
            name = f"patient-{patient + 1:02d}"
            place = name if sessions == 1 else f"{name}__session-{session + 1}"
            found[place] = _result(random, name, f"session-{session + 1}", response + 0.1 * session)
            found[place] |= {"session_folder": place.replace("__", "/"), "key": f"{patient}"}
            if not affect:
                found[place] |= _no_affect()
            if not answers:
                found[place]["questionnaires"] = []
    return found


def _no_affect() -> Result:
    sentence = "No affect score: no checkpoint was given."
    return {
        "affect": None,
        "quadrants": None,
        "quadrant_probability": None,
        "quadrant_time": None,
        "model": None,
        "notices": [{"code": "W_NO_AFFECT_SCORE", "sentence": sentence}],
    }


def _result(random: np.random.Generator, patient: str, session: str, response: float) -> Result:
    noise = float(random.normal(0, 0.1))
    affect = {
        "valence": _measure(random, "-1 to 1", -0.55 + noise, 1.05 * response, 2, 0.06),
        "arousal": _measure(random, "-1 to 1", 0.5 + noise, -0.95 * response, 2, 0.06),
    }
    body = {
        name: _measure(random, unit, start * random.uniform(0.8, 1.25), move * response, digits)
        for name, unit, start, move, digits in _BODY
    }
    points = [
        tuple(affect[name][phase]["mean"] for name in ("valence", "arousal"))
        for phase in ("before", "after")
    ]
    return {
        "format": 2,
        "status": "OK",
        "created": "2026-03-01T10:00:00+00:00",
        "subject_id": patient,
        "session_id": session,
        "simulated_person": True,
        "notices": [],
        "coverage": {
            name: {"usable": share, "recorded": 3600.0, "session_duration": 3600.0}
            for name, share in (("face", 0.97), ("ecg", 1.0), ("eda", 0.99))
        },
        "phase_coverage": {
            phase: {"face": float(random.uniform(0.85, 1)), "ecg": 1.0, "eda": 0.99}
            for phase in ("before", "after")
        },
        "phases": {
            "before": {"start": 0.0, "end": 900.0},
            "after": {"start": 2700.0, "end": 3600.0},
        },
        "phase_rule": "the first and the last 15 minutes",
        "alignment": {},
        "physiology": body,
        "affect": affect,
        "marked": [],
        "sensitivity": None,
        "quadrants": dict(zip(("before", "after"), map(_quadrant, points), strict=True)),
        "quadrant_probability": {
            phase: dict.fromkeys(("I", "II", "III", "IV"), 0.02)
            | {_quadrant(point).split()[0]: 0.94}
            for phase, point in zip(("before", "after"), points, strict=True)
        },
        "quadrant_time": None,
        "questionnaires": [
            _answers(random, *scale[:4], scale[4] * response, scale[5]) for scale in _ANSWERS
        ],
        "influence": None,
        "against_truth": None,
        "interval": "95 %, moving-block bootstrap",
        "model": {
            "checkpoint_id": _CHECKPOINT,
            "variant": "bmmn",
            "modalities": ["face", "ecg", "eda"],
            "face_encoder": "small",
            "population": "simulated people",
            "training_subjects": 8,
            "intended_use": "tests",
        },
        "inputs": {"face.mp4": f"{random.integers(1 << 60):064x}"},
        "versions": {"affectscope": "0.1.0", "numpy": "2.2.0", "python": "3.11.9"},
    }


def _measure(
    random: np.random.Generator,
    unit: str,
    start: float,
    move: float,
    digits: int,
    spread: float | None = None,
) -> Result:
    half = 0.05 * abs(start) if spread is None else spread
    change = move + float(random.normal(0, half))

    def estimate(mean: float, width: float) -> Result:
        return {"mean": mean, "low": mean - width, "high": mean + width, "count": 900}

    return {
        "unit": unit,
        "before": estimate(start, half),
        "after": estimate(start + change, half),
        "change": estimate(change, 1.4 * half),
        "reason": "",
        "digits": digits,
        "hedges_g_av": estimate(change / (3 * half), 0.6),
        "nonoverlap": estimate(0.7, 0.1),
        "reliable_change": None,
    }


def _quadrant(point: tuple[float, ...]) -> str:
    valence, arousal = point
    if arousal >= 0:
        return "I (pleasant, aroused)" if valence >= 0 else "II (unpleasant, aroused)"
    return "IV (pleasant, calm)" if valence >= 0 else "III (unpleasant, calm)"


def _answers(
    random: np.random.Generator,
    name: str,
    lowest: float,
    highest: float,
    start: float,
    move: float,
    higher: str,
) -> Result:
    width = highest - lowest
    before, after = (
        float(round(np.clip(value + random.normal(0, 0.05 * width), lowest, highest)))
        for value in (start, start + move)
    )
    return {
        "measure": name,
        "unit": "points",
        "lowest": lowest,
        "highest": highest,
        "before": before,
        "after": after,
        "change": after - before,
        "higher_means": higher,
        "band_before": "",
        "band_after": "",
        "reliable_change": None,
        "reason": "",
    }
