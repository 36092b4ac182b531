"""The picture that synthetic faces are made of, and what is painted on it.

The portrait is the official photograph of Grace M. Hopper (1984, public domain) that Matplotlib
ships as sample data. All points were measured by hand on that picture, in its pixels (512 wide, 600
high, origin at the upper left). THE RESULT IS NO DATA ABOUT ANY PERSON: the expressions are drawn.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from PIL import Image, ImageDraw
from scipy.ndimage import gaussian_filter
from scipy.special import expit

from affectscope.errors import InputError
from affectscope.records import FloatArray

_SIZE = (512, 600)  # width, height
_REMEDY = "Install Matplotlib from the package index: pip install --force-reinstall matplotlib"

_OUTLINE = (
    (222, 36), (228, 29), (240, 25), (256, 23.5), (272, 25), (288, 30.5), (297, 36), (301, 42),
    (318, 46), (332, 55), (342, 66), (349, 79), (353, 88), (362, 87), (366, 97), (369, 120),
    (370, 150), (368, 172), (366, 182), (372, 187), (374, 197), (371, 212), (368, 232), (364, 250),
    (361, 262), (360, 275), (356, 287), (347, 299), (337, 303), (331, 301), (332, 310), (345, 325),
    (360, 340), (380, 352), (416, 367), (452, 377), (478, 387), (489, 396), (496, 409), (504, 431),
    (509, 446), (511, 470), (511, 599), (12, 599), (20, 490), (25, 440), (35, 412), (41, 397),
    (51, 385), (63, 379), (80, 371), (110, 363), (140, 354), (160, 346), (180, 335), (195, 319),
    (203, 310), (198, 299), (180, 291), (171, 284), (164, 274), (162, 262), (164, 250), (161, 235),
    (158, 218), (154, 205), (154, 190), (153, 180), (150, 165), (149, 150), (150, 130), (153, 112),
    (159, 97), (168, 88), (175, 82), (178, 73), (184, 63), (194, 53), (204, 46), (218, 41),
)  # fmt: skip

APPEARANCES = ("lids", "droop", "mouth", "teeth", "furrow", "folds")
"""Changes of the skin's own picture: closed lids, half-closed lids, the open mouth's inside, teeth
in it, furrows between the brows, folds beside the nose."""


@cache
def portrait() -> FloatArray:
    """(600, 512, 3) red, green, blue in [0, 1], read from Matplotlib's sample data.

    Raises:
        InputError: E_FILE_MISSING or E_TYPE_MISMATCH where the picture is not there or is another.
    """
    from matplotlib.cbook import get_sample_data

    try:
        path = get_sample_data("grace_hopper.jpg", asfileobj=False)
        with Image.open(str(path)) as picture:
            rgb = np.asarray(picture.convert("RGB"))
    except OSError as error:
        raise InputError(
            "E_FILE_MISSING",
            "Synthetic faces are made of Matplotlib's sample picture 'grace_hopper.jpg', which"
            " cannot be read.",
            _REMEDY,
        ) from error
    if rgb.shape[:2] != _SIZE[::-1]:
        raise InputError(
            "E_TYPE_MISMATCH",
            f"Matplotlib's sample picture 'grace_hopper.jpg' has {rgb.shape[1]} x {rgb.shape[0]} "
            f"pixels, not {_SIZE[0]} x {_SIZE[1]}.",
            _REMEDY,
        )
    return np.asarray(rgb / 255.0, dtype=np.float64)


@cache
def opacity() -> FloatArray:
    """(600, 512) 1 on the person, 0 on the portrait's background, soft over about 3 pixels."""
    factor = 4
    size = (_SIZE[0] * factor, _SIZE[1] * factor)
    mask = Image.new("L", size)
    ImageDraw.Draw(mask).polygon([(x * factor, y * factor) for x, y in _OUTLINE], fill=255)
    small = np.asarray(mask.resize(_SIZE, Image.Resampling.BOX), dtype=np.float64) / 255.0
    inner = 1.6 * gaussian_filter(small, 1.2) - 0.6  # well inside: none of the old background
    return np.asarray(np.clip(inner, 0.0, 1.0), dtype=np.float64)


_BROWS = (
    ((197, 170), (206, 166.5), (222, 164.5), (236, 166), (247, 170)),
    ((281, 168), (291, 161.5), (305, 157.5), (320, 157), (332, 161)),
)


def with_brows(darkness: float) -> FloatArray:
    """(600, 512, 3) the portrait with its faint eyebrows drawn darker, ``darkness`` 0 to 1."""
    line = np.maximum(_stroke(_BROWS[0], 2.2), _stroke(_BROWS[1], 2.2))
    return _mixed(portrait(), np.array([0.16, 0.10, 0.08]), darkness * line)


@cache
def appearance_changes() -> FloatArray:
    """(J, 600, 512, 3) what each of ``APPEARANCES`` at full strength adds to the portrait."""
    plain = portrait()
    mouth = _mixed(plain, np.array([0.22, 0.07, 0.06]), 0.92 * _blob(266, 280.5, 31, 3.6))
    teeth = _mixed(mouth, np.array([0.82, 0.72, 0.58]), 0.9 * _blob(266, 279.3, 23, 1.9))
    furrow = np.maximum(
        _stroke(((257, 172), (258, 162), (256, 152)), 2.2),
        _stroke(((270, 172), (270, 162), (272, 152)), 2.2),
    )
    folds = np.maximum(
        _stroke(((236, 248), (224, 258), (217, 272)), 2.2),
        _stroke(((296, 246), (308, 256), (314, 270)), 2.2),
    )
    brown = np.array([0.42, 0.18, 0.13])
    changes = {
        "lids": _with_lids(plain, y=190.5, height=8.5, lashes=6.5) - plain,
        "droop": _with_lids(plain, y=186.0, height=5.5, lashes=3.0) - plain,
        "mouth": mouth - plain,
        "teeth": teeth - mouth,
        "furrow": _mixed(plain, brown, 0.40 * furrow) - plain,
        "folds": _mixed(plain, brown, 0.45 * folds) - plain,
    }
    return np.stack([changes[name] for name in APPEARANCES])


def _with_lids(plain: FloatArray, *, y: float, height: float, lashes: float) -> FloatArray:
    """Lids drawn over both eyes: skin from below the eye, and the line of the lashes.

    ``y`` is the middle of the left lid, ``height`` half its height, ``lashes`` how far below its
    middle the line ends, all in pixels; the right eye lies 3 pixels higher.
    """
    lid = 0.93 * np.roll(gaussian_filter(plain, (2.0, 2.0, 0.0)), -14, axis=0)
    picture = plain
    across = np.linspace(-1.0, 1.0, 5)
    for x, middle in ((222.0, y), (304.0, y - 3.0)):
        line = zip(x + 17 * across, middle + lashes * (1 - 0.7 * across**2), strict=True)
        picture = _mixed(picture, lid, _blob(x, middle, 20.0, height))
        picture = _mixed(picture, np.array([0.22, 0.11, 0.09]), 0.75 * _stroke(tuple(line), 0.9))
    return picture


@cache
def skin_weight() -> FloatArray:
    """(600, 512) 1 where the portrait shows skin: the face's outline times a reddish hue."""
    rgb = gaussian_filter(portrait(), (2.0, 2.0, 0.0))
    reddish = np.clip((rgb[..., 0] - rgb[..., 2] - 0.05) / 0.15, 0.0, 1.0)
    return np.asarray(gaussian_filter(reddish * _blob(264, 250, 112, 135), 1.5), dtype=np.float64)


@cache
def cloth_weight() -> FloatArray:
    """(600, 512) 1 where the portrait shows dark cloth."""
    red, green, blue = np.moveaxis(portrait(), 2, 0)
    dark = np.clip(1.0 - np.maximum(np.maximum(red, green), blue) / 0.35, 0.0, 1.0)
    face = _blob(264, 226, 98, 92)  # pupils and glasses are dark, too
    return np.asarray(dark * (1.0 - face) * np.clip(1.0 - 2.0 * skin_weight(), 0.0, 1.0))


def _mixed(picture: FloatArray, colour: FloatArray, weight: FloatArray) -> FloatArray:
    return picture + weight[..., None] * (colour - picture)


def _blob(x: float, y: float, sigma_x: float, sigma_y: float) -> FloatArray:
    """(600, 512) a flat-topped soft ellipse with values 0 to 1."""
    ys, xs = np.mgrid[: _SIZE[1], : _SIZE[0]]
    radius = ((xs - x) / sigma_x) ** 2 + ((ys - y) / sigma_y) ** 2
    return np.asarray(expit(6.0 * (1.0 - radius)), dtype=np.float64)


def _stroke(points: tuple[tuple[float, float], ...], width: float) -> FloatArray:
    """(600, 512) a soft line along points, 0 to 1; ``width`` is its sigma in pixels."""
    mask = Image.new("L", (_SIZE[0] * 4, _SIZE[1] * 4))
    ImageDraw.Draw(mask).line([(x * 4 + 2, y * 4 + 2) for x, y in points], fill=255, width=8)
    small = np.asarray(mask.resize(_SIZE, Image.Resampling.BOX), dtype=np.float64)
    soft = gaussian_filter(small, width)
    return np.asarray(soft / soft.max(), dtype=np.float64)
