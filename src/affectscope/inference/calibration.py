"""What a checkpoint's estimates are worth: ``calibration.json`` in its folder, and its use.

It is written by ``recipes.calibration`` from labelled sessions of people whom the network
has not learnt from, and holds, bound to the checkpoint's id:

* intervals: valence, arousal and liking lie within +- half_width exp(sum widening (1 - quality))
  of the estimate, for each set of modalities that an estimate was made of;
* fusion: below which quality a modality's share counts for less;
* temperature: how far the emotions are drawn towards or away from 0.5;
* risk: how the error falls when the widest intervals are left out.

``sha256`` is that of the rest of the file, in one fixed way of writing it.

Legend: N rows, T = 10 targets, M = 3 modalities, O outputs of the first layer of the head.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit

from affectscope.errors import ModelError
from affectscope.io.files import shown, write_text
from affectscope.models.strict_json import decode, format_problem, parse_object
from affectscope.models.weights_file import read_bounded
from affectscope.records import (
    EMOTIONS,
    MODALITIES,
    TARGETS,
    BoolArray,
    FloatArray,
    Modality,
    Population,
)

NAME = "calibration.json"
FORMAT_VERSION = 1
RATINGS = tuple(name for name in TARGETS if name not in EMOTIONS)
"""Targets that get intervals: their scale is [-1, 1]."""
EMOTION_CLIP = 0.01
"""Emotions are kept this far from 0 and 1 before their temperature is applied."""
_LARGEST = 16 << 20  # bytes
_AGAIN = "Calibrate it again with affectscope calibrate, or take calibration.json away."


@dataclass(frozen=True)
class IntervalRule:
    """The interval of one target for one set of modalities, on the target's scale of [-1, 1].

    Attributes:
        half_width: at full quality.
        widening: by modality, >= 0: the width grows by exp(widening (1 - quality)).
        people, windows: whose residuals it was taken from.
    """

    half_width: float
    widening: Mapping[str, float]
    people: int
    windows: int


@dataclass(frozen=True)
class Change:
    """Something by person before and after, and the 95 % interval of its mean change."""

    before: float
    after: float
    low: float
    high: float

    @property
    def lower(self) -> bool:
        """Whether it fell for sure."""
        return self.high < 0


@dataclass(frozen=True)
class FusionRule:
    """A modality's share s counts as reference + w (s - reference), w = min(1, quality / good).

    Attributes:
        good: quality from which on it counts whole; 0: it always does.
        reference: (O,) its mean share over the calibration's people.
        error: mean absolute error of the ratings, of people whom the choice has not seen.
    """

    good: float
    reference: tuple[float, ...]
    error: Change


@dataclass(frozen=True)
class Temperature:
    """An emotion p becomes sigmoid(logit(p) / value); value 1 leaves it as it is.

    Attributes:
        people: how many had emotions rated.
        likelihood: mean negative log likelihood, of people whom the fit has not seen.
    """

    value: float
    people: int
    likelihood: Change


@dataclass(frozen=True)
class RiskCoverage:
    """Mean absolute error of the share of windows with the narrowest intervals.

    Attributes:
        coverage, error: that share, rising to 1, and the error of it.
        area: mean error over all shares; below ``error[-1]`` the width tells what is wrong.
    """

    coverage: tuple[float, ...]
    error: tuple[float, ...]
    area: float


@dataclass(frozen=True)
class Calibration:
    """What ``calibration.json`` holds.

    Attributes:
        population: whom it was taken from: "people" or "simulated people".
        coverage: of the intervals, in (0, 1).
        people_needed: the fewest people with ratings whom intervals of that coverage need.
        people: their pseudonyms; none of them taught the network.
        windows: how many windows of theirs were scored.
        sessions: sha256 of every file, by "subject/session/file".
        intervals: target -> "face+ecg+eda" -> rule; no entry where there is no interval.
        created: UTC, ISO 8601.
    """

    checkpoint_id: str
    population: Population
    coverage: float
    people_needed: int
    modalities: tuple[Modality, ...]
    people: tuple[str, ...]
    windows: int
    sessions: Mapping[str, str]
    intervals: Mapping[str, Mapping[str, IntervalRule]]
    fusion: Mapping[str, FusionRule]
    temperature: Temperature
    risk: Mapping[str, RiskCoverage]
    format_version: int = FORMAT_VERSION
    affectscope_version: str = field(default_factory=lambda: version("affectscope"))
    created: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))

    def stands_for(self, simulated: bool) -> bool:
        """Whether its intervals say something about such a person."""
        return self.population == ("simulated people" if simulated else "people")

    def half_widths(self, present: BoolArray, quality: FloatArray) -> FloatArray:
        """(N, T) of rows with (N, M) modalities there and their quality; NaN: no interval."""
        widths = np.full((len(present), len(TARGETS)), np.nan)
        for target, rules in self.intervals.items():
            for name, rule in rules.items():
                rows = rows_of(name, self.modalities, present)
                widths[rows, TARGETS.index(target)] = rule.half_width * widened(
                    rule.widening, quality[rows]
                )
        return widths

    def weighed(
        self, shares: Mapping[Modality, NDArray[np.float32]], quality: FloatArray
    ) -> dict[Modality, NDArray[np.float32]]:
        """(N, O) shares by modality, each counting as its (N, M) quality allows."""
        return {
            name: weighed(share, self.fusion[name], quality[:, MODALITIES.index(name)])
            for name, share in shares.items()
        }

    def tempered(self, values: FloatArray) -> FloatArray:
        """(N, T) estimates with their emotions at the temperature."""
        if self.temperature.value == 1.0:
            return values
        emotions = np.isin(TARGETS, EMOTIONS)
        return np.where(emotions, tempered(values, self.temperature.value), values)

    @property
    def lines(self) -> list[str]:
        """What it says, in plain words, a line each."""
        who = f"{len(self.people)} {self.population} whom the network did not learn from"
        lines = [f"Calibrated on {self.windows} windows of {who}"]
        whole = "+".join(self.modalities)
        for target, rules in self.intervals.items():
            if whole in rules:
                lines.append(
                    f"  {target}: {100 * self.coverage:.0f} % of moments lie within +-"
                    f"{rules[whole].half_width:.2f} of the estimate at full quality"
                )
        if not self.intervals:
            lines.append(
                f"  no intervals: {len(self.people)} people are too few,"
                f" {100 * self.coverage:.0f} % intervals need the windows of at least"
                f" {self.people_needed} people with ratings"
            )
        for name, fusion in self.fusion.items():
            lines.append(f"  {name}: {_fusion_text(fusion)}")
        return [*lines, f"  emotions: {_temperature_text(self.temperature)}"]


def _fusion_text(rule: FusionRule) -> str:
    if rule.good == 0:
        return "counts whole at any quality; weighing it did not lower the error for sure"
    return (
        f"counts for less below a quality of {rule.good:.2f}; error {rule.error.before:.3f} ->"
        f" {rule.error.after:.3f}"
    )


def _temperature_text(temperature: Temperature) -> str:
    likelihood = temperature.likelihood
    change = f"negative log likelihood {likelihood.before:.3f} -> {likelihood.after:.3f}"
    if temperature.value == 1.0:
        return "left as they are; no temperature was better for sure"
    return f"temperature {temperature.value:.2f}, {change}"


def rows_of(name: str, modalities: tuple[Modality, ...], present: BoolArray) -> BoolArray:
    """(N,) rows of which exactly the modalities of ``name``, "face+eda", are there, of those that
    the network reads."""
    wanted = [modality in name.split("+") for modality in modalities]
    columns = [MODALITIES.index(modality) for modality in modalities]
    return np.asarray((present[:, columns] == wanted).all(axis=1))


def widened(widening: Mapping[str, float], quality: FloatArray) -> FloatArray:
    """(N,) factor >= 1 by which worse (N, M) quality widens an interval."""
    slopes = np.array([widening.get(name, 0.0) for name in MODALITIES])
    return np.asarray(np.exp((1 - quality) @ slopes))


def weighed(
    share: NDArray[np.float32], rule: FusionRule, quality: FloatArray
) -> NDArray[np.float32]:
    """(N, O) one modality's shares, drawn to its mean share where (N,) quality is low."""
    if rule.good == 0:
        return share
    weight = np.minimum(quality / rule.good, 1.0).astype(np.float32)[:, None]
    reference = np.array(rule.reference, np.float32)
    drawn = reference + weight * (share - reference)
    return np.asarray(np.where(weight < 1, drawn, share), np.float32)  # good shares bit for bit


def tempered(emotions: FloatArray, temperature: float) -> FloatArray:
    """Emotions in [0, 1] at a temperature: above 1 they come nearer to 0.5."""
    kept = np.clip(emotions, EMOTION_CLIP, 1 - EMOTION_CLIP)
    return np.asarray(expit(logit(kept) / temperature))


def write_calibration(folder: Path, calibration: Calibration) -> None:
    """Write ``calibration.json`` into a checkpoint's folder, whole or not at all.

    Raises:
        OutputError: E_OUTPUT.
    """
    described = asdict(calibration)
    content = {"sha256": _digest(described), **described}
    write_text(folder / NAME, json.dumps(content, indent=1, allow_nan=False) + "\n")


def read_calibration(folder: Path, checkpoint_id: str) -> Calibration | None:
    """The calibration in a checkpoint's folder; None where there is none.

    Raises:
        ModelError: E_CHECKPOINT where it is damaged, of a newer format, or of other weights.
    """
    path = folder / NAME
    if not path.exists() and not path.is_symlink():
        return None
    try:
        described = parse_object(read_bounded(path, _LARGEST), NAME)
        found = described.pop("sha256", None)
        problem = format_problem(described, FORMAT_VERSION)
        if problem is None and found != _digest(described):
            problem = "a wrong sha256: it was changed after it was written"
        if problem is not None:
            raise ModelError("E_CHECKPOINT", f"it has {problem}.")
        calibration = decode(Calibration, described, NAME)
    except ModelError as error:
        raise _refused(path, error.sentence) from error
    if calibration.checkpoint_id != checkpoint_id:
        raise _refused(
            path,
            f"it is of checkpoint {calibration.checkpoint_id}, and this one is {checkpoint_id}.",
        )
    return calibration


def _digest(described: Mapping[str, object]) -> str:
    text = json.dumps(described, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def _refused(path: Path, why: str) -> ModelError:
    return ModelError("E_CHECKPOINT", f"{shown(path)} cannot be used: {why}", _AGAIN)
