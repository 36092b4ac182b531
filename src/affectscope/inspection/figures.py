"""Small plots: each channel's envelope over time with gaps shaded, a video's frames per second.

Legend: B parts of a length.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from affectscope.figures import BEFORE, HEART, SKIN, SOFT, VALENCE, clock, new_figure, style
from affectscope.inspection.facts import ChannelFacts, Envelope, VideoFacts

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_WIDTH, _PANEL, _AXIS = 8.6, 0.95, 0.45  # inches
_SHADED = 100
_TICKS = 9
_STEPS = (0.1, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 43200, 86400)
"""Seconds between the marks of a time axis."""
_LONGEST_NAME = 24


def channels_over_time(channels: Sequence[ChannelFacts]) -> list[Figure]:
    """One figure for the channels with a time axis and one for those without; 0 to 2 figures."""
    drawn = [channel for channel in channels if channel.envelope is not None]
    timed = [channel for channel in drawn if channel.duration is not None]
    untimed = [channel for channel in drawn if channel.duration is None]
    return [_panels(group) for group in (timed, untimed) if group]


def frames_over_time(video: VideoFacts) -> Figure | None:
    """Frames per second; None for a video of too few frames."""
    parts = len(video.counts)
    if parts < 2 or video.measured_duration <= 0:
        return None
    rates = np.repeat(np.array(video.counts) * parts / video.measured_duration, 2)
    edges = np.repeat(np.linspace(0, video.measured_duration, parts + 1), 2)[1:-1] + video.start
    with style():
        figure, (axes,) = new_figure(_WIDTH, _PANEL + _AXIS)
        axes.plot(edges, rates, color=VALENCE, lw=1.0)
        axes.set(ylim=(0, 1.15 * float(rates.max())), ylabel="frames\nper second")
        _minutes(axes, (video.start, video.start + video.measured_duration))
        return figure


def _panels(channels: Sequence[ChannelFacts]) -> Figure:
    envelopes = [channel.envelope for channel in channels if channel.envelope is not None]
    span = min(e.start for e in envelopes), max(e.end for e in envelopes)
    with style():
        figure, panels = new_figure(_WIDTH, _PANEL * len(channels) + _AXIS, rows=len(channels))
        for axes, channel, course in zip(panels, channels, envelopes, strict=True):
            _course(axes, channel, course)
        figure.align_ylabels(panels)
        if channels[0].duration is not None:
            _minutes(panels[-1], span)
        else:
            panels[-1].set_xlim(*span)
            panels[-1].set_xlabel("sample number (the rate is not known)")
        return figure


def _course(axes: Axes, channel: ChannelFacts, course: Envelope) -> None:
    from matplotlib.ticker import MaxNLocator

    modality = channel.quality.modality if channel.quality else None
    colour = {"ecg": HEART, "eda": SKIN}.get(modality or "", SOFT)
    edges = np.repeat(np.linspace(course.start, course.end, len(course.low) + 1), 2)[1:-1]
    low, high = np.repeat(course.low, 2), np.repeat(course.high, 2)
    axes.fill_between(edges, low, high, color=colour, lw=0.8)
    for start, end in channel.gaps[:_SHADED]:
        axes.axvspan(start, end, color=BEFORE, alpha=0.25, lw=0)
    name = channel.name
    if len(name) > _LONGEST_NAME:  # both ends tell channels apart
        name = f"{name[: _LONGEST_NAME // 2]}...{name[-_LONGEST_NAME // 2 :]}"
    axes.set_ylabel(
        f"{_printable(name)}\n({_printable(channel.unit or 'no unit')})",
        rotation=0, ha="right", va="center", fontsize=8,
    )  # fmt: skip
    axes.tick_params(labelsize=7)
    axes.yaxis.set_major_locator(MaxNLocator(3))


def _printable(text: str) -> str:
    """Without what no font draws."""
    return "".join(letter if letter.isprintable() and ord(letter) < 0x2000 else "?"
                   for letter in text)  # fmt: skip


def _minutes(axes: Axes, span: tuple[float, float]) -> None:
    """An x axis of the file's own time."""
    from matplotlib.ticker import FuncFormatter, MultipleLocator

    axes.set_xlim(*span)
    step = next((step for step in _STEPS if span[1] - span[0] <= _TICKS * step), None)
    if step is not None and step >= 1:
        axes.xaxis.set_major_locator(MultipleLocator(step))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda seconds, _position: clock(seconds)))
        axes.set_xlabel("time in the file (minutes:seconds)")
    else:
        axes.set_xlabel("time in the file (s)")
