"""A simulated therapy study: patients, one or more sessions each, self-ratings before and after.

THIS IS NO HUMAN DATA AND NO EVIDENCE ABOUT THERAPY. Patients differ in how far a session moves them
from quadrant II towards IV; some hardly move. Every file says that it is simulated.

The paper's design: five patients, the first against the last 15 minutes of a session (Comas,
Aspandi, Binefa, FG 2020, section on therapy).

Where nothing is written, and what we do:
1. A patient's response is drawn from a normal distribution around 0.8 with a standard deviation of
   0.35, cut to 0 to 1.2: 0 stays in quadrant II, 1 ends at (0.6, -0.6).
2. Each later session of a patient begins and ends 0.12 further on the way.
3. Self-ratings (SAM valence and arousal, 1 to 9; SUDS, 0 to 100) follow the mean affect of the
   first and the last quarter, with the noise of one answer.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from affectscope.datasets.synthetic import (
    AffectCourse,
    SyntheticSettings,
    synthetic_person,
    therapy_course,
    write_session,
)
from affectscope.io.files import write_text
from affectscope.io.study_file import FORMAT, NAME

SETTINGS = SyntheticSettings(sampling_rate=128.0, frame_rate=5.0)
_SEEDS = 7000
_RATINGS = ("subject", "session", "questionnaire", "time", "item", "score")


@dataclass(frozen=True)
class StudyDesign:
    """Attributes:
    patients: how many, ``sessions`` of each, ``minutes`` long.
    seed: the start of the random numbers.
    """

    patients: int = 5
    sessions: int = 1
    minutes: float = 60.0
    seed: int = 1


def write_study(
    folder: Path,
    design: StudyDesign,
    *,
    settings: SyntheticSettings = SETTINGS,
    progress: Callable[[float], None] = lambda _share: None,
) -> list[Path]:
    """Write session folders, questionnaires.csv and study.toml; a session that is there stays.

    Returns:
        The session folders.

    Raises:
        OutputError: E_OUTPUT where the folder cannot be written.
    """
    rows: list[tuple[object, ...]] = []
    written = []
    count = design.patients * design.sessions
    for patient in range(design.patients):
        name = f"sim-patient-{patient + 1:02d}"
        for session in range(design.sessions):
            session_id = f"{name}-session-{session + 1}" if design.sessions > 1 else name
            course = _course(design, patient, session)
            path = folder / session_id
            if not (path / "session.toml").exists():
                person = synthetic_person(name, design.seed * _SEEDS + patient)
                write_session(path, person, course, settings=settings)
            rows += _ratings(name, session_id, course)
            written.append(path)
            progress(len(written) / count)
    write_text(folder / "questionnaires.csv", _table(rows))
    title = f"Simulated study: {design.patients} simulated patients, no human data"
    lines = (
        f"format = {FORMAT}",
        f'title = "{title}"',
        "",
        "[questionnaires]",
        'file = "questionnaires.csv"',
    )
    write_text(folder / NAME, "\n".join(lines) + "\n")
    return written


def _course(design: StudyDesign, patient: int, session: int) -> AffectCourse:
    random = np.random.default_rng([design.seed, patient])
    response = float(np.clip(random.normal(0.8, 0.35), 0.0, 1.2))
    begin = -0.6 + 0.12 * session
    seed = design.seed * _SEEDS + 100 * patient + session
    return therapy_course(60 * design.minutes, seed, begin=begin, end=begin + 1.2 * response)


def _ratings(subject: str, session: str, course: AffectCourse) -> list[tuple[object, ...]]:
    """SAM and SUDS before and after."""
    random = np.random.default_rng([course.seed, 5])
    quarter = len(course.times) // 4
    rows: list[tuple[object, ...]] = []
    for time, part in (("before", slice(None, quarter)), ("after", slice(-quarter, None))):
        valence, arousal = course.valence[part].mean(), course.arousal[part].mean()
        felt = {"valence": valence, "arousal": arousal}
        for item, value in felt.items():
            answer = int(np.clip(round(5 + 4 * value + random.normal(0, 0.7)), 1, 9))
            rows.append((subject, session, "SAM", time, item, answer))
        distress = 50 + 25 * (arousal - valence) + random.normal(0, 8)
        rows.append((subject, session, "SUDS", time, 1, 5 * round(np.clip(distress, 0, 100) / 5)))
    return rows


def _table(rows: list[tuple[object, ...]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([_RATINGS, *rows])
    return text.getvalue()
