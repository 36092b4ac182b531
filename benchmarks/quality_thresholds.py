"""What the quality factors are on real recordings, and how right what is used is: docs/quality.md.

    python benchmarks/quality_thresholds.py [face | ecg | eda] [--data ../shared/data]

Prints Markdown tables. Without the real recordings it says so and stops.

Legend: S samples, B beats.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageFilter
from scipy.signal import butter, sosfiltfilt

from affectscope.errors import InputError
from affectscope.io.model_files import face_model
from affectscope.io.video import FrameReader, inspect_video
from affectscope.picture import ImageArray
from affectscope.preprocessing.ecg import EcgAnalysis, analyse_ecg, rr_intervals
from affectscope.preprocessing.eda import analyse_eda
from affectscope.preprocessing.eda_contact import relative_fall
from affectscope.preprocessing.face import FaceDetection, FaceDetector, align_face
from affectscope.preprocessing.face_occlusion import raw_measures
from affectscope.preprocessing.face_quality import FACTORS, UNSEEN, FaceQuality, face_quality
from affectscope.records import FloatArray, Signal
from face_covers import COVERS, cover

FACE_LIMIT = 0.3
CLIPS = (
    ("WolfgangLanger_Pexels.mp4", 3.0), ("single_face.mp4", 10.0),
    ("face_noface.mov", 4.0), ("noface_face.mov", 4.0),
)  # fmt: skip
PHOTOS = ("multi_face.jpg", "single_face.jpg")
HANDS = (2.4, 10.1)  # seconds of the first clip in which hands are before the face
OVER_EYE = (4.6, 5.6)
SUNGLASSES = 3  # the person on multi_face.jpg, by size

Shown = tuple[ImageArray, FaceDetection]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("part", nargs="?", choices=["face", "ecg", "eda"])
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    asked = parser.parse_args()
    if not asked.data.is_dir():
        raise SystemExit(f"The real recordings are not at {asked.data}; state them with --data.")
    parts: dict[str, Callable[[Path], None]] = {"face": face, "ecg": ecg, "eda": eda}
    for name, part in parts.items():
        if asked.part in (None, name):
            part(asked.data)


def row(*cells: object) -> None:
    shown = (f"{cell:.2f}" if isinstance(cell, float) else str(cell) for cell in cells)
    print(f"| {' | '.join(shown)} |")


def head(title: str, *names: str) -> None:
    print(f"\n{title}\n")
    row(*names)
    row(*["---"] * len(names))


# --- face


def face(data: Path) -> None:
    with FaceDetector(face_model()) as detector:
        bare, hands, eye, dark_glasses = shown_faces(data, detector)
        head(
            "Covered faces: pictures masked (quality below 0.3), of those in which a face is found",
            "what", "pictures", "face found", "masked", "masked without occlusion",
            "occlusion, median",
        )  # fmt: skip
        tell("bare", bare)
        tell("bare, mirrored", [mirrored(one) for one in bare])
        for kind in COVERS:
            tell(f"painted: {kind}", list(painted(bare, kind, detector)), len(bare))
        tell("real: hand over an eye", eye)
        tell("real: hands anywhere", hands)
        tell("real: sunglasses", dark_glasses)
        measures(bare, detector)
        spoiled(bare, detector)


def shown_faces(
    data: Path, detector: FaceDetector
) -> tuple[list[Shown], list[Shown], list[Shown], list[Shown]]:
    """Bare faces, hands before the face, of these over an eye, and sunglasses."""
    bare: list[Shown] = []
    hands: list[Shown] = []
    eye: list[Shown] = []
    for name, rate in CLIPS:
        for frame in FrameReader(inspect_video(data / "faces" / name), rate=rate):
            for found in detector.detect(frame.rgb)[:1]:
                with_hand = name == CLIPS[0][0] and HANDS[0] <= frame.time <= HANDS[1]
                (hands if with_hand else bare).append((frame.rgb, found))
                if with_hand and OVER_EYE[0] <= frame.time <= OVER_EYE[1]:
                    eye.append((frame.rgb, found))
    glasses: list[Shown] = []
    for name in PHOTOS:
        rgb = np.asarray(Image.open(data / "faces" / name).convert("RGB"))
        for index, found in enumerate(detector.detect(rgb)):
            dark = name == PHOTOS[0] and index == SUNGLASSES
            (glasses if dark else bare).append((rgb, found))
    return bare, hands, eye, glasses


def rated(shown: Shown) -> FaceQuality:
    rgb, found = shown
    return face_quality(align_face(rgb, found.key_points, 224), found)


def without_occlusion(quality: FaceQuality) -> float:
    return float(np.prod(quality.factors[:-1]))


def tell(what: str, faces: Sequence[Shown], asked: int | None = None) -> None:
    qualities = [rated(one) for one in faces]
    masked = sum(quality.overall < FACE_LIMIT for quality in qualities)
    otherwise = sum(without_occlusion(quality) < FACE_LIMIT for quality in qualities)
    row(
        what, asked or len(faces), len(faces), masked, otherwise,
        float(np.median([quality.occlusion for quality in qualities])),
    )  # fmt: skip


def mirrored(shown: Shown) -> Shown:
    """The same face as a mirror shows it: left and right change places, names too."""
    rgb, found = shown
    points = found.key_points.copy()
    points[:, 0] = rgb.shape[1] - 1 - points[:, 0]
    x, y, width, height = found.box
    box = (rgb.shape[1] - x - width, y, width, height)
    swapped = FaceDetection(box, points[[1, 0, 2, 3, 5, 4]], found.score)
    return np.ascontiguousarray(rgb[:, ::-1]), swapped


def painted(faces: Sequence[Shown], kind: str, detector: FaceDetector) -> Iterator[Shown]:
    for index, (rgb, found) in enumerate(faces):
        covered = cover(rgb, found.key_points, kind, np.random.default_rng(index))
        for again in detector.detect_around(covered, found.box)[:1]:
            yield covered, again


def measures(bare: Sequence[Shown], detector: FaceDetector) -> None:
    names = ("eyes", "mouth", "band", "mirror")
    head("The four measures of occlusion: 5 %, 50 % and 95 % of the pictures", "what", *names)
    rows = {"bare": list(bare), **{kind: list(painted(bare, kind, detector)) for kind in COVERS}}
    for what, faces in rows.items():
        raw = [raw_measures(align_face(rgb, one.key_points, 224), one.key_points)
               for rgb, one in faces]  # fmt: skip
        quantiles = ([np.percentile([one[name] for one in raw], q) for q in (5, 50, 95)]
                     for name in names)  # fmt: skip
        row(what, *(" / ".join(f"{value:.2f}" for value in three) for three in quantiles))


def spoiled(bare: Sequence[Shown], detector: FaceDetector) -> None:
    """Shrunk, blurred, darkened copies, turned key points."""
    head("Spoiled faces: median of each factor, pictures masked", "what", *FACTORS, "masked")
    some = list(bare)[::4]
    for pixels in (160, 96, 64, 48, 36):
        spoil_row(f"face of {pixels} px", [shrunk(one, pixels, detector) for one in some])
    for sigma in (0.02, 0.05, 0.07, 0.1):
        spoil_row(f"blur, sigma {sigma} eye distances", [blurred(one, sigma) for one in some])
    for gain in (0.5, 0.25, 0.12, 0.06):
        spoil_row(f"light x {gain}", [((rgb * gain).astype(np.uint8), one) for rgb, one in some])
    for degrees in (0, 30, 45, 60, 75):
        spoil_row(f"turned by {degrees} degrees", [turned(one, degrees) for one in some])


def spoil_row(what: str, faces: Sequence[Shown | None]) -> None:
    qualities = [UNSEEN if one is None else rated(one) for one in faces]
    medians = np.median([quality.factors for quality in qualities], axis=0)
    masked = sum(quality.overall < FACE_LIMIT for quality in qualities)
    row(what, *map(float, medians), f"{masked} of {len(faces)}")


def shrunk(shown: Shown, pixels: int, detector: FaceDetector) -> Shown | None:
    rgb, found = shown
    share = pixels / found.size
    size = (max(1, round(rgb.shape[1] * share)), max(1, round(rgb.shape[0] * share)))
    small = np.asarray(Image.fromarray(rgb).resize(size, Image.Resampling.LANCZOS))
    x, y, width, height = (part * share for part in found.box)
    again = detector.detect_around(small, (x, y, width, height))
    return (small, again[0]) if again else None


def blurred(shown: Shown, sigma: float) -> Shown:
    rgb, found = shown
    across = float(np.hypot(*(found.key_points[1] - found.key_points[0])))
    soft = Image.fromarray(rgb).filter(ImageFilter.GaussianBlur(sigma * across))
    return np.asarray(soft), found


def turned(shown: Shown, degrees: float) -> Shown:
    """The key points of a head of usual depth that is turned; the picture stays."""
    rgb, found = shown
    points, angle = found.key_points.copy(), np.radians(degrees)
    across = points[1] - points[0]
    middle = (points[0] + points[1]) / 2
    along = ((points - middle) @ across) / (across @ across)
    points += np.outer((np.cos(angle) - 1) * along, across)
    points[2] += 0.45 * np.sin(angle) * across
    return rgb, FaceDetection(found.box, points, found.score)


# --- ECG


def ecg(data: Path) -> None:
    names = ("record", "share used", "ecg_template", "ecg_noise", "error, mean", "error, largest",
             "10 s compared")  # fmt: skip
    head("Electrode motion added to MIT-BIH 118 (heartpy): heart rate error in bpm", *names)
    for name in ("118e24", "118e12", "118e06", "118e00"):
        values = np.loadtxt(data / "heartpy" / f"{name}.csv")
        beats = np.loadtxt(data / "heartpy" / f"{name}_ann.csv") / 360.0
        ecg_row(name, values, beats)
    head("Noise added to two minutes of MIT-BIH 100, 106 and 123", *names)
    for record in ("100", "106", "123"):
        values, beats = mitbih(data, record)
        values = values[: 120 * 360]
        spread = float(analyse_ecg(Signal(values, 360.0, "mV", 0.0)).cleaned.values.std())
        for kind in ("hum", "wander", "emg"):
            for snr in (24, 12, 6, 0):
                added = noise(kind, len(values), 360.0) * spread / 10 ** (snr / 20)
                ecg_row(f"{record}, {kind}, {snr} dB", values + added, beats)
    head("MIT-BIH as recorded, half an hour each", *names)
    for path in sorted((data / "mitbih").glob("*.npz")):
        ecg_row(path.stem, *mitbih(data, path.stem))


def mitbih(data: Path, record: str) -> tuple[FloatArray, FloatArray]:
    """mV, and annotated beats in seconds."""
    with np.load(data / "mitbih" / f"{record}.npz") as held:
        return held["ecg_mv"].astype(np.float64), held["r_peaks"] / float(held["sampling_rate"])


def noise(kind: str, count: int, rate: float) -> FloatArray:
    """Of variance 1."""
    if kind == "hum":
        return np.sqrt(2) * np.sin(2 * np.pi * 50.0 * np.arange(count) / rate)
    band = {"wander": (0.05, 0.5), "emg": (20.0, 150.0)}[kind]
    sections = butter(2, band, "band", fs=rate, output="sos")
    made = sosfiltfilt(sections, np.random.default_rng(5).standard_normal(count))
    return np.asarray(made / made.std())


def ecg_row(name: str, values: FloatArray, beats: FloatArray) -> None:
    try:
        analysis = analyse_ecg(Signal(values, 360.0, "mV", 0.0))
    except InputError as error:
        row(name, 0.0, "-", "-", "-", error.code, 0)
        return
    course, errors = analysis.course, heart_rate_errors(analysis, beats)
    row(
        name, float(course.used.mean()), float(np.nanmean(course.factors["ecg_template"])),
        float(np.nanmean(course.factors["ecg_noise"])),
        float(errors.mean()), float(errors.max()), len(errors),
    )  # fmt: skip


def heart_rate_errors(analysis: EcgAnalysis, beats: FloatArray) -> FloatArray:
    """bpm, per 10 s of which half can be read: intervals found against annotated beats in them."""
    intervals = rr_intervals(analysis)
    starts = intervals.starts[intervals.plausible]
    lengths = intervals.durations[intervals.plausible]
    errors = [np.nan]
    for low in np.arange(0.0, analysis.cleaned.end_time - 9.9, 10.0):
        mine = (starts >= low) & (starts < low + 10.0)
        if lengths[mine].sum() >= 5.0:
            known = np.searchsorted(beats, starts[mine] + lengths[mine] + 0.1)
            known = known - np.searchsorted(beats, starts[mine] + 0.1)
            errors.append(60 * abs(mine.sum() - known.sum()) / lengths[mine].sum())
    return np.array(errors[1:] or errors)


# --- EDA


def eda(data: Path) -> None:
    head(
        "EDA of wrist devices (4 Hz) and of a laboratory (NeuroKit, 100 Hz)",
        "record", "median, uS", "share used", "masked for range", "for slope", "for no change",
        "for motion", "largest fall in 1 s, 99.9 %",
    )  # fmt: skip
    wrist = [*sorted((data / "stress_predict").glob("S*/EDA.csv")), data / "empatica_e4/EDA.csv"]
    for path in wrist:
        read = np.loadtxt(path)
        name = path.parent.name
        eda_row(name, Signal(read[2:], float(read[1]), "uS", 0.0))
    table = np.genfromtxt(data / "neurokit/bio_eventrelated_100hz.csv", delimiter=",", names=True)
    eda_row("neurokit", Signal(table["EDA"], 100.0, "uS", 0.0))


def eda_row(name: str, signal: Signal) -> None:
    analysis = analyse_eda(signal)
    course = analysis.course
    names = list(course.factors)
    masked = course.recorded & ~course.used
    lowest = np.nanargmin(np.array(list(course.factors.values()))[:, masked], axis=0)
    counts = [int((lowest == index).sum()) for index in range(len(names))]
    fall = relative_fall(analysis.cleaned.values, analysis.valid, signal.sampling_rate)
    row(
        name, float(np.median(signal.values)), float(course.used.mean()),
        *(f"{count} s" for count in counts), float(np.quantile(fall[analysis.valid], 0.999)),
    )  # fmt: skip


if __name__ == "__main__":
    main()
