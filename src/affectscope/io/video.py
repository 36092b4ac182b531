"""Video files: their facts, and their frames with true time stamps, in constant memory.

Times come from presentation time stamps (PTS) only; a frame's session time is ``clock_offset``
plus ``clock_rate`` times its PTS, not rebased to zero. Decoding runs in a process of its own
(``io.video_process``): a file on which libav crashes or hangs costs its video, nothing else.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path

from affectscope.errors import InputError
from affectscope.io.files import check_file, shown
from affectscope.io.video_process import answer
from affectscope.records import Frame, JsonObject, Notice, VideoTrack

SETTLING_TRIES = 10
SETTLING_SECONDS = 2.0
"""A file that changes while it is inspected is waited for, so many times so many seconds (V28)."""


def inspect_video(path: Path, clock_offset: float = 0.0, clock_rate: float = 1.0) -> VideoTrack:
    """A video's facts, from its header and its first frame.

    ``clock_offset``: seconds to add to the file's own time stamps, once these were multiplied by
    ``clock_rate``. The track's duration is what the container states, or less where its last
    packets say so (V25); 0.0 where it states none.

    Raises:
        InputError: E_FILE_MISSING, E_FILE_EMPTY (also a header without frames), E_FILE_UNREADABLE,
            E_TYPE_MISMATCH, E_VIDEO_NO_STREAM, E_VIDEO_NO_INDEX, E_VIDEO_CODEC, E_VIDEO_DAMAGED,
            E_DECODER_CRASH, E_DECODER_TIMEOUT, E_INPUT_CHANGED.
    """
    order = {
        "task": "inspect",
        "path": str(path.absolute()),
        "clock_offset": clock_offset,
        "clock_rate": clock_rate,
    }
    facts = _settled(path, lambda: _result(order, path))
    return VideoTrack(path=path, clock_offset=clock_offset, clock_rate=clock_rate, **facts)


def _settled(path: Path, read: Callable[[], JsonObject]) -> JsonObject:
    """What ``read`` makes of a file that stays as it is meanwhile; a growing one is waited for."""
    for _ in range(SETTLING_TRIES):
        check_file(path)
        before = _state(path)
        try:
            found = read()
        except InputError:
            if _state(path) == before:
                raise
        else:
            if _state(path) == before:
                return found
        time.sleep(SETTLING_SECONDS)
    raise _changed(path)


def _result(order: JsonObject, path: Path) -> JsonObject:
    """What an order without frames gives."""
    frames = answer(order, path)
    while True:
        try:
            next(frames)
        except StopIteration as end:
            result: JsonObject = end.value
            return result


class FrameReader:
    """Frames of a track in time order, one pass per iteration, in constant memory.

    ``rate`` (frames per second, > 0) thins them: time is cut into cells centred on multiples of
    1 / rate seconds from ``origin`` (session time; None: the first frame), and of each cell the
    frame nearest to its centre is yielded. Frames not yielded are decoded, not converted to RGB.
    Pictures are upright, their pixels square.

    After an iteration:
        notices: W_HDR, W_INTERLACED, W_VIDEO_TRUNCATED, W_VIDEO_DAMAGED (one per span),
            W_TIME_RESET.
        damaged_spans: (start, end) in session time; no frame that hangs on damage was yielded.
        frames_read: good frames decoded, also those not yielded.
        last_time: session time of the last good frame, None where there was none.

    Iterating raises InputError as ``inspect_video`` does, should the file have changed since or
    change meanwhile, or the decoder crash or hang; the frames before that were yielded.
    """

    def __init__(
        self, track: VideoTrack, *, rate: float | None = None, origin: float | None = None
    ) -> None:
        assert rate is None or rate > 0, rate
        self.track = track
        self.rate = rate
        self.origin = origin
        self._forget()

    def _forget(self) -> None:
        self.notices: tuple[Notice, ...] = ()
        self.damaged_spans: tuple[tuple[float, float], ...] = ()
        self.frames_read = 0
        self.last_time: float | None = None

    def __iter__(self) -> Iterator[Frame]:
        self._forget()
        track = {**asdict(self.track), "path": str(self.track.path.absolute())}
        before = _state(self.track.path)
        order = {"task": "frames", "track": track, "rate": self.rate, "origin": self.origin}
        try:
            result = yield from answer(order, self.track.path)
        except InputError as error:
            if _state(self.track.path) == before:
                raise
            raise _changed(self.track.path) from error
        self.notices = tuple(Notice(**notice) for notice in result["notices"])
        self.damaged_spans = tuple((start, end) for start, end in result["damaged_spans"])
        self.frames_read = result["frames_read"]
        self.last_time = result["last_time"]
        if _state(self.track.path) != before:
            raise _changed(self.track.path)


def _state(path: Path) -> tuple[int, int] | None:
    """Size and time of the last change; None for a file that is not there."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_size, found.st_mtime_ns


def _changed(path: Path) -> InputError:
    return InputError(
        "E_INPUT_CHANGED",
        f"{shown(path)} grew, changed or vanished while it was read.",
        "Wait until recording and copying have ended, then try again.",
    )
