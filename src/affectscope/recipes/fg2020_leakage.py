"""How much of the published numbers the split explains: protocol A beside protocol D.

Many papers cut trials into windows and deal the windows at random. Protocol D does that on purpose,
with the same systems, features and rows as protocol A, so that nothing but the split differs.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from affectscope.evaluation.predictions import join_predictions
from affectscope.evaluation.split_effect import split_effect
from affectscope.figures import save_figure, svg
from affectscope.io.files import prepare_folder, write_text, write_with
from affectscope.recipes.compared_sections import nearest_metric
from affectscope.recipes.fg2020 import (
    INTERVALS,
    MAIN_METRIC,
    Progress,
    extent,
    roles_of_baselines,
    versions,
)
from affectscope.recipes.fg2020_compared import compared_configuration, extent_of
from affectscope.recipes.fg2020_competition import (
    ComparedExperiment,
    Competition,
    competition_lineup,
    open_competition,
)
from affectscope.recipes.fg2020_systems import NETWORKS
from affectscope.recipes.fold_runs import run_lineup
from affectscope.recipes.leakage_figure import Group, leakage_figure
from affectscope.recipes.leakage_report import (
    SHOWN,
    LeakageReport,
    leakage_page,
    printed_shares,
)
from affectscope.recipes.report_blocks import Drawing
from affectscope.recipes.tables import page_html, page_markdown

if TYPE_CHECKING:
    import pandas as pd

Letter = Literal["A", "D"]
SPLITS: tuple[Letter, ...] = ("A", "D")


def reproduce_leakage(
    asked: ComparedExperiment,
    out: Path,
    *,
    progress: Progress = lambda _share, _text: None,
) -> LeakageReport:
    """Run everybody under both splits, whatever protocol the experiment names.

    Writes leakage-predictions.parquet, leakage.md, leakage.html, leakage.svg and leakage.png.

    Raises:
        LeakError: protocol A cannot be split without a leak.
        EvaluationError: too few people, nothing usable, or no chosen system can be run.
        OutputError: E_OUTPUT.
    """
    started = time.monotonic()
    prepare_folder(out)
    competitions: dict[Letter, Competition] = {}
    tables: dict[Letter, pd.DataFrame] = {}
    for number, letter in enumerate(SPLITS):

        def reached(share: float, text: str, number: int = number, letter: str = letter) -> None:
            progress(0.95 * (number + share) / len(SPLITS), f"protocol {letter}, {text}")

        own = replace(asked, experiment=replace(asked.experiment, protocol=letter))
        competitions[letter], tables[letter] = _run(own, reached)
    progress(0.95, "statistics")
    report = _report(competitions, tables, out)
    report = replace(report, seconds=time.monotonic() - started)
    everything = join_predictions(list(tables.values()))
    write_with(
        out / "leakage-predictions.parquet",
        lambda stream: everything.to_parquet(stream, index=False),
    )
    page = leakage_page(report)
    write_text(out / "leakage.md", page_markdown(page))
    write_text(out / "leakage.html", page_html(page))
    return report


def _run(asked: ComparedExperiment, progress: Progress) -> tuple[Competition, pd.DataFrame]:
    competition = open_competition(asked, lambda share, text: progress(0.2 * share, text))
    ran = run_lineup(
        competition.lineup(),
        partial(competition_lineup, asked),
        processes=asked.experiment.processes,
        progress=lambda share, text: progress(0.2 + 0.8 * share, text),
    )
    return replace(competition, refused=ran.refused), ran.predictions


def _report(
    competitions: Mapping[Letter, Competition], tables: Mapping[Letter, pd.DataFrame], out: Path
) -> LeakageReport:
    import pandas as pd

    honest = competitions["A"]
    contenders, prepared = honest.contenders, honest.opened.material.prepared
    metrics = dict.fromkeys(SHOWN)
    metrics |= dict.fromkeys(nearest_metric(one.published) for one in contenders if one.published)
    effects = pd.concat(
        [
            split_effect(tables["A"], tables["D"], tuple(metrics), level=level)
            for level in ("trial", "frame")
        ],
        ignore_index=True,
    )
    trivial = roles_of_baselines()
    baselines = (*trivial.baselines, *trivial.oracles)
    names = [one.name for one in contenders]
    figure = leakage_figure(
        effects[(effects["level"] == "trial") & (effects["metric"] == MAIN_METRIC)],
        (
            Group("the paper's networks", tuple(name for name in names if name in NETWORKS)),
            Group("compared systems", tuple(name for name in names if name not in NETWORKS)),
            Group("without any signal", baselines),
        ),
        printed_shares(contenders),
        metric="macro F1",
        simulated=prepared.simulated,
    )
    save_figure(figure, out / "leakage")
    described = "Macro F1 of every system under protocols A and D, with what its paper printed"
    return LeakageReport(
        corpus=prepared.name,
        simulated=prepared.simulated,
        effects=effects,
        contenders=contenders,
        baselines=baselines,
        absent=honest.absent,
        extents={
            letter: extent_of(extent(one.opened), one.asked) for letter, one in competitions.items()
        },
        drawing=Drawing(svg(figure, described), described, "leakage.png"),
        intervals=INTERVALS,
        exclusions=prepared.exclusions,
        notices=prepared.notices,
        configuration={**compared_configuration(honest), "protocol": ", ".join(SPLITS)},
        versions=versions(),
    )
