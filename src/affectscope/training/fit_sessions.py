"""Training on labelled session folders, to a checkpoint folder."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

import numpy as np

from affectscope.datasets.alignment import aligned
from affectscope.datasets.corpus import Corpus, Exclusion, SubjectTrials
from affectscope.datasets.prepared import prepare
from affectscope.datasets.prepared_trial import PreparedSettings, PreparedTrial
from affectscope.datasets.runs import RunSet
from affectscope.errors import ModelError, SessionError
from affectscope.io.files import prepare_folder
from affectscope.io.session import Session, open_session
from affectscope.models.bmmn import BMMNConfig
from affectscope.models.checkpoint import Checkpoint, save_checkpoint
from affectscope.models.imagenet_weights import fetch_imagenet_weights
from affectscope.models.pretrained_autoencoders import shipped_autoencoders
from affectscope.preprocessing.windows import Preprocessing
from affectscope.records import Population, Recording
from affectscope.training.fit import FitSettings, Progress, Start, fit
from affectscope.training.loop import TrainingRows


def fit_sessions(
    folders: Sequence[Path],
    out: Path,
    *,
    config: BMMNConfig,
    settings: FitSettings,
    start: Start | None = None,
    progress: Progress = lambda _stage, _share: None,
) -> str:
    """Train on labelled session folders and save a checkpoint folder.

    Args:
        start: what encoders begin from; the checkpoint tells whose signals given auto-encoders
            have seen. None: as ``start_from`` has it where nothing is given.

    Returns:
        The checkpoint's id.

    Raises:
        SessionError: a session that cannot be used, or none at all.
        ModelError: E_CONFIG where simulated people and people are mixed, or where given
            auto-encoders do not fit the network; E_WEIGHTS where ``start`` is None and a ResNet-50
            lacks its weights.
    """
    start, preprocessing = start or start_from(config, None), Preprocessing()
    if start.autoencoders is not None:
        start.autoencoders.check(config, preprocessing)
    prepare_folder(out)
    if not folders:
        raise SessionError(
            "E_SESSION",
            "There is no session to learn from.",
            "Name a folder that holds session folders, each with a session.toml.",
        )
    sessions = [aligned(open_session(folder)) for folder in folders]
    population = _population(sessions)
    with TemporaryDirectory(prefix="affectscope-fit-") as cache:
        trials = _prepared(
            sessions,
            Path(cache),
            preprocessing=preprocessing,
            rate=settings.rate,
            progress=lambda share: progress("reading sessions", 0.5 * share),
        )
        windows = RunSet(trials, preprocessing)
        everything = np.arange(len(windows))
        model, losses = fit(
            TrainingRows(windows, everything, everything[:0]),
            config,
            settings,
            start=start,
            progress=lambda stage, share: progress(stage, 0.5 + 0.5 * share),
        )
    checkpoint = Checkpoint(
        config=config,
        preprocessing=preprocessing,
        population=population,
        training_subjects=windows.subjects,
        data_hashes={
            f"{session.recording.subject_id}/{name}": digest
            for session in sessions
            for name, digest in session.input_hashes.items()
        },
        training={
            "settings": asdict(settings),
            "losses": losses,
            "auto-encoders began from": _described(start),
        },
    )
    return save_checkpoint(out, model, checkpoint)


def start_from(
    config: BMMNConfig, imagenet: str | None, autoencoders: Literal["nothing", "bae"] = "nothing"
) -> Start:
    """What encoders begin from.

    Args:
        imagenet: of a ResNet-50: a path, "download", or "none".
        autoencoders: "bae" takes those that come with the program.

    Raises:
        ModelError: E_WEIGHTS where a ResNet-50 lacks its weights and "none" was not said,
            E_CHECKPOINT where an auto-encoder is damaged.
    """
    given = shipped_autoencoders() if autoencoders == "bae" else None
    return Start(imagenet_file(config, imagenet), given)


def _described(start: Start) -> list[dict[str, Any]]:
    """Of given auto-encoders: which, and whose signals they have seen."""
    return [] if start.autoencoders is None else start.autoencoders.described


def imagenet_file(config: BMMNConfig, imagenet: str | None) -> Path | None:
    """Where a ResNet-50's first weights lie; None where the network needs none.

    Raises:
        ModelError: E_WEIGHTS where they are needed and neither given nor waived.
    """
    if config.face_encoder != "resnet50" or "face" not in config.modalities or imagenet == "none":
        return None
    if imagenet is None:
        raise ModelError(
            "E_WEIGHTS",
            "A ResNet-50 starts from ImageNet weights, and none were given.",
            "Give --imagenet FILE or --imagenet download, or say --imagenet none to train it from "
            "nothing, which needs far more data.",
        )
    return fetch_imagenet_weights() if imagenet == "download" else Path(imagenet)


def _population(sessions: Sequence[Session]) -> Population:
    kinds = {session.recording.simulated for session in sessions}
    if len(kinds) > 1:
        raise ModelError(
            "E_CONFIG",
            "Sessions of people and of simulated people are mixed.",
            "Train on one kind, so that the checkpoint can say whom it stands for.",
        )
    return "simulated people" if kinds.pop() else "people"


def _prepared(
    sessions: Sequence[Session],
    cache: Path,
    *,
    preprocessing: Preprocessing,
    rate: float,
    progress: Callable[[float], None],
) -> list[PreparedTrial]:
    """Every session's rows; those that follow another face in their video, or leave out other
    spans, are prepared apart."""
    for session in sessions:
        if session.recording.labels is None:
            raise _not_learnt(session.recording, "it has no labels.", "Name a table of the known "
                              "affect under [labels] in its session.toml.")  # fmt: skip
    trials: list[PreparedTrial] = []
    for asked in dict.fromkeys((session.person, session.excluded) for session in sessions):
        own = [session for session in sessions if (session.person, session.excluded) == asked]
        done = len(trials) / len(sessions)

        def report(share: float, _text: str, done: float = done, own: int = len(own)) -> None:
            progress(done + share * own / len(sessions))

        person, excluded = asked
        settings = PreparedSettings(
            preprocessing, rate, faces=True, person=person, excluded=excluded
        )
        prepared = prepare(_corpus(own), cache, settings, progress=report)
        for exclusion in prepared.exclusions:
            if exclusion.code.startswith("E_"):  # never learn from less than was asked for
                raise _not_learnt(exclusion, exclusion.sentence, "Mend it, or take it away.")
        trials += prepared.trials
    return trials


def _corpus(sessions: Sequence[Session]) -> Corpus:
    """Session folders as a corpus; a trial is a session."""

    def own(subject_id: str) -> list[Session]:
        return [each for each in sessions if each.recording.subject_id == subject_id]

    def files(subject_id: str) -> tuple[Path, ...]:
        found = (path for each in own(subject_id) for path in sorted(each.folder.iterdir()))
        return tuple(path for path in found if path.is_file())

    def read(subject_id: str) -> SubjectTrials:
        return SubjectTrials(subject_id, tuple(each.recording for each in own(subject_id)))

    return Corpus(
        name="sessions",
        folder=sessions[0].folder.parent,
        simulated=sessions[0].recording.simulated,
        subjects=tuple(dict.fromkeys(each.recording.subject_id for each in sessions)),
        read_subject=read,
        files=files,
    )


def _not_learnt(of: Recording | Exclusion, reason: str, remedy: str) -> SessionError:
    return SessionError(
        "E_SESSION",
        f"Session {of.trial_id} of {of.subject_id} cannot be learnt from: {reason}",
        remedy,
    )
