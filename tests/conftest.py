"""Fixtures shared by all tests."""

from __future__ import annotations

import os
import resource
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import hypothesis
import numpy as np
import pytest

from affectscope.errors import ModelError
from affectscope.io.model_files import face_model
from affectscope.preprocessing.face import FaceDetector
from affectscope.records import Eeg, Labels, Recording, Signal

# Before torch is imported: two spinning threads wait for each other where anything else runs.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# No test asserts a time, also not through hypothesis' deadline.
hypothesis.settings.register_profile("affectscope", deadline=None)
hypothesis.settings.load_profile("affectscope")

SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real recordings; the test is skipped where they are absent."""
    if not SHARED_DATA.is_dir():
        pytest.skip("the real recordings (../shared/data) are not on this machine")
    return SHARED_DATA


class Clock:
    """A clock that tests turn."""

    def __init__(self) -> None:
        self.time = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.time

    def turn(self, **duration: float) -> None:
        self.time += timedelta(**duration)


@pytest.fixture(scope="session")
def new_clock() -> type[Clock]:
    """``new_clock()`` -> a clock that stands until it is turned."""
    return Clock


@pytest.fixture
def clock(new_clock: type[Clock]) -> Clock:
    return new_clock()


@pytest.fixture
def disk_of() -> Callable[[int], AbstractContextManager[None]]:
    """``with disk_of(bytes):`` no file of this process can grow beyond that, as on a full disk.
    Python ignores the signal that comes with it."""

    @contextmanager
    def limited(size: int) -> Iterator[None]:
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)

    return limited


@pytest.fixture(scope="module")
def detector() -> Iterator[FaceDetector]:
    """The real face detector; the test is skipped where its model has not been fetched."""
    try:
        model = face_model()
    except ModelError as error:
        pytest.skip(str(error))
    with FaceDetector(model) as found:
        yield found


@dataclass(frozen=True)
class Made:
    """What made-up trials for the compared systems are like; no human data.

    Attributes:
        people, clips: how many; ``seconds``: length of a trial (clips differ by up to a fifth).
        rate: rows per second.
        effect: how far heart and skin follow arousal, the face valence; 0: nothing does.
        permuted: labels are dealt anew among each person's trials.
        faces: whether trials have face pictures, ``eeg``: a four-channel EEG.
        lacking: (subject, trial) -> the modality that the trial lacks; trial "" means all.
        holes: whether every ECG and EDA has 8 s of missing samples.
    """

    people: int = 3
    clips: int = 4
    seconds: float = 56.0
    rate: float = 0.5
    effect: float = 0.8
    permuted: bool = False
    faces: bool = False
    eeg: bool = False
    lacking: tuple[tuple[str, str, str], ...] = ()
    holes: bool = False
    seed: int = 0


@pytest.fixture(scope="session")
def made() -> type[Made]:
    """The class of questions that ``compared_data`` takes."""
    return Made


@pytest.fixture(scope="session")
def compared_data(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Any]:
    """``compared_data(people=3, faces=True, ...)`` -> ``baselines.compared.ComparedData``.

    High and low arousal alternate over clips, valence over pairs of clips; arousal shows in heart
    rate and skin, valence in the brightness of the pictures. What is asked twice is made once.
    """
    from affectscope.baselines.compared import ComparedData, ComparedSettings
    from affectscope.datasets.body_features import FeatureSettings, body_features

    @cache
    def prepared(made: Made) -> Any:
        folder = tmp_path_factory.mktemp("compared")
        corpus = prepared_people(made, folder)
        return corpus, folder, body_features(corpus, folder, FeatureSettings())

    def data(*, epochs: int | None = 2, hop: float = 5.0, **asked: Any) -> ComparedData:
        corpus, folder, features = prepared(Made(**asked))
        return ComparedData(
            corpus,
            samples_of(corpus),
            folder,
            features,
            face_embeddings(corpus),
            settings=ComparedSettings(epochs=epochs, hop=hop),
        )

    return data


def prepared_people(made: Made, folder: Path) -> Any:
    """Made-up people's trials through ``datasets.prepared.prepare``."""
    from affectscope.datasets.corpus import Corpus, SubjectTrials
    from affectscope.datasets.prepared import prepare
    from affectscope.datasets.prepared_trial import PreparedSettings
    from affectscope.preprocessing.windows import Preprocessing

    def read(subject_id: str) -> SubjectTrials:
        recordings = [made_trial(made, subject_id, clip) for clip in range(made.clips)]
        return SubjectTrials(subject_id, tuple(recordings))

    subjects = tuple(f"P{number:02d}" for number in range(1, made.people + 1))
    corpus = Corpus("made", folder, True, subjects, read, lambda _subject: ())
    settings = PreparedSettings(Preprocessing(), made.rate, faces=False)
    found = prepare(corpus, folder, settings, progress=lambda _share, _text: None)
    if not made.faces:
        return found
    return replace(found, trials=tuple(with_pictures(made, trial) for trial in found.trials))


def affect(made: Made, subject_id: str, clip: int) -> tuple[float, float]:
    """(valence, arousal) that the trial's signals show."""
    number = int(subject_id[1:])
    return (0.6 if (clip // 2 + number) % 2 else -0.6, 0.6 if (clip + number) % 2 else -0.6)


def made_trial(made: Made, subject_id: str, clip: int) -> Recording:
    from affectscope.datasets.synthetic import affect_labels
    from affectscope.datasets.synthetic_signals import draw_body, ecg_values, eda_values

    number = int(subject_id[1:])
    traits = draw_body(np.random.default_rng([made.seed, number]))
    own = np.random.default_rng([made.seed, number, clip])
    duration = round(made.seconds * (1 + 0.05 * (clip % 5)), 1)
    valence, arousal = affect(made, subject_id, clip)
    ends = np.array([0.0, duration + 5.0])
    shown = Labels(ends, affect_labels(*(made.effect * np.full((2, 2), [valence, arousal])).T))
    rated = valence, arousal
    if made.permuted:
        dealt = np.random.default_rng([made.seed, number, 99]).permutation(made.clips)
        rated = affect(made, subject_id, int(dealt[clip]))
    labels = Labels(np.array([0.0, duration]), affect_labels(*np.full((2, 2), rated).T))
    body: dict[str, Signal | None] = {}
    for name, values, unit in (("ecg", ecg_values, "mV"), ("eda", eda_values, "uS")):
        samples = values(traits, shown, duration=duration + 5.0, sampling_rate=128.0, generator=own)
        if made.holes:
            samples[3000:4024] = np.nan
        lost = {(subject_id, f"c{clip}", name), (subject_id, "", name), ("", "", name)}
        body[name] = None if lost & set(made.lacking) else Signal(samples, 128.0, unit, -5.0)
    eeg = None
    if made.eeg:
        noise = own.standard_normal((round(128 * (duration + 5.0)), 4))
        eeg = Eeg(10 * noise, ("F3", "F4", "O1", "O2"), 128.0, -5.0)
    return Recording(subject_id, f"c{clip}", True, labels=labels, eeg=eeg, **body)


def with_pictures(made: Made, trial: Any) -> Any:
    """The trial with pictures whose upper half is brighter the higher valence is."""
    lost = {
        (trial.subject_id, trial.trial_id, "face"), (trial.subject_id, "", "face"), ("", "", "face")
    }  # fmt: skip
    if lost & set(made.lacking):
        return trial
    count, clip = len(trial.times), int(trial.trial_id[1:])
    random = np.random.default_rng([made.seed, int(trial.subject_id[1:]), clip, 7])
    faces = random.integers(90, 110, (count, 3, 224, 224), dtype=np.uint8)
    valence, _ = affect(made, trial.subject_id, clip)
    faces[:, :, :112] += np.uint8(round(60 + 60 * made.effect * valence))
    present = np.ones(count, dtype=np.bool_)
    present[:2] = False
    faces[:2] = 0
    return replace(trial, faces=faces, face_present=present)


def samples_of(prepared: Any) -> Any:
    """As ``recipes.fg2020_systems`` makes them."""
    from affectscope.recipes.fg2020_systems import samples_of

    return samples_of(prepared)


def face_embeddings(prepared: Any) -> Callable[[Any], Any]:
    """Of a small encoder with random weights, so fitted on nobody."""
    import torch

    from affectscope.baselines.compared import FaceEmbeddings
    from affectscope.evaluation.leaks import FittedPart
    from affectscope.models.face_encoder import SmallFaceEncoder

    @cache
    def computed() -> FaceEmbeddings | None:
        if all(trial.faces is None for trial in prepared.trials):
            return None
        encoder = SmallFaceEncoder(torch.Generator().manual_seed(0)).eval()
        found = {}
        with torch.inference_mode():
            for trial in prepared.trials:
                found[trial.key] = np.zeros((len(trial.times), encoder.width), np.float32)
                if trial.faces is not None:
                    seen = trial.face_present
                    found[trial.key][seen] = encoder(torch.from_numpy(trial.faces[seen])).numpy()
        return FaceEmbeddings(
            found, FittedPart("face encoder", "encoder", frozenset(), False, None)
        )

    return lambda _task: computed()
