"""Decodes one video in the process that calls it: frames with true time stamps, in constant memory.

``io.video_worker`` runs this in a process of its own, since a hostile or damaged file may crash or
hang libav (V29). Times come from presentation time stamps (PTS) only. libav conceals damage, so
three witnesses are heard: its error log, its corrupt flags, and the duration that the file states.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

from affectscope.io.video_boxes import mp4_flaw
from affectscope.io.video_clock import CLOCK_RESTART, Clock
from affectscope.io.video_container import (
    MAXIMUM_SIDE,
    container_format,
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
from affectscope.io.video_damage import Damage
from affectscope.io.video_elements import matroska_flaw
from affectscope.io.video_picture import Presentation, picture_notices
from affectscope.io.video_stamps import stamps
from affectscope.records import Frame, JsonObject, Notice, VideoTrack

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.packet import Packet
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

Alive = Callable[[], None]

_OF_DAMAGE = ("W_VIDEO_TRUNCATED", "W_VIDEO_DAMAGED", "W_TIME_RESET")
_WITNESSES = {"mov": mp4_flaw, "matroska": matroska_flaw}


def decode(order: Mapping[str, Any], alive: Alive) -> Iterator[Frame | JsonObject]:
    """What is ordered: a track's facts, its time stamps, or its frames and then what was noticed.

    ``alive`` is called with each packet: decoding goes on although no frame may come for long.

    Raises:
        InputError: see ``affectscope.io.video.inspect_video``.
    """
    if order["task"] == "inspect":
        yield facts(Path(order["path"]), order["clock_offset"], order["clock_rate"])
        return
    if order["task"] == "stamps":
        yield stamps(Path(order["path"]), alive)
        return
    track = VideoTrack(**{**order["track"], "path": Path(order["track"]["path"])})
    decoding = Decoding(track, order["rate"], order["origin"], alive)
    yield from decoding
    yield {
        "notices": [asdict(notice) for notice in decoding.notices],
        "damaged_spans": decoding.damaged_spans,
        "frames_read": decoding.frames_read,
        "last_time": decoding.last_time,
    }


def facts(path: Path, clock_offset: float, clock_rate: float) -> JsonObject:
    """The fields of a ``VideoTrack`` but the path, from the header and the first frame."""
    with opened(path) as (container, stream):
        frame = _first_frame(container, stream, path)
        first = seconds(frame) or 0.0
        end = stated_end(container, stream)
        if end is not None and container.format.name != "mpegts":  # TS states no end of its own
            end = min(end, measured_end(container, stream, end) or end)
        width, height = Presentation.of(frame, _pixel(stream)).size(frame)
        return {
            "width": width,
            "height": height,
            "codec": stream.codec_context.name,
            "frame_rate": nominal_rate(stream) / clock_rate,
            "duration": max(0.0, clock_rate * (end - first)) if end is not None else 0.0,
            "start_time": clock_offset + clock_rate * first,
            "created": _created(container, stream),
        }


def _created(container: InputContainer, stream: VideoStream) -> float | None:
    """Unix time that the header states as the file's creation; None where it states none."""
    text = container.metadata.get("creation_time") or stream.metadata.get("creation_time")
    try:
        found = datetime.fromisoformat(text) if text else None
    except ValueError:
        return None
    if found is None:
        return None
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()


def _pixel(stream: VideoStream) -> Fraction | None:
    """A pixel's width / height, None where it is not stated."""
    return stream.sample_aspect_ratio or stream.codec_context.sample_aspect_ratio


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


class Decoding:
    """One pass over a track's frames. Afterwards its attributes are those of a ``FrameReader``."""

    def __init__(
        self, track: VideoTrack, rate: float | None, origin: float | None, alive: Alive
    ) -> None:
        self.track = track
        self.rate = rate
        self.origin = origin
        self.alive = alive
        self.notices: list[Notice] = []
        self.damaged_spans: list[tuple[float, float]] = []
        self.frames_read = 0
        self.last_time: float | None = None
        self._clock = Clock(track.clock_offset, 1 / track.frame_rate, track.clock_rate)
        self._damage = Damage()
        self._longest_step = 1 / track.frame_rate
        self._end: float | None = None  # of the latest picture, in the file's own clock
        self._cut = False  # libav saw the file end in the middle of something

    def __iter__(self) -> Iterator[Frame]:
        with opened(self.track.path) as (container, stream):
            shown = None
            for index, time, picture in self._thinned(self._good(container, stream)):
                shown = shown or Presentation.of(picture, _pixel(stream))
                yield Frame(index, time, shown.picture(picture))
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
                    yield index, self._time(picture, stamp), picture
                self._reached(picture)
                index += 1

    def _time(self, picture: VideoFrame, stamp: float | None) -> float:
        """Session time of the next good picture, which is counted."""
        before = self._clock.last
        self.last_time = time = self._clock.time(stamp)
        step = time - before if before is not None else 0.0
        self._longest_step = max(self._longest_step, min(step, CLOCK_RESTART))
        if self.frames_read == 0:
            self.notices += picture_notices(picture, time)
        self.frames_read += 1
        return time

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
            self.alive()
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
        end = self.last_time if self.last_time is not None else self.track.start_time
        missing = 0.0
        if stated is not None and self._end is not None and not self._clock.resets:
            missing = stated - self._end
        # A picture more or less is a cut; less than one is rounding.
        if self._cut or missing > 0.75 * self._longest_step:
            self.notices.append(_truncated(end, self.track.clock_rate * max(missing, 0.0)))
            if self._damage.open and spans[-1][0] >= end:
                spans.pop()  # the picture that the cut went through is no damage beside it
        self.notices += [_damaged(start, stop) for start, stop in spans]
        if self._clock.resets:
            self.notices.append(_time_reset(self._clock.resets[0], self._clock.resets[-1]))
        if not any(notice.code in _OF_DAMAGE for notice in self.notices):
            self.notices += _contradiction(self.track.path)
        self.damaged_spans = spans


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


def _contradiction(path: Path) -> list[Notice]:
    """Where libav played a file without a word whose own structure says that something is lost."""
    witness = _WITNESSES.get(container_format(path))
    flaw = witness(path) if witness else None
    if flaw is None:
        return []
    sentence = (
        f"The video file contradicts itself ({flaw}): frames may be missing or shown at a wrong"
        " time, and it is not known which."
    )
    return [Notice("W_VIDEO_DAMAGED", sentence, "face")]
