"""Video of a synthetic person's face, driven by a known course of affect.

THIS IS NO HUMAN DATA AND NO EVIDENCE ABOUT PEOPLE: see ``synthetic_portrait``.

Valence raises or lowers the mouth's corners (zygomatic activity rises with pleasantness, corrugator
activity falls: Lang et al., Psychophysiology 30, 1993; Larsen, Norris & Cacioppo, Psychophysiology
40, 2003). Arousal opens eyes and mouth and raises the brows; low arousal lets the lids droop.
Unpleasant and excited knits the brows, unpleasant and calm raises their inner ends. Each person has
a gain, and own weights for the movements; each face also moves for reasons that are not affect.

Legend: B frames of a batch, N frames of a video, G points of the inner time grid; the others as in
``synthetic_look``.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as functional
from numpy.typing import NDArray
from scipy.signal import lfilter

from affectscope.datasets.synthetic_look import (
    HEIGHT,
    LATTICE,
    MARGIN,
    MOVEMENTS,
    WIDTH,
    FaceModel,
    Look,
    build_face,
    draw_look,
)
from affectscope.datasets.synthetic_portrait import APPEARANCES
from affectscope.datasets.synthetic_signals import wander
from affectscope.io.files import atomic_write
from affectscope.picture import ImageArray
from affectscope.records import TARGETS, BoolArray, FloatArray, Labels

_GRID_RATE = 50.0  # Hz of the expression's inner course: finer than any frame rate used
_BATCH = 8  # frames; larger ones leave the processor's cache
_NOISE_PLANES = 24  # pictures of camera noise; a batch takes neighbours from a random place on
_NOISE = 0.9  # standard deviation of the camera's noise, steps of 8 bit


@dataclass(frozen=True)
class FaceTraits:
    """How a synthetic person looks and how much the face shows.

    ``expressiveness``: gain on all expression, 0.6 to 1.3. ``style``: one factor per movement of
    ``MOVEMENTS``, 0.82 to 1.22. ``blink_rate``: per minute.
    """

    look: Look
    expressiveness: float
    style: tuple[float, ...]
    blink_rate: float


def draw_face(generator: np.random.Generator) -> FaceTraits:
    """One person's face traits. Blinks: about 17 per minute at rest (Bentivoglio et al. 1997)."""
    style = np.exp(np.clip(generator.normal(0.0, 0.12, len(MOVEMENTS)), -0.2, 0.2))
    return FaceTraits(
        look=draw_look(generator),
        expressiveness=float(generator.uniform(0.6, 1.3)),
        style=tuple(float(factor) for factor in style),
        blink_rate=float(np.clip(generator.normal(17.0, 5.0), 6.0, 30.0)),
    )


@dataclass(frozen=True, eq=False)
class FaceCourse:
    """What the face does over time, all (G,) on a grid of 50 Hz from 0.

    valence, arousal: as the face shows them, smoothed by 0.5 s, with expression noise, times the
    person's expressiveness; lids 0 open to 1 closed; head (G, 5): shift x, shift y (pixels), tilt
    (degrees), turn, nod (about -1 to 1); light: factor on the brightness.
    """

    valence: FloatArray
    arousal: FloatArray
    lids: FloatArray
    head: FloatArray
    light: FloatArray


def face_course(
    traits: FaceTraits, labels: Labels, *, duration: float, generator: np.random.Generator
) -> FaceCourse:
    """Draw what the face does while affect takes its course."""
    count = int(duration * _GRID_RATE) + 2
    affect = labels.at(np.arange(count) / _GRID_RATE)

    def shown(target: str, noise: float) -> FloatArray:
        pole = np.exp(-1.0 / (0.5 * _GRID_RATE))
        values = affect[:, TARGETS.index(target)]
        smooth, _ = lfilter([1 - pole], [1, -pole], values, zi=[pole * values[0]])
        drift = wander(generator, count, _GRID_RATE, time_scale=1.0)
        return np.asarray(traits.expressiveness * (smooth + noise * drift), dtype=np.float64)

    sizes = np.array([2.2, 1.5, 1.0, 0.6, 0.5])
    slow = [wander(generator, count, _GRID_RATE, time_scale=scale)
            for scale in (1.5, 1.5, 1.5, 1.2, 1.0)]  # fmt: skip
    return FaceCourse(
        valence=shown("valence", 0.12),
        arousal=shown("arousal", 0.25),
        lids=_blinks(traits.blink_rate, count, generator),
        head=np.clip(np.column_stack(slow), -2.5, 2.5) * sizes,
        light=1.0 + 0.04 * wander(generator, count, _GRID_RATE, time_scale=20.0),
    )


def _blinks(per_minute: float, count: int, generator: np.random.Generator) -> FloatArray:
    """(G,) closing of the lids: 0.1 s down, 0.18 s up, at random moments at least 0.6 s apart."""
    expected = int(count / _GRID_RATE / 60.0 * per_minute * 2) + 10
    gaps = 0.6 + generator.exponential(60.0 / per_minute - 0.6, expected)
    onsets = (np.cumsum(gaps) * _GRID_RATE).astype(np.int64)
    shape = np.concatenate([np.linspace(0.2, 1.0, 5), np.linspace(1.0, 0.0, 10)])
    impulses = np.bincount(onsets[onsets < count], minlength=count)[:count]
    return np.clip(np.convolve(impulses, shape)[:count], 0.0, 1.0)


def movement_coefficients(
    valence: FloatArray, arousal: FloatArray, style: tuple[float, ...]
) -> tuple[FloatArray, FloatArray]:
    """Shown affect (B,) -> coefficients of movements (B, K) and of appearances (B, J)."""
    pleasant, unpleasant = np.maximum(valence, 0.0), np.maximum(-valence, 0.0)
    excited, calm = np.maximum(arousal, 0.0), np.maximum(-arousal, 0.0)
    movements = {
        "smile": pleasant,
        "frown": unpleasant,
        "brow_raise": excited * (1.0 - 0.6 * np.minimum(unpleasant, 1.0)) - 0.35 * calm,
        "brow_knit": unpleasant * (0.25 + 0.75 * excited),
        "inner_brow": unpleasant * (0.15 + 0.85 * calm),
        "eyes_wide": excited - 0.9 * calm,
        "jaw_drop": excited * (1.0 - 0.35 * np.minimum(pleasant, 1.0)),
        "lip_press": 0.6 * unpleasant * calm,
        "turn": np.zeros_like(valence),
        "nod": np.zeros_like(valence),
    }
    assert tuple(movements) == tuple(MOVEMENTS)
    appearances = {
        "lids": np.zeros_like(valence),
        "droop": calm,
        "mouth": 1.6 * excited,
        "teeth": np.minimum(1.6 * excited, 1.0) * pleasant,
        "furrow": unpleasant * (0.4 + 0.6 * excited),
        "folds": pleasant,
    }
    assert tuple(appearances) == APPEARANCES
    weights = np.column_stack(list(movements.values())) * np.array(style)
    return np.clip(weights, -1.05, 1.05), np.clip(np.column_stack(list(appearances.values())), 0, 1)


class FaceRenderer:
    """Turns a course into pictures; all camera noise comes from the generator that it is given."""

    def __init__(self, traits: FaceTraits, generator: np.random.Generator) -> None:
        self.style = traits.style
        self.face: FaceModel = build_face(traits.look)
        self._generator = generator
        noise = generator.normal(0.0, _NOISE, (_NOISE_PLANES, HEIGHT, WIDTH))
        self._noise = torch.from_numpy(noise.astype(np.float32)) + 16.5  # + 0.5: truncation rounds
        left, top, right, bottom = self.face.box
        size = (right - left, bottom - top)
        self._grid = _grid(size, step=1, margin=MARGIN)
        self._half_grid = _grid(size, step=2, margin=MARGIN)
        self._lattice = _grid(size, step=LATTICE, margin=0)

    def render(self, course: FaceCourse, times: FloatArray, visible: BoolArray) -> ImageArray:
        """Frames (B, 540, 640) uint8 at times (B,): Y, then Cb and Cr as yuv420p stores them.

        ``visible`` (B,) False: the person is not in the picture.
        """
        at = times * _GRID_RATE
        grid = np.arange(len(course.lids))
        head = np.column_stack([np.interp(at, grid, column) for column in course.head.T])
        movements, appearances = movement_coefficients(
            np.interp(at, grid, course.valence), np.interp(at, grid, course.arousal), self.style
        )
        movements[:, -2:] = head[:, 3:]  # turn and nod
        lids = np.interp(at, grid, course.lids)
        appearances[:, 0] = lids
        appearances[:, 1] *= 1.0 - lids  # a closed lid hides a drooping one
        shift = self._displacement(_float32(movements), _float32(head[:, :3]))
        luma, chroma = self._head(shift, _float32(appearances))
        return self._frames(luma, chroma, np.interp(at, grid, course.light), visible)

    def _displacement(self, movements: torch.Tensor, head: torch.Tensor) -> torch.Tensor:
        """(B, 2, LH, LW) in frame pixels: the expression, carried along by the head."""
        expression = torch.einsum("bk,kchw->bchw", movements, self.face.movements)
        carried = torch.einsum("bk,kchw->bchw", head, self.face.head)
        place = self._lattice - _relative(carried, LATTICE)
        return carried + _looked_up(expression, place)

    def _head(
        self, shift: torch.Tensor, appearances: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """The box with the moved head: Y (B, 1, BH, BW) and CbCr (B, 2, BH/2, BW/2)."""
        face = self.face
        luma = face.luma + torch.tensordot(appearances, face.luma_changes, dims=1)
        chroma = face.chroma + torch.tensordot(appearances, face.chroma_changes, dims=1)
        return _warped(luma, self._grid, shift), _warped(chroma, self._half_grid, shift)

    def _frames(
        self, luma: torch.Tensor, chroma: torch.Tensor, light: FloatArray, visible: BoolArray
    ) -> ImageArray:
        """Put the box into the still picture; add light and camera noise.

        Outside the box light and noise stay for the whole batch: they change slowly there.
        """
        left, top, right, bottom = self.face.box
        first = int(self._generator.integers(_NOISE_PLANES - len(light) + 1))
        noise = self._noise[first : first + len(light)]
        still, wall = (
            torch.cat([_stored((y[0] - 16.0) * float(light.mean()) + noise[0]).flatten(),
                       _stored(colour + 0.5).flatten()])
            for y, colour in (self.face.still, self.face.wall)
        )  # fmt: skip
        frames = still.repeat(len(light), 1).view(-1, HEIGHT * 3 // 2, WIDTH)
        frames[torch.from_numpy(~visible)] = wall.view(HEIGHT * 3 // 2, WIDTH)
        colours = frames[:, HEIGHT:].view(-1, 2, HEIGHT // 2, WIDTH // 2)
        lit = (luma[:, 0] - 16.0) * _float32(light)[:, None, None]
        lit = _stored(lit.add_(noise[:, top:bottom, left:right]))
        colour = _stored(chroma.add_(0.5))
        for index in np.flatnonzero(visible):
            frames[index, top:bottom, left:right] = lit[index]
            colours[index, :, top // 2 : bottom // 2, left // 2 : right // 2] = colour[index]
        return np.asarray(frames.numpy())


def _stored(values: torch.Tensor) -> torch.Tensor:
    """Studio range as 8 bit; the halves that round were added before. Changes ``values``."""
    return values.clamp_(16.0, 235.0).to(torch.uint8)


def _grid(size: tuple[int, int], *, step: int, margin: int) -> torch.Tensor:
    """(2, h, w) cells of ``step`` pixels of a box (width, height) as ``grid_sample`` coordinates.

    -1 and 1 are the borders of the box and ``margin`` pixels around it.
    """
    x, y = ((torch.arange(length // step) + 0.5) * step + margin for length in size)
    x, y = 2 * x / (size[0] + 2 * margin) - 1, 2 * y / (size[1] + 2 * margin) - 1
    return torch.stack(torch.meshgrid(x, y, indexing="xy"))


def _relative(shift: torch.Tensor, step: int, margin: int = 0) -> torch.Tensor:
    """Displacement (B, 2, h, w) from frame pixels to ``grid_sample`` coordinates."""
    height, width = shift.shape[2] * step + 2 * margin, shift.shape[3] * step + 2 * margin
    return shift * torch.tensor([2.0 / width, 2.0 / height])[:, None, None]


def _warped(canvas: torch.Tensor, grid: torch.Tensor, shift: torch.Tensor) -> torch.Tensor:
    """(B, C, h, w) the canvas seen through a displacement (B, 2, LH, LW) of the box."""
    size = (grid.shape[1], grid.shape[2])
    fine = functional.interpolate(_relative(shift, LATTICE, MARGIN), size, mode="bilinear")
    return _looked_up(canvas, grid - fine)


def _looked_up(picture: torch.Tensor, place: torch.Tensor) -> torch.Tensor:
    """The picture (B, C, ...) at places (B, 2, h, w) in ``grid_sample`` coordinates."""
    grid = place.permute(0, 2, 3, 1)
    return functional.grid_sample(picture, grid, padding_mode="border", align_corners=False)


def _float32(values: NDArray[np.float64]) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(values, dtype=np.float32))


def frames(
    traits: FaceTraits,
    course: FaceCourse,
    *,
    times: FloatArray,
    visible: BoolArray,
    generator: np.random.Generator,
) -> Iterator[ImageArray]:
    """Batches of frames (B, 540, 640) at N times, see ``FaceRenderer.render``; constant memory."""
    renderer = FaceRenderer(traits, generator)
    for first in range(0, len(times), _BATCH):
        part = slice(first, first + _BATCH)
        yield renderer.render(course, times[part], visible[part])


def write_video(path: Path, batches: Iterator[ImageArray], frame_rate: float) -> None:
    """Encode yuv420p frames as H.264 at a constant rate, the first frame at time 0.

    The container is QuickTime where the path ends in ``.mov``, else MP4.

    Raises:
        OutputError: E_OUTPUT where the file cannot be written.
    """
    import av

    rate = Fraction(frame_rate).limit_denominator(1001)
    kind = "mov" if path.suffix.casefold() == ".mov" else "mp4"
    with atomic_write(path) as stream, av.open(stream, "w", format=kind) as container:
        video = container.add_stream("libx264", rate=rate)
        video.width, video.height, video.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        video.options = {"preset": "superfast", "crf": "24"}
        for batch in _ahead(batches):
            for picture in batch:
                frame = av.VideoFrame.from_ndarray(picture, format="yuv420p")
                container.mux(video.encode(frame))
        container.mux(video.encode())


def _ahead(batches: Iterator[ImageArray]) -> Iterator[ImageArray]:
    """The same batches, the next one made in a second thread while the caller uses this one.

    That thread computes on one core: Torch's own threads and the encoder's would wait for each
    other (measured on two busy cores: 5 ms a frame against 12 to 50).
    """
    threads = torch.get_num_threads()
    with ThreadPoolExecutor(1, initializer=torch.set_num_threads, initargs=(1,)) as pool:
        try:
            coming = pool.submit(next, batches, None)
            while (batch := coming.result()) is not None:
                coming = pool.submit(next, batches, None)
                yield batch
        finally:  # the number is also what threads that start later begin with
            pool.submit(torch.set_num_threads, threads).result()
