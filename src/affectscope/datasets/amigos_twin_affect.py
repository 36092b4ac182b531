"""What the simulated people of an AMIGOS twin feel, show and say. No human data.

Legend: v and a are valence and arousal in [-1, 1]; n segments of 20 s, K points of a course.

The model, with its standard deviations ("sd"), chosen so that an honest classifier that has never
seen the person is right for about 55 to 65 % of the trials:
1. A clip is meant to bring v and a to -0.3 or +0.3 (its designed quadrant); each clip misses that
   by its own sd 0.12, the same for everybody. ``TwinAffect.designed`` says how far instead of 0.3.
2. A person feels the clip's values, plus a bias of the person (sd 0.15) and a taste for the clip
   (sd 0.35); within the clip the feeling moves by sd 0.12.
3. Face and body each show ``effect`` times the feeling, plus a bias of the person (sd 0.15) and
   something of the moment that is not this feeling (sd 0.45 per trial): with an effect of 0.5 the
   correlation of what is shown with what is rated is about 0.4.
4. The rating is the feeling, plus a bias of the person (sd 0.1) and carelessness (sd 0.25).
5. An emotion is ticked where ``affect_labels`` of a feeling misjudged by sd 0.25 exceeds one half;
   who would tick none ticks neutral.
6. Outside raters see 0.6 times the feeling, with sd 0.12 per segment.
7. ``TwinAffect.noise`` multiplies every standard deviation of what is one person's or one moment's:
   biases, tastes, moments, careless ratings and misjudged emotions. What is left at 0 is the clip's
   own miss, the movement within a clip and the outside raters' errors: with an effect of 1 what is
   rated is then what face and body show on average. Heart and skin show arousal only, so there the
   signal is clear for arousal, and clear in rate and level only where ``designed`` is large.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import numpy as np

from affectscope.datasets.amigos_layout import (
    BASELINE,
    QUADRANTS,
    SAMPLING_RATE,
    segment_count,
    segment_times,
)
from affectscope.datasets.synthetic import affect_labels
from affectscope.datasets.synthetic_signals import wander
from affectscope.records import EMOTIONS, TARGETS, FloatArray, Labels

CLIP_DURATIONS: dict[str, float] = {
    "4": 93.0, "5": 118.0, "9": 72.0, "10": 98.0, "13": 51.0, "18": 77.0, "19": 131.0, "20": 69.0,
    "23": 109.0, "30": 81.0, "31": 150.0, "34": 67.0, "36": 74.0, "58": 60.0, "80": 101.0,
    "138": 121.0, "N1": 1415.0, "P1": 1131.0, "B1": 1410.0, "U1": 847.0,
}  # fmt: skip
"""Seconds; made up within what each clip's number of segments allows. So a clip's length tells its
designed valence for 13 and its designed arousal for 12 of the 16 short clips (METHOD.md, 6)."""

_LONG_DESIGN = {"N1": "HALV", "P1": "HAHV", "B1": "HALV", "U1": "LALV"}
_COURSE_RATE = 10.0  # Hz
_ONSET = 2.0  # seconds in which a stimulus takes hold


@dataclass(frozen=True)
class TwinAffect:
    """How strongly affect shows, and through how much else.

    Attributes:
        effect: share of the feeling that face and body show, 0 to 1.
        noise: factor on what is one person's or one moment's, 0 to 1.
        designed: how far from 0 clips are meant to bring valence and arousal, 0 to 0.8.
    """

    effect: float = 0.5
    noise: float = 1.0
    designed: float = 0.3


@dataclass(frozen=True, eq=False)
class TwinTrial:
    """One clip and one person.

    Attributes:
        duration: seconds of the stimulus.
        body: course over [0, 5 + duration]; before the stimulus nothing is felt.
        face: course over [0, duration].
        ratings: (12,) as the file holds them.
        external: (n, 3) segment, valence, arousal.
    """

    clip: str
    duration: float
    body: Labels
    face: Labels
    ratings: FloatArray
    external: FloatArray


def generator_for(seed: int, *purpose: object) -> np.random.Generator:
    """Independent random numbers for each purpose, the same on every machine."""
    return np.random.default_rng([seed % 2**63, *(zlib.crc32(str(p).encode()) for p in purpose)])


def trial_duration(clip: str, clip_scale: float) -> float:
    """Seconds, a whole number of samples."""
    return round(CLIP_DURATIONS[clip] * clip_scale * SAMPLING_RATE) / SAMPLING_RATE


def draw_trial(
    clip: str, duration: float, *, subject_id: str, seed: int, rules: TwinAffect
) -> TwinTrial:
    """What one person feels, shows and says of one clip."""
    noise = rules.noise
    person = generator_for(seed, subject_id, "biases")
    felt_bias, face_bias, body_bias = person.normal(0.0, 0.15 * noise, (3, 2))
    rated_bias = person.normal(0.0, 0.1 * noise, 2)
    clips_own = generator_for(seed, "clip", clip).normal(0.0, 0.12, 2)
    own = generator_for(seed, subject_id, clip, "affect")
    meant = rules.designed * _designed(clip) + clips_own
    felt = np.clip(meant + felt_bias + own.normal(0.0, 0.35 * noise, 2), -1.0, 1.0)
    times = np.linspace(0.0, duration, int(np.ceil(duration * _COURSE_RATE)) + 1)
    scale = max(1.0, min(8.0, duration / 6.0))
    moving = [0.12 * wander(own, len(times), _COURSE_RATE, time_scale=scale) for _ in range(2)]
    course = np.clip(felt + np.column_stack(moving), -1.0, 1.0)  # (K, 2)
    moment = own.normal(0.0, 0.45 * noise, (2, 2))
    face, body = (
        np.clip(rules.effect * course + bias + other, -1.0, 1.0)
        for bias, other in ((face_bias, moment[0]), (body_bias, moment[1]))
    )
    return TwinTrial(
        clip,
        duration,
        body=_with_baseline(times, body),
        face=Labels(times, affect_labels(*face.T)),
        ratings=_ratings(felt, felt + rated_bias + own.normal(0.0, 0.25 * noise, 2), own, noise),
        external=_external(times, course, own),
    )


def _designed(clip: str) -> FloatArray:
    """(2,) whether the clip is meant to bring valence and arousal up (1) or down (-1)."""
    name = QUADRANTS.get(clip) or _LONG_DESIGN[clip]
    return np.array([1.0 if "HV" in name else -1.0, 1.0 if "HA" in name else -1.0])


def _with_baseline(times: FloatArray, course: FloatArray) -> Labels:
    """The course, taking hold within 2 s, behind 5 s in which nothing is felt."""
    held = course * np.clip(times / _ONSET, 0.0, 1.0)[:, None]
    before = np.array([[0.0, 0.0]])
    return Labels(
        np.concatenate([[0.0], times + BASELINE]),
        affect_labels(*np.concatenate([before, held]).T),
    )


def _ratings(
    felt: FloatArray, said: FloatArray, own: np.random.Generator, noise: float
) -> FloatArray:
    """(12,) arousal, valence, dominance, liking, familiarity 1-9, then seven emotions 0 or 1."""
    valence, arousal = np.clip(said, -1.0, 1.0)
    misjudged = felt + own.normal(0.0, 0.25 * noise, 2)
    hills = affect_labels(*misjudged[:, None])[0]
    ticked = np.array([float(hills[TARGETS.index(name)] > 0.5) for name in EMOTIONS])
    ticked[0] = max(ticked[0], float(not ticked.any()))
    liking = 0.85 * valence + 0.15 * valence * arousal + own.normal(0.0, 0.2 * noise)
    dominance = 0.3 * valence - 0.2 * arousal + own.normal(0.0, 0.4 * noise)
    familiarity = own.uniform(-1.0, 1.0)
    scales = np.clip([arousal, valence, dominance, liking, familiarity], -1.0, 1.0)
    return np.concatenate([np.round(5.0 + 4.0 * scales, 2), ticked])


def _external(times: FloatArray, course: FloatArray, own: np.random.Generator) -> FloatArray:
    """(n, 3) segment from 1, then the mean valence and arousal that outside raters saw."""
    duration = float(times[-1])
    count = segment_count(duration)
    seen = np.array([
        course[(times >= start) & (times <= end)].mean(axis=0)
        for start, end in segment_times(count, duration)
    ])  # fmt: skip
    seen = np.clip(0.6 * seen + own.normal(0.0, 0.12, seen.shape), -1.0, 1.0)
    return np.column_stack([np.arange(1.0, count + 1.0), np.round(seen, 4)])
