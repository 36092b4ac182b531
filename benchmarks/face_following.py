"""Faces followed between detections, beside detection in every frame: exactness, share, cost.

    OMP_NUM_THREADS=1 .venv/bin/python benchmarks/face_following.py

Real clips of ../shared/data/faces, a simulated person with the demo's checkpoint, and scenes of two
people put together from two real videos, at 25 frames per second. Distances are medians over the
eyes, nose and mouth, in per cent of the distance of the eyes; of the clips' frames those are
compared that were followed. What is compared with: the detector's own disagreement about one
picture, when the searched region lies elsewhere by up to 2 and 5 per cent of the face (as it does
while a head sways), or when the picture was compressed once more. Processor milliseconds are this
process's, without decoding; both ways in turns. Figures go to
benchmarks/results/face_following.json.
"""

from __future__ import annotations

import argparse
import io
import json
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from affectscope import load_checkpoint, open_session
from affectscope.datasets.body_analysis import analyse_body
from affectscope.datasets.synthetic import (
    SyntheticSettings,
    random_course,
    synthetic_person,
    write_session,
)
from affectscope.datasets.window_dataset import StreamSettings, WindowStream
from affectscope.io.model_files import face_model
from affectscope.io.video import FrameReader, inspect_video
from affectscope.picture import ImageArray
from affectscope.preprocessing.chosen_person import PersonTracker
from affectscope.preprocessing.face import FaceDetection, FaceDetector
from affectscope.preprocessing.face_tracking import PersonSearch, follow_face
from affectscope.records import TARGETS, FloatArray, Frame, PersonChoice
from person_scenes import Actor, Head, Place, cut_head, path, scene, tinted, tinted_pixels
from two_people import FACE, FACES, LEFT, RESULTS, SIZE, scenes

ROOT = Path(__file__).resolve().parents[1]
CLIPS = ("WolfgangLanger_Pexels.mp4", "single_face.mp4", "face_noface.mov", "noface_face.mov")
RATE = 25.0


@dataclass
class Walk:
    """What one way of looking gave: faces, which frames were followed, processor seconds."""

    faces: list[FaceDetection | None]
    followed: list[bool]
    seconds: float


def walk(frames: Iterable[Frame], detector: FaceDetector, *, every_frame: bool) -> Walk:
    search = PersonSearch(detector, PersonTracker(PersonChoice()), every_frame=every_frame)
    done = Walk([], [], 0.0)
    for frame in frames:
        before, begun = search.detected, time.process_time()
        done.faces.append(search.look(frame))
        done.seconds += time.process_time() - begun
        done.followed.append(search.detected == before)
    return done


def apart(one: FaceDetection, other: FaceDetection) -> float:
    """Per cent of the distance of the eyes."""
    far = np.hypot(*(one.key_points - other.key_points)[:4].T)
    return float(100 * np.median(far) / np.hypot(*(one.key_points[1] - one.key_points[0])))


def spread(values: Sequence[float]) -> dict[str, float]:
    median, high = np.percentile(values, [50, 95])
    return {
        "median": round(float(median), 2),
        "percentile_95": round(float(high), 2),
        "largest": round(max(values), 2),
    }


def jitter(faces: Sequence[FaceDetection | None]) -> list[float]:
    """Between a face and the middle of those before and after, as if between two detections."""
    found = []
    for before, face, after in zip(faces, faces[1:], faces[2:], strict=False):
        if before is not None and face is not None and after is not None:
            middle = (before.key_points + after.key_points) / 2
            away = np.median(np.hypot(*(face.key_points - middle)[:4].T))
            eyes = np.hypot(*(face.key_points[1] - face.key_points[0]))
            found.append(float(100 * away / eyes * np.sqrt(2 / 1.5)))
    return found


def compressed(rgb: ImageArray) -> ImageArray:
    from PIL import Image

    coded = io.BytesIO()
    Image.fromarray(rgb).save(coded, "jpeg", quality=75)
    return np.asarray(Image.open(coded))


def disagreement(
    frames: Iterable[Frame], faces: Sequence[FaceDetection | None], detector: FaceDetector
) -> dict[str, dict[str, float]]:
    """Of two detections in the same picture, every third one."""
    chance = np.random.default_rng(0)
    found: dict[str, list[float]] = {"region 2 %": [], "region 5 %": [], "compressed": []}
    for frame, face in zip(frames, faces, strict=True):
        if frame.index % 3 or face is None:
            continue
        x, y, width, height = face.box
        for name, share in (("region 2 %", 0.02), ("region 5 %", 0.05)):
            moves = chance.uniform(-share, share, (2, 2)) * face.size
            pair = [
                detector.detect_around(frame.rgb, (x + a, y + b, width, height)) for a, b in moves
            ]
            if pair[0] and pair[1]:
                found[name].append(apart(pair[0][0], pair[1][0]))
        pair = [detector.detect_around(rgb, face.box) for rgb in (frame.rgb, compressed(frame.rgb))]
        if pair[0] and pair[1]:
            found["compressed"].append(apart(pair[0][0], pair[1][0]))
    return {name: spread(values) for name, values in found.items()}


def compared(make: Callable[[], Iterable[Frame]], detector: FaceDetector) -> dict[str, Any]:
    """Both ways over the same frames, twice; the lower cost counts."""
    costs: dict[bool, list[float]] = {True: [], False: []}
    walks = {}
    for _ in range(2):
        for every_frame in (True, False):
            walks[every_frame] = walk(make(), detector, every_frame=every_frame)
            costs[every_frame].append(walks[every_frame].seconds)
    plain, ours = walks[True], walks[False]
    pairs = list(zip(plain.faces, ours.faces, strict=True))
    frames = len(pairs)
    return {
        "frames": frames,
        "detected": round(1 - float(np.mean(ours.followed)), 3),
        "seen_by_one_way_only": sum((a is None) != (b is None) for a, b in pairs),
        "followed_apart": spread(
            [
                apart(a, b)
                for (a, b), followed in zip(pairs, ours.followed, strict=True)
                if a is not None and b is not None and followed
            ]
        ),
        "all_apart": spread([apart(a, b) for a, b in pairs if a is not None and b is not None]),
        "disagreement_in_time": spread(jitter(plain.faces)),
        "jitter_of_followed": spread(jitter(ours.faces)),
        "disagreement": disagreement(make(), plain.faces, detector),
        "milliseconds_every_frame": round(1e3 * min(costs[True]) / frames, 2),
        "milliseconds_followed": round(1e3 * min(costs[False]) / frames, 2),
    }


# --- estimates


def estimates(folder: Path, *, every_frame: bool) -> tuple[FloatArray, FloatArray]:
    """(N, 2) valence and arousal of a session, and (N,) whether its face was scored."""
    session, scorer = open_session(folder), load_checkpoint(ROOT / "demo" / "checkpoint")
    stream = WindowStream(
        session.recording,
        analyse_body(session.recording),
        scorer.checkpoint.preprocessing,
        face_model,
        StreamSettings(detect_every_frame=every_frame),
    )
    columns = [TARGETS.index("valence"), TARGETS.index("arousal")]
    values, present = [], []
    for batch in stream:
        values.append(scorer.score(batch)[:, columns])
        present.append(batch.present["face"])
    return np.concatenate(values), np.concatenate(present)


def simulated(work: Path, seconds: float, detector: FaceDetector) -> dict[str, Any]:
    person = synthetic_person("simulated-followed", 811)
    folder = work / "session"
    folder.mkdir()
    write_session(
        folder, person, random_course(seconds, 812), settings=SyntheticSettings(frame_rate=RATE)
    )
    video = inspect_video(folder / "face.mp4")
    row = {"clip": "simulated person", **compared(lambda: FrameReader(video), detector)}
    (plain, seen), (ours, ours_seen) = (
        estimates(folder, every_frame=every_frame) for every_frame in (True, False)
    )
    return {
        **row,
        "scored_by_one_way_only": int((seen != ours_seen).sum()),
        "estimates_apart": distances(ours - plain),
        "estimates_from_frame_to_frame": distances(np.diff(plain, axis=0)),
    }


def distances(differences: FloatArray) -> dict[str, dict[str, float]]:
    """Of (N, 2) valence and arousal."""
    found = {}
    for name, column in zip(("valence", "arousal"), abs(differences).T, strict=True):
        values = column[np.isfinite(column)]
        found[name] = {
            "mean": round(float(values.mean()), 4),
            "percentile_95": round(float(np.percentile(values, 95)), 4),
            "largest": round(float(values.max()), 4),
        }
    return found


# --- two people


def meetings() -> dict[str, tuple[Place, Place, float]]:
    """The person's path, the other one's, and seconds: also somebody who comes in at speed."""
    still = path((0, *LEFT))
    return {
        **scenes(),
        "the other comes in within 0.4 s": (
            still,
            path((0, 760, 180), (4.3, 760, 180), (4.7, 310, 180), (8, 310, 180)),
            8,
        ),
        "the other comes up beside the person": (
            still,
            path((0, 290, 480), (4.3, 290, 480), (4.6, 290, 180), (8, 290, 180)),
            8,
        ),
        "the other passes before the person in 1 s": (
            still,
            path((0, 760, 180), (4, 760, 180), (5, -120, 180)),
            8,
        ),
    }


def met(
    name: str, heads: tuple[Head, Head], detector: FaceDetector, *, every_frame: bool
) -> dict[str, Any]:
    own, other, seconds = meetings()[name]
    tracker = PersonTracker(PersonChoice("left"))
    search = PersonSearch(detector, tracker, every_frame=every_frame)
    actors = [Actor(heads[0], own), Actor(tinted(heads[1]), other)]
    frames = scene(actors, seconds=seconds, rate=RATE, size=SIZE)
    total = scored = right = magenta = 0
    for sample in follow_face(frames, search, crop_size=224, minimum_quality=0.3):
        total += 1
        place = own(sample.time)
        if sample.crop is None or sample.box is None:
            continue
        scored += 1
        middle = sample.box[0] + sample.box[2] / 2
        right += place is not None and abs(middle - place[0]) < 0.4 * FACE
        magenta += tinted_pixels(sample.crop) > 0
    return {
        "pictures": total,
        "detected": round(search.detected / total, 3),
        "scored": scored,
        "scored_on_the_person": right,
        "crops_with_pixels_of_the_other": magenta,
        "breaks": sum(notice.code == "W_PERSON_LOST" for notice in tracker.notices()),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--seconds", type=float, default=60.0, help="Of the simulated session.")
    parser.add_argument(
        "--only", choices=("clips", "simulated", "scenes"), help="Measure one part anew."
    )
    asked = parser.parse_args()
    result = RESULTS / "face_following.json"
    found: dict[str, Any] = json.loads(result.read_text()) if result.exists() else {}
    with FaceDetector(face_model()) as detector, TemporaryDirectory() as work:
        if asked.only in (None, "clips"):
            found["clips"] = []
            for name in CLIPS:
                video = inspect_video(FACES / name)
                row = {"clip": name, **compared(lambda video=video: FrameReader(video), detector)}
                print(json.dumps(row), flush=True)
                found["clips"].append(row)
        if asked.only in (None, "simulated"):
            found["simulated"] = simulated(Path(work), asked.seconds, detector)
            print(json.dumps(found["simulated"]), flush=True)
        if asked.only in (None, "scenes"):
            own, other = (cut_head(FACES / name, detector, face=FACE) for name in CLIPS[1::-1])
            found["scenes"] = []
            for name in meetings():
                for every_frame in (True, False):
                    row = met(name, (own, other), detector, every_frame=every_frame)
                    way = "every frame" if every_frame else "followed"
                    found["scenes"].append({"scene": name, "way": way, **row})
                    print(json.dumps(found["scenes"][-1]), flush=True)
    result.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
