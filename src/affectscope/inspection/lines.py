"""What was found, in words: lines for the terminal, and the cells that the page shows as well."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import UTC, datetime

from affectscope.figures import clock
from affectscope.inspection.facts import (
    ChannelFacts,
    FileFacts,
    PictureFacts,
    Quality,
    Refusal,
    SignalFacts,
    Span,
    VideoFacts,
)
from affectscope.records import Notice

_LISTED = 5
_UNREAD = 12
_COLUMNS = ("unit", "stated", "measured", "duration", "samples", "missing", "flat", "range")


def file_lines(file: FileFacts) -> list[str]:
    """One file."""
    if file.refusal is not None:
        return [
            f"{_on_terminal(file.name)}: refused",
            *(f"  {line}" for line in refusal_lines(file.refusal)),
        ]
    content = file.content
    assert content is not None
    lines = [f"{_on_terminal(file.name)}: {title(file)}"]
    if isinstance(content, SignalFacts):
        lines += [f"  all channels: {line}" for line in shared_details(content)]
        for number, channel in enumerate(content.channels, 1):
            lines.append(f"  {number} {_shown(channel.name)}: {cells(channel)['summary']}")
            lines += [f"    {line}" for line in own_details(channel, content)]
        if content.unread:
            lines.append(f"  further channels: {unread_names(content)}")
    else:
        lines += [f"  {name}: {value}" for name, value in rows(content)]
    return lines + [f"  {notice.code}: {notice.sentence}" for notice in file_notices(content)]


def title(file: FileFacts) -> str:
    """The kind of a file that was read, with what holds for all of it."""
    content = file.content
    if isinstance(content, SignalFacts):
        count = len(content.channels) + len(content.unread)
        channels = f"{content.kind}, {count} channel{'s' if count != 1 else ''}"
        timed = f", timed by {_shown(content.time_column)}" if content.time_column else ""
        return channels + timed
    return file.kind


def cells(channel: ChannelFacts) -> dict[str, str]:
    """A channel's facts as short texts, by the name of their column on the page."""
    stated, measured = channel.stated_rate, channel.measured_rate
    if channel.refusal is not None:
        return dict.fromkeys(_COLUMNS, "-") | {"usable": "", "summary": "cannot be read"}
    found = {
        "unit": channel.unit or "not stated",
        "stated": "not stated" if stated is None else f"{stated:g} Hz",
        "measured": "-" if measured is None else f"{measured:.6g} Hz",
        "duration": "not known" if channel.duration is None else duration(channel.duration),
        "samples": f"{channel.samples}",
        "missing": percent(channel.missing),
        "flat": "-" if channel.flat is None else percent(channel.flat),
        "range": _range(channel),
        "usable": _usable(channel.quality),
    }
    parts = [
        f"unit {found['unit']}",
        "rate not stated" if stated is None else f"rate stated {found['stated']}",
        f"measured {found['measured']}" if measured is not None else "",
        f"{found['duration']}" if channel.duration is not None else "duration not known",
        f"{found['samples']} samples",
        f"range {found['range']}",
        f"missing {found['missing']}" if channel.missing else "",
        f"flat {found['flat']}" if channel.flat else "",
        found["usable"],
    ]
    return {**found, "summary": ", ".join(part for part in parts if part)}


def shared_details(file: SignalFacts) -> list[str]:
    """What is to be said of every channel, where there are several."""
    told = [_details(channel) for channel in file.channels if channel.refusal is None]
    if len(told) < 2:
        return []
    return [line for line in told[0] if all(line in others for others in told)]


def own_details(channel: ChannelFacts, file: SignalFacts) -> list[str]:
    """What is to be said of this channel only."""
    shared = shared_details(file)
    return [line for line in _details(channel) if line not in shared]


def file_notices(content: SignalFacts | VideoFacts | PictureFacts) -> tuple[Notice, ...]:
    """The notices of the file that are not told for its channels."""
    if not isinstance(content, SignalFacts):
        return content.notices
    told = {notice for channel in content.channels for notice in channel.notices}
    return tuple(notice for notice in content.notices if notice not in told)


def _details(channel: ChannelFacts) -> list[str]:
    """What takes a line of its own: start, gaps, notices."""
    if channel.refusal is not None:
        return [" ".join(refusal_lines(channel.refusal))]
    lines = []
    if channel.unix_start is not None:
        lines.append(f"starts {utc(channel.unix_start)}")
    elif abs(channel.start) >= 0.0005:
        lines.append(f"starts at {channel.start:.3f} s of the file's own clock")
    if channel.gaps:
        lines.append(f"gaps: {gaps_text(channel.gaps)}")
    return lines + [f"{notice.code}: {notice.sentence}" for notice in channel.notices]


def rows(content: VideoFacts | PictureFacts) -> list[tuple[str, str]]:
    """A video's or a picture's facts as (name, value)."""
    size = f"{content.width} x {content.height} pixels"
    if isinstance(content, PictureFacts):
        faces = content.reason if content.faces is None else str(content.faces)
        return [("size", size), ("faces", faces)]
    stated, rate = content.stated_duration, content.measured_rate
    turned = f", turned by {content.rotation} degrees" if content.rotation else ""
    return [
        ("picture", f"{size}{turned}, {content.codec}"),
        (
            "frames",
            f"{content.frames}, rate stated {content.stated_rate:.6g} Hz, measured "
            f"{'-' if rate is None else f'{rate:.6g} Hz'}, longest step between frames "
            f"{1000 * content.longest_step:.0f} ms",
        ),
        (
            "duration",
            f"stated {'not stated' if stated is None else duration(stated)}, "
            f"measured {duration(content.measured_duration)}",
        ),
        ("first frame", f"at {content.start:.3f} s of the file's own clock"),
        ("recorded", f"{_shown(content.created)} as the file says" if content.created else "-"),
        ("sound", "yes" if content.has_audio else "no"),
    ]


def unread_names(content: SignalFacts) -> str:
    """The channels that were not looked at, by name, shortened."""
    names = [_shown(name) for name in content.unread[:_UNREAD]]
    more = len(content.unread) - len(names)
    return ", ".join(names) + (f" and {more} more" if more else "")


def refusal_lines(refusal: Refusal) -> list[str]:
    """Code and sentence, then the remedy."""
    lines = [f"{refusal.code}: {refusal.sentence}"]
    return [*lines, refusal.remedy] if refusal.remedy else lines


def gaps_text(gaps: Sequence[Span]) -> str:
    """The first gaps as from-to, and how many there are in all."""
    listed = ", ".join(f"{start:.2f}-{end:.2f} s" for start, end in gaps[:_LISTED])
    if len(gaps) <= _LISTED:
        return listed
    total = sum(end - start for start, end in gaps)
    return f"{listed} ... {len(gaps)} in all, {total:.1f} s"


def duration(seconds: float) -> str:
    """Seconds, and from two minutes on minutes as well."""
    return f"{seconds:.2f} s" if seconds < 120 else f"{seconds:.1f} s ({clock(seconds)} min)"


def percent(share: float) -> str:
    """A share that is not quite none or all is never written as 0 % or 100 %."""
    if 0 < share < 0.001:
        return "<0.1 %"
    return "100 %" if share == 1 else f"{min(100 * share, 99.9):.1f} %" if share else "0 %"


def utc(unix: float) -> str:
    """Unix time in s -> "2019-04-11 16:26:40.000 UTC"; the number itself beyond the calendar."""
    try:
        return f"{datetime.fromtimestamp(unix, UTC):%Y-%m-%d %H:%M:%S.%f}"[:-3] + " UTC"
    except (OverflowError, ValueError, OSError):
        return f"at Unix time {unix:g} s"


def _range(channel: ChannelFacts) -> str:
    if channel.lowest is None or channel.highest is None:
        return "no number in it"
    unit = f" {channel.unit}" if channel.unit else ""
    digits = 6
    if channel.highest != channel.lowest:  # as many as tell the ends apart
        largest = max(abs(channel.highest), abs(channel.lowest))
        digits = 3 + math.ceil(math.log10(2 * largest / (channel.highest - channel.lowest)))
    digits = min(max(digits, 4), 17)
    return f"{channel.lowest:.{digits}g} to {channel.highest:.{digits}g}{unit}"


def _usable(quality: Quality | None) -> str:
    if quality is None:
        return ""
    name = quality.modality.upper()
    if quality.usable is None:
        return f"usable share of the {name} {quality.reason}"
    reason = f" ({quality.reason})" if quality.reason else ""
    return f"{percent(quality.usable)} usable as {name}{reason}"


def _shown(name: str) -> str:
    """A name from a file as it may be printed."""
    return repr(name) if name.isprintable() else ascii(name)


def _on_terminal(path: str) -> str:
    """A path without what a terminal would obey (F26)."""
    return path if path.isprintable() else ascii(path)
