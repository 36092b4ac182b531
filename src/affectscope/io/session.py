"""A session folder -> its Recording, on one time axis, with everything that must be known about it.

What cannot be read becomes a notice and the rest goes on. Only a session that cannot be understood,
or of which nothing can be read, is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TypeVar

import numpy as np

from affectscope.errors import AffectScopeError, InputError, SessionError
from affectscope.io.biosignals import TimedSignal, read_timed_signal
from affectscope.io.clock_alignment import align_by_clocks, clock_shifts
from affectscope.io.csv_layout import table_layout
from affectscope.io.csv_table import read_columns
from affectscope.io.event_markers import PlacedSignal, read_markers
from affectscope.io.files import check_file, lies_inside, sha256, shown
from affectscope.io.reliability import Reliability
from affectscope.io.session_checks import (
    labels_outside,
    rate_confusions,
    same_content,
    uncovered_spans,
)
from affectscope.io.session_exclusions import check_excluded
from affectscope.io.session_file import (
    NAME,
    SessionFile,
    SignalEntry,
    read_session_file,
    session_toml,
)
from affectscope.io.session_phases import Phases, check_inside, stated_phases
from affectscope.io.session_sync import SyncEntry
from affectscope.io.time_column import find_time_column
from affectscope.io.toml_table import StatedFile
from affectscope.records import (
    TARGETS,
    ClockAlignment,
    ExcludedSpan,
    FloatArray,
    Labels,
    Modality,
    Notice,
    PersonChoice,
    Phase,
    Recording,
    Signal,
    VideoTrack,
)

__all__ = ["Session", "open_session", "session_toml"]

T = TypeVar("T")


@dataclass(frozen=True)
class Session:
    """A session that can be assessed.

    Attributes:
        phases: the two parts to compare as session.toml states them, None to use the default rule;
            ``phase_rule`` in words. ``marked``: named parts that are reported beside them.
        person: which face is the person's where several are visible.
        input_hashes: sha256 of session.toml and of every file that was read, by name.
        alignments: how each modality that is there lies on the session's axis.
        sync: what session.toml says about that, and ``markers`` of shared events: a marker channel
            or their times, on the session's axis. ``datasets.alignment.aligned`` uses them.
        questionnaires: a table of answers before and after, None where there is none.
        reliability: what is known of measures beforehand, by name.
        excluded: what the user leaves out; nothing of it may enter a number.
    """

    folder: Path
    recording: Recording
    phases: Phases | None
    person: PersonChoice
    input_hashes: dict[str, str]
    alignments: tuple[ClockAlignment, ...] = ()
    sync: SyncEntry = field(default_factory=SyncEntry)
    markers: Signal | FloatArray | None = None
    phase_rule: str = ""
    marked: tuple[Phase, ...] = ()
    questionnaires: Path | None = None
    reliability: Mapping[str, Reliability] = field(default_factory=dict)
    excluded: tuple[ExcludedSpan, ...] = ()


@dataclass
class _Opening:
    """What is gathered while a folder is read."""

    folder: Path
    notices: list[Notice] = field(default_factory=list)
    hashes: dict[str, str] = field(default_factory=dict)

    def attempt(self, action: Callable[[], T], modality: Modality | None = None) -> T | None:
        """The action's result, or None and a notice with the reason."""
        try:
            return action()
        except AffectScopeError as error:
            sentence = f"{error.sentence} {error.remedy}".strip()
            self.notices.append(Notice(error.code, sentence, modality))
            return None

    def checked(self, file: StatedFile) -> Path:
        """The path of a file that is there and is the one that session.toml describes.

        Raises:
            InputError: E_FILE_..., or E_STORED_FILE_CHANGED (V04).
        """
        path = self.folder / file.name
        check_file(path)
        if file.name not in self.hashes:
            self.hashes[file.name] = sha256(path)
        if file.sha256 not in (None, self.hashes[file.name]):
            raise InputError(
                "E_STORED_FILE_CHANGED",
                f"{shown(path)} is not the file that {NAME} describes: its sha256 starts with"
                f" {self.hashes[file.name][:12]}, not {(file.sha256 or '')[:12]}.",
                f"Restore the file, or correct sha256 in {NAME} if the change was meant.",
            )
        return path


def open_session(folder: Path | str) -> Session:
    """Read a session folder.

    Raises:
        SessionError: E_SESSION where the folder or its session.toml cannot be used;
            E_NO_USABLE_MODALITY where no modality can be read, with the reason for each.
    """
    folder = Path(folder)
    stated = read_session_file(folder)
    for file in _files(stated):
        _check_inside(folder, file.name)
    opening = _Opening(folder, hashes={NAME: sha256(folder / NAME)})
    video = opening.attempt(partial(_video, opening, stated), "face")
    signals = {
        modality: opening.attempt(partial(_signal, opening, entry), modality)
        for modality, entry in _signal_entries(stated).items()
    }
    placed = _one_axis(opening, signals, stated)
    ecg, eda = (placed[m].signal if m in placed else None for m in ("ecg", "eda"))
    if video is None and ecg is None and eda is None:
        raise _nothing(stated, opening.notices)
    labels = opening.attempt(partial(_labels, opening, stated))
    recording = Recording(
        stated.subject_id, stated.session_id, stated.simulated, video, ecg, eda, labels
    )
    files = {m: entry.file.name for m, entry in _signal_entries(stated).items() if entry}
    alignments, doubts = align_by_clocks(placed, video, stated.sync)
    markers = _markers(opening, stated, placed)
    phases, rule = _phases(stated, recording)
    check_excluded(stated.excluded, recording, NAME)
    answers = stated.questionnaires
    opening.notices += [
        *doubts,
        *uncovered_spans(recording),
        *rate_confusions(recording, files),
        *labels_outside(recording),
        *same_content(opening.hashes),
    ]
    return Session(
        folder,
        replace(recording, notices=tuple(opening.notices)),
        phases,
        _person(folder, stated),
        opening.hashes,
        alignments,
        stated.sync,
        markers,
        rule,
        () if stated.phases is None else stated.phases.marked,
        None if answers is None else opening.attempt(lambda: opening.checked(answers)),
        stated.reliability,
        stated.excluded,
    )


def _phases(stated: SessionFile, recording: Recording) -> tuple[Phases | None, str]:
    """What session.toml says about phases. Raises SessionError E_SESSION."""
    if stated.phases is None:
        return None, ""
    check_inside(stated.phases.marked, recording, NAME)
    return stated_phases(stated.phases, recording, NAME) or (None, "")


def _files(stated: SessionFile) -> list[StatedFile]:
    entries = (stated.face, stated.ecg, stated.eda)
    files = [entry.file for entry in entries if entry is not None]
    if stated.face is not None and stated.face.photo is not None:
        files.append(stated.face.photo)
    others = (stated.labels, stated.sync.markers, stated.questionnaires)
    return [*files, *(file for file in others if file is not None)]


def _signal_entries(stated: SessionFile) -> dict[Modality, SignalEntry | None]:
    return {"ecg": stated.ecg, "eda": stated.eda}


def _check_inside(folder: Path, name: str) -> None:
    """Refuse a path that leaves the session's folder, by name or through a link."""
    if not lies_inside(folder, name):
        raise SessionError(
            "E_SESSION",
            f"The file {name!a} in {NAME} lies outside the session's folder.",
            "Copy the file into the folder and name it relative to it.",
        )


def _video(opening: _Opening, stated: SessionFile) -> VideoTrack | None:
    if stated.face is None:
        return None
    from affectscope.io.video import inspect_video

    if stated.face.photo is not None:  # without it nobody in the video may be followed
        opening.checked(stated.face.photo)
    return inspect_video(opening.checked(stated.face.file), stated.face.clock_offset)


def _person(folder: Path, stated: SessionFile) -> PersonChoice:
    face = stated.face
    if face is None:
        return PersonChoice()
    return replace(face.person, photo=None if face.photo is None else folder / face.photo.name)


def _signal(opening: _Opening, entry: SignalEntry | None) -> TimedSignal | None:
    if entry is None:
        return None
    return read_timed_signal(opening.checked(entry.file), entry.source)


def _one_axis(
    opening: _Opening, signals: dict[Modality, TimedSignal | None], stated: SessionFile
) -> dict[Modality, PlacedSignal]:
    """The signals that are there, each with what its clock adds to its file's time."""
    found = {modality: timed for modality, timed in signals.items() if timed is not None}
    entries = _signal_entries(stated)
    shifts, notices = clock_shifts(found, stated.sync)
    opening.notices += notices
    placed: dict[Modality, PlacedSignal] = {}
    for modality, timed in found.items():
        entry, shift = entries[modality], shifts[modality]
        assert entry is not None
        total = shift + entry.source.clock_offset
        path = opening.folder / entry.file.name
        placed[modality] = PlacedSignal(path, timed, total, entry.source)
        opening.notices += [
            replace(
                notice,
                modality=modality,
                start=None if notice.start is None else notice.start + shift,
                end=None if notice.end is None else notice.end + shift,
            )
            for notice in timed.notices
        ]
    return placed


def _markers(
    opening: _Opening, stated: SessionFile, placed: dict[Modality, PlacedSignal]
) -> Signal | FloatArray | None:
    """What marks the shared events, where [sync] names it; what cannot be read is a notice."""
    file, channel = stated.sync.markers, stated.sync.marker_channel
    if file is None:
        return None
    return opening.attempt(lambda: read_markers(opening.checked(file), channel, placed), "face")


def _nothing(stated: SessionFile, notices: list[Notice]) -> SessionError:
    reasons = [f"{n.modality}: {n.code} {n.sentence}" for n in notices if n.modality]
    if not reasons:
        return SessionError(
            "E_NO_USABLE_MODALITY",
            f"{NAME} of {stated.session_id!a} names none of face, ecg and eda.",
            "Add a table for each file that the session has.",
        )
    return SessionError(
        "E_NO_USABLE_MODALITY",
        f"No modality of {stated.session_id!a} can be read. {' '.join(reasons)}",
        "Mend one of the files and try again.",
    )


def _labels(opening: _Opening, stated: SessionFile) -> Labels | None:
    """The known course of affect: a table of times and any of the ten targets.

    Raises:
        InputError: E_CHANNEL without a time or a target; E_SIGNAL_FILE for times that do not
            increase or values outside their range.
    """
    if stated.labels is None:
        return None
    path = opening.checked(stated.labels)
    layout = table_layout(path)
    names = [name.casefold() for name in layout.names]
    time = find_time_column(layout.names)
    targets = [target for target in TARGETS if target in names]
    if time is None or not targets:
        raise InputError(
            "E_CHANNEL",
            f"{shown(path)} holds no column of times, or none of the ten targets.",
            f"Its columns must be time and any of {', '.join(TARGETS)}.",
        )
    wanted = [time, *(names.index(target) for target in targets)]
    times, *columns = read_columns(
        path, layout, columns=wanted, decimal=None, notices=opening.notices
    )
    values = np.full((len(times), len(TARGETS)), np.nan)
    for target, column in zip(targets, columns, strict=True):
        values[:, TARGETS.index(target)] = column
    lowest = np.array([-1.0] * 3 + [0.0] * 7)
    outside = (values < lowest) | (values > 1.0)
    increasing = np.isfinite(times).all() and bool((np.diff(times) > 0).all())
    if outside.any() or not increasing or not len(times):
        raise InputError(
            "E_SIGNAL_FILE",
            f"The labels in {shown(path)} do not increase in time, or leave their range.",
            "Ratings lie in [-1, 1] and emotions in [0, 1], at increasing times in seconds.",
        )
    return Labels(times, values)
