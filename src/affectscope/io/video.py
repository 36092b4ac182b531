"""Video files: their facts, and their frames with true time stamps, in constant memory.

Times come from presentation time stamps (PTS) only; a frame's session time is ``clock_offset``
plus its PTS, not rebased to zero. libav conceals damage, so three witnesses are heard: its error
log, its corrupt flags, and the duration that the file states.

Damage. A picture hangs on those before it, back to the last key frame. So from the first packet
that cannot be read cleanly to the next key frame no frame is yielded, and the span is reported.

Legend: H, W height and width in pixels. Packets are numbered in decoding order.
"""

from __future__ import annotations

import math
import struct
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np

from affectscope.io.video_container import (
    MAXIMUM_SIDE,
    damaged,
    libav_errors,
    measured_end,
    no_decoder,
    no_frames,
    nominal_rate,
    opened,
    packets,
    reason,
    seconds,
    stated_end,
    too_large,
)
from affectscope.records import Frame, ImageArray, Notice, VideoTrack

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.packet import Packet
    from av.sidedata.sidedata import SideData
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

CLOCK_RESTART = 1.0
"""A step back of the time stamps by more seconds than this is a restarted clock, not a glitch."""
_REORDERED_PICTURES = 16
"""No codec shows more pictures out of the order in which they are coded (H.264, annex A)."""


def inspect_video(path: Path, clock_offset: float = 0.0) -> VideoTrack:
    """A video's facts, from its header and its first frame.

    ``clock_offset``: seconds to add to the file's own time stamps. The track's duration is what the
    container states, or less where its last packets say so (V25); 0.0 where it states none.

    Raises:
        InputError: E_FILE_MISSING, E_FILE_EMPTY (also a header without frames), E_FILE_UNREADABLE,
            E_TYPE_MISMATCH, E_VIDEO_NO_STREAM, E_VIDEO_NO_INDEX, E_VIDEO_CODEC, E_VIDEO_DAMAGED.
    """
    with opened(path) as (container, stream):
        frame = _first_frame(container, stream, path)
        first = seconds(frame) or 0.0
        end = stated_end(container, stream)
        if end is not None and container.format.name != "mpegts":  # TS states no end of its own
            end = min(end, measured_end(container, stream, end) or end)
        swapped = _orientation(frame).swapped
        return VideoTrack(
            path=path,
            width=frame.height if swapped else frame.width,
            height=frame.width if swapped else frame.height,
            codec=stream.codec_context.name,
            frame_rate=nominal_rate(stream),
            duration=max(0.0, end - first) if end is not None else 0.0,
            start_time=clock_offset + first,
            clock_offset=clock_offset,
        )


def _first_frame(container: InputContainer, stream: VideoStream, path: Path) -> VideoFrame:
    import av

    found, why = 0, "no frame in it is whole"
    with libav_errors() as lines:
        for packet in packets(container, stream):
            found += bool(packet.size)
            try:
                for frame in packet.decode():
                    if max(frame.width, frame.height) > MAXIMUM_SIDE:
                        raise too_large(path, f"{frame.width} x {frame.height} pixels")
                    return frame
            except (av.error.DecoderNotFoundError, av.error.PatchWelcomeError) as error:
                raise no_decoder(path, stream.codec_context.name) from error
            except av.FFmpegError as error:
                why = reason(error)
        if any("max pixel count" in text for _, _, text in lines):
            raise too_large(path, "a picture with too many pixels")
    if not found:
        raise no_frames(path)
    raise damaged(path, f"cannot be decoded ({why})")


@dataclass(frozen=True)
class _Orientation:
    """How a stored picture becomes upright: first rows and columns swap, then flips."""

    swapped: bool = False
    flip_columns: bool = False
    flip_rows: bool = False

    def upright(self, stored: ImageArray) -> ImageArray:
        """(H, W, 3) as stored -> as shown."""
        rgb = stored.transpose(1, 0, 2) if self.swapped else stored
        rgb = rgb[:, ::-1] if self.flip_columns else rgb
        rgb = rgb[::-1] if self.flip_rows else rgb
        return np.ascontiguousarray(rgb)


def _orientation(frame: VideoFrame) -> _Orientation:
    """From the display matrix (ISO 14496-12, 8.3.2.3): x' = a x + c y, y' = b x + d y.

    Right angles and mirrors are applied; another angle counts as the nearest of them.
    """
    # PyAV's types know of motion vectors only.
    data = cast("Mapping[str, SideData]", frame.side_data).get("DISPLAYMATRIX")
    if data is None:
        return _Orientation()
    a, b, _, c, d, *_ = struct.unpack("=9i", bytes(data))
    if abs(a) + abs(d) >= abs(b) + abs(c):
        return _Orientation(False, flip_columns=a < 0, flip_rows=d < 0)
    return _Orientation(True, flip_columns=c < 0, flip_rows=b < 0)


@dataclass
class _Clock:
    """Time stamps -> session time that never goes back (V06).

    Where stamps restart, the new run is placed right behind the last frame; a smaller step back, or
    a repeated stamp, keeps the last time. The first and the last of these places are kept.
    """

    offset: float
    interval: float
    last: float | None = None
    furthest: float | None = None  # that any picture reached, also a masked one
    resets: list[float] = field(default_factory=list)

    def time(self, stamp: float | None) -> float:
        """Session time of the next picture; ``stamp`` in the file's clock, None: it has none."""
        raw = self._behind if stamp is None else self.offset + stamp
        time = raw
        if self.last is not None and (stamp is None or raw <= self.last):
            time = self.last
            if stamp is None or self.last - raw > CLOCK_RESTART:
                time = self._behind
                self.offset += time - raw
            self.resets = [*self.resets[:1], time]
        self.last = time
        self.masked(time)
        return time

    def masked(self, time: float) -> None:
        """A picture lies at ``time`` and is not shown."""
        self.furthest = time if self.furthest is None else max(self.furthest, time)

    def ahead(self, stamp: float | None) -> float:
        """Where a packet not yet shown will lie: never before what was shown."""
        time = self._behind if stamp is None else self.offset + stamp
        return time if self.last is None else max(time, self.last)

    @property
    def _behind(self) -> float:
        return self.offset if self.furthest is None else self.furthest + self.interval


@dataclass
class _Broken:
    """A run of packets that must not be used: from ``first`` up to the key frame ``until``."""

    first: int
    until: float = math.inf
    key_time: float = math.inf

    def holds(self, number: int, time: float) -> bool:
        """Also what a later packet shows before that key frame, since it hangs on both sides."""
        return self.first <= number and (number < self.until or time < self.key_time)


@dataclass
class _Damage:
    """Which pictures hang on a packet that could not be read cleanly, and the spans they cover."""

    spans: list[tuple[float, float]] = field(default_factory=list)
    runs: deque[_Broken] = field(default_factory=lambda: deque(maxlen=_REORDERED_PICTURES))
    key: tuple[int, float] = (-1, -math.inf)

    @property
    def open(self) -> bool:
        return bool(self.runs) and self.runs[-1].until == math.inf

    def key_frame(self, number: int, time: float) -> None:
        """A key frame arrives: nothing from it on hangs on what was before."""
        self.key = (number, time)
        if self.open:
            self._close()

    def error(self, number: int, time: float) -> None:
        """Packet ``number``, shown at ``time``, could not be read cleanly."""
        if self.runs and number < self.runs[-1].until:
            return
        self.runs.append(_Broken(number))
        if not self.spans or time > self.spans[-1][1]:
            self.spans.append((time, time))
        if number < self.key[0]:  # heard of late: the key frame behind it has already arrived
            self._close()

    def hides(self, number: int, time: float) -> bool:
        """True for a picture that must not be used; the last span grows to hold it."""
        hidden = any(run.holds(number, time) for run in self.runs)
        if hidden:
            self._reach(time)
        return hidden

    def reach(self, time: float) -> None:
        """Whatever lies at ``time`` belongs to the open span, if there is one."""
        if self.open:
            self._reach(time)

    def _close(self) -> None:
        self.runs[-1].until, self.runs[-1].key_time = self.key
        self._reach(self.key[1])

    def _reach(self, time: float) -> None:
        start, end = self.spans[-1]
        self.spans[-1] = (min(start, time), max(end, time))


class FrameReader:
    """Frames of a track in time order, one pass per iteration, in constant memory.

    ``rate`` (frames per second, > 0) thins them: time is cut into cells centred on multiples of
    1 / rate seconds from ``origin`` (session time; None: the first frame), and of each cell the
    frame nearest to its centre is yielded. Frames not yielded are decoded, not converted to RGB.

    After an iteration:
        notices: W_VIDEO_TRUNCATED, W_VIDEO_DAMAGED (one per span), W_TIME_RESET.
        damaged_spans: (start, end) in session time; no frame that hangs on damage was yielded.
        frames_read: good frames decoded, also those not yielded.
        last_time: session time of the last good frame, None where there was none.

    Iterating raises InputError as ``inspect_video`` does, should the file have changed since.
    """

    def __init__(
        self, track: VideoTrack, *, rate: float | None = None, origin: float | None = None
    ) -> None:
        assert rate is None or rate > 0, rate
        self.track = track
        self.rate = rate
        self.origin = origin
        self._reset()

    def _reset(self) -> None:
        self.notices: tuple[Notice, ...] = ()
        self.damaged_spans: tuple[tuple[float, float], ...] = ()
        self.frames_read = 0
        self.last_time: float | None = None
        self._clock = _Clock(self.track.clock_offset, 1 / self.track.frame_rate)
        self._damage = _Damage()
        self._longest_step = 1 / self.track.frame_rate
        self._end: float | None = None  # of the latest picture, in the file's own clock
        self._cut = False  # libav saw the file end in the middle of something

    def __iter__(self) -> Iterator[Frame]:
        self._reset()
        with opened(self.track.path) as (container, stream):
            for index, time, picture in self._thinned(self._good(container, stream)):
                rgb = picture.to_ndarray(format="rgb24").astype(np.uint8, copy=False)
                yield Frame(index, time, _orientation(picture).upright(rgb))
            self._conclude(stated_end(container, stream))

    def _thinned(
        self, pictures: Iterator[tuple[int, float, VideoFrame]]
    ) -> Iterator[tuple[int, float, VideoFrame]]:
        if self.rate is None:
            yield from pictures
            return
        held: tuple[int, float, VideoFrame] | None = None
        origin, held_cell, held_distance = self.origin, 0, 0.0
        for picture in pictures:
            origin = picture[1] if origin is None else origin
            position = (picture[1] - origin) * self.rate
            cell = math.floor(position + 0.5)
            distance = abs(position - cell)
            if held is not None and cell == held_cell and distance >= held_distance:
                continue
            if held is not None and cell != held_cell:
                yield held
            held, held_cell, held_distance = picture, cell, distance
        if held is not None:
            yield held

    def _good(
        self, container: InputContainer, stream: VideoStream
    ) -> Iterator[tuple[int, float, VideoFrame]]:
        """(index, session time, picture) of each frame that does not hang on damage."""
        index = 0
        for number, pictures in self._decoded(container, stream):
            for picture in pictures:
                origin = picture.opaque[0] if isinstance(picture.opaque, list) else number
                stamp = seconds(picture)
                # A broken decoder also shows pictures out of order: they must not move the clock.
                about = self._clock.ahead(stamp)
                if picture.is_corrupt or max(picture.width, picture.height) > MAXIMUM_SIDE:
                    self._damage.error(origin, about)
                if self._damage.hides(origin, about):
                    self._clock.masked(about)
                else:
                    before = self._clock.last
                    self.last_time = time = self._clock.time(stamp)
                    step = time - before if before is not None else 0.0
                    self._longest_step = max(self._longest_step, min(step, CLOCK_RESTART))
                    self.frames_read += 1
                    yield index, time, picture
                self._reached(picture)
                index += 1

    def _reached(self, picture: VideoFrame) -> None:
        """Keeps where the latest picture ends, in the file's own clock."""
        stamp = seconds(picture)
        if stamp is not None and picture.time_base is not None:
            length = float((picture.duration or 0) * picture.time_base)
            end = stamp + (length or self._longest_step)
            self._end = end if self._end is None else max(self._end, end)

    def _decoded(
        self, container: InputContainer, stream: VideoStream
    ) -> Iterator[tuple[int, list[VideoFrame]]]:
        """(packet number, pictures that came out with it), noting key frames and errors."""
        import av

        numbered = enumerate(packets(container, stream))
        while True:
            pictures: list[VideoFrame] = []
            with libav_errors() as lines:
                number, packet = next(numbered, (-1, None))
                unread = bool(lines)
                if packet is None or not packet.size:  # the end of the file
                    self._cut |= any("partial" in t or "premature" in t for _, _, t in lines)
                if packet is None:
                    return
                lines.clear()
                packet.opaque = [number]  # PyAV keys it by identity, which small integers share
                failed = packet.is_corrupt
                try:
                    pictures = packet.decode()
                except av.FFmpegError:
                    failed = True
                failed |= bool(lines)
            if packet.size:
                self._note(number, packet, failed=failed, unread=unread)
            yield number, pictures

    def _note(
        self, number: int, packet: Packet[VideoStream], *, failed: bool, unread: bool
    ) -> None:
        time = self._clock.ahead(seconds(packet))
        if packet.is_keyframe:
            self._damage.key_frame(number, time)
        # What was lost before a key frame leaves the pictures from it on whole.
        if failed or (unread and not packet.is_keyframe):
            self._damage.error(number, time)
        self._damage.reach(time)

    def _conclude(self, stated: float | None) -> None:
        """What the user must know, once the file is read."""
        self._damage.reach(self._clock.ahead(None))
        spans = list(self._damage.spans)
        notices = []
        end = self.last_time if self.last_time is not None else self.track.start_time
        missing = 0.0
        if stated is not None and self._end is not None and not self._clock.resets:
            missing = stated - self._end
        # A picture more or less is a cut; less than one is rounding.
        if self._cut or missing > 0.75 * self._longest_step:
            notices.append(_truncated(end, max(missing, 0.0)))
            if self._damage.open and spans[-1][0] >= end:
                spans.pop()  # the picture that the cut went through is no damage beside it
        notices += [_damaged(start, stop) for start, stop in spans]
        if self._clock.resets:
            notices.append(_time_reset(self._clock.resets[0], self._clock.resets[-1]))
        self.damaged_spans = tuple(spans)
        self.notices = tuple(notices)


def _truncated(end: float, missing: float) -> Notice:
    told = f", {missing:.1f} s before the end that its header states" if missing > 0 else ""
    sentence = f"The video breaks off at {end:.2f} s{told}; what is there was used."
    return Notice("W_VIDEO_TRUNCATED", sentence, "face", end, end + missing)


def _damaged(start: float, end: float) -> Notice:
    sentence = f"The video cannot be decoded cleanly from {start:.2f} to {end:.2f} s: masked."
    return Notice("W_VIDEO_DAMAGED", sentence, "face", start, end)


def _time_reset(first: float, last: float) -> Notice:
    sentence = (
        f"The video's time stamps go back or repeat at {first:.2f} s. Its frames keep their order; "
        "a restarted clock goes on right behind, so the length of a pause there is not known."
    )
    return Notice("W_TIME_RESET", sentence, "face", first, last)
