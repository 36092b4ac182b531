"""How often the pulse in a face is aligned with an ECG, rightly and wrongly. Simulated people.

    .venv/bin/python benchmarks/pulse_alignment.py [--pairs 40] [--seconds 90] [--clip face.mp4]

Beats are those of simulated people; skin colours carry a pulse after them as Wang et al. (2017)
describe it, plus noise given per picture and colour, in shares of the pulse's height in green.
"Wrongly" pairs the face of one simulated person with the beats of another. With --clip, a clip of
a face is played to and fro for 80 s with such a pulse painted over the whole picture, and goes all
the way through the face detector, as a session with [sync] method = "content" does.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path

import av
import numpy as np
import pandas as pd

from affectscope.datasets.alignment import FURTHEST, aligned
from affectscope.datasets.synthetic import (
    SyntheticSettings,
    known_beats,
    random_course,
    synthetic_person,
    synthetic_recording,
)
from affectscope.io.session import open_session
from affectscope.io.session_file import session_toml
from affectscope.preprocessing.face_pulse import PulseFit, align_by_pulse, face_pulse
from affectscope.records import FloatArray

RATE = 25.0
HEIGHT = 0.004  # of the green light, at rest
VECTOR = np.array([0.43, 1.0, 0.69])  # red, green, blue: (0.33, 0.77, 0.53) / 0.77
CREST = (0.1, 0.35)  # s after the R peak


def beats_of(seed: int, seconds: float) -> FloatArray:
    return known_beats(synthetic_person(f"simulated-{seed}", seed), random_course(seconds, seed))


def blood_volume(beats: FloatArray, times: FloatArray, delay: float) -> FloatArray:
    volume = np.zeros(len(times))
    for beat in beats:
        after = times - beat - delay
        volume += np.exp(-((after / np.where(after < 0, 0.08, 0.18)) ** 2) / 2)
    return volume


def one_pair(face: int, heart: int, seconds: float, noise: float) -> tuple[PulseFit | str, float]:
    """The fit of one simulated face with one simulated heart, and the true offset."""
    generator = np.random.default_rng([face, heart])
    shift = float(generator.uniform(-20, 20))
    times = np.arange(round(seconds * RATE)) / RATE
    volume = blood_volume(beats_of(face, seconds), times, generator.uniform(*CREST))
    light = 1 + 0.02 * np.cumsum(generator.normal(0, 1, len(times))) / np.sqrt(len(times))
    colours = (
        np.array([150.0, 110.0, 90.0]) * light[:, None] * (1 - HEIGHT * volume[:, None] * VECTOR)
    )
    colours += generator.normal(0, noise * HEIGHT * 110, colours.shape)
    pulse = face_pulse(times - shift, colours)
    assert pulse is not None
    found = align_by_pulse(
        pulse, beats_of(heart, seconds), furthest=FURTHEST, generator=np.random.default_rng(face)
    )
    return found, shift


def with_clip(clip: Path, folder: Path, seconds: float = 90.0) -> str:
    """One session whose face is a real clip with a simulated pulse 6.4 s beside the ECG."""
    person, course = synthetic_person("simulated-1", 1), random_course(seconds, 1)
    signals = synthetic_recording(person, course, settings=SyntheticSettings(sampling_rate=256.0))
    assert signals.ecg is not None
    pd.DataFrame({"ECG (mV)": signals.ecg.values}).to_csv(folder / "signals.csv", index=False)
    with av.open(str(clip)) as container:
        pictures = [
            frame.reformat(width=480, height=round(480 * frame.height / frame.width / 2) * 2)
            .to_ndarray(format="rgb24")
            for frame in container.decode(video=0)
        ]  # fmt: skip
    order = [*range(len(pictures)), *range(len(pictures) - 2, 0, -1)]
    times = np.arange(round((seconds - 10) * RATE)) / RATE
    volume = blood_volume(known_beats(person, course) - 6.4, times, 0.2)
    generator = np.random.default_rng(0)
    with av.open(str(folder / "face.mp4"), "w") as container:
        stream = container.add_stream("libx264", rate=round(RATE), options={"crf": "12"})
        stream.height, stream.width = pictures[0].shape[:2]
        stream.pix_fmt = "yuv444p"
        for n, height in enumerate(volume):
            picture = pictures[order[n % len(order)]] * (1 - 2 * HEIGHT * height * VECTOR)
            picture = np.clip(picture + generator.uniform(0, 1, picture.shape), 0, 255)
            shown = av.VideoFrame.from_ndarray(picture.astype(np.uint8), format="rgb24")
            container.mux(stream.encode(shown))
        container.mux(stream.encode())
    tables = {
        "format": 1,
        "subject_id": "simulated-1",
        "simulated": True,
        "face": {"file": "face.mp4"},
        "ecg": {"file": "signals.csv", "channel": "ECG", "sampling_rate": 256.0},
        "sync": {"method": "content"},
    }
    (folder / "session.toml").write_text(session_toml(tables))
    face = aligned(open_session(folder)).alignments[0]
    known = "not known" if face.uncertainty is None else f"+-{face.uncertainty:.3f} s"
    return f"{face.method}: offset {face.offset:+.3f} s {known}, true +6.400 s. {face.sentence}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=40)
    parser.add_argument("--seconds", type=float, nargs="+", default=[90.0])
    parser.add_argument("--clip", type=Path)
    asked = parser.parse_args()
    rows = []
    for seconds in asked.seconds:
        for noise in (0.5, 1.0, 2.0):
            own = [one_pair(n, n, seconds, noise) for n in range(asked.pairs)]
            other = [one_pair(n, n + 5000, seconds, noise)[0] for n in range(asked.pairs)]
            fits = [(fit, shift) for fit, shift in own if isinstance(fit, PulseFit)]
            errors = [abs(fit.offset - shift) for fit, shift in fits]
            row = {
                "seconds": seconds,
                "noise": noise,
                "pairs": asked.pairs,
                "aligned": len(fits),
                "interval_holds_truth": sum(
                    abs(fit.offset - shift) <= fit.uncertainty for fit, shift in fits
                ),
                "largest_error": max(errors, default=None),
                "unrelated_aligned": sum(isinstance(fit, PulseFit) for fit in other),
            }
            rows.append(row)
            print(json.dumps(row), flush=True)
    if asked.clip is not None:
        with tempfile.TemporaryDirectory() as folder:
            print("real clip, simulated pulse:", with_clip(asked.clip, Path(folder)))


if __name__ == "__main__":
    main()
