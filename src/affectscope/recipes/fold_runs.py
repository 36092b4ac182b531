"""Systems through the same folds, several folds at a time, and what each fold cost.

A system whose features carry the length of a clip, on these data, is left out with the leak check's
reason, and the others go on. Every other leak stops the run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from affectscope.errors import LeakError
from affectscope.evaluation.crossval import RunSettings, System, cross_validate, unfinished
from affectscope.evaluation.fold_store import FoldCost
from affectscope.evaluation.predictions import join_predictions
from affectscope.evaluation.protocols import Protocol
from affectscope.evaluation.samples import Fold, Samples
from affectscope.jobs import run_tasks
from affectscope.records import TARGETS

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False)
class Lineup:
    """Systems that are to be tested in the same way.

    Attributes:
        systems: in the order in which they run: what they share is paid for by the first.
        run: how each is run. The folds of a system that has a store are kept, and run in several
            processes; the others are quicker computed than read.
        folds: of a seed; ``seeds``: how many.
        targets: what the joined table holds.
    """

    systems: tuple[System, ...]
    run: Callable[[System], RunSettings]
    samples: Samples
    protocol: Protocol
    folds: Callable[[int], list[Fold]]
    seeds: int
    targets: tuple[str, ...] = TARGETS

    def cross_validated(self, system: System, folds: list[Fold], seed: int) -> Ran:
        """One system on some folds."""
        costs: list[FoldCost] = []
        table = cross_validate(
            system,
            self.samples,
            folds=folds,
            protocol=self.protocol,
            seed=seed,
            run=replace(self.run(system), costs=costs.append),
        )
        return Ran(table[table["target"].isin(self.targets)], tuple(costs))


@dataclass(frozen=True, eq=False)
class Ran:
    """The tidy table of predictions, and what each fold took where that is known.

    ``refused``: systems that the leak check stopped -> its sentence; they are not in the table.
    """

    predictions: pd.DataFrame
    costs: tuple[FoldCost, ...]
    refused: Mapping[str, str] = field(default_factory=dict)


Make = Callable[[], Lineup]
"""Makes the line-up anew in another process: a partial of a function at the top of a module."""


@dataclass(frozen=True, eq=False)
class FoldTask:
    """One fold and seed, for a process of its own."""

    make: Make
    fold: str
    seed: int


def run_fold(task: FoldTask) -> None:
    """Train and test every system on one fold; the results lie in the store."""
    lineup = task.make()
    folds = [fold for fold in lineup.folds(task.seed) if fold.name == task.fold]
    for system in lineup.systems:
        if lineup.run(system).store is not None:
            with _refusing({}, system.name):
                lineup.cross_validated(system, folds, task.seed)


@contextmanager
def _refusing(refused: dict[str, str], name: str) -> Iterator[None]:
    """Note a system whose features carry the length of a clip."""
    try:
        yield
    except LeakError as error:
        if error.code != "E_LEAK_DURATION":
            raise
        refused[name] = error.sentence


def run_lineup(
    lineup: Lineup,
    make: Make,
    *,
    processes: int | None,
    progress: Callable[[float, str], None],
) -> Ran:
    """Every system on every fold and seed: computed, or read where it was computed before.

    Args:
        make: the same line-up again, for other processes.
        processes: folds at a time; None: one per core.
    """
    left = _unfinished(lineup)
    # What is done right here needs nothing to be opened again.
    alone = processes == 1 or len(left) <= 1
    tasks = [FoldTask((lambda: lineup) if alone else make, fold, seed) for fold, seed in left]
    run_tasks(
        run_fold,
        tasks,
        processes=processes,
        progress=lambda done, count: progress(
            done / max(count, 1), f"folds: {done} of {count} that are to be run"
        ),
    )
    ran: dict[str, list[Ran]] = {}
    refused: dict[str, str] = {}
    for seed in range(lineup.seeds):
        for system in lineup.systems:
            if system.name not in refused:
                with _refusing(refused, system.name):
                    found = lineup.cross_validated(system, lineup.folds(seed), seed)
                    ran.setdefault(system.name, []).append(found)
    kept = [one for name, own in ran.items() if name not in refused for one in own]
    return Ran(
        join_predictions([one.predictions for one in kept]),
        tuple(cost for one in kept for cost in one.costs),
        refused,
    )


def _unfinished(lineup: Lineup) -> list[tuple[str, int]]:
    """Folds and seeds in which some system's result is not kept yet."""
    found: dict[tuple[str, int], None] = {}
    for seed in range(lineup.seeds):
        folds = lineup.folds(seed)
        names: set[str] = set()
        for system in lineup.systems:
            run = lineup.run(system)
            if run.store is not None:
                lacking = unfinished(system, lineup.samples, folds=folds, protocol=lineup.protocol,
                                     seed=seed, run=run)  # fmt: skip
                names.update(fold.name for fold in lacking)
        found.update({(fold.name, seed): None for fold in folds if fold.name in names})
    return list(found)
