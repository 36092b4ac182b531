"""Where recorders marked shared events: a marker channel, a text stream, or tags.csv."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from affectscope.errors import InputError
from affectscope.io.biosignals import TimedSignal, inspect_signals, read_timed_signal
from affectscope.io.channels import SignalSource, find_channel
from affectscope.io.empatica import read_presses
from affectscope.io.files import shown
from affectscope.io.xdf_markers import read_xdf_markers
from affectscope.records import FloatArray, Modality, Signal

_PRESSES = "tags"  # the channel that ``inspect_empatica`` gives a file of presses


@dataclass(frozen=True, eq=False)
class PlacedSignal:
    """A signal of the session: what was read and from where, the seconds that are added to its
    file's own time, and what session.toml says of it."""

    path: Path
    timed: TimedSignal
    shift: float
    source: SignalSource

    @property
    def signal(self) -> Signal:
        """On the session's axis. ``timed`` has ``source.clock_offset`` in it already."""
        start = self.timed.signal.start_time - self.source.clock_offset + self.shift
        return replace(self.timed.signal, start_time=start)

    @property
    def unix_zero(self) -> float | None:
        """Seconds that bring Unix time onto the session's axis, where the file knows it."""
        unix = self.timed.unix_start
        return None if unix is None else self.signal.start_time - unix


def read_markers(
    path: Path, channel: str | int | None, placed: Mapping[Modality, PlacedSignal]
) -> Signal | FloatArray:
    """A marker channel, or (M,) times of markers, on the session's axis.

    Args:
        channel: a channel's name or number; the name of a text stream of an XDF recording; None
            where the file holds one only.
        placed: the signals on whose axis the markers must lie.

    Raises:
        InputError: E_CHANNEL where there is no such channel, or where its file shares no clock with
            any signal; any code of a file that cannot be read.
    """
    same = next((signal for signal in placed.values() if signal.path == path), None)
    if path.suffix.casefold() == ".xdf":
        streams = read_xdf_markers(path)
        named = [s for s in streams if channel is None or s.name == channel]
        if len(named) == 1:
            if same is None:
                raise _no_clock(path)
            return named[0].times + same.shift
    held = inspect_signals(path)
    if [info.name for info in held.channels] == [_PRESSES]:
        return _on_unix(path, placed) + read_presses(path)
    info = held.channels[find_channel(held.channels, channel, path=path)]
    known = SignalSource() if same is None else same.source
    source = replace(known, channel=channel, unit=info.unit or "1", clock_offset=0.0)
    timed = read_timed_signal(path, source)
    shift = 0.0
    if same is not None:
        shift = same.shift
    elif timed.unix_start is not None:
        shift = _on_unix(path, placed) + timed.unix_start - timed.signal.start_time
    else:
        raise _no_clock(path)
    return replace(timed.signal, start_time=timed.signal.start_time + shift)


def _on_unix(path: Path, placed: Mapping[Modality, PlacedSignal]) -> float:
    """Seconds to add to Unix time to come to the session's axis."""
    for signal in placed.values():
        if signal.unix_zero is not None:
            return signal.unix_zero
    raise _no_clock(path)


def _no_clock(path: Path) -> InputError:
    return InputError(
        "E_CHANNEL",
        f"The markers in {shown(path)} share no clock with the ECG or the EDA.",
        "Name a marker channel of the file that holds a signal, or one that states Unix times, as"
        " that file does.",
    )
