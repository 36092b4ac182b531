"""The ``session.xml`` of MAHNOB-HCI: who watched what, and how it was felt.

Read by expat alone, with every document type refused: so no entity can be declared, which could
grow without bound or name another file.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from xml.parsers import expat

from affectscope.errors import InputError
from affectscope.io.files import check_file, shown

LARGEST = 1 << 20
"""Bytes; a session.xml has about 2,000."""


@dataclass(frozen=True)
class MahnobSession:
    """One session of the emotion elicitation experiment.

    Attributes:
        folder: with the session's files.
        subject_id: as the file states it.
        clip: the stimulus' file name without its ending.
        valence, arousal: 1-9; NaN where not stated.
        emotion: the felt emotion's code, None where not stated.
        duration: seconds of the stimulus; NaN where not stated.
    """

    folder: Path
    subject_id: str
    clip: str
    valence: float
    arousal: float
    emotion: int | None
    duration: float


class _ForbiddenError(Exception):
    pass


def read_session(path: Path) -> MahnobSession | None:
    """A session, None where it belongs to another experiment of the corpus: nothing was felt there.

    Raises:
        InputError: E_CORPUS for a file that is damaged, has a document type or names no person;
            E_FILE_EMPTY, E_FILE_UNREADABLE.
    """
    elements = _elements(path)
    session = next((held for name, held in elements if name == "session"), None)
    if session is None:
        raise _unfit(path, "it has no session")
    if "feltVlnc" not in session and "feltArsl" not in session:
        return None
    subject = next((held for name, held in elements if name == "subject"), {}).get("id", "").strip()
    clip = session.get("mediaFile", "").strip()
    if not (subject and clip and (subject + clip).isprintable()):
        raise _unfit(path, "it names no subject or no mediaFile")
    emotion = _number(session.get("feltEmo", ""))
    return MahnobSession(
        folder=path.parent,
        subject_id=subject,
        clip=Path(clip.replace("\\", "/")).stem,
        valence=_number(session.get("feltVlnc", "")),
        arousal=_number(session.get("feltArsl", "")),
        emotion=int(emotion) if emotion.is_integer() else None,
        duration=_number(session.get("cutLenSec", "")),
    )


def _elements(path: Path) -> list[tuple[str, dict[str, str]]]:
    """Every element's name and attributes, in the file's order."""
    if check_file(path) > LARGEST:
        raise _unfit(path, f"it has more than {LARGEST} bytes")
    found: list[tuple[str, dict[str, str]]] = []
    parser = expat.ParserCreate()
    parser.StartElementHandler = lambda name, held: found.append((name, held))
    parser.StartDoctypeDeclHandler = _forbidden
    try:
        parser.Parse(path.read_bytes(), True)
    except _ForbiddenError as error:
        raise _unfit(path, "it declares a document type, which is never read") from error
    except (expat.ExpatError, ValueError, LookupError) as error:
        raise _unfit(path, f"it is no XML ({error})") from error
    except OSError as error:
        raise InputError(
            "E_FILE_UNREADABLE", f"{shown(path)} cannot be read ({error.strerror}).", "Try again."
        ) from error
    return found


def _forbidden(*_: object) -> None:
    raise _ForbiddenError


def _number(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        return math.nan
    return value if math.isfinite(value) else math.nan


def _unfit(path: Path, what: str) -> InputError:
    place = f"{path.parent.name}/{path.name}"[:200]
    return InputError(
        "E_CORPUS", f"{place!a} cannot be used: {what}.", "Use the corpus as it was published."
    )
