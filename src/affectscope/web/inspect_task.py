"""Look at a session's files and write down what a form can propose and what it must ask.

{"files": [{"name", "kind", "problem", "channels": [{"name", "number", "key", "unit",
            "sampling_rate", "samples", "named"}]}],
 "proposed": {"face": {"file"} or null,
              "ecg": {"file", "channel", "sampling_rate", "unit"} or null, "eda": the same},
 "questions": [{"about", "what", "sentence", "choices": [{"file", "channel", "name"}]}]}

``kind``: "video", a kind of signal file, or null with a problem. ``named``: of "ecg" and "eda" what
the channel's name speaks of. ``key`` and ``channel``: what session.toml calls the channel.
A proposed ``sampling_rate`` (Hz) or ``unit`` is what the file states; null: nobody but the user
knows it. ``about``: "face", "ecg" or "eda"; ``what``: "file", "channel", "sampling_rate", "unit",
"decimal", or "problem" where no answer helps.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from affectscope.errors import InputError
from affectscope.io.biosignals import RAW, read_signal
from affectscope.io.channels import Decimal, SignalSource
from affectscope.io.files import write_text, writing_in
from affectscope.io.session_candidates import (
    SIGNAL_NAMES,
    VIDEO,
    BiosignalName,
    Candidate,
    FoundFile,
    candidates_of,
    inspect_folder,
    is_named,
)
from affectscope.records import Signal
from affectscope.worker_process import Alive

_PROBED: dict[str, tuple[str, Mapping[str, Any]]] = {
    "E_SAMPLING_RATE": ("sampling_rate", {"sampling_rate": 1.0}),
    "E_UNIT": ("unit", {"unit": "V"}),
    "E_CSV_AMBIGUOUS": ("decimal", {"decimal": "."}),
}
"""A reader's code -> what must be asked, and what stands in for the answer while it is found out
what else must be asked; it goes nowhere."""

Question = dict[str, Any]


@dataclass(frozen=True)
class InspectTask:
    """Inspect the files in ``folder`` and write ``output``, a JSON file.

    Attributes:
        decimals: (file, decimal mark) as the user has stated it for tables.
    """

    folder: Path
    output: Path
    decimals: tuple[tuple[str, Decimal], ...] = field(default=(), repr=False)


def inspect_files(task: InspectTask, alive: Alive) -> None:
    """Each file is read in a guarded process of its own; one that cannot be read has a problem.

    Raises:
        SessionError: E_SESSION where there is no such folder.
        OutputError: E_OUTPUT.
    """
    decimals = dict(task.decimals)
    found = inspect_folder(task.folder, decimals)
    alive(0.6)
    questions: list[Question] = []
    proposed: dict[str, object] = {"face": _face(found, questions)}
    taken: list[Candidate] = []
    for name in SIGNAL_NAMES:
        chosen = _chosen(found, name, taken=taken, questions=questions)
        proposed[name] = None
        if chosen is not None:
            taken.append(chosen)
            proposed[name] = _signal(
                task.folder, chosen, name=name, decimals=decimals, questions=questions
            )
        alive(0.6 + 0.2 * len(proposed) / len(SIGNAL_NAMES))
    content = {"files": [_file(file) for file in found], "proposed": proposed}
    with writing_in(task.output.parent):
        text = json.dumps({**content, "questions": questions}, indent=1, allow_nan=False)
        write_text(task.output, text + "\n")


def _file(file: FoundFile) -> dict[str, object]:
    channels = [
        {
            "name": each.info.name,
            "number": each.number,
            "key": each.key,
            "unit": each.info.unit,
            "sampling_rate": _rate(each.info.sampling_rate),
            "samples": each.info.samples,
            "named": [name for name in SIGNAL_NAMES if is_named(each, name)],
        }
        for each in candidates_of(file)
    ]
    return {"name": file.name, "kind": file.kind, "problem": file.problem, "channels": channels}


def _rate(stated: float | None) -> float | None:
    """What a file states in earnest."""
    return stated if stated is not None and math.isfinite(stated) and stated > 0 else None


def _face(found: Iterable[FoundFile], questions: list[Question]) -> dict[str, str] | None:
    videos = [file.name for file in found if file.kind == VIDEO]
    if len(videos) == 1:
        return {"file": videos[0]}
    if videos:
        choices = [{"file": video, "channel": None, "name": video} for video in videos]
        questions.append(_question("face", "file", "Which video shows the person?", choices))
    return None


def _chosen(
    found: Iterable[FoundFile],
    name: BiosignalName,
    *,
    taken: Sequence[Candidate],
    questions: list[Question],
) -> Candidate | None:
    """The only channel whose name speaks of the signal; any other is the user's to choose."""
    candidates = [each for file in found for each in candidates_of(file) if each not in taken]
    named = [each for each in candidates if is_named(each, name)]
    if len(named) == 1:
        return named[0]
    if candidates:
        choices = [
            {"file": each.file, "channel": each.key, "name": each.info.name}
            for each in named or candidates
        ]
        sentence = f"Which channel is the {name.upper()}?"
        questions.append(_question(name, "channel", sentence, choices))
    return None


def _signal(
    folder: Path,
    chosen: Candidate,
    *,
    name: BiosignalName,
    decimals: Mapping[str, Decimal],
    questions: list[Question],
) -> dict[str, object]:
    """What the channel's file states of it, found by reading it as an assessment will."""
    source = SignalSource(chosen.key, decimal=decimals.get(chosen.file))
    asked: set[str] = set()
    signal: Signal | None = None
    while signal is None:
        try:
            signal, _ = read_signal(folder / chosen.file, source)
        except InputError as error:
            what, answer = _PROBED.get(error.code, ("problem", {}))
            if what in asked or what == "problem":
                questions.append(_question(name, "problem", error.sentence))
                break
            asked.add(what)
            questions.append(_question(name, what, error.sentence))
            source = replace(source, **answer)
    if signal is not None and "unit" not in asked:
        questions += _wrong_unit(signal, name)
    known = {} if signal is None else {"sampling_rate": signal.sampling_rate, "unit": signal.unit}
    stated = {
        what: None if what in asked else known.get(what) for what in ("sampling_rate", "unit")
    }
    return {"file": chosen.file, "channel": chosen.key, **stated}


def _wrong_unit(signal: Signal, name: BiosignalName) -> list[Question]:
    """A stated unit that no such signal has."""
    from affectscope.preprocessing.units import to_microsiemens, to_millivolts

    if signal.unit == RAW:
        sentence = "The file holds converter counts of a sensor that is not known."
        return [_question(name, "problem", f"{sentence} Export it in its physical unit.")]
    try:
        (to_millivolts if name == "ecg" else to_microsiemens)(signal)
    except InputError as error:
        return [_question(name, "problem", error.sentence)]
    return []


def _question(
    about: str, what: str, sentence: str, choices: Sequence[Mapping[str, object]] = ()
) -> Question:
    return {"about": about, "what": what, "sentence": sentence, "choices": list(choices)}
