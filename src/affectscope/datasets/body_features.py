"""Hand-crafted features of heart, skin and brain around every row of a corpus, kept on disk.

A row's features are those of a span of ``FeatureSettings.length`` around its time, moved inside
the labelled part of the trial, so that every span of a corpus is equally long: spans that grow
with the clip would tell which clip it was. Only a trial that is shorter than a span has less.

Legend: M rows of a corpus, N rows of a trial, F features.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from functools import cache as remembered
from pathlib import Path

import numpy as np

from affectscope.datasets.prepared import PreparedCorpus, person_folder
from affectscope.datasets.prepared_trial import PreparedTrial
from affectscope.datasets.trial_body import TrialBody, read_body, read_eeg_channels
from affectscope.io.sealed_folder import (
    FileHashes,
    ensure_sealed,
    private_folder,
)
from affectscope.preprocessing import eeg, heart_features, skin_features
from affectscope.records import FloatArray, JsonObject

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class FeatureSettings:
    """``length``: seconds of the span around each row. AMIGOS' shortest clip lasts about 50 s."""

    length: float = 40.0


@dataclass(frozen=True, eq=False)
class BodyFeatures:
    """Features of every row of a corpus.

    Attributes:
        names: F names, which begin with "heart_", "skin_" or "eeg_".
        values: (M, F), rows as ``evaluation.samples`` has them; NaN where not measured.
    """

    names: tuple[str, ...]
    values: FloatArray

    def chosen(self, names: Sequence[str]) -> FloatArray:
        """(M, len(names)) the columns of these names."""
        return self.values[:, [self.names.index(name) for name in names]]

    def of(self, source: str) -> tuple[str, ...]:
        """The names of "heart", "skin" or "eeg"."""
        return tuple(name for name in self.names if name.startswith(f"{source}_"))


def body_of(cache: Path, trial: PreparedTrial) -> TrialBody:
    """A prepared trial's analyses, out of the cache that ``prepare`` was given."""
    return read_body(trial_folder(cache, trial))


def trial_folder(cache: Path, trial: PreparedTrial) -> Path:
    """Where a prepared trial's entry lies."""
    return person_folder(cache, trial.subject_id) / trial.key


def spans_around(trial: PreparedTrial, length: float) -> FloatArray:
    """(N, 2) start and end of the span around each row, inside the labelled part, seconds."""
    first, last = trial.times[0], trial.times[0] + trial.duration
    start = np.clip(trial.times - length / 2, first, max(first, last - length))
    return np.column_stack([start, np.minimum(start + length, last)])


def body_features(prepared: PreparedCorpus, cache: Path, settings: FeatureSettings) -> BodyFeatures:
    """Features of all rows; what the cache holds is read, the rest computed and kept.

    A damaged entry is computed again. ``forget`` of the cache removes these too.

    Args:
        cache: the folder that ``prepare`` was given.

    Raises:
        OutputError: E_OUTPUT.
    """
    channels = _channels(prepared, cache)
    names = (
        *heart_features.HEART_FEATURES,
        *skin_features.SKIN_FEATURES,
        *eeg.eeg_feature_names(channels),
    )
    kept = _Kept(cache, settings, channels)
    values = [kept.of_trial(trial) for trial in prepared.trials]
    kept.save()
    return BodyFeatures(names, np.concatenate([np.empty((0, len(names))), *values]))


def _channels(prepared: PreparedCorpus, cache: Path) -> tuple[str, ...]:
    """The EEG's channels, as the first trial that has one names them."""
    for trial in prepared.trials:
        if channels := read_eeg_channels(trial_folder(cache, trial)):
            return channels
    return ()


@dataclass
class _Kept:
    """What the cache holds, and goes on to hold, of trials' features."""

    cache: Path
    settings: FeatureSettings
    channels: tuple[str, ...]
    hashes: dict[Path, FileHashes] = field(default_factory=dict)

    def of_trial(self, trial: PreparedTrial) -> FloatArray:
        """(N, F), read or computed and kept."""
        person = person_folder(self.cache, trial.subject_id)
        if person not in self.hashes:
            private_folder(person)
            self.hashes[person] = FileHashes(person / "hashes.json")
        content = json.dumps([_code(), asdict(self.settings), self.channels, trial.key])
        folder = person / f"body-features-{hashlib.sha256(content.encode()).hexdigest()[:32]}"

        def fill(temporary: Path) -> JsonObject:
            body, length = body_of(self.cache, trial), self.settings.length
            features = _computed(body, spans_around(trial, length), self.channels)
            np.save(temporary / "features.npy", features)
            return {"trial": trial.key}

        if damage := ensure_sealed(folder, self.hashes[person], fill):
            _LOG.warning("features of %s were damaged (%s)", trial.subject_id, damage)
        features: FloatArray = np.load(folder / "features.npy")
        return features

    def save(self) -> None:
        """Keep what was learnt of the files' hashes."""
        for hashes in self.hashes.values():
            hashes.save()


def _computed(body: TrialBody, spans: FloatArray, channels: tuple[str, ...]) -> FloatArray:
    """(N, F) of spans (N, 2); what lies before the first is the reference of the skin's level."""
    count, before = len(spans), (-np.inf, float(spans[0, 0]))
    heart = np.full((count, len(heart_features.HEART_FEATURES)), np.nan)
    if body.ecg is not None:
        heart = heart_features.heart_features(body.ecg, spans)
    skin = np.full((count, len(skin_features.SKIN_FEATURES)), np.nan)
    if body.eda is not None:
        skin = skin_features.skin_features(body.eda, spans, reference=before)
    brain = np.full((count, len(eeg.eeg_feature_names(channels))), np.nan)
    if body.eeg is not None and body.eeg.channels == channels:
        brain = eeg.eeg_features(body.eeg, spans)
    return np.concatenate([heart, skin, brain], axis=1)


@remembered
def _code() -> str:
    """sha256 over the room that computes features: another code may compute others."""
    digest = hashlib.sha256()
    for path in (Path(__file__), *sorted(Path(__file__).parents[1].glob("preprocessing/*.py"))):
        digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()
