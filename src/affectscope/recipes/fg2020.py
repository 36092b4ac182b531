"""The experiments of FG 2020 (doi 10.1109/FG47880.2020.00001) under protocols without leaks.

Table III compares modalities, Table IV the auto-encoders, each beside the paper's numbers and the
baselines; which networks stand in which table is our reading of the paper [?]. Every function goes
on where it was stopped: inputs, face features, training stages and finished folds lie under
``work`` and are found again by the hash of what decides them.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from affectscope.baselines.trivial import TRIVIAL
from affectscope.datasets.amigos_layout import CLIP_GROUPS, SHORT_CLIPS
from affectscope.datasets.corpora import detect_corpus, open_corpus
from affectscope.datasets.corpus import Corpus, SubjectTrials
from affectscope.datasets.prepared import PreparedCorpus, prepare
from affectscope.datasets.prepared_trial import PreparedSettings
from affectscope.errors import EvaluationError
from affectscope.evaluation import summary as tables_of
from affectscope.evaluation.crossval import RunSettings, System, cross_validate
from affectscope.evaluation.predictions import join_predictions
from affectscope.evaluation.protocols import PROTOCOLS, Protocol
from affectscope.evaluation.samples import Fold, Samples
from affectscope.io.files import prepare_folder, write_text, write_with
from affectscope.jobs import run_tasks
from affectscope.preprocessing.windows import Preprocessing
from affectscope.recipes.experiment_report import ExperimentReport, Ranks, RunExtent
from affectscope.recipes.fg2020_systems import (
    CONTROLS,
    GivenEncoder,
    Material,
    NetworkSettings,
    network_systems,
    samples_of,
    sorted_trials,
)
from affectscope.recipes.paper_numbers import COMPARED, PAPER
from affectscope.recipes.tables import html, markdown
from affectscope.training.devices import DeviceSettings, make_fabric

if TYPE_CHECKING:
    import pandas as pd

TableName = Literal["table3", "table4"]
MODELS: Mapping[TableName, tuple[str, ...]] = {
    "table3": ("bio only", "faces only", "BMMN"),
    "table4": ("BMMN", "BMMN-BAE-1", "BMMN-BAE-2"),
}
TITLES: Mapping[TableName, tuple[str, str]] = {
    "table3": ("Table III", "What each modality tells"),
    "table4": ("Table IV", "What the bio auto-encoder adds"),
}
FULL_SEEDS = 5
MAIN_METRIC = "macro_f1"
INTERVALS = (
    "Intervals: 10,000 bootstrap draws of participants, the same for every system, seeds nested."
)

Progress = Callable[[float, str], None]


@dataclass(frozen=True)
class Experiment:
    """What is asked; its resolved form is written beside the result.

    Attributes:
        data: the corpus' folder.
        work: where everything is kept that a second call need not compute.
        networks: how they are built and trained.
        protocol: "A" to "D".
        rate: rows per second; the paper takes every frame (25).
        folds: only the first so many folds; None: all.
        seeds: how many seeds.
        limit: only the first so many trials of each person; None: all.
        processes: folds at a time; None: one per core.
        force: go on in a work folder whose runs had other settings.
    """

    data: Path
    work: Path
    networks: NetworkSettings = field(default_factory=NetworkSettings)
    protocol: Literal["A", "B", "C", "D"] = "A"
    rate: float = 1.0
    folds: int | None = None
    seeds: int = FULL_SEEDS
    limit: int | None = None
    processes: int | None = None
    devices: DeviceSettings = field(default_factory=DeviceSettings)
    force: bool = False


def chosen_trials(corpus: Corpus, limit: int | None) -> Corpus:
    """The corpus within the limit, without AMIGOS' long videos: trials of another kind."""

    def read(subject_id: str) -> SubjectTrials:
        subject = corpus.read_subject(subject_id)
        wanted = [
            recording
            for recording in subject.recordings
            if corpus.name != "amigos" or recording.trial_id in SHORT_CLIPS
        ]
        return replace(subject, recordings=tuple(wanted[:limit]))

    name = corpus.name if limit is None else f"{corpus.name}, {limit} trials each"
    return replace(corpus, name=name, read_subject=read)


def prepared_corpus(experiment: Experiment, progress: Progress) -> PreparedCorpus:
    """The trials of the experiment, out of the cache where it has them.

    Raises:
        EvaluationError: E_PROTOCOL where nothing usable is left.
    """
    corpus = open_corpus(detect_corpus(experiment.data), experiment.data)
    settings = PreparedSettings(
        Preprocessing(window_samples=experiment.networks.network.window_samples),
        experiment.rate,
        faces="face" in experiment.networks.network.modalities,
    )
    prepared = prepare(
        chosen_trials(corpus, experiment.limit),
        experiment.work / "prepared",
        settings,
        progress=progress,
    )
    if not prepared.trials:
        raise EvaluationError(
            "E_PROTOCOL",
            f"No usable trial was found in {experiment.data.name}.",
            "See what 'affectscope inspect amigos' says of the folder.",
        )
    return sorted_trials(prepared)


@dataclass(frozen=True, eq=False)
class Opened:
    """An experiment with its data."""

    experiment: Experiment
    material: Material
    protocol: Protocol

    @property
    def samples(self) -> Samples:
        return self.material.samples

    def folds(self, seed: int) -> list[Fold]:
        """All folds of the protocol."""
        groups = {clip: str(number) for number, own in enumerate(CLIP_GROUPS) for clip in own}
        return self.protocol.split(self.samples, seed, groups)

    def models(self, table: TableName) -> tuple[str, ...]:
        """The table's networks that the experiment's modalities allow."""
        seen = self.material.settings.network.modalities
        return tuple(n for n in MODELS[table] if n != "faces only" or "face" in seen)

    def systems(self, table: TableName) -> list[System]:
        """Networks, controls and baselines in the tables' order."""
        networks = network_systems(self.material, (*self.models(table), *CONTROLS))
        return [*networks, *TRIVIAL.values()]

    def run_settings(self, system: System) -> RunSettings:
        """A network's folds are kept; a baseline is computed faster than read."""
        if system.family == "trivial":
            return RunSettings()
        return RunSettings(self.experiment.work / "folds", self.material.fingerprint)


def open_experiment(
    experiment: Experiment,
    given: GivenEncoder | None = None,
    progress: Progress = lambda _share, _text: None,
) -> Opened:
    """Prepare the data."""
    prepared = prepared_corpus(experiment, progress)
    runs = (
        experiment.work
        / "runs"
        / hashlib.sha256(
            repr((experiment.protocol, experiment.rate, experiment.limit)).encode()
        ).hexdigest()[:12]
    )
    material = Material(
        prepared=prepared,
        samples=samples_of(prepared),
        settings=experiment.networks,
        cache=experiment.work / "prepared",
        runs=runs,
        fabric=lambda: make_fabric(experiment.devices),
        given=given,
        force=experiment.force,
    )
    return Opened(experiment, material, PROTOCOLS[experiment.protocol])


@dataclass(frozen=True, eq=False)
class FoldTask:
    """One fold and seed, for a process of its own: all networks of a table."""

    experiment: Experiment
    given: GivenEncoder | None
    table: TableName
    fold: str
    seed: int


def run_fold(task: FoldTask) -> None:
    """Train and test every network of the table on one fold; the results lie in the store."""
    opened = open_experiment(task.experiment, task.given)
    folds = [fold for fold in opened.folds(task.seed) if fold.name == task.fold]
    for system in opened.systems(task.table):
        if system.family != "trivial":
            cross_validate(
                system,
                opened.samples,
                folds=folds,
                protocol=opened.protocol,
                seed=task.seed,
                run=opened.run_settings(system),
            )


def predictions(opened: Opened, table: TableName, progress: Progress) -> pd.DataFrame:
    """The tidy table of every system of a table: computed, or read where it was computed before."""
    experiment = opened.experiment
    seeds = range(experiment.seeds)
    tasks = [
        FoldTask(experiment, opened.material.given, table, fold.name, seed)
        for seed in seeds
        for fold in opened.folds(seed)[: experiment.folds]
    ]
    run_tasks(
        run_fold,
        tasks,
        processes=experiment.processes,
        progress=lambda done, count: progress(done / count, f"folds: {done} of {count}"),
    )
    found = [
        cross_validate(
            system,
            opened.samples,
            folds=opened.folds(seed)[: experiment.folds],
            protocol=opened.protocol,
            seed=seed,
            run=opened.run_settings(system),
        )
        for seed in seeds
        for system in opened.systems(table)
    ]
    return join_predictions(found)


def reproduce_table(
    table: TableName,
    experiment: Experiment,
    out: Path,
    *,
    given: GivenEncoder | None = None,
    progress: Progress = lambda _share, _text: None,
) -> ExperimentReport:
    """Run one of the paper's tables; writes predictions.parquet, and the table as .md and .html.

    Raises:
        LeakError: the data cannot be split without a leak.
        EvaluationError: too few people, or nothing usable.
        OutputError: E_OUTPUT.
    """
    started = time.monotonic()
    prepare_folder(out)
    opened = open_experiment(experiment, given, lambda share, text: progress(0.3 * share, text))
    frame = predictions(opened, table, lambda share, text: progress(0.3 + 0.65 * share, text))
    progress(0.95, "statistics")
    report = _report(table, opened, frame, time.monotonic() - started)
    write_with(
        out / f"{table}-predictions.parquet", lambda stream: frame.to_parquet(stream, index=False)
    )
    write_text(out / f"{table}.md", markdown(report))
    write_text(out / f"{table}.html", html(report))
    return report


def _report(
    table: TableName, opened: Opened, frame: pd.DataFrame, seconds: float
) -> ExperimentReport:
    import pandas as pd

    experiment, prepared = opened.experiment, opened.material.prepared
    number, title = TITLES[table]
    models = opened.models(table)
    baselines = (*(name for name, system in TRIVIAL.items() if not system.oracle), *CONTROLS)
    oracles = tuple(name for name, system in TRIVIAL.items() if system.oracle)
    own = frame[frame["model"].isin(models)]
    references = [models[0], "majority", "duration only"]
    comparisons = [
        tables_of.compare(
            frame[frame["model"].isin([*models, reference])], MAIN_METRIC, "trial", reference
        )
        for reference in references
    ]
    ranked = tables_of.ranks(frame[frame["model"].isin([*models, *baselines])], MAIN_METRIC)
    return ExperimentReport(
        title=f"{title}: {prepared.name}",
        table=number,
        corpus=prepared.name,
        simulated=prepared.simulated,
        protocol=f"{opened.protocol.letter}, {opened.protocol.name}. {opened.protocol.description}",
        extent=_extent(opened),
        subjects=len(prepared.subjects),
        trials=len(prepared.trials),
        models=models,
        baselines=baselines,
        oracles=oracles,
        summary=tables_of.summarise(frame),
        comparisons=pd.concat(comparisons, ignore_index=True),
        intervals=INTERVALS,
        configuration=configuration(opened),
        versions={name: version(name) for name in ("affectscope", "torch", "numpy")},
        seconds=seconds,
        ranks=(
            Ranks(
                "macro F1 per person, mean over targets",
                ranked.average_rank,
                ranked.friedman_p,
                ranked.critical_difference,
                ranked.people,
            ),
        ),
        permutations=pd.concat(
            [
                tables_of.permutation_table(own, MAIN_METRIC, within=within)
                for within in ("participant", "clip")
            ]
        ),
        calibration=tables_of.calibration_table(own),
        exclusions=prepared.exclusions,
        notices=prepared.notices,
        paper={name: PAPER[name] for name in models},
        compared=COMPARED if table == "table4" else (),
        open_questions=(
            "Which networks the paper puts into which of its tables: Table III is read here as the "
            "modalities, Table IV as the auto-encoders.",
            f"How often: the paper takes every frame, here {experiment.rate:g} rows per second.",
        ),
    )


def _extent(opened: Opened) -> RunExtent:
    experiment = opened.experiment
    everything = len(opened.folds(0))
    limit = "" if experiment.limit is None else f"{experiment.limit} trials of each person at most"
    folds = min(experiment.folds or everything, everything)
    return RunExtent(folds, everything, experiment.seeds, max(FULL_SEEDS, experiment.seeds), limit)


def configuration(opened: Opened) -> dict[str, Any]:
    """The resolved configuration, plain JSON, without a path of this machine."""
    experiment = opened.experiment
    given = opened.material.given
    return {
        "protocol": experiment.protocol,
        "rate": experiment.rate,
        "folds": experiment.folds,
        "seeds": experiment.seeds,
        "limit": experiment.limit,
        "networks": asdict(experiment.networks),
        "preprocessing": asdict(opened.material.prepared.settings.preprocessing),
        "face encoder from elsewhere": None if given is None else given.identity[:12],
    }
