"""A session's video as a page shows it: an MP4 that every current browser plays.

H.264 (main profile, 4:2:0, no B-frames), its index in front, upright with square pixels, within
1280 x 720. Each picture keeps its true time: the frame rate varies as the source's does. A player
holds a picture until the next one comes, so it also stands through what could not be decoded.

Every source is coded anew, also one that a browser would play: one way is better than two, and
copying the packets of a damaged file would hand the damage to the browser. Sound is left out: the
page is about the face, and the voices of others in the room are not needed.

The source is decoded in a process of its own (``io.video``). What is coded here are our own
pictures; nothing of the file reaches the encoder.
"""

from __future__ import annotations

import math
import shutil
import tempfile
from collections.abc import Callable, Generator
from contextlib import closing
from dataclasses import dataclass
from fractions import Fraction
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from affectscope.errors import InputError
from affectscope.io.files import TEMPORARY, write_with, writing_in
from affectscope.io.video import FrameReader, inspect_video
from affectscope.io.video_container import damaged, reason
from affectscope.records import Frame, Notice

if TYPE_CHECKING:
    from av.container import OutputContainer
    from av.video.stream import VideoStream

MAXIMUM_WIDTH, MAXIMUM_HEIGHT = 1280, 720
MAXIMUM_RATE = 30.0
"""Pictures per second; of a faster video some are left out."""

_TICKS = 90_000
"""Time stamps per second, as in MPEG-TS: a picture's time is kept to 6 microseconds."""
_CLOSEST = 0.001
"""s; pictures closer than that count as one, as where time stamps repeat."""
_LONGEST = 6 * 3600.0
"""s from one picture to the next; an MP4 with this clock holds up to 2^31 ticks, 6.6 h."""
_SEEKING = 30
"""Pictures between two key frames: a browser that jumps decodes at most so many."""
_BT709 = 1
"""The colour matrix, primaries and transfer of high definition: ITU-T H.273. A browser guesses
where nothing is stated, and by the picture's size."""
_BROKEN_OFF = ("E_DECODER_CRASH", "E_DECODER_TIMEOUT")
"""What came before is whole; the same errors cost a session only the rest of its video."""


@dataclass(frozen=True)
class BrowserVideo:
    """What was written.

    Attributes:
        width, height: pixels, both even.
        first_time: s of the source's own time stamps at which the MP4's time 0 lies: session time =
            ``clock_offset`` + ``clock_rate`` x (``first_time`` + MP4 time), see ``VideoTrack``.
        frames: how many pictures.
        notices: what the source lacks, in seconds of its own time stamps: see ``FrameReader``, and
            E_DECODER_CRASH or E_DECODER_TIMEOUT where its rest could not be decoded at all.
    """

    width: int
    height: int
    first_time: float
    frames: int
    notices: tuple[Notice, ...]


def write_browser_video(
    source: Path, target: Path, *, on_time: Callable[[float], None] = lambda _time: None
) -> BrowserVideo:
    """Write ``source`` as an MP4 for browsers, whole or not at all, in constant memory.

    ``on_time``: called with the time reached, s of the source's own time stamps.

    Raises:
        InputError: as ``io.video.inspect_video``; E_VIDEO_DAMAGED also where no picture is whole.
        OutputError: E_OUTPUT where the folder cannot be written, also where the disk is full.
    """
    track = inspect_video(source)
    # Pictures that would be left out anyway are best not turned into RGB.
    faster = track.frame_rate > 1.05 * MAXIMUM_RATE
    reader = FrameReader(track, rate=MAXIMUM_RATE if faster else None)
    # PyAV moves the index to the front by the file's name, which a stream does not tell it.
    with (
        writing_in(target.parent),
        tempfile.NamedTemporaryFile(prefix=TEMPORARY, dir=target.parent) as draft,
    ):
        written = _encoded(reader, Path(draft.name), on_time)
        write_with(target, lambda stream: shutil.copyfileobj(draft, stream))
    return written


def _encoded(reader: FrameReader, draft: Path, on_time: Callable[[float], None]) -> BrowserVideo:
    import av

    path = reader.track.path
    notices: list[Notice] = []
    options = {"movflags": "+faststart", "video_track_timescale": f"{_TICKS}"}
    try:
        with (
            closing(_kept(reader, notices)) as pictures,
            av.open(str(draft), "w", format="mp4", options=options) as container,
        ):
            first = next(pictures, None)
            if first is None:
                raise damaged(path, "holds no picture that can be decoded")
            height, width = first.rgb.shape[:2]
            stream = _stream(container, *_size(width, height))
            frames = 0
            for frame in chain([first], pictures):
                _encode(container, stream, frame, frame.time - first.time)
                frames += 1
                on_time(frame.time)
            container.mux(stream.encode())
    except av.FFmpegError as error:
        if isinstance(error, OSError):  # of the disk
            raise
        raise damaged(path, f"cannot be coded for a browser ({reason(error)})") from error
    told = (*reader.notices, *notices)
    return BrowserVideo(stream.width, stream.height, first.time, frames, told)


def _kept(reader: FrameReader, notices: list[Notice]) -> Generator[Frame, None, None]:
    """At most ``MAXIMUM_RATE`` pictures per second, and one more; each later than the one before.

    A picture may come a step early, for cameras are not even, and those that follow make up for it.
    Where the decoder broke off after the first one: a notice, and the end.
    """
    step, due, last = 1 / MAXIMUM_RATE, -math.inf, -math.inf
    try:
        for frame in reader:
            if _LONGEST < frame.time - last < math.inf:
                how = f"leaps from {last:.1f} to {frame.time:.1f} s"
                raise damaged(reader.track.path, how)
            if frame.time >= max(due - _CLOSEST, last + _CLOSEST):
                due, last = max(due, frame.time - step) + step, frame.time
                yield frame
    except InputError as error:
        if last == -math.inf or error.code not in _BROKEN_OFF:
            raise
        notices.append(Notice(error.code, error.sentence, "face"))


def _size(width: int, height: int) -> tuple[int, int]:
    """Within the largest size, even, never enlarged but to the two pixels that 4:2:0 needs."""
    scale = min(1.0, MAXIMUM_WIDTH / width, MAXIMUM_HEIGHT / height)
    return max(2, 2 * int(width * scale / 2)), max(2, 2 * int(height * scale / 2))


def _stream(container: OutputContainer, width: int, height: int) -> VideoStream:
    # x264 takes the rate for its own plans only; the time stamps say when a picture is shown.
    stream = container.add_stream("libx264", rate=round(MAXIMUM_RATE))
    stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
    stream.options = {"preset": "veryfast", "crf": "23", "x264-params": "log-level=none"}
    context = stream.codec_context
    context.time_base = Fraction(1, _TICKS)
    context.profile, context.gop_size, context.max_b_frames = "Main", _SEEKING, 0
    context.thread_count = 2  # more threads hold more pictures
    context.colorspace = context.color_primaries = context.color_trc = _BT709
    return stream


def _encode(container: OutputContainer, stream: VideoStream, frame: Frame, time: float) -> None:
    from av import VideoFrame

    picture = VideoFrame.from_ndarray(frame.rgb, format="rgb24")
    picture = picture.reformat(stream.width, stream.height, "yuv420p", dst_colorspace=_BT709)
    picture.pts, picture.time_base = round(time * _TICKS), stream.codec_context.time_base
    container.mux(stream.encode(picture))
