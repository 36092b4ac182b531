"""Every compared system through the same door, in the situations that corpora bring.

A fit costs most here, so that each is looked at from several sides.
"""

from __future__ import annotations

import importlib
import pkgutil
import re
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from affectscope import baselines
from affectscope.baselines.amigos_own import AMIGOS_ECG, AMIGOS_EDA
from affectscope.baselines.compared import COMPARED_TARGETS, Compared, ComparedData
from affectscope.baselines.compared_systems import COMPARED_SYSTEMS, compared_system
from affectscope.baselines.gjoreski import GJORESKI
from affectscope.baselines.kollias import KOLLIAS
from affectscope.baselines.santamaria import SANTAMARIA
from affectscope.baselines.siddharth import SIDDHARTH_ELM, SIDDHARTH_LSTM
from affectscope.baselines.yang_lee import YANG_LEE
from affectscope.datasets.body_features import BodyFeatures
from affectscope.errors import EvaluationError, LeakError
from affectscope.evaluation.crossval import TRANSDUCTIVE, Fitted, System, Task, cross_validate
from affectscope.evaluation.protocols import PROTOCOLS
from affectscope.evaluation.samples import Fold, Samples

SYSTEMS = list(COMPARED_SYSTEMS.values())
by_name = pytest.mark.parametrize("compared", SYSTEMS, ids=lambda system: system.name)

PRINTED: dict[Compared, tuple[float | None, float | None]] = {
    KOLLIAS: (48.76, 60.35),
    GJORESKI: (None, 56.00),
    YANG_LEE: (67.0, 68.8),
    SANTAMARIA: (76.00, 75.00),
    SIDDHARTH_ELM: (83.94, 82.76),
    SIDDHARTH_LSTM: (83.94, 82.76),
    AMIGOS_ECG: (54.5, 55.1),
    AMIGOS_EDA: (53.1, 54.8),
}
"""Valence and arousal, per cent, as METHOD.md has them, sections 4 and 7 (AMIGOS' own)."""

LACKING = (
    ("P01", "c1", "ecg"),
    ("P02", "", "eda"),
    ("P03", "c1", "eda"),
    ("P03", "c2", "face"),
    ("P03", "c3", "ecg"),
)
"""A person without EDA, and trials without one modality, of the person that protocol A tests."""


@pytest.fixture(scope="module")
def data(compared_data: Callable[..., Any]) -> ComparedData:
    """Four people with all that there is, holes of 8 s in every ECG and EDA, and ``LACKING``."""
    made: ComparedData = compared_data(
        people=4, faces=True, eeg=True, holes=True, lacking=LACKING, epochs=1, hop=10.0
    )
    return made


@pytest.fixture(scope="module")
def only_needed(compared_data: Callable[..., Any]) -> Callable[[Compared], ComparedData]:
    """One person with nothing but what a system needs."""

    def made(compared: Compared) -> ComparedData:
        # Whatever a trial of the fixture holds beside, it has an ECG or an EDA.
        needs = set(compared.needs)
        kept = needs if needs & {"ecg", "eda"} else {*needs, "eda"}
        lacking = tuple(("", "", name) for name in ("ecg", "eda") if name not in kept)
        found: ComparedData = compared_data(
            people=1, faces="face" in kept, eeg="eeg" in kept, lacking=lacking, epochs=1, hop=10.0
        )
        return found

    return made


@dataclass
class Run:
    """A system's run on some folds, and what it fitted."""

    compared: Compared
    data: ComparedData
    letter: str
    fitted: list[Fitted] = field(default_factory=list)

    def table(self, folds: Iterable[Fold], change: Callable[[Fitted], Fitted] | None = None) -> Any:
        """Through ``cross_validate``; ``change`` alters what was fitted."""
        system = self.compared.system(self.data)

        def fit(task: Task) -> Fitted:
            found = system.fit(task)
            self.fitted.append(found)
            return found if change is None else change(found)

        return cross_validate(
            replace(system, fit=fit), self.data.samples, folds=list(folds),
            protocol=PROTOCOLS[self.letter],
        )  # fmt: skip


def rows_of(samples: Samples, subject: str, *trials: str) -> np.ndarray:
    chosen = samples.subject == subject
    return np.flatnonzero(chosen & np.isin(samples.trial, trials) if trials else chosen)


def by_hand(samples: Samples, train: str, validation: str, test: str) -> Fold:
    return Fold("by hand", *(rows_of(samples, who) for who in (train, validation, test)))


def check_table(table: pd.DataFrame, compared: Compared, fold: Fold, targets: int) -> None:
    assert len(table) == len(fold.test) * targets
    assert set(table["model"]) == {compared.name}
    assert np.isfinite(table["prediction"]).all()
    assert table["probability"].between(0, 1, inclusive="neither").all()
    rated = table[table["target"].isin(COMPARED_TARGETS)]
    assert rated["prediction"].between(-1, 1).all()


@by_name
def test_protocol_a_with_holes_and_missing_modalities(
    compared: Compared, data: ComparedData
) -> None:
    run, samples = Run(compared, data, "A"), data.samples
    fold = PROTOCOLS["A"].split(samples, 0, None)[2]
    check_table(run.table([fold]), compared, fold, len(samples.targets))
    (fitted,) = run.fitted
    check_masking(compared, data, fitted)
    check_any_rows(data, fitted, fold)
    check_parts_are_honest(compared, data, fitted, fold)


def check_masking(compared: Compared, data: ComparedData, fitted: Fitted) -> None:
    """NaN, not an exception, where a trial has nothing that the system looks at, and only there."""
    compares = list(data.columns)
    for trial, there in (
        ("c0", {"face", "ecg", "eda", "eeg"}),
        ("c1", {"face", "ecg", "eeg"}),
        ("c2", {"ecg", "eda", "eeg"}),
        ("c3", {"face", "eda", "eeg"}),
    ):
        scores = fitted.predict(rows_of(data.samples, "P03", trial))
        if set(compared.needs) <= there:
            assert np.isfinite(scores[:, compares]).any(axis=0).all(), trial
        if not set(compared.uses) & there:
            assert np.isnan(scores).all(), trial
        assert np.isnan(np.delete(scores, compares, axis=1)).all()


def check_any_rows(data: ComparedData, fitted: Fitted, fold: Fold) -> None:
    """Parts of trials, of every side at once; all of them ratings."""
    some = np.sort(np.concatenate([fold.train, fold.validation, fold.test]))[1::3]
    scores = fitted.predict(some)
    assert scores.shape == (len(some), len(data.samples.targets))
    known = scores[np.isfinite(scores)]
    assert len(known)
    assert np.abs(known).max() <= 1


def check_parts_are_honest(
    compared: Compared, data: ComparedData, fitted: Fitted, fold: Fold
) -> None:
    """Somebody taught it; each part is refused once it has seen the test person, but one kind."""
    subject = data.samples.subject
    tested = frozenset(subject[fold.test].tolist())
    allowed = frozenset(np.delete(subject, fold.test).tolist())
    taught = [part for part in fitted.parts if part.used_labels]
    assert any(part.kind in ("classifier", "encoder", "autoencoder") for part in taught)
    assert frozenset(subject[fold.train].tolist()) <= frozenset.union(
        *(part.subjects for part in taught)
    )
    for place, part in enumerate(fitted.parts):
        person_by_person = part.kind == "person normaliser"
        assert person_by_person <= (compared.sees == TRANSDUCTIVE)
        assert person_by_person or part.subjects <= allowed
        wrong = replace(part, subjects=part.subjects | tested, used_labels=True, trials=None)
        parts = (*fitted.parts[:place], wrong, *fitted.parts[place + 1 :])
        system = System(
            compared.name, lambda _, parts=parts: Fitted(parts, fitted.predict), "test",
            compared.sees,
        )  # fmt: skip
        with pytest.raises(LeakError, match=re.escape(part.name)):
            cross_validate(system, data.samples, folds=[fold], protocol=PROTOCOLS["A"])


@by_name
def test_one_training_person_and_a_tested_one_without_eda_twice_the_same(
    compared: Compared, data: ComparedData
) -> None:
    fold = by_hand(data.samples, train="P01", validation="P03", test="P02")
    first, second = (Run(compared, data, "A").table([fold]) for _ in range(2))
    check_table(first, compared, fold, len(data.samples.targets))
    pd.testing.assert_frame_equal(first, second)


@by_name
def test_shuffled_windows(compared: Compared, data: ComparedData) -> None:
    fold = PROTOCOLS["D"].split(data.samples, 0, None)[1]
    check_table(Run(compared, data, "D").table([fold]), compared, fold, len(data.samples.targets))


@by_name
def test_one_participant_with_what_is_needed_and_labels_that_teach_nothing(
    compared: Compared, only_needed: Callable[[Compared], ComparedData]
) -> None:
    """Person-dependent; valence is constant, arousal as it was, liking nowhere rated."""
    given = only_needed(compared)
    samples, truth = given.samples, given.samples.truth.copy()
    truth[:, samples.targets.index("valence")] = 0.4
    truth[:, samples.targets.index("liking")] = np.nan
    data = replace(given, samples=replace(samples, truth=truth))
    fold = PROTOCOLS["C"].split(data.samples, 0, None)[0]
    table = Run(compared, data, "C").table([fold])
    check_table(table, compared, fold, len(samples.targets))
    valence = table[table["target"] == "valence"]
    assert (valence["probability"] > 0.5).all()


def without(data: ComparedData, source: str) -> ComparedData:
    """The same corpus, had it never recorded ``source``."""
    if source == "eeg":
        kept = [name for name in data.features.names if not name.startswith("eeg_")]
        return replace(data, features=BodyFeatures(tuple(kept), data.features.chosen(kept)))
    trials = []
    for trial in data.prepared.trials:
        signals = {name: signal for name, signal in trial.signals.items() if name != source}
        trial = replace(trial, signals=signals)
        if source == "face":
            trial = replace(trial, faces=None, face_present=np.zeros_like(trial.face_present))
        trials.append(trial)
    return replace(data, prepared=replace(data.prepared, trials=tuple(trials)))


@by_name
def test_a_corpus_that_lacks_what_is_needed_is_refused(
    compared: Compared, data: ComparedData
) -> None:
    assert set(compared.needs) <= set(compared.uses)
    assert compared.uses
    for source in compared.uses:
        lesser = without(data, source)
        assert lesser.sources == data.sources - {source}
        if source not in compared.needs:
            compared.system(lesser)
            continue
        with pytest.raises(EvaluationError, match=source) as refusal:
            compared.system(lesser)
        assert refusal.value.code == "E_SOURCE"
        assert compared.name in str(refusal.value)


def test_an_unknown_system_is_refused_with_the_choices() -> None:
    with pytest.raises(EvaluationError, match="Oracle of Delphi") as refusal:
        compared_system("Oracle of Delphi")
    assert refusal.value.code == "E_CONFIG"
    assert all(name in refusal.value.remedy for name in COMPARED_SYSTEMS)
    for name, compared in COMPARED_SYSTEMS.items():
        assert compared_system(name) is compared
        assert compared.name == name


@by_name
def test_published_numbers_are_those_of_the_paper_or_say_that_they_are_from_memory(
    compared: Compared,
) -> None:
    published = compared.published
    if compared in PRINTED:
        assert published is not None
        assert (published.valence, published.arousal) == PRINTED[compared]
        assert published.metric
        assert published.protocol
    elif published is not None:
        assert "[?]" in published.note


@by_name
def test_every_system_is_cited(compared: Compared) -> None:
    assert re.search(r"\b(19|20)\d\d\b", compared.citation) or compared.citation.startswith("Ours:")


def modules() -> dict[str, list[Compared]]:
    """The modules that define compared systems, and the ones that each names."""
    found = {}
    for module in pkgutil.iter_modules(baselines.__path__):
        content = vars(importlib.import_module(f"{baselines.__name__}.{module.name}"))
        systems = [value for value in content.values() if isinstance(value, Compared)]
        if systems and module.name != "compared_systems":
            found[module.name] = systems
    return found


@pytest.mark.parametrize("name", modules())
def test_each_module_says_where_it_comes_from_and_where_the_paper_is_silent(name: str) -> None:
    head = sys.modules[f"{baselines.__name__}.{name}"].__doc__
    assert head is not None
    parted = re.split(r"^(?:Where the paper is silent|What a reader must know).*:$", head,
                      flags=re.MULTILINE)  # fmt: skip
    assert len(parted) == 2, "no list of what the paper leaves open"
    before, after = parted
    assert re.search(r"\b(19|20)\d\d\b", before), "no citation with its year"
    assert re.search(r"^=+ +=+", before, re.MULTILINE), "no table"
    numbers = [int(number) for number in re.findall(r"^(\d+)\. ", after, re.MULTILINE)]
    assert numbers == list(range(1, len(numbers) + 1))
    assert len(numbers) >= 2


@pytest.mark.parametrize("name", modules())
def test_no_system_is_left_out_of_the_registry(name: str) -> None:
    assert set(modules()[name]) <= set(SYSTEMS)
