"""A corpus, prepared once: faces cropped, signals cleaned and scaled, kept in a cache on disk.

What a trial became is kept under the sha256 of everything that it was made from: the video's bytes,
the samples of its signals, its labels, and the settings. A second run finds it, checks it, and
computes nothing. A run that was killed goes on where it was.

The cache has one folder for each person, which ``forget`` removes::

    <hash of the subject's id>/
      <hash of a trial's content and the settings>/   faces, signals, targets of one trial
      record-<hash of the person's files>/            their trials, and what was left out of them
      features-.../                                   see ``face_features``
      hashes.json                                     files that need not be hashed again

Choices:
1. Rows lie on a regular grid inside the labelled span. Signals keep what was recorded before it, so
   that the first windows have their left context.
2. The scale of a signal is one per recording (``preprocessing.scaling``), and in a corpus the
   recording is the trial. Nothing of another trial or person decides what a window looks like.
3. Where a face is seen in less than ``FACE_SHARE`` of a trial, the trial goes on without its face.
4. What was read of a person is read again where one of the files changed its size or its time
   stamps, or the code of the readers changed; only what differs then is computed again.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from functools import cache as remembered
from pathlib import Path
from typing import Any

from affectscope.datasets.corpus import Corpus, Exclusion, SubjectTrials
from affectscope.datasets.prepared_trial import (
    FACE_SHARE,
    PreparedSettings,
    PreparedTrial,
    TrialTask,
    about,
    load_trial,
    trial_key,
)
from affectscope.datasets.trial_workers import TrialWorkers
from affectscope.errors import AffectScopeError, InputError
from affectscope.io.files import check_file, prepare_folder
from affectscope.io.model_files import face_model as fetched_face_model
from affectscope.io.sealed_folder import (
    BrokenSealError,
    FileHashes,
    file_stamp,
    private_folder,
    read_sealed,
    remove_folder,
    write_sealed,
)
from affectscope.records import JsonObject, Notice, Recording

__all__ = [
    "FACE_SHARE",
    "PreparedCorpus",
    "PreparedSettings",
    "PreparedTrial",
    "forget",
    "person_folder",
    "prepare",
]

_log = logging.getLogger(__name__)

Progress = Callable[[float, str], None]
"""Takes the share done, 0 to 1, and what is being done."""


@dataclass(frozen=True, eq=False)
class PreparedCorpus:
    """All usable trials of a corpus, in the reader's order, and what was left out and why.

    ``notices``: their sentences begin with the person and the trial that they are about.
    """

    name: str
    simulated: bool
    settings: PreparedSettings
    trials: tuple[PreparedTrial, ...]
    exclusions: tuple[Exclusion, ...]
    notices: tuple[Notice, ...]

    @property
    def subjects(self) -> tuple[str, ...]:
        """Everybody with a usable trial, once, in order."""
        return tuple(dict.fromkeys(trial.subject_id for trial in self.trials))


def prepare(
    corpus: Corpus,
    cache: Path,
    settings: PreparedSettings,
    *,
    face_model: Callable[[], tuple[bytes, bytes]] = fetched_face_model,
    progress: Progress,
) -> PreparedCorpus:
    """Prepare what the cache does not hold yet, and open all of it.

    A person of whom nothing can be read is excluded, and the others go on. Where much is to be
    done, several processes do it; the result does not depend on that. They are spawned, so that a
    script that calls this must keep its main part behind ``if __name__ == "__main__"``.

    Args:
        face_model: called once at most, and only where a video is to be analysed.

    Raises:
        OutputError: E_OUTPUT where the cache cannot be written.
        ModelError: E_MODEL_MISSING, E_MODEL_CHECKSUM.
        MissingExtraError: E_EXTRA where MediaPipe is not installed.
    """
    prepare_folder(cache)
    found = _Found()
    with TrialWorkers(remembered(face_model)) as workers:
        for number, subject_id in enumerate(corpus.subjects):

            def report(share: float, text: str, done: int = number) -> None:
                progress((done + share) / len(corpus.subjects), text)

            report(0.0, f"Reading {subject_id}")
            person = _Person(corpus, subject_id, settings, person_folder(cache, subject_id), found)
            person.gather(workers, report)
    progress(1.0, f"{len(found.trials)} trials are ready")
    return PreparedCorpus(
        corpus.name,
        corpus.simulated,
        settings,
        tuple(found.trials),
        tuple(found.exclusions),
        tuple(found.notices),
    )


def person_folder(cache: Path, subject_id: str) -> Path:
    """Where everything of a person lies; an id may hold what no file name may."""
    return cache / hashlib.sha256(subject_id.encode()).hexdigest()[:32]


def forget(cache: Path, subject_id: str) -> bool:
    """Remove all that the cache holds of a person, whichever corpus it came from.

    True where there was something. The corpus is untouched: erase the person there first, or the
    next run prepares them again.

    Raises:
        OutputError: E_OUTPUT where it cannot be removed.
    """
    return remove_folder(person_folder(cache, subject_id))


@dataclass
class _Found:
    """What is gathered over all people."""

    trials: list[PreparedTrial] = field(default_factory=list)
    exclusions: list[Exclusion] = field(default_factory=list)
    notices: list[Notice] = field(default_factory=list)


@dataclass
class _Person:
    """One person's part of the cache."""

    corpus: Corpus
    subject_id: str
    settings: PreparedSettings
    folder: Path
    found: _Found

    def __post_init__(self) -> None:
        private_folder(self.folder)
        self.hashes = FileHashes(self.folder / "hashes.json")

    def gather(self, workers: TrialWorkers, progress: Progress) -> None:
        """Add the person's trials to what was found; make what is missing."""
        place = self.folder / f"record-{self._record_key()}"
        record = self._sealed(place)
        trials = None if record is None else self._entries(record["trials"])
        if record is None or trials is None:
            try:
                subject = self.corpus.read_subject(self.subject_id)
            except AffectScopeError as error:
                sentence = f"{error.sentence} {error.remedy}".strip()
                self.found.exclusions.append(Exclusion(self.subject_id, "", error.code, sentence))
                return
            record = made = self._make(subject, workers, progress)
            remove_folder(place)
            write_sealed(place, lambda _folder: made)
            trials = self._entries(record["trials"])
            assert trials is not None
        self._add(record, trials)
        self.hashes.save()

    def _record_key(self) -> str:
        """Changes with the person's files, the readers' code and the settings."""
        stamps: list[Any] = []
        for file in self.corpus.files(self.subject_id):
            try:
                stamps.append([str(file.absolute()), file_stamp(file)])
            except OSError:
                stamps.append([str(file.absolute()), None])
        content = [self.corpus.name, stamps, _code_of_readers(), asdict(self.settings)]
        return hashlib.sha256(json.dumps(content).encode()).hexdigest()

    def _sealed(self, folder: Path) -> dict[str, Any] | None:
        """What a sealed folder holds; a damaged one is reported and taken away (T04)."""
        try:
            return read_sealed(folder, self.hashes)
        except BrokenSealError as error:
            sentence = f"An entry of the cache was damaged ({error}); it was computed again."
            _log.warning("%s: %s", self.subject_id, sentence)
            notice = Notice("W_CACHE_DAMAGED", sentence)
            self.found.notices.append(about(notice, self.subject_id))
            remove_folder(folder)
            return None

    def _entries(self, keys: list[str]) -> dict[str, dict[str, Any]] | None:
        """The facts of each trial's entry; None where one is missing or was damaged."""
        facts = {key: self._sealed(self.folder / key) for key in keys}
        whole = {key: known for key, known in facts.items() if known is not None}
        return whole if len(whole) == len(facts) else None

    def _make(
        self, subject: SubjectTrials, workers: TrialWorkers, progress: Progress
    ) -> dict[str, Any]:
        """Make the entries that are missing; returns the person's record."""
        exclusions = list(subject.exclusions)
        notices = [about(notice, self.subject_id) for notice in subject.notices]
        tasks = []
        for recording in subject.recordings:
            task = self._task(recording, exclusions)
            if task is not None:
                tasks.append(task)
                notices += [
                    about(notice, self.subject_id, recording.trial_id)
                    for notice in recording.notices
                ]
        workers.make([task for task in tasks if self._sealed(task.folder) is None], progress)
        return {
            "trials": [task.folder.name for task in tasks],
            "exclusions": [asdict(exclusion) for exclusion in exclusions],
            "notices": [asdict(notice) for notice in notices],
        }

    def _task(self, recording: Recording, exclusions: list[Exclusion]) -> TrialTask | None:
        """The trial as it is to be prepared; None, and an exclusion, where it cannot be."""
        who, labels = (self.subject_id, recording.trial_id), recording.labels
        if labels is None or len(labels.times) == 0 or labels.times[-1] <= labels.times[0]:
            sentence = "The trial has no labels that last for some time."
            exclusions.append(Exclusion(*who, "E_NO_LABELS", sentence))
            return None
        digest = None
        if not self.settings.faces:
            recording = replace(recording, video=None)
        if recording.video is not None:
            try:
                check_file(recording.video.path)
                digest = self.hashes.sha256(recording.video.path)
            except InputError as error:
                exclusions.append(Exclusion(*who, error.code, error.sentence, "face"))
                recording = replace(recording, video=None)
        if not recording.tracks:
            sentence = "None of face, ECG and EDA is there."
            exclusions.append(Exclusion(*who, "E_NO_USABLE_MODALITY", sentence))
            return None
        key = trial_key(recording, self.settings, digest)
        return TrialTask(recording, self.settings, self.folder / key)

    def _add(self, record: JsonObject, trials: dict[str, dict[str, Any]]) -> None:
        self.found.exclusions += [Exclusion(**stored) for stored in record["exclusions"]]
        self.found.notices += [Notice(**stored) for stored in record["notices"]]
        for key, facts in trials.items():
            loaded = load_trial(self.folder / key, facts)
            self.found.exclusions += loaded.exclusions
            self.found.notices += loaded.notices
            if loaded.trial is not None:
                self.found.trials.append(loaded.trial)


@remembered
def _code_of_readers() -> str:
    """sha256 over the source of the rooms that read corpora: another code may read otherwise."""
    rooms = Path(__file__).parents[1]
    digest = hashlib.sha256()
    for path in sorted((*rooms.glob("datasets/*.py"), *rooms.glob("io/*.py"))):
        digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()
