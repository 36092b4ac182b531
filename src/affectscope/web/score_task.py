"""Score a session: what ``affectscope assess`` writes, and its video as a page shows it.

OUTPUT/result.json and all that ``therapy.session_outputs`` writes beside it
OUTPUT/preview.mp4    the face video for a browser, where the session has one
OUTPUT/preview.json   {"width", "height", "first_time", "frames", "clock_offset", "clock_rate",
                      "notices"}: session time = clock_offset + clock_rate x (first_time + time in
                      preview.mp4), all in s; or {"problem": why there is no preview.mp4}
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from affectscope.errors import AffectScopeError, InputError, SessionError
from affectscope.io.files import prepare_folder, write_text, writing_in
from affectscope.io.session_file import read_session_file
from affectscope.worker_process import Alive

if TYPE_CHECKING:
    from affectscope.inference.predictor import Predictor
    from affectscope.io.session import Session
    from affectscope.records import Recording, VideoTrack

VIDEO, VIDEO_FACTS = "preview.mp4", "preview.json"
_ASSESSED = 0.8
"""The share of the task that is done when the result is written."""


@dataclass(frozen=True)
class ScoreTask:
    """Assess the session in ``input`` and write everything into ``output``, a folder of its own.

    Attributes:
        checkpoint: the model's folder, None for the body alone.
        rate: analysed times per second, None for every video frame.
    """

    input: Path
    output: Path
    checkpoint: Path | None
    rate: float | None


class Scoring:
    """Scores sessions, one after the other; keeps the model that it loaded last."""

    def __init__(self) -> None:
        self._loaded: tuple[tuple[Any, ...], Predictor] | None = None

    def __call__(self, task: ScoreTask, alive: Alive) -> None:
        """Write a session's result; a refusal is one too: status REJECTED.

        Raises:
            OutputError: E_OUTPUT.
            AffectScopeError: what is wrong with the program's set-up, not with the session:
                E_CHECKPOINT, E_MODEL_..., E_EXTRA. There is then no result.json.
        """
        from affectscope.io.session import open_session
        from affectscope.therapy.assessment import assess
        from affectscope.therapy.session_outputs import write_outputs, write_refusal

        prepare_folder(task.output)
        predictor = None if task.checkpoint is None else self._predictor(task.checkpoint)
        recording = None
        try:
            session = open_session(task.input)
            recording = session.recording
            on_time = _Course(session, lambda share: alive(_ASSESSED * share))
            done = assess(session, predictor, rate=task.rate, on_time=on_time)
        except (InputError, SessionError) as error:
            name, facts = _known(task.input)
            write_refusal(error, name, task.output, facts=facts)
        else:
            recording = done.session.recording  # where its video lies in time is known only now
            write_outputs(done, task.output)
        alive(_ASSESSED)
        _write_preview(recording, task.output, alive)

    def _predictor(self, checkpoint: Path) -> Predictor:
        from affectscope.inference.calibration import NAME as CALIBRATION
        from affectscope.inference.engine_folder import ENGINE_MANIFESTS
        from affectscope.inference.predictor import load_checkpoint
        from affectscope.models.checkpoint import CONTRACT, WEIGHTS
        from affectscope.therapy.study.session_rows import stamp_of

        beside = [*sorted(checkpoint.glob(ENGINE_MANIFESTS)), *checkpoint.glob(CALIBRATION)]
        read = (checkpoint / WEIGHTS, checkpoint / CONTRACT, *beside)
        files = (checkpoint, *((path.name, path.parent.name, stamp_of(path)) for path in read))
        if self._loaded is None or self._loaded[0] != files:
            self._loaded = None  # two models never lie in memory together
            self._loaded = files, load_checkpoint(checkpoint)
        return self._loaded[1]


def _known(folder: Path) -> tuple[str, dict[str, str]]:
    """What a refused session is called, and whose it is where session.toml can be read."""
    try:
        stated = read_session_file(folder)
    except AffectScopeError:
        return folder.name, {}
    return stated.session_id, {"subject_id": stated.subject_id, "session_id": stated.session_id}


class _Course:
    """The share of an assessment from the session time that it has reached.

    Where [sync] of session.toml asks for events or content, the video is watched once before.
    """

    def __init__(self, session: Session, told: Callable[[float], None]) -> None:
        self._start, end = session.recording.span
        self._length = end - self._start
        before = session.recording.video is not None and session.sync.method in (
            "events",
            "content",
        )
        self._passes, self._ended, self._last = 1 + before, 0, 0.0
        self._told = told

    def __call__(self, time: float) -> None:
        share = (time - self._start) / self._length if self._length > 0 else 0.0
        share = min(1.0, max(0.0, share))
        if share < self._last / 2 and self._ended + 1 < self._passes:
            self._ended, self._last = self._ended + 1, 0.0
        self._last = max(self._last, share)
        self._told((self._ended + self._last) / self._passes)


def _write_preview(recording: Recording | None, output: Path, alive: Alive) -> None:
    """Raises OutputError E_OUTPUT; a video that cannot be converted is no error of the task."""
    with writing_in(output):
        for name in (VIDEO, VIDEO_FACTS):
            (output / name).unlink(missing_ok=True)
    if recording is None:
        return
    facts: dict[str, object] = {}
    if recording.video is not None:
        facts = _preview(recording.video, output / VIDEO, alive)
    else:
        for notice in recording.notices:
            if notice.modality == "face" and notice.code.startswith("E_"):
                facts = {"problem": notice.sentence}
    if facts:
        with writing_in(output):
            write_text(output / VIDEO_FACTS, json.dumps(facts, indent=1) + "\n")


def _preview(video: VideoTrack, target: Path, alive: Alive) -> dict[str, object]:
    """What preview.json says of the video that was written, or why there is none."""
    from affectscope.io.browser_video import write_browser_video

    def on_time(time: float) -> None:
        reached = video.clock_offset + video.clock_rate * time - video.start_time
        share = min(1.0, max(0.0, reached / video.duration)) if video.duration > 0 else 0.0
        alive(_ASSESSED + (1 - _ASSESSED) * share)

    try:
        written = write_browser_video(video.path, target, on_time=on_time)
    except InputError as error:
        return {"problem": error.sentence}
    return {
        "width": written.width,
        "height": written.height,
        "first_time": written.first_time,
        "frames": written.frames,
        "clock_offset": video.clock_offset,
        "clock_rate": video.clock_rate,
        "notices": [{"code": n.code, "sentence": n.sentence} for n in written.notices],
    }
