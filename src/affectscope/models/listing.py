"""Which models come with the program, told from their descriptions alone: no library that computes
is loaded, and no tensor is read or checked. ``models.shipped`` opens a model."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from affectscope.errors import AffectScopeError
from affectscope.io.files import check_file
from affectscope.models.strict_json import parse_object

CONTRACT = "model.json"
SHIPPED_FOLDER = Path(__file__).resolve().parent / "shipped"
"""What comes with the program: a folder of each model."""


@dataclass(frozen=True)
class ListedModel:
    """A line of the list.

    Attributes:
        name: its folder's name.
        kind: what it is; "" where its description cannot be read.
        people: how many people it learnt from.
        size: bytes of all its files.
        summary: one sentence; what is wrong, where its description cannot be read.
    """

    name: str
    kind: str
    people: int
    size: int
    summary: str


def listed_models(folder: Path = SHIPPED_FOLDER) -> tuple[ListedModel, ...]:
    """The models below a folder, by name; by itself those that come with the program."""
    if not folder.is_dir():
        return ()
    return tuple(_listed(path) for path in sorted(folder.iterdir()) if path.is_dir())


def _listed(folder: Path) -> ListedModel:
    size = sum(path.stat().st_size for path in folder.iterdir() if path.is_file())
    try:
        check_file(folder / CONTRACT)
        described = parse_object((folder / CONTRACT).read_bytes(), CONTRACT)
        people = {person for source in described["sources"] for person in source["people"]}
        kind, summary = str(described["kind"]), str(described["summary"])
    except AffectScopeError as error:
        return ListedModel(folder.name, "", 0, size, f"It cannot be used: {error.sentence}")
    except (KeyError, TypeError):
        return ListedModel(folder.name, "", 0, size, f"It cannot be used: {CONTRACT} lacks a part.")
    return ListedModel(folder.name, kind, len(people), size, summary)
