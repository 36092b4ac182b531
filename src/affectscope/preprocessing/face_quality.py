"""How well a face can be read: six factors, and their product.

Each factor falls from 1 to 0, interpolated between points that were set on the clips of
../shared/data/faces and on blurred, shrunk, darkened and covered copies of them. docs/quality.md
has the measurements: ``benchmarks/quality_thresholds.py`` prints them.
"""

from __future__ import annotations

from dataclasses import astuple, dataclass

import numpy as np

from affectscope.picture import ImageArray
from affectscope.preprocessing.face import (
    LEFT_EYE,
    NOSE,
    RIGHT_EYE,
    FaceDetection,
)
from affectscope.preprocessing.face_occlusion import GreyCrop, visibility
from affectscope.records import FloatArray

FACTORS = ("detection", "size", "sharpness", "light", "pose", "occlusion")
"""The factors of a face's quality, as ``FaceQuality`` and the tables name and order them."""


@dataclass(frozen=True)
class FaceQuality:
    """How well one face can be read; every factor lies in [0, 1], 1 is good.

    Attributes:
        detection: the detector's score.
        size: of the face in the video.
        sharpness: fine detail against contrast.
        light: neither too dark nor too bright, and enough contrast.
        pose: turned no further than the network's pictures are.
        occlusion: 1 where nothing hides eyes or mouth.
    """

    detection: float = 0.0
    size: float = 0.0
    sharpness: float = 0.0
    light: float = 0.0
    pose: float = 0.0
    occlusion: float = 0.0

    @property
    def overall(self) -> float:
        """The product of the factors; below 0.3 a face must not be scored."""
        return float(np.prod(self.factors))

    @property
    def factors(self) -> tuple[float, ...]:
        """The values in the order of ``FACTORS``."""
        return astuple(self)


UNSEEN = FaceQuality()
"""Of a face that is not there."""


def face_quality(crop: ImageArray, face: FaceDetection) -> FaceQuality:
    """Rate a face from its crop (size, size, 3), made by ``align_face``, and its detection.

    Size counts in pixels of the video. Sharpness is the mean absolute Laplacian over the standard
    deviation of the crop's luminance at about 112 px; light its mean and standard deviation; pose
    the offset of the nose from the middle between the eyes, in eye distances; occlusion is
    ``face_occlusion.visibility``.
    """
    grey = GreyCrop(crop)
    luminance = _face_part(grey.at(112))
    mean, spread = float(luminance.mean()), float(luminance.std())
    neighbours = luminance[:-2, 1:-1] + luminance[2:, 1:-1] + luminance[1:-1, :-2]
    neighbours += luminance[1:-1, 2:]
    detail = float(abs(4 * luminance[1:-1, 1:-1] - neighbours).mean()) / (spread + 2)
    brightness = np.interp(mean, [5, 15, 40, 190, 230, 250], [0, 0.3, 1, 1, 0.3, 0])
    return FaceQuality(
        detection=float(np.interp(face.score, [0.5, 0.75, 0.9], [0, 0.5, 1])),
        size=float(np.interp(face.size, [0, 48, 96, 160], [0, 0.3, 0.85, 1])),
        sharpness=float(np.interp(detail, [0.02, 0.08, 0.16, 0.5], [0, 0.3, 0.9, 1])),
        light=float(brightness * np.interp(spread, [2, 5, 14], [0, 0.3, 1])),
        pose=float(np.interp(_turn(face.key_points), [0.25, 0.5, 0.8], [1, 0.6, 0.1])),
        occlusion=visibility(grey, face.key_points),
    )


def _face_part(crop: FloatArray) -> FloatArray:
    """The part of a crop that holds the face."""
    side = len(crop)
    return crop[int(0.15 * side) : int(0.9 * side), int(0.2 * side) : int(0.8 * side)]


def _turn(key_points: FloatArray) -> float:
    """How far the nose lies beside the middle of the eyes, in eye distances; 0 is frontal."""
    across = key_points[LEFT_EYE] - key_points[RIGHT_EYE]
    nose = key_points[NOSE] - (key_points[RIGHT_EYE] + key_points[LEFT_EYE]) / 2
    return float(abs(nose @ across) / max(float(across @ across), 1.0))
