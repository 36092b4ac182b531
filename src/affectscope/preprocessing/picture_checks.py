"""Pictures that show no living person: a frozen camera, a lens cap, a test card.

A frozen camera would be read as a calm person, so the face is masked where the picture stands still
or shows nothing (V18, V19). Both are seen in a small grey picture of each analysed frame. How the
thresholds were measured is in docs/video.md.

Where the literature is silent, and what we do:
1. Codecs do not repeat a frozen picture exactly: each key frame codes it anew. So a picture stands
   still while no cell leaves the run's first picture by ``STILL_CHANGE`` grey levels. A live person
   exceeds that within seconds: a head that sways by one pixel up and down moves a cell by more.
2. A still picture without a face is told too: it may be a test card, or an empty room.
3. A picture shows nothing where its cells, but the brightest and the darkest 2 % (a clock that the
   camera writes in), lie within ``EMPTY_RANGE`` grey levels.

4. Pictures that the user left out are not looked at, and a still run ends before them: what was
   alike on both sides of a hole need not have stood still in it.

Legend: H, W height and width in pixels; R <= 36, C <= 64 rows and columns of cells.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from affectscope.picture import ImageArray, Picture
from affectscope.preprocessing.face_tracking import FaceSample
from affectscope.records import Frame, Notice

STILL_SECONDS = 10.0
"""A picture that stands still for less is not called frozen: people sit quietly."""
STILL_CHANGE = 6.0
"""Grey levels by which every cell stays near the first picture of a still run."""
EMPTY_SECONDS = 1.0
"""A shorter span without a picture is masked and not told."""
EMPTY_RANGE = 8.0
"""Grey levels within which the cells of an empty picture lie."""
_LEFT_OUT = 0.02
"""Of the cells at each end, which may lie outside."""
_ROWS, _COLUMNS = 36, 64


def cell_levels(picture: ImageArray | Picture) -> NDArray[np.float32]:
    """(R, C) mean luminance per cell, from 0 (black) to 255; of a picture or RGB (H, W, 3)."""
    shown = Picture.of(picture)
    rows, columns = min(_ROWS, shown.height), min(_COLUMNS, shown.width)
    tall, wide = shown.height // rows, shown.width // columns
    seen = shown.luminance[: rows * tall, : columns * wide].reshape(rows, tall, columns * wide)
    # Lines first: 16 bits hold the sum of all that one cell can have, and that is fast.
    sums = seen.sum(axis=1, dtype=np.uint16).reshape(rows, columns, wide)
    levels = sums.sum(axis=2, dtype=np.float32) / np.float32(tall * wide)
    black, white = (0, 255) if shown.planes is None else shown.planes.black_and_white
    return np.asarray((levels - np.float32(black)) * np.float32(255 / (white - black)))


def shows_nothing(levels: NDArray[np.float32]) -> bool:
    """True for a black, white or uniform picture."""
    left_out = int(_LEFT_OUT * levels.size)
    ends = (left_out, levels.size - 1 - left_out)
    low, high = np.partition(levels, ends, axis=None)[list(ends)]
    return bool(high - low < EMPTY_RANGE)


@dataclass(eq=False)
class _Run:
    """Frames in a row that stand still, or show nothing (``empty``), from start to end."""

    first: NDArray[np.float32]
    empty: bool
    start: float
    end: float
    over: bool = False
    has_face: bool = False

    @property
    def masked(self) -> bool:
        return self.empty or self.end - self.start >= STILL_SECONDS

    def takes(self, levels: NDArray[np.float32], empty: bool) -> bool:
        """Whether a next picture goes on with this run."""
        if empty or self.empty or levels.shape != self.first.shape:
            return empty and self.empty
        return bool(np.abs(levels - self.first).max() < STILL_CHANGE)

    def notice(self) -> Notice | None:
        """What to tell of the run once it is over."""
        length = self.end - self.start
        if not self.masked or (self.empty and length < EMPTY_SECONDS):
            return None
        span = f"from {self.start:.1f} to {self.end:.1f} s"
        if self.empty:
            code, sentence = "W_NO_PICTURE", f"The video shows nothing {span}: masked."
        elif self.has_face:
            code, sentence = "W_FROZEN", f"The camera froze {span}: the same picture, masked."
        else:
            code = "W_FROZEN"
            sentence = f"Nothing moves {span}: the camera froze, or nobody was there. Masked."
        return Notice(code, sentence, "face", self.start, self.end)


class PictureChecks:
    """Watches the frames of one video and masks the samples that were made from them.

    ``watched`` lies before face tracking and ``masked`` behind it. Samples wait, at most
    ``STILL_SECONDS`` of them, while the picture stands still. ``notices`` is complete once the
    samples are: W_FROZEN and W_NO_PICTURE with their spans. Frames at ``excluded`` times are not
    looked at.
    """

    def __init__(self, excluded: Callable[[float], bool] = lambda _time: False) -> None:
        self._excluded = excluded
        self.notices: list[Notice] = []
        self._run: _Run | None = None
        self._runs: deque[_Run] = deque()  # of each frame whose sample has not come

    def watched(self, frames: Iterable[Frame]) -> Iterator[Frame]:
        """The same frames."""
        for frame in frames:
            if self._excluded(frame.time):
                self._close()
                self._run = None
                self._runs.append(_left_out(frame.time))
                yield frame
                continue
            levels = cell_levels(frame.picture)
            empty = shows_nothing(levels)
            if self._run is None or not self._run.takes(levels, empty):
                self._close()
                self._run = _Run(levels, empty, frame.time, frame.time)
            self._run.end = frame.time
            self._runs.append(self._run)
            yield frame

    def masked(self, samples: Iterable[FaceSample]) -> Iterator[FaceSample]:
        """The samples of the frames, one for each, without a crop where the picture is masked."""
        waiting: deque[tuple[FaceSample, _Run]] = deque()
        for sample in samples:
            run = self._runs.popleft()
            run.has_face |= sample.crop is not None
            waiting.append((sample, run))
            while waiting and (waiting[0][1].over or waiting[0][1].masked):
                yield _shown(*waiting.popleft())
        self._close()
        yield from (_shown(*pair) for pair in waiting)

    def _close(self) -> None:
        if self._run is not None:
            self._run.over = True
            notice = self._run.notice()
            self.notices += [] if notice is None else [notice]


def _left_out(time: float) -> _Run:
    """Of one frame that is not looked at: over, and masked by nothing."""
    return _Run(np.empty((0, 0), np.float32), empty=False, start=time, end=time, over=True)


def _shown(sample: FaceSample, run: _Run) -> FaceSample:
    return replace(sample, crop=None) if run.masked else sample
