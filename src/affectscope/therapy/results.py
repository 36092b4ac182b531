"""result.json and the timeline: what a program reads where a person reads the report."""

from __future__ import annotations

import json
import math
import platform
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from affectscope.errors import AffectScopeError
from affectscope.io.files import write_text, write_with
from affectscope.pages import INTENDED_USE
from affectscope.records import Notice
from affectscope.therapy.alignment import alignment_result
from affectscope.therapy.assessment import Assessment
from affectscope.therapy.measures import Measure

if TYPE_CHECKING:
    import pandas as pd

FORMAT = 1
TIMELINES = ("timeline.parquet", "timeline.csv")
QUALITIES = ("quality.parquet", "quality.csv")


def write_results(assessment: Assessment, folder: Path) -> None:
    """Write result.json, and the timeline and the quality as parquet and csv, each file whole or
    not at all.

    Raises:
        OutputError: E_OUTPUT.
    """
    _write_table(assessment.timeline, folder, TIMELINES)
    _write_table(assessment.quality, folder, QUALITIES)
    write_text(folder / "result.json", _json(result(assessment)))


def write_rejection(error: AffectScopeError, session_name: str, folder: Path) -> None:
    """A REJECTED result.json: the code, what is wrong, what to do; no tables of an earlier run.

    Raises:
        OutputError: E_OUTPUT.
    """
    for name in (*TIMELINES, *QUALITIES):
        (folder / name).unlink(missing_ok=True)
    write_text(
        folder / "result.json",
        _json(
            {
                **_head("REJECTED"),
                "session": session_name,
                "code": error.code,
                "sentence": error.sentence,
                "remedy": error.remedy,
            }
        ),
    )


def _write_table(table: pd.DataFrame, folder: Path, names: tuple[str, str]) -> None:
    parquet, csv = (folder / name for name in names)
    write_with(parquet, lambda s: table.to_parquet(s, index=False))
    write_with(csv, lambda s: table.to_csv(s, index=False, float_format="%.6g", encoding="utf-8"))


def result(assessment: Assessment) -> dict[str, Any]:
    """The whole result but the timeline, as plain JSON values."""
    recording = assessment.session.recording
    return {
        **_head(assessment.status),
        "subject_id": recording.subject_id,
        "session_id": recording.trial_id,
        "simulated_person": recording.simulated,
        "notices": [_notice(notice) for notice in assessment.notices],
        "coverage": {name: asdict(part) for name, part in assessment.coverage.items()},
        "phases": {
            phase.name: {"start": phase.start, "end": phase.end} for phase in assessment.phases
        },
        "phase_rule": assessment.phase_rule,
        "alignment": alignment_result(assessment.certificate),
        "physiology": {measure.name: _measure(measure) for measure in assessment.body},
        "affect": {measure.name: _measure(measure) for measure in assessment.affect} or None,
        "quadrants": None
        if assessment.quadrants is None
        else dict(zip(("before", "after"), assessment.quadrants, strict=True)),
        "against_truth": {row.target: asdict(row) for row in assessment.against_truth} or None,
        "interval": "95 %, moving-block bootstrap with blocks of a fifth of the phase, 10 to 60 s",
        "model": model_identity(assessment),
        "inputs": dict(assessment.session.input_hashes),
        "versions": versions(),
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
    return {key: value for key, value in asdict(notice).items() if value is not None}


def _measure(measure: Measure) -> dict[str, Any]:
    fields = asdict(measure)
    del fields["name"]
    return fields


def _json(content: Mapping[str, Any]) -> str:
    return json.dumps(_finite(content), indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def _finite(value: Any) -> Any:
    """JSON has no NaN: what is not a number is null."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return value
