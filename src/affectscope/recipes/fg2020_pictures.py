"""Figures 1, 4 and 5 of FG 2020, computed from a corpus: what ``fg2020_figures`` draws."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np
import torch

from affectscope.datasets.amigos_inspection import quadrant_points
from affectscope.datasets.corpora import open_corpus
from affectscope.datasets.runs import RunSet, grouped
from affectscope.datasets.synthetic import (
    SyntheticSettings,
    synthetic_person,
    therapy_course,
    write_session,
)
from affectscope.errors import SessionError
from affectscope.evaluation.crossval import Task
from affectscope.evaluation.phases import default_phases
from affectscope.evaluation.reconstruction import compression_ratio, prdn
from affectscope.evaluation.samples import Fold, Rows
from affectscope.evaluation.statistics import Estimate, mean_over_time
from affectscope.figures import save_figure
from affectscope.inference.predictor import Predictor
from affectscope.io.files import prepare_folder, write_text
from affectscope.io.session import open_session
from affectscope.models.bio_autoencoder import (
    FILTERS,
    POOL,
    BioAutoEncoder,
    Unpooling,
    lengths_before_pools,
)
from affectscope.models.bmmn import BMMN
from affectscope.models.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from affectscope.models.dense import reconstruct_runs
from affectscope.patient_moves import PatientMove, moves_figure
from affectscope.recipes.fg2020 import Experiment, Opened, Progress, configuration, open_experiment
from affectscope.recipes.fg2020_figures import (
    ReconstructionPanel,
    figure1,
    figure4,
)
from affectscope.recipes.fg2020_systems import FoldNetworks, GivenEncoder
from affectscope.records import BoolArray, FloatArray, Modality, Prediction
from affectscope.training.objective import as_part

SIMULATED_PATIENTS = 4
_SIMULATED_MINUTES = 6.0
_SIMULATED_RATE = 10.0  # frames per second
_RUN = 64
Span = tuple[float, float]
_UNPOOLINGS: tuple[Literal["indices", "interpolation"], ...] = ("indices", "interpolation")
_SIGNALS: dict[Modality, Literal["ECG", "EDA"]] = {"ecg": "ECG", "eda": "EDA"}


def reproduce_figure1(data: Path, out: Path) -> tuple[Path, Path]:
    """Self-assessed and annotated valence and arousal of AMIGOS in the four quadrants.

    Raises:
        InputError: E_CORPUS where the folder holds no AMIGOS.
        OutputError: E_OUTPUT.
    """
    corpus = open_corpus("amigos", data)
    prepare_folder(out)
    return save_figure(figure1(quadrant_points(corpus), corpus.simulated), out / "figure1")


def reproduce_figure4(
    experiment: Experiment, out: Path, *, progress: Progress = lambda _share, _text: None
) -> tuple[tuple[Path, Path], str]:
    """What the auto-encoders give back of a person they have never seen, and a table of PRDN.

    The first fold's auto-encoders are trained twice: with the encoder's max positions in the
    decoder, and from the latent alone.

    Returns:
        The figure's files, and the table as Markdown (also written).
    """
    prepare_folder(out)
    opened = open_experiment(experiment, None, lambda share, text: progress(0.3 * share, text))
    panels: list[ReconstructionPanel] = []
    for number, unpooling in enumerate(_UNPOOLINGS):
        progress(0.3 + 0.35 * number, f"auto-encoders, {unpooling}")
        panels += _panels(opened, unpooling)
    files = save_figure(figure4(panels, opened.material.prepared.simulated), out / "figure4")
    table = _reconstruction_table(panels, opened)
    write_text(out / "figure4.md", table)
    return files, table


def reproduce_figure5(
    experiment: Experiment,
    out: Path,
    *,
    sessions: Path | None = None,
    given: GivenEncoder | None = None,
    progress: Progress = lambda _share, _text: None,
) -> tuple[tuple[Path, Path], str]:
    """Each therapy patient's move on the circumplex, by a BMMN-BAE-2 trained on the corpus.

    Args:
        sessions: a folder of session folders. None is allowed for a simulated corpus only: then
            simulated patients are made.

    Returns:
        The figure's files, and the table of moves as Markdown (also written).

    Raises:
        SessionError: E_SESSION where there are no sessions.
    """
    prepare_folder(out)
    opened = open_experiment(experiment, given, lambda share, text: progress(0.3 * share, text))
    progress(0.3, "BMMN-BAE-2 on everybody but the inner people")
    predictor = _predictor(opened, out / "checkpoint")
    folders = _sessions(opened, sessions, out)
    moves = []
    for number, folder in enumerate(folders):
        progress(0.6 + 0.4 * number / len(folders), f"session {folder.name}")
        prediction = predictor.predict(open_session(folder), rate=2.0)
        moves.append(_move(folder.name, prediction))
    simulated = predictor.checkpoint.population != "people"
    files = save_figure(moves_figure(moves, simulated), out / "figure5")
    table = _moves_table(moves, simulated)
    write_text(out / "figure5.md", table)
    return files, table


def _panels(
    opened: Opened, unpooling: Literal["indices", "interpolation"]
) -> list[ReconstructionPanel]:
    """One window of each signal of the tested person, with the PRDN over all their windows."""
    network, windows, rows, who = _autoencoders(opened, unpooling)
    samples = network.config.window_samples
    panels = []
    for name, title in _SIGNALS.items():
        if name not in network.config.body:
            continue
        usable = rows[windows.present[name][rows]]
        if not len(usable):
            continue
        original, rebuilt, latent = _rebuilt(network, windows, usable, name)
        typical = int(np.argsort(original.std(axis=1))[len(original) // 2])  # the same for both
        config = network.config.autoencoder
        panels.append(
            ReconstructionPanel(
                signal=title,
                unpooling=unpooling,
                times=np.arange(samples) / windows.preprocessing.sampling_rate,
                original=original[typical],
                reconstruction=rebuilt[typical],
                latent=latent[typical],
                prdn=prdn(original, rebuilt),
                compression_ratio=compression_ratio(
                    samples,
                    latent=config.latent,
                    index_bits=index_bits(samples) if unpooling == "indices" else 0,
                ),
                who=who,
            )
        )
    return panels


def index_bits(window_samples: int) -> int:
    """Bits of the encoder's max positions, one per pooled value; 7,800 for 1000 samples."""
    lengths = lengths_before_pools(window_samples)
    return sum(filters * (length // POOL) for filters, length in zip(FILTERS, lengths, strict=True))


def _autoencoders(opened: Opened, unpooling: Unpooling) -> tuple[BMMN, RunSet, Rows, str]:
    """The first fold's auto-encoders, its windows, the test person's rows, and who that is."""
    settings = opened.material.settings
    material = replace(
        opened.material,
        settings=replace(settings, network=replace(settings.network, unpooling=unpooling)),
        runs=opened.material.runs / unpooling,
    )
    fold = opened.folds(0)[0]
    networks = FoldNetworks(material, Task(opened.samples, fold, 0))
    network, windows = networks.autoencoders()
    return network, windows, fold.test, fold.name


def _rebuilt(
    network: BMMN, windows: RunSet, rows: Rows, name: Modality
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Windows (M, W), reconstructions (M, W) and latents (M, Z) of rows."""
    network.eval()
    originals, rebuilts, latents = [], [], []
    runs = windows.runs_in_order(rows, _RUN)
    autoencoder = network.autoencoders[name]
    assert isinstance(autoencoder, BioAutoEncoder)
    with torch.inference_mode():
        for batch in windows.batches(grouped(runs, _RUN, 2 * _RUN)):
            columns = np.arange(batch.rows.shape[1])
            part = as_part(batch, columns, {}, torch.device("cpu"))
            found = reconstruct_runs(network, part.runs, part.columns)[name]
            kept = torch.from_numpy(batch.rows.ravel() >= 0)
            window = found.window[kept]
            originals.append(window[:, 0].double().numpy())
            rebuilts.append(found.reconstruction[kept][:, 0].double().numpy())
            latents.append(autoencoder.encode(window).latent.double().numpy())
    return np.concatenate(originals), np.concatenate(rebuilts), np.concatenate(latents)


def _reconstruction_table(panels: Sequence[ReconstructionPanel], opened: Opened) -> str:
    prepared = opened.material.prepared
    who = "a simulated person" if prepared.simulated else "a person"
    lines = [
        f"Reconstruction of {who} that the auto-encoders have never seen ({prepared.name}, "
        f"{panels[0].who if panels else 'nobody'}).",
        "",
        "| signal | decoder | PRDN, % | compression ratio |",
        "|---|---|---|---|",
    ]
    decoders = {"indices": "with the encoder's max positions", "interpolation": "latent alone"}
    lines += [
        f"| {panel.signal} | {decoders[panel.unpooling]} | {panel.prdn:.2f} | "
        f"{panel.compression_ratio:.2f} |"
        for panel in panels
    ]
    return "\n".join(lines) + "\n"


def _predictor(opened: Opened, folder: Path) -> Predictor:
    """BMMN-BAE-2 of the first fold's seed, trained on all people but the inner ones."""
    networks = FoldNetworks(opened.material, _everybody(opened))
    network = networks.network("BMMN-BAE-2")
    prepared = opened.material.prepared
    checkpoint = Checkpoint(
        config=network.config,
        preprocessing=prepared.settings.preprocessing,
        population="simulated people" if prepared.simulated else "people",
        training_subjects=prepared.subjects,
        training=configuration(opened),
    )
    identity = save_checkpoint(folder, network, checkpoint)
    return Predictor(*load_checkpoint(folder)[:2], identity)


def _everybody(opened: Opened) -> Task:
    """The first fold with the tested person among those who are learnt from."""
    fold = opened.folds(0)[0]
    whole = Fold("everybody", np.union1d(fold.train, fold.test), fold.validation, fold.test)
    return Task(opened.samples, whole, 0)


def _sessions(opened: Opened, sessions: Path | None, out: Path) -> list[Path]:
    if sessions is None and opened.material.prepared.simulated:
        return [
            _simulated_patient(out / "simulated-sessions", n) for n in range(SIMULATED_PATIENTS)
        ]
    found = [] if sessions is None else sorted(sessions.glob("*/session.toml"))
    if not found:
        raise SessionError(
            "E_SESSION",
            "Figure 5 needs therapy sessions, and there are none.",
            "Give --sessions DIR, a folder of session folders, each with a session.toml.",
        )
    return [path.parent for path in found]


def _simulated_patient(folder: Path, number: int) -> Path:
    name = f"simulated {number + 1}"
    if not (folder / name / "session.toml").exists():
        write_session(
            folder / name,
            synthetic_person(name, 9000 + number),
            therapy_course(60 * _SIMULATED_MINUTES, 9000 + number),
            settings=SyntheticSettings(sampling_rate=128.0, frame_rate=_SIMULATED_RATE),
        )
    return folder / name


def _move(patient: str, prediction: Prediction) -> PatientMove:
    phases, _ = default_phases(float(prediction.times[0]), float(prediction.times[-1]))
    found = [
        _phase_means(prediction, (prediction.times >= phase.start) & (prediction.times < phase.end))
        for phase in phases
    ]
    if found[0] is None or found[1] is None:
        raise SessionError(
            "E_NO_USABLE_MODALITY",
            f"Session {patient} has nothing to estimate from in its first or its last part.",
            "Take the session away, or record it anew.",
        )
    before, after = found[0], found[1]
    return PatientMove(
        patient,
        (before[0].mean, before[1].mean),
        (after[0].mean, after[1].mean),
        _intervals(before),
        _intervals(after),
    )


def _phase_means(prediction: Prediction, inside: BoolArray) -> tuple[Estimate, Estimate] | None:
    """Valence and arousal of a part of the session."""
    step = float(np.median(np.diff(prediction.times)))
    valence = mean_over_time(prediction.target("valence")[inside], step)
    arousal = mean_over_time(prediction.target("arousal")[inside], step)
    return None if valence is None or arousal is None else (valence, arousal)


def _intervals(means: tuple[Estimate, Estimate]) -> tuple[Span, Span] | None:
    known: list[Span] = [
        (each.low, each.high) for each in means if each.low is not None and each.high is not None
    ]
    return (known[0], known[1]) if len(known) == 2 else None


def _moves_table(moves: Sequence[PatientMove], simulated: bool) -> str:
    first = "Simulated patients: no number here is about a human being.\n\n" if simulated else ""
    lines = [
        "| patient | valence before | arousal before | valence after | arousal after |",
        "|---|---|---|---|---|",
        *(
            f"| {move.patient} | {move.before[0]:+.2f} | {move.before[1]:+.2f} | "
            f"{move.after[0]:+.2f} | {move.after[1]:+.2f} |"
            for move in moves
        ),
    ]
    return first + "\n".join(lines) + "\n"
