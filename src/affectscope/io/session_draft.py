"""Draft a session.toml from a folder's files. What no file states is asked for, never guessed."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from affectscope.errors import InputError, SessionError
from affectscope.io.biosignals import RAW, read_signal
from affectscope.io.channels import Decimal, SignalSource, find_channel
from affectscope.io.files import sha256, shown, write_text
from affectscope.io.session_candidates import (
    VIDEO,
    BiosignalName,
    Candidate,
    FoundFile,
    candidates_of,
    inspect_folder,
    is_named,
)
from affectscope.io.session_file import FORMAT, NAME, session_toml

Ask = Callable[[str], str]

NONE = "none"
"""The answer that a session has no such modality."""
UNKNOWN = "unknown"
"""The answer that nobody knows when the video started."""

_LISTED = 20


@dataclass(frozen=True)
class Answers:
    """What the user states beforehand; None where a file may state it or the user is asked.

    A file may be ``NONE``: the session has no such modality.
    """

    subject_id: str | None = None
    session_id: str | None = None
    simulated: bool | None = None
    face_file: str | None = None
    face_clock_offset: float | None = None
    person: str | None = None
    ecg_file: str | None = None
    ecg_channel: str | None = None
    ecg_sampling_rate: float | None = None
    ecg_unit: str | None = None
    ecg_decimal: Decimal | None = None
    eda_file: str | None = None
    eda_channel: str | None = None
    eda_sampling_rate: float | None = None
    eda_unit: str | None = None
    eda_decimal: Decimal | None = None


@dataclass(frozen=True)
class _Stated:
    """The answers for one biosignal."""

    name: BiosignalName
    file: str | None
    channel: str | None
    sampling_rate: float | None
    unit: str | None
    decimal: Decimal | None


def draft_session(folder: Path, answers: Answers, ask: Ask | None) -> str:
    """Write session.toml from what the files state and the user answers; gives back its text.

    Args:
        ask: puts a question to the user and gives back the answer; None where nobody can answer.

    Raises:
        SessionError: E_SESSION where the folder has a session.toml already; E_QUESTION with the
            option to give where something must be asked and ``ask`` is None, or was not answered
            well; E_NO_USABLE_MODALITY for a folder without usable files.
        InputError: a chosen file cannot be read.
    """
    target = folder / NAME
    if target.exists() or target.is_symlink():
        raise SessionError(
            "E_SESSION",
            f"The folder {shown(folder)} has a {NAME} already.",
            "Edit it, or move it away to draft a new one.",
        )
    stated = _stated(answers)
    found = inspect_folder(folder, {each.file: each.decimal for each in stated if each.file})
    subject_id = answers.subject_id or _answer(
        ask, "Which pseudonym has the person?", option="--subject"
    )
    tables: dict[str, Mapping[str, object] | object] = {
        "format": FORMAT,
        "subject_id": subject_id,
        "session_id": answers.session_id,
        "simulated": answers.simulated,
    }
    face = _face(folder, found, answers=answers, ask=ask)
    if face is not None:
        tables["face"] = face
    taken: list[Candidate] = []
    for each in stated:
        chosen = _choose(found, each, taken=taken, ask=ask)
        if chosen is not None:
            taken.append(chosen)
            tables[each.name] = _signal_table(folder, chosen, stated=each, ask=ask)
    if not (face or taken):
        problems = " ".join(file.problem for file in found if file.problem)
        raise SessionError(
            "E_NO_USABLE_MODALITY",
            f"No file in {shown(folder)} holds a face video, an ECG or an EDA. {problems}".strip(),
            "Copy the session's files into the folder.",
        )
    if face is not None and taken:
        face["clock_offset"] = _face_offset(answers, ask)
    text = session_toml(tables)
    write_text(target, text)
    return text


def _face(
    folder: Path, found: tuple[FoundFile, ...], *, answers: Answers, ask: Ask | None
) -> dict[str, object] | None:
    """The [face] table: the folder's only video, or the one that the user names."""
    name = answers.face_file
    videos = [file.name for file in found if file.kind == VIDEO]
    if name is None and len(videos) == 1:
        name = videos[0]
    elif name is None and videos:
        listed = _numbered([shown(Path(video)) for video in videos])
        reply = _answer(ask, f"Which video shows the person? {listed}", option="--face-file")
        name = _picked(reply, videos, option="--face-file")
    if name is None or name == NONE:
        return None
    path = _inside(folder, name)
    return {"file": name, "person": answers.person, "sha256": sha256(path)}


def _face_offset(answers: Answers, ask: Ask | None) -> float | None:
    """When the video starts, in seconds of the signals' time; None where nobody knows it."""
    if answers.face_clock_offset is not None or ask is None:
        return answers.face_clock_offset
    reply = ask(
        f"How many seconds after the signals does the video start ({UNKNOWN}: it will be told as"
        " not aligned)?"
    ).strip()
    if reply.casefold() in ("", UNKNOWN):
        return None
    try:
        seconds = float(reply.replace(",", "."))
    except ValueError:
        seconds = math.nan
    if not math.isfinite(seconds):
        raise SessionError(
            "E_QUESTION", f"{reply!a} is no number of seconds.", "Give --face-offset."
        )
    return seconds


def _inside(folder: Path, name: str) -> Path:
    """A file that the user named, which must lie in the folder itself."""
    path = folder / name
    if Path(name).name != name or not path.is_file():
        raise SessionError(
            "E_SESSION",
            f"{name!a} is no file of the folder {shown(folder)}.",
            "Copy it into the folder and give its name.",
        )
    return path


def _stated(answers: Answers) -> tuple[_Stated, _Stated]:
    return (
        _Stated(
            "ecg",
            answers.ecg_file,
            answers.ecg_channel,
            answers.ecg_sampling_rate,
            answers.ecg_unit,
            answers.ecg_decimal,
        ),
        _Stated(
            "eda",
            answers.eda_file,
            answers.eda_channel,
            answers.eda_sampling_rate,
            answers.eda_unit,
            answers.eda_decimal,
        ),
    )


def _choose(
    found: tuple[FoundFile, ...], stated: _Stated, *, taken: list[Candidate], ask: Ask | None
) -> Candidate | None:
    """The one channel that is meant, None where the session has none."""
    if stated.file == NONE:
        return None
    candidates = [
        candidate
        for file in found
        if stated.file in (None, file.name)
        for candidate in candidates_of(file)
        if candidate not in taken
    ]
    if stated.channel is not None:
        candidates = _called(found, candidates, stated=stated)
    elif not (stated.file is not None and len(candidates) == 1):
        named = [c for c in candidates if is_named(c, stated.name)]
        if len(named) == 1:
            return named[0]
        candidates = named or candidates
    if len(candidates) == 1 and (stated.file is not None or stated.channel is not None):
        return candidates[0]
    if not candidates:
        if stated.file is None and stated.channel is None:
            return None
        problem = next((f.problem for f in found if f.name == stated.file and f.problem), None)
        raise SessionError(
            "E_QUESTION",
            problem or f"No channel in the folder is the {stated.name.upper()} that was stated.",
            f"Correct --{stated.name}-file or --{stated.name}-channel.",
        )
    return _asked(candidates, stated, ask=ask)


def _asked(candidates: list[Candidate], stated: _Stated, *, ask: Ask | None) -> Candidate | None:
    """The user's choice among the candidates."""
    name = stated.name
    listed = _numbered([str(candidate) for candidate in candidates])
    option = f"--{name}-file and --{name}-channel, or --{name}-file {NONE}"
    question = f"Which channel is the {name.upper()} ({NONE}: there is none)? {listed}"
    reply = _answer(ask, question, option=option)
    if reply.strip().casefold() == NONE:
        return None
    numbers = [str(number) for number in range(1, len(candidates) + 1)]
    names = [candidate.info.name for candidate in candidates]
    if reply.strip() not in numbers and names.count(reply.strip()) == 1:
        return candidates[names.index(reply.strip())]
    return candidates[int(_picked(reply, numbers, option=option)) - 1]


def _called(
    found: tuple[FoundFile, ...], candidates: list[Candidate], *, stated: _Stated
) -> list[Candidate]:
    """The candidates that go by the stated channel name or number."""
    matching = []
    for file in found:
        for wanted in (stated.channel, _as_number(stated.channel)):
            try:
                number = find_channel(file.channels, wanted, path=Path(file.name)) + 1
            except InputError:
                continue
            matching += [c for c in candidates if (c.file, c.number) == (file.name, number)]
            break
    return matching


def _as_number(channel: str | None) -> str | int | None:
    return int(channel) if channel is not None and channel.isdecimal() else channel


def _signal_table(
    folder: Path, chosen: Candidate, *, stated: _Stated, ask: Ask | None
) -> dict[str, object]:
    """The table of one biosignal; what its reader misses is asked for, question by question."""
    path = folder / chosen.file
    source = SignalSource(chosen.key, stated.sampling_rate, stated.unit, decimal=stated.decimal)
    while True:
        try:
            signal, _ = read_signal(path, source)
            break
        except InputError as error:
            source = _completed(source, error, name=stated.name, ask=ask)
    if signal.unit == RAW:
        raise InputError(
            "E_UNIT",
            f"The channel {chosen} holds converter counts of a sensor that is not known.",
            "Export it in its physical unit.",
        )
    return {
        "file": chosen.file,
        "channel": chosen.key,
        "sampling_rate": source.sampling_rate,
        "unit": source.unit,
        "decimal": source.decimal,
        "sha256": sha256(path),
    }


def _completed(
    source: SignalSource, error: InputError, *, name: BiosignalName, ask: Ask | None
) -> SignalSource:
    """The source with the answer to what its reader missed; any other error is raised again."""
    signal = name.upper()
    if error.code == "E_SAMPLING_RATE" and source.sampling_rate is None:
        option = f"--{name}-rate"
        reply = _answer(ask, f"{error.sentence} Which is the {signal}'s rate in Hz?", option=option)
        return replace(source, sampling_rate=_positive(reply, option))
    if error.code == "E_UNIT" and source.unit is None:
        example = "mV" if name == "ecg" else "uS"
        option = f"--{name}-unit, for example --{name}-unit {example}"
        reply = _answer(ask, f"{error.sentence} Which is the {signal}'s unit?", option=option)
        return replace(source, unit=reply.strip())
    if error.code == "E_CSV_AMBIGUOUS" and source.decimal is None:
        option = f'--{name}-decimal "." or --{name}-decimal ","'
        question = f"{error.sentence} Which decimal mark has the {signal}'s file, . or ,?"
        mark = _picked(_answer(ask, question, option=option), [".", ","], option=option)
        return replace(source, decimal="." if mark == "." else ",")
    raise error


def _answer(ask: Ask | None, question: str, *, option: str) -> str:
    """The user's answer. Raises SessionError E_QUESTION where nobody can be asked, or none came."""
    reply = "" if ask is None else ask(question)
    if not reply.strip():
        raise SessionError("E_QUESTION", question, f"Give {option}.")
    return reply


def _picked(reply: str, choices: list[str], *, option: str) -> str:
    """The choice that a reply names, by itself or by its number in the list."""
    reply = reply.strip()
    if reply in choices:
        return reply
    if reply.isdecimal() and 1 <= int(reply) <= len(choices):
        return choices[int(reply) - 1]
    raise SessionError("E_QUESTION", f"{reply!a} is none of the choices.", f"Give {option}.")


def _positive(reply: str, option: str) -> float:
    try:
        rate = float(reply.replace(",", "."))
    except ValueError:
        rate = 0.0
    if not 0 < rate < float("inf"):
        raise SessionError("E_QUESTION", f"{reply!a} is no rate greater than 0.", f"Give {option}.")
    return rate


def _numbered(choices: list[str]) -> str:
    listed = ", ".join(f"{n}: {choice}" for n, choice in enumerate(choices[:_LISTED], 1))
    return f"{listed}, ..." if len(choices) > _LISTED else listed
