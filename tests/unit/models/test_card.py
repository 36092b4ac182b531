"""Cards say what the contract says, all of it, and what a model must not be used for."""

from __future__ import annotations

from dataclasses import replace
from typing import get_args

import pytest
import torch

from affectscope.models.card import Card, CardSection, data_card, leaves, model_card
from affectscope.models.shipped import ModelContract, ModelKind, OpenedModel, ResultTable

TENSORS = {"weight": torch.ones(2, 3), "bias": torch.ones(2)}


def sections(card: Card) -> dict[str, CardSection]:
    found = {section.title: section for section in card.sections}
    assert len(found) == len(card.sections)
    return found


def test_the_model_card_holds_the_whole_contract(small_contract: ModelContract) -> None:
    card = model_card(OpenedModel(small_contract, "0123456789ab", TENSORS))
    found = sections(card)
    assert card.title == "Model card: small"
    assert card.about == small_contract.summary
    details = "\n".join(found["Model details"].points)
    for stated in ("0123456789ab", "8 numbers in 2 tensors", "Apache-2.0", "stress likelihood"):
        assert stated in details
    assert found["Intended use"].sentences[0] == small_contract.intended_use
    assert "3 people" in found["Training data"].sentences[0]
    assert found["Training data"].points[1] == "chest (1 person, MIT): Nobody else"
    tables = found["How well it does"].tables
    assert [table.title for table in tables] == [t.title for t in small_contract.results]
    assert [table.rows for table in tables] == [t.rows for t in small_contract.results]
    assert tables[0].command == "affectscope models train small"
    assert found["Limits and recommendations"].points == small_contract.limits
    assert found["How it works"].tables[0].rows == (
        ("features", "rate, level"),
        ("scale.rate", "2"),
        ("scale.window", "60"),
    )
    assert found["How it was trained"].tables[0].rows == (("seed", "3"), ("penalties", "12 values"))


def test_the_data_card_names_sources_licences_people_and_every_file(
    small_contract: ModelContract,
) -> None:
    found = sections(data_card(small_contract))
    assert [row[:4] for row in found["Whose data"].tables[0].rows] == [
        ("wrist", "Nobody, Made-up recordings (2026)", "CC0-1.0", "2"),
        ("chest", "Nobody else", "MIT", "1"),
    ]
    assert found["People"].points == ("wrist: S01, S02", "chest: 1")
    assert found["Files: wrist"].tables[0].rows == (
        ("wrist/S01/EDA.csv", "ab" * 32),
        ("wrist/S02/EDA.csv", "cd" * 32),
    )
    assert found["Files: chest"].tables[0].rows == (("chest/1.npz", "ef" * 32),)


@pytest.mark.parametrize("kind", get_args(ModelKind))
def test_every_kind_says_what_it_is_and_what_it_is_not_for(
    small_contract: ModelContract, kind: ModelKind
) -> None:
    card = model_card(OpenedModel(replace(small_contract, kind=kind), "0", TENSORS))
    found = sections(card)
    assert len(found["Model details"].sentences[0]) > 40
    never = " ".join(found["Intended use"].points)
    assert "diagnosis" in never
    assert "Article 5(1)(f)" in never
    assert "who the people" in sections(data_card(small_contract))["Must not be used for"].points[0]


def test_simulated_people_and_nobody_are_called_so(small_contract: ModelContract) -> None:
    simulated = data_card(replace(small_contract, population="simulated people"))
    assert simulated.population == "simulated people"
    assert "3 simulated people" in sections(simulated)["Whose data"].sentences[0]
    nobody = data_card(replace(small_contract, population="untrained"))
    assert "learnt from nobody" in sections(nobody)["Whose data"].sentences[0]


def test_a_table_whose_rows_do_not_fit_is_filled_with_empty_cells(
    small_contract: ModelContract,
) -> None:
    ragged = (
        ResultTable("of any writer", ("a",), (("1", "2"), ()), ""),
        ResultTable("empty", (), (), ""),
    )
    card = model_card(OpenedModel(replace(small_contract, results=ragged), "0", TENSORS))
    first, second = sections(card)["How well it does"].tables
    assert (first.columns, first.rows) == (("a", ""), (("1", "2"), ("", "")))
    assert (second.columns, second.rows) == (("",), ())


def test_a_contract_without_results_or_settings_has_no_empty_section(
    small_contract: ModelContract,
) -> None:
    bare = replace(small_contract, results=(), configuration={}, training={})
    titles = sections(model_card(OpenedModel(bare, "0", TENSORS)))
    assert not {"How well it does", "How it works", "How it was trained"} & titles.keys()


def test_settings_are_told_by_where_they_stand_and_in_words() -> None:
    value = {"a": {"on": True, "off": False, "one": 1}, "b": [{"c": None}, 2.5], "d": [], "e": [1]}
    assert dict(leaves(value)) == {
        "a.on": True, "a.off": False, "a.one": 1, "b.1.c": None, "b.2": 2.5, "d": [], "e": [1],
    }  # fmt: skip
    from affectscope.models.card import settings

    (section,) = settings("Settings", value)
    assert [text for _, text in section.tables[0].rows] == [
        "yes", "no", "1", "none", "2.5", "none", "1",
    ]  # fmt: skip
