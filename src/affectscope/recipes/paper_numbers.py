"""What the paper reports, and what it leaves open.

Comas, Aspandi, Binefa: End-to-end facial and physiological model for affective computing and
applications, FG 2020. Per cent, as printed.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from affectscope.records import TARGETS

DOI = "10.1109/FG47880.2020.00001"
METRIC = "precision"
"""The paper's word; it does not say which precision, nor whether of frames or of trials."""

TRIALS = 640
"""Short trials of AMIGOS, 40 people times 16 clips: what the numbers rest on."""


@dataclass(frozen=True)
class PaperColumn:
    """One model's printed numbers.

    Attributes:
        values: per cent by target, in the order of ``TARGETS``.
        printed_average: as the paper prints it.
    """

    name: str
    values: Mapping[str, float]
    printed_average: float

    @property
    def average(self) -> float:
        """The mean of the ten printed numbers."""
        return sum(self.values.values()) / len(self.values)


def _column(name: str, values: tuple[float, ...], printed_average: float) -> PaperColumn:
    return PaperColumn(name, dict(zip(TARGETS, values, strict=True)), printed_average)


PAPER: Mapping[str, PaperColumn] = {
    column.name: column
    for column in (
        _column(
            "bio only",
            (58.25, 55.65, 69.01, 40.81, 55.08, 45.88, 46.11, 35.69, 30.84, 29.88),
            46.92,
        ),
        _column(
            "faces only",
            (56.67, 78.28, 75.16, 36.25, 26.01, 40.48, 32.70, 36.53, 36.31, 26.24),
            44.46,
        ),
        _column(
            "BMMN",
            (67.91, 78.36, 77.82, 48.91, 75.92, 70.27, 77.27, 51.18, 62.09, 65.55),
            67.53,
        ),
        _column(
            "BMMN-BAE-1",
            (66.19, 84.86, 78.76, 44.29, 76.86, 68.86, 73.90, 55.62, 68.86, 58.00),
            67.62,
        ),
        _column(
            "BMMN-BAE-2",
            (65.05, 87.53, 78.10, 53.68, 92.62, 68.30, 72.94, 62.25, 65.15, 70.10),
            71.57,
        ),
    )
}
"""The paper's models by name, from the plainest to the largest."""


@dataclass(frozen=True)
class ComparedSystem:
    """Another group's numbers as the paper prints them, per cent; None where none is given.

    ``note``: what one must know before comparing.
    """

    name: str
    inputs: tuple[str, ...]
    valence: float | None
    arousal: float | None
    note: str = ""


COMPARED: tuple[ComparedSystem, ...] = (
    ComparedSystem("Kollias", ("face",), 48.76, 60.35),
    ComparedSystem("Gjoreski", ("ecg", "eda"), None, 56.00),
    ComparedSystem(
        "Yang & Lee",
        ("eeg", "ecg", "eda"),
        67.0,
        68.8,
        "Unweighted average recall, not precision; the paper prints the two numbers swapped.",
    ),
    ComparedSystem("Santamaria", ("ecg", "eda"), 76.00, 75.00),
    ComparedSystem("Siddharth", ("face", "eeg", "eda", "ecg"), 83.94, 82.76),
)
"""Their protocols differ from the paper's and from each other's: no column of one table."""


def half_width(share: float, trials: int) -> float:
    """Of the 95 % interval of a share that was counted over independent trials (normal)."""
    return 1.96 * math.sqrt(share * (1.0 - share) / trials)


LEFT_OPEN: tuple[str, ...] = (
    f"What “{METRIC}” is. The four that it can be stand beside the paper's number, of frames and "
    "of trials, with the prevalence. Plain accuracy is implausible for the rare emotions.",
    "How people and trials were split into training and test. If frames of one trial, or trials "
    "of one person, lay on both sides, the numbers are too good.",
    "The weights lambda of the two losses in the joint training.",
    "The threshold that makes a rating high or low, and an emotion present or absent. Here a "
    "rating above the middle of its scale is high, and an emotion is present from 0.5 on.",
    "How many seeds were run, and how much they differ. The paper gives no interval.",
    "The average of “bio only” is printed as "
    f"{PAPER['bio only'].printed_average:.2f} %; its ten numbers give "
    f"{PAPER['bio only'].average:.2f} %.",
    f"Whether BMMN-BAE-1 ({PAPER['BMMN-BAE-1'].printed_average:.2f} %) is better than BMMN "
    f"({PAPER['BMMN'].printed_average:.2f} %). With {TRIALS} trials and a true value of 60 %, the "
    f"95 % half-width is {100 * half_width(0.6, TRIALS):.1f} points: this difference is "
    "noise.",
)
"""Sentences for a report."""
