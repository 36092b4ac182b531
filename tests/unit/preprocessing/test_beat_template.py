"""Likeness of beats to the record's others: ectopic beats have their like, artefacts have not."""

from __future__ import annotations

import numpy as np

from affectscope.preprocessing.beat_template import (
    BeatQuality,
    template_likeness,
    without_artefacts,
)

RATE = 250.0


def derivative(
    count: int, every: int, wide: frozenset[int], odd: frozenset[int]
) -> tuple[np.ndarray, np.ndarray]:
    """One beat per 0.8 s: narrow, wide (ectopic) or noise."""
    random = np.random.default_rng(0)
    beats = np.arange(1, count + 1) * every
    change = 0.01 * random.standard_normal((count + 2) * every)
    near = np.arange(-25, 26)
    for index, beat in enumerate(beats):
        width = 8.0 if index in wide else 3.0
        shape = -near / width**2 * np.exp(-0.5 * (near / width) ** 2)
        if index in odd:
            shape = 0.1 * random.standard_normal(len(near))
        change[beat + near] += shape
    return change, beats


def test_rare_ectopic_beats_are_like_each_other_and_noise_is_like_nothing() -> None:
    wide, odd = frozenset(range(5, 400, 17)), frozenset((60, 200, 301))
    change, beats = derivative(400, 200, wide, odd)
    contrast = np.full(len(beats), 50.0)
    likeness = template_likeness(change, beats, contrast=contrast, sampling_rate=RATE)
    assert likeness[[index for index in range(400) if index not in wide | odd]].min() > 0.95
    assert likeness[sorted(wide - odd)].min() > 0.7
    assert likeness[sorted(odd)].max() < 0.6


def test_two_beats_have_no_template() -> None:
    change, beats = derivative(2, 200, frozenset(), frozenset())
    likeness = template_likeness(change, beats, contrast=np.ones(2), sampling_rate=RATE)
    assert (likeness == 0).all()


def test_a_beat_between_two_regular_ones_is_an_artefact_only_if_faint_and_unlike() -> None:
    seconds = np.sort(np.append(np.arange(40) * 0.8, 16.3))
    inserted = int(np.flatnonzero(seconds == 16.3)[0])
    likeness, contrast = np.full(41, 0.98), np.full(41, 60.0)
    likeness[inserted], contrast[inserted] = 0.5, 6.0
    assert np.flatnonzero(BeatQuality(seconds, likeness, contrast).is_artefact) == [inserted]
    contrast[inserted] = 40.0
    assert not BeatQuality(seconds, likeness, contrast).is_artefact.any()


def test_an_ectopic_beat_before_a_pause_is_no_artefact() -> None:
    seconds = np.arange(40) * 0.8
    seconds[20] -= 0.3
    likeness, contrast = np.full(40, 0.98), np.full(40, 60.0)
    likeness[20], contrast[20] = 0.5, 6.0
    assert not BeatQuality(seconds, likeness, contrast).is_artefact.any()


def test_what_lies_between_the_good_beats_around_an_artefact_is_masked() -> None:
    beats = np.array([100, 300, 420, 500, 700])
    mask = without_artefacts(
        np.ones(1000, dtype=bool), beats, np.array([False, False, True, False, False]), 100.0
    )
    assert mask[[100, 300, 500, 700, 999]].all()
    assert not mask[307:494].any()
    assert mask.sum() == 1000 - 187
