"""A video's time stamps, taken from its packets: nothing but the first frame is decoded.

Runs in the decoder's process (``io.video_decoding``), since libav may crash on a hostile file.

Legend: N packets that hold a picture, B parts of equal length.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from affectscope.io.video_container import (
    libav_errors,
    nominal_rate,
    opened,
    packets,
    seconds,
    stated_end,
)
from affectscope.records import JsonObject

if TYPE_CHECKING:
    from av.packet import Packet
    from av.video.stream import VideoStream

PARTS = 240
"""B: the frames of a video are counted in at most so many parts of its length."""
_FRAMES_PER_PART = 20


def stamps(path: Path, alive: Callable[[], None]) -> JsonObject:
    """What the packets say; times in seconds of the file's own clock.

    Keys: frames; first and end of what was found (None without any stamp); steps_back of the
    decoding time; longest_step between pictures; counts (B,) of pictures per part; stated_rate,
    stated_end (None: not stated), audio, created (the text that the container holds, or None),
    rotation (degrees clockwise that the picture must be turned).

    Raises:
        InputError: as ``affectscope.io.video.inspect_video``.
    """
    with opened(path) as (container, stream):
        shown, decoded = array("d"), array("d")
        frames, rotation, length = 0, None, 0.0
        with libav_errors():
            for packet in packets(container, stream):
                alive()
                if not packet.size:
                    continue
                if rotation is None:
                    rotation = _rotation(packet)
                if packet.is_discard:  # an edit list hides it
                    continue
                frames += 1
                time = seconds(packet)
                if time is not None and stream.time_base is not None:
                    shown.append(time)
                    length = float((packet.duration or 0) * stream.time_base) or length
                if packet.dts is not None:
                    decoded.append(packet.dts)
        return {
            "frames": frames,
            "stated_rate": nominal_rate(stream),
            "stated_end": stated_end(container, stream),
            "audio": bool(container.streams.audio),
            "created": container.metadata.get("creation_time"),
            "rotation": rotation or 0,
            "steps_back": int(np.count_nonzero(np.diff(np.asarray(decoded)) < 0)),
            **_spread(np.sort(np.asarray(shown)), length or 1 / nominal_rate(stream)),
        }


def _spread(times: np.ndarray[tuple[int], np.dtype[np.float64]], length: float) -> JsonObject:
    """How the pictures (N,) lie in time; ``length``: s, of the last one."""
    if not len(times):
        return {"first": None, "end": None, "longest_step": 0.0, "counts": []}
    first, end = float(times[0]), float(times[-1]) + length
    counts, _ = np.histogram(
        times, bins=max(1, min(PARTS, len(times) // _FRAMES_PER_PART)), range=(first, end)
    )
    steps = np.diff(times)
    return {
        "first": first,
        "end": end,
        "longest_step": float(steps.max(initial=0.0)),
        "counts": counts.tolist(),
    }


def _rotation(packet: Packet[VideoStream]) -> int | None:
    """Of the first picture; None where this packet gives none."""
    import av

    try:
        pictures = packet.decode()
    except av.FFmpegError:
        return None
    return -pictures[0].rotation % 360 if pictures else None
