"""What every corpus reader must keep, shown on a small twin of each corpus."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from affectscope.datasets.amigos import open_amigos
from affectscope.datasets.amigos_twin import TwinSettings, write_amigos_twin
from affectscope.datasets.case import open_case
from affectscope.datasets.case_twin import write_case_twin
from affectscope.datasets.corpus import Corpus
from affectscope.datasets.deap import open_deap
from affectscope.datasets.deap_twin import write_deap_twin
from affectscope.datasets.dreamer import open_dreamer
from affectscope.datasets.dreamer_twin import write_dreamer_twin
from affectscope.datasets.mahnob import open_mahnob
from affectscope.datasets.mahnob_twin import write_mahnob_twin
from affectscope.datasets.wesad import open_wesad
from affectscope.datasets.wesad_twin import write_wesad_twin
from affectscope.errors import AffectScopeError
from affectscope.preprocessing.units import to_microsiemens, to_millivolts
from affectscope.records import TARGETS, Recording


def amigos(folder: Path) -> Corpus:
    settings = TwinSettings(
        numbers=(3, 9), clip_scale=0.1, frame_rate=2.0, long_videos=False, face_clips=("58",)
    )
    return open_amigos(write_amigos_twin(folder, settings))


TWINS: dict[str, Callable[[Path], Corpus]] = {
    "amigos": amigos,
    "case": lambda folder: open_case(write_case_twin(folder, duration=8)),
    "deap": lambda folder: open_deap(write_deap_twin(folder)),
    "dreamer": lambda folder: open_dreamer(write_dreamer_twin(folder, duration=15.0)),
    "mahnob": lambda folder: open_mahnob(write_mahnob_twin(folder, duration=10)),
    "wesad": lambda folder: open_wesad(write_wesad_twin(folder, duration=12)),
}
"""Corpus -> a function that writes a twin with at least two people into a folder and opens it."""
WITH_EEG = ("amigos", "deap", "dreamer", "mahnob")


@pytest.fixture(scope="module", params=TWINS)
def corpus(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    name = str(request.param)
    opened = TWINS[name](tmp_path_factory.mktemp(name) / "twin")
    assert opened.name == name
    return opened


def equal(one: Recording, other: Recording) -> bool:
    assert one.labels is not None
    assert other.labels is not None
    same = np.array_equal(one.labels.values, other.labels.values, equal_nan=True)
    for mine, theirs in ((one.ecg, other.ecg), (one.eda, other.eda)):
        assert (mine is None) == (theirs is None)
        if mine is not None and theirs is not None:
            same &= np.array_equal(mine.values, theirs.values, equal_nan=True)
    assert (one.eeg is None) == (other.eeg is None)
    if one.eeg is not None and other.eeg is not None:
        same &= np.array_equal(one.eeg.values, other.eeg.values, equal_nan=True)
    return bool(same) and one.video == other.video


def test_people_are_unique_and_in_order(corpus: Corpus) -> None:
    assert len(corpus.subjects) >= 2
    assert list(corpus.subjects) == sorted(set(corpus.subjects))
    assert corpus.simulated


def test_recordings_have_labels_within_their_ranges_and_signals_with_units(corpus: Corpus) -> None:
    lowest = np.array([-1.0] * 3 + [0.0] * (len(TARGETS) - 3))
    for subject_id, trials in zip(corpus.subjects, corpus, strict=True):
        assert trials.subject_id == subject_id
        assert trials.recordings
        ids = [recording.trial_id for recording in trials.recordings]
        assert len(set(ids)) == len(ids)
        for recording in trials.recordings:
            assert recording.subject_id == subject_id
            assert recording.simulated
            assert recording.tracks
            labels = recording.labels
            assert labels is not None
            assert (np.diff(labels.times) > 0).all()
            known = ~np.isnan(labels.values)
            assert known.any()
            inside = (labels.values >= lowest) & (labels.values <= 1.0)
            assert inside[known].all()
            start, end = recording.span
            assert start <= labels.times[0]
            assert labels.times[-1] <= end + 1.0
            if recording.ecg is not None:
                assert np.isfinite(to_millivolts(recording.ecg).values).any()
            if recording.eda is not None:
                level = np.nanmedian(to_microsiemens(recording.eda).values)
                assert 0.01 < level < 100.0


def test_an_eeg_has_named_channels_and_the_time_of_the_other_signals(corpus: Corpus) -> None:
    recordings = [recording for trials in corpus for recording in trials.recordings]
    assert {recording.eeg is None for recording in recordings} == {corpus.name not in WITH_EEG}
    for recording in recordings:
        if recording.eeg is not None:
            eeg = recording.eeg
            assert len(set(eeg.channels)) == len(eeg.channels) == eeg.values.shape[1]
            assert eeg.values.dtype == np.float64
            start, end = recording.span
            assert eeg.start_time == start
            assert eeg.start_time + len(eeg.values) / eeg.sampling_rate == pytest.approx(end, abs=1)
            assert 1.0 < np.nanstd(eeg.values) < 200.0  # uV
            assert not np.isinf(eeg.values).any()


def test_exclusions_name_people_and_say_why(corpus: Corpus) -> None:
    for trials in corpus:
        kept = {recording.trial_id: recording for recording in trials.recordings}
        for exclusion in trials.exclusions:
            assert exclusion.subject_id == trials.subject_id
            assert exclusion.sentence
            if exclusion.modality is None and exclusion.trial_id:
                assert exclusion.trial_id not in kept
            elif exclusion.trial_id in kept:
                assert exclusion.modality not in kept[exclusion.trial_id].tracks


def test_reading_twice_gives_the_same(corpus: Corpus) -> None:
    first, again = (corpus.read_subject(corpus.subjects[0]) for _ in range(2))
    assert len(first.recordings) == len(again.recordings)
    assert all(map(equal, first.recordings, again.recordings))
    assert first.exclusions == again.exclusions
    assert first.notices == again.notices


def test_a_damaged_file_takes_out_its_person_only(corpus: Corpus) -> None:
    victim, *others = corpus.subjects
    if set(corpus.files(victim)) & {path for other in others for path in corpus.files(other)}:
        pytest.skip("all people share one file, which is read when the corpus is opened")
    before = len(corpus.read_subject(victim).recordings)
    whole = {path: path.read_bytes() for path in corpus.files(victim)}
    try:
        for path, content in whole.items():
            path.write_bytes(content[: len(content) // 3])
        with suppress(AffectScopeError):  # a table or recording that was cut may hold some trials
            assert len(corpus.read_subject(victim).recordings) < before
        for other in others:
            assert corpus.read_subject(other).recordings
    finally:
        for path, content in whole.items():
            path.write_bytes(content)
