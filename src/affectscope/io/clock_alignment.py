"""How the modalities of a session lie on its axis by what their files share and session.toml says.

The axis is the ECG's clock; without ECG the EDA's, else the video's. What files do not show is not
guessed: two files that share nothing are taken to start together, and that is said.

Where nothing is written, and what we do:
1. Channels of one file were sampled by one clock.
2. Two files with Unix times less than a day apart lie where those times say (``clock_shifts``). How
   well two devices' clocks were set is not known, and so no uncertainty is given.
3. A video's creation time is no clock: its zone is often wrong, and some programs write when they
   saved the file, some the end. It is never used; where nothing else aligns the video, a notice
   says what it would have meant.

Legend: ppm parts per million.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from affectscope.io.biosignals import TimedSignal
from affectscope.io.event_markers import PlacedSignal
from affectscope.io.session_sync import SyncEntry
from affectscope.records import (
    MODALITIES,
    AlignmentMethod,
    ClockAlignment,
    Modality,
    Notice,
    VideoTrack,
)

USUAL_DRIFT = 100.0
"""ppm by which two recorders' quartz clocks may differ where nothing shows it."""

_DAY = 86_400.0
_NAMES: dict[Modality, str] = {"face": "video", "ecg": "ECG", "eda": "EDA"}


def clock_shifts(
    signals: Mapping[Modality, TimedSignal], sync: SyncEntry
) -> tuple[dict[Modality, float], list[Notice]]:
    """Seconds to add to each signal's time so that those with Unix times lie as these say."""
    shifts = dict.fromkeys(signals, 0.0)
    starts = {m: s.unix_start for m, s in signals.items() if s.unix_start is not None}
    if len(starts) < 2 or sync.method == "stated":
        return shifts, []
    first = min(starts.values())
    apart = max(starts.values()) - first
    if apart > _DAY:
        sentence = (
            f"The clocks of ECG and EDA lie {apart / _DAY:.0f} days apart; both signals are taken"
            " to start together. State clock_offset if they did not."
        )
        return shifts, [Notice("W_CLOCK_UNTRUSTED", sentence)]
    return {m: starts[m] - first if m in starts else 0.0 for m in signals}, []


def align_by_clocks(
    placed: Mapping[Modality, PlacedSignal], video: VideoTrack | None, sync: SyncEntry
) -> tuple[tuple[ClockAlignment, ...], list[Notice]]:
    """One alignment per modality that is there, in the order of ``MODALITIES``, and what is in
    doubt. A video that events or its content will align is not yet in doubt."""
    found: dict[Modality, ClockAlignment] = {}
    axis: Modality = "ecg" if "ecg" in placed else "eda" if "eda" in placed else "face"
    for modality, signal in placed.items():
        method, sentence = _signal_method(modality, axis, placed, sync)
        shared = method == "own axis" or (method == "clock" and _one_file(placed))
        found[modality] = ClockAlignment(
            modality,
            method,
            offset=signal.shift,
            drift=0.0 if shared else None,
            residual=signal.timed.clock.residual if signal.timed.clock else None,
            uncertainty=0.0 if shared else None,
            resets=_resets(signal),
            sentence=sentence,
        )
    if video is not None:
        method, sentence = _video_method(axis, sync)
        found["face"] = ClockAlignment(
            "face",
            method,
            offset=video.clock_offset,
            drift=0.0 if method == "own axis" else None,
            residual=None,
            uncertainty=0.0 if method == "own axis" else None,
            resets=(),
            sentence=sentence,
        )
    in_doubt = [a for a in found.values() if a.method == "none"]
    waits = sync.method in ("events", "content")
    notices = [not_aligned(a) for a in in_doubt if not (waits and a.modality == "face")]
    if video is not None and found["face"].method == "none" and not waits:
        notices += creation_time_notices(video, placed)
    return tuple(found[m] for m in MODALITIES if m in found), notices


def _resets(signal: PlacedSignal) -> tuple[float, ...]:
    """Times, on the session's axis, at which the file's own clock was set."""
    clock = signal.timed.clock
    return () if clock is None else tuple(signal.signal.start_time + at for at, _ in clock.steps)


def not_aligned(alignment: ClockAlignment) -> Notice:
    """The notice that goes with the method "none"."""
    return Notice("W_NOT_ALIGNED", alignment.sentence, alignment.modality)


def unshared(modality: Modality, axis: Modality) -> str:
    """The sentence for two files that share nothing."""
    return (
        f"Nothing shows how the {_NAMES[modality]} lies in time against the {_NAMES[axis]}: both"
        " are taken to start together, and may lie any number of seconds apart. State clock_offset,"
        " or record a shared event (a flash, a clap, a marker) and name it under [sync]."
    )


def drift_by_the_end(duration: float) -> float:
    """Seconds by which ``USUAL_DRIFT`` moves two clocks apart in ``duration`` seconds (P18)."""
    return USUAL_DRIFT * 1e-6 * duration


def _signal_method(
    modality: Modality,
    axis: Modality,
    placed: Mapping[Modality, PlacedSignal],
    sync: SyncEntry,
) -> tuple[AlignmentMethod, str]:
    if modality == axis:
        return "own axis", "Its clock is the session's time axis."
    one, other = placed[modality], placed[axis]
    name = _NAMES[axis]
    if sync.method == "stated" or {modality, axis} & set(sync.stated):
        return "stated", "As session.toml states."
    if one.path == other.path and one.path.suffix.casefold() == ".xdf":
        alone = {n.code for n in (*one.timed.notices, *other.timed.notices)} & {"W_NO_CLOCKSYNC"}
        if not alone:
            return "offsets", (
                f"Lab Streaming Layer measured its clock against the {name}'s while recording."
            )
        return "none", (
            f"The recording holds no usable clock offsets, so that nothing shows how the"
            f" {_NAMES[modality]} lies against the {name}; their time stamps are taken as they are."
        )
    if one.path == other.path:
        return "clock", f"One recorder sampled it with the {name}, in one file."
    starts = (one.timed.unix_start, other.timed.unix_start)
    if None not in starts and abs((starts[0] or 0.0) - (starts[1] or 0.0)) <= _DAY:
        return "clock", (
            f"Both files state Unix times. How well the {_NAMES[modality]}'s and the {name}'s clock"
            " were set is not known."
        )
    return "none", unshared(modality, axis)


def _video_method(axis: Modality, sync: SyncEntry) -> tuple[AlignmentMethod, str]:
    if axis == "face":
        return "own axis", "Its clock is the session's time axis."
    if sync.method in ("events", "content"):
        return "none", "It is aligned when the session is assessed."
    if sync.method == "stated" or {"face", axis} & set(sync.stated):
        return "stated", "As session.toml states."
    return "none", unshared("face", axis)


def _one_file(placed: Mapping[Modality, PlacedSignal]) -> bool:
    return len({signal.path for signal in placed.values()}) == 1


def creation_time_notices(
    video: VideoTrack, placed: Mapping[Modality, PlacedSignal]
) -> list[Notice]:
    """What a video's creation time says, and why it was not believed (V27); often nothing."""
    created = video.created
    if created is None:
        return []
    when = datetime.fromtimestamp(created, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    meant = ""
    for signal in placed.values():
        if signal.unix_zero is not None:
            meant = f", {created + signal.unix_zero:+.0f} s on this session's axis"
            break
    sentence = (
        f"The video's header says that it was created at {when}{meant}. A creation time alone is"
        " not trusted, and was not used."
    )
    return [Notice("W_CLOCK_UNTRUSTED", sentence, "face")]
