"""Faces in a picture: where they are, and an upright crop of one.

Detection (MediaPipe, BlazeFace; Bazarevsky et al. 2019, arXiv:1907.05047). The short-range model
is precise and sees large faces only; the full-range model sees small ones, and also what is none.
So both propose, and all but a large face must be seen again by the first in an enlarged region.

Legend: H, W height and width in pixels; K = 6 key points (x, y): right eye, left eye, nose tip,
mouth, right ear, left ear, "right" being the person's own.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Any, ClassVar

import numpy as np

from affectscope.errors import ModelError, require
from affectscope.picture import SPARE_BYTES, ImageArray, Picture, Planes
from affectscope.records import FloatArray

MINIMUM_SCORE = 0.75
"""Of the short-range model. In an enlarged region real faces of 36 to 90 px reach 0.8 or more, and
what is no face reaches 0.68 (189 frames without a face)."""
_PROPOSAL_SCORE = 0.5
_REGION = 2.5
"""Side of the region searched around a known or proposed face, in face widths."""
_WHOLE = 0.75
"""A face whose region reaches over this share of the picture is taken as found in the whole; there
the key points of a smaller one are off by up to a fifth of the eye distance."""
SAME_FACE = 0.3
"""Overlap (intersection over union) from which on two boxes are one face."""

RIGHT_EYE, LEFT_EYE, NOSE, MOUTH = range(4)

_NO_COLOUR = 128
"""Of the planes u and v."""

Box = tuple[float, float, float, float]
"""x, y, width, height in pixels."""

EYE_ROW = 0.37
EYE_DISTANCE = 0.30
"""Where the eyes lie in a crop, as shares of its side: brows, mouth and chin are then inside."""


@dataclass(frozen=True, eq=False)
class FaceDetection:
    """One face: ``box`` (x, y, width, height), ``key_points`` (K, 2), both in pixels; score 0-1."""

    box: tuple[float, float, float, float]
    key_points: FloatArray
    score: float

    @property
    def centre(self) -> FloatArray:
        """(2,) x, y."""
        x, y, width, height = self.box
        return np.array([x + width / 2, y + height / 2])

    @property
    def size(self) -> float:
        """The larger side of the box, pixels."""
        return max(self.box[2:])


class _ProcessSettings:
    """What MediaPipe would do to the whole process, kept away while any detector lives.

    MediaPipe 1.x sends usage metrics to play.googleapis.com, once a minute and when closed, and has
    no switch for it. Its HTTP client obeys the proxy variables: a proxy that refuses keeps the
    packets here, and saves the 5 s that closing waits where the network swallows them.
    """

    _lock: ClassVar = threading.RLock()
    _users: ClassVar[int] = 0
    _before: ClassVar[dict[str, str | None]] = {}
    # Lower case is read first. Port 9 of this machine is the discard service, which nobody runs.
    _blocked: ClassVar = {"https_proxy": "http://127.0.0.1:9", "no_proxy": "localhost,127.0.0.1"}

    @classmethod
    def enter(cls) -> None:
        with cls._lock:
            if cls._users == 0:
                cls._before = {name: os.environ.get(name) for name in cls._blocked}
                os.environ.update(cls._blocked)
            cls._users += 1

    @classmethod
    def leave(cls) -> None:
        with cls._lock:
            cls._users -= 1
            if cls._users == 0:
                for name, value in cls._before.items():
                    if value is None:
                        os.environ.pop(name, None)
                    else:
                        os.environ[name] = value

    @classmethod
    @contextmanager
    def quiet(cls) -> Iterator[None]:
        """No C++ log lines on the terminal: they go past Python to file descriptor 2."""
        with cls._lock:
            try:
                kept = os.dup(2)
            except OSError:  # there is no standard error
                yield
                return
            nowhere = os.open(os.devnull, os.O_WRONLY)
            try:
                os.dup2(nowhere, 2)
                yield
            finally:
                os.dup2(kept, 2)
                os.close(kept)
                os.close(nowhere)


class FaceDetector:
    """Finds faces in single pictures. Use it as a context manager, or call ``close``.

    ``model``: the short-range and the full-range model, from ``io.model_files.face_model``.

    While a detector lives, this process's ``https_proxy`` points nowhere (``_ProcessSettings``).

    Raises:
        MissingExtraError: E_EXTRA where MediaPipe is not installed or libGL is missing.
        ModelError: E_MODEL_CHECKSUM where the model cannot be loaded.
    """

    _open = False

    def __init__(self, model: tuple[bytes, bytes]) -> None:
        self._detectors: list[Any] = []
        self._mediapipe: Any = require("mediapipe", "Face detection", "face")
        _ProcessSettings.enter()
        self._open = True
        try:
            with _ProcessSettings.quiet():
                for content in model:
                    self._detectors.append(self._create(content))
                    # The first picture makes the model log once more.
                    self._run(self._detectors[-1], np.zeros((128, 128, 3), np.uint8))
        except (RuntimeError, ValueError) as error:
            self.close()
            raise ModelError(
                "E_MODEL_CHECKSUM",
                "The face model cannot be loaded; it is not the published one.",
                "Run: affectscope fetch-models",
            ) from error

    def _create(self, content: bytes) -> Any:
        vision, base = self._mediapipe.tasks.vision, self._mediapipe.tasks.BaseOptions
        options = vision.FaceDetectorOptions(
            base_options=base(model_asset_buffer=content), min_detection_confidence=_PROPOSAL_SCORE
        )
        return vision.FaceDetector.create_from_options(options)

    def close(self) -> None:
        """Free the models; a second call does nothing."""
        if self._open:
            self._open = False
            with _ProcessSettings.quiet():
                while self._detectors:
                    self._detectors.pop().close()
            _ProcessSettings.leave()

    def __enter__(self) -> FaceDetector:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __del__(self) -> None:
        with suppress(Exception):
            self.close()

    def detect(
        self, picture: ImageArray | Picture, known: Sequence[FaceDetection] = ()
    ) -> list[FaceDetection]:
        """All faces of a picture, or of its RGB (H, W, 3) uint8, the largest first.

        ``known``: faces that ``detect_around`` saw in this picture already; they are among the
        result, and are not looked at again.
        """
        shown = Picture.of(picture)
        near, far = (self._run(detector, shown.rgb) for detector in self._detectors)
        # In a region hardly smaller than the picture a face would look no finer.
        large = _WHOLE * max(shown.height, shown.width) / _REGION
        faces = [*known]
        faces += [face for face in near if face.score >= MINIMUM_SCORE and face.size >= large]
        for proposal in near + far:
            if not any(box_overlap(proposal.box, face.box) >= SAME_FACE for face in faces):
                faces += self.detect_around(shown, proposal.box)[:1]
        return _distinct(faces)

    def detect_around(
        self, picture: ImageArray | Picture, box: tuple[float, float, float, float]
    ) -> list[FaceDetection]:
        """Faces in the region around ``box``, the nearest first.

        For a face whose place is known: costs a fifth of ``detect``, and gives a small face finer
        key points, since its region is enlarged.
        """
        shown = Picture.of(picture)
        x, y, width, height = box
        reach = _REGION * max(width, height) / 2
        left, top = max(0, int(x + width / 2 - reach)), max(0, int(y + height / 2 - reach))
        right = min(int(x + width / 2 + reach) + 1, shown.width)
        bottom = min(int(y + height / 2 + reach) + 1, shown.height)
        if min(right - left, bottom - top) < 2:
            return []
        region = shown.region(left, top, right, bottom)
        found = [_moved(face, left, top) for face in self._run(self._detectors[0], region)]
        centre = np.array([x + width / 2, y + height / 2])
        return sorted(
            (face for face in found if face.score >= MINIMUM_SCORE),
            key=lambda face: float(np.hypot(*(face.centre - centre))),
        )

    def _run(self, detector: Any, rgb: ImageArray) -> list[FaceDetection]:
        mediapipe = self._mediapipe
        image = mediapipe.Image(
            image_format=mediapipe.ImageFormat.SRGB, data=np.ascontiguousarray(rgb)
        )
        height, width = rgb.shape[:2]
        return [_detection(found, width, height) for found in detector.detect(image).detections]


def _detection(found: Any, width: int, height: int) -> FaceDetection:
    box = found.bounding_box
    points = np.array([[point.x * width, point.y * height] for point in found.keypoints])
    return FaceDetection(
        box=(float(box.origin_x), float(box.origin_y), float(box.width), float(box.height)),
        key_points=points,
        score=float(found.categories[0].score),
    )


def _moved(face: FaceDetection, left: int, top: int) -> FaceDetection:
    x, y, width, height = face.box
    points = face.key_points + np.array([left, top])
    return FaceDetection((x + left, y + top, width, height), points, face.score)


def box_overlap(one: Box, other: Box) -> float:
    """Intersection over union of two boxes."""
    (ax, ay, aw, ah), (bx, by, bw, bh) = one, other
    width = min(ax + aw, bx + bw) - max(ax, bx)
    height = min(ay + ah, by + bh) - max(ay, by)
    shared = max(0.0, width) * max(0.0, height)
    return shared / (aw * ah + bw * bh - shared)


def _distinct(faces: list[FaceDetection]) -> list[FaceDetection]:
    kept: list[FaceDetection] = []
    for face in sorted(faces, key=lambda face: face.size, reverse=True):
        if all(box_overlap(face.box, other.box) < SAME_FACE for other in kept):
            kept.append(face)
    return kept


def align_face(picture: ImageArray | Picture, key_points: FloatArray, size: int) -> ImageArray:
    """An upright square crop (size, size, 3) of the whole face, eyes on fixed places.

    A similarity transform: the eyes give angle and place; the scale is the larger of the distance
    between the eyes and that from eyes to mouth (over 1.15, what a frontal face has at most), so
    that neither a turned nor a bowed head is blown up. Beyond the picture's edge the crop is black.

    Of a picture with planes these are transformed, and only the crop is converted to RGB.
    """
    shown = Picture.of(picture)
    matrix, centre = _crop_to_picture(key_points, size)
    step = float(np.hypot(*matrix[:, 0]))  # picture pixels per crop pixel
    reach = step * size * 0.75 + 2  # the crop may be turned: half of its diagonal is 0.71
    # Even borders, for two by two pixels share their colour.
    left, top = (max(0, int(value - reach)) // 2 * 2 for value in centre)
    right, bottom = (
        min(int(value + reach) // 2 * 2 + 2, side)
        for value, side in zip(centre, (shown.width, shown.height), strict=True)
    )
    if right <= left or bottom <= top:
        return np.zeros((size, size, 3), np.uint8)
    rows = np.column_stack([matrix[:, :2], matrix[:, 2] - (left, top)])
    if shown.planes is None or size % 2:
        return _transformed(shown.region(left, top, right, bottom), rows, size)
    aligned = _aligned(shown.planes.part(left, top, right, bottom), rows, size)
    return np.ascontiguousarray(aligned.to_rgb())


def _aligned(region: Planes, rows: FloatArray, size: int) -> Planes:
    """The crop's planes: the colours' have half the side, and so half the shift."""
    half = np.column_stack([rows[:, :2], rows[:, 2] / 2])
    crops = [
        _transformed(region.y, rows, size, fill=region.black_and_white[0]),
        _transformed(region.u, half, size // 2, fill=_NO_COLOUR),
        _transformed(region.v, half, size // 2, fill=_NO_COLOUR),
    ]
    content = np.empty(size * size * 3 // 2 + SPARE_BYTES, np.uint8)[:-SPARE_BYTES]
    np.concatenate([crop.ravel() for crop in crops], out=content)
    colours = {"matrix": region.matrix, "color_range": region.color_range}
    return Planes.of_bytes(content, (size, size), **colours)


def _transformed(pixels: ImageArray, rows: FloatArray, size: int, *, fill: int = 0) -> ImageArray:
    """(size, size) pixels, or RGB; ``rows`` (2, 3) map a crop's places to those of ``pixels``."""
    from PIL import Image

    region = Image.fromarray(np.ascontiguousarray(pixels))
    factor = max(1, int(np.hypot(*rows[:, 0])))
    if factor > 1:  # else fine detail would alias: the transform reads 2 x 2 pixels only
        region = region.reduce(factor)
    data = tuple((rows / factor).ravel())
    crop = region.transform(
        (size, size), Image.Transform.AFFINE, data, Image.Resampling.BILINEAR, fillcolor=fill
    )
    return np.asarray(crop)


def crop_points(key_points: FloatArray, size: float) -> FloatArray:
    """(K, 2) where the key points lie in the crop that ``align_face`` makes, in its pixels."""
    matrix, _ = _crop_to_picture(key_points, size)
    return np.asarray(np.linalg.solve(matrix[:, :2], (key_points - matrix[:, 2]).T).T)


def _crop_to_picture(key_points: FloatArray, size: float) -> tuple[FloatArray, FloatArray]:
    """The map from crop to picture pixels (2, 3), and where the crop's centre lies (2,)."""
    eyes = (key_points[RIGHT_EYE] + key_points[LEFT_EYE]) / 2
    across = key_points[LEFT_EYE] - key_points[RIGHT_EYE]
    angle = np.arctan2(across[1], across[0])
    width = float(np.hypot(*across))
    height = float(np.hypot(*(key_points[MOUTH] - eyes)))
    step = max(width, height / 1.15, 1.0) / (EYE_DISTANCE * size)
    turn = step * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    shift = eyes - turn @ (size * np.array([0.5, EYE_ROW]))
    centre = turn @ np.array([size / 2, size / 2]) + shift
    return np.column_stack([turn, shift]), centre
