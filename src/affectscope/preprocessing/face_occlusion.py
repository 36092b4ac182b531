"""Whether a mask, a hand or sunglasses hide a part of a face: four measures on its aligned crop.

The detector finds covered faces too, and with scores like those of others. What is missing then is
what makes a face: structure at both eyes and at the mouth, skin around the eyes, and a left half
that is like the right one. Only ratios and correlations count, so that light and skin cancel out.

No published measure is followed: they need landmarks or a trained network. What we do:
1. Structure at an eye and at the mouth: standard deviation of the luminance there over the cheeks'.
2. Dark band: luminance of the eyes and the bridge of the nose over the cheeks': dark glasses.
3. Mirror: correlation of one eye with the other one mirrored, plus that of the middle of the face
   with itself mirrored, both at the best shift: a hand lies on one side, as a rule.

A hand in front of the mouth whose fingers look like lips is not seen, nor one that hides the chin
or a cheek only: see docs/quality.md for what is found and what is not.

Legend: A = 112 pixels, the side on which structure is measured; places in shares of a crop's side.
"""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from affectscope.picture import ImageArray
from affectscope.preprocessing.face import LEFT_EYE, MOUTH, RIGHT_EYE, crop_points
from affectscope.records import FloatArray

_EYE = (0.07, 0.045)  # half width and height of what is looked at, shares of the crop's side
_CHEEK = (0.05, 0.035)
_BRIDGE = (0.03, 0.05)
_LIPS = (0.09, 0.05)
_CHEEK_BELOW_EYE = 0.17
_BRIDGE_BELOW_EYES = 0.03
_MIDDLE_BELOW_EYES = 0.14
_EYE_MIRRORED = (0.08, 0.07)
_MIDDLE_MIRRORED = (0.20, 0.25)
_OFFSET = 5.0
"""Added to a luminance: no division by nothing, less contrast where there is hardly any light."""
_SHIFT = 0.054  # how far the two sides may lie from where they should

_EYE_STRUCTURE = ((0.06, 0.16), (0.0, 1.0))
_MOUTH_STRUCTURE = ((0.07, 0.12), (0.0, 1.0))
_BAND = ((0.45, 0.65), (0.1, 1.0))
_MIRROR = ((0.7, 1.0, 1.12), (0.0, 0.28, 1.0))


def visibility(crop: ImageArray | GreyCrop, key_points: FloatArray) -> float:
    """How sure it is that nothing hides eyes or mouth, 0-1: the lowest of the four measures.

    Args:
        crop: (size, size, 3) from ``align_face``, at least 112 pixels a side for full detail.
        key_points: (6, 2) in the picture that the crop comes from.
    """
    return float(min(hidden_measures(crop, key_points).values()))


def hidden_measures(crop: ImageArray | GreyCrop, key_points: FloatArray) -> dict[str, float]:
    """The four measures, each from 0 (hidden) to 1, by name."""
    raw = raw_measures(crop, key_points)
    scales = (_EYE_STRUCTURE, _MOUTH_STRUCTURE, _BAND, _MIRROR)
    return {
        name: float(np.interp(value, *scale))
        for (name, value), scale in zip(raw.items(), scales, strict=True)
    }


def raw_measures(crop: ImageArray | GreyCrop, key_points: FloatArray) -> dict[str, float]:
    """The same before they are scaled: two ratios of contrast, one of light, a sum of two
    correlations."""
    grey = crop if isinstance(crop, GreyCrop) else GreyCrop(crop)
    luminance = grey.at(112) + _OFFSET
    points = crop_points(key_points, 1)
    right, left, mouth = points[RIGHT_EYE], points[LEFT_EYE], points[MOUTH]
    below = np.array([0.0, _CHEEK_BELOW_EYE])
    cheeks = [_median(_around(luminance, eye + below, _CHEEK)) for eye in (right, left)]
    eyes = [_around(luminance, eye, _EYE) for eye in (right, left)]
    bridge = _around(luminance, (right + left) / 2 + (0.0, _BRIDGE_BELOW_EYES), _BRIDGE)
    lips = _around(luminance, mouth, _LIPS)
    medians = [_median(eye) for eye in eyes]
    band = [medians[0] / cheeks[0], medians[1] / cheeks[1], _median(bridge) / max(cheeks)]
    return {
        "eyes": min(float(eye.std()) / cheek for eye, cheek in zip(eyes, cheeks, strict=True)),
        "mouth": float(lips.std()) / float(lips.mean()),
        "band": sum(band) / 3,
        "mirror": _mirror(np.log(grey.at(56) + _OFFSET), right, left),
    }


class GreyCrop:
    """The luminance (BT.601) of an aligned crop (size, size, 3), at what size is asked for."""

    def __init__(self, crop: ImageArray) -> None:
        from PIL import Image

        self._grey = Image.fromarray(crop).convert("L")
        self._kept: dict[int, FloatArray] = {}

    def at(self, side: int) -> FloatArray:
        """Averaged down to about ``side`` pixels, made once."""
        if side not in self._kept:
            small = self._grey.reduce(max(1, self._grey.width // side))
            self._kept[side] = np.asarray(small, np.float64)
        return self._kept[side]


def _median(values: FloatArray) -> float:
    """As ``np.median``, which takes longer to look at its arguments than this takes."""
    ordered = np.sort(values, axis=None)
    return float(ordered[(len(ordered) - 1) // 2] + ordered[len(ordered) // 2]) / 2


def _place(centre: FloatArray | tuple[float, float], side: int) -> tuple[int, int]:
    """The pixel (x, y) at a place given in shares of the side, the nearest one inside."""
    x, y = (min(max(round(float(share) * side), 0), side - 1) for share in centre)
    return x, y


def _around(picture: FloatArray, centre: FloatArray, half: tuple[float, float]) -> FloatArray:
    """The pixels of a box, cut at the picture's edge; at least one."""
    side = len(picture)
    x, y = _place(centre, side)
    width, height = (max(1, round(part * side)) for part in half)
    return picture[max(0, y - height) : y + height + 1, max(0, x - width) : x + width + 1]


def _mirror(picture: FloatArray, right: FloatArray, left: FloatArray) -> float:
    """Correlation of the eyes, plus that of the face's middle with itself, mirrored."""
    mirrored = picture[:, ::-1]
    middle = (right + left) / 2 + (0.0, _MIDDLE_BELOW_EYES)
    return sum(
        _likeness(picture, mirrored, places=(here, there), half=half)
        for here, there, half in (
            (right, (1.0 - left[0], left[1]), _EYE_MIRRORED),
            (middle, (1.0 - middle[0], middle[1]), _MIDDLE_MIRRORED),
        )
    )


def _likeness(
    picture: FloatArray,
    other: FloatArray,
    *,
    places: tuple[FloatArray | tuple[float, float], FloatArray | tuple[float, float]],
    half: tuple[float, float],
) -> float:
    """The best correlation of a patch with one of another picture, over small shifts."""
    side = len(picture)
    shift = max(1, round(_SHIFT * side))
    width, height = (round(part * side) for part in half)
    here, there = (_place(place, side) for place in places)
    patch = _box(picture, here, (width, height))
    region = _box(other, there, (width + shift, height + shift))
    region = region - region.mean()  # the sums of squares below then hold no large constant
    windows = sliding_window_view(region, patch.shape).reshape(-1, patch.size)
    wanted = (patch - patch.mean()).ravel()
    squares = np.einsum("ij,ij->i", windows, windows) - windows.sum(axis=1) ** 2 / patch.size
    norms = np.sqrt(np.maximum(squares, 1e-12)) * np.sqrt(wanted @ wanted)
    return float((windows @ wanted / np.maximum(norms, 1e-9)).max())


def _box(picture: FloatArray, centre: tuple[int, int], half: tuple[int, int]) -> FloatArray:
    """(2 height + 1, 2 width + 1) pixels; beyond the edge the nearest ones are repeated."""
    x, y = (
        np.arange(middle - reach, middle + reach + 1).clip(0, len(picture) - 1)
        for middle, reach in zip(centre, half, strict=True)
    )
    return np.asarray(picture[y[:, None], x])
