"""What each stage takes for a frame of 720p video, one after the other, nothing beside it.

Milliseconds by the clock, and of this process on all its cores. They add up to more than a run
takes: in the pipeline stages work side by side.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

import av
import numpy as np
import torch
from numpy.typing import NDArray

from affectscope.errors import AffectScopeError
from affectscope.inference.engine import PRECISIONS, EngineAsked, FaceEngine
from affectscope.inference.predictor import Predictor, load_checkpoint
from affectscope.io.model_files import face_model
from affectscope.io.session import open_session
from affectscope.io.video import FrameReader
from affectscope.models.checkpoint import load_checkpoint as reference
from affectscope.models.face_encoder import FaceEncoder
from affectscope.picture import ImageArray
from affectscope.preprocessing.chosen_person import PersonTracker
from affectscope.preprocessing.face import FaceDetector, align_face
from affectscope.preprocessing.face_quality import face_quality
from affectscope.preprocessing.face_tracking import PersonSearch, follow_face
from affectscope.preprocessing.picture_checks import PictureChecks
from affectscope.preprocessing.windows import Preprocessing
from affectscope.records import Frame, PersonChoice, VideoTrack
from affectscope.therapy.assessment import assess
from affectscope.therapy.measures import AFFECT
from affectscope.therapy.session_outputs import write_outputs
from speed_sessions import SpeedSession

BATCH = 64
CROP = Preprocessing().crop_size
Costs = dict[str, float]


def costs(work: Callable[[], object], count: int) -> Costs:
    """Milliseconds for each of ``count`` pieces of work."""

    def counted() -> int:
        work()
        return count

    return costs_each(counted)


def costs_each(work: Callable[[], int]) -> Costs:
    """The same of work that returns how many pieces it did."""
    began, cpu_began = time.perf_counter(), time.process_time()
    count = work()
    seconds, cpu = time.perf_counter() - began, time.process_time() - cpu_began
    return {"ms": round(1e3 * seconds / count, 3), "cpu_ms": round(1e3 * cpu / count, 3)}


def exhausted(items: Iterable[object]) -> None:
    for _ in items:
        pass


@dataclass(frozen=True, eq=False)
class PictureStages:
    """The stages from the file to the crop, on the first ``count`` frames of a video."""

    track: VideoTrack
    count: int
    detector: FaceDetector

    def figures(self) -> dict[str, Costs]:
        decoding = {
            "decode, in this process": self._costs(lambda: self._decode(to_rgb=False)),
            "decode and convert whole pictures to RGB": self._costs(
                lambda: self._decode(to_rgb=True)
            ),
            "decode in a process of its own, and transfer": self._costs(self._frames),
        }
        return {
            **decoding,
            "checks for still and empty pictures": self._checks(),
            "detection in every whole picture": self._detection(),
            **self._crops(),
            "finding, following, cropping and rating": self._following(),
        }

    def _checks(self) -> Costs:
        frames = self._frames()
        return self._costs(lambda: exhausted(PictureChecks().watched(frames)))

    def _detection(self) -> Costs:
        frames = self._frames()
        return self._costs(lambda: [self.detector.detect(frame.picture) for frame in frames])

    def _crops(self) -> dict[str, Costs]:
        """Of the face in the first frame, which hardly moves meanwhile."""
        frames = self._frames()
        face = self.detector.detect(frames[0].picture)[0]
        crops: list[ImageArray] = []

        def crop() -> None:
            crops.extend(align_face(frame.picture, face.key_points, CROP) for frame in frames)

        return {
            "crop": self._costs(crop),
            "quality of a crop": self._costs(lambda: [face_quality(each, face) for each in crops]),
        }

    def _following(self) -> Costs:
        """With the share of frames in which faces were searched for; in the others the motion of
        the last one found was followed."""
        frames = self._frames()
        search = PersonSearch(self.detector, PersonTracker(PersonChoice()))
        samples = follow_face(
            frames,
            search,
            crop_size=CROP,
            minimum_quality=Preprocessing().minimum_face_quality,
        )
        found = self._costs(lambda: exhausted(samples))
        return found | {"searched": round(search.detected / len(frames), 3)}

    def _costs(self, work: Callable[[], object]) -> Costs:
        return costs(work, self.count)

    def _decode(self, *, to_rgb: bool) -> None:
        with av.open(str(self.track.path)) as container:
            for frame in islice(container.decode(video=0), self.count):
                if to_rgb:
                    frame.to_ndarray(format="rgb24")

    def _frames(self) -> list[Frame]:
        """Read anew each time: a picture keeps what was converted for an earlier stage."""
        return list(islice(FrameReader(self.track), self.count))


def encoder_figures(checkpoint: Path, seconds: float) -> dict[str, Any]:
    """Milliseconds for each face: engines in batches, as the pipeline runs them, against PyTorch in
    float32 with one face at a time. An engine that cannot run here says why."""
    faces = np.random.default_rng(0).integers(0, 256, (BATCH, 3, 224, 224), dtype=np.uint8)
    encoder = reference(checkpoint)[0].face
    assert encoder is not None
    found: dict[str, Any] = {"torch fp32, one by one": _one_by_one(encoder, faces, seconds)}
    first = found["torch fp32, one by one"]["ms"]
    for name, precisions in PRECISIONS.items():
        for precision in precisions:
            try:
                predictor = load_checkpoint(checkpoint, asked=EngineAsked(name, precision))
            except AffectScopeError as error:
                found[f"{name} {precision}"] = {"why_not": error.sentence}
                continue
            assert predictor.engine is not None
            figures = _batched(predictor.engine, faces, seconds)
            found[f"{name} {precision}"] = {
                **figures,
                "times_faster": round(first / figures["ms"], 2),
                "deviation": _deviation(predictor),
            }
    return found


def _deviation(predictor: Predictor) -> dict[str, Any] | None:
    """What was measured when the engine was exported; None for PyTorch."""
    contract = None if predictor.choice is None else predictor.choice.contract
    if contract is None or not contract.deviation.rows:
        return None
    measured = contract.deviation
    return {
        "rows": measured.rows,
        "mean": {name: measured.mean[name] for name in AFFECT},
        "largest": {name: measured.maximum[name] for name in AFFECT},
        "same_quadrant": measured.quadrants,
    }


def _one_by_one(encoder: FaceEncoder, faces: NDArray[np.uint8], seconds: float) -> Costs:
    def work() -> int:
        ended, done = time.perf_counter() + seconds, 0
        while time.perf_counter() < ended:
            encoder(torch.from_numpy(faces[done % len(faces)][None]))
            done += 1
        return done

    with torch.inference_mode():
        encoder(torch.from_numpy(faces[:1]))
        return costs_each(work)


def _batched(engine: FaceEngine, faces: NDArray[np.uint8], seconds: float) -> Costs:
    """As in the pipeline: batches, as many at a time as the engine asks for."""

    def calls(ended: float) -> int:
        done = 0
        while time.perf_counter() < ended:
            engine.features(faces)
            done += len(faces)
        return done

    def work() -> int:
        ended = time.perf_counter() + seconds
        with ThreadPoolExecutor(engine.parallel) as pool:
            return sum(pool.map(calls, [ended] * engine.parallel))

    engine.features(faces)
    return costs_each(work)


def body_figures(checkpoint: Path, session: Path) -> dict[str, Costs]:
    """Everything but the video: signals, their encoders, statistics; then the report."""
    predictor = load_checkpoint(checkpoint)
    opened = open_session(session)
    video = opened.recording.video
    assert video is not None
    faceless = replace(opened, recording=replace(opened.recording, video=None))
    done = []
    count = round(video.duration * 25)
    walked = costs(lambda: done.append(assess(faceless, predictor, rate=25.0, force=True)), count)
    with tempfile.TemporaryDirectory() as folder:
        written = costs(lambda: write_outputs(done[0], Path(folder)), count)
    return {
        "ECG and EDA: cleaning, encoders, statistics": walked,
        "report, tables, result.json": written,
    }


def stage_figures(checkpoint: Path, session: SpeedSession, frames: int) -> dict[str, Any]:
    """All stages but the face encoder; ``frames`` are held in memory."""
    video = open_session(session.folder).recording.video
    assert video is not None
    with FaceDetector(face_model()) as detector:
        pictures = PictureStages(video, frames, detector).figures()
    return pictures | body_figures(checkpoint, session.folder)
