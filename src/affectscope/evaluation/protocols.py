"""Who is trained on and who is tested: the four protocols of METHOD.md section 6.

All are functions over keys. The same samples and seed give the same folds. Folds hold row
numbers, 8 bytes for each row and fold.

Legend: M rows, K trials.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from affectscope.errors import EvaluationError
from affectscope.evaluation.samples import Fold, Samples, StringArray
from affectscope.evaluation.trials import TrialTable, trial_table
from affectscope.records import BoolArray

ClipGroups = Mapping[str, str]
"""Trial (clip) id -> name of its group. A protocol's group holds clips of every quadrant."""
Split = Callable[[Samples, int, ClipGroups | None], list[Fold]]
HeldOut = Literal["person", "clip", "window"]

VALIDATION_SHARE = 6
"""One in six of the people that are not tested validates."""
SHUFFLED_FOLDS = 5
TRIALS_FOR_TWO = 6
"""From so many trials of a person on, protocol C validates on two of them, else on one."""


@dataclass(frozen=True)
class Protocol:
    """One way to split.

    Attributes:
        letter: "A" to "D".
        name: a few words for tables.
        headline: whether its numbers may stand in a headline.
        holds_out: what no test row shares with a training or validation row; the leak check
            refuses folds that break it. "window": no overlapping windows of one trial.
        description: one sentence for reports.
        split: (samples, seed, clip groups or None) -> folds; only B needs the groups.
    """

    letter: Literal["A", "B", "C", "D"]
    name: str
    headline: bool
    holds_out: frozenset[HeldOut]
    description: str
    split: Split

    @property
    def subject_safe(self) -> bool:
        """Whether nobody who is tested is trained or validated on."""
        return "person" in self.holds_out


def leave_one_participant_out(
    samples: Samples, seed: int, clip_groups: ClipGroups | None = None
) -> list[Fold]:
    """Protocol A: one fold for each person; a sixth of the others, at least one, validates.

    ``clip_groups`` is not used: one signature serves all protocols.

    Raises:
        EvaluationError: E_PROTOCOL with fewer than three people.
    """
    table = trial_table(samples)
    folds = []
    for person, validating in _validating_people(table, seed, letter="A"):
        test, validation = table.subject == person, np.isin(table.subject, validating)
        folds.append(_fold(person, table, ~test & ~validation, validation, test))
    return folds


def leave_participant_and_clips_out(
    samples: Samples, seed: int, clip_groups: ClipGroups | None = None
) -> list[Fold]:
    """Protocol B: one fold for each person and group of clips; neither is trained on.

    The person's other clips, and the group's clips of the others, are in no side.

    Raises:
        EvaluationError: E_PROTOCOL with fewer than three people or two groups, or where a clip
            has no group.
    """
    table = trial_table(samples)
    group = _groups(table, clip_groups)
    folds = []
    for person, validating in _validating_people(table, seed, letter="B"):
        tested, validates = table.subject == person, np.isin(table.subject, validating)
        for name in np.unique(group[tested]):
            inside = group == name
            train, validation = ~tested & ~validates & ~inside, validates & ~inside
            folds.append(_fold(f"{person}/{name}", table, train, validation, tested & inside))
    return folds


def leave_one_trial_out(
    samples: Samples, seed: int, clip_groups: ClipGroups | None = None
) -> list[Fold]:
    """Protocol C: one fold for each person's trial; the same person's other trials train.

    One or two of the other trials validate. People with fewer than three trials have no fold.

    Raises:
        EvaluationError: E_PROTOCOL where nobody has three trials.
    """
    table = trial_table(samples)
    folds = []
    for person in np.unique(table.subject):
        own = np.flatnonzero(table.subject == person)
        for place, tested in enumerate(own if len(own) >= 3 else []):
            random = np.random.default_rng([seed, int(own[0]), place])
            chosen = random.choice(
                np.delete(own, place), 2 if len(own) >= TRIALS_FOR_TWO else 1, replace=False
            )
            test, validation = _marked(table, [tested]), _marked(table, chosen)
            train = _marked(table, own) & ~test & ~validation
            folds.append(_fold(f"{person}/{table.trial[tested]}", table, train, validation, test))
    _require(bool(folds), "C", "three trials of one person", "none has so many")
    return folds


def shuffled_windows(
    samples: Samples, seed: int, clip_groups: ClipGroups | None = None
) -> list[Fold]:
    """Protocol D: rows at random, whoever they are of; only to reproduce inflated numbers.

    Raises:
        EvaluationError: E_PROTOCOL with fewer rows than folds.
    """
    _require(
        len(samples) >= SHUFFLED_FOLDS, "D", f"{SHUFFLED_FOLDS} windows", f"got {len(samples)}"
    )
    order = np.random.default_rng([seed]).permutation(len(samples))
    parts = [np.sort(part) for part in np.array_split(order, SHUFFLED_FOLDS)]
    folds = []
    for place, test in enumerate(parts):
        other = (place + 1) % SHUFFLED_FOLDS
        rest = [part for number, part in enumerate(parts) if number not in (place, other)]
        folds.append(
            Fold(f"shuffle {place + 1}", np.sort(np.concatenate(rest)), parts[other], test)
        )
    return folds


PROTOCOLS: dict[str, Protocol] = {
    "A": Protocol(
        "A", "leave one participant out", True, frozenset({"person", "window"}),
        "Each person is tested by a model that was trained and validated on other people only.",
        leave_one_participant_out,
    ),
    "B": Protocol(
        "B", "leave one participant and a group of clips out", False,
        frozenset({"person", "clip", "window"}),
        "Each person is tested on clips that no model of the fold has seen, by a model of other "
        "people only.",
        leave_participant_and_clips_out,
    ),
    "C": Protocol(
        "C", "person-dependent, leave one trial out", False, frozenset({"clip", "window"}),
        "Each trial is tested by a model of the same person's other trials.",
        leave_one_trial_out,
    ),
    "D": Protocol(
        "D", "windows shuffled (leaky on purpose)", False, frozenset(),
        "Windows are split at random, so that the test windows overlap windows that were trained "
        "on: its numbers are inflated and stand here only beside published ones.",
        shuffled_windows,
    ),
}  # fmt: skip


def _validating_people(
    table: TrialTable, seed: int, *, letter: str
) -> list[tuple[str, StringArray]]:
    """Each person to be tested with the people who validate the fold."""
    people = np.unique(table.subject)
    _require(len(people) >= 3, letter, "three participants", f"got {len(people)}")
    count = max(1, round((len(people) - 1) / VALIDATION_SHARE))
    pairs = []
    for place, person in enumerate(people):
        random = np.random.default_rng([seed, place])
        pairs.append((str(person), random.choice(np.delete(people, place), count, replace=False)))
    return pairs


def _groups(table: TrialTable, clip_groups: ClipGroups | None) -> StringArray:
    """(K,) group of each trial's clip."""
    known = clip_groups or {}
    missing = sorted({str(clip) for clip in table.trial} - set(known))
    _require(not missing, "B", "a group for every clip", f"without one: {', '.join(missing[:5])}")
    group = np.array([known[str(clip)] for clip in table.trial], dtype=np.str_)
    _require(len(np.unique(group)) >= 2, "B", "two groups of clips", "got one")
    return group


def _marked(table: TrialTable, trials: object) -> BoolArray:
    chosen = np.zeros(len(table), dtype=np.bool_)
    chosen[np.asarray(trials)] = True
    return chosen


def _fold(
    name: str, table: TrialTable, train: BoolArray, validation: BoolArray, test: BoolArray
) -> Fold:
    return Fold(name, table.rows(train), table.rows(validation), table.rows(test))


def _require(met: bool, letter: str, what: str, found: str) -> None:
    if not met:
        raise EvaluationError(
            "E_PROTOCOL",
            f"Protocol {letter} needs at least {what} ({found}).",
            "Add people or trials, or choose another protocol.",
        )
