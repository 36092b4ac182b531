"""A model card and a data card from a model's contract: what is said, not how it looks.

The model card has the headings of M. Mitchell et al., "Model cards for model reporting", FAT* 2019,
doi 10.1145/3287560.3287596, as far as a contract knows what belongs below them. What the paper
calls metrics, evaluation data and quantitative analyses are one section here: each table's title
says what was measured, on whom and how. The data card says whom a model learnt from: sources,
licences, people, files with their sha256, and what the recordings and the model must not be used
for.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from affectscope.models.shipped import (
    DataSource,
    ModelContract,
    ModelKind,
    OpenedModel,
    ResultTable,
)
from affectscope.records import Population

_KINDS: dict[ModelKind, str] = {
    "bio auto-encoder": "A part that the training of a network may start from. By itself it scores"
    " nobody: it squeezes a window of a signal into a few numbers and draws the window from them.",
    "stress likelihood": "It tells how much a person's heart and skin resemble those of people"
    " under stress in a laboratory, beside how the same person is at other times.",
    "fused": "It estimates what a person feels over time, from face, ECG and EDA together.",
}
_NEVER_OF_KIND: dict[ModelKind, tuple[str, ...]] = {
    "bio auto-encoder": ("Reading its few numbers as feelings, health or identity.",),
    "stress likelihood": (
        "Reading it as arousal, valence or any emotion, or as a change in how a person says they"
        " feel.",
        "Telling whether somebody lies, suffers or is ill.",
    ),
    "fused": ("Taking an estimate for what a person says they feel.",),
}
NEVER = (
    "A diagnosis, or a decision about a person's treatment, work, schooling, insurance or rights.",
    "Inferring emotions of people at work or in education, which Regulation (EU) 2024/1689, Article"
    " 5(1)(f) prohibits except for medical or safety reasons.",
    "Watching people who have not agreed to it.",
)
NEVER_OF_DATA = (
    "Finding out who the people in the recordings are.",
    "Testing a model that began from this one on these people; the leak check refuses it.",
    "Anything that the licence of a source does not allow.",
)
_LONGEST_LIST = 8
"""Values of a list that are shown; of a longer one only how many there are."""


@dataclass(frozen=True)
class CardTable:
    """``command``: what printed it; "" where nothing did."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    command: str = ""


@dataclass(frozen=True)
class CardSection:
    """A heading with sentences, points and tables; ``folded`` ones may be closed at first."""

    title: str
    sentences: tuple[str, ...] = ()
    points: tuple[str, ...] = ()
    tables: tuple[CardTable, ...] = ()
    folded: bool = False


@dataclass(frozen=True)
class Card:
    """A card. ``about``: one line below the title; ``population``: whom it learnt from."""

    title: str
    about: str
    population: Population
    sections: tuple[CardSection, ...]


def model_card(opened: OpenedModel) -> Card:
    """What a model is, what it is for, how well it does, and what it does not do."""
    contract = opened.contract
    values = sum(tensor.numel() for tensor in opened.tensors.values())
    return Card(
        f"Model card: {contract.name}",
        contract.summary,
        contract.population,
        (
            CardSection(
                "Model details",
                (_KINDS[contract.kind],),
                (
                    f"Kind: {contract.kind}",
                    f"Id: {opened.model_id} (the first digits of its weights' sha256)",
                    f"Size: {values:,} numbers in {len(opened.tensors)} tensors",
                    *origin(contract.licence, contract.affectscope_version, contract.created),
                ),
            ),
            intended_use(contract.intended_use, _NEVER_OF_KIND[contract.kind]),
            CardSection(
                "Training data",
                (f"{whom(contract.population, len(contract.people))} The data card says more.",),
                tuple(_source_line(source) for source in contract.sources),
            ),
            *result_sections(contract.results),
            limits(contract.limits),
            *settings("How it works", contract.configuration),
            *settings("How it was trained", contract.training),
        ),
    )


def data_card(contract: ModelContract) -> Card:
    """Whom a model learnt from, under which licences, from which files."""
    return Card(
        f"Data card: {contract.name}",
        f"The recordings that the model {contract.name} learnt from.",
        contract.population,
        (
            CardSection(
                "Whose data",
                (whom(contract.population, len(contract.people)),),
                tables=(
                    CardTable(
                        "",
                        ("Source", "Published by", "Licence", "People", "Files"),
                        tuple(_source_row(source) for source in contract.sources),
                    ),
                ),
            ),
            CardSection(
                "People",
                ("The publishers' ids; the leak check knows each person as source/id.",),
                tuple(_people_line(source) for source in contract.sources),
            ),
            CardSection("Must not be used for", points=(*NEVER_OF_DATA, *NEVER)),
            *(
                hashes(source.name, {f"{source.name}/{n}": h for n, h in source.hashes.items()})
                for source in contract.sources
            ),
        ),
    )


def origin(licence: str, program: str, created: str) -> tuple[str, ...]:
    """Points that tell under which licence, by what and when something was made."""
    return f"Licence: {licence}", f"Made by: affectscope {program}, {created}"


def intended_use(use: str, never: Sequence[str] = ()) -> CardSection:
    """What a model is for, and what it is not for."""
    return CardSection("Intended use", (use, "Not for:"), (*never, *NEVER))


def limits(sentences: tuple[str, ...]) -> CardSection:
    """What a model is known not to do."""
    return CardSection("Limits and recommendations", points=sentences)


def result_sections(results: Sequence[ResultTable]) -> Iterator[CardSection]:
    """The section with all tables of figures; none where there is none."""
    if results:
        yield CardSection("How well it does", tables=tuple(map(result_table, results)))


def settings(title: str, values: Mapping[str, Any]) -> Iterator[CardSection]:
    """A section with a table of settings; none where there is no setting."""
    rows = tuple((name, _value_text(value)) for name, value in leaves(values))
    if rows:
        yield CardSection(title, tables=(CardTable("", ("Setting", "Value"), rows),), folded=True)


def hashes(title: str, digests: Mapping[str, str]) -> CardSection:
    """The section with the files of a source and their sha256."""
    table = CardTable("", ("File", "sha256"), tuple(sorted(digests.items())))
    return CardSection(f"Files: {title}", tables=(table,), folded=True)


def whom(population: Population, people: int) -> str:
    """Whom something learnt from, in a sentence."""
    if population == "untrained":
        return "It learnt from nobody: its numbers are those that it began with."
    one = {"people": "one person", "simulated people": "one simulated person"}
    return f"It learnt from {one[population] if people == 1 else f'{people} {population}'}."


def leaves(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """The single values below a value that JSON can hold, as ("outer.inner", value); a list is one
    value unless it holds objects."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from leaves(item, f"{name}.{key}" if name else str(key))
    elif _is_list(value) and any(isinstance(item, Mapping) for item in value):
        for place, item in enumerate(value, start=1):
            yield from leaves(item, f"{name}.{place}")
    else:
        yield name, value


def result_table(table: ResultTable) -> CardTable:
    """As it is, with empty cells where a row has fewer than another: its writer may be anybody."""
    width = max(1, len(table.columns), *map(len, table.rows))
    columns, *rows = ((*row, *[""] * (width - len(row))) for row in (table.columns, *table.rows))
    return CardTable(table.title, columns, tuple(rows), table.command)


def _is_list(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str)


def _value_text(value: Any) -> str:
    if _is_list(value):
        if len(value) > _LONGEST_LIST:
            return f"{len(value)} values"
        return ", ".join(_value_text(item) for item in value) or "none"
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "none" if value is None else str(value)


def _source_line(source: DataSource) -> str:
    return f"{source.name} ({_count(source.people)}, {source.licence}): {source.citation}"


def _people_line(source: DataSource) -> str:
    ids = [person.removeprefix(f"{source.name}/") for person in source.people]
    return f"{source.name}: {', '.join(ids) or 'nobody'}"


def _source_row(source: DataSource) -> tuple[str, ...]:
    people, files = str(len(source.people)), str(len(source.hashes))
    return source.name, source.citation, source.licence, people, files


def _count(people: Sequence[str]) -> str:
    return "1 person" if len(people) == 1 else f"{len(people)} people"
