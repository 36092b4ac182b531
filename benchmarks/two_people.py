"""Whom the program follows where two people are in the picture: shares, swaps, breaks.

    .venv/bin/python benchmarks/two_people.py --crossings 10000
    .venv/bin/python benchmarks/two_people.py --videos

The first measures the tracker alone on random face boxes; the second the whole search on scenes put
together from two real videos. Figures go to benchmarks/results/two_people_*.json.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np

from affectscope.inference.person_photo import photo_check
from affectscope.io.model_files import face_model
from affectscope.preprocessing.chosen_person import PersonTracker
from affectscope.preprocessing.face import FaceDetection, FaceDetector
from affectscope.preprocessing.face_tracking import PersonSearch, follow_face
from affectscope.records import PersonBox, PersonChoice
from person_scenes import (
    Actor,
    Place,
    cut_head,
    path,
    scene,
    tinted,
    tinted_pixels,
)

FACES = Path(__file__).resolve().parents[2] / "shared" / "data" / "faces"
RESULTS = Path(__file__).parent / "results"
SIZE, FACE = (640, 360), 100
LEFT, RIGHT = (160.0, 170.0), (480.0, 180.0)
RATES = (2, 5, 10, 15, 30)


# --- the tracker alone


def face_at(x: float, y: float, size: float) -> FaceDetection:
    return FaceDetection((x - size / 2, y - size / 2, size, size), np.zeros((6, 2)), 0.95)


def crossing(seed: int) -> dict[str, Any]:
    """Two faces cross or turn back; boxes jitter, sightings are missed, one hides the other."""
    random = np.random.default_rng(seed)
    rate = int(random.choice(RATES))
    seconds, size = random.uniform(3, 10), random.uniform(50, 120)
    ratio, gap = random.uniform(0.75, 1.35), random.uniform(2, 6) * size
    times = np.arange(int(seconds * rate)) / rate
    share = np.clip((times / seconds - 0.15) / 0.7, 0, 1)
    turns_back = random.random() < 0.3
    if turns_back:
        share = (1 - abs(2 * times / seconds - 1)) * random.uniform(0.4, 0.75)
    missed, height = random.uniform(0, 0.2), 200 + random.normal(0, 0.15 * size)
    tracker = PersonTracker(PersonChoice("left"))
    own = other = 0
    for index, time in enumerate(times):
        places = 300 + gap * share[index], 300 + gap * (1 - share[index])
        jitter = random.normal(0, 0.015 * size, 4)
        growth = size * (1 + random.normal(0, 0.02, 2)) * (1, ratio)
        seen = {
            "own": face_at(places[0] + jitter[0], 200 + jitter[1], growth[0]),
            "other": face_at(places[1] + jitter[2], height + jitter[3], growth[1]),
        }
        if abs(places[0] - places[1]) < 0.35 * size * (1 + ratio):
            del seen["own" if ratio > 1 else "other"]
        if index > 2:
            seen = {name: face for name, face in seen.items() if random.random() >= missed}
        person = tracker.update(list(seen.values()), float(time))
        own += person is not None and person is seen.get("own")
        other += person is not None and person is seen.get("other")
    told = any(notice.code == "W_PERSON_LOST" for notice in tracker.notices())
    return {"rate": rate, "crossed": not turns_back, "own": own, "other": other, "told": told}


def crossings(count: int) -> list[dict[str, Any]]:
    ended = [crossing(seed) for seed in range(count)]
    rows = []
    for rate in RATES:
        own = [each for each in ended if each["rate"] == rate]
        wrong = [each for each in own if each["other"]]
        rows.append(
            {
                "pictures_per_second": rate,
                "crossings": len(own),
                "with_the_other_followed": len(wrong),
                "of_these_silent": sum(not each["told"] for each in wrong),
                "pictures_of_the_other": sum(each["other"] for each in own),
                "followed_pictures": sum(each["own"] + each["other"] for each in own),
                "told_a_break": sum(each["told"] for each in own),
            }
        )
    return rows


# --- whole scenes


def scenes() -> dict[str, tuple[Place, Place, float]]:
    crossed = [path((0, *a), (3, *a), (6, *b)) for a, b in ((LEFT, RIGHT), (RIGHT, LEFT))]
    quick = [path((0, *a), (3, *a), (4, *b)) for a, b in ((LEFT, RIGHT), (RIGHT, LEFT))]
    return {
        "side by side": (path((0, *LEFT)), path((0, *RIGHT)), 20),
        "close together": (path((0, *LEFT)), path((0, 310, 180)), 20),
        "crossing in 3 s": (crossed[0], crossed[1], 20),
        "crossing in 1 s": (quick[0], quick[1], 20),
        "leaving for 5 s": (path((0, *LEFT), away=[(5, 10)]), path((0, *RIGHT)), 20),
        "leaving for 15 s": (path((0, *LEFT), away=[(3, 18)]), path((0, *RIGHT)), 25),
        "the other in the person's place": (
            path((0, *LEFT), (4, *LEFT), (5, -120, 170)),
            path((0, *RIGHT), (6, *RIGHT), (8, *LEFT)),
            20,
        ),
    }


def followed(
    actors: list[Actor], seconds: float, detector: FaceDetector, tracker: PersonTracker
) -> dict[str, Any]:
    """``actors``: the person, then the other one, who is in front."""
    scored = right = tint = total = 0
    frames = scene(actors, seconds=seconds, rate=10, size=SIZE)
    search = PersonSearch(detector, tracker)
    for sample in follow_face(frames, search, crop_size=224, minimum_quality=0.3):
        total += 1
        if sample.crop is None or sample.box is None:
            continue
        place = actors[0].place(sample.time)
        centre = sample.box[0] + sample.box[2] / 2
        scored += 1
        right += place is not None and abs(centre - place[0]) < 0.4 * FACE
        tint += tinted_pixels(sample.crop) > 0
    return {
        "pictures": total,
        "scored": scored,
        "scored_on_the_person": right,
        "crops_with_pixels_of_the_other": tint,
        "breaks": sum(notice.code == "W_PERSON_LOST" for notice in tracker.notices()),
    }


def videos(work: Path) -> list[dict[str, Any]]:
    from PIL import Image

    rows = []
    with FaceDetector(face_model()) as detector:
        names = ("single_face.mp4", "WolfgangLanger_Pexels.mp4")
        heads = [cut_head(FACES / name, detector, face=FACE) for name in names]
        still = scene([Actor(heads[0], path((0, 200, 150)))], seconds=1, rate=1, size=(400, 300))
        Image.fromarray(next(iter(still)).rgb).save(work / "person.png")
        for name, (own, other, seconds) in scenes().items():
            box = own(seconds - 5)
            boxes = [PersonBox(0, (LEFT[0] - 50, LEFT[1] - 50, 100, 100))]
            if box is not None:
                later = (box[0] - 50, box[1] - 50, 100, 100)
                boxes.append(PersonBox(seconds - 5, later))
            for choice in (
                PersonChoice("left"),
                PersonChoice("box", tuple(boxes)),
                PersonChoice("photo", photo=work / "person.png"),
            ):
                magenta = choice.rule != "photo"  # the photo compares natural colours
                second = tinted(heads[1]) if magenta else heads[1]
                check = None if choice.photo is None else photo_check(choice.photo, detector)
                actors = [Actor(heads[0], own), Actor(second, other)]
                found = followed(actors, seconds, detector, PersonTracker(choice, check))
                if not magenta:
                    del found["crops_with_pixels_of_the_other"]
                rows.append({"scene": name, "rule": choice.rule, **found})
                print(rows[-1], flush=True)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--crossings", type=int, default=0, help="How many random crossings.")
    parser.add_argument("--videos", action="store_true", help="Composed scenes.")
    parser.add_argument("--work", type=Path, default=Path("/tmp"), help="For the made-up photo.")
    asked = parser.parse_args()
    if asked.crossings:
        rows = crossings(asked.crossings)
        (RESULTS / "two_people_crossings.json").write_text(json.dumps(rows, indent=1) + "\n")
        for row in rows:
            print(row)
    if asked.videos:
        rows = videos(asked.work)
        (RESULTS / "two_people_videos.json").write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
