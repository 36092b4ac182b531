"""What the form that sets a session up sends, and the tables of session.toml that this becomes.

What is saved has been held against what the files state, as they were inspected: nobody learns an
hour later that a rate is missing.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field

from affectscope.errors import InputError, WebError
from affectscope.io.biosignals import RATE_TOLERANCE, RAW
from affectscope.preprocessing.units import spelled, to_microsiemens, to_millivolts
from affectscope.records import Signal
from affectscope.store.files import ListedFile
from affectscope.web.bodies import Body, Second, Version
from affectscope.web.inspected import Choice, Inspected

TITLES = {"face": "Face video", "ecg": "ECG", "eda": "Skin conductance (EDA)"}
PERSONS = {
    "largest": "the person whose face is largest",
    "left": "the person on the left",
    "right": "the person on the right",
}
UNITS: Mapping[str, Sequence[str]] = {
    "ecg": ("mV", "uV", "V"),
    "eda": ("uS", "nS", "mS", "S", "kOhm", "Ohm", "MOhm"),
}
"""The units that can be converted (``preprocessing.units``), the usual ones first."""

Tables = dict[str, Any]
FileName = Annotated[str, Field(min_length=1, max_length=1000)]
ChannelName = Annotated[str, Field(min_length=1, max_length=500)]
ChannelNumber = Annotated[int, Field(strict=True, ge=1, le=1 << 16)]


class FacePart(Body):
    """``clock_offset``: s from the start of the signals to that of the video. ``person`` None: as
    it was, the largest where it was not said."""

    file: FileName
    clock_offset: Second | None = None
    person: Literal["largest", "left", "right"] | None = None


class SignalPart(Body):
    """``sampling_rate`` (Hz), ``unit``, ``decimal``: None where the file says it.
    ``clock_offset``: s that are added to the file's own time."""

    file: FileName
    channel: ChannelNumber | ChannelName
    sampling_rate: float | None = Field(default=None, gt=0, le=1e7, allow_inf_nan=False)
    unit: str | None = Field(default=None, min_length=1, max_length=20)
    decimal: Literal[".", ","] | None = None
    clock_offset: Second | None = None


class SetUp(Body):
    """All of it; a modality that was not recorded is None."""

    version: Version
    simulated: bool
    face: FacePart | None
    ecg: SignalPart | None
    eda: SignalPart | None


def tables_of(
    form: SetUp,
    held: Mapping[str, Any],
    *,
    files: Sequence[ListedFile],
    inspected: Inspected | None,
) -> Tables:
    """The tables that the form is about; None removes one.

    Args:
        held: the settings as they are; what the form does not know stays in tables whose file
            stays.
        files: of the session.
        inspected: what is in them, None where nobody knows yet.

    Raises:
        WebError: E_VALUE.
    """
    hashes = {file.name: file.sha256 for file in files}
    if form.face is None and form.ecg is None and form.eda is None:
        raise _refused("Nothing is recorded.", "Choose a face video, an ECG or a skin conductance.")
    tables: Tables = {"simulated": True if form.simulated else None}
    for name, part in (("face", form.face), ("ecg", form.ecg), ("eda", form.eda)):
        tables[name] = None
        if part is None:
            continue
        if part.file not in hashes:
            raise _refused(
                f"{TITLES[name]}: the session has no file of that name.", "Choose another."
            )
        before = held.get(name) or {}
        kept = before if before.get("file") == part.file else {}
        if isinstance(part, FacePart):
            table = _face_table(part, kept)
        else:
            table = _signal_table(name, part, kept=kept, inspected=inspected)
        table = {**table, "sha256": hashes[part.file]}
        tables[name] = {key: value for key, value in table.items() if value is not None}
    if form.ecg and form.eda and _place(form.ecg) == _place(form.eda):
        raise _refused("The ECG and the skin conductance are the same channel.", "Change one.")
    return tables


def _face_table(part: FacePart, kept: Mapping[str, Any]) -> dict[str, Any]:
    """What only session.toml can say of the person (boxes, a photo) stays with the same video."""
    table = {"file": part.file, "clock_offset": part.clock_offset, "person": part.person}
    if part.person is None:
        table |= {key: kept.get(key) for key in ("person", "person_boxes", "person_photo")}
    return table


def _signal_table(
    name: str, part: SignalPart, *, kept: Mapping[str, Any], inspected: Inspected | None
) -> dict[str, Any]:
    choice = inspected.find(part.file, part.channel) if inspected else None
    if inspected is not None:
        if choice is None:
            raise _refused(f"{TITLES[name]}: the file has no such channel.", "Choose another.")
        _check_stated(name, part, choice)
    unit = part.unit or (choice.unit if choice else None)
    if unit not in (None, RAW):
        _check_unit(name, unit)
    return {**part.model_dump(), "time_column": kept.get("time_column")}


def _check_stated(name: str, part: SignalPart, choice: Choice) -> None:
    """What the file does not say must be stated; what it says must not be contradicted."""
    facts = (
        ("sampling rate", part.sampling_rate, choice.sampling_rate, _same_rate),
        ("unit", part.unit, choice.unit, _same_unit),
    )
    for what, stated, in_file, same in facts:
        if stated is None and in_file is None:
            raise _refused(
                f"{TITLES[name]}: the file does not say the {what}.", f"State the {what}."
            )
        if stated is not None and in_file is not None and not same(stated, in_file):
            raise _refused(
                f"{TITLES[name]}: the file says that the {what} is {in_file}, not {stated}.",
                f"Leave the {what} empty.",
            )
    if part.decimal is None and choice.asks_decimal == name:
        raise _refused(
            f"{TITLES[name]}: a comma in the file may be a decimal mark or part the columns.",
            "State the decimal mark.",
        )


def _same_rate(stated: Any, in_file: Any) -> bool:
    return math.isclose(stated, in_file, rel_tol=RATE_TOLERANCE)


def _same_unit(stated: Any, in_file: Any) -> bool:
    return spelled(stated) == spelled(in_file)


def _check_unit(name: str, unit: str) -> None:
    try:
        (to_millivolts if name == "ecg" else to_microsiemens)(Signal(np.ones(1), 1.0, unit, 0.0))
    except InputError as error:
        raise _refused(f"{TITLES[name]}: {error.sentence}", error.remedy) from error


def _place(part: SignalPart) -> tuple[str, str | int]:
    return part.file, part.channel


def _refused(sentence: str, remedy: str) -> WebError:
    return WebError("E_VALUE", sentence, f"{remedy} Nothing was saved.")
