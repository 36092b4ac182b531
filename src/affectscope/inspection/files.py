"""Files and folders -> what is in them. One file's failure is its own, and the rest goes on.

Where the question is open, and what we do:
1. A folder with a session.toml is read as it says: its channels with the unit and rate stated
   there. Any other folder is walked with its sub-folders; links and hidden files are left out.
2. Of a file with many channels the first ``CHANNELS`` are read, and any further ECG or EDA up to as
   many again; the others are named.
3. A channel is read, looked at and forgotten before the next one is read.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from affectscope.errors import AffectScopeError, InputError
from affectscope.inspection.channels import (
    channel_facts,
    modality_of,
    refused_channel,
    with_quality,
)
from affectscope.inspection.facts import (
    ChannelFacts,
    FileFacts,
    Refusal,
    SignalFacts,
    VideoFacts,
)
from affectscope.inspection.pictures import is_picture, picture_facts
from affectscope.inspection.videos import video_facts
from affectscope.io.biosignals import inspect_signals, read_channel, timed_signal
from affectscope.io.channels import ChannelInfo, SignalSource, find_channel
from affectscope.io.files import check_file
from affectscope.io.session_file import NAME, SignalEntry, read_session_file
from affectscope.records import Modality, Notice

CHANNELS = 24

Stated = Mapping[Modality, SignalSource]
"""What a session.toml states about the channels of one file."""


def inspect_paths(paths: Sequence[Path]) -> Iterator[FileFacts]:
    """Each file, and each file of each folder, in the order of their names."""
    for path in paths:
        try:
            if not path.is_dir():
                yield inspect_file(path)
            elif (path / NAME).is_file():
                yield from _session(path)
            else:
                yield from _folder(path)
        except AffectScopeError as error:
            yield FileFacts(str(path), None, Refusal.of(error))


def inspect_file(path: Path, stated: Stated | None = None) -> FileFacts:
    """One file: signals, a video or a picture, whatever its content is."""
    try:
        check_file(path)
        if is_picture(path):
            return FileFacts(str(path), picture_facts(path))
        try:
            return FileFacts(str(path), _signals(path, stated or {}))
        except InputError as error:
            if error.code != "E_TYPE_UNKNOWN":
                raise
            return FileFacts(str(path), _video(path, error))
    except AffectScopeError as error:
        return FileFacts(str(path), None, Refusal.of(error))


def _video(path: Path, unknown: InputError) -> VideoFacts:
    """A video's facts; a file that is none either is as unknown as the signal readers say."""
    try:
        return video_facts(path)
    except InputError as error:
        raise (unknown if error.code == "E_TYPE_MISMATCH" else error) from error


def _folder(folder: Path) -> Iterator[FileFacts]:
    paths = []
    for place, names, files in os.walk(folder):
        names[:] = sorted(name for name in names if not name.startswith("."))
        paths += [Path(place) / name for name in files if not name.startswith(".")]
    for path in sorted(paths):
        if not path.is_symlink():
            yield inspect_file(path)


def _session(folder: Path) -> Iterator[FileFacts]:
    """All files of a session, those that session.toml names with what it states about them."""
    stated = read_session_file(folder)
    sources: dict[str, dict[Modality, SignalSource]] = {}
    named = [entry.file.name for entry in (stated.face, stated.ecg, stated.eda) if entry]
    entries: dict[Modality, SignalEntry | None] = {"ecg": stated.ecg, "eda": stated.eda}
    for modality, entry in entries.items():
        if entry is not None:
            sources.setdefault(entry.file.name, {})[modality] = entry.source
    inside = {
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.is_file() and not path.is_symlink() and not path.name.startswith(".")
    }
    for name in sorted(inside | set(named)):
        path = folder / name
        if name == NAME:
            continue
        if name in inside:
            yield inspect_file(path, sources.get(name))
        else:
            yield FileFacts(str(path), None, _not_there(name))


def _not_there(name: str) -> Refusal:
    sentence = f"{NAME} names {name!a}, which is no file inside the session's folder."
    return Refusal("E_SESSION", sentence, "Copy the file into the folder.")


def _signals(path: Path, stated: Stated) -> SignalFacts:
    decimal = next((each.decimal for each in stated.values() if each.decimal), None)
    file = inspect_signals(path, decimal)
    sources = {
        find_channel(file.channels, source.channel, path=path): (modality, source)
        for modality, source in stated.items()
    }
    names = [info.name for info in file.channels]
    chosen = _chosen(path, file.channels, set(sources))
    facts = []
    for index in chosen:
        info = file.channels[index]
        modality, source = sources.get(index, (_modality(path, file.channels, index), None))
        key = info.name if names.count(info.name) == 1 else index + 1
        own = replace(source or SignalSource(), channel=key, decimal=decimal)
        if info.name == file.time_column:
            modality = None
        facts.append(_channel(path, info, own, modality=modality))
    unread = tuple(name for index, name in enumerate(names) if index not in chosen)
    notices = file.notices
    if unread:
        sentence = f"{len(chosen)} of {len(names)} channels were looked at, the others named only."
        notices = (*notices, Notice("W_LEFT_OUT", sentence))
    return SignalFacts(file.kind, file.time_column, tuple(facts), unread, notices)


def _chosen(path: Path, infos: Sequence[ChannelInfo], stated: set[int]) -> list[int]:
    """The first channels, and those further on that are an ECG or EDA."""
    first = list(range(min(CHANNELS, len(infos))))
    body = [n for n in range(CHANNELS, len(infos)) if _modality(path, infos, n)]
    return sorted({*first, *body[:CHANNELS], *stated})


def _modality(path: Path, infos: Sequence[ChannelInfo], index: int) -> Modality | None:
    info = infos[index]
    names = (info.name, *info.aliases)
    if len(infos) == 1 and info.name == "1":  # a nameless channel goes by its file's name
        names = (*names, path.stem)
    return modality_of(names, info.unit)


def _channel(
    path: Path, info: ChannelInfo, source: SignalSource, *, modality: Modality | None
) -> ChannelFacts:
    """One channel, read once; what neither file nor session states stays open."""
    try:
        data = read_channel(path, source)
    except AffectScopeError as error:
        return refused_channel(info, error)
    asked = []
    if not (source.sampling_rate or data.sampling_rate or data.measured_rate):
        asked.append("sampling rate")
    if not (source.unit or data.unit):
        asked.append("unit")
    try:
        timed = None if asked else timed_signal(path, source, data=data)
    except InputError as error:
        return refused_channel(info, error)
    facts = channel_facts(info, data, timed=timed, asked=asked)
    if modality is None:
        return facts
    return with_quality(facts, timed.signal if timed else None, modality)
