"""The tables of what ``speed.py`` and ``long_session.py`` kept, in Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from affectscope.datasets.window_dataset import HIGHEST_RATE

Found = Mapping[str, Any]


def _scored(run: Mapping[str, Any]) -> str:
    """Which frames a run scores."""
    if run["rate"] is not None:
        return f"{run['rate']:g} per second"
    every = run["video_frames_per_second"] <= HIGHEST_RATE
    return "every frame" if every else f"{HIGHEST_RATE:g} per second"


def tables(found: Found, long_sessions: Sequence[Found]) -> str:
    """Every table of which there are figures, below the machine that they were taken on."""
    parts = {name: part["figures"] for name, part in found.items() if name != "machine"}
    failed = {name: each["failed"] for name, each in parts.items() if "failed" in each}
    parts = {name: each for name, each in parts.items() if name not in failed}
    runs = {name: each for name, each in parts.items() if name.startswith("assess, ")}
    made = [
        _machine(found["machine"]) if "machine" in found else "",
        _assess_table(runs),
        _long_table(long_sessions),
        _encoder_table(parts.get("encoders", {})),
        _stage_table(parts.get("stages", {})),
        _pipeline_line(parts.get("pipeline", {})),
        _dense_table(parts.get("dense encoders", {})),
        _training_table(parts.get("training", {})),
        _feature_table(parts.get("features beside NeuroKit2", {})),
        _start_table(parts.get("start", {})),
        *(f"Not measured: {name} ({why})" for name, why in failed.items()),
    ]
    return "\n\n".join(part for part in made if part)


def table(title: str, head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table with its title, "" without rows; numbers as they are, None empty."""
    lines = [f"| {' | '.join(_cell(value) for value in row)} |" for row in rows]
    if not lines:
        return ""
    return "\n".join(
        [f"**{title}**", "", f"| {' | '.join(head)} |", "|---" * len(head) + "|", *lines]
    )


def _cell(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.3g}" if abs(value) < 100 else f"{value:,.0f}"
    return "" if value is None else f"{value:,}" if isinstance(value, int) else str(value)


def _machine(facts: Found) -> str:
    versions = ", ".join(f"{name} {version}" for name, version in facts["versions"].items())
    return (
        f"{facts['processor']}, {facts['cores']} cores ({', '.join(facts['instructions'])}),"
        f" {facts['memory_gb']} GB; Python {facts['python']}, {versions}."
    )


def _assess_table(runs: Mapping[str, Found]) -> str:
    head = ["engine", "video", "scored", "frames/s", "share of the session's length"]
    head += ["plain version, frames/s", "times faster", "times less CPU", "memory, MB"]
    return table(
        "End to end: affectscope assess",
        head,
        (
            [
                f"{run['engine']} {run['precision']}",
                _video(run),
                _scored(run),
                run["scored_per_second"],
                run["share_of_the_session"],
                run["plain"]["scored_per_second"],
                run["times_faster"],
                run["times_less_cpu"],
                run["memory"]["all"],
            ]
            for run in runs.values()
        ),
    )


def _video(run: Found) -> str:
    width, height = run["size"]
    minutes, frames = run["minutes"], run["video_frames_per_second"]
    return f"{minutes:g} min, {width} x {height}, {frames} frames/s"


def _long_table(rows: Sequence[Found]) -> str:
    head = ["video", "checkpoint", "options", "share of the session's length"]
    head += ["program, MB", "decoder, MB", "both, MB", "both at 25, 50, 75, 100 % of the run"]
    return table(
        "Long sessions: time and memory",
        head,
        (
            [
                _video(row),
                row["checkpoint"],
                row["options"],
                row["share_of_the_session"],
                *(row["memory"][name] for name in ("program", "decoder", "all")),
                ", ".join(map(str, row["memory"]["all_at_25_50_75_100_percent"])),
            ]
            for row in rows
        ),
    )


def _encoder_table(encoders: Mapping[str, Found]) -> str:
    head = ["engine", "ms for each face", "core-ms", "times faster", "mean deviation"]
    return table(
        "Face encoder (ResNet-50, 224 x 224), batches of 64 against one by one",
        head,
        (
            [name, run.get("ms"), run.get("cpu_ms"), run.get("times_faster"), _deviation(run)]
            for name, run in encoders.items()
        ),
    )


def _deviation(run: Found) -> str:
    """Or why there are no figures."""
    measured = run.get("deviation")
    if measured is None:
        return str(run.get("why_not", ""))
    means = ", ".join(f"{name} {value:.2g}" for name, value in measured["mean"].items())
    return f"{means}; same quadrant {100 * measured['same_quadrant']:.1f} %"


def _stage_table(stages: Mapping[str, Found]) -> str:
    rows = (
        [name, cost["ms"], cost["cpu_ms"], _share(cost.get("searched"))]
        for name, cost in stages.items()
    )
    head = ["stage", "ms per frame", "core-ms, program", "frames in which faces were searched for"]
    return table("Stages, 720p, each alone", head, rows)


def _share(value: float | None) -> str | None:
    return None if value is None else f"{100 * value:.0f} %"


def _pipeline_line(figures: Found) -> str:
    if not figures:
        return ""
    return (
        f"Stages side by side ({figures['engine']}):"
        f" {figures['side_by_side_per_second']:g} frames/s,"
        f" one after the other {figures['one_after_the_other_per_second']:g},"
        f" {figures['times_faster']:g} times faster; largest difference of an estimate"
        f" {figures['largest_difference']:.1g}."
    )


def _dense_table(figures: Found) -> str:
    head = ["encoder, windows, way", "seconds", "times faster", "largest relative difference"]
    rows = (
        [name, each["seconds"], each.get("ratio"), each.get("difference")]
        for name, each in _timed(figures.get("encoders", {}))
    )
    return table(
        f"Signal encoders over {figures.get('minutes', 0):g} minutes: tables for a whole signal"
        " beside one window after the other",
        head,
        rows,
    )


def _training_table(figures: Found) -> str:
    rates = figures.get("rows_per_second", {})
    first = next(iter(rates.values()), 1.0)
    rows = ([name, rate, rate / first] for name, rate in rates.items())
    return table("Training, frozen face features", ["way", "rows/s", "times faster"], rows)


def _feature_table(figures: Mapping[str, Found]) -> str:
    rows = (
        [name, *each["seconds"].values(), each["seconds"]["NeuroKit2"] / each["seconds"]["ours"]]
        for name, each in figures.items()
    )
    head = ["recording", "ours, s", "NeuroKit2, s", "times faster"]
    return table("Heart and skin features", head, rows)


def _start_table(figures: Mapping[str, Found]) -> str:
    columns = ("median", "longest", "cpu")
    rows = ([name, *(each[column] for column in columns)] for name, each in figures.items())
    return table("Start, seconds", ["command", "median", "longest", "median of CPU"], rows)


def _timed(figures: Found, name: str = "") -> Iterator[tuple[str, Found]]:
    """Whatever has seconds in a nested result, with the way to it."""
    if "seconds" in figures:
        yield name, figures
        return
    for part, value in figures.items():
        if isinstance(value, Mapping):
            yield from _timed(value, f"{name}, {part}" if name else part)
