"""How much of a session could be used: per modality, over all of it and in each compared part."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from affectscope.datasets.body_analysis import BodyAnalysis
from affectscope.records import (
    MODALITIES,
    BoolArray,
    FloatArray,
    Modality,
    Notice,
    Phase,
    Recording,
)

LEAST = 0.5
"""Below this share a notice says so."""

PhaseCoverage = Mapping[str, Mapping[Modality, float]]
"""Phase -> modality that was recorded -> share of the phase in [0, 1] that was used."""


@dataclass(frozen=True)
class Coverage:
    """How much of a modality could be used.

    ``usable`` is the share in [0, 1] of what was recorded; ``recorded`` its seconds, of which
    the session has ``session_duration``.
    """

    usable: float
    recorded: float
    session_duration: float


def session_coverage(
    recording: Recording, body: BodyAnalysis, times: FloatArray, face_present: BoolArray
) -> dict[Modality, Coverage]:
    """Per recorded modality; a signal that was rejected as a whole has 0.

    ``times`` are the analysed ones, ``face_present`` tells where a face could be used.
    """
    start, end = recording.span
    coverage: dict[Modality, Coverage] = {}
    for name, track in recording.tracks.items():
        usable = 0.0
        if name == "face":
            inside = (times >= track.start_time) & (times <= track.end_time)
            usable = float(face_present[inside].mean()) if inside.any() else 0.0
        elif name == "ecg" and body.ecg is not None:
            usable = float(body.ecg.valid.mean())
        elif name == "eda" and body.eda is not None:
            usable = float(body.eda.valid.mean())
        coverage[name] = Coverage(usable, track.duration, end - start)
    return coverage


def phase_coverage(
    quality: pd.DataFrame, recorded: Sequence[Modality], phases: Sequence[Phase]
) -> dict[str, dict[Modality, float]]:
    """From the session's quality, second by second (``quality_table.session_quality``).

    What of a phase lies outside the session, or outside a modality's recording, was not used.
    """
    first = quality["time"].to_numpy(np.float64)
    found: dict[str, dict[Modality, float]] = {}
    for phase in phases:
        overlap = np.minimum(first + 1, phase.end) - np.maximum(first, phase.start)
        seconds = np.clip(overlap, 0.0, 1.0)
        used = {
            name: float(seconds[quality[f"{name}_used"].to_numpy(bool)].sum()) for name in recorded
        }
        length = phase.end - phase.start  # 0 where nobody knew the session's end
        found[phase.name] = {
            name: duration / length if length > 0 else 0.0 for name, duration in used.items()
        }
    return found


def coverage_notices(
    coverage: Mapping[Modality, Coverage], by_phase: PhaseCoverage, phases: Sequence[Phase]
) -> list[Notice]:
    """Where less than half is usable. A modality of which nothing is has its own notice already."""
    some = {name: part for name, part in coverage.items() if part.usable > 0}
    notices = [
        Notice(
            "W_LOW_COVERAGE",
            f"Only {100 * part.usable:.0f} % of its recording is usable.",
            name,
        )
        for name, part in some.items()
        if part.usable < LEAST
    ]
    for phase in phases:
        notices += [
            Notice(
                "W_PHASE_COVERAGE",
                f"Only {100 * by_phase[phase.name][name]:.0f} % of the phase {phase.name} is"
                " usable.",
                name,
                phase.start,
                phase.end,
            )
            for name in some
            if by_phase[phase.name][name] < LEAST
        ]
    return notices


def absences(recording: Recording) -> list[Notice]:
    """A modality that session.toml does not name at all."""
    known = {*recording.tracks, *(notice.modality for notice in recording.notices)}
    return [
        Notice("W_MODALITY_ABSENT", "It is not part of this session.", name)
        for name in MODALITIES
        if name not in known
    ]
