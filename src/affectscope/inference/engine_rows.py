"""The rows of sessions that an engine is made and measured with, of those that show a face.

Each session is walked once, as it is when it is scored. Calibration takes faces only; measuring
takes whole rows, so that what the signals add to a target is there as it is in the session.

Legend: N rows, H = 224.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from affectscope.datasets.alignment import aligned
from affectscope.datasets.body_analysis import analyse_body
from affectscope.datasets.window_dataset import StreamSettings, WindowBatch, WindowStream
from affectscope.inference.engine_folder import Whose
from affectscope.inference.person_photo import photo_check
from affectscope.io.model_files import face_model
from affectscope.io.session import Session
from affectscope.preprocessing.windows import Preprocessing
from affectscope.records import BoolArray

ROWS = 1200
"""Analysed times in all: 1200 faces are 180 MB."""
HIGHEST_RATE = 25.0


@dataclass(frozen=True, eq=False)
class Rows:
    """Rows with a face, and the sessions that they are from."""

    batches: tuple[WindowBatch, ...]
    sessions: tuple[Session, ...]

    @property
    def count(self) -> int:
        return sum(len(batch.keys) for batch in self.batches)

    @property
    def whose(self) -> Whose:
        kinds = {session.recording.simulated for session in self.sessions}
        if len(kinds) > 1:
            return "people and simulated people"
        return "nobody" if not kinds else "simulated people" if kinds.pop() else "people"

    @property
    def digests(self) -> dict[str, str]:
        """sha256 of every file of the sessions, by "session/file"."""
        return {
            f"{session.recording.trial_id}/{name}": digest
            for session in self.sessions
            for name, digest in session.input_hashes.items()
        }

    def faces(self, most: int) -> NDArray[np.uint8]:
        """(N, 3, H, H) at most so many, evenly spread."""
        faces = np.concatenate([np.asarray(b.inputs["face"], np.uint8) for b in self.batches])
        chosen = np.linspace(0, len(faces) - 1, min(most, len(faces))).round().astype(np.int64)
        return faces[chosen]

    def parted(self, share: float) -> tuple[Rows, Rows]:
        """The rows of the first ``share`` of each session's time, and the later ones."""
        parts: list[list[WindowBatch]] = [[], []]
        limits = {s.recording.trial_id: s.recording.span for s in self.sessions}
        for batch in self.batches:
            start, end = limits[batch.keys[0].trial_id]
            early = batch.times < start + share * (end - start)
            for part, rows in zip(parts, (early, ~early), strict=True):
                if rows.any():
                    part.append(rows_of(batch, rows))
        first, later = (Rows(tuple(part), self.sessions) for part in parts)
        return first, later


def read_rows(
    sessions: Sequence[Session],
    preprocessing: Preprocessing,
    progress: Callable[[float], None] = lambda _share: None,
) -> Rows:
    """The sessions' rows with a face, about ``ROWS`` of all times.

    Raises:
        AffectScopeError: a session that cannot be walked.
    """
    sessions = [aligned(session) for session in sessions]
    lengths = [end - start for start, end in (s.recording.span for s in sessions)]
    rate = min(HIGHEST_RATE, ROWS / max(sum(lengths), 1.0))
    batches: list[WindowBatch] = []
    done = 0.0
    for session, length in zip(sessions, lengths, strict=True):
        start, before = session.recording.span[0], done

        def on_time(time: float, start: float = start, before: float = before) -> None:
            progress((before + time - start) / max(sum(lengths), 1.0))

        stream = WindowStream(
            recording=session.recording,
            body=analyse_body(session.recording, session.excluded),
            preprocessing=preprocessing,
            face_model=face_model,
            settings=StreamSettings(rate=rate, person=session.person, excluded=session.excluded),
            photo_check=photo_check,
            on_time=on_time,
        )
        for batch in stream:
            seen = batch.present.get("face")
            if seen is not None and seen.any():
                batches.append(rows_of(batch, seen))
        done += length
    return Rows(tuple(batches), tuple(sessions))


def rows_of(batch: WindowBatch, rows: BoolArray) -> WindowBatch:
    """Some rows of a batch."""
    where = np.flatnonzero(rows)
    return replace(
        batch,
        keys=tuple(batch.keys[row] for row in where),
        inputs={name: values[where] for name, values in batch.inputs.items()},
        present={name: values[where] for name, values in batch.present.items()},
        face_factors=batch.face_factors[where],
        faces_seen=batch.faces_seen[where],
        face_boxes=batch.face_boxes[where],
        signal_quality={name: values[where] for name, values in batch.signal_quality.items()},
    )
