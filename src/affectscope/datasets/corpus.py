"""What every corpus reader gives: people, their labelled trials, and what was left out and why.

A corpus is read one person at a time, so that no corpus needs to fit into memory. In a corpus a
trial's ``trial_id`` names its stimulus: the same clip has the same id for everybody.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from affectscope.errors import CODES
from affectscope.records import Modality, Notice, Recording

TWIN = "TWIN.toml"
"""A folder with a file of this name is a twin: its people, and those below, are simulated."""


@dataclass(frozen=True)
class Exclusion:
    """Something of a corpus that is not used, with its code and a plain sentence.

    ``modality`` None: the whole trial; ``trial_id`` "": everything of the person.
    """

    subject_id: str
    trial_id: str
    code: str
    sentence: str
    modality: Modality | None = None

    def __post_init__(self) -> None:
        assert self.code in CODES, f"unknown code {self.code}"


@dataclass(frozen=True, eq=False)
class SubjectTrials:
    """One person's trials.

    Attributes:
        recordings: each with ``labels`` whose first and last time bound what is labelled: signals
            may begin earlier (a baseline before the stimulus), which is context only.
        exclusions: what was left out.
        notices: choices made for this person (a lead, a polarity), and differences from what is
            known of the corpus.
    """

    subject_id: str
    recordings: tuple[Recording, ...]
    exclusions: tuple[Exclusion, ...] = ()
    notices: tuple[Notice, ...] = ()


@dataclass(frozen=True, eq=False)
class Corpus:
    """A corpus on disk.

    Attributes:
        name: "amigos", "deap", ...
        folder: where it lies.
        simulated: True for a twin; its numbers are called simulated everywhere.
        subjects: ids in order.
        read_subject: one person's trials; takes an id of ``subjects``. It raises an
            AffectScopeError only where nothing of the person can be read.
        files: the person's files, whose content decides what ``read_subject`` gives.
    """

    name: str
    folder: Path
    simulated: bool
    subjects: tuple[str, ...]
    read_subject: Callable[[str], SubjectTrials]
    files: Callable[[str], tuple[Path, ...]]

    def __iter__(self) -> Iterator[SubjectTrials]:
        """Everybody's trials, one person at a time."""
        return map(self.read_subject, self.subjects)


def scaled_rating(rating: float, lowest: float, highest: float) -> float:
    """A rating on [lowest, highest] -> [-1, 1]; 5 of 1-9 becomes 0 (METHOD.md section 1)."""
    return 2.0 * (rating - lowest) / (highest - lowest) - 1.0
