"""The table [sync] of session.toml: what shows how the modalities lie in time against each other.

[sync]
method = "events"            # "clock" (default), "stated", "events" or "content"
video = "flash"              # for events: "flash" or "clap"
region = [600, 20, 40, 40]   # optional: x, y, width, height in pixels of the picture as shown
marker_file = "signals.csv"  # where the same events were marked
marker_channel = "TTL"       # a channel, or the name of a text stream of an XDF recording
sha256 = "..."               # optional, of marker_file
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

from affectscope.records import MODALITIES, Modality

if TYPE_CHECKING:
    from affectscope.io.toml_table import StatedFile, TomlTable

SyncMethod = Literal["clock", "stated", "events", "content"]
VideoEvent = Literal["flash", "clap"]
Region = tuple[int, int, int, int]


@dataclass(frozen=True)
class SyncEntry:
    """How the modalities are to be aligned.

    Attributes:
        method: "clock": by what the files share and state; "stated": by ``clock_offset`` alone,
            where a missing one is 0; "events" and "content" move the video onto the signals.
        stated: the modalities whose table states ``clock_offset``.
        video: what the video shows or lets hear, for "events".
        region: where the lamp is: x, y, width, height in pixels; None takes the whole picture.
        markers: the file that marks the same events, and ``marker_channel`` in it.
    """

    method: SyncMethod = "clock"
    stated: tuple[Modality, ...] = ()
    video: VideoEvent | None = None
    region: Region | None = None
    markers: StatedFile | None = None
    marker_channel: str | int | None = None


def sync_entry(top: TomlTable) -> SyncEntry:
    """What session.toml says about time.

    Raises:
        SessionError: E_SESSION; the sentence names the key, its value and what is allowed.
    """
    tables = {name: top.values.get(name) for name in MODALITIES}
    stated = tuple(
        name
        for name, table in tables.items()
        if isinstance(table, dict) and "clock_offset" in table
    )
    table = top.table("sync")
    if table is None:
        return SyncEntry(stated=stated)
    method = table.text("method") or "clock"
    if method not in get_args(SyncMethod):
        raise table.wrong("method", " or ".join(map(repr, get_args(SyncMethod))))
    chosen: SyncMethod = method  # type: ignore[assignment]  # checked one line above
    if chosen != "events":
        for key in ("video", "region", "marker_file", "marker_channel", "sha256"):
            if key in table.values:
                raise table.wrong(key, 'left out, or method = "events"')
        return SyncEntry(chosen, stated)
    return _events(table, stated)


def _events(table: TomlTable, stated: tuple[Modality, ...]) -> SyncEntry:
    shown = table.text("video")
    if shown not in get_args(VideoEvent):
        raise table.wrong("video", " or ".join(map(repr, get_args(VideoEvent))))
    event: VideoEvent = shown  # type: ignore[assignment]  # checked one line above
    region = _region(table)
    if region is not None and event == "clap":
        raise table.wrong("region", "left out: a clap is heard, not seen")
    return SyncEntry(
        "events",
        stated,
        video=event,
        region=region,
        markers=table.file("marker_file"),
        marker_channel=table.name_or_number("marker_channel"),
    )


def _region(table: TomlTable) -> Region | None:
    value = table.values.get("region")
    if value is None:
        return None
    wrong = table.wrong("region", "[x, y, width, height] in whole pixels, width and height above 0")
    if not (isinstance(value, list) and len(value) == 4 and all(type(n) is int for n in value)):
        raise wrong
    x, y, width, height = value
    if min(x, y) < 0 or min(width, height) < 1:
        raise wrong
    return x, y, width, height
