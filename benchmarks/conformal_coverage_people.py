"""Simulated people for ``conformal_coverage.py``: 60 s each, an ECG or a face that is bad at times.

    OMP_NUM_THREADS=1 .venv/bin/python benchmarks/conformal_coverage_people.py FOLDER [--people 80]

A session has four quarters of 15 s in an order of its own: as it is; the ECG with a muscle's noise
of 0.05 to 0.5 mV; the face's picture blurred by 1 to 3.5 pixels (``--blur`` asks for others); both.
People, courses and the quarters' order follow from the person's number alone; a session that is
there is not written anew.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
import pandas as pd
import torch
from scipy.ndimage import gaussian_filter

from affectscope.datasets.synthetic import (
    SyntheticPerson,
    SyntheticSettings,
    random_course,
    synthetic_person,
    write_session,
)
from affectscope.datasets.synthetic_face import HEIGHT, write_video
from affectscope.io.session import open_session
from affectscope.io.video import FrameReader
from affectscope.picture import ImageArray

SECONDS, QUARTER = 60.0, 15.0
SETTINGS = SyntheticSettings(sampling_rate=128.0, frame_rate=2.0)
BLUR = (1.0, 3.5)
"""Standard deviation in pixels, where nothing else is asked for."""
FIRST_SEED = 900_000
"""Far from the seeds of ``affectscope simulate people``, whose people taught the checkpoint."""


def quarters(number: int) -> tuple[list[str], np.random.Generator]:
    """What each quarter of a person's session is: "good", "ecg", "face" or "both"."""
    random = np.random.default_rng([FIRST_SEED, number])
    return list(random.permutation(["good", "ecg", "face", "both"])), random


def write_person(folder: Path, number: int, blur: tuple[float, float]) -> None:
    """A session folder, its ECG and its face spoilt where its quarters say so."""
    person: SyntheticPerson = synthetic_person(folder.name, FIRST_SEED + number)
    making = folder.with_suffix(".making")
    write_session(making, person, random_course(SECONDS, FIRST_SEED + number), settings=SETTINGS)
    order, random = quarters(number)
    _spoil_ecg(making / "signals.csv", order, random)
    _spoil_face(making, order, random, blur)
    making.rename(folder)


def _spoil_ecg(path: Path, order: list[str], random: np.random.Generator) -> None:
    table = pd.read_csv(path)
    quarter = np.minimum(table["time (s)"] // QUARTER, 3).astype(int)
    for index, kind in enumerate(order):
        if kind in ("ecg", "both"):
            rows = quarter == index
            noise = random.normal(0.0, np.exp(random.uniform(*np.log([0.05, 0.5]))), rows.sum())
            table.loc[rows, "ECG (mV)"] += noise
    table.round(6).to_csv(path, index=False)


def _spoil_face(
    folder: Path, order: list[str], random: np.random.Generator, blur: tuple[float, float]
) -> None:
    blurred = [random.uniform(*blur) if kind in ("face", "both") else 0.0 for kind in order]
    video = open_session(folder).recording.video
    assert video is not None

    def pictures() -> Iterator[ImageArray]:
        for frame in FrameReader(video):
            picture = _planes(frame.rgb)
            width = blurred[min(int(frame.time / QUARTER), 3)]
            if width:
                grey = picture[:HEIGHT].astype(np.float32)
                blurred_grey = gaussian_filter(grey, width, mode="mirror", truncate=3.0)
                picture[:HEIGHT] = np.rint(blurred_grey)
            yield picture[None]

    write_video(folder / "again.mp4", pictures(), SETTINGS.frame_rate)
    (folder / "again.mp4").replace(folder / "face.mp4")


def _planes(rgb: ImageArray) -> ImageArray:
    """(H, W, 3) as the planes of yuv420p, (3 H / 2, W), which ``write_video`` takes."""
    return av.VideoFrame.from_ndarray(rgb, "rgb24").reformat(format="yuv420p").to_ndarray()


def main() -> None:
    parser = argparse.ArgumentParser(description="Simulated people with bad stretches.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--people", type=int, default=80)
    parser.add_argument("--blur", type=float, nargs=2, default=BLUR, help="pixels, from and to")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    for number in range(asked.people):
        folder = asked.folder / f"spoilt-{number:03d}"
        if not folder.exists():
            write_person(folder, number, tuple(asked.blur))
            print(folder, flush=True)


if __name__ == "__main__":
    main()
