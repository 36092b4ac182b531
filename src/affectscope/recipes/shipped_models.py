"""How each model that comes with the program is trained, and a check that it still comes out.

``rebuilt`` trains one anew from the recordings and compares it with the one that ships: weights
and configuration, number by number. On the machine that trained the shipped one the numbers are
the same to the last bit and so is the id; elsewhere other libraries and processors add up in
another order, and training multiplies the difference, hence a tolerance for each model. Thousands
of steps of training lead to other weights that do the same: there the tables of figures decide.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from affectscope.errors import InputError, ModelError
from affectscope.io.files import check_file, sha256
from affectscope.models.card import leaves
from affectscope.models.shipped import ModelContract, OpenedModel, open_model, open_shipped

Progress = Callable[[float, str], None]
"""Called with the share that is done and what is done now."""

Tables = Mapping[str, tuple[tuple[str, ...], ...]]
"""Rows of tables of figures, by their titles."""

_SETTING = "configuration."
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?")
_MOST_NAMED = 5
"""Names in a sentence; of more only their number is told."""


@dataclass(frozen=True)
class Training:
    """How a model is trained.

    Attributes:
        train: (folder of the recordings, folder to write, progress) -> the model's id.
        tolerance: how far a number may differ, as a share of the largest one in its tensor or list.
        figures: how far each figure of the tables may differ for other weights to count as the
            same model; None: only the same weights are.
    """

    train: Callable[[Path, Path, Progress], str]
    tolerance: float
    figures: float | None = None


def _stress_rest(data: Path, out: Path, progress: Progress) -> str:
    from affectscope.recipes.stress_rest import train_stress_rest

    return train_stress_rest(data, out, progress)


def _autoencoder(name: str, data: Path, out: Path, progress: Progress) -> str:
    from affectscope.recipes.pretrained_autoencoders import train_autoencoder

    return train_autoencoder(name, data, out, progress)


TRAININGS: dict[str, Training] = {
    "bae-ecg": Training(partial(_autoencoder, "bae-ecg"), tolerance=0.02, figures=0.5),
    "bae-eda": Training(partial(_autoencoder, "bae-eda"), tolerance=0.02, figures=0.5),
    "stress-rest": Training(_stress_rest, tolerance=1e-6),
}
"""Of every model that comes with the program."""


@dataclass(frozen=True)
class Difference:
    """How far something of the model trained anew is from the same of the one that ships.

    Attributes:
        name: a tensor's, or a setting's, as "configuration.outer.inner".
        share: largest absolute difference over the largest absolute value that ships; infinite
            where the two cannot be compared.
    """

    name: str
    share: float

    @property
    def is_setting(self) -> bool:
        """Whether it is of the configuration."""
        return self.name.startswith(_SETTING)


@dataclass(frozen=True)
class Comparison:
    """A model that was trained anew beside the one that ships.

    Attributes:
        changed_files: files that only one of the two learnt from, or in different states.
        differences: of every tensor and every setting of the configuration.
        changed_tables: titles of tables of figures that do not read the same; they are told, and
            the last digit of a figure may change within the tolerance.
        figures_apart: the largest difference of a figure of the tables.
        training: with its tolerances.
    """

    name: str
    shipped_id: str
    rebuilt_id: str
    changed_files: tuple[str, ...]
    differences: tuple[Difference, ...]
    changed_tables: tuple[str, ...]
    figures_apart: float
    training: Training

    @property
    def apart(self) -> tuple[Difference, ...]:
        """What differs by more than the tolerance, the farthest first; of weights nothing where
        their figures say that they do the same."""
        found = [
            each
            for each in self.differences
            if not each.share <= self.training.tolerance
            and not (self.does_the_same and math.isfinite(each.share) and not each.is_setting)
        ]
        return tuple(sorted(found, key=lambda each: -each.share))

    @property
    def does_the_same(self) -> bool:
        """Whether the figures decide, and lie within their tolerance."""
        return self.training.figures is not None and self.figures_apart <= self.training.figures

    @property
    def same(self) -> bool:
        """Whether both learnt from the same files and no number differs by more."""
        return not self.apart and not self.changed_files

    @property
    def lines(self) -> list[str]:
        """What the command line says of it."""
        return [
            f"Shipped:  {self.name} {self.shipped_id}",
            f"Rebuilt:  {self.name} {self.rebuilt_id}"
            f" ({'the same' if self.rebuilt_id == self.shipped_id else 'another'} id)",
            f"Files:    {_named(self.changed_files) or 'the same, by sha256'}",
            f"Numbers:  {len(self.differences)} tensors and settings, {self._largest}",
            f"Figures:  {self._figures}",
        ]

    @property
    def _figures(self) -> str:
        if not self.changed_tables:
            return "every table reads the same"
        allowed = self.training.figures
        limit = "" if allowed is None else f"; {allowed:g} is allowed for other weights"
        return (
            f"the largest difference is {self.figures_apart:.3g}{limit}."
            f" Not the same: {_named(self.changed_tables)}"
        )

    @property
    def _largest(self) -> str:
        exact = Difference("", 0.0)
        largest = max(self.differences, key=lambda each: each.share, default=exact)
        if largest.share == 0:
            return "all the same to the last bit"
        return (
            f"the largest difference is {largest.share:.3g} of the largest number in"
            f" {largest.name}; {self.training.tolerance:g} is allowed"
        )

    def check(self) -> None:
        """Raises ModelError E_REBUILT where the two are not the same."""
        if self.same:
            return
        files = f"Other files: {_named(self.changed_files)}. " if self.changed_files else ""
        apart = _named(tuple(each.name for each in self.apart))
        numbers = f"Beyond the tolerance: {apart}." if apart else ""
        raise ModelError(
            "E_REBUILT",
            f"The model trained anew is not the '{self.name}' that ships. {files}{numbers}".strip(),
            "What was trained is kept. See docs/models.md for what the tolerance covers.",
        )


def rebuilt(name: str, data: Path, out: Path, progress: Progress) -> Comparison:
    """Train a model that comes with the program anew, into ``out``, and compare the two.

    Args:
        data: the folder that holds the folders of recordings: stress_predict, mitbih ...

    Raises:
        ModelError: E_CONFIG where none is called so; E_CHECKPOINT where the shipped one is damaged.
        InputError: E_CORPUS where the recordings are not those that it learnt from.
        AffectScopeError: what the training raises.
    """
    before = open_shipped(name)
    check_recordings(before.contract, data)
    training = TRAININGS[name]
    training.train(data, out, progress)
    return compared(before, open_model(out), training)


def check_recordings(contract: ModelContract, data: Path) -> None:
    """Raises InputError E_CORPUS where a file that the model learnt from is missing or another,
    before hours are spent on it."""
    wrong = []
    for path, digest in _files(contract).items():
        try:
            check_file(data / path)
            found = sha256(data / path)
        except InputError:
            found = ""
        if found != digest:
            wrong.append(path)
    if wrong:
        raise InputError(
            "E_CORPUS",
            f"{len(wrong)} of the {len(_files(contract))} files that '{contract.name}' learnt from"
            f" are missing or changed: {_named(tuple(wrong))}.",
            f"Give the folder that holds {', '.join(s.name for s in contract.sources)},"
            " in the state that the data card lists.",
        )


def compared(shipped: OpenedModel, anew: OpenedModel, training: Training) -> Comparison:
    """Two models of one name, number by number."""
    before, after = (dict(leaves(each.contract.configuration)) for each in (shipped, anew))
    tables = {table.title: table.rows for table in shipped.contract.results}
    printed = {table.title: table.rows for table in anew.contract.results}
    return Comparison(
        name=shipped.contract.name,
        shipped_id=shipped.model_id,
        rebuilt_id=anew.model_id,
        changed_files=_changed(_files(shipped.contract), _files(anew.contract)),
        differences=(
            *_differences(_doubles(shipped), _doubles(anew)),
            *_differences(before, after, of=_SETTING),
        ),
        changed_tables=_changed(tables, printed),
        figures_apart=_figures_apart(tables, printed),
        training=training,
    )


def _figures_apart(before: Tables, after: Tables) -> float:
    """The largest difference of a number in the tables' cells; infinite where one has no
    counterpart."""
    numbers = [
        [
            float(found)
            for title in sorted(tables)
            for row in tables[title]
            for cell in row[1:]
            for found in _NUMBER.findall(cell)
        ]
        for tables in (before, after)
    ]
    if sorted(before) != sorted(after) or len(numbers[0]) != len(numbers[1]):
        return math.inf
    return max((abs(b - a) for a, b in zip(*numbers, strict=True)), default=0.0)


def _files(contract: ModelContract) -> dict[str, str]:
    return {
        f"{source.name}/{path}": digest
        for source in contract.sources
        for path, digest in source.hashes.items()
    }


def _changed(before: Mapping[str, object], after: Mapping[str, object]) -> tuple[str, ...]:
    return tuple(name for name in sorted({*before, *after}) if before.get(name) != after.get(name))


def _doubles(opened: OpenedModel) -> dict[str, Any]:
    return {name: tensor.double().numpy() for name, tensor in opened.tensors.items()}


def _differences(
    shipped: Mapping[str, Any], anew: Mapping[str, Any], *, of: str = ""
) -> Iterator[Difference]:
    for name in sorted({*shipped, *anew}):
        both = name in shipped and name in anew
        yield Difference(of + name, _share(shipped[name], anew[name]) if both else math.inf)


def _share(shipped: Any, anew: Any) -> float:
    """See ``Difference``; for what is not made of numbers 0 where it is the same."""
    try:
        before, after = np.asarray(shipped, np.float64), np.asarray(anew, np.float64)
    except (TypeError, ValueError):  # text, none, or lists of several lengths
        return 0.0 if shipped == anew else math.inf
    if np.array_equal(before, after, equal_nan=True):  # NumPy takes none for NaN
        return 0.0
    if before.shape != after.shape:
        return math.inf
    share = float(np.abs(after - before).max() / (np.abs(before).max() or 1.0))
    return share if math.isfinite(share) else math.inf


def _named(names: tuple[str, ...]) -> str:
    more = len(names) - _MOST_NAMED
    return ", ".join(names[:_MOST_NAMED]) + (f" and {more} more" if more > 0 else "")
