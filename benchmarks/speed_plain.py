"""The plain version: what a user would write with the same detector and network, frame by frame.

PyAV to RGB, all faces of every frame, a crop of the largest, then the network in PyTorch fp32 on
one row, with the two windows that belong to the frame's time. Nothing is slowed down on purpose:
evaluation mode, ``torch.inference_mode``, as many threads as PyTorch takes by itself. No checks of
pictures, no tracking, no report.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import av
import numpy as np
import torch

from affectscope.datasets.body_analysis import analyse_body
from affectscope.datasets.window_dataset import WindowStream
from affectscope.io.model_files import face_model
from affectscope.io.session import Session, open_session
from affectscope.models.bmmn import BMMN
from affectscope.models.checkpoint import load_checkpoint
from affectscope.picture import ImageArray
from affectscope.preprocessing.face import FaceDetector, align_face
from affectscope.preprocessing.windows import NetworkSignal, Preprocessing, cut_windows
from affectscope.records import Modality

WARM_UP = 5
"""Frames that are not timed: the first ones build caches."""


@dataclass(frozen=True)
class PlainRun:
    """Seconds of the plain version, by the clock and of the processor.

    Attributes:
        frames: scored and timed.
        per_frame, cpu_per_frame: for each scored frame, decoding what lies between included.
        once, cpu_once: what is done once per session: both signals, whole.
    """

    frames: int
    per_frame: float
    cpu_per_frame: float
    once: float
    cpu_once: float

    def of_session(self, frames: int) -> tuple[float, float]:
        """Seconds for so many scored frames: by the clock, of the processor."""
        return self.once + frames * self.per_frame, self.cpu_once + frames * self.cpu_per_frame


@dataclass(frozen=True, eq=False)
class PlainVersion:
    """A network that is loaded, and a session whose signals are clean."""

    model: BMMN
    preprocessing: Preprocessing
    signals: dict[Modality, NetworkSignal]
    video: Path
    once: float
    cpu_once: float

    @classmethod
    def of(cls, checkpoint: Path, session: Path) -> PlainVersion:
        model, contract, _ = load_checkpoint(checkpoint)
        opened = open_session(session)
        assert opened.recording.video is not None
        began, cpu_began = time.perf_counter(), time.process_time()
        signals = _signals(opened, contract.preprocessing)
        once, cpu_once = time.perf_counter() - began, time.process_time() - cpu_began
        path = opened.recording.video.path
        return cls(model, contract.preprocessing, signals, path, once, cpu_once)

    def run(self, frames: int, every: int = 1) -> PlainRun:
        """Score so many frames, one in ``every`` of the video's."""
        began = cpu_began = 0.0
        scored = 0
        with (
            av.open(str(self.video)) as container,
            FaceDetector(face_model()) as detector,
            torch.inference_mode(),
        ):
            for index, frame in enumerate(container.decode(video=0)):
                if index % every:
                    continue
                if scored == WARM_UP:
                    began, cpu_began = time.perf_counter(), time.process_time()
                self.score(frame, detector)
                scored += 1
                if scored == WARM_UP + frames:
                    break
        timed = scored - WARM_UP
        seconds, cpu = time.perf_counter() - began, time.process_time() - cpu_began
        return PlainRun(timed, seconds / timed, cpu / timed, self.once, self.cpu_once)

    def score(self, frame: av.VideoFrame, detector: FaceDetector) -> torch.Tensor:
        """(1, T) targets at one frame."""
        picture = cast("ImageArray", frame.to_ndarray(format="rgb24"))
        faces = detector.detect(picture)
        assert frame.time is not None
        inputs: dict[Modality, torch.Tensor] = {}
        present: dict[Modality, torch.Tensor] = {}
        for name, signal in self.signals.items():
            window, usable = cut_windows(signal, np.array([frame.time]), self.preprocessing)
            inputs[name], present[name] = torch.from_numpy(window), torch.from_numpy(usable)
        if faces:
            crop = align_face(picture, faces[0].key_points, self.preprocessing.crop_size)
            inputs["face"] = torch.from_numpy(crop.transpose(2, 0, 1)[None].copy())
        return self.model.estimate(inputs, present)


def _signals(session: Session, preprocessing: Preprocessing) -> dict[Modality, NetworkSignal]:
    """ECG and EDA, cleaned and scaled as the network wants them."""
    body = analyse_body(session.recording)
    return WindowStream(session.recording, body, preprocessing, face_model).signals()
