"""The sound of a video file as levels over time, on the session's axis, in constant memory.

Legend: H hops of a piece of sound.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, cast

import numpy as np

from affectscope.errors import InputError
from affectscope.io.files import shown
from affectscope.io.video_container import libav_errors, opened, packets
from affectscope.records import FloatArray, VideoTrack

if TYPE_CHECKING:
    from av.audio.frame import AudioFrame
    from av.video.stream import VideoStream

HOP = 0.002
"""Seconds that one level stands for."""
_RATE = 16_000  # Hz that all sound is brought to
_HOP_SAMPLES = round(HOP * _RATE)


def sound_levels(track: VideoTrack) -> Iterator[tuple[float, FloatArray]]:
    """(start, mean squares (H,) of hops of ``HOP`` seconds) of the first audio stream, mixed to one
    channel; full scale is 1. A packet that cannot be decoded is left out, which leaves a hole.

    Raises:
        InputError: E_CHANNEL where the file holds no sound; any code of a video that cannot be
            opened.
    """
    import av

    with opened(track.path) as (container, _video), libav_errors():
        if not container.streams.audio:
            raise InputError(
                "E_CHANNEL",
                f"{shown(track.path)} holds no sound, so that no clap can be heard in it.",
                'Take video = "flash" in [sync], or state clock_offset.',
            )
        resampler = av.AudioResampler(format="flt", layout="mono", rate=_RATE)
        rest, rest_start = np.empty(0), 0.0
        sound_stream = cast("VideoStream", container.streams.audio[0])  # read in the same way
        for packet in packets(container, sound_stream):
            try:
                frames = cast("list[AudioFrame]", packet.decode())
            except av.FFmpegError:
                continue
            for frame in frames:
                if frame.time is None:
                    continue
                start = track.clock_offset + track.clock_rate * frame.time
                expected = rest_start + len(rest) / _RATE
                if not len(rest) or abs(start - expected) > HOP:
                    rest, rest_start = np.empty(0), start
                pieces = [piece.to_ndarray().ravel() for piece in resampler.resample(frame)]
                sound = np.concatenate([rest, *pieces]).astype(np.float64)
                hops = len(sound) // _HOP_SAMPLES
                whole = sound[: hops * _HOP_SAMPLES].reshape(hops, _HOP_SAMPLES)
                if hops:
                    yield rest_start, np.mean(np.diff(whole, axis=1, prepend=whole[:, :1]) ** 2, 1)
                rest = sound[hops * _HOP_SAMPLES :]
                rest_start += hops * HOP
