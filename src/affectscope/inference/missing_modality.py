"""What it costs a checkpoint to do without a modality: CKPT/missing/, written later than the rest.

=====================  =======================================================================
missing.json           ``MissingModality``: of which checkpoint, on whom, and the table
manifest.json          its sha256, written last
=====================  =======================================================================

``recipes.missing_modality`` measures it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from affectscope.errors import ModelError
from affectscope.io.files import prepare_folder, shown, write_text, writing_in
from affectscope.models.manifest import MANIFEST, manifest_of, manifest_problem
from affectscope.models.shipped import ResultTable
from affectscope.models.strict_json import decode, format_problem, parse_object
from affectscope.models.weights_file import read_bounded

FORMAT_VERSION = 1
FOLDER, CONTRACT = "missing", "missing.json"
TITLE = "Cost of a missing modality"
_LARGEST = 16 << 20
"""Bytes allowed per file."""
_AGAIN = "Measure it again with affectscope models missing, or take the folder 'missing' away."


@dataclass(frozen=True)
class MissingModality:
    """What ``missing.json`` holds.

    Attributes:
        people: pseudonyms of those it was measured on; none of them taught the network.
        sessions: sha256 of every file, by "subject/session/file".
        table: the figures, with 95 % intervals over people.
        created: UTC, ISO 8601.
    """

    checkpoint_id: str
    people: tuple[str, ...]
    sessions: Mapping[str, str]
    table: ResultTable
    format_version: int = FORMAT_VERSION
    affectscope_version: str = field(default_factory=lambda: version("affectscope"))
    created: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))


def read_missing(folder: Path, checkpoint_id: str) -> MissingModality | None:
    """What was measured of a checkpoint; None where nothing was.

    Raises:
        ModelError: E_CHECKPOINT where it is damaged, of a newer format, or of other weights.
    """
    place = folder / FOLDER
    if not place.is_dir():
        return None
    try:
        content = read_bounded(place / CONTRACT, _LARGEST)
        described = parse_object(content, CONTRACT)
        version_problem = format_problem(described, FORMAT_VERSION)
        if version_problem is not None:
            raise ModelError("E_CHECKPOINT", f"it has {version_problem}.")
        problem = manifest_problem(read_bounded(place / MANIFEST, _LARGEST), {CONTRACT: content})
        if problem is not None:
            raise ModelError("E_CHECKPOINT", f"{problem}.")
        found = decode(MissingModality, described, CONTRACT)
        if found.checkpoint_id != checkpoint_id:
            raise ModelError(
                "E_CHECKPOINT",
                f"it is of checkpoint {found.checkpoint_id}, and this one is {checkpoint_id}.",
            )
    except ModelError as error:
        raise ModelError(
            "E_CHECKPOINT", f"{shown(place)} cannot be used: {error.sentence}", _AGAIN
        ) from error
    return found


def write_missing(folder: Path, measured: MissingModality) -> None:
    """Write it into a checkpoint's folder, each file whole or not at all, the manifest last.

    Raises:
        OutputError: E_OUTPUT.
    """
    place = folder / FOLDER
    text = json.dumps(asdict(measured), indent=1, allow_nan=False) + "\n"
    prepare_folder(place)
    with writing_in(place):
        write_text(place / CONTRACT, text)
        write_text(place / MANIFEST, manifest_of({CONTRACT: text.encode()}))
