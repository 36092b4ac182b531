"""people.html: whom the program follows, one self-contained page to look at and to confirm."""

from __future__ import annotations

import base64
import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from affectscope.figures import SOFT, VALENCE, clock, new_figure, style, time_axis
from affectscope.io.files import write_text
from affectscope.pages import INTENDED_USE, environment, inline_figure
from affectscope.picture import ImageArray
from affectscope.preprocessing.face_tracks import FaceTrack
from affectscope.therapy.people import PeopleSeen

if TYPE_CHECKING:
    from matplotlib.figure import Figure

BREAK = "#D55E00"
_COLUMNS = 3
_GAP, _LABEL = 12, 36
_RULES = {
    "largest": "the largest face at the start",
    "left": "the face furthest to the left at the start",
    "right": "the face furthest to the right at the start",
    "box": "the face in the boxes that session.toml states",
    "photo": "the face on the reference photo",
}


def write_people(people: PeopleSeen, path: Path) -> None:
    """Write the page, whole or not at all.

    Raises:
        OutputError: E_OUTPUT.
    """
    write_text(path, render(people))


def render(people: PeopleSeen) -> str:
    """The page as HTML text; everything that came from outside is escaped."""
    recording = people.session.recording
    others = [track for track in people.tracks if track.number not in people.own]
    template = environment().get_template("therapy/people.html.jinja")
    return template.render(
        subject_id=recording.subject_id,
        session_id=recording.trial_id,
        simulated=recording.simulated,
        use=INTENDED_USE,
        rule=_RULES[people.session.person.rule],
        others=max(0, people.together - 1),
        sheet=_data_uri(contact_sheet(people)) if people.shown else None,
        times=", ".join(clock(shown.time) for shown in people.shown),
        tracks=inline_figure(track_figure(people), "When each track was in the picture"),
        notices=[_span(n.start, n.end) + n.sentence for n in people.notices],
        own=[_row(t) for t in people.tracks if t.number in people.own],
        alternatives=[_row(track) for track in others],
        picture=people.picture_size,
    )


def contact_sheet(people: PeopleSeen) -> ImageArray:
    """One picture: at each shown time the face, and the scene beside it."""
    from PIL import Image, ImageDraw, ImageFont

    height = max(shown.scene.shape[0] for shown in people.shown)
    width = people.shown[0].scene.shape[1]
    cell = (height + width, height + _LABEL)
    rows = -(-len(people.shown) // _COLUMNS)
    columns = min(_COLUMNS, len(people.shown))
    size = (columns * (cell[0] + _GAP) - _GAP, rows * (cell[1] + _GAP) - _GAP)
    sheet = Image.new("RGB", size, "white")
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(26)
    for index, shown in enumerate(people.shown):
        x = (index % _COLUMNS) * (cell[0] + _GAP)
        y = (index // _COLUMNS) * (cell[1] + _GAP)
        draw.text((x, y), clock(shown.time), fill="#1f2a33", font=font)
        face = Image.fromarray(shown.face).resize((height, height))
        sheet.paste(face, (x, y + _LABEL))
        sheet.paste(Image.fromarray(shown.scene), (x + height, y + _LABEL))
    return np.asarray(sheet)


def track_figure(people: PeopleSeen) -> Figure:
    """A bar per track, the chosen ones coloured; spans without a sure person above them."""
    start, end = people.session.recording.span
    with style():
        figure, (axes,) = new_figure(8.6, 0.9 + 0.24 * max(1, len(people.tracks)))
        for row, track in enumerate(people.tracks):
            own = track.number in people.own
            axes.barh(
                row, max(track.end - track.start, 0.004 * (end - start)), left=track.start,
                height=0.7, color=VALENCE if own else SOFT,
            )  # fmt: skip
        for each in people.breaks:
            axes.axvspan(
                each.start,
                end if each.end is None else each.end,
                color=BREAK,
                alpha=0.18,
                lw=0,
                zorder=0,
            )
        axes.set_axisbelow(True)
        axes.set_yticks(range(len(people.tracks)), [str(t.number) for t in people.tracks])
        axes.set(ylabel="track", ylim=(max(1, len(people.tracks)) - 0.4, -0.6))
        time_axis(axes, (start, end))
        return figure


def _row(track: FaceTrack) -> dict[str, Any]:
    assert track.mark is not None, "only confirmed tracks are told"
    time, box = track.mark
    numbers = ", ".join([f"{time:.3f}", *(f"{value:.0f}" for value in box)])
    return {
        "number": track.number,
        "span": f"{clock(track.start)} to {clock(track.end)}",
        "ended": {None: "", "lost": "out of sight", "crossing": "another face came near"}[
            track.ended
        ],
        "box": f"[{numbers}]",
        "place": box,
    }


def _span(start: float | None, end: float | None) -> str:
    return "" if start is None or end is None else f"{clock(start)} to {clock(end)}: "


def _data_uri(picture: ImageArray) -> str:
    from PIL import Image

    content = io.BytesIO()
    Image.fromarray(picture).save(content, "PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(content.getvalue()).decode()
