"""Whom to follow in the video, as [face] of session.toml says it.

person = "box"                          # "largest" (default), "left", "right", "box", "photo"
person_boxes = [[12.5, 40, 60, 90, 90]] # for "box": time (s), x, y, width, height (pixels)
person_photo = "client.jpg"             # for "photo": a file in the session's folder
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TYPE_CHECKING, get_args

from affectscope.records import PersonBox, PersonChoice, PersonRule

if TYPE_CHECKING:
    from affectscope.io.toml_table import TomlTable

_BOXES = (
    "a list of boxes, each [time, x, y, width, height] in seconds and pixels, their times rising"
    " and their sides greater than 0"
)


def person_choice(table: TomlTable) -> PersonChoice:
    """The stated choice, without its photo, which the session's folder must first be asked for.

    Raises:
        SessionError: E_SESSION; the sentence names the key, its value and what is allowed.
    """
    person = table.text("person") or "largest"
    if person not in get_args(PersonRule):
        raise table.wrong("person", " or ".join(map(repr, get_args(PersonRule))))
    rule: PersonRule = person  # type: ignore[assignment]  # checked one line above
    boxes, photo = _boxes(table), table.text("person_photo")
    if bool(boxes) != (rule == "box"):
        raise table.wrong("person_boxes", f'{_BOXES}; with person = "box" and with nothing else')
    if (photo is not None) != (rule == "photo"):
        raise table.wrong("person_photo", 'a file; with person = "photo" and with nothing else')
    return PersonChoice(rule, boxes)


def _boxes(table: TomlTable) -> tuple[PersonBox, ...]:
    stated = table.values.get("person_boxes")
    if stated is None:
        return ()
    boxes = [_box(each) for each in stated] if isinstance(stated, list) else []
    found = [box for box in boxes if box is not None]
    times = [box.time for box in found]
    rising = all(one < other for one, other in pairwise(times))
    if not boxes or len(found) < len(boxes) or not rising:
        raise table.wrong("person_boxes", _BOXES)
    return tuple(found)


def _box(stated: object) -> PersonBox | None:
    if not (isinstance(stated, list) and len(stated) == 5):
        return None
    if not all(isinstance(value, int | float) and not isinstance(value, bool) for value in stated):
        return None
    try:
        time, x, y, width, height = map(float, stated)
    except OverflowError:  # TOML allows integers of any length
        return None
    usable = all(map(math.isfinite, (time, x, y, width, height))) and min(width, height) > 0
    return PersonBox(time, (x, y, width, height)) if usable else None
