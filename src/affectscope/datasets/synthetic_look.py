"""How a synthetic person looks, and how the face can move: the parts that frames are made of.

THE RESULT IS NO DATA ABOUT ANY PERSON, see ``synthetic_portrait``.

An expression is a sum of displacement fields, each a sum of Gaussian bumps at points measured on
the portrait, and of appearance changes painted on it. Fields are smooth and shallow enough that the
picture never folds. The choice of movements follows the action units (AU) of Ekman & Friesen's
Facial Action Coding System (1978). Only a box around the head moves; shoulders and wall are one
still picture.

Legend: H x W the frame, 360 x 640; BH x BW the box of the head; CH x CW its canvas, the box and
``MARGIN`` pixels on all sides; K movements, J appearances; LH x LW the coarse lattice of the
fields, one cell per ``LATTICE`` pixels of the box.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as functional
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from scipy.special import expit

from affectscope.datasets.synthetic_portrait import (
    APPEARANCES,
    appearance_changes,
    cloth_weight,
    opacity,
    portrait,
    skin_weight,
    with_brows,
)
from affectscope.records import FloatArray

HEIGHT, WIDTH, MARGIN, LATTICE = 360, 640, 24, 4
_MIDDLE = (266.0, 205.0)  # the face's centre, which is put where the person sits in the frame
_HEAD = (126.0, 6.0, 400.0, 402.0)  # left, top, right, bottom of what can move

# A bump: centre x, y; displacement x, y at coefficient 1 (where the skin goes); sigma x, y.
Bump = tuple[float, float, float, float, float, float]
MOVEMENTS: dict[str, tuple[Bump, ...]] = {
    "smile": (  # AU 12 lip corner puller, AU 6 cheek raiser
        (224, 282, -7, -10, 16, 14), (307, 280, 7, -10, 16, 14), (266, 288, 0, 2, 20, 10),
        (204, 243, -2, -5, 18, 18), (329, 241, 2, -5, 18, 18),
        (222, 203, 0, -2.5, 16, 7), (304, 201, 0, -2.5, 16, 7),
    ),
    "frown": (  # AU 15 lip corner depressor, AU 17 chin raiser
        (226, 283, -1, 9.5, 15, 14), (305, 281, 1, 9.5, 15, 14), (266, 281, 0, -4.5, 17, 10),
        (266, 306, 0, -3, 20, 10),
    ),
    "brow_raise": (  # AU 1 + 2
        (220, 164, 0, -7.5, 26, 11), (309, 158, 0, -7.5, 26, 11), (264, 160, 0, -4, 14, 12),
    ),
    "brow_knit": (  # AU 4 brow lowerer
        (242, 169, 5, 6, 13, 11), (285, 167, -5, 6, 13, 11),
    ),
    "inner_brow": (  # AU 1 alone, outer brow down
        (243, 165, 2, -7, 13, 11), (284, 162, -2, -7, 13, 11),
        (203, 169, 0, 3.5, 15, 10), (326, 163, 0, 3.5, 15, 10),
    ),
    "eyes_wide": (  # AU 5 upper lid raiser; negative: AU 43 drooping lids
        (222, 183, 0, -2.8, 15, 5), (304, 180, 0, -2.8, 15, 5),
        (222, 197, 0, 2.4, 15, 5), (304, 194, 0, 2.4, 15, 5),
    ),
    "jaw_drop": (  # AU 25 + 26
        (266, 305, 0, 11, 40, 15.5), (266, 270, 0, -2.5, 24, 9),
    ),
    "lip_press": (  # AU 24
        (266, 271, 0, 2.5, 26, 7), (266, 293, 0, -4, 26, 8),
    ),
    "turn": ((266, 225, 6, 0, 42, 60),),
    "nod": ((266, 235, 0, 5, 60, 45),),
}  # fmt: skip

_IDENTITY: tuple[tuple[Bump, ...], ...] = (  # shapes that differ between people, not in time
    ((185, 270, -6, 0, 28, 45), (347, 270, 6, 0, 28, 45)),  # width of the jaw
    ((266, 245, 0, 5, 26, 24),),  # length of the nose
    ((222, 188, -4, 0, 20, 18), (304, 186, 4, 0, 20, 18)),  # distance of the eyes
    ((226, 280, -5, 0, 18, 16), (305, 278, 5, 0, 18, 16)),  # width of the mouth
    ((266, 318, 0, 7, 50, 22),),  # length of the chin
    ((266, 188, 0, 5, 75, 20),),  # height of the eyes
    ((205, 235, -5, 0, 22, 30), (328, 235, 5, 0, 22, 30)),  # cheeks
)


@dataclass(frozen=True)
class Look:
    """How a synthetic person's picture differs from the portrait.

    Attributes:
        mirrored: left and right swapped.
        scale: frame pixels per portrait pixel.
        place: (x, y) of the face's centre in the frame, pixels.
        roll: resting tilt of the head and shoulders, degrees.
        shape: one number per entry of the identity warp, -1.2 to 1.2.
        skin: (red, green, blue) factors on skin.
        clothes: (red, green, blue) added to dark cloth, 0 to 1.
        brow_darkness: 0 to 0.6, how dark the eyebrows are drawn.
        gain, side_light: exposure factor; change of brightness from left to right, -0.25 to 0.25.
        background: seed of the wall behind the person.
    """

    mirrored: bool
    scale: float
    place: tuple[float, float]
    roll: float
    shape: tuple[float, ...]
    skin: tuple[float, float, float]
    clothes: tuple[float, float, float]
    brow_darkness: float
    gain: float
    side_light: float
    background: int


def draw_look(generator: np.random.Generator) -> Look:
    """One person's appearance; the face stays in the frame and is found by a face detector."""
    brightness, warmth = generator.uniform(0.62, 1.06), generator.normal(0.0, 0.04)
    red, green, blue = generator.uniform(0.0, 0.3, 3)
    return Look(
        mirrored=bool(generator.random() < 0.5),
        scale=float(generator.uniform(0.74, 0.92)),
        place=(float(generator.uniform(285, 355)), float(generator.uniform(166, 182))),
        roll=float(generator.normal(0.0, 1.5)),
        shape=tuple(float(x) for x in np.clip(generator.normal(0, 0.8, len(_IDENTITY)), -1.2, 1.2)),
        skin=(
            float(brightness * (1 + warmth)),
            float(brightness),
            float(brightness * (1 - 1.5 * warmth)),
        ),
        clothes=(float(red), float(green), float(blue)),
        brow_darkness=float(generator.uniform(0.2, 0.6)),
        gain=float(generator.uniform(0.85, 1.12)),
        side_light=float(generator.uniform(-0.2, 0.2)),
        background=int(generator.integers(2**31)),
    )


@dataclass(frozen=True, eq=False)
class FaceModel:
    """One person's picture and fields, ready to be combined frame by frame (float32 tensors).

    Colours are Y'CbCr, BT.601, 0 to 255; Cb and Cr have half the width and height.

    Attributes:
        box: left, top, right, bottom of the head's box in the frame, multiples of ``LATTICE``.
        luma: (1, CH, CW) the head at rest before the wall. ``chroma``: (2, CH/2, CW/2).
        luma_changes: (J, 1, CH, CW) what each appearance adds. ``chroma_changes``: (J, 2, ...).
        movements: (K, 2, LH, LW) displacement in frame pixels, in the order of ``MOVEMENTS``.
        head: (3, 2, LH, LW) the same for the head on the neck: 1 pixel to the right, 1 pixel down,
            1 degree of tilt.
        still: Y (1, H, W) and CbCr (2, H/2, W/2) of the whole frame with the person at rest.
        wall: the same without the person.
    """

    box: tuple[int, int, int, int]
    luma: torch.Tensor
    chroma: torch.Tensor
    luma_changes: torch.Tensor
    chroma_changes: torch.Tensor
    movements: torch.Tensor
    head: torch.Tensor
    still: tuple[torch.Tensor, torch.Tensor]
    wall: tuple[torch.Tensor, torch.Tensor]


def build_face(look: Look) -> FaceModel:
    """Bake a person's look into the portrait.

    Raises:
        InputError: E_FILE_MISSING or E_TYPE_MISMATCH, see ``synthetic_portrait.portrait``.
    """
    light = _light(look)
    cloth = cloth_weight()[..., None] * np.array(look.clothes)
    factor = light * (1.0 + skin_weight()[..., None] * (np.array(look.skin) - 1.0))
    person = with_brows(look.brow_darkness) * factor + cloth * light
    u = _portrait_coordinates(look, _cells((-MARGIN, -MARGIN, WIDTH + MARGIN, HEIGHT + MARGIN), 1))
    wall = _wall(look.background)
    picture = _over(_sampled(np.dstack([person, opacity()]), u), wall)
    left, top, right, bottom = box = _head_box(look)
    canvas = (slice(top, bottom + 2 * MARGIN), slice(left, right + 2 * MARGIN))
    frame = (slice(MARGIN, -MARGIN), slice(MARGIN, -MARGIN))
    luma, chroma = _planes(picture[canvas])
    changes = [
        _planes(change, 0.0)
        for change in np.split(
            _sampled(np.dstack(list(appearance_changes() * factor)), u[canvas]),
            len(APPEARANCES),
            axis=2,
        )
    ]
    lattice = _portrait_coordinates(look, _cells(box, LATTICE))
    return FaceModel(
        box=box,
        luma=luma,
        chroma=chroma,
        luma_changes=torch.stack([change[0] for change in changes]),
        chroma_changes=torch.stack([change[1] for change in changes]),
        movements=torch.stack([_tensor(_moved(b, lattice, look)) for b in MOVEMENTS.values()]),
        head=torch.stack([_tensor(field) for field in _head_fields(lattice, look)]),
        still=_planes(picture[frame]),
        wall=_planes(wall[frame]),
    )


def _head_box(look: Look) -> tuple[int, int, int, int]:
    """Where the head may be in the frame: left, top, right, bottom in whole lattice cells."""
    u = _portrait_coordinates(look, _cells((0, 0, WIDTH, HEIGHT), LATTICE))
    inside = np.all((u > _HEAD[:2]) & (u < _HEAD[2:]), axis=-1)
    rows, columns = np.flatnonzero(inside.any(axis=1)), np.flatnonzero(inside.any(axis=0))
    return (
        int(columns[0]) * LATTICE,
        int(rows[0]) * LATTICE,
        int(columns[-1] + 1) * LATTICE,
        int(rows[-1] + 1) * LATTICE,
    )


def frame_position(look: Look, point: tuple[float, float]) -> tuple[float, float]:
    """Where a point of the portrait lies in the person's frame at rest, pixels (x, y)."""
    target = np.array(point)
    place = np.array(look.place)
    for _ in range(30):  # the inverse of the map that the picture is sampled with
        place = place + (target - _portrait_coordinates(look, place)) @ _linear(look)
    return float(place[0]), float(place[1])


def _linear(look: Look) -> FloatArray:
    """(2, 2) right-multiplied: a small step in the portrait -> the step in the frame, pixels."""
    angle = np.deg2rad(look.roll)
    rotation = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    mirror = np.diag([-1.0 if look.mirrored else 1.0, 1.0])
    return np.asarray(look.scale * mirror @ rotation, dtype=np.float64)


def _cells(box: tuple[int, int, int, int], step: int) -> FloatArray:
    """(h, w, 2) x and y of a box's cell centres; a pixel's own centre is a whole number."""
    left, top, right, bottom = box
    x, y = np.arange(left, right, float(step)), np.arange(top, bottom, float(step))
    return np.stack(np.meshgrid(x, y), axis=-1) + (step - 1) / 2


def _portrait_coordinates(look: Look, pixels: FloatArray) -> FloatArray:
    """(..., 2) frame pixels -> portrait pixels, through place, scale, tilt and identity warp."""
    u = (pixels - np.array(look.place)) @ np.linalg.inv(_linear(look)) + np.array(_MIDDLE)
    shapes = [w * _field(bumps, u) for w, bumps in zip(look.shape, _IDENTITY, strict=True)]
    return np.asarray(u - np.sum(shapes, axis=0), dtype=np.float64)


def _field(bumps: tuple[Bump, ...], u: FloatArray) -> FloatArray:
    """(..., 2) displacement in portrait pixels at portrait places."""
    total = np.zeros_like(u)
    for x, y, move_x, move_y, sigma_x, sigma_y in bumps:
        away = ((u - np.array([x, y])) / np.array([sigma_x, sigma_y])) ** 2
        weight = np.exp(-0.5 * (away[..., 0] + away[..., 1]))
        total += weight[..., None] * np.array([move_x, move_y])
    return total


def _moved(bumps: tuple[Bump, ...], lattice: FloatArray, look: Look) -> FloatArray:
    """(LH, LW, 2) a movement's displacement in frame pixels."""
    return np.asarray(_field(bumps, lattice) @ _linear(look), dtype=np.float64)


def _head_fields(lattice: FloatArray, look: Look) -> list[FloatArray]:
    """Shift right, shift down and tilt, fading out along the neck and towards the box's sides."""
    x, y = lattice[..., 0], lattice[..., 1]
    head = expit((345.0 - y) / 12.0) * expit((y - 14.0) / 2.5)
    head = np.asarray(head * expit((x - 139.0) / 3.5) * expit((386.0 - x) / 3.5))
    zeros = np.zeros_like(head)
    around_neck = (lattice - np.array([266.0, 320.0])) @ _linear(look) * np.deg2rad(1.0)
    return [
        np.stack([head, zeros], axis=-1),
        np.stack([zeros, head], axis=-1),
        head[..., None] * np.stack([-around_neck[..., 1], around_neck[..., 0]], axis=-1),
    ]


def _light(look: Look) -> FloatArray:
    """(512, 1) the brightness of the portrait's columns under the person's light."""
    columns, middle = portrait().shape[1], _MIDDLE[0]
    across = np.clip((np.arange(columns) - middle) / 130.0, -1.5, 1.5)
    return np.asarray(look.gain * (1.0 + look.side_light * across[:, None]), dtype=np.float64)


def _wall(seed: int) -> FloatArray:
    """(H + 2 MARGIN, W + 2 MARGIN, 3) a plain, unevenly lit wall with soft stains, in [0, 1]."""
    height, width = HEIGHT + 2 * MARGIN, WIDTH + 2 * MARGIN
    generator = np.random.default_rng(seed)
    colour = generator.uniform(0.25, 0.75) * generator.uniform(0.75, 1.25, 3)
    stains = gaussian_filter(generator.standard_normal((height, width)), 24.0)
    stains *= 0.06 / stains.std()
    slope = np.linspace(-1, 1, width) * generator.uniform(-0.15, 0.15)
    fall = np.linspace(1, -1, height)[:, None] * generator.uniform(0.0, 0.12)
    lit = colour * (1.0 + stains + slope + fall)[..., None]
    return np.asarray(np.clip(lit, 0.02, 0.98), dtype=np.float64)


def _over(rgba: FloatArray, background: FloatArray) -> FloatArray:
    """(h, w, 3) a picture with opacity laid over a background."""
    alpha = np.clip(rgba[..., 3:], 0.0, 1.0)
    return np.asarray(alpha * np.clip(rgba[..., :3], 0.0, 1.0) + (1.0 - alpha) * background)


def _sampled(picture: FloatArray, u: FloatArray) -> FloatArray:
    """(h, w, C) the picture at portrait coordinates, bilinear; the border repeats."""
    height, width = picture.shape[:2]
    grid = torch.from_numpy(u * (2.0 / np.array([width - 1, height - 1])) - 1.0).float()
    seen = functional.grid_sample(
        _tensor(picture)[None], grid[None], padding_mode="border", align_corners=True
    )
    return np.asarray(seen[0].permute(1, 2, 0).double().numpy(), dtype=np.float64)


def _planes(rgb: FloatArray, offset: float = 1.0) -> tuple[torch.Tensor, torch.Tensor]:
    """RGB (h, w, 3) in [0, 1] -> Y (1, h, w) and CbCr (2, h/2, w/2), BT.601 studio range.

    ``offset`` 0 converts differences of pictures.
    """
    matrix = np.array([[65.481, -37.797, 112.0], [128.553, -74.203, -93.786],
                       [24.966, 112.0, -18.214]])  # fmt: skip
    ycc = rgb @ matrix + offset * np.array([16.0, 128.0, 128.0])
    return _tensor(ycc[..., :1]), _tensor(_halved(ycc[..., 1:]))


def _halved(picture: FloatArray) -> FloatArray:
    """(h, w, C) -> (h/2, w/2, C) by the mean of 2 x 2 pixels."""
    rows = picture[::2] + picture[1::2]
    return np.asarray((rows[:, ::2] + rows[:, 1::2]) / 4.0, dtype=np.float64)


def _tensor(picture: NDArray[np.float64]) -> torch.Tensor:
    """(h, w, C) -> (C, h, w) float32."""
    return torch.from_numpy(np.ascontiguousarray(np.moveaxis(picture, 2, 0), dtype=np.float32))
