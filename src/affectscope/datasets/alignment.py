"""Putting a session's video onto the axis of its signals by what both recorded.

``io.session`` opens a session without decoding its video. Where [sync] of session.toml names shared
events, or the heartbeat in the face, the video must be watched first: that is done here, once,
before a session is assessed, scored or learnt from.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from affectscope.datasets.body_analysis import BodyAnalysis, analyse_body
from affectscope.datasets.window_dataset import StreamSettings, WindowStream
from affectscope.errors import AffectScopeError
from affectscope.io.audio import HOP, sound_levels
from affectscope.io.clock_alignment import not_aligned
from affectscope.io.model_files import face_model
from affectscope.io.session import Session
from affectscope.io.session_checks import uncovered_spans
from affectscope.io.session_sync import Region
from affectscope.io.video import FrameReader
from affectscope.preprocessing.event_onsets import ClapFinder, Onsets, flash_onsets, rising_edges
from affectscope.preprocessing.face_pulse import (
    PULSE_DELAY,
    align_by_pulse,
    face_pulse,
    skin_colour,
)
from affectscope.preprocessing.shared_events import EventFit, match_events
from affectscope.preprocessing.windows import Preprocessing
from affectscope.records import ClockAlignment, FloatArray, Notice, Signal, VideoTrack

FURTHEST = 30.0
"""Seconds by which a video may lie beside the ECG where only its content shows it."""
_MARKED = 0.001
"""Seconds to which a marker's own time is known at best: one sample at 1000 Hz."""


def aligned(session: Session, on_time: Callable[[float], None] = lambda _time: None) -> Session:
    """The session with its video where [sync] says that it lies, and with what must be known.

    A session that asks for neither events nor content, or has no video, comes back as it is. Where
    the video cannot be aligned it stays where it was, and W_NOT_ALIGNED says why.

    Args:
        on_time: called with the session time reached, for progress.
    """
    video = session.recording.video
    asked = session.sync.method in ("events", "content")
    if video is None or not asked or len(session.recording.tracks) == 1:
        return session
    if session.sync.method == "content":
        return _by_content(session, video, on_time)
    return _by_shared_events(session, video, on_time)


def _by_shared_events(
    session: Session, video: VideoTrack, on_time: Callable[[float], None]
) -> Session:
    markers = _marked(session.markers)
    if isinstance(markers, str):
        return _unaligned(session, markers)
    try:
        events = _video_events(session, video, on_time)
    except AffectScopeError as error:
        return _unaligned(session, f"{error.sentence} {error.remedy}".strip())
    precision = math.hypot(events.precision, markers.precision)
    fit = match_events(events.times, markers.times, precision=precision)
    if isinstance(fit, str):
        return _unaligned(session, f"The {session.sync.video} in the video fits no marker: {fit}.")
    systematic = events.systematic + markers.systematic
    moved = _moved(video, offset=fit.offset, rate=fit.rate)
    return _with_video(session, moved, _by_events(session, fit, events, moved, systematic))


def _video_events(session: Session, video: VideoTrack, on_time: Callable[[float], None]) -> Onsets:
    """Flashes or claps, in session time as the video was opened."""
    if session.sync.video == "clap":
        finder = ClapFinder(HOP)
        for start, power in sound_levels(video):
            finder.add(power, start)
            on_time(start)
        return finder.onsets
    times, brightness = _brightness(video, session.sync.region, on_time)
    return flash_onsets(times, brightness)


def _brightness(
    video: VideoTrack, region: Region | None, on_time: Callable[[float], None]
) -> tuple[FloatArray, FloatArray]:
    """(F,) times and mean brightness, 0 to 255, of each frame or of a region of it."""
    x, y, width, height = region or (0, 0, video.width, video.height)
    times: list[float] = []
    means: list[float] = []
    for frame in FrameReader(video):
        picture = frame.picture
        right, bottom = min(x + width, picture.width), min(y + height, picture.height)
        if right > x and bottom > y:
            times.append(frame.time)
            means.append(float(picture.region(x, y, right, bottom).mean()))
            on_time(frame.time)
    return np.array(times), np.array(means)


def _marked(markers: Signal | FloatArray | None) -> Onsets | str:
    """When the events were marked, in session time, or why that is not known."""
    if markers is None:
        return "The markers that [sync] names cannot be read."
    if not isinstance(markers, Signal):
        return Onsets(markers, _MARKED)
    edges = rising_edges(markers)
    return edges or "The channel that [sync] names has more than two levels and marks no events."


def _by_content(session: Session, video: VideoTrack, on_time: Callable[[float], None]) -> Session:
    """By the heartbeat in the face against the ECG's; the whole video is watched once more."""
    # Where a left out part of the video lies on the session's axis is not known before this.
    body = analyse_body(session.recording, session.excluded)
    if body.ecg is None:
        return _unaligned(session, "There is no ECG whose beats the face's pulse could follow.")
    stream = WindowStream(
        replace(session.recording, ecg=None, eda=None),
        BodyAnalysis(None, None, ()),
        Preprocessing(),
        face_model,
        StreamSettings(person=session.person),
        on_time,
    )
    times: list[FloatArray] = []
    colours: list[FloatArray] = []
    for batch in stream:
        colour = skin_colour(np.asarray(batch.inputs["face"], dtype=np.uint8))
        colour[~batch.present["face"]] = np.nan
        times.append(batch.times)
        colours.append(colour)
    pulse = face_pulse(np.concatenate(times), np.concatenate(colours)) if times else None
    if pulse is None:
        return _unaligned(session, "The face is not seen for long enough to show a pulse.")
    fit = align_by_pulse(
        pulse, body.ecg.peak_times, furthest=FURTHEST, generator=np.random.default_rng(0)
    )
    if isinstance(fit, str):
        return _unaligned(session, f"{fit[0].upper()}{fit[1:]}.")
    moved = _moved(video, offset=fit.offset, rate=1.0)
    sentence = (
        f"The pulse in {fit.seconds:.0f} s of the face follows the ECG's beats. The way of the"
        f" pulse to the face, {PULSE_DELAY[0]:g} to {PULSE_DELAY[1]:g} s, is most of the"
        " uncertainty. Offsets of"
        f" up to {FURTHEST:g} s were looked at."
    )
    alignment = ClockAlignment(
        "face",
        "content",
        offset=_start_offset(moved),
        drift=None,
        residual=fit.spread,
        uncertainty=fit.uncertainty,
        resets=(),
        sentence=sentence,
    )
    return _with_video(session, moved, alignment)


def _moved(video: VideoTrack, *, offset: float, rate: float) -> VideoTrack:
    """The track with session time t moved to offset + rate x t."""
    return replace(
        video,
        clock_offset=offset + rate * video.clock_offset,
        clock_rate=rate * video.clock_rate,
        start_time=offset + rate * video.start_time,
        duration=rate * video.duration,
    )


def _by_events(
    session: Session, fit: EventFit, events: Onsets, moved: VideoTrack, systematic: float
) -> ClockAlignment:
    what = {"flash": "flashes", "clap": "claps"}[session.sync.video or "flash"]
    pairs = len(fit.pairs)
    sentence = f"{pairs} of {len(events.times)} {what} in the video match a marker."
    if fit.drift is None:
        sentence += " They do not show how fast its clock runs."
    resets: tuple[float, ...] = ()
    if fit.step is not None:
        middle = np.array([(fit.step.after + fit.step.before) / 2])
        resets = (float(fit.at(middle)[0]),)
        sentence += (
            f" Its clock steps by {1000 * fit.step.size:+.0f} ms near {resets[0]:.0f} s; the longer"
            " side is aligned, the other lies beside the signals by as much."
        )
    return ClockAlignment(
        "face",
        "events",
        offset=_start_offset(moved),
        drift=fit.drift,
        residual=fit.residual if pairs > 1 else None,
        uncertainty=fit.uncertainty + systematic,
        resets=resets,
        sentence=sentence,
    )


def _start_offset(video: VideoTrack) -> float:
    """Seconds from the file's own time at its start to the session's axis."""
    return video.start_time - (video.start_time - video.clock_offset) / video.clock_rate


def _with_video(session: Session, video: VideoTrack, alignment: ClockAlignment) -> Session:
    """The video moved, its alignment told, and what no longer holds taken back."""
    before = session.recording
    gone = uncovered_spans(before)
    after = replace(before, video=video)
    kept = [notice for notice in before.notices if notice not in gone]
    doubts: list[Notice] = []
    if alignment.resets or alignment.method == "content":
        doubts = [Notice("W_ALIGNMENT", alignment.sentence, "face")]
    after = replace(after, notices=(*kept, *uncovered_spans(after), *doubts))
    return replace(session, recording=after, alignments=_replaced(session, alignment))


def _unaligned(session: Session, reason: str) -> Session:
    """The session as it was; the video is not aligned, and a notice says why."""
    old = next(each for each in session.alignments if each.modality == "face")
    sentence = (
        f"{reason} The video is taken to start with the signals, and may lie any number of seconds"
        " beside them. Correct [sync], or state clock_offset."
    )
    new = replace(old, method="none", sentence=sentence)
    recording = session.recording
    recording = replace(recording, notices=(*recording.notices, not_aligned(new)))
    return replace(session, recording=recording, alignments=_replaced(session, new))


def _replaced(session: Session, alignment: ClockAlignment) -> tuple[ClockAlignment, ...]:
    kept = tuple(each for each in session.alignments if each.modality != alignment.modality)
    return (alignment, *kept)
