"""What a study was asked: pinned in OUT/study.json before the first session is done.

A study that goes on answers the question that it began with. Another model, other options, other
phases, another version of the program: E_RUN_CHANGED, before anything is computed (B10).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cache, cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

from affectscope.errors import InputError, ModelError, SessionError
from affectscope.io.files import check_file, lies_inside, sha256, shown, write_text, writing_in
from affectscope.io.run_question import differences, source_digest
from affectscope.io.study_file import StudyFile, read_study_file
from affectscope.therapy.compared import check_asked
from affectscope.therapy.study.session_rows import digest, read_object
from affectscope.therapy.study.sessions import FoundSession

QUESTION = "study.json"
FORMAT = 1
_ROOMS = (
    "io", "preprocessing", "datasets", "models", "inference", "evaluation", "therapy",
    "therapy/questionnaires",
)  # fmt: skip
"""Where a session's result is decided; the study's page is made anew each time."""
_WEIGHTS, _CONTRACT = "weights.safetensors", "checkpoint.json"
_ENGINES = "engines/*/manifest.json"
_CALIBRATION = "calibration.json"


@dataclass(frozen=True)
class StudyAsked:
    """What the command line asks for.

    Attributes:
        rate, force: as ``therapy.assessment.assess`` takes them.
        minutes, thirds: the parts to compare, in place of what files say.
        processes: sessions at a time; None: one per core.
        pdf: whether each session gets a report.pdf too.
        engine, precision: as ``inference.engine.EngineAsked`` takes them.
    """

    folder: Path
    out: Path
    checkpoint: Path | None = None
    rate: float | None = None
    force: bool = False
    minutes: float | None = None
    thirds: bool = False
    processes: int | None = None
    pdf: bool = True
    engine: Literal["auto", "torch", "openvino", "onnxruntime"] = "auto"
    precision: Literal["auto", "fp32", "bf16", "int8"] = "auto"


@dataclass(frozen=True)
class Study:
    """What every process of a study knows.

    Attributes:
        question: what study.json holds.
        answers: the study's table of questionnaire answers.
    """

    asked: StudyAsked
    file: StudyFile
    question: Mapping[str, Any]
    answers: Path | None

    @cached_property
    def digest(self) -> str:
        """Of all that decides a session's result beside its files; it is a part of its key."""
        known = {name: asdict(part) for name, part in self.file.reliability.items()}
        return digest([self.question, known, self.answers is not None])

    def place(self, session: FoundSession) -> Path:
        """The folder of a session's results."""
        return self.asked.out / "sessions" / session.name


def read_study(asked: StudyAsked) -> Study:
    """The study.toml of a folder and the question that follows from it and from what is asked.

    Raises:
        SessionError: E_CONFIG for minutes that are none; E_SESSION for a study.toml that cannot be
            used, E_STUDY for a table outside the folder.
        InputError: E_FILE_..., E_STORED_FILE_CHANGED for the table of answers.
        ModelError: E_CHECKPOINT where there is no checkpoint.
    """
    check_asked(asked.minutes, asked.thirds)
    file = read_study_file(asked.folder)
    phases = None if file.phases is None else asdict(file.phases)
    question = {
        "format": FORMAT,
        "program": version("affectscope"),
        "code": _code(),
        "model": None if asked.checkpoint is None else model_digests(asked.checkpoint),
        "engine": f"{asked.engine} {asked.precision}",
        "rate": asked.rate,
        "force": asked.force,
        "minutes": asked.minutes,
        "thirds": asked.thirds,
        "phases": phases,
    }
    return Study(asked, file, json.loads(json.dumps(question)), _answers(asked.folder, file))


def model_digests(checkpoint: Path) -> dict[str, str]:
    """The sha256 of what a checkpoint's folder holds, its engines by their manifests, its
    calibration if it has one, and its id.

    Raises:
        ModelError: E_CHECKPOINT where a file is missing or cannot be read.
    """
    try:
        for name in (_WEIGHTS, _CONTRACT):
            check_file(checkpoint / name)
        weights, contract = (sha256(checkpoint / name) for name in (_WEIGHTS, _CONTRACT))
        engines = {path.parent.name: sha256(path) for path in checkpoint.glob(_ENGINES)}
        calibration = {path.stem: sha256(path) for path in checkpoint.glob(_CALIBRATION)}
    except (InputError, OSError) as error:
        why = error.sentence if isinstance(error, InputError) else str(error.strerror)
        raise ModelError(
            "E_CHECKPOINT",
            f"The checkpoint {shown(checkpoint)} cannot be used: {why}",
            f"Give the folder that holds {_WEIGHTS} and {_CONTRACT}.",
        ) from error
    return {
        "checkpoint_id": weights[:12],
        "weights": weights,
        "contract": contract,
        **{f"engine {name}": digest for name, digest in sorted(engines.items())},
        **calibration,
    }


def pin(study: Study) -> None:
    """Write study.json, or compare with the one that is there.

    Raises:
        ModelError: E_RUN_CHANGED with every difference.
        SessionError: E_STUDY where study.json is damaged.
        OutputError: E_OUTPUT.
    """
    path = study.asked.out / QUESTION
    if not path.exists():
        with writing_in(study.asked.out):
            write_text(path, json.dumps(study.question, indent=1) + "\n")
        return
    before = read_object(path)
    if before is None:
        raise SessionError(
            "E_STUDY", f"{QUESTION} in {shown(study.asked.out)} is damaged.", "Choose a new folder."
        )
    changes = differences(before, study.question)
    if changes:
        raise ModelError(
            "E_RUN_CHANGED",
            f"{shown(study.asked.out)} holds a study with another question: {'; '.join(changes)}.",
            "Ask as before, or choose another folder.",
        )


def check_model(study: Study, loaded: str) -> None:
    """That the model which a process has loaded is the pinned one (B06).

    Args:
        loaded: its checkpoint id, computed from the bytes that were loaded.

    Raises:
        ModelError: E_RUN_CHANGED, E_CHECKPOINT.
    """
    assert study.asked.checkpoint is not None
    pinned = study.question["model"]
    found = model_digests(study.asked.checkpoint)
    if found != pinned or loaded != pinned["checkpoint_id"]:
        raise ModelError(
            "E_RUN_CHANGED",
            f"The checkpoint {shown(study.asked.checkpoint)} was replaced while the study ran:"
            f" {'; '.join(differences(pinned, found)) or f'{loaded} was loaded'}. What was finished"
            " rests on the first one alone.",
            "Put it back and start the same command again, or choose a new folder.",
        )


def _answers(folder: Path, file: StudyFile) -> Path | None:
    stated = file.questionnaires
    if stated is None:
        return None
    path = folder / stated.name
    if not lies_inside(folder, stated.name):
        raise SessionError(
            "E_STUDY",
            f"The file {stated.name!a} in study.toml lies outside the study's folder.",
            "Copy the file into the folder and name it relative to it.",
        )
    check_file(path)
    if stated.sha256 not in (None, sha256(path)):
        raise InputError(
            "E_STORED_FILE_CHANGED",
            f"{shown(path)} is not the file that study.toml describes (sha256).",
            "Restore the file, or correct sha256 in study.toml if the change was meant.",
        )
    return path


@cache
def _code() -> str:
    """The start of the sha256 over the source of all that decides a result."""
    package = Path(__file__).resolve().parents[2]
    paths = (path for room in _ROOMS for path in sorted((package / room).glob("*.py")))
    return source_digest(paths)[:12]
