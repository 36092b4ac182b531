"""What a calibrated network's intervals say of a session, for the report, result.json and timeline.

Two intervals that must not be confused: the means of the phases carry moving-block bootstrap
intervals, which tell how sure a mean is within this session; a moment's conformal interval tells
how far the network was from what people whom it had never seen stated.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from affectscope.inference.calibration import RATINGS
from affectscope.records import MODALITY_NAMES, TARGETS, FloatArray, Prediction
from affectscope.therapy.measures import AFFECT

if TYPE_CHECKING:
    from affectscope.therapy.assessment import Assessment

NO_INTERVAL = "its error for a new person is in no interval"


def with_intervals(timeline: pd.DataFrame, prediction: Prediction | None) -> pd.DataFrame:
    """The timeline with ``valence_low``, ``valence_high`` ... where there are such intervals."""
    columns: dict[str, FloatArray] = {}
    for name in RATINGS:
        ends = None if prediction is None else prediction.interval(name)
        if ends is not None:
            columns |= {f"{name}_low": ends[0], f"{name}_high": ends[1]}
    return timeline.assign(**columns)


def usual_half_widths(prediction: Prediction | None) -> dict[str, float]:
    """The median half-width over the session of every rating that has intervals."""
    if prediction is None or prediction.half_width is None:
        return {}
    widths = {name: prediction.half_width[:, TARGETS.index(name)] for name in RATINGS}
    return {
        name: float(np.nanmedian(width))
        for name, width in widths.items()
        if np.isfinite(width).any()
    }


def calibration_result(assessment: Assessment) -> dict[str, Any] | None:
    """What result.json holds; None where the checkpoint is not calibrated for this person."""
    calibration = None if assessment.predictor is None else assessment.predictor.calibration
    widths = usual_half_widths(assessment.prediction)
    if calibration is None or not calibration.stands_for(assessment.session.recording.simulated):
        return None
    return {
        "coverage": calibration.coverage,
        "population": calibration.population,
        "people": len(calibration.people),
        "windows": calibration.windows,
        "median_half_width": widths,
        "fusion": {name: rule.good for name, rule in calibration.fusion.items()},
        "temperature": calibration.temperature.value,
        "created": calibration.created,
        "method": "split conformal prediction by participant, of one moment's estimate",
    }


def calibration_sentences(assessment: Assessment) -> list[str]:
    """The same for a reader, in plain words; none where there are no intervals."""
    calibration = None if assessment.predictor is None else assessment.predictor.calibration
    widths = usual_half_widths(assessment.prediction)
    if calibration is None or not widths:
        return []
    share = f"{100 * calibration.coverage:.0f} %"
    who = f"{len(calibration.people)} {calibration.population} whom the network did not learn from"
    sentences = [
        f"How far one moment's estimate may be off: for {share} of the moments of people like those"
        f" it was checked on, what they stated lay within {_widths(widths)} of the estimate"
        " (conformal interval, median over this session; each moment's own stands in the"
        f" timeline). Checked on {calibration.windows} moments of {who}.",
        "It holds on average over people and moments; for one person it may hold more or less"
        " often. The intervals of the means above and below are others: they tell how sure a mean"
        " is within this session.",
    ]
    weighed = [MODALITY_NAMES[m] for m in calibration.modalities if calibration.fusion[m].good]
    if weighed:
        sentences.append(f"Where the quality is low, these count for less: {', '.join(weighed)}.")
    return sentences


def error_for_others(assessment: Assessment) -> str:
    """What the first page's last line says of a new person."""
    widths = {n: w for n, w in usual_half_widths(assessment.prediction).items() if n in AFFECT}
    calibration = None if assessment.predictor is None else assessment.predictor.calibration
    if calibration is None or not widths:
        return NO_INTERVAL
    share = f"{100 * calibration.coverage:.0f} %"
    return f"{share} of moments of such people lay within {_widths(widths)} of it"


def _widths(widths: dict[str, float]) -> str:
    return ", ".join(f"\N{PLUS-MINUS SIGN}{width:.2f} ({name})" for name, width in widths.items())
