"""What the modalities of a session say about one another: overlap, durations, labels."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations
from pathlib import Path

from affectscope.io.files import shown
from affectscope.records import Modality, Notice, Recording, Signal

_UNCOVERED = 1.0  # s; a shorter part without a modality is not worth a notice
_SAME_START = 1.0  # s; modalities that start this close were started together
_RATIO_TOLERANCE = 0.003

RATE_CONFUSIONS: tuple[tuple[int, int, str], ...] = (
    (1, 2, "every second sample, or two channels in one column"),
    (1, 4, "every fourth sample, or four channels in one column"),
    (1, 10, "a power of ten"),
    (250, 256, "a decimal for a binary rate, as are 500 for 512 and 1000 for 1024"),
    (100, 128, "a decimal for a binary rate, as is 200 for 256"),
    (250, 360, "MIT-BIH's 360 Hz for the 250 Hz of other archives"),
)
"""Rates that are taken for one another, and how; a duration is wrong by their ratio (P08)."""


def uncovered_spans(recording: Recording) -> list[Notice]:
    """Spans of the session that a modality does not cover (P20)."""
    tracks = {m: track for m, track in recording.tracks.items() if track.duration > 0}
    pairs = list(combinations(tracks.values(), 2))
    if pairs and not any(
        max(a.start_time, b.start_time) < min(a.end_time, b.end_time) for a, b in pairs
    ):
        return [
            Notice(
                "W_NO_OVERLAP",
                f"It lasts from {track.start_time:.1f} s to {track.end_time:.1f} s and overlaps no"
                " other modality, so that nothing can be read together. Check clock_offset.",
                modality,
                track.start_time,
                track.end_time,
            )
            for modality, track in tracks.items()
        ]
    first = min(track.start_time for track in tracks.values()) if tracks else 0.0
    last = max(track.end_time for track in tracks.values()) if tracks else 0.0
    return [
        Notice(
            "W_NO_OVERLAP",
            f"It covers the session from {track.start_time:.1f} s to {track.end_time:.1f} s only,"
            f" not from {start:.1f} s to {end:.1f} s.",
            modality,
            start,
            end,
        )
        for modality, track in tracks.items()
        for start, end in ((first, track.start_time), (track.end_time, last))
        if end - start > _UNCOVERED
    ]


def rate_confusions(recording: Recording, files: dict[Modality, str]) -> list[Notice]:
    """Signals whose duration stands to another one's as two rates that are often confused (P08).

    Between two signals the one that agrees with the video is not suspected.
    """
    found: dict[Modality, Notice] = {}
    lengths = {m: track.duration for m, track in recording.tracks.items() if track.duration > 0}
    for suspect, signal in recording.tracks.items():
        if not isinstance(signal, Signal):
            continue
        for witness, length in lengths.items():
            if witness == suspect or files.get(witness) == files[suspect]:
                continue
            if abs(signal.start_time - recording.tracks[witness].start_time) > _SAME_START:
                continue
            confusion = _confusion(signal.duration / length)
            cleared = witness != "face" and _agree(signal.duration, lengths.get("face"))
            if confusion is None or cleared or suspect in found:
                continue
            sentence = (
                f"It lasts {signal.duration:.2f} s and {_called(witness)} {length:.2f} s, though"
                f" both start together: the ratio of {confusion}. Check its sampling rate of"
                f" {signal.sampling_rate:g} Hz."
            )
            found[suspect] = Notice("W_SAMPLING_RATE", sentence, suspect)
    return list(found.values())


def _confusion(ratio: float) -> str | None:
    for wrong, right, why in RATE_CONFUSIONS:
        if _agree(ratio, wrong / right) or _agree(ratio, right / wrong):
            return f"{wrong} to {right} ({why})"
    return None


def _agree(one: float, other: float | None) -> bool:
    return other is not None and abs(one / other - 1) <= _RATIO_TOLERANCE


def _called(modality: Modality) -> str:
    return {"face": "the video", "ecg": "the ECG", "eda": "the EDA"}[modality]


def labels_outside(recording: Recording) -> list[Notice]:
    """Labels that lie beside the recording are reported, never moved (P34)."""
    if recording.labels is None:
        return []
    first, last = (float(recording.labels.times[n]) for n in (0, -1))
    start, end = recording.span
    if first <= end and last >= start:
        return []
    sentence = (
        f"The labels cover {first:.1f} s to {last:.1f} s and the session {start:.1f} s to"
        f" {end:.1f} s."
    )
    return [Notice("W_NO_OVERLAP", sentence, start=first, end=last)]


def same_content(hashes: Mapping[str, str]) -> list[Notice]:
    """Files of different names that hold the same bytes (F27); ``hashes``: name -> sha256.

    Both names stay in use: only the user knows whether one of them was meant to be another file.
    """
    names: dict[str, list[str]] = {}
    for name, content in hashes.items():
        names.setdefault(content, []).append(name)
    return [
        Notice(
            "W_SAME_CONTENT",
            f"{' and '.join(shown(Path(name)) for name in alike)} hold the same content, byte for"
            " byte; each was read under its own name.",
        )
        for alike in names.values()
        if len(alike) > 1
    ]
