"""How far apart faces of one person and of different people are, on the real recordings.

    OMP_NUM_THREADS=1 .venv/bin/python benchmarks/face_identity.py

Needs ``affectscope fetch-models --identity`` and the recordings of ../shared/data/faces. People:
one in each of two clips, and the five in a photo, seven in all. One person's pairs are of different
frames of a clip; different people's are all others. The first face of a pair is as recorded, like a
good reference photo, the second as the row says. "Medians": over all faces of a person, as a track
is judged. single_face.jpg is left out: nothing states whether its person is one of the seven.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import numpy as np
from PIL import Image, ImageFilter
from scipy.stats import binomtest

from affectscope.io.model_files import face_model, identity_model
from affectscope.io.video import FrameReader, inspect_video
from affectscope.models.face_identity import SAME_PERSON, FaceIdentity, identity_crop
from affectscope.picture import ImageArray
from affectscope.preprocessing.face import LEFT_EYE, RIGHT_EYE, FaceDetection, FaceDetector
from affectscope.records import FloatArray

ROOT = Path(__file__).resolve().parents[1]
FACES = ROOT.parent / "shared" / "data" / "faces"
RESULT = ROOT / "benchmarks" / "results" / "face_identity.json"
CLIPS = {"single_face.mp4": 5.0, "WolfgangLanger_Pexels.mp4": 1.0}
"""Frames taken per second."""
PHOTO = "multi_face.jpg"

Change = Callable[[Image.Image, FaceDetection], Image.Image]


@dataclass(frozen=True)
class Seen:
    """One face: whose, in which picture of that person, and where."""

    person: str
    number: int
    rgb: ImageArray
    face: FaceDetection


@dataclass(frozen=True)
class Faces:
    """Of n faces: persons (n,), picture numbers (n,), embeddings (n, 128) and pixels (n, 22500)."""

    person: np.ndarray
    number: np.ndarray
    embedding: FloatArray
    pixels: FloatArray


def blurred(picture: Image.Image, face: FaceDetection) -> Image.Image:
    eyes = face.key_points[LEFT_EYE] - face.key_points[RIGHT_EYE]
    return picture.filter(ImageFilter.GaussianBlur(0.07 * float(np.hypot(*eyes))))


def darkened(picture: Image.Image, _face: FaceDetection) -> Image.Image:
    return picture.point(lambda value: 0.2 * value)


def small(picture: Image.Image, face: FaceDetection) -> Image.Image:
    share = 60 / face.size
    return picture.resize(
        (round(picture.width * share), round(picture.height * share)), Image.Resampling.BOX
    )


CONDITIONS: dict[str, Change] = {
    "as recorded": lambda picture, _face: picture,
    "blurred, sigma 0.07 eye distances": blurred,
    "darkened to a fifth": darkened,
    "60 pixels wide": small,
}


def seen(detector: FaceDetector) -> Iterator[Seen]:
    for name, rate in CLIPS.items():
        for number, frame in enumerate(FrameReader(inspect_video(FACES / name), rate=rate)):
            faces = detector.detect(frame.rgb)
            if faces:
                yield Seen(name, number, frame.rgb, faces[0])
    photo = np.asarray(Image.open(FACES / PHOTO).convert("RGB"))
    for place, face in enumerate(detector.detect(photo)):
        yield Seen(f"{PHOTO}, face {place + 1}", 0, photo, face)


def changed_crop(one: Seen, change: Change, detector: FaceDetector) -> ImageArray | None:
    """The face found again in the changed picture; None where it is not."""
    picture = change(Image.fromarray(one.rgb), one.face)
    share = picture.width / one.rgb.shape[1]
    x, y, width, height = (share * value for value in one.face.box)
    rgb = np.asarray(picture)
    centre = np.array([x + width / 2, y + height / 2])
    for face in detector.detect(rgb):
        if np.hypot(*(face.centre - centre)) < width / 2:
            return identity_crop(rgb, face)
    return None


def embedded(
    everyone: list[Seen], change: Change, identity: FaceIdentity, detector: FaceDetector
) -> Faces:
    crops = [changed_crop(one, change, detector) for one in everyone]
    found = [(one, crop) for one, crop in zip(everyone, crops, strict=True) if crop is not None]
    pictures = np.stack([crop for _, crop in found])
    grey = pictures.mean(axis=3).reshape(len(found), -1)
    grey = (grey - grey.mean(axis=1, keepdims=True)) / grey.std(axis=1, keepdims=True)
    return Faces(
        np.array([one.person for one, _ in found]),
        np.array([one.number for one, _ in found]),
        identity.embed(pictures),
        grey,
    )


def distances(one: FloatArray, other: FloatArray) -> FloatArray:
    return np.stack([np.linalg.norm(other - row, axis=1) for row in one])


def spread(values: FloatArray) -> dict[str, float]:
    """Minimum, 5th, 50th and 95th percentile, maximum, how many, and how many up to 0.6."""
    named = zip(("min", "p5", "median", "p95", "max"), (0, 5, 50, 95, 100), strict=True)
    found = {name: float(np.percentile(values, share)) for name, share in named}
    return found | {"pairs": len(values), "up_to_limit": int((values <= SAME_PERSON).sum())}


def track_medians(apart: FloatArray, one: Faces, other: Faces) -> tuple[FloatArray, FloatArray]:
    """Each face as reference photo against each person's faces: medians (n, 7), and whose are own.

    The picture of the reference itself is left out; where none is left the median is infinite.
    """
    people = np.unique(one.person)
    own = one.person[:, None] == people
    found = np.full(own.shape, np.inf)
    for row, column in np.ndindex(own.shape):
        usable = (other.person == people[column]) & (
            ~own[row, column] | (other.number != one.number[row])
        )
        if usable.any():
            found[row, column] = np.median(apart[row, usable])
    return found, own


def nearest_right(medians: FloatArray, own: FloatArray) -> float:
    """Share of the references whose nearest person is their own, where they have other pictures."""
    judged = np.isfinite(medians).all(axis=1)
    return float(own[judged, medians[judged].argmin(axis=1)].mean())


def measured(one: Faces, other: Faces) -> dict[str, object]:
    """A row: references as recorded against faces of the condition."""
    apart = distances(one.embedding, other.embedding)
    same = one.person[:, None] == other.person[None]
    same_picture = same & (one.number[:, None] == other.number[None])
    medians, own = track_medians(apart, one, other)
    by_pixels, _ = track_medians(distances(one.pixels, other.pixels), one, other)
    return {
        "faces_found": len(other.person),
        "one_person": spread(apart[same & ~same_picture]),
        "different_people": spread(apart[~same]),
        "one_person, medians": spread(medians[own & np.isfinite(medians)]),
        "different_people, medians": spread(medians[~own]),
        "nearest_right": nearest_right(medians, own),
        "nearest_right_by_pixels": nearest_right(by_pixels, own),
    }


def confused_pairs(one: Faces) -> dict[str, object]:
    """Pairs of people whose median distance, as recorded, is within the limit."""
    people = np.unique(one.person)
    apart = distances(one.embedding, one.embedding)
    medians = {
        (a, b): float(np.median(apart[np.ix_(one.person == a, one.person == b)]))
        for a, b in combinations(people, 2)
    }
    close = {f"{a} | {b}": value for (a, b), value in medians.items() if value <= SAME_PERSON}
    interval = binomtest(len(close), len(medians)).proportion_ci(method="exact")
    return {"pairs": len(medians), "close": close, "interval": [interval.low, interval.high]}


def main() -> None:
    identity = FaceIdentity(identity_model())
    with FaceDetector(face_model()) as detector:
        everyone = list(seen(detector))
        by_condition = {
            name: embedded(everyone, change, identity, detector)
            for name, change in CONDITIONS.items()
        }
    reference = by_condition["as recorded"]
    rows = {name: measured(reference, faces) for name, faces in by_condition.items()}
    result = {"faces": len(everyone), "limit": SAME_PERSON, "rows": rows}
    result["confused"] = confused_pairs(reference)
    RESULT.write_text(json.dumps(result, indent=1) + "\n")
    print(table(result))


def table(result: dict[str, object]) -> str:
    lines = [f"{result['faces']} faces, limit {result['limit']}"]
    rows: dict[str, dict[str, object]] = result["rows"]
    for name, row in rows.items():
        right = f"{row['nearest_right']:.0%}, by pixels {row['nearest_right_by_pixels']:.0%}"
        lines.append(f"{name}: {row['faces_found']} found; nearest of seven right {right}")
        for kind in [key for key, value in row.items() if isinstance(value, dict)]:
            values = dict(row[kind])
            pairs, within = values.pop("pairs"), values.pop("up_to_limit")
            shown = "  ".join(f"{key} {value:.2f}" for key, value in values.items())
            lines.append(f"  {kind:<25} {shown}  up to the limit: {within} of {pairs}")
    confused = result["confused"]
    low, high = confused["interval"]
    lines.append(
        f"pairs of people within the limit: {len(confused['close'])} of {confused['pairs']} "
        f"(exact 95 % interval {low:.1%} to {high:.1%}): {confused['close']}"
    )
    return "\n".join(lines)


if __name__ == "__main__":
    main()
