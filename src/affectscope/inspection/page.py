"""inspect.html: one self-contained page with every file's facts and small plots."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from affectscope.inspection import figures, lines
from affectscope.inspection.facts import ChannelFacts, FileFacts, SignalFacts, VideoFacts
from affectscope.io.files import write_text
from affectscope.pages import INTENDED_USE, environment, inline_figure

if TYPE_CHECKING:
    from markupsafe import Markup
    from matplotlib.figure import Figure

NAME = "inspect.html"


def write_page(files: Sequence[FileFacts], folder: Path) -> Path:
    """Write the page, whole or not at all, and give back its path.

    Raises:
        OutputError: E_OUTPUT.
    """
    path = folder / NAME
    write_text(path, render(files))
    return path


def render(files: Sequence[FileFacts]) -> str:
    """The page as HTML text; everything that came from outside is escaped."""
    template = environment().get_template("inspection/inspect.html.jinja")
    return template.render(
        files=[_section(file) for file in files],
        refused=sum(file.refusal is not None for file in files),
        use=INTENDED_USE,
    )


def _section(file: FileFacts) -> dict[str, Any]:
    content = file.content
    common: dict[str, Any] = {
        "name": file.name,
        "title": lines.title(file),
        "refusal": file.refusal,
        "notices": () if content is None else lines.file_notices(content),
        "channels": [],
        "shared": [],
        "rows": [],
        "plots": [],
        "unread": "",
    }
    if isinstance(content, SignalFacts):
        return {
            **common,
            "channels": [_channel(channel, content) for channel in content.channels],
            "shared": lines.shared_details(content),
            "plots": _plots(figures.channels_over_time(content.channels), "Channels over time"),
            "unread": lines.unread_names(content) if content.unread else "",
        }
    if content is None:
        return common
    drawn = figures.frames_over_time(content) if isinstance(content, VideoFacts) else None
    plots = _plots([drawn], "Frames per second over time") if drawn else []
    return {**common, "rows": lines.rows(content), "plots": plots}


def _channel(channel: ChannelFacts, file: SignalFacts) -> dict[str, Any]:
    return {
        "name": channel.name,
        "cells": lines.cells(channel),
        "details": lines.own_details(channel, file),
    }


def _plots(drawn: Sequence[Figure], description: str) -> list[Markup | None]:
    return [inline_figure(figure, description) for figure in drawn]
