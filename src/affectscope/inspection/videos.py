"""A video's facts: what its container states beside what its packets' time stamps show.

Nothing but the first frame is decoded, so damage inside pictures is not seen here; an assessment
sees it.
"""

from __future__ import annotations

from pathlib import Path

from affectscope.inspection.facts import VideoFacts
from affectscope.io.video import inspect_video
from affectscope.io.video_process import answer
from affectscope.records import JsonObject, Notice


def video_facts(path: Path) -> VideoFacts:
    """What a video holds.

    Raises:
        InputError: as ``affectscope.io.video.inspect_video``.
    """
    track = inspect_video(path)
    found = _stamps(path)
    first = found["first"] if found["first"] is not None else track.start_time
    end = found["end"] if found["end"] is not None else first
    stated_end = found["stated_end"]
    return VideoFacts(
        width=track.width,
        height=track.height,
        codec=track.codec,
        rotation=found["rotation"],
        frames=found["frames"],
        stated_rate=found["stated_rate"],
        measured_rate=found["frames"] / (end - first) if end > first else None,
        longest_step=found["longest_step"],
        start=first,
        stated_duration=None if stated_end is None else max(0.0, stated_end - first),
        measured_duration=end - first,
        created=found["created"],
        has_audio=found["audio"],
        counts=tuple(found["counts"]),
        notices=_notices(found, end=end, first=first),
    )


def _stamps(path: Path) -> JsonObject:
    frames = answer({"task": "stamps", "path": str(path.absolute())}, path)
    while True:
        try:
            next(frames)
        except StopIteration as ended:
            result: JsonObject = ended.value
            return result


def _notices(found: JsonObject, *, end: float, first: float) -> tuple[Notice, ...]:
    notices = []
    stated = found["stated_end"]
    if stated is not None and stated - end > max(1.0, found["longest_step"]):
        sentence = (
            f"The header states {stated - first:.1f} s, and the pictures end after"
            f" {end - first:.1f} s; what is there can be used."
        )
        notices.append(Notice("W_VIDEO_TRUNCATED", sentence, "face", end, stated))
    if found["steps_back"]:
        sentence = f"The video's time stamps go back {found['steps_back']} times."
        notices.append(Notice("W_TIME_RESET", sentence, "face"))
    return tuple(notices)
