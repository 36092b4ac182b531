"""The cards of a network's checkpoint: its contract, and what was written into its folder later.

A checkpoint states no licence or publisher for each source, as the models that come with the
program do; its data card has the people and the sha256 of what they gave.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from affectscope.errors import AffectScopeError
from affectscope.inference.calibration import read_calibration
from affectscope.inference.engine_folder import CONTRACT, ENGINES, read_contract
from affectscope.inference.missing_modality import TITLE, read_missing
from affectscope.models.bmmn import BMMNConfig
from affectscope.models.card import (
    NEVER,
    NEVER_OF_DATA,
    Card,
    CardSection,
    hashes,
    intended_use,
    limits,
    origin,
    result_sections,
    settings,
    whom,
)
from affectscope.models.checkpoint import OpenedCheckpoint

_VARIANTS = {
    "bmmn": "BMMN: an encoder for each modality, joined in one layer",
    "bmmn_bae_1": "BMMN-BAE-1: the face's encoder and the auto-encoders' numbers for the signals",
    "bmmn_bae_2": "BMMN-BAE-2: the encoders of all modalities and the auto-encoders' numbers",
}


def checkpoint_card(folder: Path, opened: OpenedCheckpoint) -> Card:
    """What a checkpoint is, for what and whom, with what lies in its folder beside it."""
    checkpoint = opened.checkpoint
    people = len(checkpoint.training_subjects)
    return Card(
        f"Model card: checkpoint {opened.checkpoint_id}",
        "A network that estimates what a person feels over time.",
        checkpoint.population,
        (
            CardSection("Model details", points=_details(opened)),
            intended_use(
                checkpoint.intended_use, ("Taking an estimate for what a person says they feel.",)
            ),
            CardSection(
                "Training data",
                (f"{whom(checkpoint.population, people)} The data card says more.",),
            ),
            CardSection("Engines", points=_engines(folder, opened.checkpoint_id)),
            CardSection("Calibration", points=_calibration(folder, opened.checkpoint_id)),
            *_missing(folder, opened),
            limits(checkpoint.limits),
            *settings("How it works", asdict(checkpoint.preprocessing)),
            *settings("How it was trained", checkpoint.training),
        ),
    )


def checkpoint_data_card(opened: OpenedCheckpoint) -> Card:
    """Whom a checkpoint was fitted on, and the sha256 of what they gave."""
    checkpoint = opened.checkpoint
    people = checkpoint.training_subjects
    return Card(
        f"Data card: checkpoint {opened.checkpoint_id}",
        "The recordings that the checkpoint was fitted on.",
        checkpoint.population,
        (
            CardSection(
                "Whose data",
                (
                    whom(checkpoint.population, len(people)),
                    "A checkpoint does not state the licences of its recordings: who trained it"
                    " answers for them.",
                ),
            ),
            CardSection("People", (", ".join(people) or "Nobody.",)),
            CardSection("Must not be used for", points=(*NEVER_OF_DATA, *NEVER)),
            hashes("recordings", checkpoint.data_hashes),
        ),
    )


def _details(opened: OpenedCheckpoint) -> tuple[str, ...]:
    checkpoint = opened.checkpoint
    values = sum(tensor.numel() for tensor in opened.tensors.values())
    return (
        f"Network: {_VARIANTS[checkpoint.config.variant]}",
        f"Sees: {_inputs(checkpoint.config)}",
        f"Estimates: {', '.join(checkpoint.config.targets)}",
        f"Id: {opened.checkpoint_id} (the first digits of its weights' sha256)",
        f"Size: {values:,} numbers in {len(opened.tensors)} tensors",
        *origin(checkpoint.licence, checkpoint.affectscope_version, checkpoint.created),
    )


def _inputs(config: BMMNConfig) -> str:
    face = f"face (encoder {config.face_encoder})" if "face" in config.modalities else ""
    return ", ".join([*([face] if face else []), *config.body])


def _engines(folder: Path, checkpoint_id: str) -> tuple[str, ...]:
    """A point for each engine that lies in the folder, also for one that cannot be used."""
    found = sorted(path.parent for path in (folder / ENGINES).glob(f"*/{CONTRACT}"))
    return tuple(_engine(path, checkpoint_id) for path in found) or (
        "PyTorch alone; affectscope export makes a faster one.",
    )


def _engine(folder: Path, checkpoint_id: str) -> str:
    try:
        contract = read_contract(folder, checkpoint_id)
    except AffectScopeError as error:
        return f"{error.code}: {error.sentence}"
    deviation = contract.deviation
    on_whom = f", on {deviation.rows} times of {deviation.whose}" if deviation.rows else ""
    return f"{contract.label}: {deviation.text}{on_whom}"


def _calibration(folder: Path, checkpoint_id: str) -> tuple[str, ...]:
    """What its calibration says, or why there is none that can be used."""
    try:
        calibration = read_calibration(folder, checkpoint_id)
    except AffectScopeError as error:
        return (f"{error.code}: {error.sentence}",)
    if calibration is None:
        return ("None: its estimates have no intervals; affectscope calibrate makes them.",)
    return tuple(line.strip() for line in calibration.lines)


def _missing(folder: Path, opened: OpenedCheckpoint) -> Iterator[CardSection]:
    """What it costs to do without a modality, or why that is not known."""
    try:
        measured = read_missing(folder, opened.checkpoint_id)
    except AffectScopeError as error:
        yield CardSection(TITLE, points=(f"{error.code}: {error.sentence}",))
        return
    if measured is not None:
        yield from result_sections((measured.table,))
    elif len(opened.checkpoint.config.modalities) > 1:
        yield CardSection(TITLE, points=("Not measured; affectscope models missing measures it.",))
