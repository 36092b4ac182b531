"""result.json and the timeline: what a program reads where a person reads the report."""

from __future__ import annotations

import json
import math
import platform
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from affectscope.errors import AffectScopeError
from affectscope.evaluation.statistics import Estimate
from affectscope.io.files import write_text, write_with
from affectscope.io.session import Session
from affectscope.pages import INTENDED_USE
from affectscope.records import Notice
from affectscope.therapy.alignment import alignment_result
from affectscope.therapy.assessment import Assessment
from affectscope.therapy.calibrated import calibration_result
from affectscope.therapy.change import MarkedMean, MarkedPhase, sensitivity_result
from affectscope.therapy.influence import influence_result
from affectscope.therapy.measures import Measure
from affectscope.therapy.stress import stress_result

if TYPE_CHECKING:
    import pandas as pd

FORMAT = 2
TIMELINES = ("timeline.parquet", "timeline.csv")
QUALITIES = ("quality.parquet", "quality.csv")
RESULT = "result.json"
INTERVAL = (
    "95 %, moving-block bootstrap; blocks follow the course's own memory, a twentieth to a fifth of"
    " the phase"
)
_ESTIMATE = ("mean", "low", "high", "count")


def write_tables(assessment: Assessment, folder: Path) -> None:
    """Write the timeline and the quality as parquet and csv.

    Raises:
        OutputError: E_OUTPUT.
    """
    _write_table(assessment.timeline, folder, TIMELINES)
    _write_table(assessment.quality, folder, QUALITIES)


def write_result(content: Mapping[str, Any], folder: Path) -> None:
    """Write what ``result`` or ``rejection`` gave.

    Raises:
        OutputError: E_OUTPUT.
    """
    text = json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False)
    text = text.encode(errors="replace").decode()  # a folder's name may hold bytes that are no text
    write_text(folder / RESULT, text + "\n")


def rejection(error: AffectScopeError, session_name: str) -> dict[str, Any]:
    """The code, what is wrong, what to do."""
    return {
        **_head("REJECTED"),
        "session": session_name,
        "code": error.code,
        "sentence": error.sentence,
        "remedy": error.remedy,
    }


def _write_table(table: pd.DataFrame, folder: Path, names: tuple[str, str]) -> None:
    parquet, csv = (folder / name for name in names)
    write_with(parquet, lambda s: table.to_parquet(s, index=False))
    write_with(csv, lambda s: table.to_csv(s, index=False, float_format="%.6g", encoding="utf-8"))


def result(assessment: Assessment) -> dict[str, Any]:
    """The whole result but the timeline, as plain JSON values."""
    recording = assessment.session.recording
    content = {
        **_head(assessment.status),
        "subject_id": recording.subject_id,
        "session_id": recording.trial_id,
        "simulated_person": recording.simulated,
        "notices": [_notice(notice) for notice in assessment.notices],
        "coverage": assessment.coverage,
        "phase_coverage": assessment.phase_coverage,
        "phases": {
            phase.name: {"start": phase.start, "end": phase.end} for phase in assessment.phases
        },
        "phase_rule": assessment.phase_rule,
        "alignment": alignment_result(assessment.certificate),
        "video": _video(assessment.session),
        "physiology": {measure.name: _unnamed(measure) for measure in assessment.body},
        "affect": {measure.name: _unnamed(measure) for measure in assessment.affect} or None,
        "marked": [_marked(part) for part in assessment.marked],
        "sensitivity": sensitivity_result(assessment.sensitivity),
        "quadrants": _by_phase(assessment.quadrants),
        "quadrant_probability": assessment.quadrant_probability,
        "quadrant_time": assessment.quadrant_time,
        "stress_likelihood": stress_result(assessment.stress, assessment.phases),
        "questionnaires": assessment.questionnaires,
        "influence": influence_result(assessment.influence),
        "against_truth": {row.target: row for row in assessment.against_truth} or None,
        "interval": INTERVAL,
        "calibration": calibration_result(assessment),
        "model": model_identity(assessment),
        "engine": engine_facts(assessment),
        "inputs": dict(assessment.session.input_hashes),
        "versions": versions(),
    }
    return {key: plain(value) for key, value in content.items()}


def _video(session: Session) -> dict[str, Any] | None:
    """Where the video lies: session time = clock_offset + clock_rate x the file's own time."""
    video = session.recording.video
    if video is None:
        return None
    path, folder = video.path, session.folder
    return {
        "file": path.relative_to(folder).as_posix() if path.is_relative_to(folder) else path.name,
        "clock_offset": video.clock_offset,
        "clock_rate": video.clock_rate,
        "start_time": video.start_time,
        "width": video.width,
        "height": video.height,
    }


def model_identity(assessment: Assessment) -> dict[str, Any] | None:
    """Which weights scored the session, fitted on whom; None where none did."""
    predictor = assessment.predictor
    if predictor is None:
        return None
    checkpoint = predictor.checkpoint
    return {
        "checkpoint_id": predictor.checkpoint_id,
        "variant": checkpoint.config.variant,
        "modalities": list(checkpoint.config.modalities),
        "face_encoder": checkpoint.config.face_encoder,
        "population": checkpoint.population,
        "training_subjects": len(checkpoint.training_subjects),
        "intended_use": checkpoint.intended_use,
    }


def engine_facts(assessment: Assessment) -> dict[str, Any] | None:
    """What ran the face encoder; None where nothing chose one."""
    choice = None if assessment.predictor is None else assessment.predictor.choice
    return None if choice is None else choice.facts()


def versions() -> dict[str, str]:
    """Versions of the parts that a number depends on."""
    names = ("affectscope", "numpy", "scipy", "neurokit2", "torch", "av")
    return {**{name: version(name) for name in names}, "python": platform.python_version()}


def _head(status: str) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "status": status,
        "intended_use": INTENDED_USE,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def _notice(notice: Notice) -> dict[str, Any]:
    return {key: value for key, value in _fields(notice).items() if value is not None}


def _by_phase(pair: tuple[str, str] | None) -> dict[str, str] | None:
    return None if pair is None else dict(zip(("before", "after"), pair, strict=True))


def _marked(part: MarkedPhase) -> dict[str, Any]:
    means = {mean.name: _unnamed(mean) for mean in part.means}
    return {**_fields(part), "means": means}


def _unnamed(measure: Measure | MarkedMean) -> dict[str, Any]:
    return {key: value for key, value in _fields(measure).items() if key != "name"}


def _fields(value: Any) -> dict[str, Any]:
    """Those of a dataclass; of an estimate only what it tells."""
    names = _ESTIMATE if isinstance(value, Estimate) else [field.name for field in fields(value)]
    return {name: getattr(value, name) for name in names}


def plain(value: Any) -> Any:
    """Values that JSON knows: it has no NaN, and what is not a number is null."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if is_dataclass(value):
        return plain(_fields(value))
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return value
