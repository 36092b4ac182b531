"""Simulated sessions of any length, size and rate for the speed benchmarks, kept in demo/speed-...

The signals have full length. The video shows a simulated person for a minute, enlarged from 640 x
360 pixels, with noise like a camera's on every frame; the coded minute is then repeated with
shifted time stamps, since drawing 90,000 frames would take as long as assessing them. So the face
says nothing about the session's labels: these sessions are for time and memory only.

Noise and quality were chosen so that a 720p frame takes about as many bits and as long to decode as
one of a real clip: ``main`` of this file prints both.

    .venv/bin/python benchmarks/speed_sessions.py [VIDEO ...]
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import cast

import av
import numpy as np

from affectscope.datasets.synthetic import (
    SyntheticPerson,
    SyntheticSettings,
    random_course,
    synthetic_person,
    therapy_course,
    write_session,
)
from affectscope.datasets.synthetic_face import face_course, frames
from affectscope.io.files import atomic_write, write_text
from affectscope.io.session_file import NAME
from affectscope.picture import ImageArray

DEMO = Path(__file__).resolve().parents[1] / "demo"
SEED = 60
DRAWN = 60.0
"""Seconds of video that are drawn; the rest repeats them."""
NOISE = 2.0
"""Standard deviation of the camera's noise in steps of 8 bit, before coding."""
_CODING = {"preset": "veryfast", "crf": "21", "x264-params": "log-level=none"}
_NOISE_PLANES = 16
_FACE = '\n[face]\nfile = "face.mp4"\nclock_offset = 0.0\n'


@dataclass(frozen=True)
class SpeedSession:
    """Which session: minutes, video frames per second, picture size in pixels."""

    minutes: float = 10.0
    frame_rate: int = 25
    size: tuple[int, int] = (1280, 720)

    @property
    def name(self) -> str:
        return f"speed-{self.minutes:g}min-{self.frame_rate}fps-{self.size[1]}p"

    @property
    def folder(self) -> Path:
        """Where it lies, written when first asked for."""
        folder = DEMO / self.name
        stated = folder / NAME
        if not stated.exists() or _FACE not in stated.read_text():
            self._write(folder)
        return folder

    def _write(self, folder: Path) -> None:
        drawn = DEMO / "speed-drawn" / f"{self.frame_rate}fps-{self.size[1]}p.mp4"
        if not drawn.exists():
            _draw(drawn, self.size, self.frame_rate)
        folder.mkdir(parents=True, exist_ok=True)
        repeat(drawn, folder / "face.mp4", round(60 * self.minutes * self.frame_rate))
        course = therapy_course(60.0 * self.minutes, SEED)
        settings = SyntheticSettings(sampling_rate=256.0, frame_rate=0)
        write_session(folder, _person(), course, settings=settings)
        # Last: a session whose writer was stopped before has no face, and is written anew.
        write_text(folder / NAME, (folder / NAME).read_text() + _FACE)


def _person() -> SyntheticPerson:
    return synthetic_person("simulated-speed", SEED)


def _draw(path: Path, size: tuple[int, int], frame_rate: int) -> None:
    """A minute of video."""
    generator = np.random.default_rng(SEED)
    person, course = _person(), random_course(DRAWN, SEED)
    times = np.arange(round(DRAWN * frame_rate)) / frame_rate
    shown = face_course(person.face, course.labels(), duration=DRAWN, generator=generator)
    batches = frames(
        person.face,
        shown,
        times=times,
        visible=np.ones(len(times), dtype=np.bool_),
        generator=generator,
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(path) as stream, av.open(stream, "w", format="mp4") as container:
        video = container.add_stream("libx264", rate=frame_rate, options=_CODING)
        video.width, video.height = size
        video.pix_fmt = "yuv420p"
        for planes in _noisy((p for batch in batches for p in batch), size):
            container.mux(video.encode(av.VideoFrame.from_ndarray(planes, format="yuv420p")))
        container.mux(video.encode())


def _noisy(pictures: Iterator[ImageArray], size: tuple[int, int]) -> Iterator[ImageArray]:
    """Y, Cb and Cr as yuv420p stores them, enlarged, with fresh noise on Y."""
    width, height = size
    generator = np.random.default_rng(SEED)
    noise = generator.normal(0.0, NOISE, (_NOISE_PLANES, height, width)).round().astype(np.int16)
    for picture in pictures:
        small = av.VideoFrame.from_ndarray(picture, format="yuv420p")
        enlarged = small.reformat(width, height, interpolation="BICUBIC")
        large = cast("ImageArray", enlarged.to_ndarray())
        # Few planes of noise, each time from another place on: no frame repeats another's.
        plane = noise[generator.integers(_NOISE_PLANES)]
        shift = tuple(int(place) for place in generator.integers(0, (height, width)))
        luma = large[:height] + np.roll(plane, shift, axis=(0, 1))
        large[:height] = np.clip(luma, 16, 235)
        yield large


def repeat(drawn: Path, path: Path, frame_count: int) -> None:
    """The coded frames of ``drawn`` again and again, ``frame_count`` in all, evenly spaced.

    ``drawn`` has a constant rate; nothing is coded anew.
    """
    with atomic_write(path) as stream, av.open(stream, "w", format="mp4") as container:
        written, target = 0, None
        for turn in count():
            with av.open(str(drawn)) as source:
                stated = source.streams.video[0]
                assert stated.duration is not None
                shift = stated.duration * turn
                target = target or container.add_stream_from_template(stated)
                for packet in source.demux(stated):
                    if written == frame_count:
                        return
                    if packet.dts is None or packet.pts is None:
                        continue  # the mark of the end
                    packet.pts, packet.dts = packet.pts + shift, packet.dts + shift
                    packet.stream = target
                    container.mux(packet)
                    written += 1


def bytes_per_frame(path: Path) -> float:
    """Mean size of a coded frame."""
    with av.open(str(path)) as container:
        sizes = [packet.size for packet in container.demux(video=0) if packet.size]
    return sum(sizes) / len(sizes)


def decoding_seconds(path: Path, most: int = 1500) -> float:
    """The processor's seconds per frame on one thread, up to ``most`` frames."""
    began, decoded = time.process_time(), 0
    with av.open(str(path)) as container:
        container.streams.video[0].codec_context.thread_count = 1
        for _ in container.decode(video=0):
            decoded += 1
            if decoded == most:
                break
    return (time.process_time() - began) / decoded


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("videos", nargs="*", type=Path, help="Others to compare with.")
    paths = [SpeedSession(1.0).folder / "face.mp4", *parser.parse_args().videos]
    for path in paths:
        print(
            f"{path.name}: {bytes_per_frame(path):.0f} bytes per frame,"
            f" {1e3 * decoding_seconds(path):.2f} ms to decode one"
        )


if __name__ == "__main__":
    main()
