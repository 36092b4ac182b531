"""What hides a part of a face, painted into a picture: masks, hands, sunglasses.

For tests and measurements of ``preprocessing.face_occlusion``. THE RESULT SHOWS NO REAL OBJECT:
soft edges, the face's own light and camera noise make it plain, not lifelike.

Legend: places are in eye distances: x along the eyes to the picture's right, y down, the origin in
the middle between the eyes; the axis bends so that the mouth lies on x = 0. H, W pixels; P points.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

from affectscope.picture import ImageArray
from affectscope.preprocessing.face import LEFT_EYE, MOUTH, RIGHT_EYE
from affectscope.records import FloatArray

Shape = NDArray[np.float64]
"""(P, 2) corners."""

_MASK = (
    (0.0, 0.3), (0.35, 0.5), (1.1, 0.5), (1.05, 1.2), (0.6, 1.8), (0.0, 2.0), (-0.6, 1.8),
    (-1.05, 1.2), (-1.1, 0.5), (-0.35, 0.5),
)  # fmt: skip


@dataclass(frozen=True)
class _Cover:
    """``shapes`` one after the other; ``colour`` (3,) 0-255, None is the face's own skin colour."""

    shapes: Callable[[], Iterator[Shape]]
    colour: tuple[float, float, float] | None


def cover(
    rgb: ImageArray, key_points: FloatArray, kind: str, generator: np.random.Generator
) -> ImageArray:
    """A copy of a picture (H, W, 3) whose face, with key points (6, 2), wears ``COVERS[kind]``."""
    made = COVERS[kind]
    colour = np.array(made.colour) if made.colour else _skin(rgb, key_points)
    picture = rgb.astype(np.float64)
    light = np.asarray(_blurred(Image.fromarray(rgb).convert("L"), _scale(key_points) / 2))
    shade = np.clip(light / max(float(np.median(_at(light, key_points))), 1.0), 0.4, 1.4)
    for number, shape in enumerate(made.shapes()):
        opacity = _opacity(rgb.shape[:2], _pixels(shape, key_points), _scale(key_points))
        tone = 1.0 - 0.12 * (number % 2)  # neighbouring fingers differ
        painted = colour * (tone * shade[..., None]) + generator.normal(0, 2.5, rgb.shape)
        picture += opacity[..., None] * (painted - picture)
    return np.clip(picture, 0, 255).astype(np.uint8)


def _scale(key_points: FloatArray) -> float:
    """Pixels of one eye distance."""
    return max(2.0, float(np.hypot(*(key_points[LEFT_EYE] - key_points[RIGHT_EYE]))))


def _pixels(shape: Shape, key_points: FloatArray) -> FloatArray:
    across = key_points[LEFT_EYE] - key_points[RIGHT_EYE]
    middle = (key_points[LEFT_EYE] + key_points[RIGHT_EYE]) / 2
    down = (key_points[MOUTH] - middle) / 1.1
    return np.asarray(middle + shape @ np.array([across, down]))


def _opacity(size: tuple[int, int], points: FloatArray, scale: float) -> FloatArray:
    """(H, W) 0-1 with edges as soft as the face's own."""
    drawn = Image.new("L", (size[1], size[0]))
    ImageDraw.Draw(drawn).polygon([tuple(point) for point in points.tolist()], fill=255)
    return np.asarray(_blurred(drawn, scale / 40), np.float64) / 255


def _blurred(picture: Image.Image, sigma: float) -> Image.Image:
    return picture.filter(ImageFilter.GaussianBlur(sigma))


def _at(values: NDArray[np.generic], key_points: FloatArray) -> FloatArray:
    """The values on both cheeks, (2, ...)."""
    places = np.rint(_pixels(np.array([[-0.45, 0.6], [0.45, 0.6]]), key_points)).astype(int)
    x, y = np.clip(places, 0, np.array(values.shape[1::-1]) - 1).T
    return np.asarray(values[y, x], np.float64)


def _skin(rgb: ImageArray, key_points: FloatArray) -> FloatArray:
    soft = np.asarray(_blurred(Image.fromarray(rgb), _scale(key_points) / 10))
    return np.asarray(_at(soft, key_points).max(axis=0))


def _ellipse(x: float, y: float, half_width: float, half_height: float) -> Shape:
    angle = np.linspace(0, 2 * np.pi, 40, endpoint=False)
    return np.column_stack([x + half_width * np.cos(angle), y + half_height * np.sin(angle)])


def _mask() -> Iterator[Shape]:
    yield np.array(_MASK)


def _hand_over_mouth() -> Iterator[Shape]:
    yield _ellipse(-0.7, 1.35, 0.6, 0.6)
    for y in (0.95, 1.17, 1.39, 1.61):
        yield _ellipse(0.0, y, 0.85, 0.14)


def _hand_over_eye() -> Iterator[Shape]:
    yield _ellipse(-0.75, 1.0, 0.5, 0.55)
    for x in (-1.05, -0.8, -0.55, -0.3):
        yield _ellipse(x, 0.1, 0.15, 0.75)


def _sunglasses() -> Iterator[Shape]:
    for x in (-0.5, 0.5):
        yield _ellipse(x, 0.06, 0.43, 0.34)
    yield np.array([(-0.2, -0.06), (0.2, -0.06), (0.2, 0.02), (-0.2, 0.02)])


COVERS: Mapping[str, _Cover] = {
    "blue mask": _Cover(_mask, (140.0, 185.0, 210.0)),
    "white mask": _Cover(_mask, (225.0, 225.0, 222.0)),
    "black mask": _Cover(_mask, (38.0, 38.0, 42.0)),
    "hand over the mouth": _Cover(_hand_over_mouth, None),
    "hand over an eye": _Cover(_hand_over_eye, None),
    "sunglasses": _Cover(_sunglasses, (24.0, 24.0, 28.0)),
}
"""What can be painted."""
