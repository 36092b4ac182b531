"""AMIGOS on disk: its constants, its files, and one person's .mat file as plain numbers.

Miranda-Correa, Abadi, Sebe, Patras, "AMIGOS: a dataset for affect, personality and mood research on
individuals and groups", IEEE Trans. Affective Computing 12 (2021). Facts of the layout: METHOD.md,
section 5; "[?]" marks what no source at hand confirmed.

Legend: T samples of a trial (time first), n segments of 20 s, cells numbered from 0.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from affectscope.datasets.corpus import TWIN
from affectscope.errors import InputError
from affectscope.io.files import shown
from affectscope.io.mat import read_mat
from affectscope.records import FloatArray

SAMPLING_RATE = 128.0
BASELINE_SAMPLES = 640
BASELINE = BASELINE_SAMPLES / SAMPLING_RATE
"""Seconds before the stimulus: context for windows, without labels."""

CHANNELS = 17
EEG = slice(0, 14)
EEG_CHANNELS: tuple[str, ...] = ("AF3", "F7", "F3", "FC5", "T7", "P7", "O1", "O2", "P8", "T8",
                                 "FC6", "F4", "F8", "AF4")  # fmt: skip
"""The electrodes of an Emotiv EPOC in its own order."""
ECG_RIGHT, ECG_LEFT, GSR = 14, 15, 16
NOISY_GSR_SAMPLES = 20
"""The first samples of each GSR are noise."""

SHORT_CLIPS: tuple[str, ...] = ("4", "5", "9", "10", "13", "18", "19", "20", "23", "30", "31", "34",
                                "36", "58", "80", "138")  # fmt: skip
LONG_CLIPS: tuple[str, ...] = ("N1", "P1", "B1", "U1")

SEGMENTS: dict[str, int] = {
    "4": 6, "5": 7, "9": 5, "10": 6, "13": 4, "18": 5, "19": 8, "20": 5, "23": 7, "30": 5,
    "31": 9, "34": 5, "36": 5, "58": 4, "80": 6, "138": 7, "N1": 72, "P1": 58, "B1": 72, "U1": 44,
}  # fmt: skip
"""Segments of 20 s that outside raters judged, per clip."""

_DESIGN = {
    "HAHV": ("4", "5", "9", "80"),
    "LAHV": ("10", "13", "18", "58"),
    "LALV": ("19", "20", "23", "138"),
    "HALV": ("30", "31", "34", "36"),
}
QUADRANTS: dict[str, str] = {clip: name for name, clips in _DESIGN.items() for clip in clips}
"""What each short clip was chosen to evoke [?]: high or low arousal (A) and valence (V)."""

CLIP_GROUPS: tuple[tuple[str, ...], ...] = tuple(zip(*_DESIGN.values(), strict=True))
"""Four groups with one short clip per designed quadrant each, for leaving clips out."""

KNOWN_NAN: dict[str, dict[str, tuple[int, ...]]] = {
    "ecg": {"P09": (0, 1, 2, 5, 6, 8, 10, 11, 12, 14, 15)},
    "eeg": {
        "P12": (4,),
        "P21": (1, 10),
        "P22": (15,),
        "P23": (0, 4, 6, 8, 11),
        "P24": (0, 7, 11, 12, 13, 14, 15),
        "P33": (0, 1, 2, 6, 7, 8, 9, 10, 12, 15),
    },
    "eda": {},
}
"""Cells (from 0) that are known to hold NaN, per kind of signal and person."""

NO_LONG_VIDEOS: tuple[str, ...] = ("P08", "P24", "P28")
NO_LONG_RATINGS: tuple[str, ...] = ("P32",)
ODD_VIDEOS: tuple[tuple[str, str], ...] = (("P11", "18"), ("P13", "58"), ("P39", "10"))
"""(person, clip) of the face videos whose length is known to differ from their signals'."""

FACE_SHARE = 0.9
"""A trial with a face in a smaller share of its frames is flagged once faces were sought."""

SEGMENT = 20.0
_SECOND_SEGMENT = 5.0

GROUPS_FILE = "groups.csv"
LongSetting = Literal["alone", "group"]

_MAT_NAME = re.compile(r"Data_Preprocessed_P0*([1-9][0-9]?)\.mat", re.IGNORECASE)
_VIDEO_NAME = re.compile(r"P0*([1-9][0-9]?)_0*([A-Z]?[0-9]+)_face\.mov", re.IGNORECASE)
_VARIABLES = ("VideoIDs", "joined_data", "labels_selfassessment", "labels_ext_annotation")


@dataclass(frozen=True)
class AmigosFiles:
    """Where a copy of the corpus lies.

    Attributes:
        mats: subject -> files of its signals and ratings; more than one is an error of the copy.
        videos: (subject, clip) -> face videos.
        is_twin: whether TWIN.toml lies in the folder, in one below that is part of it, or above:
            simulated people must not pass for real ones because a part of a twin was named.
    """

    folder: Path
    mats: dict[str, tuple[Path, ...]]
    videos: dict[tuple[str, str], tuple[Path, ...]]
    is_twin: bool

    def mat(self, subject_id: str) -> Path:
        """The one .mat file of a person.

        Raises:
            InputError: E_CORPUS where there are several.
        """
        paths = self.mats[subject_id]
        if len(paths) > 1:
            raise InputError(
                "E_CORPUS",
                f"{subject_id} has {len(paths)} files: {shown(paths[0])} lies in "
                f"{paths[0].parent} and in {paths[1].parent}.",
                "Keep one of them in the folder.",
            )
        return paths[0]


def subject_name(number: int) -> str:
    """1 -> "P01"."""
    return f"P{number:02d}"


def find_files(folder: Path) -> AmigosFiles:
    """The corpus' files anywhere under a folder; links to other folders are not followed.

    Raises:
        InputError: E_CORPUS where no Data_Preprocessed_P<number>.mat is there.
    """
    mats: dict[str, list[Path]] = {}
    videos: dict[tuple[str, str], list[Path]] = {}
    top = folder.resolve()
    is_twin = any((place / TWIN).is_file() for place in (top, *top.parents))
    for parent, folders, names in os.walk(folder):
        folders.sort()
        is_twin |= TWIN in names
        for name in sorted(names):
            if match := _MAT_NAME.fullmatch(name):
                mats.setdefault(subject_name(int(match[1])), []).append(Path(parent, name))
            elif match := _VIDEO_NAME.fullmatch(name):
                key = (subject_name(int(match[1])), match[2].upper())
                videos.setdefault(key, []).append(Path(parent, name))
    if not mats:
        raise InputError(
            "E_CORPUS",
            f"{shown(folder)} holds no file Data_Preprocessed_P01.mat to P40.mat.",
            "Name the folder into which AMIGOS' preprocessed files were unpacked, or make a twin.",
        )
    return AmigosFiles(
        folder,
        {subject: tuple(paths) for subject, paths in sorted(mats.items())},
        {key: tuple(paths) for key, paths in sorted(videos.items())},
        is_twin,
    )


@dataclass(frozen=True, eq=False)
class AmigosTrial:
    """One cell of a person's file as it stands there.

    Attributes:
        cell: its number, from 0.
        clip: the stimulus' id, "" where the file's is not known.
        ecg_right, ecg_left, gsr: (T,) float64, T = 0 where the cell is empty or of another shape.
        eeg: (T, 14) float64, in the order of ``EEG_CHANNELS``.
        shape: of the data in the file.
        ratings: (12,) in the file's order, empty where there are none.
        external: (n, 3) segment, valence, arousal; n = 0 where there are none.
    """

    cell: int
    clip: str
    ecg_right: FloatArray
    ecg_left: FloatArray
    gsr: FloatArray
    eeg: FloatArray
    shape: tuple[int, ...]
    ratings: FloatArray
    external: FloatArray

    @property
    def duration(self) -> float:
        """Seconds of the stimulus: without the 5 s before it; 0.0 where there is no data."""
        return max(0, len(self.gsr) - BASELINE_SAMPLES) / SAMPLING_RATE

    @property
    def eeg_has_nan(self) -> bool:
        """Whether any of the 14 EEG channels has a missing sample."""
        return len(self.eeg) > 0 and bool(np.isnan(self.eeg.min()))


def read_trials(path: Path, *, signals: bool = True) -> list[AmigosTrial]:
    """The cells of a person's file, in the file's order.

    Args:
        signals: False reads ratings only, which is quick.

    Raises:
        InputError: any code of ``read_mat``; E_CORPUS where the file's cells do not fit together.
    """
    names = _VARIABLES if signals else tuple(n for n in _VARIABLES if n != "joined_data")
    found = read_mat(path, names)
    cells = {name: _cells(path, name, found.pop(name)) for name in names}
    lengths = {name: len(cell) for name, cell in cells.items()}
    if len(set(lengths.values())) != 1:
        told = ", ".join(f"{name} {length}" for name, length in lengths.items())
        raise _unfit(path, f"its cells differ in number: {told}")
    clips = [_clip(value) for value in cells["VideoIDs"]]
    twice = {clip for clip in clips if clip and clips.count(clip) > 1}
    if twice:
        raise _unfit(path, f"VideoIDs names {min(twice)} twice")
    trials = []
    for number, clip in enumerate(clips):
        data = np.zeros((0, 0))
        if signals:
            data = _matrix(cells["joined_data"][number])
        trials.append(
            _trial(
                number,
                clip,
                data=data,
                ratings=_matrix(cells["labels_selfassessment"][number]),
                external=_matrix(cells["labels_ext_annotation"][number]),
            )
        )
    return trials


def _trial(
    cell: int,
    clip: str,
    *,
    data: NDArray[Any],
    ratings: NDArray[Any],
    external: NDArray[Any],
) -> AmigosTrial:
    usable = data.ndim == 2 and data.shape[1] == CHANNELS and len(data) > BASELINE_SAMPLES
    right, left, gsr = (
        np.array(data[:, channel], dtype=np.float64) if usable else np.zeros(0)
        for channel in (ECG_RIGHT, ECG_LEFT, GSR)
    )
    # A view: a copy of 14 channels would need nearly as much memory again as the whole file.
    eeg = np.asarray(data[:, EEG], np.float64) if usable else np.zeros((0, len(EEG_CHANNELS)))
    return AmigosTrial(
        cell=cell,
        clip=clip,
        ecg_right=right,
        ecg_left=left,
        gsr=gsr,
        eeg=eeg,
        shape=data.shape,
        ratings=np.ravel(ratings).astype(np.float64),
        external=np.asarray(external, np.float64)
        if external.ndim == 2 and external.shape[1] == 3
        else np.zeros((0, 3)),
    )


def segment_times(count: int, duration: float) -> FloatArray:
    """(n, 2) start and end of each judged segment, seconds of the stimulus [?].

    The first is 0-20 s, then from 5, 25, 45 ... s; the last is the final 20 s.
    """
    starts = _SECOND_SEGMENT + SEGMENT * np.arange(-1, count - 1, dtype=np.float64)
    starts[:1] = 0.0
    if count > 1:
        starts[-1] = max(0.0, duration - SEGMENT)
    return np.column_stack([starts, np.minimum(starts + SEGMENT, duration)])


def segment_count(duration: float) -> int:
    """Segments that a stimulus of a length in seconds has by that rule, at least 1."""
    return max(1, int(np.ceil((duration - _SECOND_SEGMENT) / SEGMENT)) + 1)


def read_long_settings(folder: Path) -> dict[str, LongSetting]:
    """Who saw the long videos alone and who in a group of four, from ``groups.csv``.

    The .mat files do not say it. The file, if the user makes one from the corpus' own table of
    participants, lies at the top of the folder and has two columns, "participant" (P01 or 1) and
    "setting" (alone or group). Without it nothing is known and the answer is empty.

    Raises:
        InputError: E_CORPUS for a row that does not say so.
    """
    path = folder / GROUPS_FILE
    if not path.is_file():
        return {}
    settings: dict[str, LongSetting] = {}
    lines = path.read_text(encoding="utf-8-sig", errors="replace").splitlines()
    for number, line in enumerate(lines, 1):
        fields = [part.strip().casefold() for part in re.split("[,;\t]", line)]
        if fields in ([""], ["participant", "setting"]):
            continue
        match = re.fullmatch(r"p?0*([1-9][0-9]?)", fields[0])
        if len(fields) != 2 or match is None or fields[1] not in ("alone", "group"):
            raise InputError(
                "E_CORPUS",
                f"Line {number} of {shown(path)} is no participant and setting.",
                "Write lines such as P01,alone or P02,group.",
            )
        settings[subject_name(int(match[1]))] = "alone" if fields[1] == "alone" else "group"
    return settings


def _cells(path: Path, name: str, value: object) -> list[Any]:
    if not isinstance(value, np.ndarray) or value.dtype != np.object_:
        raise _unfit(path, f"{name} is no cell array")
    return list(value.reshape(-1, order="F"))


def _clip(value: object) -> str:
    """The id in a cell of VideoIDs, as text or a number; "" where it is none of the corpus'."""
    while isinstance(value, np.ndarray) and value.size == 1:
        value = value.item()
    name = str(int(value)) if isinstance(value, int | float) and value == value else str(value)
    name = name.strip().upper()
    return name if name in SEGMENTS else ""


def _matrix(value: object) -> NDArray[Any]:
    """Real numbers, or nothing for whatever else stands in a cell."""
    if isinstance(value, np.ndarray) and value.dtype.kind in "iufb":
        return value
    return np.zeros((0, 0))


def _unfit(path: Path, what: str) -> InputError:
    return InputError(
        "E_CORPUS",
        f"{shown(path)} is no file of AMIGOS: {what}.",
        "Use the preprocessed files as they were published.",
    )


def listed(names: Sequence[object]) -> str:
    """ "a, b, c" for a sentence."""
    return ", ".join(map(str, names))
