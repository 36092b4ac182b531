"""The experiments of FG 2020 (doi 10.1109/FG47880.2020.00001) under protocols without leaks.

Table III compares modalities, Table IV the auto-encoders, each beside the paper's numbers and the
baselines; which networks stand in which table is our reading of the paper [?]. Every function goes
on where it was stopped: inputs, face features, training stages and finished folds lie under
``work`` and are found again by the hash of what decides them.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import partial
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
from affectscope.evaluation.crossval import RunSettings, System
from affectscope.evaluation.protocols import PROTOCOLS, Protocol
from affectscope.evaluation.samples import Fold, Samples
from affectscope.io.files import prepare_folder, write_text, write_with
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
from affectscope.recipes.fold_runs import Lineup, run_lineup
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
WHICH_TABLE = (
    "Which networks the paper puts into which of its tables: Table III is read here as the "
    "modalities, Table IV as the auto-encoders."
)
LEAKS_ON_PURPOSE = (
    "Protocol D leaks on purpose: windows of one and the same trial are trained and tested on. Its "
    "numbers show how far a leak inflates, and nothing else."
)
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

    def lineup(self, systems: Sequence[System]) -> Lineup:
        """These systems on the experiment's folds and seeds."""
        experiment = self.experiment
        return Lineup(
            tuple(systems),
            self.run_settings,
            self.samples,
            self.protocol,
            lambda seed: self.folds(seed)[: experiment.folds],
            experiment.seeds,
        )

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
    """Prepare the data. Networks are made to take the features of ``given``."""
    if given is not None:
        experiment = replace(experiment, networks=given.taken_by(experiment.networks))
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


def table_lineup(experiment: Experiment, given: GivenEncoder | None, table: TableName) -> Lineup:
    """The systems of one of the paper's own tables, opened anew."""
    opened = open_experiment(experiment, given)
    return opened.lineup(opened.systems(table))


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
    ran = run_lineup(
        opened.lineup(opened.systems(table)),
        partial(table_lineup, experiment, given, table),
        processes=experiment.processes,
        progress=lambda share, text: progress(0.3 + 0.65 * share, text),
    )
    progress(0.95, "statistics")
    models = opened.models(table)
    trivial = roles_of_baselines()
    roles = replace(trivial, models=models, baselines=(*trivial.baselines, *CONTROLS))
    found = experiment_report(
        opened, ran.predictions, roles, references=(models[0], "majority", "duration only")
    )
    report = replace(
        found,
        title=f"{TITLES[table][1]}: {opened.material.prepared.name}",
        table=TITLES[table][0],
        seconds=time.monotonic() - started,
        paper={name: PAPER[name] for name in models},
        compared=COMPARED if table == "table4" else (),
        open_questions=(WHICH_TABLE, *found.open_questions),
    )
    write_report(report, ran.predictions, out, name=table)
    return report


def write_report(report: ExperimentReport, predictions: pd.DataFrame, out: Path, name: str) -> None:
    """Write NAME-predictions.parquet, NAME.md and NAME.html.

    Raises:
        OutputError: E_OUTPUT.
    """
    write_with(
        out / f"{name}-predictions.parquet",
        lambda stream: predictions.to_parquet(stream, index=False),
    )
    write_text(out / f"{name}.md", markdown(report))
    write_text(out / f"{name}.html", html(report))


@dataclass(frozen=True)
class Roles:
    """Names of a table's systems in the order to show; oracles have seen what no system may see."""

    models: tuple[str, ...]
    baselines: tuple[str, ...]
    oracles: tuple[str, ...]


def roles_of_baselines() -> Roles:
    """The baselines that look at no signal."""
    return Roles(
        (),
        tuple(name for name, system in TRIVIAL.items() if not system.oracle),
        tuple(name for name, system in TRIVIAL.items() if system.oracle),
    )


def experiment_report(
    opened: Opened, frame: pd.DataFrame, roles: Roles, references: Sequence[str]
) -> ExperimentReport:
    """What any table of the experiment says, its title left open.

    Args:
        references: every model is compared with each of these.
    """
    import pandas as pd

    prepared, given, models = opened.material.prepared, opened.material.given, roles.models
    own = frame[frame["model"].isin(models)]
    comparisons = [
        tables_of.compare(
            frame[frame["model"].isin([*models, reference])], MAIN_METRIC, "trial", reference
        )
        for reference in references
    ]
    ranked = tables_of.ranks(frame[frame["model"].isin([*models, *roles.baselines])], MAIN_METRIC)
    return ExperimentReport(
        title="",
        table="",
        corpus=prepared.name,
        simulated=prepared.simulated,
        protocol=f"{opened.protocol.letter}, {opened.protocol.name}. {opened.protocol.description}",
        extent=extent(opened),
        subjects=len(prepared.subjects),
        trials=len(prepared.trials),
        models=models,
        baselines=roles.baselines,
        oracles=roles.oracles,
        summary=tables_of.summarise(frame),
        comparisons=pd.concat(comparisons, ignore_index=True),
        intervals=INTERVALS,
        configuration=configuration(opened),
        versions=versions(),
        seconds=0.0,
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
        open_questions=(
            f"How often: the paper takes every frame, here {opened.experiment.rate:g} rows per "
            "second.",
            *(() if given is None else given.doubts),
        ),
        warning="" if opened.protocol.holds_out else LEAKS_ON_PURPOSE,
    )


def versions() -> dict[str, str]:
    """Of the program and of what computes."""
    return {name: version(name) for name in ("affectscope", "torch", "numpy")}


def extent(opened: Opened) -> RunExtent:
    """How much of its protocol the experiment runs."""
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
        "face encoder from elsewhere": None if given is None else given.described,
    }
