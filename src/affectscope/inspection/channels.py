"""One channel's numbers: how long, how full, in what range, how usable. Pure: arrays in, facts out.

Where "quality" is open, and what we do:
1. An ECG or EDA is read as an assessment would read it (``preprocessing``), and the share of its
   time that is usable is given. Nothing is assumed for it: without a stated unit or rate there is
   no share.
2. What is an ECG or EDA is told by the channel's name, or by a unit of conductance; in a session,
   by session.toml.
3. Of any other channel: the share of missing samples, the share that stands still, the range.

Legend: S samples, B parts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from affectscope.errors import AffectScopeError
from affectscope.inspection.facts import ChannelFacts, Envelope, Quality, Refusal, Span
from affectscope.io.biosignals import TimedSignal
from affectscope.io.channels import ChannelData, ChannelInfo
from affectscope.io.session_candidates import SIGNAL_NAMES
from affectscope.preprocessing.ecg import analyse_ecg
from affectscope.preprocessing.eda import analyse_eda
from affectscope.preprocessing.signal_quality import runs, spans
from affectscope.preprocessing.units import spelled
from affectscope.records import BoolArray, FloatArray, Modality, Notice, Signal

FLAT_SECONDS = 5.0
GAP_SECONDS = 0.25
"""A shorter hole is bridged by the assessment and is no gap."""
PARTS = 500
"""B of an envelope: no plot is wider."""

_EDA_UNITS = {"uS", "nS", "kOhm", "MOhm"}  # "S" and "mS" may be meant as seconds


def modality_of(names: Sequence[str], unit: str | None) -> Modality | None:
    """Whether a channel is an ECG or EDA by its names or its unit; None: neither."""
    for modality, pattern in SIGNAL_NAMES.items():
        if any(pattern.search(name.casefold()) for name in names):
            return modality
    return "eda" if unit is not None and spelled(unit) in _EDA_UNITS else None


def channel_facts(
    info: ChannelInfo, data: ChannelData, *, timed: TimedSignal | None, asked: Sequence[str] = ()
) -> ChannelFacts:
    """What a channel holds.

    Args:
        timed: the channel with its unit and rate; None where ``asked`` must be stated first.
    """
    rate = timed.signal.sampling_rate if timed else data.sampling_rate or data.measured_rate
    start = timed.signal.start_time if timed else data.first_time
    values = data.values
    absent = np.isnan(values)
    found = ChannelFacts(
        name=info.name,
        unit=timed.signal.unit if timed else data.unit,
        stated_rate=_stated_rate(info, data, rate),
        measured_rate=data.measured_rate,
        samples=len(values),
        start=start,
        unix_start=data.unix_start,
        missing=float(absent.mean()) if len(values) else 0.0,
        asked=tuple(asked),
        notices=timed.notices if timed else data.notices,
        envelope=envelope(values, rate, start) if len(values) else None,
    )
    if not absent.all():
        found = replace(found, lowest=float(np.nanmin(values)), highest=float(np.nanmax(values)))
    if rate is None:
        return found
    return replace(
        found,
        duration=len(values) / rate,
        flat=_flat(values, rate),
        gaps=_gaps(absent, rate, start),
    )


def _stated_rate(info: ChannelInfo, data: ChannelData, rate: float | None) -> float | None:
    """The rate that the file's header or the user states, also where it was not used."""
    stated = data.sampling_rate or info.sampling_rate
    if rate is not None and rate != data.measured_rate:
        stated = rate
    return None if stated == data.measured_rate and not data.sampling_rate else stated


def with_quality(facts: ChannelFacts, signal: Signal | None, modality: Modality) -> ChannelFacts:
    """The facts with the share of the ECG or EDA that an assessment could use."""
    if signal is None:
        reason = f"not known: state the {' and the '.join(facts.asked)} first"
        return replace(facts, quality=Quality(modality, None, reason))
    try:
        analysis = analyse_ecg(signal) if modality == "ecg" else analyse_eda(signal)
    except AffectScopeError as error:
        usable = 0.0 if error.code == "E_SIGNAL_UNUSABLE" else None
        reason = f"{error.code}: {error.sentence}"
        return replace(facts, quality=Quality(modality, usable, reason))
    quality = Quality(modality, float(analysis.valid.mean()))
    told = _distinct((*facts.notices, *analysis.notices))
    return replace(facts, quality=quality, notices=told)


def refused_channel(info: ChannelInfo, error: AffectScopeError) -> ChannelFacts:
    """A channel that is listed and cannot be read."""
    return ChannelFacts(
        info.name, info.unit, info.sampling_rate, None, info.samples, refusal=Refusal.of(error)
    )


def envelope(values: FloatArray, rate: float | None, start: float) -> Envelope:
    """Lowest and highest value of (S,) in at most ``PARTS`` equal parts; S >= 1."""
    edges = np.linspace(0, len(values), min(PARTS, len(values)) + 1).astype(int)[:-1]
    first = start if rate is not None else 0.0
    return Envelope(
        first,
        first + len(values) / (rate or 1.0),
        np.fmin.reduceat(values, edges),
        np.fmax.reduceat(values, edges),
    )


def _flat(values: FloatArray, rate: float) -> float:
    """Share of the samples in long stretches without a change."""
    least = max(2, round(FLAT_SECONDS * rate))
    still = runs(np.diff(values) == 0)
    lengths = still[:, 1] - still[:, 0] + 1
    return float(lengths[lengths >= least].sum() / max(len(values), 1))


def _gaps(absent: BoolArray, rate: float, start: float) -> tuple[Span, ...]:
    found = spans(absent, rate, start)
    return tuple(span for span in found if span[1] - span[0] > GAP_SECONDS)


def _distinct(notices: Sequence[Notice]) -> tuple[Notice, ...]:
    return tuple(dict.fromkeys(notices))
