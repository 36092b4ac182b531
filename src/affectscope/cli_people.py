"""The verb ``affectscope people``; as in ``cli``, heavy rooms are imported inside it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from affectscope.progress import progress_bar


def people(
    session: Annotated[Path, typer.Argument(help="The session's folder.")],
    out: Annotated[Path, typer.Option(help="The folder to write people.html into.")],
    rate: Annotated[
        float, typer.Option(min=0.5, max=30, help="Pictures per second that are looked at.")
    ] = 10.0,
) -> None:
    """Whom an assessment follows in the video, to confirm or to choose another: people.html."""
    from affectscope.io.files import prepare_folder
    from affectscope.io.session import open_session
    from affectscope.therapy.people import find_people
    from affectscope.therapy.people_page import write_people

    prepare_folder(out)
    opened = open_session(session)
    start, end = opened.recording.span
    with progress_bar(f"looking at {opened.recording.subject_id}") as reached:
        seen = find_people(
            opened, rate=rate, on_time=lambda time: reached((time - start) / (end - start))
        )
    write_people(seen, out / "people.html")
    print(f"Tracks: {len(seen.tracks)}; most people at once: {seen.together}")
    for notice in seen.notices:
        print(f"  {notice.code}: {notice.sentence}")
    print(f"Look at it and confirm the person: {out / 'people.html'}")
