"""From a checkpoint and labelled sessions to the checkpoint's ``calibration.json``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from affectscope.datasets.alignment import aligned
from affectscope.datasets.body_analysis import analyse_body
from affectscope.datasets.window_dataset import StreamSettings, WindowStream
from affectscope.errors import LeakError, ModelError, SessionError
from affectscope.evaluation.calibration import COVERAGE, people_needed
from affectscope.inference.calibration import Calibration, read_calibration, write_calibration
from affectscope.inference.person_photo import photo_check
from affectscope.inference.predictor import Predictor, Shares, load_checkpoint
from affectscope.io.model_files import face_model
from affectscope.io.session import Session, open_session
from affectscope.recipes.calibration_fit import ScoredRows, fit_calibration
from affectscope.records import MODALITIES, TARGETS, BoolArray, FloatArray

FEWEST_PEOPLE = 2
RATE = 1.0
"""Analysed times per second: neighbouring windows share most of their signal."""


@dataclass(frozen=True)
class CalibrationAsked:
    """What is to be calibrated, on which session folders, for which coverage in (0, 1)."""

    checkpoint: Path
    sessions: tuple[Path, ...]
    coverage: float = COVERAGE
    rate: float = RATE


def calibrate(
    asked: CalibrationAsked, progress: Callable[[float], None] = lambda _share: None
) -> Calibration:
    """Write ``calibration.json`` into the checkpoint's folder, in place of an older one.

    Raises:
        ModelError: E_CHECKPOINT; E_CONFIG for a coverage outside (0, 1); E_POPULATION where the
            sessions are not of such people as the weights were fitted on; E_CALIBRATION for fewer
            people than two.
        LeakError: E_LEAK_SUBJECT for a person, E_LEAK_FITTED for a file, that the network has
            learnt from.
        SessionError: a session that cannot be opened, or E_SESSION where it has no labels.
        OutputError: E_OUTPUT.
    """
    if not 0 < asked.coverage < 1:
        raise ModelError(
            "E_CONFIG", f"A coverage of {asked.coverage} is not allowed.", "Give one in (0, 1)."
        )
    predictor = load_checkpoint(asked.checkpoint, calibrated=False)
    sessions = [aligned(open_session(folder)) for folder in asked.sessions]
    check_unseen(predictor, sessions)
    _check_number(sessions)
    rows = scored_rows(predictor, sessions, rate=asked.rate, progress=progress)
    fitted = fit_calibration(predictor, rows, coverage=asked.coverage)
    calibration = Calibration(
        checkpoint_id=predictor.checkpoint_id,
        population=predictor.checkpoint.population,
        coverage=asked.coverage,
        people_needed=people_needed(asked.coverage),
        modalities=predictor.model.config.modalities,
        people=tuple(str(name) for name in np.unique(rows.person)),
        windows=len(rows.person),
        sessions=files_of(sessions),
        intervals=fitted.intervals,
        fusion=fitted.fusion,
        temperature=fitted.temperature,
        risk=fitted.risk,
    )
    write_calibration(asked.checkpoint, calibration)
    found = read_calibration(asked.checkpoint, predictor.checkpoint_id)
    assert found is not None
    return found


def files_of(sessions: Sequence[Session]) -> dict[str, str]:
    """sha256 of every file, by "subject/session/file"."""
    return {
        f"{session.recording.subject_id}/{session.recording.trial_id}/{name}": digest
        for session in sessions
        for name, digest in session.input_hashes.items()
    }


def check_unseen(predictor: Predictor, sessions: Sequence[Session]) -> None:
    """Refuse sessions by which a network cannot be judged.

    Raises:
        ModelError: E_POPULATION for other people than the network was fitted on.
        LeakError: E_LEAK_SUBJECT for a person, E_LEAK_FITTED for a file, that it has learnt from.
        SessionError: E_SESSION for a session without labels.
    """
    checkpoint = predictor.checkpoint
    learnt = set(checkpoint.data_hashes.values())
    for session in sessions:
        recording = session.recording
        kind = "simulated people" if recording.simulated else "people"
        where = f"Session {recording.trial_id} of {recording.subject_id}"
        if kind != checkpoint.population:
            raise ModelError(
                "E_POPULATION",
                f"{where} is of {kind}, and the network was fitted on {checkpoint.population}.",
                "Take such people as the network learnt from and is to score.",
            )
        if recording.subject_id in checkpoint.training_subjects:
            raise LeakError(
                "E_LEAK_SUBJECT",
                f"The network has learnt from {recording.subject_id}.",
                "Take people whom it has never seen; the errors of these would look too small.",
            )
        if learnt & {d for name, d in session.input_hashes.items() if name != "session.toml"}:
            raise LeakError(
                "E_LEAK_FITTED",
                f"{where} holds a file that the network has learnt from, under another name.",
                "Take people whom it has never seen.",
            )
        if recording.labels is None:
            raise SessionError(
                "E_SESSION",
                f"{where} has no labels.",
                "Name a table of the known affect under [labels] in its session.toml.",
            )


def _check_number(sessions: Sequence[Session]) -> None:
    people = {session.recording.subject_id for session in sessions}
    if len(people) < FEWEST_PEOPLE:
        raise ModelError(
            "E_CALIBRATION",
            f"Calibration compares people, and sessions of {len(people)} were given.",
            "Give sessions of ten people or more that the network has not learnt from.",
        )


@dataclass
class _Gathered:
    """What is kept of every scored batch, in pieces."""

    person: list[str] = field(default_factory=list)
    shares: list[Shares] = field(default_factory=list)
    present: list[BoolArray] = field(default_factory=list)
    quality: list[FloatArray] = field(default_factory=list)
    truth: list[FloatArray] = field(default_factory=list)


def scored_rows(
    predictor: Predictor,
    sessions: Sequence[Session],
    *,
    rate: float = RATE,
    progress: Callable[[float], None] = lambda _share: None,
) -> ScoredRows:
    """Every labelled, scored time of sessions, ``rate`` per second.

    Raises:
        AffectScopeError: a session that cannot be walked.
    """
    gathered = _Gathered()
    for done, session in enumerate(sessions):
        _gather(predictor, session, rate, gathered)
        progress((done + 1) / len(sessions))
    names = predictor.model.config.modalities
    if not gathered.person:
        raise ModelError("E_CALIBRATION", "No moment of these sessions could be scored.")
    return ScoredRows(
        np.array(gathered.person),
        {name: np.concatenate([each[name] for each in gathered.shares]) for name in names},
        np.concatenate(gathered.present),
        np.concatenate(gathered.quality),
        np.concatenate(gathered.truth),
    )


def _gather(predictor: Predictor, session: Session, rate: float, gathered: _Gathered) -> None:
    recording = session.recording
    labels = recording.labels
    assert labels is not None
    stream = WindowStream(
        recording=recording,
        body=analyse_body(recording, session.excluded),
        preprocessing=predictor.checkpoint.preprocessing,
        face_model=face_model,
        settings=StreamSettings(rate=rate, person=session.person, excluded=session.excluded),
        photo_check=photo_check,
    )
    used = [MODALITIES.index(name) for name in predictor.model.config.modalities]
    for batch, shares in predictor.scored(stream):
        kept = batch.present_matrix[:, used].any(axis=1)
        kept &= (batch.times >= labels.times[0]) & (batch.times <= labels.times[-1])
        truth = labels.at(batch.times)[kept]
        assert truth.shape[1] == len(TARGETS)
        gathered.person += [recording.subject_id] * int(kept.sum())
        gathered.shares.append({name: share[kept] for name, share in shares.items()})
        gathered.present.append(batch.present_matrix[kept])
        gathered.quality.append(batch.quality[kept])
        gathered.truth.append(truth)
